"""Whether the user of a backup sees all records. Pure. To such a user an org's own counts agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sfnb.model import JobWarning
from sfnb.org.permissions import PARTIAL_VISIBILITY

FAR, LEAST_ROWS = 2, 100
"""A count is far off where the org has so many times the records read, and so many more."""


def far_off(expected: Mapping[str, int | None], rows: Mapping[str, int]) -> Iterator[JobWarning]:
    """
    Objects of which the org has many more records than this user sees.

    Args:
        expected: the org's statistic, which counts for all users alike.
        rows: as read.
    """
    for name, number in sorted(rows.items()):
        count = expected.get(name) or 0
        if count >= FAR * number and count - number >= LEAST_ROWS:
            message = f"The user sees {number:,} records; the org has about {count:,}."
            yield JobWarning(PARTIAL_VISIBILITY, name, message)
