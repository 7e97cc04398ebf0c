"""The objects of a restore, as the snapshot describes them and as the target does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sfnb.model import ObjectSchema
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse
from sfnb.org.describe import Described, fetch_schemas
from sfnb.org.prices import MAX_SUBREQUESTS
from sfnb.org.transport import call_context
from sfnb.restore.automation.listing import Early
from sfnb.restore.describes import WriteObject, write_object
from sfnb.restore.layouts import fetch_layouts, layout_requests, types_of
from sfnb.restore.present import PresentReader
from sfnb.store.snapshots import Snapshot


class Objects:
    """
    Both ends' describes, each read once.

    Args:
        match_types: told of each object's describes, where the target is another org.
        has_early: lists of automation ride in the first call.

    Attributes:
        targets, schemas: the target's describes of objects that can be written.
        early: lists of automation that came along with the first describes.
    """

    def __init__(
        self,
        client: OrgClient,
        snapshot: Snapshot,
        reader: PresentReader,
        match_types: Callable[[WriteObject, WriteObject], None] | None = None,
        *,
        has_early: bool = False,
    ) -> None:
        self._client = client
        self._snapshot = snapshot
        self._reader = reader
        self._match_types = match_types
        self._has_early = has_early
        self._sources: dict[str, WriteObject] = {}
        self.targets: dict[str, WriteObject] = {}
        self.schemas: dict[str, ObjectSchema] = {}
        self.early: Early | None = None

    def source(self, name: str, snapshot: Snapshot | None = None) -> WriteObject:
        """An object's describe when it was backed up; ``snapshot``: of another one that has it."""
        if name not in self._sources:
            self._sources[name] = write_object((snapshot or self._snapshot).describe(name))
        return self._sources[name]

    def complete(self) -> dict[str, WriteObject]:
        """The snapshot's complete objects that somebody can write."""
        return {
            name: self.source(name)
            for name, entry in self._snapshot.manifest.objects.items()
            if entry.state == "complete" and self.source(name).is_writable
        }

    def describe(self, names: Sequence[str]) -> None:
        """The target's describes of objects that can be written at all. Cost: 1 call for 25."""
        reader = self._reader
        wanted = [n for n in names if n not in self.targets and self.source(n).is_writable]
        with call_context(job_id=reader.job_id, stop=reader.stop, on_call=reader.count):
            found, types = self._described(wanted)
        for name, schema in found.items():
            if isinstance(schema, ObjectSchema):
                self.schemas[name] = schema
                by_type = types_of(name, types.get(name))
                self.targets[name] = replace(write_object(schema.raw), by_type=by_type)
                if self._match_types is not None:
                    self._match_types(self.source(name), self.targets[name])

    def _described(
        self, names: Sequence[str]
    ) -> tuple[dict[str, Described], dict[str, SubResponse | None]]:
        """Describes, and layouts where record types matter; with the first ones lists of automation."""
        client = self._client
        along: list[SubRequest] = []
        if self.early is None and self._has_early:
            self.early = Early.of(client, names)
            along = self.early.parts
        typed = [name for name in names if self.source(name).has_typed_picklists]
        layouts = layout_requests(client, typed)
        is_room = len(names) + len(along) + len(layouts) <= MAX_SUBREQUESTS
        riding = layouts if is_room else []
        answers: list[SubResponse] = []
        found = fetch_schemas(client, names, along=[*along, *riding], answers=answers)
        layout_answers: Sequence[SubResponse | None] = answers[len(along) :]
        if along and self.early is not None:
            self.early.answers += answers[: len(along)]
        if layouts and not riding:
            layout_answers = fetch_layouts(client, layouts)
        return found, dict(zip(typed, layout_answers, strict=False))

    def describe_of(self, name: str) -> Mapping[str, Any]:
        """The target's describe answer."""
        return self.schemas[name].raw
