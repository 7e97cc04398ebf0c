"""What the store has complete of an object before a snapshot: where an incremental reading starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sfnb.errors import StoreError
from sfnb.model import ObjectState
from sfnb.store.files import Files
from sfnb.store.manifest import (
    SNAPSHOT_ID,
    Manifest,
    ObjectEntry,
    compute_manifest,
    read_manifest,
    read_plan,
)
from sfnb.store.paths import plan_path
from sfnb.store.place import RECORDS_FORMAT


@dataclass(frozen=True, slots=True)
class Base:
    """
    What the store has complete of an object before a snapshot.

    Args:
        snapshot: the newest older snapshot that has it complete.
        watermark: what the org has changed since then is not known; None: it has no stamps.
        rows, deleted: records alive, and in the recycle bin.
        key: the field that tells its rows apart; None: no field does, so it can only be read in
            full.
        ids_digest: of all its Ids, see ``keys``.
        schema: the snapshot whose schema file has its columns.
        full_at, sweep_at, refreshed_at: when all rows were last read, all Ids compared, all
            computed fields read (ISO).
    """

    snapshot: str
    watermark: str | None
    rows: int
    deleted: int
    key: str | None
    ids_digest: str
    schema: str
    full_at: str
    sweep_at: str | None
    refreshed_at: str | None

    @classmethod
    def of(cls, snapshot: str, entry: ObjectEntry) -> Base:
        return cls(
            snapshot,
            entry.watermark,
            entry.rows,
            entry.deleted,
            entry.key,
            entry.ids_digest,
            entry.unchanged_since or snapshot,
            entry.full_at,
            entry.sweep_at,
            entry.refreshed_at,
        )


@dataclass(frozen=True, slots=True)
class Unchanged:
    """
    What the org said of an object that has not changed.

    Args:
        watermark: what it has changed since then is not known.
        org_count: its rows, recycle bin included; None: it gave no number.
        is_swept: all Ids were compared.
    """

    watermark: str | None = None
    org_count: int | None = None
    is_swept_at: str | None = None


class Bases:
    """
    The bases of one snapshot's objects. Snapshots are read newest first, only as far as needed.

    A snapshot that cannot be read is passed over: an older base costs calls and loses nothing, and
    `verify` names the damage.
    """

    def __init__(self, files: Files, snapshot: str) -> None:
        self._files = files
        names = files.names("snapshots", folders=True)
        self._left = [n for n in names if SNAPSHOT_ID.fullmatch(n) and n < snapshot]
        self._found: dict[str, tuple[str, ObjectEntry]] = {}

    def entry(self, object_name: str) -> tuple[str, ObjectEntry] | None:
        """The newest older snapshot that has the object complete, and its entry there."""
        while object_name not in self._found and self._left:
            snapshot = self._left.pop()
            manifest = self._manifest(snapshot)
            if manifest is None or manifest.format < RECORDS_FORMAT:
                continue
            for name, entry in manifest.objects.items():
                if entry.state is ObjectState.COMPLETE:
                    self._found.setdefault(name, (snapshot, entry))
        return self._found.get(object_name)

    def get(self, object_name: str) -> Base | None:
        """What is complete of an object; None: read it in full."""
        found = self.entry(object_name)
        return Base.of(*found) if found else None

    def _manifest(self, snapshot: str) -> Manifest | None:
        try:
            sealed = read_manifest(self._files, snapshot)
            if sealed is not None or not self._files.has(plan_path(snapshot)):
                return sealed
            return compute_manifest(self._files, read_plan(self._files, snapshot))
        except StoreError:
            return None


def unchanged_entry(snapshot: str, entry: ObjectEntry, said: Unchanged) -> ObjectEntry:
    """The line of an object that has not changed since a snapshot that has it complete."""
    return replace(
        entry,
        parts=0,
        bytes=0,
        added=0,
        changed=0,
        ended=0,
        before=snapshot,
        message=None,
        watermark=said.watermark or entry.watermark,
        org_count=said.org_count,
        sweep_at=said.is_swept_at or entry.sweep_at,
        unchanged_since=entry.unchanged_since or snapshot,
    )
