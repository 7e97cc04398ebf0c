"""Where the reading of one Bulk 2 job stands: when to poll next, which page to ask for next."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from sfnb.store.parts import Part

FIRST_POLL_S = 0.5
"""A small job is ready by then."""

POLL_GROWTH = 0.6
"""The next poll comes after this share of the job's age: the calls grow with the logarithm of the time it takes."""

MAX_POLL_S = 300.0

PAGES_AT_ONCE = 2
"""Result pages of one job under way at a time: one is downloaded while another is parsed."""


@dataclass
class BulkReading:
    """
    One query job. Only the deciding thread touches it.

    Args:
        job: the job's id.
        locator: the page to read next; empty: the first.
        poll_at: when to ask for the job's state, on the clock's monotonic scale.
    """

    job: str
    locator: str | None
    poll_at: float
    created_at: float = 0.0
    is_polling: bool = True
    told_rows: int | None = None
    pages: deque[tuple[Future[tuple[Part | None, int]], Future[str | None]]] = field(
        default_factory=deque
    )

    @classmethod
    def created(cls, job: str, now: float) -> BulkReading:
        """A job just created."""
        return cls(job, "", now + FIRST_POLL_S, now)

    def wait(self, now: float) -> None:
        """Not ready: poll later, the later the longer it takes."""
        age = now - self.created_at if self.created_at else FIRST_POLL_S
        self.poll_at = now + min(MAX_POLL_S, max(FIRST_POLL_S, age * POLL_GROWTH))

    def complete(self, rows: int | None) -> None:
        """The results are there."""
        self.is_polling = False
        self.told_rows = rows

    def wants_page(self) -> bool:
        """Whether a page may be started: its locator is known and not too many are under way."""
        return not self.is_polling and self.locator is not None and len(self.pages) < PAGES_AT_ONCE

    def take_locator(self) -> str:
        """The page to start now. The one after it is known when its answer's head is there (``offer``)."""
        locator, self.locator = self.locator, None
        return locator or ""

    def offer(self, following: str | None) -> None:
        """The locator of the page after the last one started; None: there is none."""
        self.locator = following
