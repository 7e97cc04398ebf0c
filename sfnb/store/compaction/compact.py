"""Compacts one object's table: see the package."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from deltalake import CommitProperties
from deltalake.exceptions import DeltaError

from sfnb.clock import Clock
from sfnb.errors import JobError, StoreError
from sfnb.file_lock import file_lock
from sfnb.store.columns import (
    CURRENT,
    GENERATION,
    NEW,
    OWN_COLUMNS,
)
from sfnb.store.commits import VersionCount, compact_entry
from sfnb.store.compaction.catalog import Catalog, read_catalog
from sfnb.store.compaction.count import count_versions
from sfnb.store.compaction.ends import (
    is_compacted,
)
from sfnb.store.compaction.policy import Tail, is_worth
from sfnb.store.compaction.shares import Shares, Sharing, rows_of
from sfnb.store.compaction.writer import write_versions
from sfnb.store.delta import ATTEMPTS, Table
from sfnb.store.encoding import encode
from sfnb.store.files import Files
from sfnb.store.log import log_path
from sfnb.store.parts import Part
from sfnb.store.paths import manifest_path, records_path
from sfnb.store.place import RECORDS_FORMAT, place_of
from sfnb.store.states.files import VersionFile, live_files, version_file
from sfnb.store.translating import translated

GRACE_MS = 60 * 60 * 1000
"""How long replaced files stay for readers that have opened the table before."""

LOCK_NAME = ".compaction.lock"


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
    with alone(files, clock) as is_alone:
        if not is_alone:
            return None
        return _Compaction(files, object_name, clock).run(force=force)


@contextmanager
def alone(files: Files, clock: Clock) -> Iterator[bool]:
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

    def run(self, *, force: bool) -> Compacted | None:
        catalog = read_catalog(self._table_files)
        self._tidy(catalog)
        current, tail = self._inputs(catalog)
        if not tail or not (force or is_worth(_tail(catalog, current, tail))):
            return None
        inputs = [*current, *tail]
        removes = [catalog.live[file.path] for file in inputs]
        adds = self._write(Sharing(self._table_files, catalog.settled).shares(inputs))
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

    # -- the new files -------------------------------------------------------------------------------------------------

    def _write(self, shares: Shares) -> list[Part]:
        known = self._table.known().values()
        columns = [(name, kind) for name, kind in known if name not in OWN_COLUMNS]
        parts: list[Part] = []
        try:
            for generation, own in sorted(shares.items()):
                name = f"{self._name}-{secrets.token_hex(8)}.parquet"
                path = f"{GENERATION}={generation}/{name}"
                rows = (b for share in own for b in rows_of(share, {name for name, _ in columns}))
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
