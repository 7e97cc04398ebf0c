"""Upgrades an org's store; see the package."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from sfnb.clock import Clock
from sfnb.errors import CallerError, JobError
from sfnb.file_lock import file_lock
from sfnb.model import ObjectState
from sfnb.store.formats import FORMAT
from sfnb.store.manifest import ObjectEntry, put_manifest
from sfnb.store.paths import plan_path, schema_folder
from sfnb.store.place import RECORDS_FORMAT
from sfnb.store.snapshots import Snapshot
from sfnb.store.tables import OrgStore
from sfnb.store.upgrade.replay import Replayer

LOCK_NAME = ".upgrade.lock"


@dataclass(frozen=True, slots=True)
class Upgraded:
    """
    What an upgrade did.

    Args:
        snapshots, objects: how many were rewritten; 0: everything was up to date.
        bytes_before, bytes_after: of the org's folder.
    """

    snapshots: int
    objects: int
    bytes_before: int
    bytes_after: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def upgrade(
    store: OrgStore,
    clock: Clock,
    *,
    has_ended: Callable[[str], bool] = lambda _job: False,
    said: Callable[[str], None] = lambda _text: None,
) -> Upgraded:
    """
    Rewrite the snapshots of formats 1 and 2 as record versions. Every snapshot reads as before, at
    any moment on the way.

    Needs room for the rewritten versions beside the old tables, which are removed at the end.

    Args:
        has_ended: whether a job can never be resumed. sfnb 0.1 did not always seal the snapshot of
            a cancelled job; such a one is sealed as partial.
        said: takes a line after each object.

    Raises:
        CallerError: a snapshot of an older format is not finished yet.
        StoreError: something cannot be read, or would read otherwise. The store is as before.
    """
    with ExitStack() as held:
        if store.files.local is not None:
            try:
                held.enter_context(
                    file_lock(store.files.local / LOCK_NAME, patience_s=0, clock=clock)
                )
            except JobError:
                raise CallerError("another process is upgrading this org's store.") from None
        return _upgrade(store, clock, has_ended, said)


def _upgrade(
    store: OrgStore,
    clock: Clock,
    has_ended: Callable[[str], bool],
    said: Callable[[str], None],
) -> Upgraded:
    before = _size(store)
    old = _old_snapshots(store, has_ended)
    by_object: dict[str, list[Snapshot]] = defaultdict(list)
    for snapshot in old:
        for name, entry in snapshot.manifest.objects.items():
            if entry.state is not ObjectState.UNTOUCHED:
                by_object[name].append(snapshot)
    replayers: dict[str, Replayer] = {}
    for name, snapshots in sorted(by_object.items()):
        replayers[name] = Replayer(store.files, name, snapshots, clock)
        replayers[name].run()
        said(f"{name}: {len(snapshots)} snapshots rewritten")
    for snapshot in old:
        _switch(store, snapshot, replayers)
    _follow(store)
    # Nothing reads them any more; a kill in between leaves some, which the next run removes.
    for name in store.files.names("tables", folders=True):
        store.files.delete_folder(f"tables/{name}")
    store.files.delete_folder("tables")
    return Upgraded(len(old), len(replayers), before, _size(store))


def _old_snapshots(store: OrgStore, has_ended: Callable[[str], bool]) -> list[Snapshot]:
    """
    The snapshots to rewrite, oldest first.

    Raises:
        CallerError: one of them is not finished.
    """
    found = [s for s in store.snapshots.values() if s.format < RECORDS_FORMAT]
    for snapshot in found:
        if snapshot.is_sealed:
            continue
        if not has_ended(snapshot.plan.job_id):
            raise CallerError(
                f"snapshot {snapshot.id} is not finished: resume or cancel its job "
                f"{snapshot.plan.job_id}, then upgrade again."
            )
        store.reopen(snapshot.id).seal("partial")
    return [store.snapshots[snapshot.id] for snapshot in found]


def _switch(store: OrgStore, snapshot: Snapshot, replayers: Mapping[str, Replayer]) -> None:
    """Exchange a snapshot's manifest: from then on it is read from the new tables."""
    manifest = snapshot.manifest
    entries: dict[str, ObjectEntry] = {}
    for name, entry in manifest.objects.items():
        is_stored = entry.state is not ObjectState.UNTOUCHED
        entries[name] = replayers[name].entry(snapshot) if is_stored else entry
    schemas = [n.removesuffix(".json") for n in store.files.names(schema_folder(snapshot.id))]
    switched = replace(manifest, objects=entries, schemas=schemas, format=FORMAT)
    put_manifest(store.files, switched)


def _follow(store: OrgStore) -> None:
    """Give the plans of snapshots that were switched, perhaps by a run that was killed, their number."""
    for snapshot in store.snapshots.values():
        if snapshot.format >= RECORDS_FORMAT > snapshot.plan.format:
            plan = replace(snapshot.plan, format=FORMAT)
            store.files.put_json(plan_path(snapshot.id), plan.as_json(), indent=1)


def _size(store: OrgStore) -> int:
    return sum(store.files.walk("").values())
