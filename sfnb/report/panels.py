"""
What a report shows of one org, in its order: numbers, sentences, figures, tables. Pure; the page
only draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sfnb import charts
from sfnb.model import Api
from sfnb.quota.policy import UNITS, lower_mark
from sfnb.report.cards import Card, Verdict, cards_of, verdict_of
from sfnb.report.details import Table, tables_of
from sfnb.series import VISIBLE_PCT
from sfnb.text import dated_moment, zone_name
from sfnb.usage.job_notices import Notice
from sfnb.usage.review import Review


@dataclass(frozen=True)
class Shown:
    """
    A figure with its caption, or, where there is nothing to draw, a sentence.

    Args:
        width: ``half``: two beside each other where there is room.
        is_folded: drawn only when a person unfolds it.
    """

    key: str
    caption: str
    figure: Any = None
    sentence: str = ""
    width: str = "full"
    is_folded: bool = False

    @property
    def title(self) -> str:
        """
        The figure's own title, which says more than the caption; it wraps on a narrow page, as
        Plotly's cannot.
        """
        return self.figure.layout.title.text or self.caption if self.figure else self.caption


@dataclass(frozen=True)
class OrgPanel:
    """One org's part of the page, in the order in which it is shown."""

    name: str
    org_id: str
    span: str
    verdict: Verdict
    cards: Sequence[Card]
    notices: Sequence[Notice]
    figures: Sequence[Shown]
    more: Sequence[Shown]
    tables: Sequence[Table]


def panel_of(review: Review) -> OrgPanel:
    """What is shown of the org."""
    history, zone = review.history, review.zone
    start, end = dated_moment(history.start_at, zone), dated_moment(history.now, zone)
    shown = [
        _usage(review, "api"),
        *_who(review),
        *_ahead(review),
        *_week(review),
        *(_usage(review, api) for api in _used_budgets(review)),
        *_unused(review),
        *_hours(review),
        *_job(review),
    ]
    return OrgPanel(
        name=review.org,
        org_id=history.org_id,
        span=f"{start} to {end}, {zone_name(zone)}",
        verdict=verdict_of(review),
        cards=cards_of(review),
        # The verdict says it already, and the place of the chart what to do about it.
        notices=[one for one in review.notices if one.code != "no_history"],
        figures=[one for one in shown if not one.is_folded],
        more=[one for one in shown if one.is_folded],
        tables=tables_of(review),
    )


def _usage(review: Review, api: Api) -> Shown:
    caption = f"{UNITS[api][0].upper()}{UNITS[api][1:]}"
    rows = review.usage[review.usage["api"] == api]
    if rows.empty:
        sentence = f"No usage reading of {UNITS[api]} yet. Run `sfnb usage sample {review.org}`."
        return Shown(f"usage-{api}", caption, sentence=sentence)
    if rows["used_pct"].isna().all():
        return Shown(
            f"usage-{api}", caption, sentence=f"The org allows no {UNITS[api]}: its maximum is 0."
        )
    figure = charts.usage_figure(
        review.usage, api=api, thresholds=review.thresholds, pauses=review.pauses, zone=review.zone
    )
    return Shown(f"usage-{api}", caption, figure)


def _who(review: Review) -> list[Shown]:
    """Apps and users side by side."""
    shown = []
    for key, top in (("apps", review.apps), ("users", review.users)):
        caption = f"Calls by {key[:-1]}"
        if top.empty:
            shown.append(
                Shown(key, caption, sentence=f"No {key} known: {_why(review)}", width="half")
            )
            continue
        if key == "users" and review.has_reported_users:
            caption += ", by calendar days of Salesforce's own report"
        shown.append(Shown(key, caption, charts.top_figure(top, what=key), width="half"))
    return shown


def _why(review: Review) -> str:
    return review.history.event_read.problem or "the event log has no file for these days yet."


def _ahead(review: Review) -> list[Shown]:
    """What is to come: of the calls, and of the next backup."""
    history, zone = review.history, review.zone
    budget = review.budgets.get("api")
    if budget is None or budget.maximum <= 0:
        sentence = "No forecast: there is no usage reading of the last 24 hours."
        return [Shown("forecast", "The next two days", sentence=sentence)]
    percent = history.percent("api")
    mark = lower_mark(budget.maximum, percent) * 100 / budget.maximum
    figure = charts.forecast_figure(
        review.forecast, limit_percent=percent, mark_percent=mark, zone=zone
    )
    shown = [Shown("forecast", "The next two days", figure)]
    if review.next_job and "api" in review.next_job.finishes:
        finishes = review.next_job.finishes["api"]
        figure = charts.finish_figure(finishes, limit_percent=percent, zone=zone)
        shown.append(Shown("finish", "The next backup", figure, is_folded=True))
    return shown


def _week(review: Review) -> list[Shown]:
    if review.week[review.week["api"] == "api"].empty:
        return []
    return [Shown("week", "Hour by weekday", charts.week_figure(review.week))]


BULK: tuple[Api, ...] = ("bulk", "bulk2", "bulk2_mb")


def _used_budgets(review: Review) -> list[Api]:
    usage = review.usage
    return [
        api for api in BULK if bool((usage["used_pct"][usage["api"] == api] >= VISIBLE_PCT).any())
    ]


def _unused(review: Review) -> list[Shown]:
    """One line for all budgets that were not used, or hardly."""
    drawn, usage = _used_budgets(review), review.usage
    hardly, idle = [], []
    for api in BULK:
        rows = usage[usage["api"] == api]
        if api in drawn or rows.empty:
            continue
        most = rows.loc[rows["used"].idxmax()]
        if most["used"] > 0:
            hardly.append(f"at most {most['used']:,} of {most['max']:,} {UNITS[api]}")
        else:
            idle.append(UNITS[api])
    said = []
    if hardly:
        said.append(f"Used in these days: {', '.join(hardly)}.")
    if idle:
        said.append(f"Not used in these days: {', '.join(idle)}.")
    return [Shown("unused", "Hardly used", sentence=" ".join(said))] if said else []


def _hours(review: Review) -> list[Shown]:
    if review.hours[review.hours["api"] == "api"].empty:
        return []
    figure = charts.hours_figure(review.hours, zone=review.zone)
    return [Shown("hours", "API calls in each hour", figure, is_folded=True)]


def _job(review: Review) -> list[Shown]:
    history = review.history
    if not history.job_objects:
        return []
    objects = pd.DataFrame(
        {
            "object": pd.Series(list(history.job_objects), dtype="string"),
            "calls": pd.Series(list(history.job_objects.values()), dtype="Int64"),
        }
    )
    figure = charts.job_figure(objects, job_id=history.largest_job)
    return [Shown("job", f"Job {history.largest_job} by object", figure, is_folded=True)]
