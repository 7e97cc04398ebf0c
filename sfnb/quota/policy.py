"""
The quota rule as pure functions: thresholds, and whether a call may go.

Units are the budget's own: calls (``api``), batches (``bulk``), jobs (``bulk2``), MB
(``bulk2_mb``). What is known of a budget is its `Gauge`; ``docs/quota.md`` gives the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sfnb.model import HEADER_LAG_S, RESTORE, Api, BudgetStatus, Price
from sfnb.quota.gauge import Gauge, is_recent
from sfnb.quota.sentences import UNITS as UNITS  # noqa: PLC0414 - read here by the screens
from sfnb.quota.sentences import missing_sentence, over_sentence

DEFAULT_LIMIT_PERCENT = 50
DEFAULT_MARGIN_PERCENT = 5

LIMITS_LAG_S = 300.0
"""``/limits`` is refreshed "within minutes of use" (REST guide, Limits); we take five."""

STALE_AFTER_S = 300.0
"""
Only ``/limits`` reports the bulk budgets, so its numbers are believed this long; see ``decide``.
"""

LOOK_EVERY_S = 1800.0
"""
How often an org that is over the line is looked at once more, unless the settings say otherwise.
"""

LOOK_PAUSE_S = 1.0
"""Between two looks for our own calls, where the header is exact."""


@dataclass(frozen=True, slots=True)
class Rules:
    """
    How old what an org reports may be.

    Args:
        header_lag_s: see ``model.HEADER_LAG_S``; 0: the org's header is exact and includes its own
            call (test servers).
        stale_after_s: see ``STALE_AFTER_S``.
        look_every_s: see ``LOOK_EVERY_S``.
    """

    header_lag_s: float = HEADER_LAG_S
    stale_after_s: float = STALE_AFTER_S
    look_every_s: float = LOOK_EVERY_S

    def lag_s(self, source: Literal["header", "limits"]) -> float:
        """How many seconds before its call was sent a reading may have been true."""
        return self.header_lag_s if source == "header" else LIMITS_LAG_S


RULES = Rules()


def threshold(maximum: int, percent: int) -> int:
    """Where jobs stop: ``floor(max × percent / 100)``."""
    return maximum * percent // 100


def lower_mark(maximum: int, percent: int, margin_percent: int = DEFAULT_MARGIN_PERCENT) -> int:
    """
    Where paused jobs resume: the threshold less ``margin_percent`` of the maximum, at most half the
    threshold.
    """
    top = threshold(maximum, percent)
    return top - min(-(-maximum * margin_percent // 100), top // 2)


def percents_for(
    kind: str, percents: Mapping[Api, int], reserves: Mapping[Api, int]
) -> dict[Api, int]:
    """
    The limit percent of each budget for a kind of work: a restore's own where one is set, else the
    org's.
    """
    return {**percents, **reserves} if kind == RESTORE else dict(percents)


# -- decisions


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What the gate does with a call: ``go``; ``read`` the gauges of ``apis`` first; ``refuse``
    because of ``refusal``.

    Args:
        retry_after_s: when it is worth reading ``/limits`` again, because by then the org has
            counted our own recent calls for certain, and nothing else stands in the way; None: when
            use has fallen, however long that takes.
    """

    verdict: Literal["go", "read", "refuse"]
    apis: tuple[Api, ...] = ()
    refusal: BudgetStatus | None = None
    reason: str = ""
    retry_after_s: float | None = None


GO = Decision("go")


def decide(
    price: Price,
    gauges: Mapping[Api, Gauge],
    percents: Mapping[Api, int],
    in_flight: Mapping[Api, int],
    *,
    now: datetime,
    looked_at: datetime | None = None,
    rules: Rules = RULES,
    kind: str = "",
) -> Decision:
    """
    Whether a call of this price may be sent now.

    A refusal rests on a reading younger than ``stale_after_s``. An older one is read again first,
    or people who come back in the morning would be refused by last night's number. Where a look has
    found the org over the line and no call was sent since, its answer stands for ``look_every_s``,
    however many processes ask. An unknown gauge whose lower bound is over the threshold refuses
    without being read, because reading costs a call, too.

    Args:
        percents: that hold for this kind of work, see ``percents_for``.
        looked_at: when ``/limits`` was last read.
        kind: of the work that asks, for the sentence of a refusal.
    """
    unread: list[Api] = []
    for api, cost in price.items():
        if cost <= 0:
            continue
        gauge = gauges.get(api, Gauge(api))
        here = standing(gauge, percents[api], in_flight.get(api, 0), kind=kind)
        is_over = gauge.maximum >= 0 and here.believed + here.in_flight + cost > _top(here)
        is_fresh = is_recent(gauge.read_at, now, rules.stale_after_s)
        wait_s = _window_wait_s(here, gauge, cost, now, rules) if is_over else None
        is_look = is_last_word(gauge, looked_at)
        has_looked = is_look and is_recent(looked_at, now, rules.look_every_s)
        if is_over and wait_s == 0 and is_look and is_recent(looked_at, now, LOOK_PAUSE_S):
            wait_s = LOOK_PAUSE_S  # a look that was made just now will not differ
        if is_over and (is_fresh or has_looked) and wait_s != 0:
            return Decision("refuse", (api,), here, over_sentence(here, cost, wait_s), wait_s)
        # Each answer's header reports `api` again, so the next call itself corrects an old reading
        # of it.
        if not gauge.is_known or is_over or (api != "api" and not is_fresh):
            if is_recent(gauge.missing_at, now, rules.stale_after_s):
                return Decision("refuse", (api,), here, missing_sentence(api))
            unread.append(api)
    return Decision("read", tuple(unread)) if unread else GO


def is_last_word(gauge: Gauge, looked_at: datetime | None) -> bool:
    """Whether nothing has been reported of the budget since ``/limits`` was last read."""
    return looked_at is not None and (gauge.read_at is None or gauge.read_at <= looked_at)


def _window_wait_s(
    here: BudgetStatus, gauge: Gauge, cost: int, now: datetime, rules: Rules
) -> float | None:
    """
    Seconds until a reading would surely include our own recent calls, if only they stand in the
    way; 0: already.

    None: the org's own number is too high as well, so only time or a higher limit helps.
    """
    look = 1 if here.api == "api" else 0  # reading `/limits` costs a call, too
    is_ours = gauge.is_known and here.used + here.in_flight + look + cost <= _mark(here, cost)
    if not is_ours or not gauge.own or gauge.read_at is None:
        return None
    lag_s = rules.lag_s("header" if here.api == "api" else "limits")
    if gauge.since is not None:
        # An org that sends no header is known by `/limits` alone, and that is older.
        lag_s = max(lag_s, (gauge.read_at - gauge.since).total_seconds())
    passed_s = (now - gauge.read_at).total_seconds()
    return max(lag_s - max(passed_s, 0.0), 0.0)


def is_clear(
    price: Price,
    gauges: Mapping[Api, Gauge],
    percents: Mapping[Api, int],
    in_flight: Mapping[Api, int],
) -> bool:
    """
    Whether a paused job may resume with calls of this price: use is below the lower mark of each
    budget.
    """
    for api, cost in price.items():
        if cost <= 0:
            continue
        gauge = gauges.get(api, Gauge(api))
        if not gauge.is_known or gauge.maximum < 0:
            return False
        here = standing(gauge, percents[api], in_flight.get(api, 0))
        if here.believed + here.in_flight + cost > _mark(here, cost):
            return False
    return True


def _top(here: BudgetStatus) -> int:
    """
    Where calls stop: at the threshold.

    While the org may not have counted all our calls, one call less: so the look that ends a short
    pause fits, too.
    """
    return (
        here.threshold - 1
        if here.api == "api" and here.own and here.threshold > 2
        else here.threshold
    )


def _mark(here: BudgetStatus, cost: int) -> int:
    """
    Where a paused job resumes with a call of this cost: at the lower mark.

    A cost larger than the margin between mark and threshold only has to fit under the threshold;
    otherwise a budget of a few units would never be clear for it.
    """
    return here.lower_mark if cost <= here.threshold - here.lower_mark else _top(here)


def least_look_s(here: BudgetStatus, rules: Rules) -> float:
    """
    The least time between two looks of a paused job.

    A look is a call, too, and goes on top until the header surely includes it. Looks that come too
    often would keep the job paused by themselves, so within the header's age they may take a tenth
    of the lower mark.
    """
    return rules.header_lag_s / max(here.lower_mark // 10, 1)


def standing(gauge: Gauge, percent: int, in_flight: int, *, kind: str = "") -> BudgetStatus:
    """
    The gauge for people; numbers that the org never reported are -1.

    Args:
        kind: of the work whose limit percent this is.
    """
    has_max = gauge.maximum >= 0
    return BudgetStatus(
        api=gauge.api,
        used=gauge.used if has_max else -1,
        own=gauge.own if has_max else 0,
        in_flight=in_flight,
        maximum=gauge.maximum,
        limit_percent=percent,
        threshold=threshold(gauge.maximum, percent) if has_max else -1,
        lower_mark=lower_mark(gauge.maximum, percent) if has_max else -1,
        read_at=gauge.read_at,
        is_known=gauge.is_known and has_max,
        kind=kind,
    )
