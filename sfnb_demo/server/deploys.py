"""
Deployments: a zip of components that takes effect when the deployment is done.

One takes as many polls as ``/control/metadata`` says (``polls``); a look at DeployRequest is a poll,
too, so one that nobody asks about ends all the same.
"""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from sfnb_demo.data import ids
from sfnb_demo.data.metadata import BY_NAME, Component
from sfnb_demo.data.writing.rules import Rules
from sfnb_demo.errors import ApiError
from sfnb_demo.server.clock import rest_time
from sfnb_demo.server.metadata_org import MetadataOrg

TEST_LEVELS = ("NoTestRun", "RunSpecifiedTests", "RunLocalTests", "RunAllTestsInOrg")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a component was not deployed."""

    kind: str
    full_name: str
    file_name: str
    problem: str


@dataclass(slots=True)
class Deploy:
    """One deployment. ``failures`` are known when it is done."""

    id: str
    archive: bytes
    is_check_only: bool
    test_level: str
    user_id: str
    created_at: datetime
    polls_left: int
    is_done: bool = False
    components: list[Component] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def status(self) -> str:
        if not self.is_done:
            return "InProgress"
        return "Failed" if self.failures else "Succeeded"


class Deploys:
    """Safe for threads."""

    def __init__(
        self,
        metadata: MetadataOrg,
        rules: Rules,
        now: Callable[[], datetime],
        *,
        is_sandbox: Callable[[], bool],
    ) -> None:
        self._metadata = metadata
        self._rules = rules
        self._now = now
        self._is_sandbox = is_sandbox
        self._lock = threading.RLock()
        self._all: dict[str, Deploy] = {}

    def start(self, archive: bytes, options: Mapping[str, str], user_id: str) -> Deploy:
        """
        A new deployment.

        Raises:
            ApiError: its options are refused.
        """
        level = options.get("testLevel", "")
        if level and level not in TEST_LEVELS:
            raise ApiError("INVALID_TYPE", f"'{level}' is not a valid value for testLevel", 500)
        if level == "NoTestRun" and not self._is_sandbox():
            message = "testLevel of NoTestRun cannot be used in production organizations"
            raise ApiError("INVALID_OPERATION", message, 500)
        with self._lock:
            deploy = Deploy(
                ids.make_id("0Af", ids.FIRST + len(self._all)),
                archive,
                options.get("checkOnly", "false") == "true",
                level,
                user_id,
                self._now(),
                self._metadata.polls,
            )
            self._all[deploy.id] = deploy
            return deploy

    def check(self, deploy_id: str) -> Deploy:
        """
        How a deployment stands.

        Raises:
            ApiError: there is none of this Id.
        """
        with self._lock:
            found = next((d for d in self._all.values() if d.id[:15] == deploy_id[:15]), None)
            if found is None:
                raise ApiError("INVALID_ID_FIELD", "no AsyncResult found with the Id", 500)
            self._poll(found)
            return found

    def rows(self) -> list[dict[str, Any]]:
        """DeployRequest, as the Tooling API shows it."""
        with self._lock:
            for deploy in self._all.values():
                self._poll(deploy)
            return [
                {
                    "Id": deploy.id,
                    "Status": deploy.status,
                    "CheckOnly": deploy.is_check_only,
                    "CreatedById": deploy.user_id,
                    "CreatedDate": rest_time(deploy.created_at),
                    "NumberComponentsTotal": len(deploy.components),
                }
                for deploy in self._all.values()
            ]

    def _poll(self, deploy: Deploy) -> None:
        if deploy.is_done:
            return
        if deploy.polls_left > 0:
            deploy.polls_left -= 1
            return
        self._finish(deploy)

    def _finish(self, deploy: Deploy) -> None:
        deploy.is_done = True
        try:
            found = read_package(deploy.archive)
        except ApiError as err:
            deploy.failures.append(Failure("", "package.xml", "package.xml", err.message))
            return
        for kind, name, files in found:
            problem, component = self._checked(kind, name, files)
            if component is None:
                deploy.failures.append(Failure(kind, name, next(iter(files), ""), problem))
            else:
                deploy.components.append(component)
        if deploy.failures or deploy.is_check_only:
            return  # rollbackOnError: in production all or nothing (Metadata API guide, deploy)
        for component in deploy.components:
            self._metadata.components[component.kind, component.full_name] = component
            if component.kind == "ApexTrigger" and component.full_name in self._rules.all:
                is_active = b"<status>Active</status>" in list(component.files.values())[1]
                self._rules.switch(component.full_name, is_active=is_active)

    def _checked(
        self, kind: str, name: str, files: dict[str, bytes]
    ) -> tuple[str, Component | None]:
        if kind not in BY_NAME:
            return f"Unknown type name '{kind}' specified", None
        if not files:
            problem = (
                f"An object '{name}' of type {kind} was named in package.xml, "
                "but was not found in zipped directory"
            )
            return problem, None
        if BY_NAME[kind].meta_file and len(files) != 2:
            return "Required metadata file is missing", None
        old = self._metadata.components.get((kind, name))
        if old is not None and old.namespace:
            return f"Cannot modify managed object: entity={kind}, component={name}", None
        at = f"{self._now():%Y-%m-%dT%H:%M:%S}.000Z"
        new = Component(kind, name, files, at)
        return "", replace(old, files=files, modified_at=at) if old else new


def read_package(archive: bytes) -> list[tuple[str, str, dict[str, bytes]]]:
    """Type, name and files of each component that package.xml names; the main file first."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
            files = {
                name.removeprefix("unpackaged/"): zipped.read(name)
                for name in zipped.namelist()
                if not name.endswith("/")
            }
        package = ElementTree.fromstring(files["package.xml"])  # noqa: S314 - a local witness
    except (zipfile.BadZipFile, KeyError) as err:
        raise ApiError("INVALID_OPERATION", "No package.xml found", 500) from err
    except ElementTree.ParseError as err:
        raise ApiError("INVALID_OPERATION", f"Error parsing package.xml: {err}", 500) from err
    found = []
    for types in package:
        if types.tag.rpartition("}")[2] != "types":
            continue
        texts = [(child.tag.rpartition("}")[2], child.text or "") for child in types]
        kind = next((text for tag, text in texts if tag == "name"), "")
        for name in (text for tag, text in texts if tag == "members"):
            found.append((kind, name, _files_of(kind, name, files)))
    return found


def _files_of(kind: str, name: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    if kind not in BY_NAME:
        return {}
    of = BY_NAME[kind]
    path = f"{of.directory}/{name}" + (f".{of.suffix}" if of.suffix else "")
    return {p: files[p] for p in (path, f"{path}-meta.xml") if p in files}
