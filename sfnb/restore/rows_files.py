"""Rows that were read from the target, as Parquet files of the job's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sfnb.errors import TransientError
from sfnb.store.files import Files
from sfnb.store.keys import Words, key_hashes, repeated


def write_rows(
    files: Files,
    path: str,
    columns: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    *,
    name: str,
    expected: int | None,
) -> int:
    """
    A file of rows; how many they are.

    Args:
        name: of the object, for the message.
        expected: how many the org counts; None: it does not say.

    Raises:
        TransientError: they are more or fewer, or one of them comes twice (P9). No file is left.
    """
    rows = 0
    hashes: list[Words] = []
    with files.open_new(path) as sink, pq.ParquetWriter(sink, columns) as out:
        for batch in batches:
            out.write_batch(batch)
            rows += batch.num_rows
            if expected is not None and rows > expected:
                break
            if "Id" in batch.schema.names:
                hashes.append(key_hashes(batch.column("Id"), 0))
        if expected is not None and rows != expected:
            raise TransientError(
                f"{name}: an answer has {rows:,} rows; the org counts {expected:,}."
            )
        if hashes and repeated(np.concatenate(hashes))[0] != rows:
            raise TransientError(f"{name}: an answer has rows twice.")
    return rows


def row_count(files: Files, path: str) -> int:
    """How many rows a file has."""
    with files.open_input(path) as source:
        return int(pq.ParquetFile(source).metadata.num_rows)


def read_parquet(files: Files, paths: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of these files."""
    for path in paths:
        with files.open_input(path) as source:
            yield from pq.ParquetFile(source).iter_batches(batch_size=8_192)
