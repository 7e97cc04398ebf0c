"""The demo org's time. It can run fast and be pushed forward; it never goes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Steps:
    """
    How calls move the clock, for demos that must go the same way on any machine.

    A client that asks for ``/limits`` twice in a row, with no other call between, waits for its
    quota: then much time passes at once.

    Args:
        per_call_s: simulated seconds that pass with each call.
        per_wait_s: simulated seconds that pass with each look at ``/limits`` of a client that
            waits.
    """

    per_call_s: float = 30.0
    per_wait_s: float = 6 * 3600.0


class SimulatedClock:
    """
    Simulated time, safe for threads: ``minutes_per_second`` simulated minutes pass in one real
    second.

    Args:
        start_at: where simulated time begins, aware.
        minutes_per_second: 0 stands still (then only ``advance`` moves it); 1/60 is real time.
        steps: calls move the clock, and no second of real time does.
        monotonic: the real seconds, injected for tests.
    """

    def __init__(
        self,
        start_at: datetime,
        *,
        minutes_per_second: float = 1 / 60,
        steps: Steps | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._base_s = start_at.timestamp()
        self._real_s = monotonic()
        self._speed = 0.0 if steps else minutes_per_second * 60.0
        self._steps = steps
        self._was_probe = False

    def now_s(self) -> float:
        """Simulated seconds since 1970."""
        with self._lock:
            return self._now_s()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s(), UTC)

    @property
    def minutes_per_second(self) -> float:
        return self._speed / 60.0

    def set_speed(self, minutes_per_second: float) -> None:
        """Change the speed from now on; a negative one is a ``ValueError``."""
        if minutes_per_second < 0:
            raise ValueError(
                "minutes_per_second must be 0 or more: simulated time never goes back."
            )
        with self._lock:
            self._base_s, self._real_s = self._now_s(), self._monotonic()
            self._speed = minutes_per_second * 60.0

    def advance(self, minutes: float) -> None:
        """Push simulated time forward."""
        if minutes < 0:
            raise ValueError("minutes must be 0 or more: simulated time never goes back.")
        with self._lock:
            self._base_s += timedelta(minutes=minutes).total_seconds()

    def note_call(self, *, is_probe: bool) -> None:
        """A call has arrived: on a clock that calls move, time passes."""
        if self._steps is None:
            return
        with self._lock:
            is_waiting = is_probe and self._was_probe
            self._base_s += self._steps.per_wait_s if is_waiting else self._steps.per_call_s
            self._was_probe = is_probe

    def _now_s(self) -> float:
        return self._base_s + (self._monotonic() - self._real_s) * self._speed


def rest_time(moment: datetime) -> str:
    """A datetime as REST and Bulk 2.0 job infos write it: ``2026-11-09T05:12:03.000+0000``."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def async_time(moment: datetime) -> str:
    """A datetime as Bulk API 1 infos write it: ``2026-11-09T05:12:03.000Z``."""
    return rest_time(moment).replace("+0000", "Z")
