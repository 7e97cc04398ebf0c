"""
What the Delta logs say: which commits a snapshot has made in a table, its cursor, its live parts.

The log is read as the protocol describes it (``_delta_log/<version>.json``, one action to a line),
newest first and only as far back as needed. That is a hundred times cheaper than opening the table,
which counts with 860 objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sfnb.errors import StoreError
from sfnb.store.commits import READ, Commit, parse_commit
from sfnb.store.files import Files
from sfnb.store.parts import Part
from sfnb.store.progress import NOTHING, Progress

LOG = "_delta_log"


def log_path(version: int) -> str:
    return f"{LOG}/{version:020d}.json"


def newest_version(table: Files) -> int:
    """The version of the newest commit, -1 if there is no table."""
    names = [
        n for n in table.names(LOG) if len(n) == 25 and n.endswith(".json") and n[:20].isdigit()
    ]
    return int(names[-1][:20]) if names else -1


def read_back(table: Files, newest: int) -> Iterator[Commit]:
    """
    sfnb's commits from a version on, newest first; where the log was restated, the readings that
    the restating commit has stand for those before it.

    Raises:
        StoreError: a commit is missing or damaged.
    """
    for version in range(newest, -1, -1):
        path = log_path(version)
        text = table.read(path)
        if text is None:
            raise StoreError(
                f"{table.uri(path)} is missing: the rows that it named can no longer be found."
            )
        commit = parse_commit(text, version, table.uri(path))
        if commit is None:
            continue
        yield commit
        if commit.restates:
            yield from reversed(commit.readings)
            return


def read_forward(table: Files) -> list[Commit]:
    """All of sfnb's commits that count, oldest first: a restating one comes before the readings that it has."""
    found = list(read_back(table, newest_version(table)))
    return found[::-1]


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
    if newest is not None and table.read(log_path(newest)) is None:
        version = _restated_after(table, newest)
    for commit in read_back(table, version):
        if commit.progress.version <= after:
            return
        if commit.kind == READ and commit.snapshot == snapshot:
            yield commit
            if commit.progress.number <= commit.progress.since:
                return


def _restated_after(table: Files, version: int) -> int:
    """The version of the commit that stands for this one, which is gone; else this one."""
    for name in table.names(LOG):
        if name.endswith(".json") and name[:20].isdigit() and int(name[:20]) > version:
            path = f"{LOG}/{name}"
            commit = parse_commit(table.read(path) or b"{}", int(name[:20]), table.uri(path))
            return int(name[:20]) if commit is not None and commit.restates else version
    return version


def live_parts(commits: Iterable[Commit]) -> list[Part]:
    """
    The parts that count after some commits of one snapshot, newest first, in the order of their
    commits.
    """
    found: dict[str, Part] = {}
    for commit in reversed(list(commits)):
        for path in commit.removed:
            found.pop(path, None)
        found |= {part.path: part for part in commit.parts}
    return list(found.values())


def read_parts(
    table: Files, snapshot: str, *, after: int = -1, newest: int | None = None
) -> tuple[Progress, list[Part]]:
    """How far a snapshot has come in a table, and its live parts in the order of their commits."""
    commits = list(read_commits(table, snapshot, after=after, newest=newest))
    return (commits[0].progress, live_parts(commits)) if commits else (NOTHING, [])
