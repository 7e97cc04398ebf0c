"""What the seals say once records were erased."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sfnb.store.commits import Commit
from sfnb.store.entries import ObjectEntry, object_entry
from sfnb.store.files import Files
from sfnb.store.formats import RESTATED
from sfnb.store.manifest import put_manifest, read_manifest
from sfnb.store.paths import records_path, unchanged_folder
from sfnb.store.plan import SnapshotPlan, read_plan
from sfnb.store.restating.readings import readings_of
from sfnb.store.snapshots import Snapshots
from sfnb.store.unchanged import read_unchanged, replace_unchanged


def restate_manifests(files: Files, objects: Mapping[str, object]) -> list[str]:
    """
    Bring every seal, and what a growing snapshot noted as unchanged, in line with what the tables of
    some objects say now; those that were changed. It can be repeated.

    Raises:
        StoreError: a manifest is damaged.
    """
    readings = {
        name: {r.snapshot: r for r in readings_of(files.below(records_path(name)))}
        for name in objects
    }
    changed = []
    for snapshot in Snapshots(files):
        manifest = read_manifest(files, snapshot)
        if manifest is None:
            _restate_unchanged(files, read_plan(files, snapshot), readings)
            continue
        new = {
            name: _entry(entry, readings[name], snapshot) if name in readings else entry
            for name, entry in manifest.objects.items()
        }
        if new != dict(manifest.objects):
            put_manifest(files, replace(manifest, objects=new, format=RESTATED))
            changed.append(snapshot)
    return changed


def _entry(entry: ObjectEntry, readings: Mapping[str, Commit], snapshot: str) -> ObjectEntry:
    reading = readings.get(entry.unchanged_since or snapshot)
    if reading is None:
        return entry
    now = object_entry(reading.progress, reading.parts, entry.message)
    if entry.unchanged_since is None:
        return now
    return replace(
        entry,
        rows=now.rows,
        deleted=now.deleted,
        our_count=now.our_count,
        ids_digest=now.ids_digest,
        digest=now.digest,
        erased=now.erased,
    )


def _restate_unchanged(
    files: Files, plan: SnapshotPlan, readings: Mapping[str, Mapping[str, Commit]]
) -> None:
    before = read_unchanged(files, plan)
    new = {n: _entry(e, readings[n], plan.snapshot) for n, e in before.items() if n in readings}
    if any(new[name] != before[name] for name in new):
        replace_unchanged(files, plan.snapshot, {**before, **new}, unchanged_folder(plan.snapshot))
