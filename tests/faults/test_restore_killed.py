"""A restore's process is killed, really, at each kind of write: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningOrg
from tests.restore_campaign.campaign import (
    KILL_WAIT_S,
    demo_org,
    good,
    id_map,
    shell_for,
    truth,
    wait_for_fault,
)
from tests.restore_campaign.records import compare, save

OBJECTS = ("Account", "Project__c", "Milestone__c", "Invoice_Line__c")
DATA = "/services/data/v66.0"
ROWS = 2_200
"""Milestones that are gone: more than collections are cheaper for."""

PLACES = {
    "planning": "GET .*/query|POST .*/composite$",
    "undelete": "POST .*/services/Soap/u/",
    "update": "PATCH .*/composite/sobjects",
    "insert": "POST .*/composite/sobjects",
    "bulk create": "POST .*/jobs/ingest$",
    "bulk upload": "PUT .*/jobs/ingest/",
    "bulk close": "PATCH .*/jobs/ingest/",
    "bulk results": "GET .*/jobs/ingest/[^/]+/successful",
    "file": "POST .*/sobjects/(ContentVersion|Attachment)",
}
"""In the order in which a restore comes to them."""

BODIES = {"insert": "Invoice_Line__c"}
"""Lines of invoices have no unique key: one that is sent twice is there twice."""

IS_WHOLE = os.environ.get("SFNB_CAMPAIGN") == "full"
KINDS = ("late_answer", "stall") if IS_WHOLE else ("late_answer",)
"""The org has done it and nobody heard; the org has not even read it."""


@pytest.fixture
def org(tmp_path: Path) -> Iterator[RunningOrg]:
    with demo_org(tmp_path / "org") as running:
        yield running


def files(org: RunningOrg) -> list[tuple[str, str]]:
    """Attachments by name and parent."""
    soql = "SELECT Name, ParentId FROM Attachment"
    rows = org.get(f"{DATA}/query", params={"q": soql}).json()["records"]
    return sorted((row["Name"], row["ParentId"]) for row in rows)


def many(org: RunningOrg) -> list[str]:
    """Milestones of one project, for a Bulk job."""
    (project,) = save(org, "POST", "Project__c", [{"Name": "Whole"}])
    new = [{"Project__c": project["id"], "Comment__c": f"line\n{n}"} for n in range(ROWS)]
    return [row["id"] for row in save(org, "POST", "Milestone__c", new)]


@pytest.mark.campaign
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_each_kind_of_write(org: RunningOrg, tmp_path: Path, kind: str) -> None:
    """P2 for writes: killed in planning and at each kind of write in turn, resumed each time."""
    made = many(org)
    shell = shell_for(org, tmp_path / "home")
    org.control("clock", {"advance_minutes": 30})
    chosen = ",".join((*OBJECTS, "Attachment"))
    good(shell("backup", "demo", "--objects", chosen, "--json"), 0)
    before, kept = truth(org, OBJECTS), files(org)
    org.control("clock", {"advance_minutes": 60})
    for do, name, more in (
        ("hard_delete", "Milestone__c", {"ids": made}),
        ("delete", "Project__c", {"rows": 5}),
        ("hard_delete", "Project__c", {"rows": 5}),
        ("hard_delete", "Invoice_Line__c", {"rows": 5}),
        ("change", "Account", {"rows": 5}),
        ("hard_delete", "Attachment", {"rows": 2}),
    ):
        org.control("rows", {"do": do, "object": name, **more})
    assert files(org) != kept
    arguments: tuple[str, ...] = (
        "restore", "demo", "latest", "--objects", chosen, "--files", "--json",
    )  # fmt: skip
    for where, match in PLACES.items():
        org.fail(match=match, nth=2 if where == "planning" else 1, times=1, fault=kind,
                 seconds=KILL_WAIT_S, body=BODIES.get(where))  # fmt: skip
        running = shell.start(*arguments)
        assert wait_for_fault(org, running.process.poll), f"{where}: {running.ended()}"
        running.process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        running.ended()
        org.control("faults", method="DELETE")
        arguments = ("resume", "--all", "--json")
    (result,) = good(shell(*arguments), 0)
    found = compare(before, truth(org, OBJECTS), id_map(result))
    assert (found.lost, found.doubled, found.changed) == ([], [], [])
    assert len(files(org)) == len(kept)
    assert {name for name, _ in files(org)} == {name for name, _ in kept}
