"""What snapshots say of one record: read from record versions, and from whole snapshots of formats 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from sfnb.model import ObjectState
from sfnb.store.columns import DELETE, FROM, HARD_DELETE, OP, UPSERT
from sfnb.store.compaction.catalog import read_catalog
from sfnb.store.compaction.ends import eras_of
from sfnb.store.files import Files
from sfnb.store.older.rows import Rows
from sfnb.store.parts import text_array
from sfnb.store.paths import records_path
from sfnb.store.place import RECORDS_FORMAT
from sfnb.store.proof import ID
from sfnb.store.snapshots import Snapshot, Snapshots
from sfnb.store.states.files import read_pieces
from sfnb.store.states.reading import files_of
from sfnb.store.states.records import value_of
from sfnb.store.translating import translated

ABSENT: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    What one snapshot says of a record.

    Args:
        op: ``upsert``, ``delete`` (in the recycle bin) or ``hard_delete`` (gone, by proof).
        values: its fields; empty when it is gone.
    """

    snapshot: str
    op: str
    values: Mapping[str, Any]


def sightings(
    files: Files, snapshots: Snapshots, object_name: str, record_id: str
) -> Iterator[Sighting]:
    """
    What the snapshots say of a record, oldest first. One that says the same as the one before may
    be left out.
    """
    for snapshot in snapshots.values():
        # Snapshots of older formats are the oldest ones.
        if snapshot.format >= RECORDS_FORMAT:
            break
        if seen := _seen_in(snapshot, object_name, record_id):
            yield seen
    for name in files.names("records", folders=True):
        if name.lower() == object_name.lower():
            yield from _versions(files, snapshots, name, record_id)


def _seen_in(snapshot: Snapshot, object_name: str, record_id: str) -> Sighting | None:
    """What a snapshot of format 1 or 2 says; None: nothing, as it was not read to the end."""
    if snapshot.state_of(object_name) in (None, ObjectState.UNTOUCHED):
        return None
    rows = snapshot.rows(object_name)
    found = rows.one(record_id) if isinstance(rows, Rows) else None
    if found:
        return Sighting(snapshot.id, *found)
    # Absence proves something only where everything was read.
    return Sighting(snapshot.id, HARD_DELETE, ABSENT) if snapshot.is_complete(object_name) else None


@dataclass(frozen=True, slots=True)
class _Row:
    """Where a version of the record is."""

    snapshot: str
    op: str
    path: str
    group: int
    number: int


def _versions(files: Files, snapshots: Snapshots, name: str, record_id: str) -> Iterator[Sighting]:
    table = files.below(records_path(name))
    found = [row for file in files_of(files, name) for row in _rows(table, file.path, record_id)]
    found.sort(key=lambda row: row.snapshot)
    begins = [era.begins for era in eras_of(read_catalog(table).settled, ID)[1:]]
    is_alive = False
    there = list(snapshots)
    for brought in found:
        # A version that a pruned snapshot brought is in those that came after it.
        shown = next((s for s in there if s >= brought.snapshot), brought.snapshot)
        row = replace(brought, snapshot=shown)
        # A record that a new beginning does not have is gone: nothing older counts from there on.
        for moment in [b for b in begins if b < row.snapshot]:
            if is_alive:
                yield Sighting(moment, HARD_DELETE, ABSENT)
            begins.remove(moment)
            is_alive = False
        if row.snapshot in begins:
            begins.remove(row.snapshot)
        is_alive = row.op != HARD_DELETE
        values = _values(table, snapshots[row.snapshot], name, row) if is_alive else ABSENT
        yield Sighting(row.snapshot, row.op, values)
    if is_alive and begins:
        yield Sighting(begins[0], HARD_DELETE, ABSENT)


def _rows(table: Files, path: str, record_id: str) -> Iterator[_Row]:
    """The rows of a file that have an Id. Row groups whose statistics exclude it are not read."""
    wanted = text_array([record_id])
    for group in _groups(table, path, record_id):
        begin: int | None = None
        for piece in read_pieces(table, path, {ID, OP, FROM}, groups=[group]):
            begin = piece.first if begin is None else begin
            batch = piece.batch
            if ID not in batch.schema.names:
                return
            flags = pc.is_in(batch.column(ID), value_set=wanted)
            for place in pc.indices_nonzero(flags).to_pylist():
                snapshot, op = (batch.column(c)[place].as_py() for c in (FROM, OP))
                known = op if op in (DELETE, HARD_DELETE) else UPSERT
                yield _Row(snapshot, known, path, group, piece.first - begin + place)


def _groups(table: Files, path: str, record_id: str) -> list[int]:
    with (
        translated(f"read {table.uri(path)}"),
        table.open_input(path) as source,
        pq.ParquetFile(source) as file,
    ):
        names = [file.metadata.schema.column(n).name for n in range(file.metadata.num_columns)]
        if ID not in names:
            return []
        found = []
        for number in range(file.metadata.num_row_groups):
            known = file.metadata.row_group(number).column(names.index(ID)).statistics
            has_span = known is not None and known.has_min_max
            if not has_span or known.min <= record_id <= known.max:
                found.append(number)
        return found


def _values(table: Files, snapshot: Snapshot, name: str, row: _Row) -> dict[str, Any]:
    """The fields of a version, under the names and types of the snapshot that brought it."""
    sources = snapshot.sources(name)
    columns = {column for source in sources for column, _ in source.columns}
    passed = 0
    for piece in read_pieces(table, row.path, columns, groups=[row.group]):
        if row.number < passed + piece.batch.num_rows:
            one = piece.batch.slice(row.number - passed, 1)
            return {source.field: value_of(one, source)[0].as_py() for source in sources}
        passed += piece.batch.num_rows
    raise AssertionError("unreachable: the row was found in this group")
