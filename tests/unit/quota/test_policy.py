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
from sfnb.quota.gauge import Gauge, counted_until, has_rolled, spend, with_reading

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
PERCENTS: dict[Api, int] = dict.fromkeys(APIS, 50)

maxima = st.integers(0, 10_000_000)
percents = st.integers(1, 100)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def known(used: int, maximum: int = 100, api: Api = "api") -> Gauge:
    return Gauge(
        api, used, maximum, since=at(-policy.RULES.header_lag_s), read_at=NOW, is_known=True
    )


def reading(
    used: int, sent_s: float, source: Literal["header", "limits"] = "header", maximum: int = 100
) -> Reading:
    return Reading("api", used, maximum, at(sent_s), at(sent_s + 1), source)


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
    assert over == (
        "This org has used 49 of its 100 API calls (all apps together), and 1 is in flight. One more could exceed the "
        "limit of 50 (50 %). Wait until use falls, or raise the limit with `sfnb limit`."
    )
    more = policy.decide({"api": 51}, {"api": known(0)}, PERCENTS, {}, now=NOW).reason
    assert "Raise the limit" in more


def test_calls_that_the_org_may_not_have_counted_make_a_short_pause() -> None:
    """P1, P4: where only our own recent calls stand over the line, the job waits until they are surely counted."""
    gauge = replace(known(30), own=20)
    decision = policy.decide({"api": 1}, {"api": gauge}, PERCENTS, {}, now=at(20))
    assert (decision.verdict, decision.retry_after_s) == ("refuse", 100)
    assert "sfnb's last 20 may not be included yet" in decision.reason
    assert "will have counted them in 100 s" in decision.reason
    # They are counted by now, so the org is asked once.
    later = policy.decide({"api": 1}, {"api": gauge}, PERCENTS, {}, now=at(120))
    assert (later.verdict, later.apis) == ("read", ("api",))


@pytest.mark.parametrize(
    ("used", "own"),
    [
        (50, 20),  # the org's number alone is over the line
        (
            44,
            20,
        ),  # after the look and the call it would be over the lower mark, so the wait would win nothing
        (50, 0),
    ],
)
def test_no_short_pause_where_waiting_two_minutes_wins_nothing(used: int, own: int) -> None:
    """P4: a look costs a call, so it is made where it can help."""
    gauge = replace(known(used), own=own)
    decision = policy.decide({"api": 1}, {"api": gauge}, PERCENTS, {}, now=NOW)
    assert (decision.verdict, decision.retry_after_s) == ("refuse", None)


def test_a_look_above_the_line_stands_for_the_poll_interval() -> None:
    """P4: after one look nobody looks again before the interval is over, unless calls were sent meanwhile."""

    def verdict(now_s: float, looked_s: float) -> str:
        gauges = {"api": known(50)}
        looked_at = at(looked_s)
        return policy.decide(
            {"api": 1}, gauges, PERCENTS, {}, now=at(now_s), looked_at=looked_at
        ).verdict

    assert [verdict(s, 0) for s in (301, 1799, 1801)] == ["refuse", "refuse", "read"]
    assert verdict(301, -10) == "read"  # its reading came from a call after the look


def test_a_reading_surely_includes_what_was_counted_two_minutes_before_it_was_asked() -> None:
    """P1: ``since`` follows the newest question and never goes back; /limits may be five minutes old."""
    gauge = known(40)
    assert counted_until(gauge, reading(12, 60), 120) == at(-60)
    assert counted_until(gauge, reading(12, -60), 120) == at(-120)
    assert counted_until(gauge, reading(12, 60, "limits"), 300) == at(-120)
    assert counted_until(Gauge("api"), reading(12, 60, "limits"), 300) == at(-240)


def test_a_moment_of_a_clock_that_was_put_back_is_forgotten() -> None:
    """P1, P4: a gauge written in what is now the future holds nobody up until the clock gets there again."""
    ahead = replace(known(40), since=at(86_400), read_at=at(86_400))
    assert counted_until(ahead, reading(12, 60), 120) == at(-60)
    assert policy.decide({"api": 20}, {"api": ahead}, PERCENTS, {}, now=NOW).verdict == "read"


def test_a_reading_takes_over_with_the_highest_number_since() -> None:
    """P1: of two answers that may show the same moment the higher number stays; our own calls go on top."""
    after = with_reading(known(40), reading(12, 60, maximum=200), since=at(-60), highest=38, own=5)
    assert (after.used, after.own, after.spent, after.maximum) == (38, 5, 43, 200)
    assert (after.is_known, after.since, after.read_at) == (True, at(-60), at(61))


def test_spending_without_a_reading_counts_and_may_unknow() -> None:
    """P1: our own count goes on top of what was reported."""
    after = spend(known(40), 3, is_known=False)
    assert (after.used, after.spent, after.is_known) == (40, 43, False)
    assert spend(known(40), 3).is_known


@pytest.mark.parametrize(
    ("used", "is_news"), [(60, False), (40, False), (37, False), (36, True), (2, True)]
)
def test_a_step_too_large_for_an_old_state_is_news(used: int, is_news: bool) -> None:
    """P4: when the rolling day brings use down, nobody waits two minutes to believe it."""
    assert has_rolled(reading(used, 60), highest=40, own=2, in_flight=1) is is_news
