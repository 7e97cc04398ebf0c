"""An object's Delta table: its properties, the columns it must have, and appending to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from sfnb.errors import StoreError
from sfnb.store.columns import LOSSLESS, TYPES, table_schema
from sfnb.store.commits import parse_commit
from sfnb.store.files import Files, make_folder
from sfnb.store.formats import NewerFormat
from sfnb.store.layout import Known, Layout, StoredField, columns_of, known_columns
from sfnb.store.log import LOG, log_path, newest_version
from sfnb.store.parts import Part
from sfnb.store.place import Place
from sfnb.store.translating import translated

NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
"""
Keeps delta-rs from promising to its readers ``column >= null`` for each column without a least
value in a commit: Arrow and DuckDB took that for “no row of this file can match”, so any WHERE gave
nothing (seen with deltalake 1.6).
"""

CHECKPOINT_EVERY = 100

TABLE_PROPERTIES: Mapping[str, str | None] = {
    # Cursors and digests live in the log: nothing may tidy it away.
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": str(CHECKPOINT_EVERY),
    **NO_STATISTICS,
}


ATTEMPTS = 20
"""
Tries of one change of a table while others write to it. A commit is built upon the one before it,
so Delta must not repeat it by itself.
"""


class Table:
    """
    One table, opened when it is needed. For one thread at a time.

    Args:
        files: the table's folder.
    """

    def __init__(self, files: Files, name: str, place: Place) -> None:
        self.files = files
        self.name = name
        self.place = place
        self._table: DeltaTable | None = None

    def open(self) -> DeltaTable | None:
        """The table as it is now, or None if it does not exist yet: its first commit creates it."""
        if self._table is not None and not self.files.has(log_path(self._table.version())):
            self._table = None  # the log was restated, and begins later now
        if self._table is not None:
            self._table.update_incremental()
        elif newest_version(self.files) >= 0:
            self._table = DeltaTable(self._uri)
        return self._table

    @property
    def version(self) -> int:
        """The version that is open; -1: there is no table."""
        return -1 if self._table is None else self._table.version()

    def forget(self) -> None:
        """Somebody else has changed the table: open it anew."""
        self._table = None

    @property
    def _uri(self) -> str:
        return self.files.uri("").rstrip("/\\")

    def known(self) -> Known:
        """Its columns."""
        with translated(f"open the table of {self.name}"):
            table = self.open()
            return known_columns(columns_of(pa.schema(table.schema().to_arrow())) if table else ())

    def fit(self, layout: Iterable[StoredField]) -> None:
        """
        Add to the table, if it exists, the columns that it lacks for these fields.

        Raises:
            StoreError: the table has such a column with another type, because another backup was
                faster.
        """
        wanted = {stored.column: stored.kind for stored in layout}
        with translated(f"open the table of {self.name}"):
            for attempt in range(ATTEMPTS):
                table = self.open()
                if table is None:
                    return
                missing = missing_columns(wanted, self.known(), self.name)
                is_readable = NO_STATISTICS.items() <= table.metadata().configuration.items()
                if not missing and is_readable:
                    return
                try:
                    if not is_readable:  # made by sfnb 0.1
                        table.alter.set_table_properties(NO_STATISTICS)
                    else:
                        table.alter.add_columns(list(DeltaSchema.from_arrow(missing).fields))
                except DeltaError:
                    # Another snapshot has changed the table meanwhile, most likely by the same
                    # columns: try again.
                    if attempt == ATTEMPTS - 1:
                        raise
                self.forget()
        raise AssertionError("unreachable: the last attempt returns or raises")

    def create(self, layout: Sequence[StoredField]) -> None:
        """An empty table with these columns, if there is none."""
        with translated(f"create the table of {self.name}"):
            if self.open() is None:
                self._create([], tuple(layout), CommitProperties())
                self.files.sync([log_path(0)])

    def append(
        self,
        adds: Sequence[Part],
        removes: Sequence[Part],
        layout: Layout,
        properties: CommitProperties,
        *,
        at_ms: int,
        is_change: bool = True,
    ) -> None:
        """
        One commit upon the version that is open. It is on disk, and private, when this returns.

        Args:
            layout: the columns of the table that this commit creates, if there is none yet.
            at_ms: now, for Delta's remove actions.
            is_change: the rows are others than before; not so for compaction.

        Raises:
            DeltaError: another process was faster, or the answer was lost.
        """
        added = [
            AddAction(
                part.path,
                part.size_bytes,
                _partition_of(part, self.place),
                0,
                is_change,
                json.dumps(part.delta_stats()),
            )
            for part in adds
        ]
        removed = [
            RemoveAction(p.path, is_change, at_ms, p.size_bytes, _partition_of(p, self.place))
            for p in removes
        ]
        table = self._table
        before = -1 if table is None else table.version()
        if table is None:
            self._create(added, layout, properties)
        else:
            table.create_write_transaction(
                [*added, *removed],
                mode="append",
                schema=table.schema(),
                partition_by=[self.place.column],
                commit_properties=properties,
            )
        versions = range(before + 1, newest_version(self.files) + 1)
        self.files.sync([log_path(version) for version in versions])
        if any(version % CHECKPOINT_EVERY == 0 for version in versions):
            self.files.make_private(LOG)

    def _create(self, adds: list[AddAction], layout: Layout, properties: CommitProperties) -> None:
        """The table and its first commit in one, which halves the cost of an empty object."""
        columns = {stored.column: TYPES[stored.kind] for stored in layout}
        if self.files.local:
            make_folder(self.files.local / LOG)
        create_table_with_add_actions(
            self._uri,
            DeltaSchema.from_arrow(table_schema(pa.schema(columns), self.place.own)),
            adds,
            mode="error",
            partition_by=[self.place.column],
            name=self.name,
            configuration=TABLE_PROPERTIES,
            commit_properties=properties,
        )


def _partition_of(part: Part, place: Place) -> dict[str, str | None]:
    value = part.path.partition("/")[0].removeprefix(f"{place.column}=")
    return {place.column: value}


def missing_columns(wanted: Mapping[str, str], known: Known, object_name: str) -> pa.Schema:
    """
    The columns that a table lacks.

    Raises:
        StoreError: it has such a column with another type, because another backup was faster.
    """
    missing = {}
    for column, kind in wanted.items():
        there = known.get(column.lower())
        if there is None:
            missing[column] = TYPES[kind]
        elif there != (column, kind) and (kind, there[1]) not in LOSSLESS:
            raise StoreError(
                f"{object_name}: another backup has just stored {column} as {there[1]}, "
                f"this one needs {kind}. Run it again."
            )
    return pa.schema(missing)


def as_in_table(stored: StoredField, known: Known) -> StoredField:
    """
    A field with its column's type: snapshots begun in format 1 may bring ints to a double column.
    """
    _, kind = known.get(stored.column.lower(), ("", stored.kind))
    return replace(stored, kind=kind) if (stored.kind, kind) in LOSSLESS else stored


def is_damaged(files: Files, name: str) -> bool:
    """
    Whether a table's log can be read, and makes no sense. A store that does not answer is another
    matter.

    Raises:
        StoreError: the log cannot be read; or a newer sfnb wrote it.
    """
    newest = newest_version(files)
    version = newest
    try:
        while version >= 0:
            text = files.read(log_path(version))
            if text is None:
                return True
            commit = parse_commit(text, version, files.uri(log_path(version)))
            version = -1 if commit is not None and commit.restates else version - 1
    except NewerFormat:
        raise
    except StoreError:
        # Each of its files is there: what it says is wrong.
        return all(files.read(log_path(later)) is not None for later in range(version, newest + 1))
    try:
        with translated(f"open the table of {name}"):
            if newest >= 0:
                DeltaTable(files.uri("").rstrip("/\\"))
    except StoreError:
        return True
    return False
