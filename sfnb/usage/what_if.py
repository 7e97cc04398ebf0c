"""
What is to come, for those who hold a state and a price: `sfnb plan`, the slider, the panels.

::

    budgets = budgets_of(state, org_id, now=clock.now())            # no API calls; None known: empty
    finishes = forecast.what_if(price, budgets)                     # for each limit percent 1 to 100
    print(finish_sentence(finishes[50], zone))
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from sfnb.jobs.summary import iso
from sfnb.memory import State
from sfnb.model import APIS, Api
from sfnb.quota.forecast import BudgetHistory, Finish
from sfnb.usage.frames import budget_history
from sfnb.usage.history import load_history
from sfnb.usage.notices import when_sentence


def budgets_of(state: State, org_id: str, *, now: datetime) -> dict[Api, BudgetHistory]:
    """The past of each budget of which the org has told something in the last 24 hours. Cost: no API calls."""
    history = load_history(state, "", org_id, days=7, now=now)
    return {api: budget for api in APIS if (budget := budget_history(history, api)) is not None}


def finish_sentence(finish: Finish, zone: tzinfo) -> str:
    """When a job would end under its limit percent, in words."""
    if finish.finish.at is None:
        return f"Under a limit of {finish.limit_percent} % it would not end within a week."
    pauses = (
        "without a pause"
        if not finish.pauses
        else f"with {finish.pauses} pause{'s' if finish.pauses > 1 else ''}"
    )
    return f"Under a limit of {finish.limit_percent} % it would end {when_sentence(finish.finish, zone)}, {pauses}."


def unpaused_percent(finishes: Mapping[int, Finish]) -> int | None:
    """The lowest limit percent under which the job would run through; None: there is none."""
    return min(
        (p for p, finish in finishes.items() if not finish.pauses and finish.finish.at is not None),
        default=None,
    )


def finishes_json(finishes: Mapping[int, Finish]) -> dict[str, Any]:
    """By limit percent: ``finish_at, low_at, high_at`` (ISO 8601 UTC, null: not within a week), ``pauses``."""
    return {
        str(percent): {
            "finish_at": iso(finish.finish.at),
            "low_at": iso(finish.finish.low_at),
            "high_at": iso(finish.finish.high_at),
            "pauses": finish.pauses,
        }
        for percent, finish in sorted(finishes.items())
    }
