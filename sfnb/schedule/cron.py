"""
When a cron line is due, in its time zone. Pure.

The library computes on the wall clock, and this module turns the wall clock into moments: on the
two nights a year when clocks change, each fixed time of day is due once. One that the clock leaves
out (02:30 in spring) is due when the clock is put forward; one that it shows twice (02:30 in
autumn) is due the first time. A line whose hour is ``*`` follows the time that passes: every
fifteen minutes stays every fifteen minutes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from sfnb.errors import CallerError

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
"""As cron numbers them, from 0; 7 is Sunday, too."""

FIELD = re.compile(r"[\w*/,-]+", re.ASCII)

FARTHEST = timedelta(days=9 * 366)
"""The longest time between two due times: 29 February from 2096 to 2104."""

MOST_MISSED = 1000
"""Due times that one look back names; earlier ones are only counted as many."""


@dataclass(frozen=True)
class Cron:
    """
    A parsed line.

    Args:
        text: the line.
        zone: its time zone.
        triggers: it is due when one of them is, on a wall clock that is written as if it were UTC.
        is_every_hour: its hour is ``*``.
    """

    text: str
    zone: ZoneInfo
    triggers: tuple[CronTrigger, ...]
    is_every_hour: bool

    def next_after(self, moment: datetime) -> datetime | None:
        """The first due time after this moment, in UTC; None: there is none within nine years."""
        wall = moment.astimezone(self.zone)
        if self.is_every_hour and wall.fold == 0 and _is_twice(wall):
            return self._after_first_pass(moment)
        return self._forward(moment, wall.replace(tzinfo=None), fold=wall.fold)

    def _forward(self, moment: datetime, wall: datetime, *, fold: int) -> datetime | None:
        """Along the wall clock, from this place on it."""
        while (found := self._next_wall(wall)) is not None:
            wall = found
            here = wall.replace(tzinfo=self.zone)
            if _is_left_out(here):
                if self.is_every_hour:
                    continue  # that time does not pass
                due = _change_within(self.zone, here.replace(fold=1), here)
            elif self.is_every_hour and _is_twice(here):
                due = here.replace(fold=fold).astimezone(UTC)
            else:
                due = here.astimezone(UTC)  # fold 0: of two, the first
            if due > moment:
                return due
        return None

    def _after_first_pass(self, moment: datetime) -> datetime | None:
        """From within the first of the two hours that look alike: the second is due, too."""
        wall = moment.astimezone(self.zone)
        ends_at = _change_within(self.zone, moment, wall.replace(fold=1))
        found = self._next_wall(wall.replace(tzinfo=None))
        if found is not None:
            due = found.replace(tzinfo=self.zone).astimezone(UTC)
            if due < ends_at:
                return due
        begins = ends_at.astimezone(self.zone).replace(tzinfo=None) - timedelta(microseconds=1)
        return self._forward(moment, begins, fold=1)

    def _next_wall(self, wall: datetime) -> datetime | None:
        after = wall.replace(tzinfo=UTC) + timedelta(microseconds=1)
        found = []
        for trigger in self.triggers:
            trigger.end_date = after + FARTHEST  # a line that is never due ends the search here
            due = trigger.get_next_fire_time(None, after)
            if due is not None and due < trigger.end_date:
                found.append(due.replace(tzinfo=None))
        return min(found, default=None)


def parse_cron(text: str, tz: str = "UTC") -> Cron:
    """
    A line of five fields (minute, hour, day of the month, month, day of the week), of six that
    begin with seconds, or one such as ``@daily``.

    As in cron, 0 and 7 are Sunday, and a line that names both kinds of days is due on either.

    Raises:
        CallerError: it is none, it is never due, or there is no such time zone.
    """
    zone = _zone(tz)
    fields = MACROS.get(text.strip().lower(), text).split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise _no_cron(text, f"it has {len(fields)} fields")
    for field in fields:
        if not FIELD.fullmatch(field):
            raise _no_cron(text, f"{field!r} is no field")
    second, minute, hour, day, month, weekday = fields
    times = {"second": second, "minute": minute, "hour": hour, "month": month}
    weekdays = _weekdays(text, weekday)
    if day[0] == "*" or weekday[0] == "*":
        choices = [{"day": day, "day_of_week": weekdays}]
    else:
        choices = [{"day": day}, {"day_of_week": weekdays}]
    try:
        triggers = tuple(CronTrigger(**times, **days, timezone=UTC) for days in choices)
    except ValueError as err:
        raise _no_cron(text, str(err)) from err
    cron = Cron(text, zone, triggers, is_every_hour=hour == "*")
    if cron.next_after(datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise _no_cron(text, "that day does not exist")
    return cron


def missed(cron: Cron, since: datetime, now: datetime) -> tuple[list[datetime], bool]:
    """
    The due times after ``since`` up to ``now``, oldest first; True: there are more before them.
    """
    found: deque[datetime] = deque(maxlen=MOST_MISSED)
    has_more = False
    for number, due in enumerate(_dues(cron, since, now)):
        if number == MOST_MISSED and now - due > 2 * (due - since):
            # Years of seconds: look at the end only.
            return missed(cron, now - (due - since), now)[0], True
        has_more = number >= MOST_MISSED
        found.append(due)
    return list(found), has_more


def _dues(cron: Cron, since: datetime, now: datetime) -> Iterator[datetime]:
    due = cron.next_after(since)
    while due is not None and due <= now:
        yield due
        due = cron.next_after(due)


def _weekdays(text: str, field: str) -> str:
    """The days by name: the library counts them from Monday, cron from Sunday."""
    found: set[int] = set()
    for piece in field.lower().split(","):
        span, slash, step = piece.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            days = range(7)
        else:
            start = _weekday(text, first)
            days = range(start, (_weekday(text, last) if dash else 6 if slash else start) + 1)
        if not days or (slash and not (step.isdecimal() and int(step))):
            raise _no_cron(text, f"{piece!r} is no day of the week")
        found |= {day % 7 for day in days[:: int(step or 1)]}
    return "*" if len(found) == 7 else ",".join(WEEKDAYS[day] for day in sorted(found))


def _weekday(text: str, name: str) -> int:
    if name[:3] in WEEKDAYS and name.isalpha():
        return WEEKDAYS.index(name[:3])
    if not name.isdecimal() or int(name) > 7:
        raise _no_cron(text, f"{name!r} is no day of the week")
    return int(name)


def _zone(tz: str) -> ZoneInfo:
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError) as err:  # not there, not a name, a folder
        raise CallerError(f"{tz!r} is no time zone; give one such as Europe/Paris or UTC.") from err


def _is_left_out(wall: datetime) -> bool:
    """Whether the clock jumps over this time."""
    back = wall.astimezone(UTC).astimezone(wall.tzinfo)
    return back.replace(tzinfo=None, fold=0) != wall.replace(tzinfo=None, fold=0)


def _is_twice(wall: datetime) -> bool:
    """Whether the clock shows this time twice."""
    both = {wall.replace(fold=fold).utcoffset() for fold in (0, 1)}
    return len(both) == 2 and not _is_left_out(wall)


def _change_within(zone: ZoneInfo, first: datetime, last: datetime) -> datetime:
    """The second in which the zone's clock is changed, between two moments around it."""
    before, after = first.astimezone(UTC).replace(microsecond=0), last.astimezone(UTC)
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _no_cron(text: str, why: str) -> CallerError:
    return CallerError(
        f"{text!r} is no cron line: {why}. Write minute, hour, day, month and day of the week, "
        'such as "0 2 * * *" for 02:00 each day.'
    )
