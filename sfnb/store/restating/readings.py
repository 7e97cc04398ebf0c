"""The readings of a table as a commit restates them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sfnb.store.commits import READ, Commit
from sfnb.store.files import Files
from sfnb.store.log import live_parts, newest_version, read_back


def readings_of(table: Files) -> list[Commit]:
    """
    Of each snapshot that has committed to a table its newest commit, with all parts that count of
    it; oldest first.

    Raises:
        StoreError: a commit is missing or damaged.
    """
    commits: dict[str, list[Commit]] = {}
    for commit in read_back(table, newest_version(table)):
        if commit.kind != READ:
            continue
        mine = commits.setdefault(commit.snapshot, [])
        # What came before the last restart does not count.
        if not mine or mine[-1].progress.number > mine[-1].progress.since:
            mine.append(commit)
    found = [
        replace(mine[0], parts=tuple(live_parts(mine)), removed=frozenset())
        for mine in commits.values()
    ]
    return sorted(found, key=lambda reading: reading.progress.version)


def base_of(readings: Collection[Commit], snapshot: str) -> str:
    """The newest reading that has ended before a snapshot: what its own is compared with; empty: none."""
    ended = [
        r.snapshot
        for r in readings
        if r.progress.held is not None and r.progress.is_done and r.snapshot < snapshot
    ]
    return max(ended, default="")
