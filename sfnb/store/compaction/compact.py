"""Compacts one object's table: see the package."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties
from deltalake.exceptions import DeltaError

from sfnb.clock import Clock
from sfnb.errors import JobError, StoreError
from sfnb.file_lock import file_lock
from sfnb.store.columns import (
    CURRENT,
    EXTRACTED_AT,
    FROM,
    GENERATION,
    NEW,
    OP,
    OWN_COLUMNS,
    UNTIL,
)
from sfnb.store.compaction.catalog import Catalog, read_catalog
from sfnb.store.compaction.count import count_versions, indices_of
from sfnb.store.compaction.ends import (
    OPEN,
    Codes,
    Era,
    ended_by,
    eras_of,
    generation_of,
    is_compacted,
)
from sfnb.store.compaction.policy import Tail, is_worth
from sfnb.store.compaction.writer import write_versions
from sfnb.store.delta import ATTEMPTS, Table
from sfnb.store.encoding import encode
from sfnb.store.files import Files, translated
from sfnb.store.log import VersionCount, compact_entry, log_path
from sfnb.store.parts import Part, text_array
from sfnb.store.paths import manifest_path, records_path
from sfnb.store.place import RECORDS_FORMAT, place_of
from sfnb.store.proof import ID, STAMP
from sfnb.store.states.contents import words_of
from sfnb.store.states.files import VersionFile, live_files, read_pieces, version_file
from sfnb.store.states.versions import Places, Span, Versions, arrow_flags

KEYS_AT_ONCE = 1 << 20
"""Keys compared in memory at a time, about two hundred bytes each: this may run after a backup, in its process."""

GRACE_MS = 60 * 60 * 1000
"""How long replaced files stay for readers that have opened the table before."""

LOCK_NAME = ".compaction.lock"

ALL = Span("~")
"""Every snapshot's versions; a tilde sorts behind all digits."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """
    What a compaction did.

    Args:
        versions: how many were rewritten.
        files_before, files_after, bytes_before, bytes_after: that hold them.
    """

    object_name: str
    versions: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class _Share:
    """
    The versions of one era that go into one generation.

    Args:
        places: in the order of the files, which is that of the snapshots that brought them.
        ended: of each, the number of the snapshot that ended it.
        snapshots: by number.
    """

    versions: Versions
    places: Places
    ended: Codes
    snapshots: Sequence[str]


Shares = Mapping[str, Sequence[_Share]]
"""By generation."""


def compact_object(
    files: Files, object_name: str, clock: Clock, *, force: bool = False
) -> Compacted | None:
    """
    Compact an object's versions, if it is worth it. Every snapshot reads as before.

    Parts of snapshots that are not sealed stay as they are, and so do those of newer ones: a paused
    job may still add to its own.

    Args:
        files: the org's folder.
        force: whenever there is anything to compact.

    Returns:
        None: it was not worth it, or another process has changed the same parts meanwhile.

    Raises:
        StoreError: the table is damaged, or the disk is full. The store is as before.
    """
    with _alone(files, clock) as is_alone:
        if not is_alone:
            return None
        return _Compaction(files, object_name, clock).run(force=force)


@contextmanager
def _alone(files: Files, clock: Clock) -> Iterator[bool]:
    """
    Whether no other process compacts this org. In an object store nobody can know; there the
    slower one finds its parts gone at the commit.
    """
    with ExitStack() as held:
        try:
            if files.local is not None:
                lock = files.local / LOCK_NAME
                held.enter_context(file_lock(lock, patience_s=0, clock=clock))
        except JobError:
            yield False
            return
        yield True


class _Compaction:
    """
    Args:
        files: the org's folder.
    """

    def __init__(self, files: Files, object_name: str, clock: Clock) -> None:
        self._files = files
        self._table_files = files.below(records_path(object_name))
        self._name = object_name
        self._clock = clock
        self._place = place_of(object_name, "", RECORDS_FORMAT)
        self._table = Table(self._table_files, object_name, self._place)
        self._settled: set[str] = set()

    def run(self, *, force: bool) -> Compacted | None:
        catalog = read_catalog(self._table_files)
        self._tidy(catalog)
        current, tail = self._inputs(catalog)
        if not tail or not (force or is_worth(_tail(catalog, current, tail))):
            return None
        inputs = [*current, *tail]
        removes = [catalog.live[file.path] for file in inputs]
        self._settled = {snapshot for snapshot, _, _ in catalog.settled}
        adds = self._write(self._shares(inputs, eras_of(catalog.settled, ID)))
        try:
            count = self._prove(inputs, adds)
        except BaseException:
            self._delete(adds)
            raise
        # An error here leaves the new files: the commit may have worked all the same.
        if not self._commit(adds, removes, count):
            self._delete(adds)
            return None
        return Compacted(
            self._name,
            count.rows,
            len(removes),
            len(adds),
            sum(part.size_bytes for part in removes),
            sum(part.size_bytes for part in adds),
        )

    # -- what is compacted ---------------------------------------------------------------------------------------------

    def _inputs(self, catalog: Catalog) -> tuple[list[VersionFile], list[VersionFile]]:
        """The file of what is current, and the new parts up to the first snapshot that is open."""
        found = [version_file(path) for path in catalog.live]
        new = sorted((f for f in found if f.generation == NEW), key=lambda f: f.snapshot)
        tail: list[VersionFile] = []
        for file in new:
            if not (tail and tail[-1].snapshot == file.snapshot) and not self._files.has(
                manifest_path(file.snapshot)
            ):
                break  # what follows would be overridden by it
            tail.append(file)
        return [f for f in found if f.generation == CURRENT], tail

    # -- which version goes where --------------------------------------------------------------------------------------

    def _shares(self, inputs: Sequence[VersionFile], eras: Sequence[Era]) -> Shares:
        found: dict[str, list[_Share]] = {}
        for era in eras:
            mine = [f for f in inputs if era.has(f.snapshot or self._brought_by(f))]
            if mine:
                for generation, share in self._of_era(mine, era):
                    found.setdefault(generation, []).append(share)
        return found

    def _brought_by(self, current: VersionFile) -> str:
        """
        A snapshot that brought some version of what is current. All of them are of one era: the
        last one when they were compacted.
        """
        for piece in read_pieces(self._table_files, current.path, {FROM}):
            return str(piece.batch.column(FROM).dictionary[0])
        return ""

    def _of_era(self, inputs: Sequence[VersionFile], era: Era) -> Iterator[tuple[str, _Share]]:
        versions = Versions(self._table_files, inputs, era.key, ALL)
        begun, snapshots = self._begun(versions, era)
        era_end = OPEN if era.ends is None else snapshots.index(era.ends)
        ended = np.full(versions.rows, era_end, np.int32)
        if era.key is not None:
            stamps = self._stamps(versions)
            shares = max(1, -(-versions.rows // KEYS_AT_ONCE))
            for share in range(shares):
                keys = versions.keys(share, shares)
                ended[keys.places] = ended_by(keys, begun, era_end, stamps)
        # OPEN is -1, the last place of a list.
        generations = [*(generation_of(snapshot) for snapshot in snapshots), CURRENT]
        names = list(dict.fromkeys(generations))
        of_row = np.array([names.index(g) for g in generations], np.int32)[ended]
        for number, name in enumerate(names):
            places = np.flatnonzero(of_row == number)
            if len(places):
                yield name, _Share(versions, places, ended[places], snapshots)

    def _stamps(self, versions: Versions) -> Places:
        """
        Of each version the SystemModstamp, where its snapshot may have the record twice because
        its reading never ended; else 0.
        """
        found = np.zeros(versions.rows, np.int64)
        for file, starts in zip(versions.files, versions.groups, strict=True):
            if file.snapshot and file.snapshot not in self._settled:
                for piece in read_pieces(self._table_files, file.path, {STAMP}):
                    first = starts[0] + piece.first
                    if STAMP in piece.batch.schema.names:
                        words = words_of(piece.batch.column(STAMP), "timestamp")
                        found[first : first + len(words)] = words.view(np.int64)
        return found

    def _begun(self, versions: Versions, era: Era) -> tuple[Codes, list[str]]:
        """Of each version the number of the snapshot that brought it, and the snapshots."""
        named = {file.snapshot for file in versions.files if file.snapshot}
        pieces: list[tuple[int, pa.Array]] = []
        for file, starts in zip(versions.files, versions.groups, strict=True):
            if not file.snapshot:
                for piece in read_pieces(self._table_files, file.path, {FROM}):
                    column = piece.batch.column(FROM)
                    pieces.append((starts[0] + piece.first, column))
                    named |= set(column.dictionary.to_pylist())
        snapshots = sorted(named | ({era.ends} if era.ends else set()))
        numbers = {snapshot: n for n, snapshot in enumerate(snapshots)}
        begun = np.zeros(versions.rows, np.int32)
        for file, starts in zip(versions.files, versions.groups, strict=True):
            if file.snapshot:
                begun[starts[0] : starts[-1]] = numbers[file.snapshot]
        for first, column in pieces:
            texts = column.dictionary.to_pylist()
            of_text = np.array([numbers[text] for text in texts], np.int32)
            begun[first : first + len(column)] = of_text[indices_of(column)]
        return begun, snapshots

    # -- the new files -------------------------------------------------------------------------------------------------

    def _write(self, shares: Shares) -> list[Part]:
        known = self._table.known().values()
        columns = [(name, kind) for name, kind in known if name not in OWN_COLUMNS]
        parts: list[Part] = []
        try:
            for generation, own in sorted(shares.items()):
                name = f"{self._name}-{secrets.token_hex(8)}.parquet"
                path = f"{GENERATION}={generation}/{name}"
                rows = (b for share in own for b in _rows(share, {name for name, _ in columns}))
                parts.append(write_versions(self._table_files, path, columns, rows))
        except BaseException:
            self._delete(parts)
            raise
        return parts

    def _delete(self, parts: Sequence[Part]) -> None:
        for part in parts:
            self._table_files.delete(part.path)

    def _prove(self, inputs: Sequence[VersionFile], adds: Sequence[Part]) -> VersionCount:
        """
        Read the new files back: as many versions as before, of the same records and snapshots.

        Raises:
            StoreError: they are others.
        """
        before = count_versions(self._table_files, [file.path for file in inputs])
        after = count_versions(self._table_files, [part.path for part in adds])
        if before != after:
            raise StoreError(
                f"{self._name}: compaction wrote {after.rows:,} versions for {before.rows:,}, or "
                "other ones. Nothing was changed; run `sfnb verify`."
            )
        return after

    def _commit(self, adds: Sequence[Part], removes: Sequence[Part], count: VersionCount) -> bool:
        """Exchange the files in one commit; False: somebody else has taken one of them out."""
        wanted = {part.path for part in removes}
        written = {part.path for part in adds}
        with translated(f"compact {self._name}"):
            for attempt in range(ATTEMPTS + 1):
                table = self._table.open()
                live = {f.path for f in live_files(table.file_uris() if table is not None else ())}
                if written <= live:
                    return True
                if table is None or attempt == ATTEMPTS or not wanted <= live:
                    return False
                properties = self._properties(adds, removes, count, table.version())
                try:
                    self._table.append(
                        adds, removes, (), properties, at_ms=self._now_ms(), is_change=False
                    )
                except DeltaError:
                    # A reading has committed meanwhile: it goes first, and its rows stay behind.
                    self._table.forget()
        raise AssertionError("unreachable: the last attempt returns")

    def _properties(
        self, adds: Sequence[Part], removes: Sequence[Part], count: VersionCount, base: int
    ) -> CommitProperties:
        _, base_sha256 = self._table_files.digest(log_path(base)) or (0, "")
        removed = sorted(part.path for part in removes)
        entry = compact_entry(
            self._name, adds, removed=removed, versions=count, base=base, base_sha256=base_sha256
        )
        return CommitProperties(
            custom_metadata={"sfnb": encode(entry).decode()}, max_commit_retries=0
        )

    # -- what is left over ---------------------------------------------------------------------------------------------

    def _tidy(self, catalog: Catalog) -> None:
        """
        Remove what compactions replaced an hour ago or longer, and what a killed one has left.

        The second only where nobody else can be compacting now.
        """
        due = self._now_ms() - GRACE_MS
        for path in self._table_files.walk(""):
            is_ours = is_compacted(version_file(path).generation)
            if not path.endswith(".parquet") or path in catalog.live:
                continue
            is_due = catalog.replaced.get(path, due + 1) <= due
            is_left = is_ours and path not in catalog.named and self._files.local is not None
            if is_due or is_left:
                self._table_files.delete(path)

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _tail(catalog: Catalog, current: Sequence[VersionFile], tail: Sequence[VersionFile]) -> Tail:
    """The tail in numbers. Before the first compaction the oldest snapshot stands for what is stored."""
    rows = {file.path: catalog.live[file.path].records for file in (*current, *tail)}
    first = tail[0].snapshot
    oldest = [] if current else [file for file in tail if file.snapshot == first]
    stored = [*current, *oldest]
    added = [file for file in tail if file not in oldest]
    return Tail(
        snapshots=len({file.snapshot for file in tail}) + bool(current),
        files=len(tail),
        versions=sum(rows[file.path] for file in added),
        stored=sum(rows[file.path] for file in stored),
    )


def _rows(share: _Share, columns: Collection[str]) -> Iterator[pa.RecordBatch]:
    """The versions of a share with all their columns, and the snapshots that ended them."""
    texts = text_array(share.snapshots)
    done = 0
    wanted = {*columns, OP, EXTRACTED_AT, FROM}
    for batch in share.versions.batches(share.places, wanted):
        ended = share.ended[done : done + batch.num_rows]
        done += batch.num_rows
        yield batch.append_column(UNTIL, _text_of(ended, texts))


def _text_of(codes: Codes, texts: pa.Array) -> pa.Array:
    """Numbers of snapshots as their ids; ``OPEN`` as null."""
    is_open = codes == OPEN
    indices = pa.Array.from_buffers(
        pa.int32(),
        len(codes),
        [arrow_flags(~is_open).buffers()[1], pa.py_buffer(np.ascontiguousarray(codes))],
    )
    return pa.DictionaryArray.from_arrays(indices, texts).cast(pa.string())
