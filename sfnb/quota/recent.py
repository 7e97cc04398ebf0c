"""
The last half hour of a budget, call by call: what we have spent, and what answers reported. The gate
puts it on top of a reading that is old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, case, delete, func, select

from sfnb.model import APIS, Api
from sfnb.quota.gauge import WRONG_CLOCK_S
from sfnb.quota.rows import statement
from sfnb.state import schema
from sfnb.state.database import Database
from sfnb.state.trips import Row, Statement

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_RECENT = schema.recent.c
KEPT_S = 1800
"""How long a line of ``recent`` is kept: longer than any call lasts, plus the oldest reading."""

_HEARD = case((_RECENT.at_ms >= bindparam("heard"), _RECENT.reported), else_=-1)
_OWN = case((_RECENT.at_ms >= bindparam("own"), _RECENT.units), else_=0)
_SINCE = select(
    func.coalesce(func.sum(_OWN), 0),
    func.coalesce(func.max(_HEARD), -1),
    func.coalesce(func.sum(_RECENT.units), 0),
).where(
    _RECENT.org_id == bindparam("org"),
    _RECENT.api == bindparam("name"),
    _RECENT.at_ms >= bindparam("first"),
)
_FORGET = delete(schema.recent).where(
    _RECENT.org_id == bindparam("org"), _RECENT.at_ms < bindparam("first")
)
_AHEAD = (
    select(_RECENT.api, func.sum(_RECENT.units), func.max(_RECENT.reported))
    .where(_RECENT.org_id == bindparam("org"), _RECENT.at_ms > bindparam("last"))
    .group_by(_RECENT.api)
)
_DROP_AHEAD = delete(schema.recent).where(
    _RECENT.org_id == bindparam("org"), _RECENT.at_ms > bindparam("last")
)


def line(
    database: Database,
    org_id: str,
    now: datetime,
    *,
    spent: Mapping[Api, int],
    reported: Mapping[Api, int],
) -> Statement:
    """Keep what a call spent and what its answer reported, to the millisecond."""
    at_ms = milliseconds(now)
    lines = [
        {
            "org_id": org_id,
            "api": api,
            "at_ms": at_ms,
            "units": spent.get(api, 0),
            "reported": reported.get(api, -1),
        }
        for api in APIS
        if spent.get(api) or api in reported
    ]
    return database.upsertion(schema.recent, lines, add=("units",), highest=("reported",))


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    A budget's recent past: what we have spent, and the highest number reported, from ``first`` on.
    Numbers that arrived before ``heard_from`` do not count.

    Args:
        is_exact: the reading includes what ended in the millisecond in which it was sent; a number
            that arrived then may still be newer than it.
    """

    api: Api
    first: datetime
    heard_from: datetime | None
    is_exact: bool = False

    def read(self, org_id: str) -> Statement:
        """
        Its row: what we have spent that the reading may not include, the highest number reported
        (-1: none), and all that we have spent.
        """
        wanted = {"first": self._first_ms, "heard": self._heard_ms, "own": self._own_ms}
        return statement(_SINCE, org=org_id, name=self.api, **wanted)

    def has(self, moment_at: datetime) -> bool:
        """Whether what is spent at this moment may not be in the reading."""
        return milliseconds(moment_at) >= self._own_ms

    def hears(self, moment_at: datetime) -> bool:
        """Whether a number reported at this moment counts."""
        return milliseconds(moment_at) >= max(self._first_ms, self._heard_ms)

    @property
    def _first_ms(self) -> int:
        return milliseconds(self.first)

    @property
    def _own_ms(self) -> int:
        return self._first_ms + self.is_exact

    @property
    def _heard_ms(self) -> int:
        return self._first_ms if self.heard_from is None else milliseconds(self.heard_from)


def forget(org_id: str, now: datetime) -> Statement:
    """Forget old lines."""
    return statement(_FORGET, org=org_id, first=milliseconds(now) - KEPT_S * 1000)


def ahead_of(org_id: str, now: datetime) -> Statement:
    """Lines ahead of now, by budget: they were written before the clock was put back."""
    return statement(_AHEAD, org=org_id, last=_latest_ms(now))


def moved_to_now(
    database: Database, org_id: str, now: datetime, ahead: Sequence[Row]
) -> list[Statement]:
    """Lines ahead of now become this moment's."""
    if not ahead:
        return []
    spent = {row[0]: int(row[1]) for row in ahead}
    reported = {row[0]: int(row[2]) for row in ahead if row[2] >= 0}
    return [
        statement(_DROP_AHEAD, org=org_id, last=_latest_ms(now)),
        line(database, org_id, now, spent=spent, reported=reported),
    ]


def _latest_ms(now: datetime) -> int:
    return milliseconds(now) + int(WRONG_CLOCK_S * 1000)


def milliseconds(moment_at: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (moment_at - _EPOCH) // timedelta(milliseconds=1)
