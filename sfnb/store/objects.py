"""One object's share of a snapshot's writer: its table, its parts, its commits."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import DeltaError

from sfnb.clock import Clock
from sfnb.errors import CallerError, ObjectError, StoreError
from sfnb.store.columns import COLUMNS_ONLY, stored_columns
from sfnb.store.delta import ATTEMPTS, Table, as_in_table
from sfnb.store.encoding import encode
from sfnb.store.files import Files, translated
from sfnb.store.formats import OLDER, NewerFormat
from sfnb.store.layout import Layout, layout_for, sources_of, with_columns
from sfnb.store.log import (
    Commit,
    Replay,
    log_path,
    metadata,
    newest_version,
    parse_commit,
    read_commits,
)
from sfnb.store.manifest import SnapshotPlan, read_committed
from sfnb.store.part_writer import PartTarget, PartWriter
from sfnb.store.parts import Part, record_ids
from sfnb.store.paths import sweeps_folder
from sfnb.store.place import RECORDS_FORMAT, Place, aside_place, place_of
from sfnb.store.progress import NOTHING, Progress, Total, advanced, refreshing, settled
from sfnb.store.proof import ID, Proof, prove
from sfnb.store.readings import is_replay_open, last_settled, newest_reading
from sfnb.store.schema import ObjectColumns, put_schema, read_schema
from sfnb.store.settling.outcome import Settled
from sfnb.store.settling.reading import Asked, Before, Reading, is_staged
from sfnb.store.settling.settle import settle
from sfnb.store.settling.sweeps import SWEPT, IdDifference, compare_ids
from sfnb.store.states.files import live_files, stamp_files


class ReadByNewer(ObjectError):
    """A newer snapshot has committed to this table: an older one may add nothing any more."""


class TableMoved(StoreError):
    """Somebody has committed since the state before was read: compare again."""


class OtherWriter(StoreError):
    """The log has a commit of this snapshot that this writer has not made."""


class ObjectWriter:
    """
    Writes one object of one snapshot.

    ``_lock`` guards everything that changes. Parts are written outside of it, so several threads
    can do so at once.
    """

    replay: Replay | None = None
    """Set by an upgrade that writes a reading of an older format anew."""

    def __init__(self, files: Files, plan: SnapshotPlan, name: str, clock: Clock) -> None:
        self._place = place_of(name, plan.snapshot, plan.format)
        self._root = files
        self._files = files.below(self._place.folder)
        self._plan = plan
        self._snapshot = plan.snapshot
        self._name = name
        self._clock = clock
        self._lock = threading.RLock()
        self._schema: ObjectColumns | None = None
        self._columns: pa.Schema | None = None
        self._target: PartTarget | None = None
        self._table = Table(self._files, name, self._place)
        self._last: Commit | None = None
        self._is_read = False
        self._parts: list[Part] | None = None

    def columns(self) -> pa.Schema | None:
        """The object's columns in this snapshot, or None before ``put_schema``."""
        with self._lock:
            if self._columns is None:
                self._schema = read_schema(self._root, self._snapshot, self._name)
                if self._schema is not None:
                    self._columns = self._schema.columns
            return self._columns

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
            self._refuse_newer(after)
            layout = layout_for(columns, self._table.known())
            self._table.fit(layout)
            stored = ObjectColumns(self._snapshot, self._name, columns, describe, layout, after)
            self._schema = put_schema(self._root, stored)
            self._columns = columns
            return columns

    def _refuse_newer(self, version: int) -> None:
        """
        Nothing is added to a table that a newer sfnb has written to: it may have rules that this
        one would break.
        """
        text = self._files.read(log_path(version)) if version >= 0 else None
        if text is None:
            return
        try:
            parse_commit(text, version, self._files.uri(log_path(version)))
        except NewerFormat:
            raise
        except StoreError:
            return  # `verify` names this damage; Delta decides whether the table can still be written

    def _known_layout(self) -> Layout:
        self.columns()
        if self._schema is None:
            raise StoreError(f"{self._name}: its columns are not known yet; call put_schema first.")
        return self._schema.layout

    def progress(self) -> Progress:
        """
        See ``Writer.progress``. Read once: from then on nobody else writes this object of this
        snapshot.
        """
        with self._lock:
            last = self._last if self._is_read else self._read_last()
            return last.progress if last else NOTHING

    def _read_last(self) -> Commit | None:
        self.columns()
        self._last = None
        if self._schema is not None:
            commits = read_commits(self._files, self._snapshot, after=self._schema.after)
            self._last = next(commits, None)
        self._is_read = True
        if self._last is None:
            self._parts = []
        return self._last

    def _live_parts(self) -> list[Part]:
        """The parts committed since the last restart."""
        if self._parts is None:
            _, self._parts = read_committed(self._root, self._plan, self._name)
        return self._parts

    def prove(self, parts: Sequence[Part], org_count: int | None) -> Proof:
        """See ``Writer.prove``."""
        with self._lock:
            self.progress()
            committed = self._live_parts()
            names = {part.path for part in committed}
            added = [part for part in parts if part.path and part.path not in names]
            fields = [stored.field for stored in self._known_layout()]
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
                layout = tuple(as_in_table(stored, known) for stored in self._known_layout())
                self._table.fit(layout)
                own = {stored.column for stored in layout}
                others = tuple(column for column in known.values() if column[0] not in own)
                self._target = PartTarget(
                    self._root.root, self._snapshot, self._name, self._place, layout, others
                )
            if fields is None:
                return self._target
            if unknown := sorted(set(fields) - {f.field for f in self._target.layout}):
                raise CallerError(f"{self._name} has no field {', '.join(unknown)}.")
            some = tuple(f for f in self._target.layout if f.field in {ID, *fields})
            place = aside_place(self._name, self._snapshot, COLUMNS_ONLY)
            return replace(self._target, layout=some, place=place)

    def sweep_target(self) -> PartTarget:
        """See ``Writer.sweep_target``."""
        layout = tuple(f for f in self._known_layout() if f.field in SWEPT)
        place = Place(sweeps_folder(self._snapshot, self._name), "", "")
        return PartTarget(self._root.root, self._snapshot, self._name, place, layout)

    def compare_ids(self, parts: Sequence[Part]) -> IdDifference:
        """See ``Writer.compare_ids``."""
        with self._lock:
            swept = self._root.below(sweeps_folder(self._snapshot, self._name))
            return compare_ids(swept, parts, self._reading((), None))

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
            if written and self._last is not None and list(self._last.parts) == written:
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
            return self._put(after, written)

    def settle(
        self, parts: Sequence[Part], cursor: Mapping[str, Any] | None, asked: Asked
    ) -> Settled:
        """See ``Writer.settle``."""
        with self._lock:
            before = self.progress()
            committed = self._live_parts()
            names = {part.path for part in committed}
            added = [part for part in parts if part.path and part.path not in names]
            is_refresh = any(is_staged(part) for part in (*committed, *added))
            if before.held is not None and before.proof is not None and not is_refresh:
                return Settled.of(before, before.proof, before.held)
            if self._plan.format < RECORDS_FORMAT:
                return self._end(added, cursor, asked)
            self._table.fit(self._layout_of(added))
            for _ in range(ATTEMPTS):
                try:
                    return self._settle(self._reading(added, cursor), cursor, asked)
                except TableMoved:
                    continue
            raise StoreError(f"{self._name}: other backups write to its table without end.")

    def _reading(self, added: Sequence[Part], cursor: Mapping[str, Any] | None) -> Reading:
        now = self.progress()
        return Reading(
            self._root,
            self._files,
            self.target(),
            self._live_parts(),
            added,
            self._before(),
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
            progress = self._put(after, outcome.adds, outcome.removes, seen=seen)
        except TableMoved:
            for part in outcome.adds:
                if part not in reading.added:
                    self._files.delete(part.path)
            raise
        for path in outcome.orphans:
            self._files.delete(path)
        return Settled.of(progress, outcome.proof, outcome.held)

    def _end(
        self, parts: Sequence[Part], cursor: Mapping[str, Any] | None, asked: Asked
    ) -> Settled:
        """The end of a reading that began in format 1 or 2: nothing is compared."""
        proof = self.prove(parts, asked.org_count)
        if proof.problem:
            return Settled.of(self.progress(), proof, None)
        progress = self.commit(parts, cursor, is_done=True, proof=proof)
        return Settled.of(progress, proof, None)

    def _before(self) -> Before:
        """The state of the object before this snapshot."""
        with translated(f"open the table of {self._name}"):
            table = self._table.open()
            uris = table.file_uris() if table is not None else []
        older = [file for file in live_files(uris) if file.snapshot < self._snapshot]
        stamps = [file for file in stamp_files(uris) if file.snapshot < self._snapshot]
        # An object that was complete without a single record has no file, and a state all the same.
        last = self._last_settled() if table is not None else None
        if last is None:
            # What an upgrade has not finished is no state yet.
            return Before(() if is_replay_open(self._files) and not self.replay else older)
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

    def restart(self, cursor: Mapping[str, Any] | None) -> Progress:
        """See ``Writer.restart``."""
        with self._lock:
            self._read_last()
            before, alive = read_committed(self._root, self._plan, self._name)
            number = before.number + 1
            after = replace(
                NOTHING,
                cursor=None if cursor is None else dict(cursor),
                number=number,
                since=number,
            )
            return self._put(after, [], alive)

    def _put(
        self,
        after: Progress,
        parts: Sequence[Part],
        removes: Sequence[Part] = (),
        *,
        seen: int | None = None,
    ) -> Progress:
        """
        One Delta commit, whose number in this snapshot is ``after.number``.

        Args:
            seen: the version of the table that it must be built upon; None: whatever is there.
        """
        layout = self._layout_of(parts)
        if layout != self._known_layout():
            self._table.fit(layout)
        with translated(f"commit rows of {self._name}"):
            for attempt in range(ATTEMPTS):
                table = self._table.open()
                there = table.transaction_version(self._snapshot) if table is not None else None
                if there is not None and there >= after.number:
                    return self._settled(after, parts, removes)
                if (there or 0) != after.number - 1:
                    raise StoreError(
                        f"{self._name}: the table has lost commits of {self._snapshot}. Run `sfnb verify`."
                    )
                before = -1 if table is None else table.version()
                self._refuse_late(before)
                if seen is not None and before != seen:
                    raise TableMoved(f"{self._name}: its table has changed meanwhile.")
                properties = self._entry(after, parts, removes, before)
                try:
                    self._table.append(
                        parts, removes, layout, properties, at_ms=_milliseconds(self._clock)
                    )
                except DeltaError:
                    # Another snapshot has changed or created the table meanwhile, or this very
                    # commit worked and its answer was lost: open the table again, and decide again.
                    self._table.forget()
                    if attempt == ATTEMPTS - 1:
                        raise
                    # It may lack our columns.
                    self._table.fit(layout)
                    continue
                return self._settled(after, parts, removes)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _layout_of(self, parts: Iterable[Part]) -> Layout:
        """The object's columns, with those that some parts have beside them."""
        widened = [field for part in parts for field in part.widened]
        return tuple(dict.fromkeys([*self._known_layout(), *widened]))

    def _refuse_late(self, newest: int) -> None:
        """
        Snapshots commit to a table in the order of their ids, so that no older state changes.

        Raises:
            ReadByNewer: a newer snapshot has committed.
        """
        if self._plan.format < RECORDS_FORMAT or (
            self._last and self._last.progress.version == newest
        ):
            return
        other = newest_reading(self._files, newest)
        if other > self._snapshot:
            raise ReadByNewer(f"{self._name}: a newer backup ({other}) has read it.")

    def _entry(
        self, after: Progress, parts: Sequence[Part], removes: Sequence[Part], base: int
    ) -> CommitProperties:
        """What goes into the commit beside Delta's own actions."""
        base_sha256 = ""
        if self._last is not None and self._last.progress.version == base:
            base_sha256 = self._last.progress.file_sha256
        elif base >= 0:
            _, base_sha256 = self._files.digest(log_path(base)) or (0, "")
        gone = {part.path for part in removes}
        live = [part for part in self._live_parts() if part.path not in gone]
        commit = Commit(
            snapshot=self._snapshot,
            progress=after,
            parts=tuple(parts),
            removed=frozenset(gone),
            object_name=self._name,
            schema=self._schema.checksum if self._schema else "",
            base=base,
            base_sha256=base_sha256,
            format=max(self._plan.format, OLDER),
            replay=self.replay,
        )
        entry = metadata(commit, Total.of([*live, *parts]))
        is_strict = commit.format >= RECORDS_FORMAT
        return CommitProperties(
            custom_metadata={"sfnb": encode(entry).decode()},
            app_transactions=[Transaction(self._snapshot, after.number)],
            max_commit_retries=0 if is_strict else None,
        )

    def _settled(self, after: Progress, parts: Sequence[Part], removes: Sequence[Part]) -> Progress:
        """The progress as the log has it now, provided that the log has this commit."""
        last = self._read_last()
        if last is None or last.progress.number != after.number or list(last.parts) != list(parts):
            raise OtherWriter(
                f"{self._name}: another process writes snapshot {self._snapshot} as well. "
                "End one of them and resume."
            )
        if self._parts is not None:
            gone = {part.path for part in removes} | {part.path for part in parts}
            self._parts = [part for part in self._parts if part.path not in gone] + list(parts)
        return last.progress


def _count(proof: Proof | None) -> int | None:
    return proof.org_count if proof else None


def _milliseconds(clock: Clock) -> int:
    return int(clock.now().timestamp() * 1000)
