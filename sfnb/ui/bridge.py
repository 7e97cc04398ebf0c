"""From the job's threads to the kernel's loop: events are queued, and drawn in batches where widgets live."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sfnb.jobs.events import Event

INTERVAL_S = 0.1
"""Batches are at least so far apart: ten drawings a second look smooth, and thousands of events cost no more."""


class Bridge:
    """
    A sink that any thread may call, and a drawing function that only the kernel's loop calls.

    While a cell blocks the loop (as `engine.run` does), nothing could be drawn from it; then the thread that blocks it
    is the loop's own, and draws itself, as often as the interval allows.

    Args:
        draw: takes a batch of events, oldest first.
        loop: the kernel's tornado or asyncio loop; None: draw only from the thread that made the bridge.
    """

    def __init__(self, draw: Callable[[Sequence[Event]], None], *, loop: Any = None, now: Callable[[], float]) -> None:
        self._draw = draw
        self._loop = loop
        self._now = now
        self._home = threading.get_ident()
        self._queue: deque[Event] = deque()
        self._lock = threading.Lock()
        self._is_due = False
        self._drawn_s = float("-inf")

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._queue.append(event)
            schedule = self._loop is not None and not self._is_due and threading.get_ident() != self._home
            self._is_due = self._is_due or schedule
        if threading.get_ident() == self._home:
            if self._now() - self._drawn_s >= INTERVAL_S:
                self.flush()
        elif schedule:
            self._loop.call_soon_threadsafe(self._loop.call_later, INTERVAL_S, self.flush)

    def flush(self) -> None:
        """Draw what is queued. Only from the loop's thread."""
        with self._lock:
            batch, self._queue = list(self._queue), deque()
            self._is_due = False
        self._drawn_s = self._now()
        if batch:
            self._draw(batch)
