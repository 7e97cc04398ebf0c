"""One object's table without the versions that no snapshot that stays needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from sfnb.clock import Clock
from sfnb.errors import StoreError
from sfnb.store.columns import FROM, NEW, OWN_COLUMNS, UNTIL
from sfnb.store.commits import PRUNE
from sfnb.store.compaction.catalog import Catalog, read_catalog
from sfnb.store.compaction.count import VersionCounter, count_versions
from sfnb.store.compaction.ends import is_compacted
from sfnb.store.compaction.shares import Share, Sharing, rows_of
from sfnb.store.compaction.writer import write_versions
from sfnb.store.delta import Table
from sfnb.store.files import Files
from sfnb.store.log import LOG, newest_version
from sfnb.store.parts import Part
from sfnb.store.paths import records_path
from sfnb.store.place import RECORDS_FORMAT, place_of
from sfnb.store.proof import ID
from sfnb.store.restating.exchange import delete_files, exchange, tidy_log
from sfnb.store.restating.leftovers import is_left, new_path
from sfnb.store.restating.readings import base_of, readings_of
from sfnb.store.restating.rows import needed_rows
from sfnb.store.states.files import VersionFile, read_pieces, version_file
from sfnb.store.states.versions import arrow_flags


@dataclass
class _Change:
    """What a table gets and loses."""

    adds: list[Part] = field(default_factory=list)
    removes: list[Part] = field(default_factory=list)


class TablePrune:
    """
    The prune of one table. Killed anywhere, it can be repeated.

    Attributes:
        left_alone: files that no commit names, and that may yet be somebody's.

    Args:
        files: the org's folder, which is read.
        target: where the new files and commits go: the same, or another folder that has a copy of
            the table's log, for an estimate.
        wanted: the snapshots whose readings of the object are needed.
        open_snapshots: those that may still grow.
        is_quiet: no job is running, so that files which nothing names can go.
        there: paths from the org's folder that were there before this prune looked for jobs. What
            came later may be a job's that has begun meanwhile.
    """

    def __init__(
        self,
        files: Files,
        target: Files,
        name: str,
        clock: Clock,
        *,
        wanted: Collection[str],
        open_snapshots: Collection[str],
        is_quiet: Callable[[], bool],
        there: Collection[str],
    ) -> None:
        self.name = name
        self._table = files.below(records_path(name))
        self._target = target.below(records_path(name))
        self._clock = clock
        self._open = frozenset(open_snapshots)
        self._is_quiet = is_quiet
        folder = f"{records_path(name)}/"
        self._there = {p.removeprefix(folder) for p in there if p.startswith(folder)}
        readings = readings_of(self._table)
        bases = {base_of(readings, snapshot) for snapshot in self._open}
        # The next backup is compared with the newest reading, whether its snapshot stays or not.
        needed = {*wanted, *bases, base_of(readings, "~")}
        self.left_alone: set[str] = set()
        self.readings = [reading for reading in readings if reading.snapshot in needed]
        self._all_readings = readings
        self._points = sorted(reading.snapshot for reading in self.readings)

    def run(self) -> None:
        """Commit what is needed, then remove what is not."""
        seen = newest_version(self._table)
        catalog = read_catalog(self._table)
        change = self._change(catalog)
        if change.removes or len(self.readings) < len(self._all_readings):
            gone = {part.path for part in change.removes}
            live = [part for path, part in catalog.live.items() if path not in gone]
            exchange(
                self._target,
                self.name,
                self._clock,
                kind=PRUNE,
                adds=change.adds,
                removes=change.removes,
                live=[*live, *change.adds],
                readings=self.readings,
                seen=seen,
            )
        if self._is_quiet():
            tidy_log(self._target, self.name)
            self._tidy_files(catalog, {part.path for part in change.removes})

    def _tidy_files(self, catalog: Catalog, removed: set[str]) -> None:
        """
        Files that no commit names: of readings, compactions and prunes that were killed, or
        replaced.
        """
        live = read_catalog(self._target).live
        old = removed | {p for p in self._there if not p.startswith(f"{LOG}/")}
        for path in sorted(old - set(live)):
            if not self._is_quiet():
                return
            if path in removed or is_left(self._table, path, catalog, self._clock):
                self._target.delete(path)
            else:
                self.left_alone.add(path)

    # -- what changes --------------------------------------------------------------------------------------------------

    def _change(self, catalog: Catalog) -> _Change:
        change = _Change()
        try:
            found = [version_file(path) for path in catalog.live]
            current, tail = self._compactable(found)
            if self._drops(catalog, current, tail):
                change.removes += [catalog.live[file.path] for file in (*current, *tail)]
                self._rewrite_shares(catalog, [*current, *tail], change)
            done = {part.path for part in change.removes}
            for file in found:
                if is_compacted(file.generation) and file.path not in done:
                    self._rewrite_file(catalog, file, change)
        except BaseException:
            delete_files(self._target, [part.path for part in change.adds])
            raise
        return change

    def _compactable(
        self, found: Sequence[VersionFile]
    ) -> tuple[list[VersionFile], list[VersionFile]]:
        """What is current, and the new parts up to the first snapshot that may still grow."""
        new = sorted((f for f in found if f.generation == NEW), key=lambda f: f.snapshot)
        first = min(self._open, default="~")
        tail = [file for file in new if file.snapshot < first]
        return [f for f in found if f.generation == "current"], tail

    def _shares(
        self, catalog: Catalog, inputs: Sequence[VersionFile]
    ) -> dict[str, Sequence[Share]]:
        return dict(Sharing(self._table, catalog.settled).shares(inputs))

    def _drops(
        self, catalog: Catalog, current: Sequence[VersionFile], tail: Sequence[VersionFile]
    ) -> bool:
        """Whether a version in them is not needed, or a part's snapshot goes."""
        if any(file.snapshot not in self._points for file in tail):
            return True
        inputs = [*current, *tail]
        for shares in self._shares(catalog, inputs).values() if tail else ():
            for share in shares:
                if not all(needed_rows(b, self._points).all() for b in rows_of(share, ())):
                    return True
        return False

    def _rewrite_shares(
        self, catalog: Catalog, inputs: Sequence[VersionFile], change: _Change
    ) -> None:
        for generation, shares in sorted(self._shares(catalog, inputs).items()):
            names = {name for name, _ in self._columns()}
            batches = (batch for share in shares for batch in rows_of(share, names))
            self._write(generation, batches, change)

    def _rewrite_file(self, catalog: Catalog, file: VersionFile, change: _Change) -> None:
        """A compacted file without what is not needed; nothing where all of it is."""
        pieces = read_pieces(self._table, file.path, {FROM, UNTIL})
        if all(needed_rows(piece.batch, self._points).all() for piece in pieces):
            return
        columns = {name for name, _ in self._columns()} | set(OWN_COLUMNS)
        change.removes.append(catalog.live[file.path])
        rows = (piece.batch for piece in read_pieces(self._table, file.path, columns))
        self._write(file.generation, rows, change)

    def _columns(self) -> list[tuple[str, str]]:
        known = Table(self._table, self.name, place_of(self.name, "", RECORDS_FORMAT)).known()
        return [(name, kind) for name, kind in known.values() if name not in OWN_COLUMNS]

    def _write(self, generation: str, rows: Iterator[pa.RecordBatch], change: _Change) -> None:
        """
        The needed ones of some versions in a file of their own, read back.

        Raises:
            StoreError: what was read back is something else.
        """
        counter = VersionCounter()

        def needed() -> Iterator[pa.RecordBatch]:
            for batch in rows:
                flags = needed_rows(batch, self._points)
                if flags.any():
                    own = batch if flags.all() else batch.filter(arrow_flags(flags))
                    counter.add(_coded(own))
                    yield own

        path = new_path(generation, self.name)
        found = needed()
        first = next(found, None)
        if first is None:
            return

        def again() -> Iterator[pa.RecordBatch]:
            yield first
            yield from found

        part = write_versions(self._target, path, self._columns(), again())
        change.adds.append(part)
        if count_versions(self._target, [path]) != counter.count:
            raise StoreError(
                f"{self.name}: other versions were written than are needed. Nothing was removed; "
                "run `sfnb verify`."
            )


def _coded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns that are counted; sfnb's as a dictionary."""
    begun = batch.column(FROM)
    coded = begun if pa.types.is_dictionary(begun.type) else begun.dictionary_encode()
    names = [FROM] + [ID] * (ID in batch.schema.names)
    columns = [coded] + [batch.column(ID)] * (ID in batch.schema.names)
    return pa.RecordBatch.from_arrays(columns, names=names)
