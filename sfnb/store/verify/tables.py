"""
One object's table: its log from the first commit on, its parts, and what Delta itself makes of
them.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow.parquet as pq
from deltalake import DeltaTable

from sfnb.errors import StoreError
from sfnb.store.actions import changes_rows, read_actions
from sfnb.store.commits import COMPACT, READ, Commit, Erased, parse_commit
from sfnb.store.compaction.count import count_versions
from sfnb.store.files import TEMPORARY, Files
from sfnb.store.formats import NewerFormat
from sfnb.store.keys import NO_KEYS, KeyDigest, add_digests
from sfnb.store.log import LOG, log_path, newest_version
from sfnb.store.parts import Part
from sfnb.store.paths import manifest_path
from sfnb.store.place import RECORDS_FORMAT
from sfnb.store.progress import NOTHING, Progress, Total
from sfnb.store.proof import column
from sfnb.store.restating.exchange import restated_at
from sfnb.store.translating import translated
from sfnb.store.verify.findings import Finding, Kind, Wrong


@dataclass
class Table:
    """
    What is known of one object's table after reading it.

    Args:
        folder: from the org's folder.
        progress: of each snapshot, after its last commit.
        parts: by snapshot and path, the parts that count after its last commit.
        live: by path, the parts that the table has now.
        schemas: by snapshot, the checksums of the schema files that its commits name.
        removed: paths that commits took out.
        log: SHA-256 of each version's file.
        columns: of the table, as Delta sees it; None where it cannot be opened.
        compacted: the newest compaction.
        erased: of each snapshot, what an erasure has taken out of its state.
    """

    folder: str = ""
    progress: dict[str, Progress] = field(default_factory=dict)
    parts: dict[str, dict[str, Part]] = field(default_factory=lambda: defaultdict(dict))
    live: dict[str, Part] = field(default_factory=dict)
    schemas: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    removed: set[str] = field(default_factory=set)
    log: dict[int, str] = field(default_factory=dict)
    columns: frozenset[str] | None = None
    compacted: Commit | None = None
    erased: dict[str, Erased] = field(default_factory=dict)


class TableCheck:
    """
    The check of one object's table.

    Args:
        folder: of the table, from the org's folder.
        quick: of parts, look at sizes only.
    """

    def __init__(self, files: Files, name: str, folder: str, *, quick: bool = False) -> None:
        self._name = name
        self._is_quick = quick
        self._files = files
        self._folder = files.below(folder)
        self.table = Table(folder)
        self.findings: list[Finding] = []

    def run(self) -> Table:
        """Read the table whole; what is wrong with it is in ``findings``."""
        table, folder = self.table, self._folder
        newest = newest_version(folder)
        # The log may begin with a commit that restates what was before it.
        for version in range(max(restated_at(folder), 0), newest + 1):
            try:
                self._read_version(version)
            except NewerFormat:
                raise
            except StoreError as err:
                self._damage("damaged", str(err), log_path(version))
        whose = {path: snapshot for snapshot, parts in table.parts.items() for path in parts}
        sizes = folder.walk("") if self._is_quick else {}
        for part in table.live.values():
            wrong = (
                _verify_size(sizes.get(part.path), part)
                if self._is_quick
                else _verify_part(folder, part)
            )
            if wrong:
                self._damage(*wrong, part.path, whose.get(part.path, ""), part.records)
        is_damaged = bool(self.findings)
        if table.compacted and not is_damaged and not self._is_quick:
            self._count(table.compacted)
        message = _verify_delta(folder, table) if newest >= 0 else ""
        if message and not is_damaged:
            self._damage("damaged", message, LOG)
        self._look_around(newest)
        return table

    def _damage(
        self, kind: Kind, message: str, path: str, snapshot: str = "", rows: int = 0
    ) -> None:
        where = f"{self.table.folder}/{path}"
        self.findings.append(Finding(kind, message, snapshot, self._name, where, rows))

    def _read_version(self, version: int) -> None:
        table, path = self.table, log_path(version)
        text = self._folder.read(path)
        if text is None:
            self._damage("missing", "this Delta commit is missing, with its list of rows", path)
            return
        table.log[version] = hashlib.sha256(text).hexdigest()
        commit = parse_commit(text, version, self._folder.uri(path))
        if commit is None:
            if changes_rows(read_actions(text)):
                self._damage("damaged", "another program has added or removed rows here", path)
            return
        if wrong := _base_changed(table, commit, version):
            self._damage(*wrong, log_path(commit.base or 0), commit.snapshot)
        if wrong := _follow(table, commit, self._name):
            self._damage(*wrong, path, commit.snapshot)

    def _count(self, compaction: Commit) -> None:
        """Whether the newest compaction's files have the versions, Id by Id, that it took out."""
        paths = [part.path for part in compaction.parts]
        if count_versions(self._folder, paths) != compaction.versions:
            message = "these versions are not those that this compaction took out"
            self._damage("digest", message, log_path(compaction.progress.version))

    def _look_around(self, newest: int) -> None:
        present = self._folder.walk("")
        if newest < 0 and not self._is_begun(present):
            self._damage("missing", "the Delta log has lost all its commits", LOG)
        for path in sorted(set(present) - set(self.table.live)):
            if why := _orphan(path, self.table, newest):
                where = f"{self.table.folder}/{path}"
                self.findings.append(Finding("orphan", why, "", self._name, where))

    def _is_begun(self, present: Iterable[str]) -> bool:
        """
        Whether nothing but parts of unsealed snapshots is here: their backup ended before its first
        commit. A seal stands on commits, so with one the log is lost.
        """
        part = re.compile(rf"(?:.*/)?{re.escape(self._name)}-(.+)-[0-9a-f]{{16}}\.parquet")
        found = [part.fullmatch(path) for path in present if TEMPORARY not in path]
        snapshots = {one[1] for one in found if one}
        return None not in found and not any(
            self._files.read(manifest_path(snapshot)) is not None for snapshot in snapshots
        )


def _base_changed(table: Table, commit: Commit, version: int) -> Wrong:
    """
    Whether the file that a commit was built upon is no longer the one that it saw. Format 1 does
    not say.
    """
    if commit.base is None:
        return None
    is_strict = commit.format >= RECORDS_FORMAT
    if (commit.base != version - 1 and is_strict) or commit.base >= version:
        return "damaged", "this commit does not stand where it was written"
    if (commit.base < 0) != (version == 0):
        return "damaged", "this commit does not stand where it was written"
    if table.log.get(commit.base, commit.base_sha256) != commit.base_sha256:
        return "digest", "this commit has changed since the next one was written (SHA-256)"
    return None


def _follow(table: Table, commit: Commit, name: str) -> Wrong:
    """Apply one commit, oldest first; what does not follow from those before it."""
    if commit.object_name not in ("", name):
        return "damaged", f"this commit belongs to the table of {commit.object_name}"
    if commit.restates:
        return _follow_restating(table, commit)
    wrong = _follow_reading(table, commit) if commit.kind == READ else None
    if commit.kind == COMPACT:
        wrong = _follow_compaction(table, commit)
    if not commit.removed <= set(table.live):
        wrong = wrong or ("damaged", "this commit took out other files than those that were there")
    for path in commit.removed:
        table.live.pop(path, None)
    table.removed |= commit.removed
    table.live |= {part.path: part for part in commit.parts}
    return wrong


def _follow_restating(table: Table, commit: Commit) -> Wrong:
    """Begin with what a commit says of the readings before it."""
    table.progress = {r.snapshot: r.progress for r in commit.readings}
    table.parts = defaultdict(
        dict, {r.snapshot: {part.path: part for part in r.parts} for r in commit.readings}
    )
    table.erased = {r.snapshot: r.erased for r in commit.readings}
    for reading in commit.readings:
        if reading.schema:
            table.schemas[reading.snapshot].add(reading.schema)
    table.live = {part.path: part for part in commit.live}
    table.removed |= commit.removed
    if not {part.path for part in commit.parts} <= set(table.live):
        return "damaged", "this commit does not name the files that it has added"
    return None


def _follow_compaction(table: Table, commit: Commit) -> Wrong:
    """Whether the versions that a compaction wrote are those that it took out."""
    out = [table.live[path] for path in commit.removed if path in table.live]
    count = (sum(p.records for p in out), add_digests(p.ids_digest or NO_KEYS for p in out))
    own = (
        sum(p.records for p in commit.parts),
        add_digests(p.ids_digest or NO_KEYS for p in commit.parts),
    )
    if own != count or commit.versions is None or commit.versions.rows != own[0]:
        return "count", "this compaction wrote other versions than it took out"
    table.compacted = commit
    return None


def _follow_reading(table: Table, commit: Commit) -> Wrong:
    now, before = commit.progress, table.progress.get(commit.snapshot, NOTHING)
    newest = max(table.progress, default="")
    mine = table.parts[commit.snapshot]
    wrong: Wrong = None
    if now.number != before.number + 1:
        span = f"commits {before.number + 1} to {now.number - 1} of the snapshot"
        wrong = ("missing", f"{span} are missing before this one")
    elif commit.format >= RECORDS_FORMAT and commit.snapshot < newest and not commit.replay:
        wrong = ("damaged", f"this commit came after those of the newer snapshot {newest}")
    if commit.schema:
        table.schemas[commit.snapshot].add(commit.schema)
    is_restart = now.number == now.since > 1
    is_allowed = commit.removed == set(mine) if is_restart else commit.removed <= set(mine)
    if not is_allowed and not wrong:
        wrong = ("damaged", "this commit took out other files than those of its snapshot")
    for path in commit.removed:
        mine.pop(path, None)
    mine |= {part.path: part for part in commit.parts}
    table.progress[commit.snapshot] = now
    if commit.total and _sums(Total.of(list(mine.values()))) != _sums(commit.total) and not wrong:
        wrong = ("count", "its totals are not the sum of its parts")
    return wrong


def _sums(total: Total) -> tuple[int, ...]:
    return total.parts, total.rows, total.deleted, total.gone, total.size_bytes


def _verify_size(size_bytes: int | None, part: Part) -> Wrong:
    """Whether a part is there, in its size; pure."""
    if size_bytes is None:
        return "missing", f"this part is missing, and with it {part.records:,} records"
    if size_bytes != part.size_bytes:
        return "damaged", f"this part has {size_bytes:,} bytes instead of {part.size_bytes:,}"
    return None


def _verify_part(folder: Files, part: Part) -> Wrong:
    try:
        size_bytes, sha256 = folder.digest(part.path) or (None, "")
        if wrong := _verify_size(size_bytes, part):
            return wrong
        if sha256 != part.sha256:
            return "digest", "the content of this part has changed since it was written (SHA-256)"
        return _verify_rows(folder, part)
    except StoreError as err:
        return "damaged", str(err)


def _verify_rows(folder: Files, part: Part) -> Wrong:
    """
    Whether a part has the rows that its commit says: the file may be whole, and the commit wrong.
    """
    with translated(f"open {folder.uri(part.path)}"), folder.open_input(part.path) as source:
        rows = pq.ParquetFile(source).metadata.num_rows
    if rows != part.records:
        return "count", f"this part has {rows:,} rows instead of {part.records:,}"
    if part.ids_digest is not None and _ids_digest(folder, part) != part.ids_digest:
        return "digest", "the Ids of this part are not those that were written"
    return None


def _ids_digest(folder: Files, part: Part) -> str:
    found = KeyDigest()
    if part.min_id is not None:
        for ids in column(folder, part, "Id"):
            found.add(ids)
    return found.hex


def _verify_delta(folder: Files, table: Table) -> str:
    """Whether Delta itself (its checkpoints too) sees the same files as our reading of the log."""
    try:
        with translated(f"open {folder.uri('')} with Delta"):
            delta = DeltaTable(folder.uri("").rstrip("/\\"))
            seen = set(delta.get_add_actions().column("path").to_pylist())
            table.columns = frozenset(field.name for field in delta.schema().fields)
    except StoreError as err:
        return str(err)
    return (
        ""
        if seen == set(table.live)
        else "the checkpoint of this log names other files than its commits"
    )


def _orphan(path: str, table: Table, newest: int) -> str:
    """Why a file that no commit names is there; empty for one of Delta's own."""
    if path.startswith(f"{LOG}/"):
        name = path.removeprefix(f"{LOG}/")
        is_delta = (name[:20].isdigit() and int(name[:20]) <= newest) or name == "_last_checkpoint"
        return "" if is_delta and TEMPORARY not in path else "an unfinished Delta file"
    if path in table.removed:
        return "a part that a later commit took out"
    return "a file that no commit names, left by an interrupted backup"
