"""
The planned records of a whole org outside of memory: tables in a temporary DuckDB file.

``rows``: one line per record. ``links``: what those that are written refer to. ``left_out``: fields
that are not sent after all. Everything here is about numbers of rows, not about single ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sfnb.restore.drafting import Draft
from sfnb.restore.plan import PlannedRow
from sfnb.restore.wire import wire_batch
from sfnb.store.giving_back import give_back_memory
from sfnb.store.parts import text_array

if TYPE_CHECKING:
    import duckdb

BATCH_ROWS = 4_096

CHUNK_ROWS = 10_000
"""Whole rows that are joined and sorted at a time, at most: fewer where they are wide."""

CHUNK_CELLS, CHUNK_CHARS = 400_000, 16_000_000
"""With more values or text at a time, 200,000 records of 50 fields did not fit into 96 MB."""

ROW_COLUMNS = ("object", "old_id", "action", "target_id", "vals", "reason", "field", "parent")
LINK_COLUMNS = ("old_id", "field", "parent", "kind")
"""
``kind``: ``required``, ``optional`` (a new record can do without), ``cuttable`` (and gets it later).
"""

_TABLES = """
create table rows (object varchar, old_id varchar, action varchar, target_id varchar,
                   vals varchar, reason varchar, field varchar, parent varchar);
create table links (old_id varchar, field varchar, parent varchar, kind varchar);
create table left_out (old_id varchar, field varchar, is_later boolean);
create table late (old_id varchar, vals varchar);
create table standing (id varchar, is_usable boolean);
"""


class Workspace:
    """The tables of one planning, empty at first."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._connection.execute(_TABLES)
        self._joins = 0

    def run(self, query: str, values: Sequence[Any] = ()) -> None:
        self._connection.execute(query, list(values))

    def all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, list(values)).fetchall()

    def one(self, query: str, values: Sequence[Any] = ()) -> Any:
        ((found,),) = self.all(query, values)
        return found

    def arrays(self, query: str) -> Mapping[str, Any]:
        """The columns of a query, as numpy arrays."""
        found: Mapping[str, Any] = self._connection.execute(query).fetchnumpy()
        return found

    def batches(self, query: str, values: Sequence[Any] = ()) -> Iterator[pa.RecordBatch]:
        """What a query gives, streamed; further queries may run meanwhile."""
        cursor = self._connection.cursor()
        try:
            relation: Any = cursor.sql(query, params=list(values))
            yield from relation.to_arrow_reader(BATCH_ROWS)
        finally:
            cursor.close()

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows of text into a table."""
        if not rows:
            return
        arrays = [text_array(list(column)) for column in zip(*rows, strict=True)]
        self._connection.register("piece", pa.table(dict(zip(columns, arrays, strict=True))))
        self._connection.execute(f"insert into {table} ({', '.join(columns)}) select * from piece")
        self._connection.unregister("piece")

    @contextmanager
    def registered(self, tables: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
        """Arrays as tables, by name, while the block lasts."""
        for name, columns in tables.items():
            self._connection.register(name, dict(columns))
        try:
            yield
        finally:
            for name in tables:
                self._connection.unregister(name)

    # -- records -----------------------------------------------------------------------------------------------------

    def add(self, drafts: Iterable[tuple[Draft, Mapping[str, str]]]) -> None:
        """Planned records, each with the kind of its links by field."""
        rows: list[tuple[str, ...]] = []
        links: list[tuple[str, ...]] = []
        late: list[tuple[str, ...]] = []
        for found, kinds in drafts:
            row = found.row
            if found.late:
                late.append((row.old_id, _json(found.late)))
            rows.append(
                (
                    row.object_name,
                    row.old_id,
                    row.action,
                    row.target_id,
                    _json(row.values),
                    row.reason,
                    row.field,
                    row.with_parent,
                )
            )
            links += [(row.old_id, f, parent, kinds[f]) for f, parent in found.links.items()]
            if len(rows) >= BATCH_ROWS:
                self._flush(rows, links)
        self._flush(rows, links)
        self.insert("late", ("old_id", "vals"), late)

    def _flush(self, rows: list[tuple[str, ...]], links: list[tuple[str, ...]]) -> None:
        self.insert("rows", ROW_COLUMNS, rows)
        self.insert("links", LINK_COLUMNS, links)
        rows.clear()
        links.clear()

    def planned(self, query: str, *, order: str = "r.old_id") -> Iterator[PlannedRow]:
        """
        Records without what is left out of them.

        Args:
            query: SQL that gives ``rows.*``, and what ``order`` names.
        """
        # Whole rows are not sorted, their Ids are: a sort of 200,000 wide rows did not fit.
        self._joins += 1
        places = f"places_{self._joins}"
        self.run(
            f"create table {places} as select r.old_id, "
            f"row_number() over (order by {order}) as place from ({query}) r"
        )
        try:
            some_rows = f"select vals from ({query}) r limit 1000"
            wide = self.one(f"select avg(strlen(vals)) from ({some_rows})")
            rows = _chunk(CHUNK_CHARS, int(wide or 1))
            for start in range(0, int(self.one(f"select count(*) from {places}")), rows):
                some = f"(select * from {places} where place > {start} and place <= {start + rows})"
                yield from self._some_planned(query, some)
        finally:
            self.run(f"drop table {places}")

    def _some_planned(self, query: str, some: str) -> Iterator[PlannedRow]:
        left = (
            "select old_id, list(field) as names from left_out "
            f"where old_id in (select old_id from {some}) group by old_id"
        )
        chunk = (
            f"select r.*, l.names from {some} s join ({query}) r using (old_id) "
            f"left join ({left}) l using (old_id) order by s.place"
        )
        for batch in self.batches(chunk):
            for row in batch.to_pylist():
                content = json.loads(row["vals"])
                for name in row["names"] or ():
                    content.pop(name, None)
                yield PlannedRow(
                    row["object"],
                    row["old_id"],
                    row["action"],
                    row["target_id"],
                    content,
                    row["reason"],
                    row["field"],
                    row["parent"],
                )

    # -- two sides ---------------------------------------------------------------------------------------------------

    def joined(
        self,
        old: Iterable[pa.RecordBatch],
        present: Iterable[pa.RecordBatch],
        old_fields: Sequence[str],
        present_fields: Sequence[str],
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
        """
        Each record of the snapshot with the target's record of the same Id, or None; by Id.
        """
        self._joins += 1
        left, right = f"old_{self._joins}", f"new_{self._joins}"
        self._load(left, "o", old, old_fields)
        self._load(right, "n", present, present_fields)
        at_old, at_new = old_fields.index("Id"), present_fields.index("Id")
        try:
            rows = _chunk(CHUNK_CELLS, len(old_fields) + len(present_fields))
            for low, high in self._ranges(left, f"o{at_old}", rows):
                query = (
                    f"select o.*, n.* from (select * from {left} where o{at_old} between ? and ?) o "
                    f"left join (select * from {right} where n{at_new} between ? and ?) n "
                    f"on o.o{at_old} = n.n{at_new} order by o.o{at_old}"
                )
                for batch in self.batches(query, [low, high, low, high]):
                    for row in batch.to_pylist():
                        was = {name: row[f"o{n}"] for n, name in enumerate(old_fields)}
                        now = {name: row[f"n{n}"] for n, name in enumerate(present_fields)}
                        yield was, (now if now["Id"] is not None else None)
        finally:
            self.run(f"drop table {left}")
            self.run(f"drop table {right}")

    def _ranges(self, table: str, column: str, rows: int) -> list[tuple[str, str]]:
        """The least and the greatest Id of each so many rows, in order."""
        return [
            (low, high)
            for low, high in self.all(
                f"select min(id), max(id) from (select {column} as id, "
                f"(row_number() over (order by {column}) - 1) // {rows} as part from {table}) "
                "group by part order by 1"
            )
        ]

    def _load(
        self, table: str, letter: str, batches: Iterable[pa.RecordBatch], fields: Sequence[str]
    ) -> None:
        is_made = False
        names = [f"{letter}{n}" for n in range(len(fields))]
        for batch in _slices(batches):
            wire = wire_batch(batch.select(list(fields)))
            piece = pa.RecordBatch.from_arrays(wire.columns, names=names)
            self._connection.register("piece", pa.Table.from_batches([piece]))
            self._connection.execute(
                f"insert into {table} select * from piece"
                if is_made
                else f"create table {table} as from piece"
            )
            self._connection.unregister("piece")
            is_made = True
        if not is_made:
            columns = ", ".join(f"{name} varchar" for name in names)
            self.run(f"create table {table} ({columns})")
        give_back_memory()


def _slices(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Few rows at a time: as text, a wide row takes several times its room."""
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(start, BATCH_ROWS)


def _chunk(room: int, width: int) -> int:
    """How many rows of this width are handled at a time."""
    return max(min(room // max(width, 1), CHUNK_ROWS), 100)


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), ensure_ascii=False)
