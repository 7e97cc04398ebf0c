"""One line of verdict and four numbers: what a person reads who has ten seconds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from sfnb.quota import forecast
from sfnb.quota.policy import UNITS, lower_mark, threshold
from sfnb.text import count, moment, percent
from sfnb.usage.review import Review
from sfnb.usage.what_if import last_finish, when_sentence


@dataclass(frozen=True)
class Card:
    """One number with what it is."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True)
class Verdict:
    """The org in one line; ``good`` where nothing needs a person."""

    level: Literal["good", "warning"]
    sentence: str


def verdict_of(review: Review) -> Verdict:
    """Use, limit, and how much of what follows needs a look."""
    rows = review.usage[review.usage["api"] == "api"]
    warnings = sum(notice.level == "warning" for notice in review.notices)
    lines = review.history.jobs
    said = (
        ("paused", sum(job.state == "paused" for job in lines)),
        ("interrupted", sum(job.is_interrupted for job in lines)),
    )
    if rows.empty:
        return Verdict("warning", "No usage reading for this org yet.")
    last = rows.iloc[-1]
    limit = review.history.percent("api")
    parts = [
        f"{percent(last['used'], last['max'])} of the API calls are used; jobs stop at {limit} %."
        if last["max"]
        else "The org allows no API calls."
    ]
    parts += [f"{count(n, 'job')} {'is' if n == 1 else 'are'} {word}." for word, n in said if n]
    parts.append(f"{count(warnings, 'warning')}." if warnings else "Nothing needs attention.")
    return Verdict("warning" if warnings else "good", " ".join(parts))


def cards_of(review: Review) -> list[Card]:
    """API calls: use now, peak, limit, and what is to come. Empty without a reading."""
    rows = review.usage[review.usage["api"] == "api"]
    if rows.empty:
        return []
    return [_use(review, rows.iloc[-1]), _peak(review, rows), _limit(review, rows), _ahead(review)]


def _use(review: Review, last: pd.Series) -> Card:
    own = int(last["sfnb_running"] + last["sfnb_completed"] + last["sfnb_other"])
    return Card(
        "API calls used in 24 hours",
        percent(last["used"], last["max"]) if last["max"] else "none allowed",
        f"{last['used']:,} of {last['max']:,}, {moment(last['at'], review.zone)}: "
        f"{own:,} by sfnb, {int(last['other_apps']):,} by other apps",
    )


def _peak(review: Review, rows: pd.DataFrame) -> Card:
    shares = (rows["peak"] * 100 / rows["max"].where(rows["max"] > 0)).astype("Float64")
    if shares.isna().all():
        return Card("Peak", "none", "the org allows no API calls")
    row = rows.loc[shares.idxmax()]
    return Card(
        "Peak",
        f"{shares.max():.1f} %",
        f"{row['peak']:,} of {row['max']:,}, {moment(row['at'], review.zone)}",
    )


def _limit(review: Review, rows: pd.DataFrame) -> Card:
    limit, most = review.history.percent("api"), int(rows.iloc[-1]["max"])
    return Card(
        "Limit",
        f"{limit} %",
        f"jobs stop when the whole org has used {threshold(most, limit):,} of {most:,}",
    )


def _ahead(review: Review) -> Card:
    """
    The next pause or finish: of the job that is paused, else of the next backup, else of the org's
    use.
    """
    history, zone = review.history, review.zone
    budget = review.budgets.get("api")
    if budget is None:
        return Card("Forecast", "none", "the last usage reading is older than a day")
    paused = [
        pause for pause in review.pauses.itertuples() if pd.isna(pause.resumed_at) and pause.api
    ]
    held = {job.job_id for job in history.jobs if job.is_held}
    if paused:
        pause = paused[-1]
        known = review.budgets.get(pause.api)
        if known is not None:
            limit = history.percent(pause.api)
            resumes = forecast.resumes(known, limit)
            mark = lower_mark(known.maximum, limit)
            room = f"once use is below {mark:,} of {known.maximum:,}"
            if resumes.low_at != resumes.high_at:
                room = f"{when_sentence(resumes, zone)}, {room}"
            if pause.job_id in held:
                return Card("Paused job resumes", _short(resumes, review), room)
            return Card(
                "Paused job can be resumed", _short(resumes, review), f"by a person, {room}"
            )
    if review.next_job:
        percents = {api: history.percent(api) for api in review.next_job.price}
        last = last_finish(review.next_job.finishes, percents)
        if last:
            api, finish = last
            pauses = (
                f"after {count(finish.pauses, 'pause')}" if finish.pauses else "without a pause"
            )
            start = moment(review.next_job.start_at, zone)
            return Card(
                "Next backup ends",
                _short(finish.finish, review),
                f"if it starts {start}, {pauses}, limit {percents[api]} % of {UNITS[api]}",
            )
    top = threshold(budget.maximum, history.percent("api"))
    seen = forecast.outlook(budget, hours=48)
    over = next((at for at, used in zip(seen.at, seen.expected, strict=True) if used >= top), None)
    if over is None:
        return Card("Forecast", "under the limit", "for the next two days, if no job of sfnb runs")
    return Card("Forecast", moment(over, zone), "other apps alone reach the limit then")


def _short(expected: forecast.Moment, review: Review) -> str:
    return moment(expected.at, review.zone) if expected.at else "beyond the forecast"
