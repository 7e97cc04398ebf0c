"""
The worker's half of writing: rows become parts, in any thread or process.

A worker needs nothing but a ``PartTarget``, which is a plain value. What it returns are plain
values, too. No part is visible until the deciding thread commits it (``tables.Writer.commit``), so
a worker that dies leaves an orphaned file at worst.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from sfnb.clock import Clock
from sfnb.store.files import Files
from sfnb.store.layout import Known, Layout, fitted, known_columns
from sfnb.store.parts import Part, RowGroupWriter, regrouped
from sfnb.store.place import Place


def part_path(place: Place, object_name: str, snapshot: str) -> str:
    """
    A new part's path from the table's folder.

    Random, because no worker knows what the others write, or what a killed one has left.
    """
    folder = f"{place.column}={place.value}/" if place.column else ""
    return f"{folder}{object_name}-{snapshot}-{secrets.token_hex(8)}.parquet"


@dataclass(frozen=True, slots=True)
class PartTarget:
    """
    Where the parts of one object of one snapshot go, and which columns they have. It pickles.

    ``Writer.target`` makes it, on the deciding thread; workers pass it on as it is.

    Args:
        root: the org's folder in the store, or its address.
        place: the folder, and what the rows have beside the object's fields.
        layout: the object's fields and the columns that hold them.
        others: the table's other columns, name and type: among them those of fields that were
            retyped.
        encrypted: the root of the store, if it is encrypted: who writes finds the key by itself.
    """

    root: str
    snapshot: str
    object_name: str
    place: Place
    layout: Layout
    others: tuple[tuple[str, str], ...] = ()
    encrypted: str = ""


def _files_of(target: PartTarget) -> Files:
    if not target.encrypted:
        return Files(target.root)
    from sfnb.store.store_key import cipher_at

    return Files(target.root, cipher=cipher_at(target.encrypted))


class PartWriter:
    """
    Writes parts for one target. Holds nothing that changes, so threads may share one.

    Args:
        files: the org's folder, when the caller has it open already.
    """

    def __init__(self, target: PartTarget, clock: Clock, *, files: Files | None = None) -> None:
        self._target = target
        self._files = (files or _files_of(target)).below(target.place.folder)
        own = ((stored.column, stored.kind) for stored in target.layout)
        self._known = known_columns((*own, *target.others))
        self._clock = clock

    def write(self, batches: Iterable[pa.RecordBatch]) -> list[Part]:
        """
        Stream batches into Parquet files, durable but not yet visible when this returns.

        Holds one row group in memory. An exception of ``batches`` comes out as it is, and the
        unfinished file is removed. A value that does not fit its field's column gets a wider one,
        in a part of its own: no value is changed or refused for its type.

        Returns:
            The parts in the order of the rows: none without rows, normally one. Commit all of them
            together.

        Raises:
            StoreError: the disk is full or cannot be written, or the rows have a field that is not
                the object's.
        """
        parts: list[Part] = []
        tables = _Tables(regrouped(batches), self._target.layout, self._known)
        while tables.take() is not None:
            parts.append(self._write_part(tables))
        return parts

    def _write_part(self, tables: _Tables) -> Part:
        """One file, for as long as the rows have one layout."""
        path, layout = self._new_path(), tables.layout
        with self._files.open_new(path) as sink:
            writer = RowGroupWriter(
                sink,
                layout,
                object_name=self._target.object_name,
                extracted_at=self._clock.now(),
                constants=self._target.place.constants,
            )
            try:
                while tables.table is not None and tables.layout == layout:
                    table, tables.table = tables.table, None
                    writer.write(table)
                    del table  # released before the next one is gathered
                    tables.take()
            finally:
                writer.close()
        base = set(self._target.layout)
        return replace(writer.part(path), widened=tuple(f for f in layout if f not in base))

    def _new_path(self) -> str:
        target = self._target
        return part_path(target.place, target.object_name, target.snapshot)


class _Tables:
    """Row groups one at a time, each with the layout that fits its values."""

    def __init__(self, tables: Iterator[pa.Table], layout: Layout, known: Known) -> None:
        self._tables = tables
        self._known = known
        self.table: pa.Table | None = None
        self.layout = layout

    def take(self) -> pa.Table | None:
        """The table at hand, else the next one; None at the end."""
        if self.table is None:
            self.table = next(self._tables, None)
            if self.table is not None:
                # What has been widened stays so while it fits: fewer, larger parts.
                self.layout = fitted(self.table, self.layout, self._known)
        return self.table
