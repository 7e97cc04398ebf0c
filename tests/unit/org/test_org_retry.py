from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.clock import FakeClock
from sfnb.errors import ObjectError, OrgUnavailable, QuotaSignal, StopSignal, TransientError
from sfnb.org.retry import GaugeUnreadable, TriesSpent, retry, wait_before


class Flaky:
    """Fails with these errors in turn, then returns 7."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return 7


def test_a_passing_failure_is_tried_again() -> None:
    """Transient failures are waited out."""
    clock = FakeClock()
    fn = Flaky(TransientError("a"), TransientError("b", retry_after_s=90))
    assert retry(clock, None, fn) == 7
    assert fn.calls == 3
    assert 90.5 <= clock.monotonic() <= 92


def test_tries_end_and_do_not_multiply() -> None:
    """Six tries, and a retry around a retry leaves it at six."""
    clock = FakeClock()
    fn = Flaky(*[TransientError("busy.") for _ in range(50)])
    with pytest.raises(TriesSpent, match=r"busy\. Tried 6 times\."):
        retry(clock, None, lambda: retry(clock, None, fn))
    assert fn.calls == 6


@pytest.mark.parametrize("error", [ObjectError("x"), ValueError("x"), StopSignal("pause")])
def test_other_failures_are_not_tried_again(error: BaseException) -> None:
    """Only what may pass is tried again."""
    fn = Flaky(error)
    with pytest.raises(type(error)):
        retry(FakeClock(), None, fn)
    assert fn.calls == 1


def test_an_unreadable_gauge_ends_in_a_pause() -> None:
    """P1: a gauge that stays unreadable is a pause, never a failure and never a go."""
    with pytest.raises(QuotaSignal) as caught:
        retry(FakeClock(), None, Flaky(*[GaugeUnreadable("no limits.") for _ in range(6)]))
    assert caught.value.used == -1


def test_a_stop_ends_the_waiting() -> None:
    """A stop that is set ends the tries at once."""
    stop = threading.Event()
    stop.set()
    fn = Flaky(TransientError("x"), TransientError("x"))
    with pytest.raises(StopSignal):
        retry(FakeClock(), stop, fn)
    assert fn.calls == 1


@given(st.integers(1, 40), st.floats(0, 1), st.none() | st.floats(0, 1e6))
def test_waits_grow_and_stay_bounded(attempt: int, jitter: float, asked: float | None) -> None:
    """Waits are within half a second and a minute, or what the server asks, up to ten minutes."""
    wait_s = wait_before(attempt, jitter=jitter, retry_after_s=asked)
    assert 0.5 <= wait_s <= 600
    assert wait_s >= min(asked or 0, 600)
    if not asked:
        assert wait_s <= 60


@pytest.mark.parametrize(
    ("last", "is_away"),
    [(OrgUnavailable("no answer."), True), (TransientError("busy."), False)],
)
def test_an_org_that_is_away_is_told_apart_from_a_call_that_fails(
    last: TransientError, is_away: bool
) -> None:
    """A job waits for an org that is away; one object's trouble stays its own. The last try decides."""
    fn = Flaky(*[TransientError("x") for _ in range(5)], last)
    with pytest.raises(TriesSpent) as caught:
        retry(FakeClock(), None, fn)
    assert isinstance(caught.value, OrgUnavailable) == is_away
