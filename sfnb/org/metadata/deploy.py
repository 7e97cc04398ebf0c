"""Deployments of the Metadata API: a small package that is sent, and how it stands."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

from sfnb.errors import TransientError
from sfnb.org.client import OrgClient
from sfnb.org.metadata.api import Package, call, tags
from sfnb.org.metadata.xml import child, children, text
from sfnb.org.secrets import clean

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a component was not deployed; ``full_name`` is empty where it is about all of it."""

    full_name: str
    message: str


@dataclass(frozen=True, slots=True)
class DeployStatus:
    """
    How a deployment stands.

    Args:
        is_good: all of it is in effect. A deployment that is done and not good changed nothing.
    """

    is_done: bool
    is_good: bool = False
    problems: tuple[Problem, ...] = ()


def package_zip(package: Package, files: Mapping[str, bytes], api_version: str) -> bytes:
    """
    The zip of a deployment: the files, by path below its root, and their ``package.xml``. Pure.
    """
    types = "".join(
        f"<types>{''.join(tags(members=name) for name in names)}{tags(name=kind)}</types>"
        for kind, names in package.items()
    )
    manifest = f"<Package xmlns={NAMESPACE!r}>{types}{tags(version=api_version)}</Package>"
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("package.xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{manifest}')
        for path, content in files.items():
            zipped.writestr(path, content)
    return sink.getvalue()


def start_deploy(org: OrgClient, archive: bytes, *, test_level: str = "") -> str:
    """
    Send a deployment, all or nothing; its Id. Sent once.

    Cost: 1 API call.

    Args:
        test_level: ``NoTestRun`` where the org is no production org; empty: the org's default, in
            production all local tests where the package holds Apex (Metadata API guide, deploy).

    Raises:
        TransientError: whether the org took it is not known; DeployRequest names what it took.
    """
    options = tags(rollbackOnError="true", singlePackage="true", testLevel=test_level or None)
    zipped = base64.b64encode(archive).decode()
    inner = f"<ZipFile>{zipped}</ZipFile><DeployOptions>{options}</DeployOptions>"
    deploy_id = text(child(call(org, "deploy", inner), "result"), "id")
    if not deploy_id:
        raise TransientError("Metadata API, deploy: the answer names no deployment.")
    return deploy_id


def check_deploy(org: OrgClient, deploy_id: str) -> DeployStatus:
    """How a deployment stands. Cost: 1 API call."""
    body = tags(asyncProcessId=deploy_id, includeDetails="true")
    result = child(org.retrying(lambda: call(org, "checkDeployStatus", body)), "result")
    if text(result, "done") != "true":
        return DeployStatus(is_done=False)
    if text(result, "success") == "true":
        return DeployStatus(is_done=True, is_good=True)
    details = child(result, "details")
    problems = [
        Problem(clean(text(one, "fullName"))[:200], clean(text(one, "problem"))[:300])
        for one in children(details, "componentFailures")
    ]
    problems += [
        Problem("", f"{clean(text(one, 'name'))[:100]}: {clean(text(one, 'message'))[:300]}")
        for one in children(child(details, "runTestResult"), "failures")
    ]
    if said := clean(text(result, "errorMessage"))[:300]:
        problems.append(Problem("", said))
    status = clean(text(result, "status"))[:40]
    return DeployStatus(
        is_done=True, problems=tuple(problems) or (Problem("", f"it ended as {status}"),)
    )
