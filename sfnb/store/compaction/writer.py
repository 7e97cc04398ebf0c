"""Versions of several snapshots as one Parquet file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sfnb.store.columns import DELETE, EXTRACTED_AT, FROM, HARD_DELETE, MOMENT, OP, TYPES, UNTIL
from sfnb.store.files import Files
from sfnb.store.keys import KeyDigest
from sfnb.store.parts import Part, Range, iso, plain_columns, regrouped, text_array

OWN = ((OP, pa.string()), (EXTRACTED_AT, MOMENT), (FROM, pa.string()), (UNTIL, pa.string()))


def write_versions(
    table: Files,
    path: str,
    columns: Sequence[tuple[str, str]],
    batches: Iterable[pa.RecordBatch],
) -> Part:
    """
    Stream versions into a file; durable, and named by no commit, when this returns. Holds one row
    group.

    Args:
        columns: the table's columns and their types, without sfnb's own.
        batches: rows with sfnb's own columns and any of these.
    """
    schema = pa.schema([*((name, TYPES[kind]) for name, kind in columns), *OWN])
    found = _Found()
    with table.open_new(path) as sink:
        writer: pq.ParquetWriter | None = None
        try:
            for piece in regrouped(_shaped(batch, schema) for batch in batches):
                if writer is None:
                    writer = _open(sink, schema, piece)
                writer.write_table(piece)
                found.add(piece)
                del piece
                pa.default_memory_pool().release_unused()
        finally:
            if writer is not None:
                writer.close()
        return found.part(path, sink.size_bytes, sink.sha256)


def _open(sink: object, schema: pa.Schema, sample: pa.Table) -> pq.ParquetWriter:
    plain = plain_columns(sample)
    skipped_by = ("Id", FROM, UNTIL)
    return pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in schema.names if name not in plain],
        # Readers skip row groups by these; other text would cost more than it saves.
        write_statistics=[
            f.name for f in schema if f.name in skipped_by or not pa.types.is_string(f.type)
        ],
        store_schema=False,
    )


def _shaped(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly these columns; a column that its file did not have yet is null."""
    arrays = []
    for field in schema:
        at = batch.schema.get_field_index(field.name)
        column = batch.column(at) if at >= 0 else pa.nulls(batch.num_rows, field.type)
        arrays.append(column if column.type == field.type else column.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _count(ops: pa.ChunkedArray, op: str) -> int:
    # Not pc.equal: a scalar made from Python text loads pandas.
    return int(pc.sum(pc.is_in(ops, value_set=text_array([op]))).as_py() or 0)


class _Found:
    """What a part's entry says of its rows."""

    def __init__(self) -> None:
        self.records = self.deleted = self.gone = 0
        self._ids, self._stamps, self._keys = Range(), Range(), KeyDigest()

    def add(self, rows: pa.Table) -> None:
        self.records += rows.num_rows
        ops = rows.column(OP)
        self.deleted += _count(ops, DELETE)
        self.gone += _count(ops, HARD_DELETE)
        self._ids.widen(rows, "Id")
        self._stamps.widen(rows, "SystemModstamp")
        if "Id" in rows.column_names:
            self._keys.add(rows.column("Id"))

    def part(self, path: str, size_bytes: int, sha256: str) -> Part:
        low, high = self._stamps.low, self._stamps.high
        return Part(
            path=path,
            rows=self.records - self.deleted - self.gone,
            deleted=self.deleted,
            gone=self.gone,
            size_bytes=size_bytes,
            sha256=sha256,
            min_id=self._ids.low,
            max_id=self._ids.high,
            min_modstamp=iso(low) if isinstance(low, datetime) else None,
            max_modstamp=iso(high) if isinstance(high, datetime) else None,
            ids_digest=self._keys.hex,
            is_ordered=self._keys.is_ordered,
        )
