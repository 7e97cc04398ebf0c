"""What deserves a look: trouble to come, and what the report does not know. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import numpy as np
import pandas as pd

from sfnb.model import APIS, Api, Price
from sfnb.quota import forecast
from sfnb.quota.forecast import BudgetHistory
from sfnb.quota.policy import UNITS
from sfnb.text import count, day, moment
from sfnb.usage.history import OrgHistory
from sfnb.usage.job_notices import Notice, open_jobs, warned
from sfnb.usage.store.values import minute_at
from sfnb.usage.what_if import (
    Finishes,
    finishes_by_budget,
    last_finish,
    runs_through,
    unpaused_percent,
    when_sentence,
)

WARN_PCTS = (90, 70)
"""Shares of the maximum at which a notice is given, the highest first."""

DOUBLED, LEAST_CALLS, LEAST_DAYS = 2.0, 100, 3
STALE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class NextJob:
    """
    The job that will probably run next: one like the last backup, at the same time of day.

    Args:
        finishes: how it would go, each budget by itself, under each limit percent.
    """

    like: str
    start_at: datetime
    price: Price
    finishes: Finishes


def notices_of(  # noqa: PLR0917 - what a report knows
    history: OrgHistory,
    callers: pd.DataFrame,
    reconciliation: pd.DataFrame,
    reported: pd.DataFrame,
    usage: pd.DataFrame,
    budgets: Mapping[Api, BudgetHistory],
    next_job: NextJob | None,
    zone: tzinfo,
) -> list[Notice]:
    """All notices, warnings first."""
    found = [
        *_use(history, budgets, zone),
        *open_jobs(history, budgets, zone),
        *warned(history),
        *_next_job(history, next_job, zone),
        *_doubled(history, callers),
        *_knowledge(history, zone),
        *_uncounted(usage, zone),
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
    price = {api: units for api, units in history.next_price.items() if units}
    for api, spent in () if price else history.spent.items():
        if last.job_id in history.job_ids:
            units = int(np.sum(spent.units[spent.jobs == history.job_ids.index(last.job_id)]))
            price |= {api: units} if units else {}
    if not price or not any(api in budgets for api in price):
        return None
    days = max(-(-(history.now - last.started_at) // timedelta(days=1)), 1)
    start_at = last.started_at + timedelta(days=days)
    return NextJob(
        last.job_id, start_at, price, finishes_by_budget(price, budgets, start_at=start_at)
    )


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
                f"The org has used {used:,} of its {most:,} {UNITS[api]}: more than {reached} %.",
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
                f"The org will have used {pct} % of its {UNITS[api]} by "
                f"{moment(seen.at[int(over[0])], zone)}, even if no job of sfnb runs.",
            )  # fmt: skip
            return


def _next_job(history: OrgHistory, next_job: NextJob | None, zone: tzinfo) -> Iterable[Notice]:
    """
    Each budget is compared with its own limit: raising the one that stops the job ends the warning.
    """
    if next_job is None:
        return
    percents: dict[Api, int] = {api: history.percent(api) for api in next_job.price}
    last = last_finish(next_job.finishes, percents)
    stopped = [
        api for api, found in next_job.finishes.items() if not runs_through(found[percents[api]])
    ]
    if last is None or not stopped:
        return
    api, finish = last if last[0] in stopped else (stopped[0], last[1])
    through = unpaused_percent(next_job.finishes[api])
    advice = (
        f"With a limit of {through} % or more it would run through."
        if through
        else "No limit would let it run through."
    )
    end = (
        "would not end within a week"
        if finish.finish.at is None
        else f"would end {when_sentence(finish.finish, zone)}"
    )
    price = ", ".join(f"{units:,} {UNITS[one]}" for one, units in next_job.price.items())
    yield Notice(
        "warning", "job_will_pause", api,
        f"The next backup would pause at the limit of {percents[api]} % of {UNITS[api]} and {end}. "
        f"{advice}",
        f"Assuming a backup like job {next_job.like} ({price}), starting "
        f"{moment(next_job.start_at, zone)}.",
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
    on = day(minute_at(last[-1] * 1440))
    for app in sums.index[is_more]:
        yield Notice(
            "warning", "app_doubled", "api",
            f"{app} made {int(latest[app]):,} calls on {on} (UTC), {int(usual[app]):,} on a usual "
            "day before.",
        )  # fmt: skip


def _knowledge(history: OrgHistory, zone: tzinfo) -> Iterable[Notice]:
    """What the report does not know, and what helps to read it."""
    calls = history.samples.get("api")
    if history.future_samples:
        yield Notice(
            "warning", "clock_back", None,
            f"This machine's clock went back: {count(history.future_samples, 'reading')} from the "
            "future.",
            "Readings from the future are left out until their time has come. Set the clock right.",
        )  # fmt: skip
    if calls is None or not len(calls):
        yield Notice(
            "note", "no_history", "api",
            f"No usage reading for this org yet. Run `sfnb usage sample {history.org}`.",
            "On a schedule, that command builds the history that this report shows.",
        )  # fmt: skip
    elif len(calls) == 1:
        yield Notice(
            "note", "one_reading", "api",
            "There is only one usage reading yet.",
            "It tells the sum of 24 hours, not which hour had how many calls.",
        )  # fmt: skip
    elif history.now - minute_at(int(calls.minutes[-1])) > STALE:
        read_at = moment(minute_at(int(calls.minutes[-1])), zone)
        yield Notice(
            "note", "stale", "api", f"The last usage reading is old: {read_at}.",
            f"`sfnb usage sample {history.org}` reads the counter, for one call.",
        )  # fmt: skip
    for api in APIS:
        yield from _maximum(history, api, zone)
    yield from _event_log(history)


def _event_log(history: OrgHistory) -> Iterable[Notice]:
    problem = history.event_read.problem
    if problem:
        first, _, rest = f"{problem[0].upper()}{problem[1:]}".partition(". ")
        yield Notice("note", "no_event_log", "api", f"{first.rstrip('.')}.", rest)
    elif not len(history.covered):
        yield Notice(
            "note", "no_event_log", "api",
            "The org's event log has no file for these days, so other apps are known only as a "
            "sum.",
            # Salesforce writes daily files the day after (REST guide, EventLogFile).
            "A day's file appears the day after. If none ever appears, the user lacks the "
            "permission View Event "
            "Log Files.",
        )  # fmt: skip


def _maximum(history: OrgHistory, api: Api, zone: tzinfo) -> Iterable[Notice]:
    samples = history.samples.get(api)
    if samples is None or not len(samples):
        return
    if samples.maximum[-1] == 0:
        if api == "api" or np.any(samples.used > 0):
            yield Notice(
                "warning", "max_zero", api, f"The org allows no {UNITS[api]}: its maximum is 0."
            )
        return
    inside = samples.minutes >= history.start_hour * 60
    changes = np.flatnonzero(np.diff(samples.maximum[inside]))
    for index in changes[-3:]:
        at = minute_at(int(samples.minutes[inside][index + 1]))
        old, new = (int(samples.maximum[inside][index + n]) for n in (0, 1))
        yield Notice(
            "note", "max_changed", api,
            f"The org's maximum of {UNITS[api]} changed from {old:,} to {new:,} by "
            f"{moment(at, zone)}.",
            "Each hour is shown in percent of the maximum that it had.",
        )  # fmt: skip
    if samples.used[-1] > samples.maximum[-1]:
        yield Notice(
            "warning", "over_max", api,
            f"The org has used more than its maximum of {int(samples.maximum[-1]):,} {UNITS[api]}.",
            "Salesforce lets paid orgs exceed the maximum for a while.",
        )  # fmt: skip


def _uncounted(usage: pd.DataFrame, zone: tzinfo) -> Iterable[Notice]:
    """
    Where sfnb knows of more calls than the counter, the difference is explained, never a part below
    0.
    """
    rows = usage[(usage["api"] == "api") & (usage["uncounted"] > 0)]
    if rows.empty:
        return
    most = rows.loc[rows["uncounted"].idxmax()]
    yield Notice(
        "note", "uncounted", "api",
        f"At {count(len(rows), 'reading')} Salesforce's counter was behind sfnb's own calls, by up "
        "to "
        f"{int(most['uncounted']):,} ({moment(most['at'], zone)}).",
        "The counter lags by up to two minutes. Calls that it did not include yet are in no bar.",
    )  # fmt: skip


def _difference(reconciliation: pd.DataFrame) -> Iterable[Notice]:
    if reconciliation.empty:
        return
    last = reconciliation.iloc[-1]
    if not pd.isna(last["difference_pct"]) and abs(float(last["difference_pct"])) > 1:
        yield Notice(
            "note", "difference", "api",
            f"Salesforce's counter and its event log differ by {abs(int(last['difference'])):,} "
            "calls "
            f"({abs(float(last['difference_pct'])):.1f} %) on {last['day']}.",
            "The table “Salesforce's counter and the event log” shows each day.",
        )  # fmt: skip


def _reported(
    history: OrgHistory, callers: pd.DataFrame, reported: pd.DataFrame, zone: tzinfo
) -> Iterable[Notice]:
    """What the usage report says in the event log's place, and how far it is from the counter."""
    read = history.report_read
    if not callers.empty or read.tried_at is None:
        return
    if read.problem:
        first, _, rest = read.problem.partition(". ")
        yield Notice("note", "no_usage_report", "api", f"{first.rstrip('.')}.", rest)
    if reported.empty or read.read_at is None:
        return
    whole = reported[reported["difference"].notna()]
    compared = (
        "Not one whole day is known from both yet."
        if whole.empty
        else f"On {count(len(whole), 'whole day')} the counter has {int(whole['counter'].sum()):,} calls and the "
        f"report {int(whole['report'].sum()):,}, a difference of "
        f"{abs(int(whole['difference'].sum())):,}."
    )
    yield Notice(
        "note", "usage_report", "api",
        f'Users come from Salesforce\'s report "API Usage Last 7 Days", read {moment(read.read_at, zone)}.',
        f"It counts calendar days of mixed time zones, not the last 24 hours. {compared}",
    )  # fmt: skip
