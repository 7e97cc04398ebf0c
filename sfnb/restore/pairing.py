"""The snapshot's rows, each with the target's row of the same Id, a few thousand in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import StoreError
from sfnb.restore.wire import wire_batch, wire_rows
from sfnb.store.parts import text_array

Row = dict[str, Any]
Places = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

MOST_ROWS = 4_096
MOST_CELLS = 100_000
MOST_BYTES = 4_000_000
"""
Of a piece that becomes Python values: as such, a row takes several times its room.
"""


def pairs(
    old: Iterable[pa.RecordBatch],
    present: Iterable[pa.RecordBatch],
    old_fields: Sequence[str],
    present_fields: Sequence[str],
) -> Iterator[tuple[Row, Row | None]]:
    """
    Each row of the snapshot with the target's row of the same Id, or None; in the snapshot's order,
    values as REST has them.

    The target's rows wait in a temporary file; of them the Ids alone are in memory.

    Raises:
        StoreError: the disk of the temporary folder is full.
    """
    with TemporaryDirectory(prefix="sfnb-rows-") as folder, _Kept(Path(folder)) as kept:
        for batch in present:
            for piece in pieces(batch.select(list(present_fields))):
                kept.add(piece)
        kept.close()
        for batch in old:
            for piece in pieces(batch.select(list(old_fields))):
                yield from zip(wire_rows(piece), kept.rows(piece.column("Id")), strict=True)


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces that are small as Python values, too."""
    if not batch.num_rows:
        return
    by_cells = MOST_CELLS // max(batch.num_columns, 1)
    by_bytes = MOST_BYTES * batch.num_rows // max(batch.nbytes, 1)
    rows = max(min(by_cells, by_bytes, MOST_ROWS), 1)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


class _Kept:
    """Rows in a file, found by their Ids; nothing can be added once it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._schema: pa.Schema | None = None
        self._paths: list[Path] = []
        self._readers: list[pa.ipc.RecordBatchFileReader] = []
        self._places: list[tuple[int, int]] = []  # of each batch: its file, its number in it
        self._starts: list[int] = [0]
        self._ids: list[pa.Array] = []
        self._keys = np.empty(0, "S1")
        self._order = np.empty(0, np.int64)
        self._last: tuple[int, pa.RecordBatch] | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        wired = wire_batch(batch)
        try:
            self._writer_for(wired.schema).write_batch(wired)
        except OSError as err:
            raise StoreError(f"could not keep rows in {self._folder}: {err}") from err
        file = len(self._paths) - 1
        is_first = not self._places or self._places[-1][0] != file
        self._places.append((file, 0 if is_first else self._places[-1][1] + 1))
        self._starts.append(self._starts[-1] + wired.num_rows)
        self._ids.append(wired.column("Id"))

    def _writer_for(self, schema: pa.Schema) -> pa.ipc.RecordBatchFileWriter:
        """A column of one answer may be wider than that of another: a file for each."""
        if self._writer is not None and schema == self._schema:
            return self._writer
        self._end_file()
        self._schema = schema
        self._paths.append(self._folder / f"{len(self._paths)}.arrow")
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._writer = pa.ipc.new_file(str(self._paths[-1]), schema, options=options)
        return self._writer

    def _end_file(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def close(self) -> None:
        """All rows are there: from now on they can be asked for."""
        try:
            self._end_file()
        except OSError as err:
            raise StoreError(f"could not keep rows in {self._folder}: {err}") from err
        # Not mapped: the pages of a mapped file would count as this process's memory.
        self._readers = [pa.ipc.open_file(pa.OSFile(str(path))) for path in self._paths]
        keys = _keys(self._ids)
        self._ids.clear()
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def rows(self, ids: pa.Array) -> list[Row | None]:
        """The rows of these Ids, None where there is none."""
        found: list[Row | None] = [None] * len(ids)
        if not len(self._keys):
            return found
        wanted = _keys([ids])
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        hits = np.flatnonzero(self._keys[at] == wanted)
        places = self._order[at[hits]]
        batches = np.searchsorted(np.asarray(self._starts), places, side="right") - 1
        for number in np.unique(batches).tolist():
            chosen = np.flatnonzero(batches == number)
            within = places[chosen] - self._starts[number]
            rows = self._batch(number).take(_integers(within)).to_pylist()
            for place, row in zip(hits[chosen].tolist(), rows, strict=True):
                found[place] = row
        return found

    def _batch(self, number: int) -> pa.RecordBatch:
        if self._last is None or self._last[0] != number:
            file, within = self._places[number]
            self._last = (number, self._readers[file].get_batch(within))
        return self._last[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        self._last = None
        self._readers.clear()  # Windows deletes no file that is open


def _integers(values: Places) -> pa.Array:
    # Bare buffers: Arrow's own conversion would load pandas (50 MB).
    whole = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])


def _keys(ids: Sequence[pa.Array]) -> np.ndarray[tuple[int, ...], np.dtype[np.bytes_]]:
    """Ids as bytes of one width, which numpy sorts and searches without Python objects."""
    if not sum(map(len, ids)):
        return np.empty(0, "S18")
    text = pa.concat_arrays([one.cast(pa.string()) for one in ids])
    if text.null_count:
        text = pc.coalesce(text, text_array([""]).take(_integers(np.zeros(len(text), np.int64))))
    width = max(pc.max(pc.binary_length(text)).as_py(), 1)
    # Zeros, which numpy leaves out of account: Ids of another width stay comparable.
    even = pc.ascii_rpad(text, width, padding="\0").cast(pa.binary()).cast(pa.binary(width))
    return np.frombuffer(even.buffers()[1], f"S{width}", len(even), even.offset * width)
