"""The time, injected. Nobody else in sfnb asks the operating system what time it is or sleeps."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What sfnb knows of time. ``SystemClock`` and the tests' ``FakeClock`` pass one contract suite."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Wait, or until ``stop`` is set; True if it was set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        return (stop or threading.Event()).wait(max(seconds, 0.0))


class FakeClock:
    """A clock for tests: waiting takes no time and moves it forward. Safe for threads."""

    def __init__(self, start: datetime = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)) -> None:
        self._lock = threading.Lock()
        self._start = start
        self._passed_s = 0.0

    def now(self) -> datetime:
        with self._lock:
            return self._start + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        with self._lock:
            return self._passed_s

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        if stop is not None and stop.is_set():
            return True
        self.advance(seconds)
        return stop is not None and stop.is_set()

    def advance(self, seconds: float) -> None:
        """Push the time forward."""
        with self._lock:
            self._passed_s += max(seconds, 0.0)
