"""A wave's rows by their places in its file, a few thousand in memory at a time."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice

import pyarrow as pa
import pyarrow.parquet as pq

from sfnb.errors import StoreError
from sfnb.restore.compact import IdColumn
from sfnb.restore.folder import GROUP_ROWS, RestoreFolder
from sfnb.restore.plan import PlannedRow, Wave
from sfnb.store.translating import translated

ROWS_AT_A_TIME = 500
"""Rows that are Python values at a time."""


class WaveRows:
    """
    The rows of one wave's file.

    Args:
        folder: the job's.
    """

    def __init__(self, folder: RestoreFolder, wave: Wave) -> None:
        self._folder = folder
        self._wave = wave
        self._path = folder.rows_path(wave.number)

    def __iter__(self) -> Iterator[tuple[int, PlannedRow]]:
        """Place and row, in the order to send."""
        return enumerate(self._folder.wave_rows(self._wave.number, self._wave.object_name))

    def old_ids(self) -> IdColumn:
        """The rows' Ids in the snapshot, by place."""
        with self._opened() as stored:
            batches = stored.iter_batches(batch_size=GROUP_ROWS, columns=["old_id"])
            return IdColumn(i for batch in batches for i in batch.column("old_id").to_pylist())

    def reasons(self) -> dict[int, str]:
        """Of rows that have one, by place."""
        with self._opened() as stored:
            column = stored.read(columns=["reason"])["reason"].to_pylist()
        return {place: reason for place, reason in enumerate(column) if reason}

    def at(self, places: Iterable[int]) -> Iterator[tuple[int, PlannedRow]]:
        """The rows at these places, which must be sorted."""
        with self._opened() as stored:
            starts = [0]
            for number in range(stored.metadata.num_row_groups):
                starts.append(starts[-1] + stored.metadata.row_group(number).num_rows)
            group = 0

            def group_of(place: int) -> int:
                nonlocal group
                while place >= starts[group + 1]:
                    group += 1
                return group

            for number, some in groupby(places, key=group_of):
                table = stored.read_row_group(number)
                while wanted := list(islice(some, ROWS_AT_A_TIME)):
                    within = array("q", (place - starts[number] for place in wanted))
                    places = pa.Array.from_buffers(
                        pa.int64(), len(within), [None, pa.py_buffer(within)]
                    )
                    for place, saved in zip(wanted, table.take(places).to_pylist(), strict=True):
                        values = json.loads(saved.pop("values"))
                        yield place, PlannedRow(self._wave.object_name, values=values, **saved)

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        files = self._folder.files
        with translated(f"read {files.uri(self._path)}"):
            if not files.has(self._path):
                raise StoreError(
                    f"{files.uri(self._path)} is missing; the restore has to be planned again."
                )
            with files.open_input(self._path) as source:
                yield pq.ParquetFile(source)
