"""An object's state at a snapshot as people read it: batches, and a view for SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfnb.store.columns import HARD_DELETE, OP, TYPES
from sfnb.store.files import Files
from sfnb.store.layout import FieldSource
from sfnb.store.parts import EPOCH, IS_DELETE, IS_UPSERT
from sfnb.store.proof import ID, STAMP
from sfnb.store.row_stream import RowStream
from sfnb.store.states.files import VersionFile
from sfnb.store.states.versions import Places, Span, Versions, newest
from sfnb.store.translating import translated


def plain_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Rows as Python has them, moments as datetimes in UTC; Arrow's own way to those loads pandas."""
    columns = [_plain(batch.column(at)) for at in range(batch.num_columns)]
    for values in zip(*columns, strict=True):
        yield dict(zip(batch.schema.names, values, strict=True))


def _plain(column: pa.Array) -> list[Any]:
    if not pa.types.is_timestamp(column.type):
        found: list[Any] = column.to_pylist()
        return found
    micros = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return [None if us is None else EPOCH + timedelta(microseconds=us) for us in micros]


class Records:
    """
    The records alive at a snapshot, read lazily, a few batches in memory at a time.

    Args:
        table: the table's folder.
        files: its live files.
        key: the field that tells records apart; None: each row is a record of its own.
        sources: the fields, and the columns that hold them.
        is_settled: no record is there twice in the newest snapshot's rows.
    """

    def __init__(
        self,
        name: str,
        table: Files,
        files: Sequence[VersionFile],
        *,
        key: str | None,
        span: Span,
        sources: Sequence[FieldSource],
        is_settled: bool,
    ) -> None:
        self.name = name
        self.columns = columns_of_sources(sources)
        self._sources = sources
        self._key = key
        stamp = "" if is_settled or key is None else stamp_column(sources)
        self._versions = Versions(table, files, key, span, stamp)
        if key is not None and all(not file.snapshot for file in self._versions.files):
            # Everything that counts is compacted: of each key one version is open at any time.
            self._key, self._versions = None, Versions(table, files, None, span)

    @cached_property
    def _state(self) -> tuple[Places, Places]:
        """Where the records alive are, and those in the recycle bin, in the order of the files."""
        alive, deleted = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for keys in self._versions.in_shares():
            now = keys if self._key is None else newest(keys)
            alive.append(now.places[now.ops == IS_UPSERT])
            deleted.append(now.places[now.ops == IS_DELETE])
        return np.sort(np.concatenate(alive)), np.sort(np.concatenate(deleted))

    def batches(self, fields: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The records alive, with some fields or all; in no order to rely on."""
        return self._read(self._state[0], self._named(fields))

    def recycle_bin(self, fields: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """These fields of the records in the recycle bin."""
        return self._read(self._state[1], self._named(fields))

    def apart_from(self, other: Records) -> Records:
        """
        This state without the records that the other has alive in the very same version: what may
        differ between the two. The recycle bin stays.
        """
        alive, deleted = self._state
        is_mine = np.ones(len(alive), bool)
        theirs = other._alive_rows()
        for path, (begin, rows) in self._alive_rows().items():
            if path in theirs:
                is_shared = np.isin(rows, theirs[path][1], assume_unique=True)
                is_mine[begin : begin + len(rows)] = ~is_shared
        apart = copy(self)
        apart.__dict__["_state"] = (alive[is_mine], deleted)
        return apart

    def _alive_rows(self) -> dict[str, tuple[int, Places]]:
        """By file, where its records alive begin in the state, and their row numbers."""
        alive, versions = self._state[0], self._versions
        found = {}
        for file, starts in zip(versions.files, versions.groups, strict=True):
            begin, end = np.searchsorted(alive, (starts[0], starts[-1]))
            found[file.path] = (int(begin), alive[begin:end] - starts[0])
        return found

    def _named(self, fields: Sequence[str] | None) -> Sequence[FieldSource]:
        by_name = {source.field: source for source in self._sources}
        return self._sources if fields is None else [by_name[name] for name in fields]

    def one(self, record_id: str) -> tuple[str, dict[str, Any]] | None:
        """The record with an Id: ``upsert`` or ``delete``, and its fields; None: it is not there."""
        if ID not in self.columns.names:
            return None
        with translated(f"read {self.name}"):
            found = list(self._versions.of_key(ID, record_id, {*_columns(self._sources), OP}))
        op = found[-1].column(OP)[0].as_py() if found else HARD_DELETE
        if op == HARD_DELETE:
            return None
        (row,) = plain_rows(self._fields(found[-1], self._sources))
        return op, row

    def _read(self, places: Places, sources: Sequence[FieldSource]) -> Iterator[pa.RecordBatch]:
        with translated(f"read {self.name}"):
            for batch in self._versions.batches(places, _columns(sources)):
                yield self._fields(batch, sources)

    def _fields(self, batch: pa.RecordBatch, sources: Sequence[FieldSource]) -> pa.RecordBatch:
        arrays = [value_of(batch, source) for source in sources]
        return pa.RecordBatch.from_arrays(arrays, schema=columns_of_sources(sources))

    def add_view(self, connection: Any, quoted: str) -> RowStream:
        """See ``views.Rows``."""
        source, rows = f"_sfnb_rows_of_{self.name}", RowStream(self.columns, self.batches)
        connection.register(source, rows)
        connection.execute(f'create view {quoted} as from "{source}"')
        return rows


def _columns(sources: Sequence[FieldSource]) -> set[str]:
    return {column for source in sources for column, _ in source.columns}


def columns_of_sources(sources: Sequence[FieldSource]) -> pa.Schema:
    """The fields with types that hold every value."""
    return pa.schema([pa.field(s.field, TYPES[s.kind]) for s in sources])


def stamp_column(sources: Sequence[FieldSource]) -> str:
    """The column of SystemModstamp; empty where there is none of moments."""
    for source in sources:
        if source.field == STAMP and source.kind == "timestamp" and len(source.columns) == 1:
            return source.columns[0][0]
    return ""


def value_of(batch: pa.RecordBatch, source: FieldSource) -> pa.Array:
    """A field from the columns that hold it; absent where the file had no such column yet."""
    kind = TYPES[source.kind]
    held = [
        column if column.type == kind else column.cast(kind, safe=False)
        for name, _ in source.columns
        if (at := batch.schema.get_field_index(name)) >= 0
        for column in (batch.column(at),)
    ]
    if not held:
        return pa.nulls(batch.num_rows, kind)
    return held[0] if len(held) == 1 else pc.coalesce(*held)
