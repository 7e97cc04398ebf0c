"""
One object's records as a table to read page by page, filtered and sorted, with millions of rows.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sfnb.errors import CallerError, StoreError
from sfnb.store.history.scratch import NO_BAR
from sfnb.store.views import Readable, as_frame, quoted

if TYPE_CHECKING:
    import pandas as pd

CELL_CHARS = 120
"""Characters of a value in a page; `Pages.cell` gives the whole."""

PIECE = 4
"""Batches loaded before a page may be read again."""

MEMORY = "400MB"
"""What DuckDB may hold in memory; the rest is in its temporary file."""


class Pages:
    """
    An object's records in a temporary DuckDB file, filled by `load` while the first ones can
    already be read.

    Any thread may call; calls wait for each other, but not for `load`, which yields between two
    batches. Close it.
    """

    def __init__(self, rows: Readable) -> None:
        import duckdb

        self.name = rows.name
        self.columns = list(rows.columns.names)
        self.is_loaded = False
        self.problem = ""
        self._rows = rows
        self._kinds = {field.name: field.type for field in rows.columns}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._loaded = 0
        self._picked: int | None = None
        self._open = ExitStack()
        folder = tempfile.mkdtemp(prefix="sfnb-pages-")
        # Also when nobody closes it: at the end of the kernel.
        self._open.callback(weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True))
        config: dict[str, Any] = {"memory_limit": MEMORY, "threads": "2"}
        self._connection = duckdb.connect(str(Path(folder) / "pages.duckdb"), config=config)
        self._connection.execute(NO_BAR)
        self._open.callback(self._connection.close)
        empty = rows.columns.empty_table()
        self._connection.register("empty", empty)
        self._connection.execute("create table records as select * from empty")

    @property
    def loaded(self) -> int:
        """Rows loaded so far."""
        return self._loaded

    @property
    def count(self) -> int:
        """Rows that pass the current filter."""
        return self._loaded if self._picked is None else self._picked

    def load(self) -> None:
        """Read all records, until `close`. An error ends up in ``problem``."""
        batches = self._rows.batches()
        try:
            # The first rows appear at once; the others cost less in larger pieces.
            for size in chain((1,), repeat(PIECE)):
                piece = list(islice(batches, size))
                if self._stop.is_set():
                    return
                if not piece:
                    break
                with self._lock:
                    self._connection.register("piece", pa.Table.from_batches(piece))
                    self._connection.execute("insert into records select * from piece")
                    self._connection.unregister("piece")
                    self._loaded += sum(batch.num_rows for batch in piece)
            self.is_loaded = True
        except StoreError as err:
            self.problem = str(err)

    def pick(
        self, filters: Mapping[str, str], order: str | None = None, *, descending: bool = False
    ) -> int:
        """
        Keep the rows that pass all filters, in the order of one column; how many there are.

        Args:
            filters: by column, as typed: text is looked for anywhere, in any case; ``=text`` is the
                whole value; ``=`` alone is empty, ``!=`` alone is not; numbers, dates and moments
                take ``5``, ``>5``, ``<=5``, ``5..9``.

        Raises:
            CallerError: a filter that the column cannot have.
        """
        where, values = self._where(filters)
        if not where and order is None:
            with self._lock:
                self._picked = None
                return self.count
        sort = ""
        if order is not None:
            self._check(order)
            sort = f" order by {quoted(order)} {'desc' if descending else 'asc'} nulls last, rowid"
        with self._lock:
            # Sorted once, as a list of row numbers: any page of it is then found at once.
            self._connection.execute(
                f"create or replace temp table picked as select rowid as place from records{where}{sort}",  # noqa: S608 - names are quoted, values bound
                values,
            )
            ((self._picked,),) = self._connection.execute("select count(*) from picked").fetchall()
            return self.count

    def page(self, offset: int, limit: int) -> list[list[str | None]]:
        """
        Rows from ``offset`` on, as text of at most ``CELL_CHARS`` characters; absent values are
        None.
        """
        fields = ", ".join(f"left({self._text(name)}, {CELL_CHARS})" for name in self.columns)
        return [list(row) for row in self._fetch(fields, offset, min(limit, 500))]

    def cell(self, offset: int, column: str) -> str | None:
        """One whole value, as text."""
        self._check(column)
        found = self._fetch(self._text(column), offset, 1)
        return found[0][0] if found else None

    def frame(self) -> pd.DataFrame:
        """The rows that pass the current filter, in its order; dtypes as in `Snapshot.frame`."""
        fields = ", ".join(quoted(name) for name in self.columns)
        with self._lock:
            table: Any = self._connection.sql(self._select(fields) + self._by()).to_arrow_table()
        return as_frame(table.cast(self._rows.columns))

    def close(self) -> None:
        """Stop loading and delete the temporary file."""
        self._stop.set()
        with self._lock:
            self._open.close()

    # within

    def _select(self, fields: str) -> str:
        if self._picked is None:
            return f"select {fields} from records r"  # noqa: S608
        return f"select {fields} from picked p join records r on r.rowid = p.place"  # noqa: S608

    def _by(self) -> str:
        return " order by r.rowid" if self._picked is None else " order by p.rowid"

    def _fetch(self, fields: str, offset: int, limit: int) -> list[tuple[Any, ...]]:
        table = "r" if self._picked is None else "p"
        span = f" where {table}.rowid >= ? and {table}.rowid < ?"
        with self._lock:
            query = self._select(fields) + span + self._by()
            rows: list[tuple[Any, ...]] = self._connection.execute(
                query, [offset, offset + limit]
            ).fetchall()
        return rows

    def _text(self, name: str) -> str:
        kind = self._kinds[name]
        if pa.types.is_timestamp(kind):
            return f"strftime(timezone('UTC', r.{quoted(name)}), '%Y-%m-%dT%H:%M:%SZ')"
        return f"cast(r.{quoted(name)} as varchar)"

    def _check(self, name: str) -> None:
        if name not in self._kinds:
            raise CallerError(f"{self.name} has no field {name}.")

    def _where(self, filters: Mapping[str, str]) -> tuple[str, list[Any]]:
        parts: list[str] = []
        values: list[Any] = []
        for name, typed in filters.items():
            self._check(name)
            if typed.strip():
                part, bound = self._condition(name, typed.strip())
                parts.append(part)
                values += bound
        return (" where " + " and ".join(parts) if parts else ""), values

    def _condition(self, name: str, typed: str) -> tuple[str, list[Any]]:
        column = quoted(name)
        if typed in ("=", "!="):
            return f"{column} is {'not ' if typed == '!=' else ''}null", []
        kind = self._kinds[name]
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            if typed.startswith("="):
                return f"{column} = ?", [typed[1:].strip()]
            return f"contains(lower({column}), lower(?))", [typed]
        if pa.types.is_boolean(kind):
            word = typed.lstrip("=").lower()
            if word not in ("true", "false"):
                raise CallerError(f"{name} is a checkbox. Enter true or false, not “{typed}”.")
            return f"{column} = ?", [word == "true"]
        if span := re.fullmatch(r"(.+?)\s*\.\.\s*(.+)", typed):
            return f"{column} between ? and ?", [self._value(name, text) for text in span.groups()]
        sign, text = re.fullmatch(r"(<=|>=|<|>|=|)\s*(.*)", typed, re.DOTALL).groups()  # type: ignore[union-attr]
        return f"{column} {sign or '='} ?", [self._value(name, text)]

    def _value(self, name: str, text: str) -> Any:
        kind = self._kinds[name]
        try:
            if pa.types.is_temporal(kind):
                moment = datetime.fromisoformat(text)
                if pa.types.is_date(kind):
                    return f"{moment:%Y-%m-%d}"
                aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return f"{aware.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"
            return float(text)
        except (ValueError, OverflowError):
            what = "a date such as 2026-11-30" if pa.types.is_temporal(kind) else "a number"
            raise CallerError(
                f"{name}: enter {what}, with <, >, <= or >= in front, or .. between two."
            ) from None
