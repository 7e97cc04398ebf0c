"""One object's share of a snapshot's writer: its table, its parts, its commits."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from sfnb.clock import Clock
from sfnb.errors import CallerError, StoreError
from sfnb.store.columns import COLUMNS_ONLY, stored_columns
from sfnb.store.commits import Commit
from sfnb.store.delta import ATTEMPTS, Table, as_in_table, is_damaged
from sfnb.store.files import Files
from sfnb.store.layout import Layout, layout_for, sources_of, with_columns
from sfnb.store.log import newest_version
from sfnb.store.manifest import SnapshotPlan, read_committed
from sfnb.store.moving import move
from sfnb.store.object_commits import ObjectCommits, TableMoved
from sfnb.store.part_writer import PartTarget, PartWriter
from sfnb.store.parts import Part, record_ids
from sfnb.store.paths import schema_path, sweeps_folder
from sfnb.store.place import RECORDS_FORMAT, Place, aside_place, place_of
from sfnb.store.progress import NOTHING, Progress, advanced, refreshing, settled
from sfnb.store.proof import ID, Proof, prove
from sfnb.store.readings import is_replay_open, last_settled
from sfnb.store.schema import ObjectColumns, put_schema, read_schema
from sfnb.store.settling.outcome import Settled
from sfnb.store.settling.reading import Asked, Before, Reading, is_staged
from sfnb.store.settling.samples import Drift, an_id, compare_sample
from sfnb.store.settling.settle import settle
from sfnb.store.settling.sweeps import SWEPT, IdDifference, compare_ids
from sfnb.store.states.files import live_files, stamp_files
from sfnb.store.translating import translated


class ObjectWriter:
    """
    Writes one object of one snapshot.

    ``_lock`` guards everything that changes. Parts are written outside of it, so several threads
    can do so at once.
    """

    def __init__(self, files: Files, plan: SnapshotPlan, name: str, clock: Clock) -> None:
        self._place = place_of(name, plan.snapshot, plan.format)
        self._root = files
        self._files = files.below(self._place.folder)
        self._plan = plan
        self._snapshot = plan.snapshot
        self._name = name
        self._clock = clock
        self._lock = threading.RLock()
        self._open()

    def _open(self) -> None:
        self._target: PartTarget | None = None
        self._table = Table(self._files, self._name, self._place)
        self._commits = self._commits_of()

    def _commits_of(self) -> ObjectCommits:
        return ObjectCommits(self._root, self._plan, self._name, self._table, self._clock)

    def columns(self) -> pa.Schema | None:
        """The object's columns in this snapshot, or None before ``put_schema``."""
        with self._lock:
            schema = self._commits.schema()
            return schema.columns if schema else None

    def describe(self) -> dict[str, Any]:
        """See ``Writer.describe``."""
        stored = read_schema(self._root, self._snapshot, self._name)
        return dict(stored.describe) if stored else {}

    def put_schema(self, schema: pa.Schema, describe: Mapping[str, Any]) -> pa.Schema:
        """See ``Writer.put_schema``."""
        with self._lock:
            if (kept := self.columns()) is not None:
                return kept
            columns = stored_columns(schema, self._name)
            after = newest_version(self._files)
            self._commits.refuse_newer(after)
            layout = layout_for(columns, self._table.known())
            self._table.fit(layout)
            stored = ObjectColumns(self._snapshot, self._name, columns, describe, layout, after)
            self._commits.keep(put_schema(self._root, stored))
            return columns

    def progress(self) -> Progress:
        """
        See ``Writer.progress``. Read once: from then on nobody else writes this object of this
        snapshot.
        """
        with self._lock:
            return self._commits.progress()

    def prove(self, parts: Sequence[Part], org_count: int | None) -> Proof:
        """See ``Writer.prove``."""
        with self._lock:
            self.progress()
            committed = self._commits.live_parts()
            names = {part.path for part in committed}
            added = [part for part in parts if part.path and part.path not in names]
            fields = [stored.field for stored in self._commits.layout()]
            return prove(self._files, [*committed, *added], fields, org_count=org_count)

    def ids(self) -> list[str]:
        """See ``Writer.ids``."""
        _, parts = read_committed(self._root, self._plan, self._name)
        found: list[str] = []
        for part in parts:
            with (
                translated(f"read {self._files.uri(part.path)}"),
                self._files.open_input(part.path) as source,
            ):
                found += record_ids(source)
        return found

    def target(self, fields: Sequence[str] | None = None) -> PartTarget:
        """See ``Writer.target``."""
        with self._lock:
            if self._target is None:
                known = self._table.known()
                layout = tuple(as_in_table(stored, known) for stored in self._commits.layout())
                self._table.fit(layout)
                own = {stored.column for stored in layout}
                others = tuple(column for column in known.values() if column[0] not in own)
                self._target = self._target_at(self._place, layout, others)
            if fields is None:
                return self._target
            if unknown := sorted(set(fields) - {f.field for f in self._target.layout}):
                raise CallerError(f"{self._name} has no field {', '.join(unknown)}.")
            some = tuple(f for f in self._target.layout if f.field in {ID, *fields})
            place = aside_place(self._name, self._snapshot, COLUMNS_ONLY)
            return replace(self._target, layout=some, place=place)

    def _target_at(
        self, place: Place, layout: Layout, others: tuple[tuple[str, str], ...] = ()
    ) -> PartTarget:
        encrypted = self._root.cipher.root if self._root.cipher else ""
        return PartTarget(
            self._root.root, self._snapshot, self._name, place, layout, others, encrypted
        )

    def sweep_target(self) -> PartTarget:
        """See ``Writer.sweep_target``."""
        layout = tuple(f for f in self._commits.layout() if f.field in SWEPT)
        place = Place(sweeps_folder(self._snapshot, self._name), "", "")
        return self._target_at(place, layout)

    def compare_ids(self, parts: Sequence[Part]) -> IdDifference:
        """See ``Writer.compare_ids``."""
        with self._lock:
            self.progress()
            known = {part.path for part in self._commits.live_parts()}
            reading = self._reading([p for p in parts if p.path and p.path not in known], None)
            if reading.staged:
                return compare_ids(self._files, reading.staged, reading)
            swept = self._root.below(sweeps_folder(self._snapshot, self._name))
            return compare_ids(swept, parts, self._reading((), None))

    def sample_target(self, base: ObjectColumns) -> PartTarget:
        """See ``Writer.sample_target``."""
        known = self._table.known()
        layout = tuple(as_in_table(stored, known) for stored in base.layout)
        place = Place(sweeps_folder(self._snapshot, self._name), "", "")
        return self._target_at(place, layout)

    def an_id(self, seed: int) -> str:
        """See ``Writer.an_id``."""
        return an_id(self._files, self._before().files, seed)

    def compare_sample(self, base: ObjectColumns, parts: Sequence[Part]) -> Drift:
        """See ``Writer.compare_sample``."""
        with self._lock:
            self.progress()
            target, before = self.sample_target(base), self._before()
            live = self._commits.live_parts()
            reading = Reading(self._root, self._files, target, live, (), before, "", self._clock)
            folder = self._root.below(sweeps_folder(self._snapshot, self._name))
            return compare_sample(folder, parts, reading)

    def write_parts(self, batches: Iterable[pa.RecordBatch]) -> list[Part]:
        """See ``Writer.write_parts``."""
        return PartWriter(self.target(), self._clock, files=self._root).write(batches)

    def commit(
        self,
        parts: Sequence[Part],
        cursor: Mapping[str, Any] | None,
        *,
        is_done: bool,
        proof: Proof | None,
    ) -> Progress:
        """See ``Writer.commit``."""
        written = [part for part in parts if part.path]
        with self._lock:
            before = self.progress()
            if written and self._commits.is_last(written):
                return before
            if is_done and self._plan.format >= RECORDS_FORMAT:
                ended = self.settle(written, cursor, Asked("full", (), _count(proof)))
                if not ended.proof.problem:
                    return ended.progress
                proof = ended.proof
            if is_done and proof is None:
                proof = self.prove(written, None)
            after = advanced(before, written, cursor, is_done=is_done, proof=proof)
            if before.held is not None:
                # A refresh begins after the reading: what the snapshot holds stays complete.
                after = refreshing(before, written, cursor)
            return self._commits.put(after, written)

    def settle(
        self, parts: Sequence[Part], cursor: Mapping[str, Any] | None, asked: Asked
    ) -> Settled:
        """See ``Writer.settle``."""
        with self._lock:
            before = self.progress()
            committed = self._commits.live_parts()
            names = {part.path for part in committed}
            added = [part for part in parts if part.path and part.path not in names]
            is_refresh = any(is_staged(part) for part in (*committed, *added))
            if before.held is not None and before.proof is not None and not is_refresh:
                return Settled.of(before, before.proof, before.held)
            if self._plan.format < RECORDS_FORMAT:
                return self._end(added, cursor, asked)
            self._table.fit(self._commits.layout_of(added))
            for _ in range(ATTEMPTS):
                try:
                    state = self._before(is_afresh=asked.is_afresh)
                    return self._settle(self._reading(added, cursor, state), cursor, asked)
                except TableMoved:
                    continue
            raise StoreError(f"{self._name}: other backups write to its table without end.")

    def _reading(
        self,
        added: Sequence[Part],
        cursor: Mapping[str, Any] | None,
        before: Before | None = None,
    ) -> Reading:
        now = self.progress()
        return Reading(
            self._root,
            self._files,
            self.target(),
            self._commits.live_parts(),
            added,
            before or self._before(),
            str((cursor or {}).get("started_at") or ""),
            self._clock,
            now.held,
            now.proof,
        )

    def _settle(self, reading: Reading, cursor: Mapping[str, Any] | None, asked: Asked) -> Settled:
        seen = self._table.version
        outcome = settle(reading, asked)
        if outcome.held is None:
            return Settled.of(self.progress(), outcome.proof, None)
        removed = {part.path for part in outcome.removes}
        live = [part for part in reading.committed if part.path not in removed] + outcome.adds
        after = settled(self.progress(), live, cursor, proof=outcome.proof, held=outcome.held)
        try:
            progress = self._commits.put(after, outcome.adds, outcome.removes, seen=seen)
        except TableMoved:
            for part in outcome.adds:
                if part not in reading.added:
                    self._files.delete(part.path)
            raise
        for path in outcome.orphans:
            self._files.delete(path)
        return Settled.of(progress, outcome.proof, outcome.held, outcome.refreshed)

    def _end(
        self, parts: Sequence[Part], cursor: Mapping[str, Any] | None, asked: Asked
    ) -> Settled:
        """The end of a reading that began in format 1 or 2: nothing is compared."""
        proof = self.prove(parts, asked.org_count)
        if proof.problem:
            return Settled.of(self.progress(), proof, None)
        progress = self.commit(parts, cursor, is_done=True, proof=proof)
        return Settled.of(progress, proof, None)

    def _before(self, *, is_afresh: bool = False) -> Before:
        """
        The state of the object before this snapshot.

        Args:
            is_afresh: nothing is compared with it, so its columns need not be known.
        """
        with translated(f"open the table of {self._name}"):
            table = self._table.open()
            uris = table.file_uris() if table is not None else []
        older = [file for file in live_files(uris) if file.snapshot < self._snapshot]
        stamps = [file for file in stamp_files(uris) if file.snapshot < self._snapshot]
        # An object that was complete without a single record has no file, and a state all the same.
        last = self._last_settled() if table is not None else None
        if last is None:
            # What an upgrade has not finished is no state yet.
            return Before(() if is_replay_open(self._files) and not self._commits.replay else older)
        schema = None
        if not is_afresh:
            schema = read_schema(self._root, last.snapshot, self._name)
        proof, held = last.progress.proof, last.progress.held
        sources = sources_of([schema.layout]) if schema else []
        return Before(
            older,
            last.snapshot,
            proof.key if proof else None,
            held,
            with_columns(sources, held.columns if held else {}),
            stamps,
        )

    def _last_settled(self) -> Commit | None:
        return last_settled(self._files, self._snapshot)

    def set_aside(self) -> bool:
        """See ``Writer.set_aside``."""
        with self._lock:
            if not is_damaged(self._files, self._name):
                return False
            for path in self._files.walk(""):
                there = f"{self._place.folder}/{path}"
                move(self._root, there, f"damaged/{self._snapshot}/{there}")
            self._root.delete_folder(self._place.folder)
            # What was put under the old table says where its log ends.
            self._root.delete(schema_path(self._snapshot, self._name))
            self._open()
            return True

    def restart(self, cursor: Mapping[str, Any] | None) -> Progress:
        """See ``Writer.restart``."""
        with self._lock:
            self._commits.read_last()
            before, alive = read_committed(self._root, self._plan, self._name)
            number = before.number + 1
            after = replace(
                NOTHING,
                cursor=None if cursor is None else dict(cursor),
                number=number,
                since=number,
            )
            return self._commits.put(after, [], alive)


def _count(proof: Proof | None) -> int | None:
    return proof.org_count if proof else None
