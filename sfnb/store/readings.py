"""The readings in a table's log, newest first: what a snapshot's reading follows."""

from __future__ import annotations

from collections.abc import Iterator

from sfnb.store.commits import READ, Commit
from sfnb.store.files import Files
from sfnb.store.log import newest_version, read_back, read_forward


def _readings(table: Files, newest: int) -> Iterator[Commit]:
    """The readings' commits of all snapshots, newest first."""
    return (commit for commit in read_back(table, newest) if commit.kind == READ)


def newest_reading(table: Files, newest: int) -> str:
    """The newest snapshot that has committed to a table; empty: none."""
    for commit in _readings(table, newest):
        return max(commit.snapshot, commit.replay.newest if commit.replay else "")
    return ""


def newest_native(table: Files) -> str:
    """The newest snapshot that has committed to a table by itself, not by a replay; empty: none."""
    for commit in _readings(table, newest_version(table)):
        return commit.replay.newest if commit.replay else commit.snapshot
    return ""


def live_paths(table: Files) -> list[str]:
    """The files of a table by its commits alone, in their order."""
    found: dict[str, None] = {}
    for commit in read_forward(table):
        if commit.restates:
            found = dict.fromkeys(part.path for part in commit.live)
            continue
        for path in commit.removed:
            found.pop(path, None)
        found |= dict.fromkeys(part.path for part in commit.parts)
    return list(found)


def last_settled(table: Files, snapshot: str, *, is_replay: bool = False) -> Commit | None:
    """
    The commit that ended the newest reading of a snapshot older than this one.

    Replayed readings count where nothing else does, and only when all of them are there.

    Args:
        is_replay: for a replay itself: of the replayed ones.
    """
    for commit in _readings(table, newest_version(table)):
        if commit.replay is None and is_replay:
            continue
        if commit.snapshot >= snapshot or commit.progress.held is None:
            continue
        if commit.replay is None or is_replay:
            if commit.progress.is_done:
                return commit
        elif not commit.replay.newest:
            return _whole_replay(table)
    return None


def _whole_replay(table: Files) -> Commit | None:
    """The commit of the newest replayed reading that has ended; None: the replay is not whole."""
    is_whole = False
    for commit in _readings(table, newest_version(table)):
        is_whole = is_whole or bool(commit.replay and commit.replay.is_last)
        if commit.replay and commit.progress.held is not None and commit.progress.is_done:
            return commit if is_whole else None
    return None


def is_replay_open(table: Files) -> bool:
    """Whether an upgrade has begun to replay readings into a table that has no others."""
    for commit in _readings(table, newest_version(table)):
        return not (commit.replay is None or commit.replay.newest or commit.replay.is_last)
    return False
