"""What the usage report reads, on SQLite and PostgreSQL: nothing counts twice, keeping it coarsely loses nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from sfnb.clock import FakeClock
from sfnb.memory import State
from sfnb.state import schema
from sfnb.usage.store.values import Caller, EventFile, EventTally, minute_number

ORG = "00D000000000001AAA"
DAY = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = minute_number(DAY) // 60
ERP = Caller("ERP", "u", "REST", "Order", is_sfnb=False)
OURS = Caller("", "u", "REST", "Account", is_sfnb=True)


def hourly(number: int, sequence: int = 1) -> EventFile:
    at = DAY + timedelta(hours=number)
    return EventFile(
        f"0ATH{number}{sequence}",
        "Hourly",
        at,
        sequence,
        at + timedelta(hours=4, minutes=sequence),
        9,
    )


def daily(letter: str = "a", hours_later: int = 34) -> EventFile:
    return EventFile(f"0ATD{letter}", "Daily", DAY, 0, DAY + timedelta(hours=hours_later), 9)


def tally(calls: int, hour: int = HOUR, *, own: int = 0) -> EventTally:
    hours = {(hour, ERP): (calls - own, 1)} | ({(hour, OURS): (own, 0)} if own else {})
    return EventTally(calls, hours, {hour * 60 + 7: (calls, own)}, b"12345678" * calls)


def total(state: State) -> int:
    return sum(
        calls for _, _, calls, _ in state.event_log.event_hours(ORG, DAY - timedelta(days=1))
    )


def test_a_daily_file_stands_for_its_hours(state: State, clock: FakeClock) -> None:
    """A file counts once; hourly files add up; the daily file, and a newer one, replaces what was told before it."""
    book, now = state.event_log, clock.now()
    book.put_events(ORG, hourly(0), tally(5), now)
    book.put_events(ORG, hourly(0), tally(5), now)
    book.put_events(ORG, hourly(0, 2), tally(2), now)
    assert total(state) == 7
    assert len(book.row_hashes(ORG, HOUR)) == 7 * 8
    book.put_events(ORG, daily(), tally(9, own=4), now)
    assert total(state) == 9
    assert book.event_minutes(ORG, DAY) == [(HOUR * 60 + 7, 9, 4)]
    assert book.row_hashes(ORG, HOUR) == b""
    book.put_events(ORG, hourly(0, 3), tally(1), now)
    book.put_events(ORG, daily("b", 40), tally(11), now)
    assert total(state) == 11
    assert book.event_read(ORG).bookmark_at == DAY + timedelta(hours=40)
    assert set(book.actors(ORG).values()) == {ERP, OURS}


def test_keeping_it_coarsely_loses_no_call(state: State, clock: FakeClock) -> None:
    """After a tidying at any age, calls by job and hour and the event log's sums are what they were."""
    book, log = state.usage, state.event_log
    log.put_events(ORG, daily(), tally(12, own=5), clock.now())
    rows = [
        {
            "org_id": ORG,
            "api": "api",
            "minute_at": DAY + timedelta(minutes=m),
            "job_id": "j",
            "object": o,
            "calls": 3,
        }
        for m in range(0, 180, 20)
        for o in ("Account", "Contact")
    ]
    samples = [
        {
            "org_id": ORG,
            "api": "api",
            "minute_at": at,
            "at": at,
            "used": 100 + n,
            "max": 1000,
            "source": "header",
        }
        for n, at in enumerate(DAY + timedelta(minutes=m) for m in range(180))
    ]
    with state.database.write() as connection:
        connection.execute(insert(schema.calls), rows)
        connection.execute(insert(schema.samples), samples)
    before = state.usage.job_calls("j")
    readings = []
    for days in (0, 3, 9, 12, 20, 40, 120):
        book.tidy(DAY + timedelta(days=days))
        assert (
            state.usage.job_calls("j")
            == before
            == {"api": 54, "bulk": 0, "bulk2": 0, "bulk2_mb": 0}
        )
        assert total(state) == 12
        minutes = log.event_minutes(ORG, DAY)
        assert (sum(row[1] for row in minutes), sum(row[2] for row in minutes)) == (12, 5)
        readings.append([used for _, _, used, _ in book.samples(ORG, DAY - timedelta(days=1))])
    assert [len(found) for found in readings] == [180, 12, 12, 12, 3, 3, 3]
    assert readings[1][3::4] == readings[-1] == [159, 219, 279]
    book.tidy(DAY + timedelta(days=500))
    assert book.samples(ORG, DAY - timedelta(days=1)) == []
    assert total(state) == 0
    assert state.usage.job_calls("j") == before
