"""
The version of what is on disk, and what happens when a newer sfnb wrote it. See docs/format.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfnb.errors import StoreError

FORMAT = 3
"""
What this sfnb writes. A change begins in docs/format.md, and every older number stays readable.
"""

OLDER = 2
"""What a snapshot goes on in that was begun in format 1 or 2: its rows are in ``tables/``."""

RESTATED = 4
"""
What a commit has that restates a table's readings: an older sfnb must not read past it, because the
commits before it are gone.
"""

READABLE = frozenset({1, 2, 3, RESTATED})


class NewerFormat(StoreError):
    """
    A newer sfnb wrote this. It is no damage, but nothing may be concluded from it, and nothing
    added to it.
    """


def check_format(content: Mapping[str, Any], what: str) -> None:
    """
    Refuse what this sfnb cannot read.

    Raises:
        NewerFormat: a newer sfnb wrote it.
        StoreError: its format number is none.
    """
    number = content.get("format")
    if number in READABLE and not isinstance(number, bool):
        return
    if isinstance(number, int) and number > FORMAT:
        raise NewerFormat(
            f"{what} was written by a newer sfnb (format {number}; this one reads up to {FORMAT}). "
            "Update sfnb."
        )
    raise StoreError(f"{what} is damaged: {number!r} is not a format of the store.")
