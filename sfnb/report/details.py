"""The tables of a report: folded on the page, for those who want the numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sfnb.series import LABELS
from sfnb.text import moment
from sfnb.usage.review import Review


@dataclass(frozen=True)
class Table:
    """
    A table of texts, ready to be printed; ``numbers`` are the columns that stand at the right.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int]
    note: str = ""


def tables_of(review: Review) -> list[Table]:
    """All tables that have a row."""
    tables = [
        *_days(review),
        *_top(review),
        *_jobs(review),
        *_reconciliation(review),
        *(_reported(review) if review.has_reported_users else ()),
    ]
    return [table for table in tables if table.rows]


def _days(review: Review) -> list[Table]:
    days = review.days[review.days["api"] == "api"]
    columns = {
        "day": days["day"],
        "hours known": days["hours"],
        "calls": days["calls"],
        LABELS["sfnb_jobs"]: days["sfnb_jobs"],
        LABELS["sfnb_other"]: days["sfnb_other"],
        LABELS["other_apps"]: days["other_apps"],
        "of them named by the event log": days["other_named"],
        "highest 24 h use": _percents(days["peak_pct"]),
    }
    note = "Days of the chosen time zone."
    if days["is_estimate"].any():
        note += " The first day is an estimate: of the day before the first reading only the sum is known."
    return [_table("API calls by day", columns, note=note)]


def _top(review: Review) -> list[Table]:
    return [
        _table(
            title,
            {
                "name": top["name"],
                "calls": top["calls"],
                "share": _percents(top["share_pct"]),
                "not counted": top["free_calls"],
            },
        )
        for title, top in (
            ("Calls by app", review.apps),
            ("Calls by user", review.users),
            ("Calls by API family", review.families),
            ("Calls by object", review.entities),
        )
    ]


def _jobs(review: Review) -> list[Table]:
    jobs = review.jobs
    started = ["" if pd.isna(at) else moment(at, review.zone) for at in jobs["started_at"]]
    columns = {
        "job": jobs["job_id"],
        "kind": jobs["kind"],
        "state": jobs["state"].str.replace("_", " "),
        "started": pd.Series(started, dtype="string"),
        "API calls": jobs["api"],
        "Bulk 2.0 jobs": jobs["bulk2"],
        "pauses": jobs["pauses"],
    }
    return [_table("sfnb's jobs", columns)]


def _reconciliation(review: Review) -> list[Table]:
    rows = review.reconciliation
    columns = {
        "day": rows["day"],
        "counter": rows["counter"],
        "event log": rows["event_log"],
        "difference": rows["difference"],
        "of counter": _percents(rows["difference_pct"], digits=2),
        "sfnb counted": rows["sfnb_ledger"],
        "sfnb in the log": rows["sfnb_log"],
    }
    note = (
        "Calls in the 24 hours before the day's last reading; difference = counter − event log. "
        "Some calls count without being logged, and the counter lags by minutes."
    )
    return [_table("Salesforce's counter and the event log", columns, note=note)]


def _reported(review: Review) -> list[Table]:
    """Salesforce's usage report: beside the counter, and by user."""
    days = review.reported
    by_user = review.user_days.pivot_table("calls", "user", "day", aggfunc="sum").astype("Int64")
    sums = by_user.sum(axis=1).sort_values(ascending=False)
    by_user = by_user.loc[sums.index]
    note = "The report counts calendar days of mixed time zones; the counter's days are those of the chosen one."
    beside = {
        "day": days["day"],
        "report": days["report"],
        "counter": days["counter"],
        "hours known": days["hours"],
        "difference": days["difference"],
        "of counter": _percents(days["difference_pct"], digits=2),
    }
    users = {
        "user": pd.Series(by_user.index, dtype="string"),
        **{str(day): by_user[day] for day in by_user.columns},
        "sum": sums,
    }
    return [
        _table(
            'Salesforce\'s report "API Usage Last 7 Days" and its counter',
            beside,
            note=f"{note} The difference is that of days known wholly from both.",
        ),
        _table("Calls by user and calendar day", users, note=note),
    ]


def _percents(values: pd.Series, *, digits: int = 1) -> pd.Series:
    return values.map(lambda value: "" if pd.isna(value) else f"{value:.{digits}f} %")


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
