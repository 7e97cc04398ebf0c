"""
Whether a store still is what was written: every log, part, plan, schema and manifest is read and
compared.

Each thing is vouched for by another: a part by its commit (size, SHA-256, Ids), a commit by the
next one, the last commit by the manifest, schemas by commits and manifest, and the manifest's
existence by the state database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sfnb.errors import StoreError
from sfnb.store.archives import archive_folder
from sfnb.store.paths import records_path, table_path
from sfnb.store.pruned import PATH as PRUNED
from sfnb.store.pruned import read_pruned
from sfnb.store.tables import OrgStore
from sfnb.store.verify.bodies import check_bodies
from sfnb.store.verify.findings import DAMAGE, Expected, Finding, Kind
from sfnb.store.verify.metadata import check_metadata
from sfnb.store.verify.snapshots import SnapshotCheck
from sfnb.store.verify.states import check_states
from sfnb.store.verify.tables import Table, TableCheck

__all__ = ["DAMAGE", "Expected", "Finding", "Kind", "verify"]


def verify(
    store: OrgStore, expected: Iterable[Expected] = (), *, quick: bool = False
) -> list[Finding]:
    """
    Everything that is wrong, orphaned or unfinished in one org's store; empty when all is well.

    Damage never raises. A store that cannot be listed does (StoreError), and so does one that a
    newer sfnb wrote (NewerFormat).

    Args:
        expected: what the state database knows of snapshots. Without it, a snapshot that is gone
            without a trace is not missed, nor is the manifest of one.
        quick: logs, plans, schemas and manifests as ever, but of parts and bodies only whether they
            are there, with their size: content that changed within its size is not found.

    Cost: reads every byte once, and the Ids twice again, unless ``quick``; no calls.
    """
    files = store.files
    by_snapshot = {e.snapshot: e for e in expected}
    findings: list[Finding] = []
    tables: dict[str, Table] = {}
    whole: dict[str, Table] = {}
    indexes: Mapping[str, str] = {}
    for room in (table_path, records_path):
        for name in files.names(room("").rstrip("/"), folders=True):
            check = TableCheck(files, name, room(name), quick=quick)
            tables[room(name)] = check.run()
            findings += check.findings
            if not any(found.is_damage for found in check.findings):
                whole[room(name)] = check.table
    try:
        pruned = set(read_pruned(files))
    except StoreError as err:
        pruned = set()
        findings.append(Finding("damaged", str(err), path=PRUNED))
    # What a prune that was killed has left of a snapshot is no snapshot any more.
    present = files.names("snapshots", folders=True)
    for snapshot in sorted({*present, *by_snapshot} - pruned):
        known = by_snapshot.get(snapshot)
        one = SnapshotCheck(files, store.org_id, snapshot, tables, known)
        findings += one.run()
        # The newest seal vouches for all that were before it.
        indexes = indexes if one.indexes is None else one.indexes
    for folder, table in tables.items():
        name = folder.rpartition("/")[2]
        for snapshot, progress in table.progress.items():
            if snapshot not in {*present, *by_snapshot, *pruned}:
                message = f"rows of {name} belong to a snapshot whose folder is missing"
                records = progress.rows + progress.deleted
                findings.append(Finding("missing", message, snapshot, name, rows=records))
    if not quick:
        findings += check_states(files, whole)
    findings += check_bodies(files, indexes, quick=quick)
    findings += check_metadata(files, present, quick=quick)
    for snapshot in store.archives:
        folder = archive_folder(snapshot)
        findings += [
            replace(found, path=f"{folder}/{found.path}" if found.path else folder)
            for found in verify(store.archive(snapshot), quick=quick)
        ]
    return findings
