"""
One object in two snapshots: how many records were added, changed and deleted, and each change.

Two passes. The first reads both states and keeps of each record its key and a hash of the compared
fields, in DuckDB; the second fetches the changed records alone, and cuts them into slices by Id that
are compared one after the other. So memory stays flat, whatever the number of records or changes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import StoreError
from sfnb.model import ObjectState
from sfnb.store.columns import TYPES
from sfnb.store.history.fields import FieldPairs, SchemaChange
from sfnb.store.history.lines import differing, lines_of
from sfnb.store.history.scratch import scratch
from sfnb.store.history.slices import PLACE, Slices, Wanted, with_numbers
from sfnb.store.text import NO_TEXT, as_text
from sfnb.store.translating import translated

if TYPE_CHECKING:
    import duckdb

    from sfnb.store.views import Rows

SLICE_BYTES = 4 << 20
"""Changed records are compared field by field in slices of about this size of one side's values."""

SLICE_ROWS = 1 << 11
"""At most so many at a time: each may become a line for each of its fields."""

MASTER = "MasterRecordId"
"""The record that a record in the recycle bin was merged into (Account, Contact, Lead, Case)."""


@dataclass(frozen=True, slots=True)
class ObjectDiff:
    """
    What became of one object's live records between two snapshots.

    Args:
        added: live in the newer snapshot only; ``undeleted`` of them were in the recycle bin.
        deleted: live in the older snapshot only; ``merged`` of them were merged into another.
        fields: by field, in how many of the ``changed`` records it differs.
        schema: what changed of the fields themselves.
        notes: sentences on what could not be compared.
    """

    name: str
    added: int = 0
    changed: int = 0
    deleted: int = 0
    undeleted: int = 0
    merged: int = 0
    fields: Mapping[str, int] = field(default_factory=dict)
    schema: Sequence[SchemaChange] = ()
    notes: Sequence[str] = ()

    @property
    def is_same(self) -> bool:
        """No record differs."""
        return not (self.added or self.changed or self.deleted)


@dataclass(frozen=True)
class Side:
    """One snapshot's state of the object."""

    snapshot: str
    state: ObjectState
    rows: Rows


class Comparison:
    """
    An object in two snapshots, compared when the block begins. Keeps a temporary file while it is
    open.

    Args:
        key: the field that tells records apart; None: no field does, so whole rows are compared.
    """

    def __init__(self, old: Side, new: Side, pairs: FieldPairs, key: str | None) -> None:
        self._old, self._new, self._key = old, new, key
        self._pairs = pairs
        self._open = ExitStack()

    def __enter__(self) -> Comparison:
        self._connection: duckdb.DuckDBPyConnection = self._open.enter_context(scratch())
        self._slices: tuple[Slices, ...] = ()
        try:
            self.diff = self._by_key() if self._key else self._by_row()
        except BaseException:
            self._open.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *exc: Any) -> None:
        self._open.__exit__(*exc)

    # -- records that a key tells apart --------------------------------------------------------------------------------

    def _by_key(self) -> ObjectDiff:
        digest = _digest([f"c{n}" for n in range(len(self._pairs.compared))])
        for side in (self._old, self._new):
            name = "old_keys" if side is self._old else "new_keys"
            self._load(
                f"create table {name} as select key, {digest} as digest, row from piece", side
            )
        self._run(
            "create table touched as select row_number() over (order by key) - 1 as place, * from "
            "(select coalesce(o.key, n.key) as key, "
            "case when o.key is null then 'added' when n.key is null then 'deleted' "
            "else 'changed' end as change, cast(null as varchar) as master, false as was_deleted, "
            "o.row as old_row, n.row as new_row "
            "from old_keys o full join new_keys n on o.key = n.key "
            "where o.key is null or n.key is null or o.digest <> n.digest)"
        )
        self._run("drop table old_keys")
        self._run("drop table new_keys")
        notes = self._without_proof()
        self._from_bin()
        counts = dict(self._all("select change, count(*) from touched group by change"))
        ((undeleted, merged),) = self._all(
            "select count(*) filter (was_deleted), count(master) from touched"
        )
        return ObjectDiff(
            self._new.rows.name,
            added=counts.get("added", 0),
            changed=counts.get("changed", 0),
            deleted=counts.get("deleted", 0),
            undeleted=undeleted,
            merged=merged,
            fields=self._field_counts(),
            schema=self._pairs.changes,
            notes=notes,
        )

    def _without_proof(self) -> tuple[str, ...]:
        """Forget what absence does not prove; what is said of it."""
        notes = []
        # Rule 2: what an unfinished reading does not have was not seen; it is not gone.
        for side, change, what in (
            (self._new, "deleted", "missing there are not counted as deleted"),
            (self._old, "added", "missing there are not counted as added"),
        ):
            if side.state is not ObjectState.COMPLETE:
                self._run(f"delete from touched where change = '{change}'")
                notes.append(f"It is not complete in {side.snapshot}: records {what}.")
        return tuple(notes)

    def _from_bin(self) -> None:
        """Which added records were undeleted, and into which the deleted ones were merged."""
        if self._count("added"):
            self._load_bin("old_bin", self._old)
            self._run(
                "update touched set was_deleted = true "
                "where change = 'added' and key in (select key from old_bin)"
            )
        if self._count("deleted") and MASTER in self._new.rows.columns.names:
            self._load_bin("new_bin", self._new)
            self._run(
                "update touched set master = b.master from new_bin b "
                "where touched.key = b.key and change = 'deleted'"
            )

    def _count(self, change: str) -> int:
        ((count,),) = self._all(f"select count(*) from touched where change = '{change}'")
        return int(count)

    def _field_counts(self) -> dict[str, int]:
        """By field, in how many changed records it differs. Cuts both sides' values into slices."""
        names = [compared.new for compared in self._pairs.compared]
        if not names or not self._count("changed"):
            return {}
        rows = SLICE_BYTES * self._rows // max(self._bytes, 1)
        self._in_slice = max(16, min(rows, SLICE_ROWS))
        with translated("compare"):
            folder = Path(self._open.enter_context(TemporaryDirectory(prefix="sfnb-scratch-")))
        self._slices = (
            self._sliced(self._old, folder / "old", "old_row"),
            self._sliced(self._new, folder / "new", "new_row"),
        )
        found = dict.fromkeys(names, 0)
        for number in range(self._slice_count()):
            old, new = self._values(number)
            for place, differs in differing(old, new, len(names)).items():
                found[names[place]] += pc.sum(differs).as_py()
        return {name: count for name, count in found.items() if count}

    def _sliced(self, side: Side, folder: Path, row: str) -> Slices:
        """The changed records' values, by the places of the records."""
        slices = Slices(folder, self._in_slice, self._schema)
        query = f"select {row}, place from touched where change = 'changed' order by 1"
        cursor = self._connection.cursor()
        try:
            wanted = Wanted(_batches(cursor, query, 1 << 16))
            for piece in self._pieces(side):
                slices.add(wanted.of_next(piece))
        finally:
            cursor.close()
        slices.flush()
        return slices

    def _slice_count(self) -> int:
        ((last,),) = self._all("select coalesce(max(place), -1) from touched")
        return int(last) // self._in_slice + 1

    def _values(self, number: int) -> tuple[pa.Table, pa.Table]:
        """Both sides' values of the changed records of a slice."""
        old, new = (slices.read(number) for slices in self._slices)
        if not old.column("key").equals(new.column("key")):
            raise StoreError(f"{self._new.rows.name} was written to while it was compared.")
        return old.drop_columns(["key", PLACE]), new.drop_columns(["key", PLACE])

    # -- rows that no field tells apart --------------------------------------------------------------------------------

    def _by_row(self) -> ObjectDiff:
        digest = _digest([f"c{n}" for n in range(len(self._pairs.compared))])
        for side in (self._old, self._new):
            name = "old_keys" if side is self._old else "new_keys"
            self._load(
                f"create table {name} as select {digest} as digest, count(*) as rows "
                "from piece group by 1",
                side,
            )
        ((added, deleted),) = self._all(
            "select coalesce(sum(greatest(coalesce(n.rows, 0) - coalesce(o.rows, 0), 0)), 0), "
            "coalesce(sum(greatest(coalesce(o.rows, 0) - coalesce(n.rows, 0), 0)), 0) "
            "from old_keys o full join new_keys n on o.digest = n.digest"
        )
        self._run(
            "create table touched as select 0 as place, '' as key, change, cast(null as varchar) as master, "
            "false as was_deleted from (select 'added' as change, "
            f"unnest(range({int(added)})) union all select 'deleted', unnest(range({int(deleted)})))"
        )
        notes = self._without_proof()
        same = "No field tells its records apart: a changed one counts as deleted and added."
        return ObjectDiff(
            self._new.rows.name,
            added=self._count("added"),
            deleted=self._count("deleted"),
            schema=self._pairs.changes,
            notes=(same, *notes),
        )

    # -- each change ---------------------------------------------------------------------------------------------------

    def changes(self) -> Iterator[pa.RecordBatch]:
        """
        Each added or deleted record, and each changed field, with the columns of ``CHANGES``,
        ordered by Id and field. Values are text as in a CSV export; absent ones are null.
        """
        query = "select key, change, master from touched"
        if not self._slices:
            nothing = pa.Table.from_arrays([], names=[])
            for records in _batches(self._connection, f"{query} order by key", SLICE_ROWS):
                yield lines_of(records, nothing, nothing, ())
            return
        names = tuple(compared.new for compared in self._pairs.compared)
        for number in range(self._slice_count()):
            first = number * self._in_slice
            records = self._connection.sql(
                f"{query} where place between {first} and {first + self._in_slice - 1} order by place"
            ).to_arrow_table()
            if records.num_rows:
                old, new = self._values(number)
                (batch,) = records.combine_chunks().to_batches()
                yield lines_of(batch, old, new, names)

    # -- DuckDB --------------------------------------------------------------------------------------------------------

    def _run(self, query: str) -> None:
        self._connection.execute(query)

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query).fetchall()

    def _load(self, query: str, side: Side) -> None:
        """Run a query over ``piece``: the side's live records and their numbers."""

        def numbered() -> Iterator[pa.RecordBatch]:
            for piece in self._pieces(side):
                rows = range(self._rows, self._rows + piece.num_rows)
                self._rows += piece.num_rows
                self._bytes += piece.nbytes
                yield with_numbers(piece, "row", np.array(rows, np.int64))

        self._rows = self._bytes = 0
        schema = self._schema.append(pa.field("row", pa.int64()))
        self._stream(query, schema, numbered())

    @property
    def _schema(self) -> pa.Schema:
        fields = enumerate(self._pairs.compared)
        return pa.schema([("key", pa.string()), *((f"c{n}", TYPES[f.kind]) for n, f in fields)])

    def _pieces(self, side: Side) -> Iterator[pa.RecordBatch]:
        """The side's live records, as `_columns` has them: each time in the same order."""
        is_old = side is self._old
        fields = [(f.old if is_old else f.new, f.kind) for f in self._pairs.compared]
        key = _spelled(side.rows, self._key) if self._key else None
        for batch in side.rows.batches():
            yield _columns(batch, key, fields, self._schema)

    def _load_bin(self, table: str, side: Side) -> None:
        """The keys in a side's recycle bin, and the records that they were merged into."""
        schema = pa.schema([("key", pa.string()), ("master", pa.string())])
        key = _spelled(side.rows, self._key or "")
        has_master = MASTER in side.rows.columns.names
        names = [key, MASTER] if has_master else [key, key]

        def pieces() -> Iterator[pa.RecordBatch]:
            for batch in side.rows.recycle_bin(list(dict.fromkeys(names))):
                columns = [batch.column(name).cast(pa.string()) for name in names]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

        self._stream(f"create table {table} as from piece", schema, pieces())

    def _stream(self, query: str, schema: pa.Schema, pieces: Iterator[pa.RecordBatch]) -> None:
        self._connection.register("piece", pa.RecordBatchReader.from_batches(schema, pieces))
        try:
            self._connection.execute(query)
        finally:
            self._connection.unregister("piece")


def _batches(
    connection: duckdb.DuckDBPyConnection, query: str, rows: int
) -> Iterator[pa.RecordBatch]:
    """What a query gives, streamed; the connection does nothing else meanwhile."""
    relation: Any = connection.sql(query)
    yield from relation.to_arrow_reader(rows)


def _digest(columns: Sequence[str]) -> str:
    return f"hash({', '.join(columns)})" if columns else "0::ubigint"


def _spelled(rows: Rows, field_name: str) -> str:
    names: list[str] = rows.columns.names
    return next(name for name in names if name.lower() == field_name.lower())


def _columns(
    batch: pa.RecordBatch, key: str | None, fields: Sequence[tuple[str, str]], schema: pa.Schema
) -> pa.RecordBatch:
    """A batch with its key as text and the compared fields in the types they are compared in."""
    keys = batch.column(key).cast(pa.string()) if key else pa.nulls(batch.num_rows, pa.string())
    # An absent key would meet no other; there is at most one.
    columns = [pc.coalesce(keys, NO_TEXT)]
    for name, kind in fields:
        column = batch.column(name)
        if column.type == TYPES[kind]:
            columns.append(column)
        else:
            columns.append(as_text(column) if kind == "string" else column.cast(TYPES[kind]))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
