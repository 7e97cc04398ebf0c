"""The bodies of files: every content is there and is what its name says; the index can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sfnb.errors import StoreError
from sfnb.store.bodies.content import FOLDER, content_path
from sfnb.store.bodies.index import INDEX, index_paths, read_entries, whole_path
from sfnb.store.encoding import is_as_encoded
from sfnb.store.files import TEMPORARY, Files
from sfnb.store.formats import NewerFormat
from sfnb.store.verify.findings import Finding, Kind


@dataclass
class _Held:
    """A content as the index has it: its size, an object that uses it, and by how many bodies."""

    size: int
    object_name: str
    users: int = 0


def check_bodies(
    files: Files, indexes: Mapping[str, str], *, quick: bool = False
) -> Iterator[Finding]:
    """
    What is wrong with the bodies of an org.

    Args:
        indexes: by snapshot, SHA-256 of its file of the index, as the newest seal says.
        quick: look at sizes only.

    Cost: reads every content once, unless ``quick``.
    """
    held: dict[str, _Held] = {}
    for snapshot, sha256 in indexes.items():
        path = whole_path(snapshot)
        index = files.digest(path)
        if index is None:
            yield Finding("missing", "an index of bodies is missing", snapshot, path=path)
        elif index[1] != sha256:
            why = "this index of bodies has changed since the seal (SHA-256)"
            yield Finding("digest", why, snapshot, path=path)
    yield from _read_index(files, held)
    present = files.walk(FOLDER)
    for sha256, of in held.items():
        path = content_path(sha256)
        there = present.pop(path, None)
        kind: Kind | None = None
        if there is None:
            kind, what = "missing", "the body of a file is missing"
        elif there != of.size:
            kind, what = "damaged", f"a file's body has {there:,} bytes instead of {of.size:,}"
        elif not quick and (found := files.digest(path)) and found[1] != sha256:
            kind, what = "digest", "the body of a file has changed (SHA-256)"
        if kind is not None:
            yield Finding(kind, what, "", of.object_name, path, of.users)
    for path in sorted(present):
        is_index = path.startswith(f"{INDEX}/") and TEMPORARY not in path
        if not is_index:
            why = "a file that nothing names, left by an interrupted backup"
            yield Finding("orphan", why, path=path)


def _read_index(files: Files, held: dict[str, _Held]) -> Iterator[Finding]:
    """Every content that the index names, into ``held``; and what is wrong with the index."""
    for path, snapshot in index_paths(files):
        try:
            for entry in read_entries(files, path, snapshot):
                if entry.state == "held":
                    size = entry.size or 0
                    held.setdefault(entry.sha256, _Held(size, entry.object_name)).users += 1
        except NewerFormat:
            raise
        except StoreError as err:
            yield Finding("damaged", str(err), snapshot, path=path)
            continue
        text = files.read(path)
        if text is not None and not is_as_encoded(text):
            why = "this file is spelled otherwise than it was written"
            yield Finding("digest", why, snapshot, path=path)
