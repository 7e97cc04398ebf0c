# ruff: noqa: S608 - SOQL with a moment of our own
"""
Triggers are switched by a deployment of their own code with another status: production refuses any
other change of Apex (Metadata API guide, ApexTrigger).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sfnb.errors import ObjectError
from sfnb.org.client import OrgClient
from sfnb.org.metadata.api import tags
from sfnb.org.metadata.deploy import (
    NAMESPACE,
    DeployStatus,
    check_deploy,
    package_zip,
    start_deploy,
)
from sfnb.org.tooling import fetch_tooling, query_request, rows_of
from sfnb.restore.automation.journal import AutomationJournal, Deployment

Wait = Callable[[float], None]
"""Waits so many seconds; raises when the job is to stop."""

FIRST_POLL_S, MOST_POLL_S = 1.0, 30.0
ENDED = ("Succeeded", "SucceededPartial", "Failed", "Canceled")


def deploy_triggers(
    org: OrgClient, journal: AutomationJournal, states: Sequence[Mapping[str, Any]], wait: Wait
) -> DeployStatus:
    """
    Deploy triggers in these states (``deciding.state_of``), all or none; how it ended.

    Cost: 1 API call, and one for each poll.

    Raises:
        TransientError: whether the org took it is not known; ``settle_deployments`` finds out.
    """
    names = [str(state["fullName"]) for state in states]
    files = {}
    for name, state in zip(names, states, strict=True):
        files[f"triggers/{name}.trigger"] = str(state["body"]).encode()
        files[f"triggers/{name}.trigger-meta.xml"] = meta_xml(state).encode()
    archive = package_zip({"ApexTrigger": names}, files, org.api_version)
    deployment = Deployment(org.org_now().isoformat())
    journal.deployments.append(deployment)
    journal.save()
    level = "" if journal.is_production else "NoTestRun"
    deployment.id = start_deploy(org, archive, test_level=level)
    journal.save()
    return _until_done(org, journal, deployment, wait)


def meta_xml(state: Mapping[str, Any]) -> str:
    """The file beside a trigger's code. Pure."""
    packages = "".join(
        "<packageVersions>"
        + tags(**{k: str(one[k]) for k in ("majorNumber", "minorNumber", "namespace") if k in one})
        + "</packageVersions>"
        for one in state.get("packageVersions") or ()
    )
    inner = tags(apiVersion=str(state["apiVersion"])) + packages + tags(status=str(state["status"]))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ApexTrigger xmlns="{NAMESPACE}">{inner}</ApexTrigger>'


def settle_deployments(org: OrgClient, journal: AutomationJournal, wait: Wait) -> None:
    """
    Wait until no deployment of ours can change anything any more.

    One that was sent shortly before a kill may take effect later, so its end comes before anybody
    looks how the triggers stand.
    """
    open_ones = [one for one in journal.deployments if not one.is_done]
    for deployment in open_ones:
        if deployment.id:
            _until_done(org, journal, deployment, wait)
    unknown = [one for one in open_ones if not one.id]
    if not unknown:
        return
    since = min(one.at for one in unknown)[:19] + "Z"
    soql = f"SELECT Id, Status FROM DeployRequest WHERE CreatedDate >= {since}"
    poll_s = FIRST_POLL_S
    while True:
        (answer,) = fetch_tooling(org, [query_request(org, "deploys", soql, tooling=True)])
        found = rows_of(org, answer, "the list of deployments")
        if all(row.get("Status") in ENDED for row in found):
            break
        wait(poll_s)
        poll_s = min(poll_s * 2, MOST_POLL_S)
    for deployment in unknown:
        deployment.is_done = True
    journal.save()


def _until_done(
    org: OrgClient, journal: AutomationJournal, deployment: Deployment, wait: Wait
) -> DeployStatus:
    poll_s = FIRST_POLL_S
    try:
        while not (status := check_deploy(org, deployment.id)).is_done:
            wait(poll_s)
            poll_s = min(poll_s * 2, MOST_POLL_S)
    except ObjectError:
        # Results are kept for some days only. What no longer has one has ended long ago.
        status = DeployStatus(is_done=True)
    deployment.is_done = True
    journal.save()
    return status
