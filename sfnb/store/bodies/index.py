"""
The index: which version of which record's field has which content.

An entry is a fact that never changes, so a body whose record did not change needs no new one. The
entries of one snapshot are written in pieces while it grows, and put together in one file when its
bodies are done.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from sfnb.errors import StoreError
from sfnb.store.bodies.content import FOLDER, sizes
from sfnb.store.bodies.fields import Body
from sfnb.store.files import TEMPORARY, Files
from sfnb.store.formats import FORMAT, NewerFormat, check_format

INDEX = f"{FOLDER}/index"

EntryState = Literal["held", "outside", "missing", "changed"]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What is known of one body.

    Args:
        sha256: of the content; empty unless it is held.
        state: ``outside``: there is no body by nature; ``missing``: it was not obtained, and
            ``reason`` says why; ``changed``: what was taken for it belongs to a later version of
            the record.
        is_asked: the org was asked for it. Otherwise the store had its content already.
    """

    object_name: str
    id: str
    field: str
    version: str
    size: int | None
    md5: str
    sha256: str
    state: EntryState
    reason: str = ""
    is_asked: bool = False

    @classmethod
    def of(
        cls,
        body: Body,
        state: EntryState,
        *,
        sha256: str = "",
        size: int | None = None,
        reason: str = "",
        is_asked: bool = False,
    ) -> Entry:
        """What is known of this body."""
        return cls(
            body.object_name,
            body.id,
            body.field,
            body.version,
            body.size if size is None else size,
            body.md5,
            sha256,
            state,
            reason,
            is_asked,
        )


def piece_path(snapshot: str, number: int) -> str:
    return f"{INDEX}/{snapshot}/{number:06d}.json"


def whole_path(snapshot: str) -> str:
    return f"{INDEX}/{snapshot}.json"


def is_index(path: str) -> bool:
    """Whether a path from the org's folder is that of a file of the index."""
    return path.startswith(f"{INDEX}/")


class IndexWriter:
    """Adds the entries of one snapshot. For the deciding thread."""

    def __init__(self, files: Files, snapshot: str) -> None:
        self._files = files
        self._snapshot = snapshot
        self._number = max(
            (int(name[:6]) for name in files.names(f"{INDEX}/{snapshot}") if name[:6].isdecimal()),
            default=0,
        )

    def add(self, entries: Sequence[Entry]) -> None:
        """Entries on disk when this returns; their contents must be there already."""
        if not entries:
            return
        self._number += 1
        path = piece_path(self._snapshot, self._number)
        put_entries(self._files, path, self._snapshot, entries)

    def close(self) -> None:
        """Put the snapshot's entries together in one file. Killed anywhere, it can be repeated."""
        pieces = _pieces(self._files, self._snapshot)
        if not pieces:
            return
        # Of one body the last word counts: it may have been missing before it was held.
        last = {
            (e.object_name, e.id, e.field, e.version): e
            for path in [whole_path(self._snapshot), *pieces]
            for e in read_entries(self._files, path, self._snapshot)
        }
        path = whole_path(self._snapshot)
        put_entries(self._files, path, self._snapshot, list(last.values()))
        for path in pieces:
            self._files.delete(path)
        if self._files.local is not None:
            with suppress(OSError):  # an empty folder harms nobody
                (self._files.local / INDEX / self._snapshot).rmdir()


def put_entries(files: Files, path: str, snapshot: str, entries: Sequence[Entry]) -> None:
    """Write one file of the index."""
    by_field: dict[str, list[list[object]]] = {}
    for e in entries:
        row: list[object] = [
            e.id,
            e.version,
            e.size,
            e.md5,
            e.sha256,
            e.state,
            e.reason,
            e.is_asked,
        ]
        by_field.setdefault(f"{e.object_name}.{e.field}", []).append(row)
    files.put_json(path, {"format": FORMAT, "snapshot": snapshot, "bodies": by_field})


def index_paths(files: Files) -> Iterator[tuple[str, str]]:
    """Every file of the index and its snapshot, oldest snapshot first."""
    wholes = [n.removesuffix(".json") for n in files.names(INDEX) if not n.startswith(TEMPORARY)]
    folders = files.names(INDEX, folders=True)
    for snapshot in sorted({*wholes, *folders}):
        if snapshot in wholes:
            yield whole_path(snapshot), snapshot
        for path in _pieces(files, snapshot):
            yield path, snapshot


def _pieces(files: Files, snapshot: str) -> list[str]:
    folder = f"{INDEX}/{snapshot}"
    return [f"{folder}/{name}" for name in files.names(folder) if not name.startswith(TEMPORARY)]


def read_entries(files: Files, path: str, snapshot: str) -> Iterator[Entry]:
    """
    The entries of one file of the index; none where it is not there.

    Raises:
        StoreError: it is damaged.
    """
    content = files.read_json(path)
    if content is None:
        return
    check_format(content, files.uri(path))
    if content.get("snapshot") != snapshot:
        raise StoreError(f"{files.uri(path)} is damaged: it belongs to another snapshot.")
    for name, rows in content["bodies"].items():
        object_name, _, field = name.partition(".")
        for row in rows:
            yield Entry(object_name, row[0], field, *row[1:])


def snapshot_entries(files: Files, snapshot: str) -> Iterator[Entry]:
    """What was noted in one snapshot so far, oldest first."""
    for path in [whole_path(snapshot), *_pieces(files, snapshot)]:
        yield from read_entries(files, path, snapshot)


@dataclass
class EntryCount:
    """How many bodies of one field the index knows, held or outside, and their size together."""

    bodies: int = 0
    bytes: int = 0

    @property
    def mean_bytes(self) -> float:
        return self.bytes / self.bodies if self.bodies else 0.0


def entry_counts(files: Files) -> dict[str, EntryCount]:
    """
    By ``Object.Field`` how many bodies are known; images of an object as ``Object.images``.

    What is damaged counts as not known.
    """
    found: dict[str, EntryCount] = {}
    for path, snapshot in index_paths(files):
        try:
            for entry in read_entries(files, path, snapshot):
                if entry.state in ("held", "outside"):
                    field = "images" if "/" in entry.field else entry.field
                    count = found.setdefault(f"{entry.object_name}.{field}", EntryCount())
                    count.bodies += 1
                    count.bytes += entry.size or 0
        except NewerFormat:
            raise
        except StoreError:  # `verify` names this damage
            continue
    return found


class Lookup:
    """
    Finds bodies in the whole index. Kept in a temporary file, so that a million of them take no
    memory. For one thread; close it.

    Attributes:
        damage: what cannot be read of the index, in sentences.
        objects: those that have bodies in it.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.damage: list[str] = []
        self.objects: set[str] = set()
        self._looks = False
        self._folder = tempfile.TemporaryDirectory(prefix="sfnb-bodies-")
        self._database = sqlite3.connect(Path(self._folder.name) / "index.db", isolation_level=None)
        self._database.executescript(
            "pragma journal_mode = off; pragma synchronous = off;"
            "create table entries (key text primary key, state text, sha256 text, size integer, "
            "reason text) without rowid;"
            "create table contents (key text primary key, sha256 text) without rowid;"
            "create table present (sha256 text primary key, size integer) without rowid;"
        )
        self._database.execute("begin")
        for path, snapshot in index_paths(files):
            try:
                self.add(read_entries(files, path, snapshot))
            except NewerFormat:
                raise
            except StoreError as err:
                # `verify` names it, too. Its bodies are taken for missing, so a backup heals them.
                self.damage.append(str(err))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._database.close()
        self._folder.cleanup()

    def add(self, entries: Iterable[Entry]) -> None:
        """More entries. What is held stays held, whatever a later try brought."""
        for e in entries:
            self.objects.add(e.object_name)
            key = _key(e.object_name, e.id, e.field, e.version)
            self._database.execute(
                "insert into entries values (?, ?, ?, ?, ?) on conflict do update set "
                "state = excluded.state, sha256 = excluded.sha256, size = excluded.size, "
                "reason = excluded.reason "
                "where excluded.state <> 'missing' or entries.state = 'missing'",
                (key, e.state, e.sha256, e.size, e.reason),
            )
            if e.state == "held" and e.md5:
                self._database.execute(
                    "insert or replace into contents values (?, ?)", (f"{e.md5}:{e.size}", e.sha256)
                )

    def look_at_contents(self) -> None:
        """
        From now on only contents that are in the store, with their size, count as held.

        Cost: lists the folders of contents.
        """
        self._looks = True
        self._database.executemany(
            "insert or replace into present values (?, ?)", sizes(self._files)
        )

    def note_content(self, sha256: str, size: int) -> None:
        """A content that was received after ``look_at_contents``."""
        self._database.execute("insert or replace into present values (?, ?)", (sha256, size))

    def _is_present(self, sha256: str, size: int | None) -> bool:
        if not self._looks:
            return True
        found = self._database.execute(
            "select size from present where sha256 = ?", (sha256,)
        ).fetchone()
        return found is not None and size in (None, found[0])

    def entry(self, body: Body) -> Entry | None:
        """What is known of this very body; None: nothing."""
        found = self._database.execute(
            "select state, sha256, size, reason from entries where key = ?",
            (_key(body.object_name, body.id, body.field, body.version),),
        ).fetchone()
        if found is None:
            return None
        if found[0] == "held":
            is_other = body.size not in (None, found[2])
            if is_other or not self._is_present(found[1], found[2]):
                return None
        return Entry.of(body, found[0], sha256=found[1], size=found[2], reason=found[3])

    def same_content(self, body: Body) -> str:
        """SHA-256 of a held content with the MD5 and size of this body; empty: none."""
        found = self._database.execute(
            "select sha256 from contents where key = ?", (f"{body.md5}:{body.size}",)
        ).fetchone()
        if not body.md5 or found is None or not self._is_present(found[0], body.size):
            return ""
        return str(found[0])


def _key(*parts: str) -> str:
    return "\n".join(parts)
