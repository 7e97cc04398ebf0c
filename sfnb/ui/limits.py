"""
What the limit slider says, as pure functions.

All wording is made here, once for each of the 100 positions: the browser only picks a sentence, and
the static picture has the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from sfnb.model import Api
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT, UNITS, threshold
from sfnb.series import LABELS
from sfnb.text import count, percent

TITLES: Mapping[Api, str] = {
    "api": "Limit for API calls",
    "bulk": "Limit for Bulk API batches",
    "bulk2": "Limit for Bulk API 2.0 query jobs",
    "bulk2_mb": "Limit for Bulk API 2.0 query results (MB)",
}

RESERVE_TITLE = "Limit for restores"

LEGEND = (
    ("own", f"used by {LABELS['sfnb']}"),
    ("others", f"used by {LABELS['other_apps']}"),
    ("free", "free for jobs"),
    ("kept", "reserved for others"),
    ("stop", LABELS["limit"]),
)
"""Class of the mark, and what it stands for."""

RESERVE_LEGEND = (("room", "free for restores"), ("reserve-mark", LABELS["limit_restore"]))
"""The marks that are there where restores have a limit of their own."""

FIRST_BACKUP = (
    "This org has no complete backup yet. A limit of 90–100 % is common for the first one, so that "
    "it runs through; "
    "lower it afterwards, when backups are small."
)


@dataclass(frozen=True, slots=True)
class Budget:
    """
    One budget of an org as the slider shows it; unknown numbers are -1.

    Args:
        used: the whole org's use in the last 24 hours, ours included.
        own: sfnb's share of it.
        percent: the saved limit percent.
        read_at: when ``used`` was read.
        last_change: who changed the limit last, in words.
        reserve: the limit percent of restores; 0: they have none of their own.
        last_reserve: who changed that last, in words.
        price: what the next backup needs of it; None: not known.
        price_source: where that is from: "the plan", "the last backup".
        finishes: when the backup would end under each limit percent from 1 on, by the forecast;
            empty: no forecast.
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
    reserve: int = 0
    last_reserve: str = ""

    @property
    def sfnb(self) -> int:
        return max(0, min(self.own, self.used))

    @property
    def others(self) -> int:
        return max(0, self.used - self.sfnb)

    @property
    def is_idle(self) -> bool:
        """Whether nobody uses this budget and the next backup needs none of it: it is folded."""
        return self.api != "api" and self.used <= 0 and not self.price


def stop_sentence(budget: Budget, percent: int) -> str:
    """Where jobs stop at this limit, and what stays for others."""
    if budget.maximum < 0:
        return f"Jobs stop when {percent} % of the org's {UNITS[budget.api]} are used."
    stop = threshold(budget.maximum, percent)
    return (
        f"Jobs stop when the whole org has used {stop:,} of its {budget.maximum:,} "
        f"{UNITS[budget.api]}; "
        f"{budget.maximum - stop:,} stay for others."
    )


def restore_sentence(budget: Budget, percent: int) -> str:
    """Where restores stop with this limit of their own; 0: they have none."""
    if not percent:
        return "Restores stop where all jobs do."
    return "Restores" + stop_sentence(budget, percent).removeprefix("Jobs")


def reserve_title(percent: int) -> str:
    """The heading above the limit of restores."""
    return f"{RESERVE_TITLE}: {f'{percent} % used' if percent else 'as for all jobs'}"


def what_if(budget: Budget, percent: int) -> str:
    """Where the next backup would pause at this limit, and when it would end."""
    unit = UNITS[budget.api]
    if budget.price is None:
        return "The cost of the next backup is not known yet. Run `sfnb plan` or the notebook run_backup."
    if budget.maximum < 0 or budget.used < 0:
        return (
            f"The next backup needs about {budget.price:,} {unit}. There is no usage reading yet."
        )
    if budget.price == 0:
        return f"The next backup needs none of these, judging by {budget.price_source}."
    needs = f"The next backup needs about {budget.price:,} (judging by {budget.price_source})"
    room = threshold(budget.maximum, percent) - budget.used
    if budget.price <= room:
        return f"{needs} and {room:,} are free: it would run through without a pause."
    start = f"it would pause after about {room:,}" if room > 0 else "it would pause at once"
    if budget.finishes:
        return f"{needs}: {start}. {budget.finishes[percent - 1]}"
    return f"{needs}: {start}{_without_forecast(budget, percent, budget.price - max(room, 0))}"


def _without_forecast(budget: Budget, percent: int, rest: int) -> str:
    """When the rest would be done if the others continue as in the last 24 hours."""
    daily = threshold(budget.maximum, percent) - budget.others
    if daily <= 0:
        return f" and wait, since other apps alone use {budget.others:,} in 24 hours."
    days = count(max(1, ceil(rest / daily)), "day")
    return f", resume as usage falls, and end in about {days} if other apps continue as in the last 24 hours."


def use_sentence(budget: Budget, when: str) -> str:
    """What is used, by whom, as of when."""
    if budget.maximum < 0:
        return "No usage reading for this org yet."
    known = (
        ""
        if budget.is_known
        else " This is the least it can be: the org's last answer had no number."
    )
    share = f" ({percent(budget.used, budget.maximum)})" if budget.maximum else ""
    return (
        f"Used in the last 24 hours: {budget.used:,} of {budget.maximum:,}{share}, {budget.sfnb:,} "
        "by sfnb and "
        f"{budget.others:,} by other apps. As of {when}.{known}"
    )


def change_sentence(*, who: str, at: str, change: str, reason: str) -> str:
    """The last change of a limit; ``change``: from what to what."""
    why = f" “{reason}”" if reason else ""
    return f"Last change: {who}, {at}, {change}.{why}"


UNCHANGED = f"Never changed: the default is {DEFAULT_LIMIT_PERCENT} %."
