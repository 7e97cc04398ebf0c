"""
The quota rule as pure functions: thresholds, what a reading changes, whether a call may go.

Units are the budget's own: calls (``api``), batches (``bulk``), jobs (``bulk2``), MB (``bulk2_mb``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sfnb.model import LIMIT_KEYS, Api, BudgetStatus, Price, Reading

DEFAULT_LIMIT_PERCENT = 50
DEFAULT_MARGIN_PERCENT = 5

LIMITS_LAG_S = 300.0
"""``/limits`` is refreshed "within minutes of use" (REST guide, Limits); we take five."""

STALE_AFTER_S = 300.0
"""Nothing but ``/limits`` tells of the bulk budgets, so what it said is believed this long; see ``decide``."""

UNITS: Mapping[Api, str] = {
    "api": "API calls",
    "bulk": "bulk batches",
    "bulk2": "Bulk API 2.0 query jobs",
    "bulk2_mb": "MB of Bulk API 2.0 query results",
}


@dataclass(frozen=True, slots=True)
class Gauge:
    """
    What is known of one budget of one org.

    Args:
        used: what the org told in the reading that counts; ``max`` likewise, -1 when it never told.
        own: units we have spent that this reading may not include.
        source: ``header`` or ``limits``, of the reading that counts; None when there was none.
        sent_at, read_at: when that reading's call was sent, and its answer read.
        read_number: the last ticket number given out when it was read. Numbers are given out in the database's
            order, so they tell before from after where clocks of two hosts, or one that jumps, do not.
        own_number: likewise, when ``own`` last grew.
        is_known: False after a call whose header did not come; then ``used`` is only a lower bound.
        missing_at: when ``/limits`` was last read and did not have this budget.
    """

    api: Api
    used: int = 0
    maximum: int = -1
    own: int = 0
    source: Literal["header", "limits"] | None = None
    sent_at: datetime | None = None
    read_at: datetime | None = None
    read_number: int = 0
    own_number: int = 0
    is_known: bool = False
    missing_at: datetime | None = None

    @property
    def spent(self) -> int:
        """What the org told and what we have sent since: the number the gate believes."""
        return self.used + self.own


def threshold(maximum: int, percent: int) -> int:
    """Where jobs stop: ``floor(max × percent / 100)``."""
    return maximum * percent // 100


def lower_mark(maximum: int, percent: int, margin_percent: int = DEFAULT_MARGIN_PERCENT) -> int:
    """Where paused jobs go on: the threshold less ``margin_percent`` of the maximum, at most half the threshold."""
    top = threshold(maximum, percent)
    return top - min(-(-maximum * margin_percent // 100), top // 2)


def is_recent(moment_at: datetime | None, now: datetime, within_s: float) -> bool:
    """Whether a moment lies at most ``within_s`` back. One further ahead is a wrong clock's: not recent."""
    return moment_at is not None and abs((now - moment_at).total_seconds()) <= within_s


# ---------------------------------------------------------------------------------------------------------- readings


def fold(
    gauge: Gauge, reading: Reading, *, asked_number: int, now_number: int, recent_units: int
) -> Gauge:
    """
    The gauge after a reading.

    A reading whose call was asked for after the present one was read replaces it, and may be lower: the window rolls.
    One asked for before may only raise it, for it may be older. What we spent and it cannot include stays on top.

    ``/limits`` tells of a moment up to ``LIMITS_LAG_S`` back: it replaces a header's exact number only if that is
    older still, and all we have spent since that moment goes on top.

    Args:
        asked_number: the ticket number of the call that brought the reading.
        now_number: the last ticket number given out by now.
        recent_units: what we have spent of this budget since ``LIMITS_LAG_S`` before the reading's call was sent.
    """
    if not _replaces(gauge, reading, asked_number):
        is_higher = reading.used > gauge.used
        return replace(
            gauge,
            used=max(gauge.used, reading.used),
            maximum=reading.maximum if _is_later(reading.sent_at, gauge.sent_at) else gauge.maximum,
            source="header" if "header" in (gauge.source, reading.source) else "limits",
            sent_at=_latest(gauge.sent_at, reading.sent_at) if is_higher else gauge.sent_at,
            read_at=_latest(gauge.read_at, reading.read_at) if is_higher else gauge.read_at,
            read_number=now_number if is_higher else gauge.read_number,
            is_known=True,
            missing_at=None,
        )
    own_since = gauge.own if gauge.own_number >= asked_number else 0
    own = recent_units if reading.source == "limits" else own_since
    return Gauge(
        api=gauge.api,
        used=reading.used,
        maximum=reading.maximum,
        own=own,
        source=reading.source,
        sent_at=reading.sent_at,
        read_at=reading.read_at,
        read_number=now_number,
        own_number=now_number if own else 0,
        is_known=True,
    )


def _replaces(gauge: Gauge, reading: Reading, asked_number: int) -> bool:
    if gauge.read_at is None:
        return True
    if asked_number <= gauge.read_number:
        return False
    if reading.source == "limits" and gauge.source == "header":
        return not is_recent(gauge.read_at, reading.sent_at, LIMITS_LAG_S)
    return True


def _is_later(moment_at: datetime, than_at: datetime | None) -> bool:
    return than_at is None or moment_at > than_at


def _latest(one_at: datetime | None, other_at: datetime) -> datetime:
    return other_at if one_at is None or other_at > one_at else one_at


def lag_starts_at(reading: Reading) -> datetime:
    """The earliest moment a ``/limits`` reading may tell of."""
    return reading.sent_at - timedelta(seconds=LIMITS_LAG_S)


def spend(gauge: Gauge, units: int, *, now_number: int, is_known: bool | None = None) -> Gauge:
    """The gauge after a call of ours that no reading tells of. ``is_known`` None leaves that as it is."""
    return replace(
        gauge,
        own=gauge.own + units,
        own_number=now_number,
        is_known=gauge.is_known if is_known is None else is_known,
    )


def missing(gauge: Gauge, now: datetime) -> Gauge:
    """The gauge after ``/limits`` was read and did not have it."""
    return replace(gauge, missing_at=now)


# ---------------------------------------------------------------------------------------------------------- decisions


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What the gate does with a call: ``go``; ``read`` the gauges of ``apis`` first; ``refuse`` because of ``refusal``.
    """

    verdict: Literal["go", "read", "refuse"]
    apis: tuple[Api, ...] = ()
    refusal: BudgetStatus | None = None
    reason: str = ""


GO = Decision("go")


def decide(
    price: Price,
    gauges: Mapping[Api, Gauge],
    percents: Mapping[Api, int],
    in_flight: Mapping[Api, int],
    *,
    now: datetime,
    stale_after_s: float = STALE_AFTER_S,
) -> Decision:
    """
    Whether a call of this price may be sent now.

    A refusal rests on a reading younger than ``stale_after_s``; an older one is read again first, or a night's pause
    would never end for people who come back in the morning. An unknown gauge whose lower bound is over the threshold
    refuses without being read: reading costs a call, too.
    """
    unread: list[Api] = []
    for api, cost in price.items():
        if cost <= 0:
            continue
        gauge = gauges.get(api, Gauge(api))
        here = standing(gauge, percents[api], in_flight.get(api, 0))
        is_over = gauge.maximum >= 0 and here.used + here.in_flight + cost > here.threshold
        is_fresh = is_recent(gauge.read_at, now, stale_after_s)
        if is_over and is_fresh:
            return Decision("refuse", (api,), here, over_sentence(here, cost))
        # Each answer's header tells of `api` again, so an old reading of it is corrected by the next call itself.
        if not gauge.is_known or is_over or (api != "api" and not is_fresh):
            if is_recent(gauge.missing_at, now, stale_after_s):
                return Decision("refuse", (api,), here, missing_sentence(api))
            unread.append(api)
    return Decision("read", tuple(unread)) if unread else GO


def is_clear(
    price: Price,
    gauges: Mapping[Api, Gauge],
    percents: Mapping[Api, int],
    in_flight: Mapping[Api, int],
) -> bool:
    """
    Whether a paused job may go on with calls of this price: use has fallen under the lower mark of each budget.

    A price larger than the margin between mark and threshold only has to fit under the threshold, else a budget of a
    few units would never be clear for it.
    """
    for api, cost in price.items():
        if cost <= 0:
            continue
        gauge = gauges.get(api, Gauge(api))
        if not gauge.is_known or gauge.maximum < 0:
            return False
        here = standing(gauge, percents[api], in_flight.get(api, 0))
        top = here.lower_mark if cost <= here.threshold - here.lower_mark else here.threshold
        if here.used + here.in_flight + cost > top:
            return False
    return True


def standing(gauge: Gauge, percent: int, in_flight: int) -> BudgetStatus:
    """The gauge for people; numbers that nobody told are -1."""
    has_max = gauge.maximum >= 0
    return BudgetStatus(
        api=gauge.api,
        used=gauge.spent if has_max else -1,
        in_flight=in_flight,
        maximum=gauge.maximum,
        limit_percent=percent,
        threshold=threshold(gauge.maximum, percent) if has_max else -1,
        lower_mark=lower_mark(gauge.maximum, percent) if has_max else -1,
        read_at=gauge.read_at,
        is_known=gauge.is_known and has_max,
    )


# ---------------------------------------------------------------------------------------------------------- sentences


def over_sentence(here: BudgetStatus, cost: int) -> str:
    """Why a call of this cost is refused, and what to do."""
    if here.maximum == 0:
        return f"The org allows no {UNITS[here.api]} at all (its maximum is 0), so nothing that needs them can be sent."
    if cost > here.threshold:
        return (
            f"One step needs {cost:,} {UNITS[here.api]} at once, more than the threshold of {here.threshold:,} "
            f"({here.limit_percent} % of {here.maximum:,}); raise the limit with `sfnb limit`."
        )
    return (
        f"{here.used:,} of {here.maximum:,} {UNITS[here.api]} are used in this org, by all its apps, and "
        f"{here.in_flight:,} more are under way; {cost:,} more would pass the threshold of {here.threshold:,} "
        f"({here.limit_percent} %). Wait until use falls, or raise the limit with `sfnb limit`."
    )


def missing_sentence(api: Api) -> str:
    """Why a budget cannot be known although ``/limits`` was read."""
    return (
        f"The org's limits do not tell {LIMIT_KEYS[api][0]} ({UNITS[api]}), so nothing that needs them is sent. "
        'Give the user the permission "View Setup and Configuration", or check that the org has this feature.'
    )


def unreadable_sentence(apis: tuple[Api, ...]) -> str:
    """Why nothing is sent after ``/limits`` could not be read."""
    names = " and ".join(UNITS[api] for api in apis)
    return (
        f"How many {names} are used cannot be read from the org, so nothing that needs them is sent. "
        'Check that the org answers and that the user has the permission "View Setup and Configuration".'
    )
