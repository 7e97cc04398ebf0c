"""
The metadata of one org and its retrieves: asynchronous jobs whose result is fetched once.

``/control/metadata`` changes it and makes it fail, with any of these keys:

======================  ============================================================================
put                     ``[{"type", "name", "body"}]``: a component's file (its text) is new
remove                  ``[{"type", "name"}]``
max_files               files in one retrieve (10,000 in Salesforce)
polls                   polls before a retrieve is done (1)
broken_types            ``{"Report": 2}``: the next so many retrieves that ask for it fail as a whole
unlisted_types          types whose listMetadata fails
lost_results            the next so many results are gone when they are asked for
newest_version          the newest API version that its Metadata API knows: to what asks in a newer
                        one it answers with success, and with nothing in it
kind_versions           ``{"RemoteSiteSetting": [31, 65]}``: the API versions that have the type
refused                 the user may not use the Metadata API
======================  ============================================================================
"""

from __future__ import annotations

import io
import math
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sfnb_demo.data.metadata import (
    BY_NAME,
    FOLDER_KINDS,
    NO_WILDCARD,
    Component,
    catalogue,
    tag,
    xml,
)
from sfnb_demo.errors import ApiError

MAX_FILES = 10_000


@dataclass(slots=True)
class Retrieve:
    """One retrieve: what was asked for, and how many polls it still takes."""

    id: str
    types: list[tuple[str, list[str]]]
    version: str
    polls_left: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished retrieve brings."""

    components: list[Component]
    messages: list[tuple[str, str]]
    archive: bytes


class RetrieveFailed(Exception):
    """A retrieve that ends as failed: its code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MetadataOrg:
    """Safe for threads. The components are made when they are first needed."""

    def __init__(self, describes: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        self._describes = describes
        self._lock = threading.RLock()
        self._components: dict[tuple[str, str], Component] | None = None
        self._jobs: dict[str, Retrieve] = {}
        self._number = 0
        self.max_files = MAX_FILES
        self.polls = 1
        self.broken_types: dict[str, int] = {}
        self.unlisted_types: set[str] = set()
        self.lost_results = 0
        self.is_refused = False
        self.newest_version = math.inf
        self.kind_versions: dict[str, tuple[float, float]] = {}

    @property
    def components(self) -> dict[tuple[str, str], Component]:
        with self._lock:
            if self._components is None:
                made = catalogue(self._describes())
                self._components = {(c.kind, c.full_name): c for c in made}
            return self._components

    def change(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """See the module."""
        with self._lock:
            for entry in given.get("put", ()):
                key = (str(entry["type"]), str(entry["name"]))
                old = self.components[key]
                body = str(entry["body"]).encode()
                self.components[key] = replace(
                    old,
                    files={**old.files, old.main_file: body},
                    modified_at=entry.get("at", old.modified_at),
                )
            for entry in given.get("remove", ()):
                del self.components[str(entry["type"]), str(entry["name"])]
            self.max_files = int(given.get("max_files", self.max_files))
            self.polls = int(given.get("polls", self.polls))
            self.broken_types |= dict(given.get("broken_types", {}))
            self.unlisted_types |= set(given.get("unlisted_types", ()))
            self.lost_results += int(given.get("lost_results", 0))
            self.is_refused = bool(given.get("refused", self.is_refused))
            self.newest_version = float(given.get("newest_version", self.newest_version))
            for kind, (first, last) in dict(given.get("kind_versions", {})).items():
                self.kind_versions[kind] = float(first), float(last)
            return {"components": len(self.components)}

    def knows(self, kind: str, version: str) -> bool:
        """Whether there is this kind in an API version."""
        first, last = self.kind_versions.get(kind, (0.0, math.inf))
        return first <= float(version) <= min(last, self.newest_version)

    def listed(self, kind: str, folder: str, version: str) -> list[Component]:
        """What listMetadata gives; of a kind in folders only one folder's."""
        if float(version) > self.newest_version:
            return []
        if kind in self.unlisted_types:
            raise ApiError(
                "UNKNOWN_EXCEPTION", "UNKNOWN_EXCEPTION: An unexpected error occurred.", 500
            )
        if kind in FOLDER_KINDS:
            of = FOLDER_KINDS[kind]
            return [c for c in self.components.values() if c.kind == of and "/" not in c.full_name]
        if kind not in BY_NAME or not self.knows(kind, version):
            raise ApiError("INVALID_TYPE", f"Unknown type name '{kind}' specified", 500)
        if BY_NAME[kind].in_folder and not folder:
            return []
        return [
            c
            for c in self.components.values()
            if c.kind == kind
            and c.is_listed
            and (not folder or c.full_name.startswith(f"{folder}/"))
        ]

    def start(self, types: list[tuple[str, list[str]]], version: str) -> str:
        """A new retrieve; its Id."""
        with self._lock:
            self._number += 1
            job = Retrieve(f"09S{self._number:015d}", types, version, self.polls)
            self._jobs[job.id] = job
            return job.id

    def check(self, job_id: str, *, with_zip: bool) -> Result | None:
        """
        The result, None while it is in work. It is gone once it was fetched.

        Raises:
            RetrieveFailed: the whole retrieve failed.
            ApiError: INVALID_LOCATOR: there is no such result any more.
        """
        with self._lock:
            job = self._jobs.get(job_id)
            if job is not None and job.polls_left > 0:
                job.polls_left -= 1
                return None
            if self.lost_results > 0:
                self.lost_results -= 1
                self._jobs.pop(job_id, None)
                job = None
            if job is None:
                raise ApiError("INVALID_LOCATOR", "Retrieve result has been deleted.", 500)
            try:
                result = self._result(job)
            except RetrieveFailed:
                self._jobs.pop(job_id)
                raise
            if with_zip:
                self._jobs.pop(job_id)
            return result

    def _result(self, job: Retrieve) -> Result:
        for kind, _ in job.types:
            if self.broken_types.get(kind, 0) > 0:
                self.broken_types[kind] -= 1
                # It does not say which.
                raise RetrieveFailed(
                    "UNKNOWN_EXCEPTION", "UNKNOWN_EXCEPTION: An unexpected error occurred."
                )
        found: dict[tuple[str, str], Component] = {}
        messages = []
        for kind, members in job.types:
            for member in members:
                some = self._members(kind, member) if self.knows(kind, job.version) else []
                found |= {(c.kind, c.full_name): c for c in some}
                is_known = float(job.version) <= self.newest_version
                if not some and member != "*" and is_known:
                    problem = f"Entity of type '{kind}' named '{member}' cannot be found"
                    messages.append(("unpackaged/package.xml", problem))
        files: dict[str, bytes] = {}
        for component in found.values():
            files |= _with_profile(component, found)
        if len(files) > self.max_files:
            raise RetrieveFailed(
                "LIMIT_EXCEEDED",
                f"LIMIT_EXCEEDED: Too many files in retrieve call, limit is: {self.max_files}",
            )
        files["package.xml"] = package_xml(job.types, job.version)
        return Result(
            list(found.values()),
            messages,
            archive({f"unpackaged/{k}": v for k, v in files.items()}),
        )

    def _members(self, kind: str, member: str) -> list[Component]:
        if member == "*":
            if kind in NO_WILDCARD:
                return []
            # The wildcard leaves standard objects out, without a word.
            return [
                c
                for c in self.components.values()
                if c.kind == kind and (kind != "CustomObject" or c.full_name.endswith("__c"))
            ]
        return [
            c
            for c in self.components.values()
            if c.kind == kind and member == (c.wanted_as or c.full_name)
        ]


def _with_profile(
    component: Component, found: Mapping[tuple[str, str], Component]
) -> Mapping[str, bytes]:
    """A profile says only what belongs to components of the same request."""
    if not component.speaks_of:
        return component.files
    inner = "".join(text for key, text in component.speaks_of.items() if key in found)
    return {component.main_file: xml("Profile", inner + tag("custom", "false"))}


def package_xml(types: Iterable[tuple[str, list[str]]], version: str) -> bytes:
    inner = ""
    for kind, members in types:
        lines = "".join(f"    {tag('members', m)}" for m in members)
        inner += f"    <types>\n{lines}    {tag('name', kind)}    </types>\n"
    return xml("Package", inner + tag("version", version))


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip as the org makes it."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path, content in files.items():
            zipped.writestr(path, content)
    return sink.getvalue()
