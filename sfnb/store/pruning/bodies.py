"""Bodies of files that no stored record has any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sfnb.store.bodies.content import FOLDER, content_path
from sfnb.store.bodies.index import (
    INDEX,
    Entry,
    index_paths,
    put_entries,
    read_entries,
    whole_path,
)
from sfnb.store.files import Files
from sfnb.store.manifest import Manifest, put_manifest, read_manifest
from sfnb.store.snapshots import Snapshots
from sfnb.store.states.everything import stored_ids


class BodyPrune:
    """
    Takes entries out of the index whose record is stored in no version, and contents that no entry
    names. Killed anywhere, it can be repeated.

    Args:
        files: the org's folder.
        gone: by object, Ids of records that go before this runs; None: those that no table has.
        is_quiet: whether no job of the org is running or has run since; what a job has begun to
            write may be named by nothing yet.
    """

    def __init__(
        self,
        files: Files,
        gone: Mapping[str, frozenset[str]] | None = None,
        *,
        is_quiet: Callable[[], bool] = lambda: True,
    ) -> None:
        self._files = files
        self._gone = gone
        self._is_quiet = is_quiet
        self._stored: dict[str, frozenset[str]] = {}

    def run(self) -> int:
        """Take them out; how many contents."""
        changed: dict[str, tuple[str, list[Entry]]] = {}
        named: set[str] = set()
        for path, snapshot in index_paths(self._files):
            entries = list(read_entries(self._files, path, snapshot))
            kept = [entry for entry in entries if not self._is_gone(entry)]
            named |= {entry.sha256 for entry in kept if entry.state == "held"}
            if len(kept) < len(entries):
                changed[path] = (snapshot, kept)
        if not self._is_quiet():
            return 0
        if changed:
            self._rewrite(changed)
        contents = {path for path in self._files.walk(FOLDER) if not path.startswith(f"{INDEX}/")}
        gone = contents - {content_path(sha256) for sha256 in named}
        for number, path in enumerate(sorted(gone)):
            if not self._is_quiet():
                return number
            self._files.delete(path)
        return len(gone)

    def _is_gone(self, entry: Entry) -> bool:
        name = entry.object_name
        if self._gone is not None:
            return entry.id in self._gone.get(name, frozenset())
        if name not in self._stored:
            self._stored[name] = stored_ids(self._files, name)
        return entry.id not in self._stored[name]

    def _rewrite(self, changed: Mapping[str, tuple[str, list[Entry]]]) -> None:
        """
        The seal that vouches for the index does not vouch for these files while they change, so
        that at no moment it says something that is not so.
        """
        seal = self._seal()
        wholes = {
            snapshot for path, (snapshot, _) in changed.items() if path == whole_path(snapshot)
        }
        if seal is not None and seal.indexes is not None and wholes & seal.indexes.keys():
            kept = {s: sha256 for s, sha256 in seal.indexes.items() if s not in wholes}
            put_manifest(self._files, replace(seal, indexes=kept))
        for path, (snapshot, entries) in changed.items():
            put_entries(self._files, path, snapshot, entries)
        if seal is not None and seal.indexes is not None:
            digests = {s: self._files.digest(whole_path(s)) for s in wholes & seal.indexes.keys()}
            new = {s: found[1] for s, found in digests.items() if found}
            put_manifest(
                self._files, replace(seal, indexes=dict(sorted({**seal.indexes, **new}.items())))
            )

    def _seal(self) -> Manifest | None:
        """The newest seal that vouches for the index."""
        for snapshot in reversed(list(Snapshots(self._files))):
            manifest = read_manifest(self._files, snapshot)
            if manifest is not None and manifest.indexes is not None:
                return manifest
        return None
