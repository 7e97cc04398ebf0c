"""The forecast: what was spent comes back a day later, and a job's end follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnb.quota.forecast import (
    DAY_SLOTS,
    SLOT_MINUTES,
    BudgetHistory,
    falls_under,
    last_day,
    outlook,
    resumes,
    what_if,
)

NOW = datetime(2026, 11, 11, 12, 0, tzinfo=UTC)
MAX = 15_000


def history(
    *, days: int = 14, per_slot: float = 20.0, burst: dict[int, float] | None = None, used: int = -1
) -> BudgetHistory:
    """Others that spend evenly; ``burst``: what we spent so many slots ago."""
    others = np.full(days * DAY_SLOTS, per_slot)
    own = np.zeros(days * DAY_SLOTS)
    for slots_ago, units in (burst or {}).items():
        own[-slots_ago] = units
    total = int(others[-DAY_SLOTS:].sum() + own[-DAY_SLOTS:].sum())
    return BudgetHistory(NOW, total if used < 0 else used, MAX, others, own)


def test_a_lump_comes_back_after_24_hours() -> None:
    """What a job spent 20 hours ago comes back in 4 hours, to the slot."""
    told = history(burst={20 * 6: 5000})
    found = falls_under(told, told.used - 1000)
    assert found.at is not None
    assert abs(found.at - (NOW + timedelta(hours=4))) <= timedelta(minutes=SLOT_MINUTES)
    assert found.low_at is not None
    assert found.low_at <= found.at


def test_a_paused_job_resumes_under_the_lower_mark() -> None:
    """P4: the job goes on when use is under the lower mark, not merely under the threshold."""
    told = history(burst={23 * 6: 1000, 12 * 6: 4000})
    assert told.used > MAX // 2
    found = resumes(told, 50)
    assert found.at is not None
    assert abs(found.at - (NOW + timedelta(hours=12))) <= timedelta(minutes=SLOT_MINUTES)


def test_use_that_stays_high_never_comes_back() -> None:
    """When the others alone use more than the mark, no moment is invented."""
    assert resumes(history(per_slot=60.0), 50).at is None


@settings(max_examples=80, deadline=None)
@given(
    others=st.lists(st.one_of(st.floats(0, 500), st.just(float("nan"))), min_size=0, max_size=400),
    own=st.floats(0, 900),
    extra=st.integers(0, 20_000),
)
def test_what_comes_back_adds_up_to_what_is_used(
    others: list[float], own: float, extra: int
) -> None:
    """However much is known of the last day, what comes back in the next one is all that is used, if that can be."""
    values = np.array(others)
    told = BudgetHistory(NOW, extra, MAX, values, np.full(len(values), own))
    own_day = own * min(len(values), DAY_SLOTS)
    if extra >= own_day:
        assert last_day(told).sum() == pytest.approx(extra, abs=1)
    assert (last_day(told) >= 0).all()
    seen = outlook(told, hours=30)
    assert (seen.low <= seen.expected + 1e-6).all()
    assert (seen.expected <= seen.high + 1e-6).all()


def test_a_higher_limit_never_ends_a_job_later() -> None:
    """What-if: from 1 to 100 percent, a job ends no later, and from some percent on it runs through."""
    told = history(burst={20 * 6: 3000})
    finishes = what_if({"api": 4000}, {"api": told})
    assert sorted(finishes) == list(range(1, 101))
    assert finishes[1].finish.at is None
    ends = [finish.finish.at for finish in finishes.values() if finish.finish.at is not None]
    assert ends == sorted(ends, reverse=True)
    through = [
        percent for percent, finish in finishes.items() if finish.finish.at and not finish.pauses
    ]
    assert through == list(range(min(through), 101))
    # 2,880 of the others and 3,000 of ours are used; 4,000 more fit under 66 %.
    assert min(through) == 66


def test_a_job_that_pauses_ends_when_calls_have_come_back() -> None:
    """A job larger than the room ends only after what was spent 20 hours ago has come back."""
    told = history(burst={20 * 6: 3000})
    finish = what_if({"api": 3000}, {"api": told}, [50])[50]
    assert finish.pauses >= 1
    assert finish.finish.at is not None
    assert NOW + timedelta(hours=4) <= finish.finish.at <= NOW + timedelta(hours=6)


def test_a_job_ends_after_it_has_started() -> None:
    """Whenever within a slot a job is to start, and however little it needs."""
    told = history()
    for minutes in (1, 9, 11, 1435):
        start_at = NOW + timedelta(minutes=minutes)
        finish = what_if({"api": 1}, {"api": told}, [90], start_at=start_at)[90].finish
        assert finish.at is not None and finish.at > start_at


def test_without_days_the_band_is_wide() -> None:
    """With nothing known of the others' habits the band reaches from none of their use to twice it."""
    told = BudgetHistory(NOW, 5000, MAX, np.full(3, np.nan), np.zeros(3))
    seen = outlook(told, hours=24)
    assert seen.days == 0
    assert seen.high[-1] - seen.low[-1] > 5000
