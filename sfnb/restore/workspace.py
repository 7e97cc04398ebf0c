"""
The planned records of a whole org outside of memory: narrow tables in a temporary DuckDB file, and
their values in another file.

``rows``: one line per record. ``links``: what those that are written refer to. ``left_out``: fields
that are not sent after all. ``given``: values that are sent instead. Everything here is about numbers
of rows, not about single ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sfnb.restore.drafting import Draft
from sfnb.restore.plan import PlannedRow
from sfnb.restore.row_values import RowValues
from sfnb.store.parts import text_array

if TYPE_CHECKING:
    import duckdb

BATCH_ROWS = 4_096

COLUMNS = {
    "rows": ("object", "old_id", "action", "target_id", "number", "reason", "field", "parent"),
    "links": ("old_id", "field", "parent", "kind"),
    "facts": ("old_id", "field", "value"),
}
"""
``number``: of the row's values. ``kind``: ``required``, ``optional`` (a new record can do without),
``cuttable`` (and gets it later).
"""

FACTS: Mapping[str, tuple[str, ...]] = {"PricebookEntry": ("CurrencyIsoCode",)}
"""By object, values that SQL asks for and that are no links."""

ABSENT = ""
"""The fact that a new record has no value in a field."""

_TABLES = """
create table rows (object varchar, old_id varchar, action varchar, target_id varchar,
                   number bigint, reason varchar, field varchar, parent varchar);
create table links (old_id varchar, field varchar, parent varchar, kind varchar);
create table facts (old_id varchar, field varchar, value varchar);
create table given (old_id varchar, field varchar, value varchar);
create table left_out (old_id varchar, field varchar, is_later boolean);
create table late (old_id varchar, vals varchar);
create table standing (id varchar, is_usable boolean);
"""


class Workspace:
    """
    The tables of one planning, empty at first.

    Args:
        values: of the planned records; as long as the workspace.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, values: RowValues) -> None:
        self._connection = connection
        self._values = values
        self._connection.execute(_TABLES)
        self._tables = 0

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

    def add(
        self, drafts: Iterable[tuple[Draft, Mapping[str, str]]], keys: Sequence[str] = ()
    ) -> None:
        """
        Planned records, each with the kind of its links by field.

        Args:
            keys: fields of the object of which it is noted which new records lack them.
        """
        rows: list[tuple[str, ...]] = []
        links: list[tuple[str, ...]] = []
        late: list[tuple[str, ...]] = []
        facts: list[tuple[str, ...]] = []
        for found, kinds in drafts:
            row = found.row
            number = self._values.add(row.values)
            if found.late:
                late.append((row.old_id, _json(found.late)))
            rows.append(
                (
                    row.object_name,
                    row.old_id,
                    row.action,
                    row.target_id,
                    str(number),
                    row.reason,
                    row.field,
                    row.with_parent,
                )
            )
            links += [(row.old_id, f, parent, kinds[f]) for f, parent in found.links.items()]
            if row.action == "create":
                facts += [(row.old_id, k, ABSENT) for k in keys if row.values.get(k) is None]
                if row.object_name in FACTS:
                    known = {name: row.values.get(name) for name in FACTS[row.object_name]}
                    facts += [(row.old_id, n, str(v)) for n, v in known.items() if v is not None]
            if len(rows) >= BATCH_ROWS:
                self._flush(rows, links, facts)
        self._flush(rows, links, facts)
        self.insert("late", ("old_id", "vals"), late)

    def _flush(self, *some: list[tuple[str, ...]]) -> None:
        for table, lines in zip(("rows", "links", "facts"), some, strict=True):
            self.insert(table, COLUMNS[table], lines)
            lines.clear()

    def planned(self, query: str, *, order: str = "r.old_id") -> Iterator[PlannedRow]:
        """
        Records without what is left out of them, and with what is given to them.

        Args:
            query: SQL that gives ``rows.*``, and what ``order`` names.
        """
        self._tables += 1
        ordered = f"ordered_{self._tables}"
        self.run(
            f"create table {ordered} as select r.*, row_number() over (order by {order}) as place "
            f"from ({query}) r"
        )
        try:
            for start in range(0, int(self.one(f"select count(*) from {ordered}")), BATCH_ROWS):
                yield from self._some_planned(
                    f"(select * from {ordered} where place > {start} "
                    f"and place <= {start + BATCH_ROWS})"
                )
        finally:
            self.run(f"drop table {ordered}")

    def _some_planned(self, some: str) -> Iterator[PlannedRow]:
        changes = (
            "select old_id, field, null as value from left_out "
            "union all select old_id, field, value from given"
        )
        changed = (
            "select old_id, list(field order by field, value) as names, "
            f"list(value order by field, value) as contents from ({changes}) "
            f"where old_id in (select old_id from {some}) group by old_id"
        )
        rows = self.all(
            "select r.object, r.old_id, r.action, r.target_id, r.number, r.reason, r.field, "
            f"r.parent, c.names, c.contents from {some} r left join ({changed}) c using (old_id) "
            "order by r.place"
        )
        contents = self._values.of([row[4] for row in rows])
        for row, content in zip(rows, contents, strict=True):
            name, old_id, action, target_id, _, reason, field, parent, names, values = row
            for changed_field, value in zip(names or (), values or (), strict=True):
                if value is None:
                    content.pop(changed_field, None)
                else:
                    content[changed_field] = value
            yield PlannedRow(name, old_id, action, target_id, content, reason, field, parent)


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), ensure_ascii=False)
