"""
What one commit of sfnb's says: its values, and how they are spelled in the log.

Each commit of rows has an entry ``sfnb`` in its ``commitInfo``; commits without one (new columns,
other tools) carry no rows of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sfnb.errors import StoreError
from sfnb.store.actions import Actions, agree, read_actions
from sfnb.store.encoding import decode
from sfnb.store.formats import FORMAT, RESTATED, check_format
from sfnb.store.held import Held
from sfnb.store.parts import Part
from sfnb.store.place import RECORDS_FORMAT, place_of
from sfnb.store.progress import NOTHING, Progress, Total
from sfnb.store.proof import Proof

READ, COMPACT, PRUNE, ERASE = "read", "compact", "prune", "erase"

KINDS = (READ, COMPACT, PRUNE, ERASE)
"""
What a commit does: bring what a reading found, rewrite versions, take versions out that no kept
snapshot needs, take Ids out of all versions.
"""

RESTATING = frozenset({PRUNE, ERASE})
"""
Kinds of commits that say again what the readings before them said, so that the log may begin with
them: the commits before are removed.
"""


@dataclass(frozen=True, slots=True)
class Replay:
    """
    A reading of an older format that an upgrade has written anew, below what was there.

    Args:
        newest: the newest snapshot that had committed to the table itself; empty: none.
        is_last: the newest reading of an older format: with it the replay is whole.
    """

    newest: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class VersionCount:
    """Versions in some files: how many, and a digest of their Ids and of who brought them."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Erased:
    """Records of a state that an erasure has taken out: alive, and in the recycle bin."""

    rows: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Commit:
    """
    One commit of sfnb's, as the log has it.

    Args:
        kind: ``read``, ``compact`` or ``erase``. The last two belong to no snapshot.
        total: of the snapshot's live parts after it.
        removed: paths that it removed.
        object_name: the object; empty in format 1.
        schema: checksum of the object's schema file in the snapshot; empty in format 1.
        base: the version that this commit was built upon; -1: it created the table. None in format
            1.
        base_sha256: of that version's file: each commit vouches for the one before, the manifest
            for the last.
        versions: of a compaction: those in its parts, which are those in the parts it removed.
        replay: of a reading that an upgrade has written anew.
        removed_at: when it removed them, in milliseconds since 1970.
        live: of a restating commit: the table's parts after it.
        readings: of a restating commit: the newest commit of each reading that still counts, oldest
            first, each with all parts of its reading.
        erased: of a restated reading: what was taken out of its state since it was read.
    """

    snapshot: str
    progress: Progress
    parts: tuple[Part, ...]
    removed: frozenset[str] = frozenset()
    object_name: str = ""
    schema: str = ""
    base: int | None = None
    base_sha256: str = ""
    kind: str = READ
    format: int = FORMAT
    total: Total | None = None
    versions: VersionCount | None = None
    replay: Replay | None = None
    removed_at: Mapping[str, int] = field(default_factory=dict, compare=False)
    live: tuple[Part, ...] = ()
    readings: tuple[Commit, ...] = ()
    erased: Erased = Erased()

    @property
    def restates(self) -> bool:
        """Whether the log may begin with it."""
        return self.kind in RESTATING


def metadata(commit: Commit, total: Total) -> dict[str, Any]:
    """The entry ``sfnb`` of a reading's commit; it gets its checksum when it is encoded."""
    progress = commit.progress
    entry: dict[str, Any] = {"format": commit.format}
    if commit.format >= RECORDS_FORMAT:
        entry["kind"] = commit.kind
    entry |= {
        "snapshot": commit.snapshot,
        "object": commit.object_name,
        "number": progress.number,
        "since": progress.since,
        "cursor": progress.cursor,
        "is_done": progress.is_done,
        "proof": progress.proof.as_json() if progress.proof else None,
        "parts": [part.as_json() for part in commit.parts],
        "total": {
            "parts": total.parts,
            "rows": total.rows,
            "deleted": total.deleted,
            "size_bytes": total.size_bytes,
            "max_modstamp": total.max_modstamp,
        },
        "schema": commit.schema,
        "base": commit.base,
        "base_sha256": commit.base_sha256,
    }
    if commit.format >= RECORDS_FORMAT:
        entry["total"]["gone"] = total.gone
        entry["removed"] = sorted(commit.removed)
        if commit.replay is not None:
            entry["replay"] = asdict(commit.replay)
        entry["held"] = progress.held.as_json() if progress.held else None
    return entry


def parse_commit(text: bytes, version: int, what: str) -> Commit | None:
    """
    One commit file: sfnb's commit, or None if it is another's.

    Raises:
        StoreError: it cannot be read, or is not what was written.
        NewerFormat: a newer sfnb wrote it.
    """
    try:
        actions = read_actions(text)
        info = actions.get("commitInfo", [{}])[0]
        if "sfnb" not in info:
            return None
        entry = decode(info["sfnb"], what)
        check_format(entry, what)
        commit = _commit(entry, actions, version, text)
        is_whole = agree(
            actions,
            version=version,
            place=place_of(commit.object_name, commit.snapshot, commit.format),
            snapshot=commit.snapshot,
            number=commit.progress.number,
            parts=commit.parts,
            removed=_may_be_removed(commit),
            is_read=commit.kind == READ,
        )
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as err:
        raise StoreError(f"{what} is damaged: it is not a Delta commit.") from err
    if not is_whole:
        raise StoreError(
            f"{what} is damaged: the files it names are not those that sfnb committed."
        )
    moments = {
        str(remove["path"]): int(remove.get("deletionTimestamp") or 0)
        for remove in actions.get("remove", [])
    }
    return replace(commit, removed_at=moments) if moments else commit


def compact_entry(
    object_name: str,
    parts: Sequence[Part],
    *,
    removed: Sequence[str],
    versions: VersionCount,
    base: int,
    base_sha256: str,
) -> dict[str, Any]:
    """The entry ``sfnb`` of a compaction's commit; it gets its checksum when it is encoded."""
    return {
        "format": FORMAT,
        "kind": COMPACT,
        "object": object_name,
        "parts": [part.as_json() for part in parts],
        "removed": list(removed),
        "versions": asdict(versions),
        "base": base,
        "base_sha256": base_sha256,
    }


def restating_entry(
    kind: str,
    object_name: str,
    parts: Sequence[Part],
    *,
    removed: Sequence[str],
    live: Sequence[Part],
    readings: Sequence[Commit],
    base: int,
    base_sha256: str,
) -> dict[str, Any]:
    """The entry ``sfnb`` of a commit that restates; it gets its checksum when it is encoded."""
    return {
        "format": RESTATED,
        "kind": kind,
        "object": object_name,
        "parts": [part.as_json() for part in parts],
        "removed": sorted(removed),
        "live": [part.as_json() for part in live],
        "readings": [_reading_entry(reading) for reading in readings],
        "base": base,
        "base_sha256": base_sha256,
    }


def _reading_entry(reading: Commit) -> dict[str, Any]:
    total = reading.total or Total.of(reading.parts)
    return {
        **metadata(reading, total),
        "version": reading.progress.version,
        "sha256": reading.progress.file_sha256,
        "erased": asdict(reading.erased),
    }


def _restating(entry: Mapping[str, Any], version: int, text: bytes) -> Commit:
    file_sha256 = hashlib.sha256(text).hexdigest()
    return Commit(
        snapshot="",
        progress=replace(NOTHING, version=version, file_sha256=file_sha256),
        parts=tuple(Part.from_json(part) for part in entry["parts"]),
        removed=frozenset(entry["removed"]),
        object_name=entry["object"],
        base=entry["base"],
        base_sha256=entry["base_sha256"],
        kind=entry["kind"],
        format=entry["format"],
        live=tuple(Part.from_json(part) for part in entry["live"]),
        readings=tuple(_reading(one) for one in entry["readings"]),
    )


def _reading(entry: Mapping[str, Any]) -> Commit:
    """A reading as it is restated: like its newest commit, with all parts of the reading."""
    found = _commit(entry, {}, entry["version"], b"")
    progress = replace(found.progress, file_sha256=entry["sha256"])
    return replace(found, progress=progress, erased=Erased(**entry["erased"]))


def _commit(entry: Mapping[str, Any], actions: Actions, version: int, text: bytes) -> Commit:
    if entry.get("kind", READ) in RESTATING:
        return _restating(entry, version, text)
    if entry.get("kind", READ) == COMPACT:
        return Commit(
            snapshot="",
            progress=replace(
                NOTHING, version=version, file_sha256=hashlib.sha256(text).hexdigest()
            ),
            parts=tuple(Part.from_json(part) for part in entry["parts"]),
            removed=frozenset(entry["removed"]),
            object_name=entry["object"],
            base=entry["base"],
            base_sha256=entry["base_sha256"],
            kind=COMPACT,
            format=entry["format"],
            versions=VersionCount(**entry["versions"]),
        )
    total = Total(**entry["total"])
    held = Held.from_json(entry["held"]) if entry.get("held") else None
    progress = Progress(
        parts=total.parts,
        rows=held.rows if held else total.rows,
        deleted=held.deleted if held else total.deleted,
        cursor=entry["cursor"],
        is_done=entry["is_done"],
        size_bytes=total.size_bytes,
        max_modstamp=total.max_modstamp,
        number=entry["number"],
        since=entry["since"],
        version=version,
        proof=Proof.from_json(entry["proof"]) if entry.get("proof") else None,
        file_sha256=hashlib.sha256(text).hexdigest(),
        held=held,
    )
    removes = frozenset(remove["path"] for remove in actions.get("remove", []))
    kind = entry.get("kind", READ)
    if kind not in KINDS:
        raise ValueError(kind)
    return Commit(
        snapshot=entry["snapshot"],
        progress=progress,
        parts=tuple(Part.from_json(part) for part in entry["parts"]),
        removed=frozenset(entry.get("removed", removes)),
        object_name=entry.get("object", ""),
        schema=entry.get("schema", ""),
        base=entry.get("base"),
        base_sha256=entry.get("base_sha256", ""),
        kind=kind,
        format=entry["format"],
        total=total,
        replay=Replay(**entry["replay"]) if entry.get("replay") else None,
    )


def _may_be_removed(commit: Commit) -> frozenset[str]:
    """Formats 1 and 2 do not say what a restart removes; nothing else removes anything there."""
    is_restart = commit.progress.number == commit.progress.since > 1
    if commit.format >= RECORDS_FORMAT or is_restart:
        return commit.removed
    return frozenset()
