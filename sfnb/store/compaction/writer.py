"""Versions of several snapshots as one Parquet file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sfnb.store.columns import DELETE, EXTRACTED_AT, FROM, HARD_DELETE, MOMENT, OP, TYPES, UNTIL
from sfnb.store.files import Files
from sfnb.store.parts import Part, PartContent, plain_columns, regrouped, text_array

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
    found = PartContent()
    with table.open_new(path) as sink:
        writer: pq.ParquetWriter | None = None
        try:
            for piece in regrouped(_shaped(batch, schema) for batch in batches):
                if writer is None:
                    writer = _open(sink, schema, piece)
                writer.write_table(piece)
                ops = piece.column(OP)
                found.add(piece, deleted=_count(ops, DELETE), gone=_count(ops, HARD_DELETE))
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
