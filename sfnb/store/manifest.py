"""The plan of a snapshot (what it is meant to hold) and its manifest (what it holds)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sfnb.errors import CallerError, StoreError
from sfnb.model import ObjectState
from sfnb.store.files import TEMPORARY, Files
from sfnb.store.formats import FORMAT, OLDER, check_format
from sfnb.store.held import Mode
from sfnb.store.log import NOTHING, Progress, read_parts
from sfnb.store.parts import Part
from sfnb.store.paths import manifest_path, plan_path, schema_folder, unchanged_folder
from sfnb.store.place import RECORDS_FORMAT, place_of
from sfnb.store.schema import committed_after
from sfnb.version import __version__

SnapshotState = Literal["partial", "complete"]

SNAPSHOT_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
OBJECT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")


STAMP = "%Y%m%dT%H%M%SZ"


def new_snapshot_id(at: datetime, newest: str = "") -> str:
    """
    ``20261122T043812Z-1a2b3c``: ids sort by creation, also after a clock was put back.

    Args:
        newest: the newest id so far; the new one sorts after it.
    """
    moment = at.astimezone(UTC)
    if newest[:16] >= f"{moment:{STAMP}}":
        moment = moment_of(newest) + timedelta(seconds=1)
    return f"{moment:{STAMP}}-{secrets.token_hex(3)}"


def moment_of(snapshot: str) -> datetime:
    """When a snapshot began, by its id (UTC, whole seconds)."""
    return datetime.strptime(snapshot[:16], STAMP).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """
    What a backup job is meant to store, and what it leaves out. Written first, never changed.

    Args:
        snapshot: see ``new_snapshot_id``.
        objects: by object, at least ``reader`` and ``expected_rows`` (None: unknown).
        left_out: by object, why it is not read.
        notes: sentences about the whole snapshot, such as that it has no bodies of files.
        catalogue: the org's objects and when it told of them, for the next backup; empty: not kept.
    """

    snapshot: str
    org: str
    org_id: str
    job_id: str
    created_at: datetime
    objects: Mapping[str, Mapping[str, Any]]
    kind: str = "full"
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    api_version: str = ""
    catalogue: Mapping[str, Any] = field(default_factory=dict)
    sfnb: str = __version__
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not SNAPSHOT_ID.fullmatch(self.snapshot):
            raise CallerError(
                f"{self.snapshot!r} is not a snapshot id; they look like 20261122T043812Z-1a2b3c."
            )
        # Names become folders.
        for name in self.objects:
            if not OBJECT_NAME.fullmatch(name):
                raise CallerError(f"{name!r} cannot be the name of a Salesforce object.")

    def as_json(self) -> dict[str, Any]:
        content = asdict(self)
        content["created_at"] = self.created_at.isoformat()
        content["notes"] = list(self.notes)
        return content


def _without_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key != "checksum"}


def read_plan(files: Files, snapshot: str) -> SnapshotPlan:
    """
    The plan of a snapshot.

    Raises:
        StoreError: it is missing, damaged, or of a newer sfnb.
    """
    path = plan_path(snapshot)
    content = files.read_json(path)
    if content is None:
        raise StoreError(
            f"{files.uri(path)} is missing: what the snapshot was meant to hold is no longer known."
        )
    check_format(content, files.uri(path))
    try:
        values = _without_checksum(content)
        values["created_at"] = datetime.fromisoformat(values["created_at"])
        values["notes"] = tuple(values["notes"])
        plan = SnapshotPlan(**values)
    except (TypeError, ValueError, KeyError, CallerError) as err:
        raise StoreError(f"{files.uri(path)} is damaged: it is not a plan.") from err
    _check_place(plan.snapshot, snapshot, files.uri(path))
    return plan


def _check_place(named: str, snapshot: str, what: str) -> None:
    """A file of another snapshot is whole, and wrong."""
    if named != snapshot:
        raise StoreError(f"{what} is damaged: it belongs to snapshot {named}.")


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """
    What a snapshot has of one object.

    Args:
        rows, deleted: live records, and those in the recycle bin.
        watermark: the SystemModstamp up to which a complete object is covered (ISO, UTC); None if
            it has no rows.
        digest: SHA-256 over the sorted SHA-256s of its parts.
        version: Delta version of its last commit; -1 before the first.
        message: why it is not complete, where that is known.
        org_count, our_count: rows as the org counts them (None: it gave no number) and as stored,
            recycle bin included.
        key: the field that tells its rows apart; None: no field does.
        ids_digest: of its Ids, whatever their order; see ``keys``.
        proof: how completeness was proven; empty while it is not complete, and in snapshots of
            format 1.
        commit_sha256: of the file of its last commit, which vouches for the one before it. Empty in
            format 1.
        unchanged_since: nothing has changed since this snapshot, whose commit and schema it has.
        mode, before, added, changed, ended, full_at, sweep_at, refreshed_at: see ``Held``.
    """

    state: ObjectState
    rows: int = 0
    deleted: int = 0
    parts: int = 0
    bytes: int = 0
    watermark: str | None = None
    digest: str = ""
    version: int = -1
    message: str | None = None
    org_count: int | None = None
    our_count: int | None = None
    key: str | None = None
    ids_digest: str = ""
    proof: str = ""
    commit_sha256: str = ""
    unchanged_since: str | None = None
    mode: Mode | None = None
    before: str | None = None
    added: int = 0
    changed: int = 0
    ended: int = 0
    full_at: str = ""
    sweep_at: str | None = None
    refreshed_at: str | None = None

    def as_json(self) -> dict[str, Any]:
        entry = asdict(self)
        if self.message is None:
            del entry["message"]
        if self.unchanged_since is None:
            del entry["unchanged_since"]
        if self.mode is None:
            for name in HELD:
                del entry[name]
        return entry


HELD = ("mode", "before", "added", "changed", "ended", "full_at", "sweep_at", "refreshed_at")
"""What an entry has of ``Held`` beside its counts, once the reading has ended; not in formats 1 and 2."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """
    What a snapshot holds. ``sealed_at`` None: it may still grow; this was computed from plan and
    logs.

    Args:
        schemas: the objects that have a schema file, touched or not. None in format 1.
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
    schemas: Sequence[str] | None = None

    @property
    def rows(self) -> int:
        return sum(entry.rows for entry in self.objects.values())

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.objects.values())

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
            **({"schemas": list(self.schemas)} if self.schemas is not None else {}),
        }


def digest(parts: Sequence[Part]) -> str:
    """
    SHA-256 over the sorted digests of the parts; the same rows in the same files give the same, in
    any order.
    """
    return hashlib.sha256("\n".join(sorted(part.sha256 for part in parts)).encode()).hexdigest()


def watermark(progress: Progress) -> str | None:
    """
    The newest SystemModstamp stored, but not later than the moment the object's reading began: a
    record that changed while it was read may have been stored in its older version.
    """
    began = (progress.cursor or {}).get("started_at")
    stamps = [stamp for stamp in (progress.max_modstamp, began) if stamp]
    return min(stamps, key=datetime.fromisoformat) if progress.max_modstamp else None


def object_entry(progress: Progress, parts: Sequence[Part], message: str | None) -> ObjectEntry:
    """One line of a manifest. Pure."""
    if progress.number == 0:
        return ObjectEntry(ObjectState.UNTOUCHED, message=message)
    proof = progress.proof
    is_complete = progress.is_done and not (proof and proof.problem)
    entry = ObjectEntry(
        state=ObjectState.COMPLETE if is_complete else ObjectState.PARTIAL,
        rows=progress.rows,
        deleted=progress.deleted,
        parts=progress.parts,
        bytes=progress.size_bytes,
        watermark=watermark(progress) if is_complete else None,
        digest=digest(parts),
        version=progress.version,
        message=message,
        commit_sha256=progress.file_sha256,
    )
    if (held := progress.held) is not None:
        known = {name: getattr(held, name) for name in HELD}
        entry = replace(entry, watermark=held.watermark, **known)
    if proof is None:
        return entry
    return replace(
        entry,
        message=message or proof.problem or None,
        org_count=proof.org_count,
        our_count=proof.rows,
        key=proof.key,
        ids_digest=proof.digest,
        proof=proof.basis if is_complete else "",
    )


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


def progress_of(entry: ObjectEntry) -> Progress:
    """The progress of an object that has not changed."""
    return Progress(
        rows=entry.rows,
        deleted=entry.deleted,
        is_done=True,
        number=1,
        version=entry.version,
        file_sha256=entry.commit_sha256,
    )


def entry_from_json(content: Mapping[str, Any]) -> ObjectEntry:
    return ObjectEntry(**{**content, "state": ObjectState(content["state"])})


def put_unchanged(files: Files, snapshot: str, entries: Mapping[str, ObjectEntry]) -> None:
    """Note objects that have not changed: one file for all of them, whole or not at all."""
    folder = unchanged_folder(snapshot)
    number = int(max(files.names(folder), default="00000000")[:8]) + 1
    content = {
        "format": FORMAT,
        "snapshot": snapshot,
        "objects": {name: entry.as_json() for name, entry in entries.items()},
    }
    files.put_json(f"{folder}/{number:08d}.json", content)


def read_unchanged(files: Files, plan: SnapshotPlan) -> dict[str, ObjectEntry]:
    """
    The objects of an unsealed snapshot that were found not to have changed.

    Raises:
        StoreError: a file is damaged.
    """
    found: dict[str, ObjectEntry] = {}
    if plan.format < RECORDS_FORMAT:
        return found
    folder = unchanged_folder(plan.snapshot)
    for file in files.names(folder):
        path = f"{folder}/{file}"
        if file.startswith(TEMPORARY) or (content := files.read_json(path)) is None:
            continue
        check_format(content, files.uri(path))
        _check_place(content.get("snapshot", ""), plan.snapshot, files.uri(path))
        try:
            objects = content["objects"].items()
            found |= {name: entry_from_json(entry) for name, entry in objects}
        except (TypeError, ValueError, KeyError, AttributeError) as err:
            raise StoreError(f"{files.uri(path)} is damaged: it is no list of objects.") from err
    return found


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
        values = _without_checksum(content)
        values["created_at"] = datetime.fromisoformat(values["created_at"])
        values["notes"] = tuple(values["notes"])
        values["sealed_at"] = datetime.fromisoformat(values["sealed_at"])
        values["objects"] = {
            name: entry_from_json(entry) for name, entry in values["objects"].items()
        }
        manifest = Manifest(**values)
    except (TypeError, ValueError, KeyError, AttributeError) as err:
        raise StoreError(f"{files.uri(path)} is damaged: it is not a manifest.") from err
    _check_place(manifest.snapshot, snapshot, files.uri(path))
    return manifest
