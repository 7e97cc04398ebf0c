"""
How large a year of usage history is, and how fast a 90-day frame loads. Prints a table.

Writes a year of an org as it comes in: the counter every quarter of an hour and each minute of a nightly job of two
hours, that job's calls by minute and object, and each day's event log with twenty callers; tidied once a week.

    python benchmarks/usage_retention.py [--orgs 1] [--days 365]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from sfnb.clock import FakeClock
from sfnb.memory import State, open_state
from sfnb.model import APIS
from sfnb.state import schema
from sfnb.usage import load_history, review_of, usage_frame
from sfnb.usage.store.values import Caller, EventFile, EventTally, minute_number

CALLERS = [
    Caller(f"App {n % 8}", f"user{n}@acme.example", "REST", f"Object{n % 12}", n == 0)
    for n in range(20)
]
OBJECTS = 60
JOB_MINUTES = 120


def write_day(state: State, org_id: str, day: datetime) -> None:
    """What one day of one org leaves in the state."""
    moments = {day + timedelta(minutes=15 * quarter): APIS for quarter in range(96)}
    moments |= {day + timedelta(hours=2, minutes=minute): ("api",) for minute in range(JOB_MINUTES)}
    samples = [
        {"org_id": org_id, "api": api, "minute_at": at, "at": at, "used": 40_000 + at.minute,
         "max": 100_000, "source": "limits"}
        for at, apis in moments.items()
        for api in apis
    ]  # fmt: skip
    calls = [
        {"org_id": org_id, "api": "api", "minute_at": day + timedelta(hours=2, minutes=minute),
         "job_id": f"{day:%y%m%d}{org_id[3:9]}", "object": f"Object{(minute * 3 + n) % OBJECTS}__c", "calls": 20}
        for minute in range(JOB_MINUTES)
        for n in range(3)
    ]  # fmt: skip
    with state.database.write() as connection:
        connection.execute(insert(schema.samples), samples)
        connection.execute(insert(schema.calls), calls)
    hour = minute_number(day) // 60
    tally = EventTally(
        40_000,
        {(hour + h, caller): (80, 1) for h in range(24) for caller in CALLERS},
        {minute_number(day) + minute: (27, 5) for minute in range(1440)},
    )
    file = EventFile(f"0AT{hour}", "Daily", day, 0, day + timedelta(hours=33), 10_000_000)
    state.event_log.put_events(org_id, file, tally, day + timedelta(hours=34))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--orgs", type=int, default=1)
    parser.add_argument("--days", type=int, default=365)
    given = parser.parse_args()
    start = datetime(2025, 11, 1, tzinfo=UTC)
    org_ids = [f"00D{n:06d}000000AAA" for n in range(given.orgs)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        clock = FakeClock(start)
        with open_state(f"sqlite:///{path.as_posix()}", clock=clock) as state:
            empty = path.stat().st_size
            for number in range(given.days):
                day = start + timedelta(days=number)
                for org_id in org_ids:
                    write_day(state, org_id, day)
                if number % 7 == 6:
                    state.usage.tidy(day + timedelta(days=1))
            now = start + timedelta(days=given.days)
            began = time.perf_counter()
            state.usage.tidy(now)
            tidied_s = time.perf_counter() - began
            began = time.perf_counter()
            history = load_history(state, "acme", org_ids[0], days=90, now=now)
            loaded_s = time.perf_counter() - began
            frame = usage_frame(history)
            framed_s = time.perf_counter() - began
            review_of(history, ZoneInfo("Europe/Berlin"))
            reviewed_s = time.perf_counter() - began
        size = path.stat().st_size - empty
    ten = size / given.orgs * 10
    print(
        f"{given.days} days of {given.orgs} org(s): {size / 1e6:.1f} MB; of ten orgs about {ten / 1e6:.0f} MB"
    )
    print(f"the last tidying took {tidied_s:.2f} s")
    print(
        f"90 days: loaded in {loaded_s:.2f} s, usage frame of {len(frame):,} rows after {framed_s:.2f} s, ",
        end="",
    )
    print(f"whole review after {reviewed_s:.2f} s")


if __name__ == "__main__":
    main()
