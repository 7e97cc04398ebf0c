"""
What the Delta logs say: which commits a snapshot has made in a table, its cursor, its live parts.

The log is read as the protocol describes it (``_delta_log/<version>.json``, one action to a line),
newest first and only as far back as needed. That is a hundred times cheaper than opening the table,
which counts with 860 objects. Each commit of rows has an entry ``sfnb`` in its ``commitInfo``;
commits without one (new columns, other tools) carry no rows of ours and are skipped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sfnb.errors import StoreError
from sfnb.store.actions import agree, read_actions
from sfnb.store.files import Files, decode
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.parts import Part
from sfnb.store.proof import Proof

LOG = "_delta_log"


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far the reading of one object has come in one snapshot.

    Args:
        parts, rows, deleted, size_bytes: committed; ``rows`` are records alive, ``deleted`` the
            others.
        cursor: what the last commit carried; None before the first.
        is_done: the object is complete.
        max_modstamp: newest SystemModstamp committed (ISO, UTC).
        number: commits this snapshot has made in this table; also Delta's transaction version.
        since: the number of the commit from which parts count (a restart removes the earlier ones).
        version: Delta version of the last commit; -1 before the first.
        proof: what is known of its completeness; None before ``is_done``, and in commits of format
            1.
        file_sha256: of the last commit's file.
    """

    parts: int = 0
    rows: int = 0
    deleted: int = 0
    cursor: Mapping[str, Any] | None = None
    is_done: bool = False
    size_bytes: int = 0
    max_modstamp: str | None = None
    number: int = 0
    since: int = 1
    version: int = -1
    proof: Proof | None = None
    file_sha256: str = ""


NOTHING = Progress()


@dataclass(frozen=True, slots=True)
class Commit:
    """
    One commit of sfnb's, as the log has it.

    Args:
        removed: paths that a restart removed.
        object_name: the object; empty in format 1.
        schema: checksum of the object's schema file in the snapshot; empty in format 1.
        base: the version that this commit was built upon; -1: it created the table. None in format
            1.
        base_sha256: of that version's file: each commit vouches for the one before, the manifest
            for the last.
    """

    snapshot: str
    progress: Progress
    parts: tuple[Part, ...]
    removed: frozenset[str] = frozenset()
    object_name: str = ""
    schema: str = ""
    base: int | None = None
    base_sha256: str = ""


def advanced(
    before: Progress,
    parts: Sequence[Part],
    cursor: Mapping[str, Any] | None,
    *,
    is_done: bool,
    proof: Proof | None,
) -> Progress:
    """The progress after a commit of these parts."""
    stamps = [before.max_modstamp, *(p.max_modstamp for p in parts)]
    return Progress(
        parts=before.parts + len(parts),
        rows=before.rows + sum(p.rows for p in parts),
        deleted=before.deleted + sum(p.deleted for p in parts),
        cursor=None if cursor is None else dict(cursor),
        is_done=is_done,
        size_bytes=before.size_bytes + sum(p.size_bytes for p in parts),
        max_modstamp=max((s for s in stamps if s), key=datetime.fromisoformat, default=None),
        number=before.number + 1,
        since=before.since,
        proof=proof if is_done else None,
    )


def log_path(version: int) -> str:
    return f"{LOG}/{version:020d}.json"


def newest_version(table: Files) -> int:
    """The version of the newest commit, -1 if there is no table."""
    names = [
        n for n in table.names(LOG) if len(n) == 25 and n.endswith(".json") and n[:20].isdigit()
    ]
    return int(names[-1][:20]) if names else -1


def metadata(commit: Commit) -> dict[str, Any]:
    """The entry ``sfnb`` of a commit; it gets its checksum when it is encoded."""
    progress = commit.progress
    return {
        "format": FORMAT,
        "snapshot": commit.snapshot,
        "object": commit.object_name,
        "number": progress.number,
        "since": progress.since,
        "cursor": progress.cursor,
        "is_done": progress.is_done,
        "proof": progress.proof.as_json() if progress.proof else None,
        "parts": [part.as_json() for part in commit.parts],
        "total": {
            "parts": progress.parts,
            "rows": progress.rows,
            "deleted": progress.deleted,
            "size_bytes": progress.size_bytes,
            "max_modstamp": progress.max_modstamp,
        },
        "schema": commit.schema,
        "base": commit.base,
        "base_sha256": commit.base_sha256,
    }


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
        progress = Progress(
            cursor=entry["cursor"],
            is_done=entry["is_done"],
            proof=Proof.from_json(entry["proof"]) if entry.get("proof") else None,
            number=entry["number"],
            since=entry["since"],
            version=version,
            file_sha256=hashlib.sha256(text).hexdigest(),
            **entry["total"],
        )
        commit = Commit(
            snapshot=entry["snapshot"],
            progress=progress,
            parts=tuple(Part.from_json(part) for part in entry["parts"]),
            removed=frozenset(remove["path"] for remove in actions.get("remove", [])),
            object_name=entry.get("object", ""),
            schema=entry.get("schema", ""),
            base=entry.get("base"),
            base_sha256=entry.get("base_sha256", ""),
        )
        is_whole = agree(
            actions,
            version=version,
            snapshot=commit.snapshot,
            number=progress.number,
            parts=commit.parts,
            is_restart=progress.number == progress.since > 1,
        )
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as err:
        raise StoreError(f"{what} is damaged: it is not a Delta commit.") from err
    if not is_whole:
        raise StoreError(
            f"{what} is damaged: the files it names are not those that sfnb committed."
        )
    return commit


def read_commits(
    table: Files, snapshot: str, *, after: int = -1, newest: int | None = None
) -> Iterator[Commit]:
    """
    The commits of one snapshot in a table, newest first, until its first one or the last restart.

    Args:
        after: a version that is older than all of them. Versions, not times: clocks are put back.
        newest: version to start at, when it is known from a manifest.

    Raises:
        StoreError: a commit is missing or damaged.
    """
    version = newest_version(table) if newest is None else newest
    while version > after:
        path = log_path(version)
        text = table.read(path)
        if text is None:
            raise StoreError(
                f"{table.uri(path)} is missing: the rows that it named can no longer be found."
            )
        commit = parse_commit(text, version, table.uri(path))
        if commit is not None and commit.snapshot == snapshot:
            yield commit
            if commit.progress.number <= commit.progress.since:
                return
        version -= 1


def read_parts(
    table: Files, snapshot: str, *, after: int = -1, newest: int | None = None
) -> tuple[Progress, list[Part]]:
    """How far a snapshot has come in a table, and its live parts in the order of their commits."""
    commits = list(read_commits(table, snapshot, after=after, newest=newest))
    if not commits:
        return NOTHING, []
    return commits[0].progress, [part for commit in reversed(commits) for part in commit.parts]
