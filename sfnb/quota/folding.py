"""What a call and its readings change of the gauges, on what the database has of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sfnb.model import Api, Price, Reading
from sfnb.quota.gauge import Gauge, counted_until, has_rolled, is_ahead, spend, with_reading
from sfnb.quota.policy import Rules
from sfnb.quota.recent import Stretch
from sfnb.quota.rows import budgets_of
from sfnb.state.trips import Row


def after_call(
    spent: Price, readings: Iterable[Reading], gauges: Mapping[Api, Gauge], *, stays: bool
) -> dict[Api, Gauge]:
    """The gauges after the call, before its readings."""
    exact = {reading.api for reading in readings if reading.source == "header"}
    after = dict(gauges)
    for api in budgets_of(spent):
        # Each answer's header reports `api`. Without it, nobody knows how much the others spent.
        is_known = False if api == "api" and api not in exact and not stays else None
        after[api] = spend(after[api], spent[api], is_known=is_known)
    return after


def stretch_of(
    gauges: Mapping[Api, Gauge], reading: Reading, now: datetime, rules: Rules
) -> Stretch:
    """The recent past that a reading is put together with."""
    gauge, lag_s = gauges[reading.api], rules.lag_s(reading.source)
    first = counted_until(gauge, reading, lag_s)
    heard_from = None if is_ahead(gauges, now) else gauge.heard_from
    # An exact header includes its own call, and all that ended when it was sent.
    return Stretch(reading.api, first, heard_from, is_exact=not lag_s)


def fold(  # noqa: PLR0917 - the parts of one reading
    gauge: Gauge,
    reading: Reading,
    stretch: Stretch,
    past: Row,
    spent: int,
    in_flight: int,
    now: datetime,
    lag_s: float,
) -> Gauge:
    """The gauge after a reading; ``past`` is what the stretch has without this call."""
    since = counted_until(gauge, reading, lag_s)
    own, highest, lately = (int(value) for value in past)
    lately += spent
    if stretch.hears(now):
        highest = max(highest, reading.used)
    if stretch.has(now):
        own += spent
    heard_from = stretch.heard_from
    # A slow call's answer is older than what is known by now, so it cannot be news.
    is_newest = since == reading.sent_at - timedelta(seconds=lag_s)
    is_lower = highest > reading.used and is_newest
    if is_lower and has_rolled(reading, highest, lately, in_flight):
        # Of what arrives in this same millisecond, the higher number counts.
        heard_from, highest = now, reading.used
    if stretch.is_exact and stretch.has(now):
        own -= spent
    return with_reading(
        gauge, reading, since=since, highest=highest, own=own, heard_from=heard_from
    )
