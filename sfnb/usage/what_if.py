"""
What is to come, for those who hold a state and a price: `sfnb plan`, the slider, the panels.

::

    budgets = budgets_of(state, org_id, now=clock.now())   # no API calls
    finishes = finishes_by_budget(price, budgets)          # each budget, each limit percent
    print(finish_sentence(finishes["api"][50], zone))
    api, finish = last_finish(finishes, percents)          # each budget under its own limit
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from sfnb.jobs.summary import iso
from sfnb.memory import State
from sfnb.model import APIS, Api, Price
from sfnb.quota import forecast
from sfnb.quota.forecast import BudgetHistory, Finish, Moment
from sfnb.text import count, moment

Finishes = Mapping[Api, Mapping[int, Finish]]
"""By budget and limit percent: how a job would go if it needed this budget alone."""


def budgets_of(state: State, org_id: str, *, now: datetime) -> dict[Api, BudgetHistory]:
    """The past of each budget that the org reported on in the last 24 hours. Cost: no API calls."""
    # numpy and pandas load only where somebody asks for the past.
    from sfnb.usage.history import load_history
    from sfnb.usage.past import budget_history

    history = load_history(state, "", org_id, days=7, now=now)
    return {api: budget for api in APIS if (budget := budget_history(history, api)) is not None}


def finishes_by_budget(
    price: Price, budgets: Mapping[Api, BudgetHistory], *, start_at: datetime | None = None
) -> dict[Api, dict[int, Finish]]:
    """
    How a job of this price would go: each budget by itself, under each limit percent from 1 to 100.
    """
    found: dict[Api, dict[int, Finish]] = {}
    for api, units in price.items():
        if finishes := forecast.what_if({api: units}, budgets, start_at=start_at):
            found[api] = finishes
    return found


def last_finish(finishes: Finishes, percents: Mapping[Api, int]) -> tuple[Api, Finish] | None:
    """
    The budget that ends the job last, each under the limit percent in force for **it**; None:
    nothing is known.

    A budget under which the job never ends comes first, then the latest end, then the most pauses.
    """
    return max(
        (
            (api, found[percents[api]])
            for api, found in finishes.items()
            if percents.get(api) in found
        ),
        key=lambda one: _lateness(one[1]),
        default=None,
    )


def unpaused_percent(finishes: Mapping[int, Finish]) -> int | None:
    """The lowest limit percent under which the job would run through; None: there is none."""
    return min((p for p, finish in finishes.items() if runs_through(finish)), default=None)


def runs_through(finish: Finish) -> bool:
    """Whether the job ends without a pause."""
    return not finish.pauses and finish.finish.at is not None


def finish_sentence(finish: Finish, zone: tzinfo) -> str:
    """When a job would end under its limit percent."""
    limit = f"With a limit of {finish.limit_percent} %"
    if finish.finish.at is None:
        return f"{limit} it would not end within a week."
    pauses = f"after {count(finish.pauses, 'pause')}" if finish.pauses else "without a pause"
    return f"{limit} it would end {when_sentence(finish.finish, zone)}, {pauses}."


def when_sentence(expected: Moment, zone: tzinfo) -> str:
    """``about Tue 3 Nov, 14:00 (between … and …)``; the range only where it has a width."""
    if expected.at is None:
        return "later than the forecast reaches"
    at = f"about {moment(expected.at, zone)}"
    if expected.low_at == expected.at == expected.high_at:
        return at
    low = moment(expected.low_at, zone) if expected.low_at else "now"
    high = moment(expected.high_at, zone) if expected.high_at else "a time beyond the forecast"
    return at if low == high else f"{at} (between {low} and {high})"


def finishes_json(finishes: Mapping[int, Finish]) -> dict[str, Any]:
    """
    By limit percent: ``finish_at, low_at, high_at`` (ISO 8601 UTC, null: not within a week),
    ``pauses``.
    """
    return {
        str(percent): {
            "finish_at": iso(finish.finish.at),
            "low_at": iso(finish.finish.low_at),
            "high_at": iso(finish.finish.high_at),
            "pauses": finish.pauses,
        }
        for percent, finish in sorted(finishes.items())
    }


def worst_of(finishes: Iterable[Mapping[int, Finish]]) -> dict[int, Finish]:
    """For each limit percent the finish of the budget that ends last, if all had this limit."""
    found: dict[int, Finish] = {}
    for one in finishes:
        for percent, finish in one.items():
            if percent not in found or _lateness(finish) > _lateness(found[percent]):
                found[percent] = finish
    return found


def _lateness(finish: Finish) -> tuple[bool, float, int]:
    end_at = finish.finish.at
    return end_at is None, end_at.timestamp() if end_at else 0.0, finish.pauses
