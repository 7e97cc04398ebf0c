"""Usage that never was, for pictures: an org's counter, its event log, nightly backups and their pauses."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from sfnb.memory import State
from sfnb.state import schema
from sfnb.usage.store.values import Caller, EventFile, EventTally, minute_number

MAXIMUM = 100_000
MAXIMA = {"api": MAXIMUM, "bulk": 15_000, "bulk2": 10_000, "bulk2_mb": 976_562}
APPS = (
    ("Data Loader", "integration@acme.example", "SOAP", "Account", 0.34),
    ("MuleSoft", "mulesoft@acme.example", "REST", "Order", 0.27),
    ("Slack <b>bot</b>", "slack@acme.example", "REST", "Case", 0.18),
    ("Marketing Cloud", "marketing@acme.example", "REST", "Contact", 0.13),
    ("Jira Connector", "jira@acme.example", "REST", "Task", 0.08),
)
OURS = Caller("sfnb", "backup@acme.example", "REST", "Account", is_sfnb=True)
STEP = 15
"""Minutes between two readings."""


def make_up(
    state: State, org: str, org_id: str, span: timedelta, *, is_paused: bool = False
) -> None:
    """
    Put ``span`` of an org's usage into the state, up to now.

    Args:
        is_paused: its newest backup still waits for calls.
    """
    now = datetime.now(UTC)
    luck = random.Random(org_id)  # noqa: S311 - pictures, not secrets
    steps = range(int((span + timedelta(days=1)) / timedelta(minutes=STEP)) + 1)
    times = [now - timedelta(minutes=STEP * step) for step in reversed(steps)]
    others = [_others(at, luck) for at in times]
    jobs = _nights(now, span)
    own = [_own(at, jobs) for at in times]
    per_day = 24 * 60 // STEP
    used = [
        sum(others[max(0, n - per_day) : n + 1]) + sum(own[max(0, n - per_day) : n + 1])
        for n in range(len(times))
    ]
    _put_readings(state, org_id, times, used, since=now - span)
    _put_jobs(state, org, org_id, jobs, own, times, is_paused=is_paused, used=used[-1])
    if span > timedelta(days=2):
        _put_event_log(state, org_id, times, others, own, now)
    if span > timedelta(days=3):
        state.ledger.set_limits(
            org_id, {"api": 80}, who="admin", reason="first full backup", org=org
        )


def _others(at: datetime, luck: random.Random) -> int:
    """What other apps spend in a quarter of an hour: by day more than by night, little at weekends."""
    hour = at.hour + at.minute / 60
    curve = 0.3 + max(0.0, math.sin((hour - 6) / 13 * math.pi)) if 6 <= hour <= 19 else 0.3
    weekend = 0.35 if at.weekday() >= 5 else 1.0
    return int(600 * curve * weekend * luck.uniform(0.8, 1.2))


def _nights(now: datetime, span: timedelta) -> list[tuple[datetime, datetime]]:
    """A backup each night at two o'clock, each an hour long."""
    nights = int(span.total_seconds() // 86_400) or 1
    begins = [
        now.replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=day)
        for day in range(nights)
    ]
    return sorted((at, at + timedelta(hours=1)) for at in begins if at < now)


def _own(at: datetime, jobs: list[tuple[datetime, datetime]]) -> int:
    return 900 if any(start <= at < end for start, end in jobs) else 0


def _put_readings(
    state: State, org_id: str, times: list[datetime], used: list[int], *, since: datetime
) -> None:
    share = {"api": 1.0, "bulk": 0.004, "bulk2": 0.002, "bulk2_mb": 0.9}
    rows = [
        {"org_id": org_id, "api": api, "minute_at": at.replace(second=0, microsecond=0), "at": at,
         "used": int(number * share[api]), "max": MAXIMA[api], "source": "limits"}
        for at, number in zip(times, used, strict=True)
        if at >= since
        for api in share
    ]  # fmt: skip
    gauges = [
        {"org_id": org_id, "api": api, "used": int(used[-1] * share[api]), "max": MAXIMA[api],
         "own": 0, "since": times[-1], "heard_from": times[-1], "read_at": times[-1], "is_known": True}
        for api in share
    ]  # fmt: skip
    with state.database.write() as connection:
        connection.execute(insert(schema.samples), rows)
        connection.execute(insert(schema.gauges), gauges)


def _put_jobs(  # noqa: PLR0917 - what a backup leaves behind
    state: State,
    org: str,
    org_id: str,
    jobs: list[tuple[datetime, datetime]],
    own: list[int],
    times: list[datetime],
    *,
    is_paused: bool,
    used: int,
) -> None:
    rows: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    pauses: list[dict[str, Any]] = []
    for number, (start, end) in enumerate(jobs):
        job_id = f"{org_id[11:15].lower()}{number:04x}"
        is_last = is_paused and number == len(jobs) - 1
        rows.append(
            {"job_id": job_id, "kind": "backup", "org": org, "org_id": org_id,
             "state": "paused" if is_last else "completed", "snapshot": None, "objects": None,
             "options": {}, "started_at": start, "ended_at": None if is_last else end,
             "rows": 1_204_311, "error": None}
        )  # fmt: skip
        calls += [
            {"org_id": org_id, "api": "api", "minute_at": at.replace(second=0, microsecond=0),
             "job_id": job_id, "object": name, "calls": spent // 3}
            for at, spent in zip(times, own, strict=True)
            if start <= at < end
            for name in ("Account", "Contact", "Opportunity")
        ]  # fmt: skip
        if is_last or number % 5 == 3:
            pauses.append(
                {"job_id": job_id, "api": "api", "at": start + timedelta(minutes=30),
                 "resumed_at": None if is_last else end - timedelta(minutes=10),
                 "used": used if is_last else 50_020, "max": MAXIMUM, "reason": "the limit is reached"}
            )  # fmt: skip
    with state.database.write() as connection:
        for table, found in (
            (schema.jobs, rows),
            (schema.calls, calls),
            (schema.job_pauses, pauses),
        ):
            if found:
                connection.execute(insert(table), found)


def _put_event_log(  # noqa: PLR0917 - columns of the same times
    state: State,
    org_id: str,
    times: list[datetime],
    others: list[int],
    own: list[int],
    now: datetime,
) -> None:
    """A daily file for each whole day, as Salesforce writes it the day after."""
    days = sorted({at.date() for at in times})[1:-1]
    for day in days:
        begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
        hours: Counter[tuple[int, Caller]] = Counter()
        minutes: dict[int, tuple[int, int]] = {}
        for at, spent, ours in zip(times, others, own, strict=True):
            if at.date() != day:
                continue
            minute = minute_number(at)
            minutes[minute] = (spent + ours, ours)
            for app, user, family, entity, share in APPS:
                caller = Caller(app, user, family, entity, is_sfnb=False)
                hours[minute // 60, caller] += int(spent * share)
            if ours:
                hours[minute // 60, OURS] += ours
        counted: Mapping[tuple[int, Caller], int] = hours
        tally = EventTally(
            sum(counted.values()), {key: (calls, 2) for key, calls in counted.items()}, minutes
        )
        hour = minute_number(begins) // 60
        file = EventFile(f"0AT{hour}", "Daily", begins, 0, begins + timedelta(hours=33), 10_000_000)
        state.event_log.put_events(org_id, file, tally, now)
    state.event_log.note_event_read(org_id, now)
