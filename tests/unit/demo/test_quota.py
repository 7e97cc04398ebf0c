"""The demo org's counters: a rolling 24 hours, hard and soft maxima, other apps."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnb_demo.server.clock import SimulatedClock, Steps, async_time, rest_time
from sfnb_demo.server.other_apps import APPS, DAY_MINUTES, OtherApps
from sfnb_demo.server.quota import DAY_S, Meter, Quota

START_S = datetime(2026, 11, 2, 8, tzinfo=UTC).timestamp()


class Nobody:
    """Other apps that spend nothing."""

    def used(self, _budget: str, _at_s: float) -> int:
        return 0


@given(
    st.lists(st.tuples(st.floats(0, DAY_S), st.integers(0, 25)), max_size=60),
    st.floats(0, 3 * DAY_S),
)
def test_window_forgets_neither_early_nor_late(
    steps: list[tuple[float, int]], later_s: float
) -> None:
    """A call counts from its own moment until, and not including, exactly 24 hours later."""
    meter = Meter()
    at_s = START_S
    made: list[tuple[float, int]] = []
    for gap_s, units in steps:
        at_s += gap_s
        meter.add(at_s, units)
        made.append((at_s, units))
    moments = [at_s + later_s] + [moment + shift for moment, _ in made for shift in (0.0, DAY_S)]
    for moment in moments:
        assert meter.used(moment) == sum(
            units for t, units in made if t <= moment and t > moment - DAY_S
        )


def test_example_of_the_limits_guide() -> None:
    """
    14,500 calls at 05:00 and 499 at 23:00 leave one of 15,000 until 05:00 of the next day, when
    14,500 come back.
    """
    quota = Quota(Nobody(), max_units={"api": 15_000})
    five = datetime(2026, 11, 4, 5, tzinfo=UTC).timestamp()
    quota.spend("api", 14_500, five)
    quota.spend("api", 499, five + 18 * 3600)
    assert quota.used("api", five + DAY_S - 0.001) == 14_999
    assert quota.used("api", five + DAY_S) == 499


def test_meter_refuses_to_go_back() -> None:
    """Times must come in order, or the window could not be trusted."""
    meter = Meter()
    meter.add(10.0, 1)
    with pytest.raises(ValueError, match="order of time"):
        meter.add(9.0, 1)


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(0, 200))
def test_hard_maximum_is_never_passed(prices: list[int], most: int) -> None:
    """
    In a hard org no sequence of calls brings use above the maximum, and a refused call is not
    charged.
    """
    quota = Quota(Nobody(), max_units={"api": most})
    expected = 0
    for price in prices:
        is_let_through, used = quota.spend("api", price, START_S)
        if expected + price <= most:
            expected += price
            assert is_let_through
        else:
            assert not is_let_through
        assert used == expected == quota.used("api", START_S) <= most


def test_soft_maximum_lets_calls_through_but_not_bulk() -> None:
    """A soft org goes over its maximum of calls; the Bulk budgets stay hard."""
    quota = Quota(Nobody(), is_hard=False, max_units={"api": 2, "bulk2": 2})
    assert [quota.spend("api", 1, START_S)[0] for _ in range(4)] == [True] * 4
    assert [quota.spend("bulk2", 1, START_S)[0] for _ in range(4)] == [True, True, False, False]
    assert quota.used("api", START_S) == 4


def test_many_threads_never_pass_a_hard_maximum_together() -> None:
    """
    Eight threads that spend as fast as they can are let through exactly as often as the maximum
    says.
    """
    quota = Quota(Nobody(), max_units={"api": 500})
    passed: list[int] = []

    def spend() -> None:
        passed.append(sum(quota.spend("api", 1, START_S)[0] for _ in range(200)))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 500


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 5 * DAY_S))
def test_other_apps_window_is_the_sum_of_their_minutes(seed: int, later_s: float) -> None:
    """
    What the other apps used is the sum of their minutes of the last 24 hours, whatever the moment.
    """
    apps = OtherApps(seed=seed, daily_calls=5000)
    at_s = START_S + later_s
    last = int(at_s // 60)
    minutes = range(last - DAY_MINUTES + 1, last + 1)
    days = {minute // DAY_MINUTES for minute in minutes}
    calls = {(day, index): apps.calls(index, day) for day in days for index in range(len(APPS))}
    expected = sum(
        int(calls[minute // DAY_MINUTES, index][minute % DAY_MINUTES])
        for minute in minutes
        for index in range(len(APPS))
    )
    assert apps.used("api", at_s) == expected


def test_other_apps_are_the_same_for_a_seed_and_rest_on_weekends() -> None:
    """
    One seed gives one history, another seed another; a Saturday has far fewer calls than a Tuesday.
    """
    saturday, tuesday = (datetime(2026, 11, d, tzinfo=UTC).timestamp() + DAY_S - 1 for d in (7, 10))
    one, again, other = (OtherApps(seed=s, daily_calls=10_000) for s in (1, 1, 2))
    assert one.used("api", tuesday) == again.used("api", tuesday) != other.used("api", tuesday)
    assert one.used("api", saturday) < 0.75 * one.used("api", tuesday)
    assert all(one.used(budget, tuesday) > 0 for budget in ("bulk", "bulk2", "bulk2_kb"))


def test_switching_other_apps_off_keeps_what_they_spent() -> None:
    """
    Switched off, they spend no more; what they spent leaves the window only with time, and they can
    be switched on again.
    """
    apps = OtherApps(seed=1, daily_calls=10_000)
    before = apps.used("api", START_S)
    apps.switch(is_on=False, at_s=START_S)
    assert apps.used("api", START_S) == before > 0
    assert 0 < apps.used("api", START_S + DAY_S / 2) < before
    assert apps.used("api", START_S + DAY_S) == 0
    apps.switch(is_on=True, at_s=START_S + DAY_S)
    assert apps.used("api", START_S + 2 * DAY_S) > 0


def test_curve_without_bursts_is_lower_or_equal() -> None:
    """
    Bursts only add: over four weeks the plain curve has fewer calls than the curve with bursts.
    """
    burst, plain = (OtherApps(seed=3, daily_calls=10_000, has_bursts=b) for b in (True, False))
    last = int(START_S // 60)
    assert plain.between("api", last - 28 * DAY_MINUTES, last) < burst.between(
        "api", last - 28 * DAY_MINUTES, last
    )


def test_clock_runs_fast_stands_still_and_never_goes_back() -> None:
    """One real second is N simulated minutes; a change of speed does not move the present."""
    real_s = [100.0]
    start = datetime(2026, 11, 2, 8, tzinfo=UTC)
    clock = SimulatedClock(start, minutes_per_second=60, monotonic=lambda: real_s[0])
    real_s[0] += 2
    assert clock.now() == datetime(2026, 11, 2, 10, tzinfo=UTC)
    clock.set_speed(0)
    real_s[0] += 50
    assert clock.now() == datetime(2026, 11, 2, 10, tzinfo=UTC)
    clock.advance(30)
    assert clock.now() == datetime(2026, 11, 2, 10, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="never goes back"):
        clock.set_speed(-1)


def test_times_are_written_as_each_api_writes_them() -> None:
    """REST writes +0000, Bulk API 1 writes Z, both milliseconds."""
    moment = datetime(2026, 11, 9, 5, 12, 3, 118_999, tzinfo=UTC)
    assert rest_time(moment) == "2026-11-09T05:12:03.118+0000"
    assert async_time(moment) == "2026-11-09T05:12:03.118Z"


def test_calls_move_the_clock() -> None:
    """
    With ``--clock calls`` each call moves time a little, each look of a waiting client much, real
    time never.
    """
    real_s = [0.0]
    start = datetime(2026, 11, 2, tzinfo=UTC)
    clock = SimulatedClock(
        start, minutes_per_second=90, steps=Steps(30.0, 3600.0), monotonic=lambda: real_s[0]
    )
    passed: list[float] = []
    for is_probe in (True, False, True, True, True, False):
        real_s[0] += 1000
        clock.note_call(is_probe=is_probe)
        passed.append(clock.now_s() - start.timestamp())
    assert passed == [30, 60, 90, 3690, 7290, 7320]
