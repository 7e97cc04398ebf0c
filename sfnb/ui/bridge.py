"""
From the job's threads to the kernel's loop: events are queued, and drawn in batches where widgets
live.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sfnb.jobs.events import Event

INTERVAL_S = 0.1
"""
Batches are at least so far apart: ten drawings a second look smooth, and thousands of events cost
no more.
"""


class Bridge:
    """
    A sink that any thread may call, and a drawing function that only the kernel's loop calls.

    The first event after a quiet time is drawn at once, those that follow within `INTERVAL_S`
    together. While a cell keeps the loop busy events wait in the queue; without a loop (`loop`
    None) they wait for `flush`.

    Args:
        draw: takes a batch of events, oldest first.
        loop: the kernel's tornado loop.
        now: monotonic seconds.
    """

    def __init__(
        self, draw: Callable[[Sequence[Event]], None], *, loop: Any, now: Callable[[], float]
    ) -> None:
        self._draw = draw
        self._loop = loop
        self._now = now
        self._queue: deque[Event] = deque()
        self._lock = threading.Lock()
        self._is_due = False
        self._drawn_s = float("-inf")

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._queue.append(event)
            schedule = self._loop is not None and not self._is_due
            self._is_due = self._is_due or schedule
        if schedule:
            self._loop.add_callback(self._arrange)

    def flush(self) -> None:
        """Draw what is queued. Only from the loop's thread, or where there is no loop."""
        with self._lock:
            batch, self._queue = list(self._queue), deque()
            self._is_due = False
        self._drawn_s = self._now()
        if batch:
            self._draw(batch)

    def _arrange(self) -> None:
        rest_s = self._drawn_s + INTERVAL_S - self._now()
        if rest_s <= 0:
            self.flush()
        else:
            self._loop.call_later(rest_s, self.flush)
