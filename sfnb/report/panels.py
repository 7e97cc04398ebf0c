"""What a report shows of one org: numbers, sentences, figures and tables, decided here and drawn by the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sfnb import charts
from sfnb.model import APIS
from sfnb.quota.policy import UNITS, lower_mark
from sfnb.usage.review import Review


@dataclass(frozen=True)
class Shown:
    """A figure with its caption, or, where there is nothing to draw, a sentence that says so."""

    key: str
    caption: str
    figure: Any = None
    sentence: str = ""


@dataclass(frozen=True)
class Table:
    """A table of texts, ready to be printed; ``numbers`` are the columns that are set right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int]
    note: str = ""


@dataclass(frozen=True)
class Card:
    """One number with what it is."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True)
class OrgPanel:
    """One org's part of the page."""

    name: str
    org_id: str
    span: str
    cards: Sequence[Card]
    notices: Sequence[Any]
    figures: Sequence[Shown]
    tables: Sequence[Table]


def panel_of(review: Review) -> OrgPanel:
    """What is shown of the org; pure."""
    history, zone = review.history, review.zone
    start, end = history.start_at.astimezone(zone), history.now.astimezone(zone)
    return OrgPanel(
        name=review.org,
        org_id=history.org_id,
        span=f"{start:%a %d %b %Y %H:%M} to {end:%a %d %b %Y %H:%M}, {zone}",
        cards=_cards(review),
        notices=review.notices,
        figures=_figures(review),
        tables=_tables(review),
    )


def _cards(review: Review) -> list[Card]:
    cards = []
    for api in APIS:
        rows = review.usage[review.usage["api"] == api]
        if rows.empty:
            continue
        last = rows.iloc[-1]
        share = "the org allows none" if pd.isna(last["used_pct"]) else f"{last['used_pct']:.1f} %"
        peak = rows["used_pct"].max()
        highest = "" if pd.isna(peak) else f", at most {peak:.1f} % in this time"
        when = last["at"].astimezone(review.zone)
        cards.append(
            Card(
                UNITS[api],
                share,
                f"{last['used']:,} of {last['max']:,} on {when:%a %d %b, %H:%M}{highest}; sfnb's jobs stop at "
                f"{last['limit_percent']} %",
            )
        )
    return cards


def _figures(review: Review) -> list[Shown]:
    history, zone, usage = review.history, review.zone, review.usage
    shown = []
    for api in APIS:
        has_use = bool((usage["used"][usage["api"] == api] > 0).any())
        if api == "api" or has_use:
            shown.append(_usage(review, api))
        elif api in ("bulk", "bulk2"):
            told = bool((usage["api"] == api).any())
            sentence = (
                f"No {UNITS[api]} were used."
                if told
                else f"The org has not told its {UNITS[api]} in this time."
            )
            shown.append(Shown(f"usage-{api}", UNITS[api], sentence=sentence))
    calls = review.hours[review.hours["api"] == "api"]
    if calls.empty:
        shown.append(
            Shown("hours", "Calls by the hour", sentence="Calls by the hour are not known yet.")
        )
    else:
        shown.append(
            Shown("hours", "Calls by the hour", charts.hours_figure(review.hours, zone=zone))
        )
    shown += _ahead(review)
    week = review.week[review.week["api"] == "api"]
    if len(week):
        shown.append(Shown("week", "The week's pattern", charts.week_figure(review.week)))
    for key, top, what in (("apps", review.apps, "apps"), ("users", review.users, "users")):
        if top.empty:
            shown.append(
                Shown(
                    key,
                    f"Top {what}",
                    sentence=f"Which {what} made the calls is not known: {_why(review)}",
                )
            )
        else:
            is_reported = what == "users" and review.has_reported_users
            caption = f"Top {what}" + (
                ", by calendar days of Salesforce's own report" if is_reported else ""
            )
            shown.append(Shown(key, caption, charts.top_figure(top, what=what)))
    if history.job_objects:
        objects = pd.DataFrame(
            {
                "object": pd.Series(list(history.job_objects), dtype="string"),
                "calls": pd.Series(list(history.job_objects.values()), dtype="Int64"),
            }
        )
        shown.append(
            Shown("job", "One job's calls", charts.job_figure(objects, job_id=history.largest_job))
        )
    return shown


def _ahead(review: Review) -> list[Shown]:
    """What is to come: of the calls, and of the next backup."""
    history, zone = review.history, review.zone
    budget = review.budgets.get("api")
    if budget is None or budget.maximum <= 0:
        sentence = "What is to come cannot be foreseen: the org has told nothing of its use in the last 24 hours."
        return [Shown("forecast", "The next two days", sentence=sentence)]
    percent = history.percent("api")
    mark = lower_mark(budget.maximum, percent) * 100 / budget.maximum
    figure = charts.forecast_figure(
        review.forecast, limit_percent=percent, mark_percent=mark, zone=zone
    )
    shown = [Shown("forecast", "The next two days", figure)]
    if review.next_job and review.next_job.finishes:
        figure = charts.finish_figure(review.next_job.finishes, limit_percent=percent, zone=zone)
        shown.append(Shown("finish", "The next backup", figure))
    return shown


def _usage(review: Review, api: Any) -> Shown:
    caption = f"{UNITS[api][0].upper()}{UNITS[api][1:]}"
    rows = review.usage[review.usage["api"] == api]
    if rows.empty:
        sentence = f"How many {UNITS[api]} this org has used is not known yet: run `sfnb usage sample {review.org}`."
        return Shown(f"usage-{api}", caption, sentence=sentence)
    if rows["used_pct"].isna().all():
        return Shown(
            f"usage-{api}",
            caption,
            sentence=f"The org allows no {UNITS[api]} at all: its maximum is 0.",
        )
    figure = charts.usage_figure(
        review.usage, api=api, thresholds=review.thresholds, pauses=review.pauses, zone=review.zone
    )
    return Shown(f"usage-{api}", caption, figure)


def _why(review: Review) -> str:
    return review.history.event_read.problem or "the event log has no file of this time yet."


def _tables(review: Review) -> list[Table]:
    tables = []
    days = review.days[review.days["api"] == "api"]
    if len(days):
        tables.append(
            _table(
                "API calls by day",
                {
                    "day": days["day"],
                    "hours known": days["hours"],
                    "calls": days["calls"],
                    "sfnb, jobs": days["sfnb_jobs"],
                    "sfnb, outside jobs": days["sfnb_besides"],
                    "other apps": days["other_apps"],
                    "not attributed": days["unattributed"],
                    "highest 24 h use": days["peak_pct"].map(
                        lambda x: "" if pd.isna(x) else f"{x:.1f} %"
                    ),
                },
                note="Days of the chosen time zone."
                + (
                    " The first day with readings is an estimate: only its sum is known."
                    if days["is_estimate"].any()
                    else ""
                ),
            )
        )
    for title, top in (("API families", review.families), ("Objects", review.entities)):
        if len(top):
            share = top["share_pct"].map(lambda x: "" if pd.isna(x) else f"{x:.1f} %")
            columns = {
                "name": top["name"],
                "calls": top["calls"],
                "share": share,
                "not counted": top["free_calls"],
            }
            tables.append(
                _table(
                    f"Calls by {title[0].lower()}{title[1:]}" if title == "Objects" else title,
                    columns,
                )
            )
    if len(review.jobs):
        jobs = review.jobs
        local = [None if pd.isna(at) else at.astimezone(review.zone) for at in jobs["started_at"]]
        tables.append(
            _table(
                "sfnb's jobs",
                {
                    "job": jobs["job_id"],
                    "kind": jobs["kind"],
                    "state": jobs["state"].str.replace("_", " "),
                    "started": pd.Series([f"{at:%a %d %b, %H:%M}" if at else "" for at in local]),
                    "API calls": jobs["api"],
                    "Bulk 2 jobs": jobs["bulk2"],
                    "pauses": jobs["pauses"],
                },
            )
        )
    if len(review.reconciliation):
        told = review.reconciliation
        tables.append(
            _table(
                "Salesforce's counter beside the event log",
                {
                    "day": told["day"],
                    "counter": told["counter"],
                    "event log": told["event_log"],
                    "difference": told["difference"],
                    "of counter": told["difference_pct"].map(
                        lambda x: "" if pd.isna(x) else f"{x:.2f} %"
                    ),
                    "sfnb counted": told["sfnb_ledger"],
                    "sfnb in the log": told["sfnb_log"],
                },
                note="Calls in the 24 hours before the day's last reading. A difference is shown, not explained away: "
                "some calls count without being logged, and the counter may lag by minutes.",
            )
        )
    if review.has_reported_users:
        tables += _reported_tables(review)
    return tables


def _reported_tables(review: Review) -> list[Table]:
    """What Salesforce's usage report tells: beside the counter, and by user."""
    told = review.reported
    by_user = review.user_days.pivot_table("calls", "user", "day", aggfunc="sum").astype("Int64")
    sums = by_user.sum(axis=1).sort_values(ascending=False)
    by_user = by_user.loc[sums.index]
    note = "Calendar days of mixed time zones, as the report counts them; the counter's are days of the chosen one."
    return [
        _table(
            'Salesforce\'s report "API Usage Last 7 Days" beside its counter',
            {
                "day": told["day"],
                "report": told["report"],
                "counter": told["counter"],
                "hours known": told["hours"],
                "difference": told["difference"],
                "of counter": told["difference_pct"].map(
                    lambda x: "" if pd.isna(x) else f"{x:.2f} %"
                ),
            },
            note=f"{note} A difference is shown, not explained away, for days that both know wholly.",
        ),
        _table(
            "Calls by user and calendar day",
            {
                "user": pd.Series(by_user.index),
                **{str(day): by_user[day] for day in by_user.columns},
                "sum": sums,
            },
            note=note,
        ),
    ]


def _table(title: str, columns: dict[str, pd.Series], *, note: str = "") -> Table:
    numbers = frozenset(
        index
        for index, values in enumerate(columns.values())
        if pd.api.types.is_numeric_dtype(values) or str(next(iter(values), "")).endswith("%")
    )
    cells = [
        [
            f"{value:,}" if pd.api.types.is_integer(value) else "" if pd.isna(value) else str(value)
            for value in values
        ]
        for values in columns.values()
    ]
    return Table(title, list(columns), list(zip(*cells, strict=True)), numbers, note)
