"""Which snapshots a policy keeps, in restic's words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.errors import CallerError
from sfnb.store.pruning.keep import KeepPolicy, kept_by


def at(text: str) -> str:
    """The id of a snapshot that began then (UTC)."""
    return f"{datetime.fromisoformat(text):%Y%m%dT%H%M%SZ}-000000"


def days(*texts: str, **policy: int) -> list[str]:
    """Days and hours of the snapshots that are kept, newest first."""
    found = kept_by([at(text) for text in texts], KeepPolicy(**policy), UTC)
    return [f"{name[6:8]}T{name[9:11]}" for name in found]


def test_the_newest_ones_are_kept() -> None:
    """`--keep-last 2` of three."""
    assert days("2026-11-01T08", "2026-11-02T08", "2026-11-03T08", last=2) == ["03T08", "02T08"]


def test_a_day_keeps_its_newest_and_only_days_with_a_snapshot_count() -> None:
    """`--keep-daily 2` goes back over a day without one."""
    texts = ("2026-11-01T08", "2026-11-03T08", "2026-11-03T20", "2026-11-05T08", "2026-11-05T09")
    assert days(*texts, daily=2) == ["05T09", "03T20"]


def test_the_oldest_is_kept_while_a_rule_has_some_left() -> None:
    """Two snapshots of one day, and a rule for seven: both stay, the second as the oldest."""
    assert days("2026-11-03T08", "2026-11-03T20", daily=7) == ["03T20", "03T08"]
    assert days("2026-11-03T08", "2026-11-03T20", daily=1) == ["03T20"]


def test_weeks_are_iso_weeks_and_years_calendar_years() -> None:
    """1 January 2027 is in the last week of 2026; the year is another."""
    texts = ("2026-12-28T08", "2026-12-31T08", "2027-01-01T08")
    assert days(*texts, weekly=1) == ["01T08"]
    assert days("2026-12-27T08", *texts, weekly=2) == ["01T08", "27T08"]
    assert days(*texts, yearly=1) == ["01T08"] and days(*texts, yearly=2) == ["01T08", "31T08"]


def test_days_are_those_of_a_zone() -> None:
    """23:30 UTC is the next day in Berlin."""
    ids = [at("2026-11-03T22"), at("2026-11-03T23:30")]
    assert len(kept_by(ids, KeepPolicy(daily=1), UTC)) == 1
    berlin = ZoneInfo("Europe/Berlin")
    assert len(kept_by([*ids, at("2026-11-02T08")], KeepPolicy(daily=2), berlin)) == 2
    assert kept_by(ids, KeepPolicy(daily=2), berlin).keys() == set(ids)


def test_rules_add_up() -> None:
    """What one rule keeps, no other takes away; the reasons are named."""
    ids = [at(f"2026-{month:02d}-01T08") for month in range(1, 13)]
    found = kept_by(ids, KeepPolicy(last=1, monthly=3), UTC)
    assert list(found) == ids[:8:-1] and found[ids[-1]] == ["last", "monthly"]


@given(
    st.sets(st.integers(0, 24 * 900), min_size=1, max_size=60),
    st.builds(KeepPolicy, *[st.integers(0, 9)] * 5),
)
def test_the_newest_stays_and_no_rule_keeps_more_than_it_says(
    hours: set[int], policy: KeepPolicy
) -> None:
    """Whatever the policy: the newest snapshot stays if anything does, and numbers are obeyed."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    ids = [f"{start + timedelta(hours=hour):%Y%m%dT%H%M%SZ}-000000" for hour in hours]
    found = kept_by(ids, policy, UTC)
    if policy.keeps_something:
        assert max(ids) in found
    else:
        assert found == {}
    for rule in KeepPolicy.__slots__:
        assert sum(any(rule in why for why in whys) for whys in found.values()) <= getattr(
            policy, rule
        )


@pytest.mark.parametrize("values", [{"hourly": 1}, {"daily": "7"}, {"daily": True}, {"last": -1}])
def test_a_policy_that_is_none_is_refused(values: dict[str, object]) -> None:
    """A typing error in the settings must not prune everything."""
    with pytest.raises(CallerError):
        KeepPolicy.of(values)
