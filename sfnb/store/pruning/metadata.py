"""What the snapshots that stay need of the org's metadata."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sfnb.store.files import TEMPORARY, Files
from sfnb.store.manifest import read_manifest
from sfnb.store.metadata.packs import PACKS, pack_path
from sfnb.store.metadata.record import (
    MetadataRecord,
    latest_record,
    put_record,
    read_pieces,
    read_record_at,
    record_path,
)
from sfnb.store.snapshots import Snapshots


@dataclass(frozen=True)
class MetadataPlan:
    """
    Args:
        records: by snapshot that stays and had the metadata of one that goes, its own record of it.
        needed: snapshots whose record is needed, whether they stay or not.
        gone: paths of packs that nothing needs.
    """

    records: Mapping[str, MetadataRecord]
    needed: frozenset[str]
    gone: tuple[str, ...]


def plan_metadata(files: Files, staying: Collection[str], *, is_quiet: bool) -> MetadataPlan:
    """
    What to do so that each snapshot that stays has the metadata that it has now.

    Args:
        is_quiet: no job is running that may be writing a pack.

    Raises:
        StoreError: a record is damaged.
    """
    every = list(Snapshots(files))
    own: dict[str, MetadataRecord] = {}
    new: dict[str, MetadataRecord] = {}
    needed = set(staying)
    packs: set[str] = set()
    for snapshot in sorted(staying):
        record = read_record_at(files, record_path(snapshot), snapshot)
        if record is None and read_manifest(files, snapshot) is not None:
            older = latest_record(files, [one for one in every if one <= snapshot])
            if older is not None and older.snapshot not in staying:
                record = MetadataRecord(
                    snapshot,
                    older.taken_at,
                    older.api_version,
                    listing=older.listing,
                    unchanged_since=older.unchanged_since or older.snapshot,
                )
                new[snapshot] = record
        if record is not None:
            own[snapshot] = record
            needed.add(record.unchanged_since or snapshot)
    for snapshot in needed:
        record = read_record_at(files, record_path(snapshot), snapshot)
        pieces = read_pieces(files, snapshot)
        for one in [*([record] if record else []), *pieces]:
            stored = [*one.files.values(), *(v for some in one.variants.values() for v in some)]
            packs |= {pack_path(file.pack) for file in stored}
    there = {pack_path(name) for name in files.names(PACKS) if not name.startswith(TEMPORARY)}
    gone = tuple(sorted(there - packs)) if is_quiet else ()
    return MetadataPlan(new, frozenset(needed), gone)


def put_records(files: Files, plan: MetadataPlan) -> None:
    """Give those their own record that had that of a snapshot which goes."""
    for record in plan.records.values():
        put_record(files, record)
