"""One object's table without some records: its files, its commits and their statistics."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sfnb.clock import Clock
from sfnb.errors import JobError, StoreError
from sfnb.store.columns import COLUMNS_ONLY, FROM, OP, OWN_COLUMNS, STAMPS, UNTIL
from sfnb.store.commits import ERASE, Commit
from sfnb.store.compaction.catalog import read_catalog
from sfnb.store.compaction.writer import write_versions
from sfnb.store.delta import Table
from sfnb.store.erasing.counts import Version, without
from sfnb.store.files import Files
from sfnb.store.log import LOG, newest_version
from sfnb.store.parts import Part, text_array
from sfnb.store.paths import records_path
from sfnb.store.place import RECORDS_FORMAT, place_of
from sfnb.store.proof import ID
from sfnb.store.restating.exchange import delete_files, exchange, tidy_log
from sfnb.store.restating.leftovers import is_left, restated_name
from sfnb.store.restating.readings import readings_of
from sfnb.store.states.files import read_pieces, version_file
from sfnb.store.states.versions import arrow_flags
from sfnb.store.translating import translated


@dataclass(frozen=True)
class Found:
    """
    What a table has of some records.

    Args:
        versions: all of them, in whatever state they are.
        paths: the files that have a row of one of them.
    """

    versions: tuple[Version, ...]
    paths: tuple[str, ...]

    def snapshots(self, readings: Collection[str]) -> set[str]:
        """Those of some readings in whose state one of them is."""
        from sfnb.store.erasing.counts import erased_at

        return {s for s in readings if any(erased_at(self.versions, s).values())}


def find(files: Files, name: str, ids: Collection[str]) -> Found:
    """What the live files of a table have of these records. Cost: reads the Ids of all versions."""
    table = files.below(records_path(name))
    wanted = text_array(sorted(ids))
    versions: list[Version] = []
    paths: list[str] = []
    for path in read_catalog(table).live:
        file = version_file(path)
        is_version = file.generation not in (COLUMNS_ONLY, STAMPS)
        for piece in read_pieces(table, path, {ID, OP, FROM, UNTIL}):
            if ID not in piece.batch.schema.names:
                break
            batch = piece.batch.filter(pc.is_in(piece.batch.column(ID), value_set=wanted))
            if not batch.num_rows:
                continue
            if path not in paths:
                paths.append(path)
            ends: list[str | None] = [None] * batch.num_rows
            if UNTIL in batch.schema.names:
                ends = batch.column(UNTIL).to_pylist()
            columns = (batch.column(one).to_pylist() for one in (ID, FROM, OP))
            if is_version:
                versions += [
                    Version(one, begun, end, op)
                    for one, begun, op, end in zip(*columns, ends, strict=True)
                ]
    return Found(tuple(versions), tuple(paths))


class TableErase:
    """
    Takes records out of one table, with every file and commit that has one of them.

    Killed anywhere, it can be repeated.

    Args:
        files: the org's folder.
    """

    def __init__(self, files: Files, name: str, ids: Collection[str], clock: Clock) -> None:
        self.name = name
        self._table = files.below(records_path(name))
        self._ids = frozenset(ids)
        self._clock = clock
        self._files = files

    def run(self) -> None:
        """
        Raises:
            JobError: a reading that is not finished stands at one of them.
            StoreError: the table is damaged, or the disk is full.
        """
        seen = newest_version(self._table)
        if seen < 0:
            return
        found = find(self._files, self.name, self._ids)
        readings = readings_of(self._table)
        if found.paths or self._is_named():
            self._exchange(found, readings, seen)
        catalog = read_catalog(self._table)
        tidy_log(self._table, self.name)
        there = {p for p in self._table.walk("") if not p.startswith(f"{LOG}/")}
        for path in sorted(there - set(catalog.live)):
            if is_left(self._table, path, catalog, self._clock) or self._has_one(path):
                self._table.delete(path)

    def _has_one(self, path: str) -> bool:
        """Whether a file that no commit names has a row of one of the records."""
        wanted = text_array(sorted(self._ids))
        return any(
            ID in piece.batch.schema.names
            and pc.any(pc.is_in(piece.batch.column(ID), wanted)).as_py()
            for piece in read_pieces(self._table, path, {ID})
        )

    def _is_named(self) -> bool:
        """Whether the log names one of them, though no file has it any more."""
        for path in self._table.walk(LOG):
            if path.endswith(".json"):
                text = self._table.read(path) or b""
                if any(one.encode() in text for one in self._ids):
                    return True
        return False

    def _exchange(self, found: Found, readings: Collection[Commit], seen: int) -> None:
        catalog = read_catalog(self._table)
        self._refuse_standing(readings)
        rewritten: dict[str, Part | None] = {}
        try:
            for path in found.paths:
                rewritten[path] = self._without(catalog.live[path])
        except BaseException:
            delete_files(self._table, [p.path for p in rewritten.values() if p is not None])
            raise
        adds = [part for part in rewritten.values() if part is not None]
        exchange(
            self._table,
            self.name,
            self._clock,
            kind=ERASE,
            adds=adds,
            removes=[catalog.live[path] for path in found.paths],
            live=[
                part
                for path, was in catalog.live.items()
                if (part := rewritten.get(path, was)) is not None
            ],
            readings=[
                _without_cursor(without(r, found.versions, rewritten, self._ids), self._ids)
                for r in readings
            ],
            seen=seen,
        )

    def _refuse_standing(self, readings: Collection[Commit]) -> None:
        for reading in readings:
            text = json.dumps(reading.progress.cursor)
            if not reading.progress.is_done and any(one in text for one in self._ids):
                raise JobError(
                    f"the backup {reading.snapshot} has read {self.name} up to one of these records. "
                    "Resume or cancel it first."
                )

    def _without(self, part: Part) -> Part | None:
        """
        The part's rows but those of the records, in a new file of the same generation.

        Raises:
            StoreError: the new file has another number of rows than it must have.
        """
        table, path = self._table, restated_name(part.path)
        with translated(f"read {table.uri(part.path)}"), table.open_input(part.path) as source:
            names = set(pq.read_schema(source).names)
        known = Table(table, self.name, place_of(self.name, "", RECORDS_FORMAT)).known()
        columns = [(n, k) for n, k in known.values() if n in names and n not in OWN_COLUMNS]
        wanted = text_array(sorted(self._ids))
        kept = gone = 0

        def rows() -> Iterator[pa.RecordBatch]:
            nonlocal kept, gone
            for piece in read_pieces(table, part.path, names):
                is_in = np.asarray(pc.is_in(piece.batch.column(ID), value_set=wanted))
                own = piece.batch.filter(arrow_flags(~is_in))
                kept, gone = kept + own.num_rows, gone + int(is_in.sum())
                if own.num_rows:
                    yield own

        found = rows()
        first = next(found, None)
        if first is None:
            return None

        def again() -> Iterator[pa.RecordBatch]:
            yield first
            yield from found

        new = write_versions(table, path, columns, _with_until(again()))
        if new.records != kept or kept + gone != part.records:
            table.delete(path)
            raise StoreError(f"{self.name}: {part.path} has other rows than its commit says.")
        return replace(new, widened=part.widened)


def _with_until(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if UNTIL in batch.schema.names:
            yield batch
        else:
            yield batch.append_column(UNTIL, pa.nulls(batch.num_rows, pa.string()))


def _without_cursor(reading: Commit, ids: Collection[str]) -> Commit:
    """A finished reading's cursor does not need the Id at which it ended."""
    cursor = reading.progress.cursor
    if not cursor or not any(one in json.dumps(cursor) for one in ids):
        return reading
    kept = {k: v for k, v in cursor.items() if not any(one in json.dumps(v) for one in ids)}
    return replace(reading, progress=replace(reading.progress, cursor=kept))
