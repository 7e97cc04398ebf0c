"""
What the limit slider says, as pure functions: nothing here asks anybody anything.

All wording is made here, once for each of the 100 positions, so that the browser only picks a sentence and the same
words stand in the static picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from sfnb.model import Api
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT, UNITS, threshold

TITLES: Mapping[Api, str] = {
    "api": "API calls",
    "bulk": "Bulk API batches",
    "bulk2": "Bulk API 2.0 query jobs",
    "bulk2_mb": "Bulk API 2.0 query results (MB)",
}

FIRST_BACKUP = (
    "This org has no complete backup yet. For the first one a limit of 90–100 % is common, so that it runs through; "
    "lower it afterwards, when backups are small."
)


@dataclass(frozen=True, slots=True)
class Budget:
    """
    One budget of an org as the slider shows it; numbers nobody told are -1.

    Args:
        used: the whole org's use in the last 24 hours, ours included.
        own: sfnb's share of it.
        percent: the saved limit percent.
        read_at: when the org told ``used``.
        last_change: who changed the limit last, in words.
        price: what the next backup needs of it; None: not known.
        price_source: where that is from: "the plan", "the last backup".
        finishes: when the backup would end under each limit percent from 1 on, by the forecast; empty: no forecast.
    """

    api: Api
    used: int
    own: int
    maximum: int
    percent: int
    is_known: bool
    read_at: datetime | None
    last_change: str
    price: int | None = None
    price_source: str = ""
    finishes: tuple[str, ...] = ()

    @property
    def sfnb(self) -> int:
        return max(0, min(self.own, self.used))

    @property
    def others(self) -> int:
        return max(0, self.used - self.sfnb)


def stop_sentence(budget: Budget, percent: int) -> str:
    """Where jobs stop at this limit, and what stays for others."""
    if budget.maximum < 0:
        return f"Jobs stop when {percent} % of the org's {UNITS[budget.api]} are used."
    stop = threshold(budget.maximum, percent)
    return (
        f"Jobs stop at {stop:,} of {budget.maximum:,} {UNITS[budget.api]} used by the whole org; "
        f"{budget.maximum - stop:,} stay for others."
    )


def what_if(budget: Budget, percent: int) -> str:
    """Where the next backup would pause at this limit, and when it would be done."""
    unit = UNITS[budget.api]
    if budget.price is None:
        return "What the next backup costs is not known yet: sfnb plan, or the notebook run_backup, tells it."
    if budget.maximum < 0 or budget.used < 0:
        return (
            f"The next backup needs about {budget.price:,} {unit}; the org's use is not known yet."
        )
    if budget.price == 0:
        return f"The next backup needs none of these, by {budget.price_source}."
    needs = f"The next backup needs about {budget.price:,} (by {budget.price_source})"
    room = threshold(budget.maximum, percent) - budget.used
    if budget.price <= room:
        return f"{needs} and {room:,} may still be used: it would run through without a pause."
    start = f"it would pause after about {room:,}" if room > 0 else "it would pause at once"
    if budget.finishes:
        return f"{needs}: {start}. {budget.finishes[percent - 1]}"
    return f"{needs}: {start}{_without_forecast(budget, percent, budget.price - max(room, 0))}"


def _without_forecast(budget: Budget, percent: int, rest: int) -> str:
    """When the rest would be done, as if the others went on as in the last 24 hours."""
    daily = threshold(budget.maximum, percent) - budget.others
    if daily <= 0:
        return f" and wait, since other apps alone use {budget.others:,} in 24 hours."
    days = max(1, ceil(rest / daily))
    return (
        f", go on as calls come back, and end in about {days} day{'s' if days > 1 else ''}, "
        "if other apps go on as in the last 24 hours."
    )


def use_sentence(budget: Budget, when: str) -> str:
    """What is used, by whom, as of when."""
    if budget.maximum < 0:
        return "The org has not told its use yet."
    known = "" if budget.is_known else " At least; the org's last answer did not tell."
    share = f" ({100 * budget.used / budget.maximum:.1f} %)" if budget.maximum else ""
    return (
        f"Used in the last 24 hours: {budget.used:,} of {budget.maximum:,}{share}: {budget.sfnb:,} by sfnb, "
        f"{budget.others:,} by other apps. As of {when}.{known}"
    )


def change_sentence(*, who: str, at: str, old: int, new: int, reason: str) -> str:
    """The last change of a limit."""
    why = f" “{reason}”" if reason else ""
    return f"Last change: {who}, {at}, {old} → {new} %.{why}"


UNCHANGED = f"Never changed: {DEFAULT_LIMIT_PERCENT} % is what sfnb starts with."
