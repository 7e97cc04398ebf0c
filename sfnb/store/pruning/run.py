"""Prunes an org's store, or says what that would free."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sfnb.clock import Clock
from sfnb.store.bodies.content import FOLDER, content_path
from sfnb.store.bodies.index import INDEX, index_paths, read_entries
from sfnb.store.compaction.catalog import read_catalog
from sfnb.store.files import Files
from sfnb.store.log import LOG
from sfnb.store.metadata.record import record_path
from sfnb.store.paths import (
    manifest_path,
    plan_path,
    records_path,
    schema_path,
    summary_path,
)
from sfnb.store.pruned import PATH as PRUNED
from sfnb.store.pruned import add_pruned, pruned_size, read_pruned
from sfnb.store.pruning.bodies import BodyPrune
from sfnb.store.pruning.metadata import MetadataPlan, plan_metadata, put_records
from sfnb.store.pruning.plan import PrunePlan
from sfnb.store.pruning.tables import TablePrune
from sfnb.store.restating.one_at_a_time import LOCK, restating
from sfnb.store.snapshots import Snapshots
from sfnb.store.states.everything import ids_of_files

Tell = Callable[[str], None]
"""Takes the name of what is being worked on."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune did or would do; ``bytes_…`` of all files of the org."""

    plan: PrunePlan
    bytes_before: int
    bytes_after: int

    def as_json(self) -> dict[str, Any]:
        """What `sfnb prune` prints."""
        return {
            "kept": list(self.plan.kept),
            "removed": sorted(self.plan.removed),
            "held": sorted(self.plan.held),
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "why": {name: list(why) for name, why in self.plan.kept.items()},
            "holds": dict(self.plan.held),
        }


class Prune:
    """
    The prune of an org's store. Killed anywhere, it can be repeated; every snapshot that stays
    reads as before at any moment.

    Args:
        files: the org's folder.
        is_quiet: whether no job of the org is running; called many times, because one may begin
            meanwhile. While one runs, files that nothing needs any more stay until the next prune:
            a reader may have opened them.
    """

    def __init__(
        self, files: Files, plan: PrunePlan, clock: Clock, *, is_quiet: Callable[[], bool]
    ) -> None:
        self._files = files
        self._plan = plan
        self._clock = clock
        # Listed before jobs are looked for: what a job writes that begins later is not among it.
        self._there = files.walk("")
        self._is_quiet = is_quiet
        self._metadata: MetadataPlan = plan_metadata(files, plan.staying, is_quiet=is_quiet())
        self._schemas: dict[str, set[str]] = defaultdict(set)

    def run(
        self, tell: Tell = lambda _: None, *, look_again: Callable[[], None] = lambda: None
    ) -> Pruned:
        """
        Args:
            look_again: called right before the first snapshot goes; may raise to stop.

        Raises:
            CallerError: another process compacts, prunes or erases in this store.
            StoreError: a table is damaged, or the disk is full. What was pruned so far is good.
        """
        files, plan = self._files, self._plan
        with restating(files, self._clock):
            before = _size(files)
            look_again()
            put_records(files, self._metadata)
            add_pruned(files, plan.removed, self._clock.now())
            for snapshot in sorted(read_pruned(files)):
                # Without its plan a snapshot is not there; without its manifest alone it would look
                # unfinished.
                for path_of in (plan_path, summary_path, manifest_path):
                    files.delete(path_of(snapshot))
            for table in self._tables(files):
                tell(table.name)
                table.run()
            if self._is_quiet():
                tell("files")
                BodyPrune(files, is_quiet=self._is_quiet).run()
            gone = self._metadata.gone if self._is_quiet() else ()
            for path in [*gone, *self._left_over()]:
                files.delete(path)
            return Pruned(plan, before, _size(files))

    def estimate(self, tell: Tell = lambda _: None) -> Pruned:
        """
        What it would free. The new files are written into a temporary folder to know their size.

        Cost: reads what a prune reads; needs room for the new files of one object.
        """
        files = self._files
        before = _size(files)
        freed = 0
        stored: dict[str, frozenset[str]] = {}
        indexed = {
            entry.object_name
            for path, snapshot in index_paths(files)
            for entry in read_entries(files, path, snapshot)
        }
        for table in self._tables(files):
            tell(table.name)
            with tempfile.TemporaryDirectory(prefix="sfnb-prune-") as folder:
                freed += self._freed(table.name, Files(folder), stored, indexed)
        freed += self._freed_bodies(stored)
        freed += sum(files.walk("metadata").get(path, 0) for path in self._metadata.gone)
        now = self._clock.now()
        freed += files.walk("").get(PRUNED, 0) - pruned_size(files, self._plan.removed, now)
        sizes = files.walk("snapshots")
        for snapshot in {*self._plan.removed, *read_pruned(files)}:
            keep = set(self._left_of(snapshot))
            freed += sum(
                size
                for path, size in sizes.items()
                if path.startswith(f"snapshots/{snapshot}/") and path not in keep
            )
        return Pruned(self._plan, before, max(0, before - freed))

    def _tables(
        self, files: Files, target: Files | None = None, only: str = ""
    ) -> Iterator[TablePrune]:
        unsealed = [s for s, why in self._plan.kept.items() if "not finished" in why]
        for name in files.names("records", folders=True):
            if only in ("", name):
                table = TablePrune(
                    files,
                    target or files,
                    name,
                    self._clock,
                    wanted=self._plan.readings.get(name, frozenset()),
                    open_snapshots=unsealed,
                    is_quiet=self._is_quiet,
                    there=self._there,
                )
                for reading in table.readings:
                    self._schemas[reading.snapshot].add(schema_path(reading.snapshot, name))
                yield table

    def _freed(
        self, name: str, scratch: Files, stored: dict[str, frozenset[str]], indexed: set[str]
    ) -> int:
        """Bytes that the prune of a table frees."""
        folder = records_path(name)
        source = self._files.below(folder)
        sizes = source.walk("")
        for path in sizes:
            if path.startswith(f"{LOG}/") and (content := source.read(path)) is not None:
                scratch.put(f"{folder}/{path}", content)
        (table,) = self._tables(self._files, scratch, name)
        table.run()
        target = scratch.below(folder)
        live = read_catalog(target).live
        new = target.walk("")
        if name in indexed:
            stored[name] = ids_of_files(
                [(target if path in new else source, path) for path in live]
            )
        after = sum(new.values()) + sum(sizes[path] for path in live if path not in new)
        after += sum(sizes[path] for path in table.left_alone)
        if not self._is_quiet():
            after += sum(
                size for path, size in sizes.items() if path not in live and path not in new
            )
        return sum(sizes.values()) - after

    def _freed_bodies(self, stored: Mapping[str, frozenset[str]]) -> int:
        if not self._is_quiet():
            return 0
        sizes = {p: n for p, n in self._files.walk(FOLDER).items() if not p.startswith(f"{INDEX}/")}
        for path, snapshot in index_paths(self._files):
            for entry in read_entries(self._files, path, snapshot):
                if entry.state == "held" and entry.id in stored.get(entry.object_name, ()):
                    sizes.pop(content_path(entry.sha256), None)
        return sum(sizes.values())

    # -- the folders of snapshots that went ----------------------------------------------------------------------------

    def _left_of(self, snapshot: str) -> Iterator[str]:
        """The files of a pruned snapshot that others need: schemas of readings, metadata."""
        yield from self._schemas.get(snapshot, ())
        if snapshot in self._metadata.needed:
            yield record_path(snapshot)

    def _left_over(self) -> Iterator[str]:
        there = set(Snapshots(self._files))
        for snapshot in read_pruned(self._files):
            if snapshot not in there:
                keep = set(self._left_of(snapshot))
                folder = f"snapshots/{snapshot}"
                yield from (path for path in self._files.walk(folder) if path not in keep)


def _size(files: Files) -> int:
    return sum(size for path, size in files.walk("").items() if path != LOCK)
