"""When a cron line is due, on the nights when clocks change, too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from sfnb.errors import CallerError
from sfnb.schedule.cron import missed, parse_cron

MINUTE = timedelta(minutes=1)


def dues(line: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    found, has_more = missed(parse_cron(line, zone), start - MINUTE, end)
    assert not has_more
    return found


def by_hand(
    minutes: set[int], hours: set[int], zone: str, start: datetime, end: datetime
) -> list[datetime]:
    """The rule, minute by minute: each wall time of each day once, at the first moment from which it is past."""
    tz, found, at = ZoneInfo(zone), [], start
    seen = (start - MINUTE).astimezone(tz).replace(tzinfo=None)
    while at <= end:
        wall = at.astimezone(tz).replace(tzinfo=None)
        passed = []
        while seen < wall:
            seen += MINUTE
            passed.append(seen)
        if any(one.minute in minutes and one.hour in hours for one in passed):
            found.append(at)
        at += MINUTE
    return found


ZONES = {
    "Europe/Paris": [(2027, 3, 28), (2027, 10, 31)],
    "America/New_York": [(2026, 3, 8), (2026, 11, 1)],
    "Australia/Lord_Howe": [(2026, 10, 4), (2027, 4, 4)],  # clocks change by half an hour
    "America/Santiago": [(2026, 9, 6), (2027, 4, 4)],  # at midnight
    "UTC": [(2026, 12, 31)],
}


@pytest.mark.parametrize("zone", ZONES)
def test_each_time_of_day_is_due_once_a_day(zone: str) -> None:
    """A backup at 02:30 runs once on each day of the year, also where clocks change."""
    for day, minute, hour in product(ZONES[zone], (0, 30), (0, 2)):
        start = datetime(*day, tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(days=1)
        end = start + timedelta(days=2.5)
        line = f"{minute} {hour} * * *"
        assert dues(line, zone, start, end) == by_hand({minute}, {hour}, zone, start, end), line
    start = datetime(*day, tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(days=1)
    found = dues("10,50 1-3 * * *", zone, start, end)
    assert found == by_hand({10, 50}, {1, 2, 3}, zone, start, end)


@pytest.mark.parametrize("zone", ZONES)
def test_every_fifteen_minutes_stays_so(zone: str) -> None:
    """A sample every quarter of an hour follows the time that passes, not the clock on the wall."""
    for day in ZONES[zone]:
        start = datetime(*day, tzinfo=UTC) - timedelta(days=1)
        found = dues("*/15 * * * *", zone, start, start + timedelta(days=2))
        assert found == [start + n * timedelta(minutes=15) for n in range(193)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 9 * * 0", "Sun 29"), ("0 9 * * 7", "Sun 29"), ("0 9 * * 1", "Mon 30"),
        ("0 9 * * sun-mon", "Sun 29"), ("0 9 * * 5-7", "Fri 27"), ("0 9 13 * 6", "Sat 28"),
        ("@weekly", "Sun 29"), ("0 9 * * MON-FRI/2", "Fri 27"), ("30 0 9 * * 4", "Thu 03"),
    ],
)  # fmt: skip
def test_days_of_the_week_are_crons(line: str, expected: str) -> None:
    """0 and 7 are Sunday; a day of the month or of the week is enough where both are named."""
    due = parse_cron(line).next_after(datetime(2026, 11, 27, tzinfo=UTC))
    assert due is not None and f"{due:%a %d}" == expected


@pytest.mark.parametrize(
    "line",
    [
        "", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *",
        "* * * * 8", "a * * * *", "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", "0 0 31 2 *",
        "0 0 * * fri-mon", "0 0 * * mon/x", "@often", "-1 * * * *", "0 0 30 2 1;ls *",
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_refused(line: str) -> None:
    """The line and what is wrong with it, in a sentence."""
    with pytest.raises(CallerError, match="is no cron line"):
        parse_cron(line)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """An unknown time zone is a sentence."""
    with pytest.raises(CallerError, match="is no time zone"):
        parse_cron("0 2 * * *", zone)


def test_years_of_seconds_are_looked_at_from_their_end() -> None:
    """A service that comes back after years does not count through every second."""
    now = datetime(2026, 11, 27, tzinfo=UTC)
    found, has_more = missed(parse_cron("* * * * * *"), now - timedelta(days=3000), now)
    assert has_more and found[-1] == now and 900 <= len(found) <= 1000
