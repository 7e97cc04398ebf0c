"""
The manifest of a snapshot: what it holds. Written last; it is the seal. Beside it a summary of a few
numbers, so that a list of a year's snapshots need not read the lines of every object.

Plans, lines and the files of unchanged objects are had from here, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sfnb.errors import StoreError
from sfnb.model import ObjectState
from sfnb.store.entries import (
    ObjectEntry,
    digest,
    entry_from_json,
    object_entry,
    progress_of,
    watermark,
)
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT, OLDER, check_format
from sfnb.store.log import read_parts
from sfnb.store.parts import Part
from sfnb.store.paths import manifest_path, schema_folder, summary_path
from sfnb.store.place import place_of
from sfnb.store.plan import (
    OBJECT_NAME,
    SNAPSHOT_ID,
    SnapshotPlan,
    check_place,
    moment_of,
    new_snapshot_id,
    read_plan,
    without_checksum,
)
from sfnb.store.progress import NOTHING, Progress
from sfnb.store.schema import committed_after
from sfnb.store.unchanged import put_unchanged, read_unchanged

__all__ = [
    "OBJECT_NAME",
    "SNAPSHOT_ID",
    "Manifest",
    "ObjectEntry",
    "SnapshotPlan",
    "SnapshotState",
    "Summary",
    "compute_manifest",
    "digest",
    "entry_from_json",
    "moment_of",
    "new_snapshot_id",
    "object_entry",
    "progress_of",
    "put_first_manifest",
    "put_manifest",
    "put_unchanged",
    "read_committed",
    "read_manifest",
    "read_plan",
    "read_summary",
    "read_unchanged",
    "watermark",
]

SnapshotState = Literal["partial", "complete"]


@dataclass(frozen=True, slots=True)
class Summary:
    """
    A manifest without its lines.

    Args:
        objects, objects_complete: how many objects it has a line of, and how many are complete.
        rows, deleted: records alive, and in the recycle bin.
        bytes: what the snapshot has stored itself.
    """

    snapshot: str
    org: str
    org_id: str
    job_id: str
    kind: str
    state: SnapshotState
    created_at: datetime
    sealed_at: datetime | None
    objects: int
    objects_complete: int
    rows: int
    deleted: int
    bytes: int

    def as_json(self) -> dict[str, Any]:
        sealed_at = self.sealed_at.isoformat() if self.sealed_at else None
        content = asdict(self) | {"created_at": self.created_at.isoformat()}
        return {"format": FORMAT, **content, "sealed_at": sealed_at}


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    What a snapshot holds. ``sealed_at`` None: it may still grow; this was computed from plan and
    logs.

    Args:
        scope: as in the plan.
        schemas: the objects that have a schema file, touched or not. None in format 1.
        metadata_sha256: of the snapshot's ``metadata.json``; empty: it has none, or its seal does
            not say.
        indexes: by snapshot, SHA-256 of the index of bodies that it wrote: all there are up to this
            one. None: this seal does not say.
    """

    snapshot: str
    org: str
    org_id: str
    job_id: str
    kind: str
    state: SnapshotState
    created_at: datetime
    sealed_at: datetime | None
    objects: Mapping[str, ObjectEntry]
    left_out: Mapping[str, str]
    notes: Sequence[str]
    api_version: str = ""
    sfnb: str = ""
    format: int = FORMAT
    scope: str = ""
    schemas: Sequence[str] | None = None
    metadata_sha256: str = ""
    indexes: Mapping[str, str] | None = None

    @property
    def summary(self) -> Summary:
        """The manifest without its lines."""
        entries = self.objects.values()
        return Summary(
            self.snapshot,
            self.org,
            self.org_id,
            self.job_id,
            self.kind,
            self.state,
            self.created_at,
            self.sealed_at,
            objects=len(entries),
            objects_complete=sum(e.state is ObjectState.COMPLETE for e in entries),
            rows=self.rows,
            deleted=sum(entry.deleted for entry in entries),
            bytes=self.bytes,
        )

    @property
    def rows(self) -> int:
        return sum(entry.rows for entry in self.objects.values())

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.objects.values())

    def as_stored(self) -> dict[str, Any]:
        """As it is on disk."""
        lines = {name: entry.as_line() for name, entry in self.objects.items()}
        return self.as_json() | {"objects": lines}

    def as_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "sfnb": self.sfnb,
            "snapshot": self.snapshot,
            "org": self.org,
            "org_id": self.org_id,
            "job_id": self.job_id,
            "kind": self.kind,
            "state": self.state,
            "api_version": self.api_version,
            "created_at": self.created_at.isoformat(),
            "sealed_at": self.sealed_at.isoformat() if self.sealed_at else None,
            "objects": {name: entry.as_json() for name, entry in self.objects.items()},
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            **({"scope": self.scope} if self.scope else {}),
            **({"schemas": list(self.schemas)} if self.schemas is not None else {}),
            **({"metadata_sha256": self.metadata_sha256} if self.metadata_sha256 else {}),
            **({"indexes": dict(self.indexes)} if self.indexes is not None else {}),
        }


def read_committed(
    files: Files, plan: SnapshotPlan, object_name: str
) -> tuple[Progress, list[Part]]:
    """
    How far an unsealed snapshot has come with an object, and its parts. Cost: schema file and the
    commits.
    """
    after = committed_after(files, plan.snapshot, object_name)
    if after is None:
        return NOTHING, []
    place = place_of(object_name, plan.snapshot, plan.format)
    return read_parts(files.below(place.folder), plan.snapshot, after=after)


def compute_manifest(
    files: Files,
    plan: SnapshotPlan,
    *,
    problems: Mapping[str, str] | None = None,
    left_out: Mapping[str, str] | None = None,
    sealed_at: datetime | None = None,
    claimed: SnapshotState = "complete",
) -> Manifest:
    """
    The manifest as plan and Delta logs have it now. ``complete`` only if every planned object is
    and none has a problem; never better than ``claimed``.

    Raises:
        StoreError: a log is damaged.
    """
    reasons = dict(problems or {})
    out = {**plan.left_out, **(left_out or {})}
    objects = {}
    unchanged = read_unchanged(files, plan)
    for name in plan.objects:
        if name in unchanged:
            objects[name] = unchanged[name]
            reasons.pop(name, None)
            continue
        progress, parts = read_committed(files, plan, name)
        if name in out and not parts:
            continue
        objects[name] = object_entry(progress, parts, reasons.pop(name, None))
    objects.update(
        {name: ObjectEntry(ObjectState.UNTOUCHED, message=why) for name, why in reasons.items()}
    )
    is_complete = claimed == "complete" and all(
        e.state is ObjectState.COMPLETE for e in objects.values()
    )
    return Manifest(
        snapshot=plan.snapshot,
        org=plan.org,
        org_id=plan.org_id,
        job_id=plan.job_id,
        kind=plan.kind,
        state="complete" if is_complete else "partial",
        created_at=plan.created_at,
        sealed_at=sealed_at,
        objects=objects,
        left_out={name: why for name, why in out.items() if name not in objects},
        notes=tuple(plan.notes),
        api_version=plan.api_version,
        sfnb=plan.sfnb,
        format=max(plan.format, OLDER),
        scope=plan.scope,
        schemas=[n.removesuffix(".json") for n in files.names(schema_folder(plan.snapshot))],
    )


def read_manifest(files: Files, snapshot: str) -> Manifest | None:
    """
    The seal of a snapshot, or None if it is not sealed.

    Raises:
        StoreError: it is damaged, or of a newer sfnb.
    """
    path = manifest_path(snapshot)
    content = files.read_json(path)
    if content is None:
        return None
    check_format(content, files.uri(path))
    try:
        values = without_checksum(content)
        values["created_at"] = datetime.fromisoformat(values["created_at"])
        values["notes"] = tuple(values["notes"])
        values["sealed_at"] = datetime.fromisoformat(values["sealed_at"])
        values["objects"] = {
            name: entry_from_json(entry) for name, entry in values["objects"].items()
        }
        manifest = Manifest(**values)
    except (TypeError, ValueError, KeyError, AttributeError) as err:
        raise StoreError(f"{files.uri(path)} is damaged: it is not a manifest.") from err
    check_place(manifest.snapshot, snapshot, files.uri(path))
    return manifest


def put_manifest(files: Files, manifest: Manifest) -> None:
    """
    Write a seal anew, and its summary after it. A kill in between leaves no summary, which is then
    taken from the seal.
    """
    path = summary_path(manifest.snapshot)
    files.delete(path)
    files.put_json(manifest_path(manifest.snapshot), manifest.as_stored())
    files.put_json(path, manifest.summary.as_json())


def put_first_manifest(files: Files, manifest: Manifest) -> bool:
    """Seal, with the summary after it. False: somebody else has sealed it, and that stands."""
    if not files.put_new_json(manifest_path(manifest.snapshot), manifest.as_stored()):
        return False
    files.put_json(summary_path(manifest.snapshot), manifest.summary.as_json())
    return True


def read_summary(files: Files, snapshot: str) -> Summary | None:
    """
    What a sealed snapshot's summary says; None: it has none, or it cannot be read, which `verify`
    names.
    """
    path = summary_path(snapshot)
    try:
        content = files.read_json(path)
        if content is None:
            return None
        check_format(content, files.uri(path))
        values = {k: v for k, v in without_checksum(content).items() if k != "format"}
        for name in ("created_at", "sealed_at"):
            values[name] = datetime.fromisoformat(values[name])
        return Summary(**values)
    except (StoreError, TypeError, ValueError, KeyError):
        return None
