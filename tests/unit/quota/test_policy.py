"""The quota rule: thresholds, what readings change, whether a call may go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import floor
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.model import APIS, Api, Reading
from sfnb.quota import policy
from sfnb.quota.policy import Gauge

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
PERCENTS: dict[Api, int] = dict.fromkeys(APIS, 50)

maxima = st.integers(0, 10_000_000)
percents = st.integers(1, 100)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def known(used: int, maximum: int = 100, api: Api = "api") -> Gauge:
    return Gauge(
        api, used, maximum, source="header", sent_at=NOW, read_at=NOW, read_number=1, is_known=True
    )


def reading(
    used: int, sent_s: float, source: Literal["header", "limits"] = "header", maximum: int = 100
) -> Reading:
    return Reading("api", used, maximum, at(sent_s), at(sent_s + 1), source)


def fold(gauge: Gauge, told: Reading, *, asked: int, now: int = 9, recent: int = 0) -> Gauge:
    return policy.fold(gauge, told, asked_number=asked, now_number=now, recent_units=recent)


@given(maxima, percents)
def test_the_threshold_is_the_floor_of_the_share(maximum: int, percent: int) -> None:
    """P1: floor(max × percent / 100), exactly."""
    assert policy.threshold(maximum, percent) == floor(maximum * percent / 100)


@given(maxima, percents)
def test_the_lower_mark_lies_under_the_threshold(maximum: int, percent: int) -> None:
    """P4: threshold less 5 % of the maximum, at most half the threshold; never so low that nothing could go on."""
    top, mark = policy.threshold(maximum, percent), policy.lower_mark(maximum, percent)
    assert top / 2 <= mark <= top
    if maximum * 5 / 100 <= top // 2:
        assert mark == floor(top - maximum * 5 / 100)


@given(maxima, percents, st.integers(1, 200))
def test_an_unused_budget_is_clear_for_every_price_that_fits(
    maximum: int, percent: int, cost: int
) -> None:
    """P4: however small the allowance, a job does not wait for ever for a call that the threshold allows."""
    clear = policy.is_clear({"api": cost}, {"api": known(0, maximum)}, {"api": percent}, {})
    assert clear == (cost <= policy.threshold(maximum, percent))


@given(
    st.integers(0, 2000), st.integers(0, 300), st.integers(0, 2000), percents, st.integers(1, 60)
)
def test_what_is_clear_may_go(
    used: int, flying: int, maximum: int, percent: int, cost: int
) -> None:
    """P1, P4: a job that goes on is let through, and under the mark less its price it always does go on."""
    gauges, limits, in_flight = {"api": known(used, maximum)}, {"api": percent}, {"api": flying}
    clear = policy.is_clear({"api": cost}, gauges, limits, in_flight)
    verdict = policy.decide({"api": cost}, gauges, limits, in_flight, now=NOW).verdict
    if clear:
        assert verdict == "go"
    if used + flying + cost <= policy.lower_mark(maximum, percent):
        assert clear
    assert (verdict == "go") == (used + flying + cost <= policy.threshold(maximum, percent))


def test_an_unknown_gauge_is_not_clear() -> None:
    """P1: a job does not go on because nobody knows."""
    assert not policy.is_clear({"api": 1}, {"api": Gauge("api")}, PERCENTS, {})
    assert not policy.is_clear({"api": 1}, {"api": replace(known(0), is_known=False)}, PERCENTS, {})


@pytest.mark.parametrize(
    ("gauge", "age_s", "verdict"),
    [
        (known(49), 0, "go"),
        (known(50), 0, "refuse"),
        (known(50), 301, "read"),  # a refusal rests on a fresh reading
        (known(50), -301, "read"),  # read in the future: a wrong clock's
        (known(49), 86_400, "go"),  # the next answer's header corrects it
        (replace(known(10), is_known=False), 0, "read"),
        (replace(known(50), is_known=False), 0, "refuse"),  # the lower bound alone is too much
        (replace(known(40), own=10), 0, "refuse"),
        (Gauge("api"), 0, "read"),
        (Gauge("api", missing_at=NOW), 0, "refuse"),
        (Gauge("api", missing_at=NOW), 301, "read"),
        (known(0, maximum=0), 0, "refuse"),
        (known(0, maximum=1), 0, "refuse"),  # the threshold is 0
        (known(120, maximum=100), 0, "refuse"),  # beyond a soft limit
    ],
)
def test_decisions(gauge: Gauge, age_s: float, verdict: str) -> None:
    """P1: one call at a limit of 50 %, each kind of gauge."""
    assert policy.decide({"api": 1}, {"api": gauge}, PERCENTS, {}, now=at(age_s)).verdict == verdict


def test_a_fresh_refusal_comes_before_reading_another_gauge() -> None:
    """P1: nothing is read above the threshold for a call that would be refused anyway."""
    decision = policy.decide({"bulk2": 1, "api": 1}, {"api": known(50)}, PERCENTS, {}, now=NOW)
    assert (decision.verdict, decision.apis) == ("refuse", ("api",))


def test_refusals_say_what_to_do() -> None:
    """The sentence has the numbers; a price over the whole threshold needs a higher limit, not patience."""
    over = policy.decide({"api": 1}, {"api": known(49)}, PERCENTS, {"api": 1}, now=NOW).reason
    assert "49 of 100 API calls are used in this org" in over
    assert "threshold of 50 (50 %)" in over
    assert "Wait until use falls" in over
    assert (
        "raise the limit"
        in policy.decide({"api": 51}, {"api": known(0)}, PERCENTS, {}, now=NOW).reason
    )


def test_a_reading_asked_for_later_replaces() -> None:
    """P1: the window rolls, so a later reading may be lower; what we spent before it was asked for is in it."""
    gauge = replace(known(40), own=5, own_number=3, read_number=3)
    after = fold(gauge, reading(12, 60, maximum=200), asked=4)
    assert (after.spent, after.maximum, after.is_known, after.read_number) == (12, 200, True, 9)


def test_what_was_spent_meanwhile_stays_on_top() -> None:
    """P1: a call of ours that was given up while the reading's call was under way may not be in it."""
    gauge = replace(known(40), own=5, own_number=6, read_number=3)
    assert fold(gauge, reading(12, 60), asked=4).spent == 17


@given(st.integers(0, 200), st.integers(0, 50), st.integers(0, 200))
def test_a_reading_asked_for_before_only_raises(used: int, own: int, told: int) -> None:
    """P1: it may be older than what is known."""
    gauge = replace(known(used), own=own, own_number=5, read_number=5, is_known=False)
    after = fold(gauge, reading(told, 5), asked=5)
    assert after.spent == max(used, told) + own
    assert after.is_known


def test_limits_do_not_lower_a_recent_header() -> None:
    """P1: /limits may tell of five minutes ago, a header tells of its own moment."""
    gauge = replace(known(40), own=2, own_number=5, read_number=1, is_known=False)
    after = fold(gauge, reading(30, 299, "limits"), asked=7, recent=20)
    assert (after.spent, after.is_known) == (42, True)
    assert fold(gauge, reading(41, 299, "limits"), asked=7, recent=20).spent == 43
    assert fold(gauge, reading(30, 301, "limits"), asked=7, recent=20).spent == 50


def test_limits_get_what_we_spent_lately_on_top() -> None:
    """P1: what we sent in the minutes that /limits may be behind is added."""
    assert fold(Gauge("api"), reading(30, 0, "limits"), asked=1, recent=7).spent == 37


def test_spending_without_a_reading_counts_and_may_unknow() -> None:
    """P1: our own count goes on top of what was told."""
    after = policy.spend(known(40), 3, now_number=7, is_known=False)
    assert (after.used, after.spent, after.own_number, after.is_known) == (40, 43, 7, False)
    assert policy.spend(known(40), 3, now_number=7).is_known
