"""When a compaction is worth its cost. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FEWEST_FILES, FILES, MANY_FILES = 8, 32, 256
ROWS_SHARE, SMALL_SHARE = 0.25, 0.02


@dataclass(frozen=True, slots=True)
class Tail:
    """
    What readings have added to a table since its last compaction.

    Args:
        snapshots: how many have added versions.
        files, versions: that may be compacted.
        stored: versions that would be written anew beside them.
    """

    snapshots: int
    files: int
    versions: int
    stored: int


def is_worth(tail: Tail) -> bool:
    """
    Whether the tail should be compacted now.

    Each reading of a state looks at the keys of the whole tail and opens each of its files, and a
    compaction writes everything current anew. So it waits until the tail is a quarter of that, or
    until its files are many; a daily change of 1 % is compacted about once a month.
    """
    if tail.snapshots < 2:
        return False  # nothing has been replaced yet
    if tail.versions >= ROWS_SHARE * tail.stored:
        return tail.files >= FEWEST_FILES
    if tail.files >= FILES and tail.versions >= SMALL_SHARE * tail.stored:
        return True
    return tail.files >= MANY_FILES
