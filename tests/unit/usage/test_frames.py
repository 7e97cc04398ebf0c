"""The frames: parts sum to the whole, days are the viewer's, and a counter gives up its hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfnb.charts import usage_figure
from sfnb.usage import days_frame, hours_frame, review_of, top_frame, usage_frame
from sfnb.usage.counter import steps_of, window_sum
from sfnb.usage.frames import PARTS, callers_frame, thresholds_frame
from sfnb.usage.history import JobLine, LimitChange, OrgHistory, Samples, Spent
from sfnb.usage.store.values import minute_number
from tests.unit.usage.histories import DAY, END, NOW, history, ints

BERLIN = ZoneInfo("Europe/Berlin")

ago = st.integers(0, 9 * DAY)
units = st.integers(0, 5000)
histories = st.builds(
    history,
    samples=st.lists(
        st.tuples(ago, units, st.integers(0, 20_000)), max_size=30, unique_by=lambda row: row[0]
    ),
    spent=st.lists(st.tuples(ago, st.integers(0, 2), units), max_size=30),
    log=st.lists(st.tuples(ago, st.integers(50, 99), st.integers(0, 50)), max_size=30),
    covered=st.lists(
        st.tuples(st.just("Daily"), st.integers(END // 60 - 240, END // 60)), max_size=5
    ),
    jobs=st.just(
        (
            JobLine("j1", "backup", "running", NOW - timedelta(days=8), None),
            JobLine("j2", "backup", "completed", NOW - timedelta(days=8), NOW - timedelta(days=3)),
        )
    ),
)


@settings(max_examples=25, deadline=None)
@given(told=histories)
def test_parts_sum_to_the_whole(told: Any) -> None:
    """Whatever is known, the parts of an hour's rolling use and of its calls sum to the whole, and none is below 0."""
    usage, hours = usage_frame(told), hours_frame(told)
    assert (usage[list(PARTS)].sum(axis=1) == usage["used"]).all()
    assert (usage[[*PARTS, "other_named", "uncounted"]] >= 0).all(axis=None)
    parts = ["sfnb_jobs", "sfnb_other", "other_apps"]
    assert (hours[parts].sum(axis=1) == hours["calls"]).all()
    assert (hours[[*parts, "other_named"]] >= 0).all(axis=None)
    assert (hours["other_named"] <= hours["other_apps"]).all()
    own = told.spent["api"]
    inside = own.minutes >= told.start_hour * 60
    assert hours["sfnb_jobs"].sum() + hours["sfnb_other"].sum() == own.units[inside].sum()
    days = days_frame(usage, hours, BERLIN)
    assert days["calls"].sum() == hours["calls"].sum()


@settings(max_examples=10, deadline=None)
@given(told=histories)
def test_any_history_gives_a_review(told: Any) -> None:
    """No history, one sample, a maximum of 0 or one that changes: there is a review, and never an exception."""
    review = review_of(told, BERLIN)
    assert all(notice.sentence for notice in review.notices)
    if not len(told.samples["api"]):
        assert "no_history" in {notice.code for notice in review.notices}


def test_the_rolling_use_counts_a_job_as_running_until_it_ends() -> None:
    """A job's calls are `running` at readings before its end and `completed` after it; they leave after 24 hours."""
    job = JobLine("j1", "backup", "completed", NOW - timedelta(hours=30), NOW - timedelta(hours=28))
    told = history(
        samples=[(29 * 60, 100, 1000), (27 * 60, 100, 1000), (60, 0, 1000)],
        spent=[(29 * 60 + 30, 1, 40)],
        jobs=[job],
    )
    rows = usage_frame(told)
    assert list(rows["sfnb_running"]) == [40, 0, 0]
    assert list(rows["sfnb_completed"]) == [0, 40, 0]
    assert list(rows["other_apps"]) == [60, 60, 0]


def test_a_counter_that_lags_is_never_overdrawn() -> None:
    """Calls of ours that the counter does not include yet are in no part of the stack: they are named apart."""
    job = JobLine("j1", "backup", "running", NOW - timedelta(hours=1), None)
    shown = history(samples=[(3, 100, 1000)], spent=[(30, 0, 30), (4, 1, 95)], jobs=[job])
    (row,) = usage_frame(shown).to_dict("records")
    assert (row["sfnb_running"], row["sfnb_other"], row["other_apps"]) == (70, 30, 0)
    assert (row["used"], row["uncounted"]) == (100, 25)


def test_the_last_row_is_the_use_by_which_jobs_pause() -> None:
    """The newest hour ends with the gate's own number, so chart, card and slider agree in the same minute."""
    shown = history(samples=[(30, 100, 1000), (5, 120, 1000)], present={"api": (133, 1000)})
    assert list(usage_frame(shown)["used"])[-1] == 133
    assert usage_frame(shown)["used_pct"].iloc[-1] == 13.3


def test_a_counter_gives_up_its_hours() -> None:
    """From readings of the rolling counter alone, each hour's calls follow; after a quiet day even the first ones."""
    random = np.random.default_rng(3)
    hourly = random.integers(0, 90, size=24 * 9)
    hourly[40:64] = 0  # a day without calls fixes what the days before and after it had
    counter = np.array(
        [hourly[max(end - 24, 0) : end].sum() for end in range(24, len(hourly) + 1)],
        dtype=np.float64,
    )
    edges = np.concatenate([np.full(24, np.nan), counter])
    steps = steps_of(edges, np.full(len(hourly), np.nan), 24)
    assert np.allclose(steps.units, hourly)
    assert set(steps.sources[24:]) == {"counter"}
    assert set(steps.sources[:24]) == {"estimate"}


@settings(max_examples=60, deadline=None)
@given(hourly=st.lists(st.integers(0, 500), min_size=60, max_size=120))
def test_a_counters_hours_sum_to_the_counter(hourly: list[int]) -> None:
    """However little is known of the first day, the hours worked out of a counter sum up to it."""
    values = np.array(hourly)
    counter = np.array(
        [values[end - 24 : end].sum() for end in range(24, len(values) + 1)], dtype=np.float64
    )
    steps = steps_of(
        np.concatenate([np.full(24, np.nan), counter]), np.full(len(values), np.nan), 24
    )
    assert steps.units[-24:].sum() == pytest.approx(counter[-1])
    assert (steps.units >= 0).all()


def test_window_sum_is_24_hours() -> None:
    """A call leaves the window exactly 24 hours after it was made."""
    assert list(window_sum(ints([100]), ints([7]), ints([99, 100, 100 + DAY - 1, 100 + DAY]))) == [
        0,
        7,
        7,
        0,
    ]


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-10-25", 25), ("2026-03-29", 23), ("2026-10-26", 24)]
)
def test_a_day_with_a_clock_change_is_right(day: str, hours: int) -> None:
    """The day on which the clock changes has 25 or 23 hours, and each hour's calls are in it once."""
    start = datetime.fromisoformat(day).replace(tzinfo=BERLIN).astimezone(UTC)
    first = pd.Timestamp(start) - pd.Timedelta(hours=30)
    at = pd.Series(pd.date_range(first, periods=96, freq="h"))
    frame = pd.DataFrame(
        {
            "org": "acme",
            "api": "api",
            "hour_at": at,
            "source": "counter",
            **dict.fromkeys(["calls", "other_apps"], pd.Series([1] * 96, dtype="Int64")),
            **dict.fromkeys(
                ["sfnb_jobs", "sfnb_other", "other_named"], pd.Series([0] * 96, dtype="Int64")
            ),
        }
    )
    usage = usage_frame(history())
    row = days_frame(usage, frame, BERLIN).set_index("day").loc[day]
    assert (row["hours"], row["calls"]) == (hours, hours)


def test_what_the_log_leaves_empty_is_shown_as_such() -> None:
    """Callers without a name are one line that says so, and what follows the top is summed up in another."""
    told = history(log=[(60, 9, 4)], covered=[("Hourly", END // 60 - 1)])
    callers = callers_frame(told)
    top = top_frame(callers, "app", most=1)
    assert list(top["name"]) == ["ERP", "1 more"]
    assert list(top["calls"]) == [5, 4]


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("no_history", {}),
        ("one_reading", {"samples": [(5, 100, 1000)]}),
        ("max_changed", {"samples": [(3000, 10, 1000), (5, 10, 2000)]}),
        ("max_zero", {"samples": [(3000, 0, 0), (5, 0, 0)]}),
        ("over_max", {"samples": [(3000, 10, 1000), (5, 1100, 1000)]}),
        ("stale", {"samples": [(3000, 10, 1000), (900, 10, 1000)]}),
        ("clock_back", {"samples": [(5, 10, 1000)], "future_samples": 3}),
        ("no_event_log", {"samples": [(5, 10, 1000)]}),
        ("use_high", {"samples": [(3000, 10, 1000), (5, 910, 1000)]}),
    ],
)
def test_what_is_not_known_is_said_in_words(code: str, made: dict[str, Any]) -> None:
    """An org without history, with one reading, a changed or zero maximum, a clock gone back: a sentence says it."""
    review = review_of(history(**made), BERLIN)
    assert code in {notice.code for notice in review.notices}


def a_backup_of_600(**percents: int) -> OrgHistory:
    """A backup that cost 600 of the org's 1,000 calls and 40 Bulk jobs of 10,000, two days ago."""
    made = history(
        samples=[(ago, 10, 1000) for ago in range(DAY, 0, -60)],
        spent=[(2 * DAY + 300, 1, 600)],
        jobs=[
            JobLine(
                "j1", "backup", "completed", NOW - timedelta(hours=53), NOW - timedelta(hours=52)
            )
        ],
        percents={"bulk2": 50, **percents},
    )
    bulk = Samples(made.samples["api"].minutes, made.samples["api"].used, ints([10_000] * 24))
    vars(made)["samples"] = {**made.samples, "bulk2": bulk}
    vars(made)["spent"] = {
        **made.spent,
        "bulk2": Spent(ints([END - 2 * DAY - 300]), ints([1]), ints([40])),
    }
    return made


@pytest.mark.parametrize(("percent", "is_warned"), [(50, True), (90, False)])
def test_each_budget_is_compared_with_its_own_limit(percent: int, is_warned: bool) -> None:
    """Raising the limit of the API alone ends the warning, though the other budgets still stand at 50 %."""
    found = [
        one
        for one in review_of(a_backup_of_600(api=percent), UTC).notices
        if one.code == "job_will_pause"
    ]
    assert bool(found) is is_warned
    if is_warned:
        assert found[0].api == "api" and "limit of 50 % of API calls" in found[0].sentence


def test_an_app_whose_use_doubled_is_told() -> None:
    """An app with at least twice its usual calls on the last logged day gets a warning that names it."""
    first = (END // 60 // 24 - 5) * 24
    log = [
        (END - hour * 60, 90 if hour >= first + 96 else 30, 0) for hour in range(first, first + 120)
    ]
    told = history([(5, 100, 9000)], log=log, covered=[("Daily", first), ("Daily", first + 96)])
    (notice,) = [one for one in review_of(told, BERLIN).notices if one.code == "app_doubled"]
    assert notice.sentence.startswith("ERP made 2,160 calls")
    assert minute_number(NOW) == END


def test_the_limit_of_restores_is_a_line_of_its_own() -> None:
    """It begins when it was set and ends when it was taken away; the org's own line does not move with it."""
    changes = [
        LimitChange(NOW - timedelta(hours=9), "api", 50, 60),
        LimitChange(NOW - timedelta(hours=6), "api", 0, 90, "restore"),
        LimitChange(NOW - timedelta(hours=2), "api", 90, 0, "restore"),
    ]
    made = history([(5, 100, 9000)])
    vars(made)["limit_changes"] = changes
    frame = thresholds_frame(made)
    mine = frame[frame["api"] == "api"]
    assert mine["limit_percent"].tolist() == [50, 60, 60, 60, 60]
    assert mine["restore_percent"].fillna(0).tolist() == [0, 0, 90, 0, 0]
    review = review_of(made, UTC)
    names = {
        trace.name: list(trace.y)
        for trace in usage_figure(review.usage, thresholds=review.thresholds).data
    }
    assert 90.0 in names["limit: restores stop here"]
    assert max(names["limit: jobs stop here"]) == 60.0
