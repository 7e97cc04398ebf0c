"""One object's snapshots of formats 1 and 2, written as record versions and compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.clock import Clock
from sfnb.errors import StoreError
from sfnb.model import ObjectState
from sfnb.store.columns import OWN_COLUMNS
from sfnb.store.commits import Commit, Replay
from sfnb.store.delta import Table
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT
from sfnb.store.held import Held
from sfnb.store.keys import MASK, key_hashes
from sfnb.store.layout import StoredField, sources_of, with_columns
from sfnb.store.log import read_commits, read_parts
from sfnb.store.manifest import ObjectEntry, object_entry
from sfnb.store.object_commits import ObjectCommits
from sfnb.store.objects import ObjectWriter
from sfnb.store.older.rows import Rows
from sfnb.store.parts import Part
from sfnb.store.paths import records_path
from sfnb.store.place import place_of
from sfnb.store.progress import NOTHING, Progress, settled
from sfnb.store.proof import Proof
from sfnb.store.readings import last_settled, newest_native
from sfnb.store.schema import read_schema
from sfnb.store.settling.reading import Asked
from sfnb.store.snapshots import Snapshot
from sfnb.store.states.reading import state_at
from sfnb.store.text import as_text


@dataclass(frozen=True, slots=True)
class Contents:
    """What a state has: how many records alive and in the bin, and what they say."""

    alive: int
    deleted: int
    digest: str


class Replayer:
    """
    Writes one object's old snapshots as record versions.

    Args:
        files: the org's folder.
        snapshots: those that have anything of it, oldest first.
    """

    def __init__(
        self, files: Files, name: str, snapshots: Sequence[Snapshot], clock: Clock
    ) -> None:
        self._files = files
        self._table = files.below(records_path(name))
        self._name = name
        self._snapshots = snapshots
        self._clock = clock

    def run(self) -> None:
        """
        Replay what was not replayed yet, and compare each state.

        Raises:
            StoreError: a part cannot be read, or a state is not what it was. Nothing that is in
                use was changed.
        """
        native = newest_native(self._table)
        self._create()
        for snapshot in self._snapshots:
            is_last = snapshot is self._snapshots[-1]
            replay = Replay(native, is_last=is_last)
            writer = _ReplayWriter(self._files, snapshot, self._name, self._clock, replay)
            self._one(snapshot, writer)

    def _create(self) -> None:
        """
        An empty table with the columns of the old one: what a schema says of columns then holds
        for the new one, too.
        """
        table = Table(self._table, self._name, place_of(self._name, "", FORMAT))
        if table.open() is None:
            old = Table(
                self._files.below(place_of(self._name, "", 1).folder),
                self._name,
                place_of(self._name, "", 1),
            )
            own = {name.lower() for name in OWN_COLUMNS}
            columns = [c for lower, c in old.known().items() if lower not in own]
            table.create([StoredField(column, column, kind) for column, kind in columns])

    def _one(self, snapshot: Snapshot, writer: _ReplayWriter) -> None:
        rows = snapshot.rows(self._name)
        if not isinstance(rows, Rows):
            raise StoreError(f"{snapshot.id} is no snapshot of an older format.")
        if writer.progress().held is None:
            entry = snapshot.manifest.objects[self._name]
            parts = writer.write_parts(rows.everything())
            writer.put(parts, entry)
        before = contents_of(rows, rows.columns.names)
        after = contents_of(self.state(snapshot), rows.columns.names)
        if before != after:
            raise StoreError(
                f"{self._name} of snapshot {snapshot.id} would read otherwise after the upgrade "
                f"({before.alive:,} records before, {after.alive:,} after). Nothing was changed; "
                "please report this."
            )

    def state(self, snapshot: Snapshot) -> Any:
        """The snapshot's state as the new table has it."""
        progress, _ = self.committed(snapshot)
        schema = read_schema(self._files, snapshot.id, self._name)
        if schema is None or progress.held is None:
            raise StoreError(f"{self._name} of snapshot {snapshot.id} is not in the new table.")
        sources = with_columns(sources_of([schema.layout]), progress.held.columns)
        return state_at(self._files, snapshot.id, self._name, sources, progress)

    def committed(self, snapshot: Snapshot) -> tuple[Progress, list[Part]]:
        """What the new table has of a snapshot."""
        return read_parts(self._table, snapshot.id)

    def entry(self, snapshot: Snapshot) -> ObjectEntry:
        """The object's line in the snapshot's new manifest."""
        old = snapshot.manifest.objects[self._name]
        return object_entry(*self.committed(snapshot), old.message)


class _ReplayWriter(ObjectWriter):
    """Writes one object of a sealed snapshot of an older format, below what is stored already."""

    def __init__(
        self, files: Files, snapshot: Snapshot, name: str, clock: Clock, replay: Replay
    ) -> None:
        super().__init__(files, replace(snapshot.plan, format=FORMAT), name, clock)
        self._commits.replay = replay

    def put(self, parts: Sequence[Part], entry: ObjectEntry) -> None:
        """Commit a snapshot's rows: the net change, or, where it is not complete, all of them."""
        cursor: Mapping[str, Any] = {"started_at": self._plan.created_at.isoformat()}
        if entry.state is not ObjectState.COMPLETE:
            self._put_alone(parts, cursor)
            return
        asked = Asked("full", org_count=entry.org_count, watermark=entry.watermark, is_exact=True)
        ended = self.settle(parts, cursor, asked)
        if ended.progress.held is None:
            raise StoreError(
                f"{self._name} of snapshot {self._snapshot}: {ended.proof.problem}. "
                "Run `sfnb verify`."
            )

    def _put_alone(self, parts: Sequence[Part], cursor: Mapping[str, Any]) -> None:
        """
        What an unfinished reading had is all that its snapshot shows: not what older ones have, as
        in the new format.
        """
        sources = sources_of([self._commits.layout(), *(part.widened for part in parts)])
        rows, deleted = sum(p.rows for p in parts), sum(p.deleted for p in parts)
        held = Held(
            rows=rows,
            deleted=deleted,
            mode="full",
            starts_with=self._snapshot,
            columns={s.field: list(s.columns) for s in sources if not s.is_plain},
        )
        no_proof = Proof(rows + deleted, rows + deleted, None, "")
        after = settled(NOTHING, parts, cursor, proof=no_proof, held=held)
        self._commits.put(replace(after, is_done=False, proof=None), list(parts))

    def _commits_of(self) -> ObjectCommits:
        return _ReplayCommits(self._root, self._plan, self._name, self._table, self._clock)

    def _last_settled(self) -> Any:
        return last_settled(self._files, self._snapshot, is_replay=True)


class _ReplayCommits(ObjectCommits):
    """
    The schema's file names a version of the old table, and natives may be newer than this: both
    are read from the table's end.
    """

    def read_last(self) -> Commit | None:
        self._last = next(read_commits(self._files, self._snapshot), None)
        self._is_read = True
        if self._last is None:
            self._parts = []
        return self._last

    def live_parts(self) -> list[Part]:
        if self._parts is None:
            _, self._parts = read_parts(self._files, self._snapshot)
        return self._parts

    def _refuse_late(self, newest: int) -> None:
        """What is replayed is older than what is stored, on purpose."""


def contents_of(rows: Any, fields: Sequence[str]) -> Contents:
    """What the records of a state say, as text, whatever their order and types."""
    alive, said = _summed(rows.batches(), fields)
    deleted, other = _summed(rows.recycle_bin(fields), fields)
    return Contents(alive, deleted, said + other)


def _summed(batches: Iterable[pa.RecordBatch], fields: Sequence[str]) -> tuple[int, str]:
    count, sums = 0, [0, 0]
    for batch in batches:
        count += batch.num_rows
        names = batch.schema.names
        texts = [pc.fill_null(as_text(batch.column(names.index(n))), "\0") for n in fields]
        said = pc.binary_join_element_wise(*texts, "\x1f")
        for lane in (0, 1):
            hashes = key_hashes(said, lane)
            sums[lane] = (sums[lane] + int(hashes.sum(dtype="uint64"))) & MASK
    return count, f"{sums[0]:016x}{sums[1]:016x}"
