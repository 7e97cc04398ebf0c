"""
Rows of one side on the disk, cut into slices by their places: each slice fits in memory, whatever
order the rows came in, and however wide they are.

DuckDB does not do this: its sorts and joins of wide rows fail where memory is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfnb.store.translating import translated

HELD_BYTES = 16 << 20
"""Rows that are held until they are written: a slice gets a piece of each such load."""


PLACE = "place"
"""The column that says where a changed record stands in the order of the keys."""

Numbers = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


class Wanted:
    """
    Which rows of a side have changed, told beside its batches.

    Args:
        rows: numbers of rows, which rise, and their places.
    """

    def __init__(self, rows: Iterator[pa.RecordBatch]) -> None:
        self._more = rows
        self._rows, self._places = np.empty(0, np.int64), np.empty(0, np.int64)
        self._done = 0

    def of_next(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The wanted rows of the side's next batch, with their places as the last column."""
        end = self._done + batch.num_rows
        while not len(self._rows) or self._rows[-1] < end:
            more = next(self._more, None)
            if more is None:
                break
            self._rows, self._places = (
                np.concatenate([held, _numbers(more.column(n))])
                for n, held in enumerate((self._rows, self._places))
            )
        count = int(np.searchsorted(self._rows, end))
        rows, places = self._rows[:count] - self._done, self._places[:count]
        self._rows, self._places = self._rows[count:], self._places[count:]
        self._done = end
        return with_numbers(batch.take(_array(rows)), PLACE, places)


def with_numbers(batch: pa.RecordBatch, name: str, numbers: Numbers) -> pa.RecordBatch:
    """A batch with one column more."""
    schema = batch.schema.append(pa.field(name, pa.int64()))
    return pa.RecordBatch.from_arrays([*batch.columns, _array(numbers)], schema=schema)


class Slices:
    """
    Args:
        folder: an empty one, for these rows alone.
        rows: places in a slice.
        columns: of the rows, without their places.
    """

    def __init__(self, folder: Path, rows: int, columns: pa.Schema) -> None:
        folder.mkdir()
        self._folder = folder
        self._columns = columns
        self._rows = rows
        self._held: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Some rows, with their places as the last column, which no other row has."""
        if batch.num_rows:
            self._held.append(batch)
        if sum(one.nbytes for one in self._held) >= HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held. Call it after the last row."""
        if not self._held:
            return
        table = pa.Table.from_batches(self._held).combine_chunks()
        self._held = []
        (batch,) = table.sort_by(table.schema.names[-1]).combine_chunks().to_batches()
        places = _numbers(batch.column(batch.num_columns - 1))
        numbers = np.unique(places // self._rows)
        for number in numbers.tolist():
            first, last = np.searchsorted(places, [number * self._rows, (number + 1) * self._rows])
            piece = batch.slice(first, last - first)
            with (
                translated("keep what has changed"),
                self._path(number).open("ab") as file,
                pa.ipc.new_stream(file, batch.schema) as writer,
            ):
                writer.write_batch(piece)

    def read(self, number: int) -> pa.Table:
        """The rows of a slice in the order of their places."""
        path = self._path(number)
        if not path.exists():
            return pa.Table.from_batches([], self._columns.append(pa.field(PLACE, pa.int64())))
        with translated("read what has changed"), pa.OSFile(str(path)) as file:
            table = pa.Table.from_batches(_pieces(file, path.stat().st_size))
        return table.sort_by(table.schema.names[-1])

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.arrow"


def _pieces(file: pa.NativeFile, size: int) -> Iterator[pa.RecordBatch]:
    while file.tell() < size:
        yield from pa.ipc.open_stream(file)


def _numbers(column: pa.Array) -> Numbers:
    """Numbers without a copy, and without pandas, which Arrow's own way loads."""
    return np.frombuffer(column.buffers()[1], np.int64, len(column), column.offset * 8)


def _array(numbers: Numbers) -> pa.Array:
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
