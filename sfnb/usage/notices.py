"""What deserves a look, in words: trouble to come, and what the report does not know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal

import numpy as np
import pandas as pd

from sfnb.model import APIS, Api, Price
from sfnb.quota import forecast
from sfnb.quota.forecast import BudgetHistory, Finish, Moment
from sfnb.quota.policy import UNITS
from sfnb.usage.history import OrgHistory
from sfnb.usage.store.values import minute_at

WARN_PCTS = (90, 70)
"""Shares of the maximum at which a notice is given, the highest first."""

DOUBLED, LEAST_CALLS, LEAST_DAYS = 2.0, 100, 3
STALE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Notice:
    """
    One sentence for people. ``warning``: trouble is there or coming; ``note``: what to know when reading the report.

    Args:
        code: for programs: ``use_high``, ``use_will_be_high``, ``job_will_pause``, ``job_paused``, ``app_doubled``;
            ``no_history``, ``one_reading``, ``max_changed``, ``max_zero``, ``over_max``, ``clock_back``, ``stale``,
            ``no_event_log``, ``difference``, ``usage_report``, ``no_usage_report``.
    """

    level: Literal["warning", "note"]
    code: str
    api: Api | None
    sentence: str


@dataclass(frozen=True, slots=True)
class NextJob:
    """The job that will probably run next: one like the last backup, at the same time of the day."""

    like: str
    start_at: datetime
    price: Price
    finishes: Mapping[int, Finish]


def notices_of(  # noqa: PLR0917 - what a report knows
    history: OrgHistory,
    callers: pd.DataFrame,
    reconciliation: pd.DataFrame,
    reported: pd.DataFrame,
    budgets: Mapping[Api, BudgetHistory],
    next_job: NextJob | None,
    zone: tzinfo,
) -> list[Notice]:
    """All notices, warnings first."""
    found = [
        *_use(history, budgets, zone),
        *_paused(history, budgets, zone),
        *_next_job(history, next_job, zone),
        *_doubled(history, callers),
        *_knowledge(history, zone),
        *_difference(reconciliation),
        *_reported(history, callers, reported, zone),
    ]
    return sorted(found, key=lambda notice: notice.level != "warning")


def next_job_of(history: OrgHistory, budgets: Mapping[Api, BudgetHistory]) -> NextJob | None:
    """A job like the last completed backup, at the next such time of day; None without one."""
    done = [
        job for job in history.jobs if job.kind == "backup" and job.state.startswith("completed")
    ]
    if not done:
        return None
    last = max(done, key=lambda job: job.started_at)
    price: dict[Api, int] = {}
    for api, spent in history.spent.items():
        if last.job_id in history.job_ids:
            units = int(np.sum(spent.units[spent.jobs == history.job_ids.index(last.job_id)]))
            price |= {api: units} if units else {}
    if not price or not any(api in budgets for api in price):
        return None
    days = max(-(-(history.now - last.started_at) // timedelta(days=1)), 1)
    start_at = last.started_at + timedelta(days=days)
    finishes = forecast.what_if(price, budgets, start_at=start_at)
    return NextJob(last.job_id, start_at, price, finishes)


def when(at: datetime, zone: tzinfo) -> str:
    """``Tue 3 Nov, 14:00`` in the zone."""
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M}"


def when_sentence(moment: Moment, zone: tzinfo) -> str:
    """``about Tue 3 Nov, 14:00 (between … and …)``, as sure as it is."""
    if moment.at is None:
        return "not within the days that can be foreseen"
    low = when(moment.low_at, zone) if moment.low_at else "now"
    high = when(moment.high_at, zone) if moment.high_at else "later than can be foreseen"
    return f"about {when(moment.at, zone)} (between {low} and {high})"


def _use(
    history: OrgHistory, budgets: Mapping[Api, BudgetHistory], zone: tzinfo
) -> Iterable[Notice]:
    for api in APIS:
        samples = history.samples.get(api)
        if samples is None or not len(samples) or samples.maximum[-1] <= 0:
            continue
        used, most = int(samples.used[-1]), int(samples.maximum[-1])
        reached = next((pct for pct in WARN_PCTS if used * 100 >= most * pct), None)
        if reached:
            yield Notice(
                "warning", "use_high", api,
                f"{used:,} of {most:,} {UNITS[api]} are used: over {reached} % of what the org allows in 24 hours.",
            )  # fmt: skip
        elif api in budgets:
            yield from _will_be_high(api, budgets[api], zone)


def _will_be_high(api: Api, budget: BudgetHistory, zone: tzinfo) -> Iterable[Notice]:
    if not budget.days:
        return
    seen = forecast.outlook(budget, hours=24)
    for pct in WARN_PCTS:
        over = np.flatnonzero(seen.expected * 100 >= seen.maximum * pct)
        if len(over):
            yield Notice(
                "warning", "use_will_be_high", api,
                f"At this rate {pct} % of the {UNITS[api]} will be used by {when(seen.at[int(over[0])], zone)}, "
                "without any job of sfnb.",
            )  # fmt: skip
            return


def _paused(
    history: OrgHistory, budgets: Mapping[Api, BudgetHistory], zone: tzinfo
) -> Iterable[Notice]:
    paused = {job.job_id for job in history.jobs if job.state == "paused"}
    for pause in history.pauses:
        api = next((one for one in APIS if one == pause.api), None)
        if pause.resumed_at is not None or pause.job_id not in paused or api is None:
            continue
        told = "when cannot be foreseen yet"
        if api in budgets:
            told = when_sentence(forecast.resumes(budgets[api], history.percent(api)), zone)
        yield Notice(
            "note", "job_paused", api,
            f"Job {pause.job_id} has been paused since {when(pause.at, zone)} at {pause.used:,} of {pause.maximum:,} "
            f"{UNITS[api]}; it can go on {told}.",
        )  # fmt: skip


def _next_job(history: OrgHistory, next_job: NextJob | None, zone: tzinfo) -> Iterable[Notice]:
    if next_job is None:
        return
    percent = min(history.percent(api) for api in next_job.price)
    finish = next_job.finishes.get(percent)
    if finish is None or (finish.pauses == 0 and finish.finish.at is not None):
        return
    price = ", ".join(f"{units:,} {UNITS[api]}" for api, units in next_job.price.items())
    fits = [p for p, f in next_job.finishes.items() if f.pauses == 0 and f.finish.at is not None]
    advice = (
        f"from {min(fits)} % on it would run through"
        if fits
        else "no limit percent would let it run through"
    )
    end = (
        "would not end within a week"
        if finish.finish.at is None
        else f"would end {when_sentence(finish.finish, zone)}"
    )
    yield Notice(
        "warning", "job_will_pause", None,
        f"A backup like the last one ({price}, job {next_job.like}) starting {when(next_job.start_at, zone)} will not "
        f"fit under the limit of {percent} %: it would pause and {end}; {advice}.",
    )  # fmt: skip


def _doubled(history: OrgHistory, callers: pd.DataFrame) -> Iterable[Notice]:
    """An app whose last whole logged day is at least twice its median day before."""
    days = sorted(
        {
            int(hour) // 24
            for hour in history.covered
            if hour % 24 == 23 and hour - 23 in history.covered
        }
    )
    last = [day for day in days if day * 24 >= history.start_hour]
    if len(last) <= LEAST_DAYS or callers.empty:
        return
    numbers = (callers["hour_at"].astype("int64") // 86_400_000_000_000).rename("day")
    sums = (
        callers[~callers["is_sfnb"]].groupby(["app", numbers])["calls"].sum().unstack(fill_value=0)
    )
    sums = sums.reindex(columns=last, fill_value=0)
    usual = sums[last[:-1]].median(axis=1)
    latest = sums[last[-1]]
    is_more = (latest >= DOUBLED * usual) & (latest - usual >= LEAST_CALLS)
    day = minute_at(last[-1] * 1440)
    for app in sums.index[is_more]:
        yield Notice(
            "warning", "app_doubled", "api",
            f"{app} made {int(latest[app]):,} calls on {day:%a} {day.day} {day:%b} (UTC); before, {int(usual[app]):,} "
            "on a usual day.",
        )  # fmt: skip


def _knowledge(history: OrgHistory, zone: tzinfo) -> Iterable[Notice]:
    """What is not known, or is to be known when reading."""
    calls = history.samples.get("api")
    if history.future_samples:
        yield Notice(
            "warning", "clock_back", None,
            f"{history.future_samples:,} readings are from the future: this machine's clock has gone back. They are "
            "left out until their time has come; set the clock right.",
        )  # fmt: skip
    if calls is None or not len(calls):
        yield Notice(
            "note", "no_history", "api",
            f"This org has not told its use yet. `sfnb usage sample {history.org}` asks it; on a schedule, that makes "
            "a history.",
        )  # fmt: skip
    elif len(calls) == 1:
        yield Notice(
            "note", "one_reading", "api",
            "There is only one reading yet, so what was used when is not known: only the sum of its 24 hours is.",
        )  # fmt: skip
    elif history.now - minute_at(int(calls.minutes[-1])) > STALE:
        yield Notice(
            "note",
            "stale",
            "api",
            f"The org's counter was last read on {when(minute_at(int(calls.minutes[-1])), zone)}.",
        )
    for api in APIS:
        yield from _maximum(history, api, zone)
    read = history.event_read
    if read.problem:
        text = read.problem
        yield Notice("note", "no_event_log", "api", f"{text[0].upper()}{text[1:]}")
    elif not len(history.covered):
        yield Notice(
            "note", "no_event_log", "api",
            "The org's event log has no file of this time, so what other apps used is known only in sum. A day's file "
            "comes the day after; if none ever comes, the user lacks the permission View Event Log Files.",
        )  # fmt: skip


def _maximum(history: OrgHistory, api: Api, zone: tzinfo) -> Iterable[Notice]:
    samples = history.samples.get(api)
    if samples is None or not len(samples):
        return
    if samples.maximum[-1] == 0:
        if api == "api" or np.any(samples.used > 0):
            yield Notice(
                "warning",
                "max_zero",
                api,
                f"The org allows no {UNITS[api]} at all: its maximum is 0.",
            )
        return
    inside = samples.minutes >= history.start_hour * 60
    changes = np.flatnonzero(np.diff(samples.maximum[inside]))
    for index in changes[-3:]:
        at = minute_at(int(samples.minutes[inside][index + 1]))
        yield Notice(
            "note", "max_changed", api,
            f"The org's maximum of {UNITS[api]} changed from {int(samples.maximum[inside][index]):,} to "
            f"{int(samples.maximum[inside][index + 1]):,} by {when(at, zone)}; each hour is in percent "
                "of its own maximum.",
        )  # fmt: skip
    if samples.used[-1] > samples.maximum[-1]:
        yield Notice(
            "warning", "over_max", api,
            f"Use is above the maximum of {int(samples.maximum[-1]):,} {UNITS[api]}: Salesforce lets paid "
            f"orgs go over it "
            "for a while.",
        )  # fmt: skip


def _difference(reconciliation: pd.DataFrame) -> Iterable[Notice]:
    if reconciliation.empty:
        return
    last = reconciliation.iloc[-1]
    if not pd.isna(last["difference_pct"]) and abs(float(last["difference_pct"])) > 1:
        yield Notice(
            "note", "difference", "api",
            f"Salesforce's counter and the event log differ by {int(last['difference']):,} calls "
            f"({float(last['difference_pct']):.1f} %) on {last['day']}; the table at the end shows each day.",
        )  # fmt: skip


def _reported(
    history: OrgHistory, callers: pd.DataFrame, reported: pd.DataFrame, zone: tzinfo
) -> Iterable[Notice]:
    """What the usage report can say in the event log's place, and by how much it differs from the counter."""
    read = history.report_read
    if not callers.empty or read.tried_at is None:
        return
    if read.problem:
        yield Notice("note", "no_usage_report", "api", read.problem)
    if reported.empty or read.read_at is None:
        return
    whole = reported[reported["difference"].notna()]
    told = (
        "No whole day is known from both, so their difference is not known yet."
        if whole.empty
        else f"On {len(whole)} whole day{'s' if len(whole) > 1 else ''} the counter has "
        f"{int(whole['counter'].sum()):,} calls, the report {int(whole['report'].sum()):,}: a difference of "
        f"{int(whole['difference'].sum()):,}; the table at the end shows each day."
    )
    yield Notice(
        "note", "usage_report", "api",
        f'Users are those of Salesforce\'s report "API Usage Last 7 Days", read on {when(read.read_at, zone)}. '
        f"It counts calendar days of mixed time zones, never the counter's last 24 hours. {told}",
    )  # fmt: skip
