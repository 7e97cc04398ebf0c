"""
What the Delta logs say: which commits a snapshot has made in a table, its cursor, its live parts.

The log is read as the protocol describes it (``_delta_log/<version>.json``, one action to a line), newest first and
only as far back as needed. That is a hundred times cheaper than opening the table, which counts with 860 objects.
Each commit of rows has an entry ``sfnb`` in its ``commitInfo``; commits without one (new columns, other tools)
carry no rows of ours and are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sfnb.errors import StoreError
from sfnb.store.files import Files, decode
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.parts import SNAPSHOT, Part
from sfnb.store.proof import Proof

LOG = "_delta_log"

CLOCK_SKEW = timedelta(days=1)
"""Two workers' clocks differ by less: commits older than a snapshot by more than this are not its own."""


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far the reading of one object has come in one snapshot.

    Args:
        parts, rows, deleted, size_bytes: committed; ``rows`` are records alive, ``deleted`` the others.
        cursor: what the last commit carried; None before the first.
        is_done: the object is complete.
        max_modstamp: newest SystemModstamp committed (ISO, UTC).
        number: commits this snapshot has made in this table; also Delta's transaction version.
        since: the number of the commit from which parts count (a restart removes the earlier ones).
        version: Delta version of the last commit; -1 before the first.
        proof: what is known of its completeness; None before ``is_done``, and in commits of format 1.
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


NOTHING = Progress()


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of sfnb's, as the log has it."""

    snapshot: str
    progress: Progress
    parts: tuple[Part, ...]
    removed: frozenset[str] = frozenset()


def log_path(version: int) -> str:
    return f"{LOG}/{version:020d}.json"


def newest_version(table: Files) -> int:
    """The version of the newest commit, -1 if there is no table."""
    names = [
        n for n in table.names(LOG) if len(n) == 25 and n.endswith(".json") and n[:20].isdigit()
    ]
    return int(names[-1][:20]) if names else -1


def metadata(snapshot: str, progress: Progress, parts: Sequence[Part]) -> dict[str, Any]:
    """The entry ``sfnb`` of a commit; it gets its checksum when it is encoded."""
    return {
        "format": FORMAT,
        "snapshot": snapshot,
        "number": progress.number,
        "since": progress.since,
        "cursor": progress.cursor,
        "is_done": progress.is_done,
        "proof": progress.proof.as_json() if progress.proof else None,
        "parts": [part.as_json() for part in parts],
        "total": {
            "parts": progress.parts,
            "rows": progress.rows,
            "deleted": progress.deleted,
            "size_bytes": progress.size_bytes,
            "max_modstamp": progress.max_modstamp,
        },
    }


def parse_commit(text: bytes, version: int, what: str) -> tuple[Commit | None, int]:
    """
    One commit file: sfnb's commit, or None if it is another's, and its time in ms since 1970.

    Raises:
        StoreError: it cannot be read, or is not what was written.
    """
    try:
        actions: dict[str, list[dict[str, Any]]] = {}
        for line in text.splitlines():
            for kind, body in json.loads(line).items():
                actions.setdefault(kind, []).append(body)
        info = actions.get("commitInfo", [{}])[0]
        written_ms = int(info.get("timestamp", 0))
        if "sfnb" not in info:
            return None, written_ms
        entry = decode(info["sfnb"], what)
        check_format(entry, what)
        total = entry["total"]
        progress = Progress(
            cursor=entry["cursor"],
            is_done=entry["is_done"],
            proof=Proof.from_json(entry["proof"]) if entry.get("proof") else None,
            number=entry["number"],
            since=entry["since"],
            version=version,
            **total,
        )
        commit = Commit(
            snapshot=entry["snapshot"],
            progress=progress,
            parts=tuple(Part(**part) for part in entry["parts"]),
            removed=frozenset(remove["path"] for remove in actions.get("remove", [])),
        )
        is_whole = _agree(commit, actions)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as err:
        raise StoreError(f"{what} is damaged: it is not a Delta commit.") from err
    if not is_whole:
        raise StoreError(
            f"{what} is damaged: the files it names are not those that sfnb committed."
        )
    return commit, written_ms


def _agree(commit: Commit, actions: Mapping[str, list[dict[str, Any]]]) -> bool:
    """Whether Delta's actions agree with the entry of ours beside them."""
    partition = {SNAPSHOT: commit.snapshot}
    adds = {
        a["path"]: (a["size"], a["partitionValues"], json.loads(a["stats"]))
        for a in actions.get("add", [])
    }
    txns = [(txn["appId"], txn["version"]) for txn in actions.get("txn", [])]
    return adds == {
        p.path: (p.size_bytes, partition, p.delta_stats()) for p in commit.parts
    } and txns == [(commit.snapshot, commit.progress.number)]


def read_commits(
    table: Files, snapshot: str, *, not_before: datetime | None = None, newest: int | None = None
) -> Iterator[Commit]:
    """
    The commits of one snapshot in a table, newest first, until its first one or the last restart.

    Args:
        not_before: when the snapshot began; commits from long before end the search.
        newest: version to start at, when it is known from a manifest.

    Raises:
        StoreError: a commit is missing or damaged.
    """
    version = newest_version(table) if newest is None else newest
    oldest_ms = (not_before - CLOCK_SKEW).timestamp() * 1000 if not_before else 0
    while version >= 0:
        path = log_path(version)
        text = table.read(path)
        if text is None:
            raise StoreError(
                f"{table.uri(path)} is missing: the rows that it named can no longer be found."
            )
        commit, written_ms = parse_commit(text, version, table.uri(path))
        if commit is not None and commit.snapshot == snapshot:
            yield commit
            if commit.progress.number <= commit.progress.since:
                return
        elif 0 < written_ms < oldest_ms:
            return
        version -= 1


def read_progress(table: Files, snapshot: str, *, not_before: datetime | None = None) -> Progress:
    """How far a snapshot has come in a table. Cost: usually one folder listing and one small file."""
    for commit in read_commits(table, snapshot, not_before=not_before):
        return commit.progress
    return NOTHING


def read_parts(
    table: Files, snapshot: str, *, not_before: datetime | None = None, newest: int | None = None
) -> tuple[Progress, list[Part]]:
    """How far a snapshot has come in a table, and its live parts in the order of their commits."""
    commits = list(read_commits(table, snapshot, not_before=not_before, newest=newest))
    if not commits:
        return NOTHING, []
    return commits[0].progress, [part for commit in reversed(commits) for part in commit.parts]
