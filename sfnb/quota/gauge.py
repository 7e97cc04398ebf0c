"""
What is known of an org's budgets, and what a reading or a call of ours changes of it. Pure.

What an org reports is old. A reading shows how things stood at some moment between ``lag`` seconds
before its call was sent and its arrival. So each budget has a moment, ``since``: all that was
counted before it is in the reading for certain. The gate believes the highest number reported since
then, plus our own calls settled since then, plus those in flight. ``docs/quota.md`` gives the
reasons and figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sfnb.model import Api, Reading

WRONG_CLOCK_S = 60.0
"""
Clocks of two hosts may differ this much. A moment further ahead was written before the clock was
put back.
"""


@dataclass(frozen=True, slots=True)
class Gauge:
    """
    What is known of one budget of one org.

    Args:
        used: the highest number that the org reported since ``since``.
        maximum: as last reported; -1 when it never was.
        own: units that we have spent since ``since``, so ``used`` may not include them.
        since: all that the org counted before this moment is in ``used`` for certain.
        heard_from: numbers that arrived before are no longer true; see ``has_rolled``.
        read_at: when the last answer with a reading arrived; None when there was none.
        is_known: False after a call whose header did not arrive; then ``spent`` is only a lower
            bound.
        missing_at: when ``/limits`` was last read and did not have this budget.
    """

    api: Api
    used: int = 0
    maximum: int = -1
    own: int = 0
    since: datetime | None = None
    heard_from: datetime | None = None
    read_at: datetime | None = None
    is_known: bool = False
    missing_at: datetime | None = None

    @property
    def spent(self) -> int:
        """
        What the org reported, plus our calls that this may not include: the number that the gate
        believes.
        """
        return self.used + self.own


def counted_until(gauge: Gauge, reading: Reading, lag_s: float) -> datetime:
    """
    The gauge's ``since`` after this reading: it never goes back, because an older answer takes
    nothing away.

    A ``since`` ahead of now was written before the clock was put back, so it means nothing any
    more.
    """
    mine = reading.sent_at - timedelta(seconds=lag_s)
    if gauge.since is None or gauge.since > reading.read_at:
        return mine
    return max(gauge.since, mine)


def has_rolled(reading: Reading, highest: int, own: int, in_flight: int) -> bool:
    """
    Whether a lower number shows that the rolling 24 hours have moved on, rather than an older state
    of the count.

    Servers of one org report states of different ages. But no state of the last two minutes can be
    lower by more than we have spent in them, so a larger step is news.
    """
    return highest - reading.used > own + in_flight


def with_reading(
    gauge: Gauge,
    reading: Reading,
    *,
    since: datetime,
    highest: int,
    own: int,
    heard_from: datetime | None = None,
) -> Gauge:
    """
    The gauge after a reading.

    A lower number replaces a higher one when it is surely newer, that is when the higher one
    arrived before ``since``, or when it is too low for an older state; see ``has_rolled``.

    Args:
        since: see ``counted_until``.
        highest: the highest number that readings arriving since then reported, and that still
            counts.
        own: what we have spent of this budget since then.
        heard_from: numbers that arrived before do not count any more.
    """
    return Gauge(
        api=gauge.api,
        heard_from=heard_from,
        used=max(highest, reading.used),
        maximum=reading.maximum,
        own=own,
        since=since,
        read_at=reading.read_at,
        is_known=True,
    )


def spend(gauge: Gauge, units: int, *, is_known: bool | None = None) -> Gauge:
    """
    The gauge after a call of ours that no reading includes. ``is_known`` None leaves that as it is.
    """
    known = gauge.is_known if is_known is None else is_known
    return replace(gauge, own=gauge.own + units, is_known=known)


def missing(gauge: Gauge, now: datetime) -> Gauge:
    """The gauge after ``/limits`` was read and did not have it."""
    return replace(gauge, missing_at=now)


def is_recent(moment_at: datetime | None, now: datetime, within_s: float) -> bool:
    """
    Whether a moment lies at most ``within_s`` back. One further ahead comes from a wrong clock: not
    recent.
    """
    return moment_at is not None and abs((now - moment_at).total_seconds()) <= within_s


def is_ahead(gauges: Mapping[Api, Gauge], now: datetime) -> bool:
    """Whether a gauge was read in what is the future now: the clock was put back."""
    latest = now + timedelta(seconds=WRONG_CLOCK_S)
    return any(gauge.read_at is not None and gauge.read_at > latest for gauge in gauges.values())
