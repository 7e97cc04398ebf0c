"""One contract for all clocks: what holds for the machine's clock holds for the one that tests push forward."""

from __future__ import annotations

import threading
from datetime import UTC

import pytest

from sfnb.clock import Clock, FakeClock, SystemClock

SHORT_S = 0.01


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_the_time_is_aware_and_utc(clock: Clock) -> None:
    """Moments of all clocks compare with each other and with what an org reports."""
    assert clock.now().tzinfo is UTC


def test_a_wait_passes_time(clock: Clock) -> None:
    """After a wait at least that much time has passed, and nothing stopped it."""
    before_at, before_s = clock.now(), clock.monotonic()
    assert clock.wait(SHORT_S) is False
    assert clock.wait(SHORT_S, threading.Event()) is False
    # Twice, because the machine's clock may tick coarsely (16 ms on Windows) and come back early.
    assert clock.monotonic() - before_s >= SHORT_S
    assert clock.now() >= before_at


def test_a_stop_that_is_set_ends_the_wait_at_once(clock: Clock) -> None:
    """Who has been told to stop does not wait a day first."""
    stop = threading.Event()
    stop.set()
    before_s = clock.monotonic()
    assert clock.wait(86_400, stop) is True
    assert clock.monotonic() - before_s < 86_400


@pytest.mark.parametrize("seconds", [0, -5])
def test_no_time_to_wait_is_no_wait(clock: Clock, seconds: float) -> None:
    """A moment that has passed already is not waited for, and time never goes back."""
    before_s = clock.monotonic()
    assert clock.wait(seconds) is False
    assert 0 <= clock.monotonic() - before_s < 3_600


def test_threads_may_share_a_clock(clock: Clock) -> None:
    """Waits of several threads all end, and monotonic time never goes back for any of them."""
    went_back: list[float] = []

    def look() -> None:
        last = clock.monotonic()
        for _ in range(50):
            clock.wait(0.0001)
            now = clock.monotonic()
            if now < last:
                went_back.append(now - last)
            last = now

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert went_back == []
