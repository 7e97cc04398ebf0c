"""
The planned records of a whole org outside of memory: tables in a temporary SQLite file.

``rows``: one line per record. ``links``: what those that are written refer to. ``left_out``: fields
that are not sent after all. ``given``: values that are sent instead. Everything here is about numbers
of rows, not about single ones.

SQLite holds a few megabytes of them in memory, whatever their number; DuckDB, which this was once,
took 100 MB and its library as much again.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from sfnb.errors import StoreError
from sfnb.restore.drafting import Draft
from sfnb.restore.plan import PlannedRow

BATCH_ROWS = 1_000
"""Narrow rows in memory at a time."""

VALUES_AT_A_TIME = 200
"""Records whose values are in memory at a time; such a record may be wide."""

CACHE_KB = 16_000

FACTS: Mapping[str, tuple[str, ...]] = {"PricebookEntry": ("CurrencyIsoCode",)}
"""By object, values that queries ask for and that are no links."""

ABSENT = ""
"""The fact that a new record has no value in a field."""

# ``number``: of the row's values. ``kind``: ``required``, ``optional`` (a new record can do without),
# ``cuttable`` (and gets it later).
_TABLES = """
create table rows (object text, old_id text, action text, target_id text, number integer,
                   reason text, field text, parent text);
create table links (old_id text, field text, parent text, kind text);
create table facts (old_id text, field text, value text);
create table given (old_id text, field text, value text);
create table left_out (old_id text, field text, is_later integer);
create table late (old_id text, vals text);
create table standing (id text, is_usable integer);
create table vals (number integer primary key, content text);
create index rows_by_id on rows (old_id);
create index links_by_id on links (old_id);
create index links_by_parent on links (parent);
create index facts_by_id on facts (old_id);
create index given_by_id on given (old_id);
create index left_out_by_id on left_out (old_id);
create index late_by_id on late (old_id);
create index standing_by_id on standing (id);
"""


class Workspace:
    """
    The tables of one planning, empty at first. A context manager: they are gone when the block ends.

    Raises:
        StoreError: any method, when the disk of the temporary folder is full.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="sfnb-plan-")
        path = Path(self._folder.name) / "plan.db"
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(_TABLES)
        # Nothing here outlives the process, so nothing has to be safe from its end.
        for pragma in ("journal_mode = off", "synchronous = off", f"cache_size = -{CACHE_KB}"):
            self._database.execute(f"pragma {pragma}")
        self._database.execute("begin")
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self._database.close()
        self._folder.cleanup()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as err:
            raise StoreError(
                f"could not plan the restore: {err}. The temporary folder is {self._folder.name}."
            ) from err

    # -- queries -----------------------------------------------------------------------------------------------------

    def run(self, query: str, values: Sequence[Any] = ()) -> None:
        with self._translated():
            self._database.execute(query, values)

    def all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._translated():
            return self._database.execute(query, values).fetchall()

    def one(self, query: str, values: Sequence[Any] = ()) -> Any:
        ((found,),) = self.all(query, values)
        return found

    def each(self, query: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """What a query gives, a few rows in memory; nothing may be written meanwhile."""
        with self._translated():
            yield from self._database.execute(query, values)

    def make(self, table: str, query: str, *, index: str = "") -> None:
        """A table of what a query gives, in place of one of this name; indexed by a column."""
        self.run(f"drop table if exists {table}")
        self.run(f"create table {table} as {query}")
        if index:
            self.run(f"create index {table}_by_{index} on {table} ({index})")

    def make_empty(self, table: str, columns: str) -> None:
        """An empty table in place of one of this name."""
        self.run(f"drop table if exists {table}")
        self.run(f"create table {table} ({columns})")

    def insert(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[str | int]]
    ) -> None:
        """Rows into a table."""
        places = ", ".join("?" * len(columns))
        with self._translated():
            self._database.executemany(
                f"insert into {table} ({', '.join(columns)}) values ({places})",
                rows,
            )

    # -- records -----------------------------------------------------------------------------------------------------

    def add(
        self, drafts: Iterable[tuple[Draft, Mapping[str, str]]], keys: Sequence[str] = ()
    ) -> None:
        """
        Planned records, each with the kind of its links by field.

        Args:
            keys: fields of the object of which it is noted which new records lack them.
        """
        for found, kinds in drafts:
            row = found.row
            self._number += 1
            content = json.dumps(dict(row.values))
            self.run("insert into vals values (?, ?)", (self._number, content))
            self.run(
                "insert into rows values (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.object_name,
                    row.old_id,
                    row.action,
                    row.target_id,
                    self._number,
                    row.reason,
                    row.field,
                    row.with_parent,
                ),
            )
            links = [(row.old_id, f, parent, kinds[f]) for f, parent in found.links.items()]
            self.insert("links", ("old_id", "field", "parent", "kind"), links)
            if found.late:
                self.run("insert into late values (?, ?)", (row.old_id, json.dumps(found.late)))
            if row.action in ("create", "undelete"):  # what cannot come back is made, too
                facts = [(row.old_id, k, ABSENT) for k in keys if row.values.get(k) is None]
                known = {n: row.values.get(n) for n in FACTS.get(row.object_name, ())}
                facts += [(row.old_id, n, str(v)) for n, v in known.items() if v is not None]
                self.insert("facts", ("old_id", "field", "value"), facts)

    def planned(self, query: str, *, order: str = "r.old_id") -> Iterator[PlannedRow]:
        """
        Records without what is left out of them, and with what is given to them.

        Args:
            query: SQL that gives ``rows.*``, and what ``order`` names.
        """
        self.make_empty(
            "ordered",
            "place integer primary key, object, old_id, action, target_id, number, reason, field, parent",
        )
        self.run(
            f"insert into ordered select row_number() over (order by {order}), object, old_id, "
            f"action, target_id, number, reason, field, parent from ({query}) r"
        )
        last = int(self.one("select count(*) from ordered"))
        for start in range(0, last, BATCH_ROWS):
            yield from self._some_planned(start, start + BATCH_ROWS)

    def _some_planned(self, start: int, end: int) -> Iterator[PlannedRow]:
        rows = self.all(
            "select * from ordered where place > ? and place <= ? order by place", [start, end]
        )
        changes: dict[str, dict[str, str | None]] = defaultdict(dict)
        for old_id, name, value in self.all(
            "select old_id, field, value from (select old_id, field, null as value from left_out "
            "union all select old_id, field, value from given) where old_id in "
            "(select old_id from ordered where place > ? and place <= ?)",
            [start, end],
        ):
            changes[old_id][name] = changes[old_id].get(name) or value
        contents = self._values([row[5] for row in rows])
        for row, content in zip(rows, contents, strict=True):
            _, name, old_id, action, target_id, _, reason, field, parent = row
            for changed, value in changes.get(old_id, {}).items():
                if value is None:
                    content.pop(changed, None)
                else:
                    content[changed] = value
            yield PlannedRow(name, old_id, action, target_id, content, reason, field, parent)

    def _values(self, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The values of these numbers, in their order."""
        for start in range(0, len(numbers), VALUES_AT_A_TIME):
            some = numbers[start : start + VALUES_AT_A_TIME]
            found = dict(
                self.all(
                    "select number, content from vals "
                    "where number in (select value from json_each(?))",
                    [json.dumps(some)],
                )
            )
            for number in some:
                yield json.loads(found[number])
