"""
The time of the database's server, which all who share it go by.

Tickets, leases and readings of several hosts are compared with each other. A host whose clock is
hours off would take another's fresh ticket for a lost one, or its own for one of tomorrow.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sfnb.clock import Clock
from sfnb.errors import StateUnavailable

LOOK_S = 60.0
"""After so many seconds the server is asked once more: no two stopwatches run at one speed."""

JUMP_S = 1.0
"""The host's time moved so far against its stopwatch: it slept, or its clock was set."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The server's time at a second of the host's stopwatch, and how far that was from its clock."""

    at: datetime
    at_s: float
    host_offset_s: float


class ServerClock:
    """
    A clock that asks the server once a minute, and counts on by the host's stopwatch in between.

    Cost: a round trip a minute. While the server is away it counts on. Safe for threads.

    Args:
        ask: the server's time now.
        host: this machine's clock. Its time of day serves only to notice that it jumped.
    """

    def __init__(self, ask: Callable[[], datetime], host: Clock) -> None:
        self._ask = ask
        self._host = host
        self._asking = threading.Lock()
        self._last = self._look()

    def now(self) -> datetime:
        """The server's time, to half a round trip."""
        last = self._last
        if self._is_old(last) and self._asking.acquire(blocking=False):
            try:
                self._last = last = self._look_again(last)
            finally:
                self._asking.release()
        return last.at + timedelta(seconds=self._host.monotonic() - last.at_s)

    def monotonic(self) -> float:
        return self._host.monotonic()

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        return self._host.wait(seconds, stop)

    def _is_old(self, last: _Look) -> bool:
        is_late = self._host.monotonic() - last.at_s >= LOOK_S
        return is_late or abs(self._host_offset_s() - last.host_offset_s) > JUMP_S

    def _look(self) -> _Look:
        began_s = self._host.monotonic()
        at = self._ask()
        ended_s = self._host.monotonic()
        return _Look(at, (began_s + ended_s) / 2, self._host_offset_s())

    def _look_again(self, last: _Look) -> _Look:
        try:
            return self._look()
        except StateUnavailable:
            # Whoever asked for the time will soon meet the same. Not at every call, though.
            passed_s = self._host.monotonic() - last.at_s
            at = last.at + timedelta(seconds=passed_s)
            return _Look(at, last.at_s + passed_s, self._host_offset_s())

    def _host_offset_s(self) -> float:
        return self._host.now().timestamp() - self._host.monotonic()
