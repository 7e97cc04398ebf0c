"""
The worker's half of writing: rows become parts, in any thread or process.

A worker needs nothing but a ``PartTarget``, which is a plain value. What it returns are plain values, too. No part is
visible until the deciding thread commits it (``tables.Writer.commit``), so a worker that dies leaves an orphaned file
at worst.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from sfnb.clock import Clock
from sfnb.store.columns import columns_from_json
from sfnb.store.files import Files
from sfnb.store.parts import SNAPSHOT, Part, RowGroupWriter, regrouped
from sfnb.store.paths import table_path


@dataclass(frozen=True, slots=True)
class PartTarget:
    """
    Where the parts of one object of one snapshot go, and which columns they have. It pickles.

    ``Writer.target`` makes it, on the deciding thread; workers pass it on as it is.

    Args:
        root: the org's folder in the store, or its address.
        columns: name and stored type of each column, in order.
    """

    root: str
    snapshot: str
    object_name: str
    columns: tuple[tuple[str, str], ...]


class PartWriter:
    """
    Writes parts for one target. Holds nothing that changes, so threads may share one.

    Args:
        files: the org's folder, when the caller has it open already.
    """

    def __init__(self, target: PartTarget, clock: Clock, *, files: Files | None = None) -> None:
        self._target = target
        self._files = (files or Files(target.root)).below(table_path(target.object_name))
        self._columns = columns_from_json(dict(target.columns))
        self._clock = clock

    def write(self, batches: Iterable[pa.RecordBatch]) -> list[Part]:
        """
        Stream batches into Parquet files, durable but not yet visible when this returns.

        Holds one row group in memory. An exception of ``batches`` comes out as it is, and the unfinished file is
        removed.

        Returns:
            The parts in the order of the rows: none without rows, normally one. Commit all of them together.

        Raises:
            StoreError: the disk is full or cannot be written, or a value does not fit its column.
        """
        tables = regrouped(batches)
        table = next(tables, None)
        if table is None:
            return []
        path = self._new_path()
        with self._files.open_new(path) as sink:
            writer = RowGroupWriter(
                sink,
                self._columns,
                object_name=self._target.object_name,
                extracted_at=self._clock.now(),
            )
            try:
                while table is not None:
                    writer.write(table)
                    table = None  # released before the next one is gathered
                    table = next(tables, None)
            finally:
                writer.close()
        return [writer.part(path)]

    def _new_path(self) -> str:
        # Random, because no worker knows what the others write, or what a killed one has left.
        target = self._target
        name = f"{target.object_name}-{target.snapshot}-{secrets.token_hex(8)}.parquet"
        return f"{SNAPSHOT}={target.snapshot}/{name}"
