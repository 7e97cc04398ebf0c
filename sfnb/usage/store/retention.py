"""
What is old is kept coarsely, so ten orgs fit a year into 100 MB.

- samples: by the minute for 2 days, by the quarter hour for 15, then one per hour
(``sample_hours``), 400 days. - sfnb's calls: by minute and object for 8 days, by hour and object
for 35, then by hour and job, 400 days. - the event log: by the minute for 10 days, by hour and
caller for 100, then by day and caller, 400 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, insert, select, update

from sfnb.state import schema
from sfnb.state.database import Database
from sfnb.usage.store.values import minute_number

MINUTE_SAMPLES = timedelta(days=2)
QUARTER_SAMPLES = timedelta(days=15)
MINUTE_CALLS = timedelta(days=8)
OBJECT_CALLS = timedelta(days=35)
MINUTE_EVENTS = timedelta(days=10)
HOURLY_EVENTS = timedelta(days=100)
KEPT = timedelta(days=400)


def tidy(database: Database, now: datetime) -> None:
    """Merge old rows and delete those over 400 days old. The total that each job spent stays."""
    with database.write() as connection:
        _tidy_samples(database, connection, now)
        _tidy_calls(database, connection, now)
        _tidy_events(connection, now)


def _tidy_samples(database: Database, connection: Connection, now: datetime) -> None:
    table = schema.samples
    # Quarters: of the minutes in each, the last stays.
    old = select(table.c.org_id, table.c.api, table.c.minute_at).where(
        table.c.minute_at < _hour_start(now - MINUTE_SAMPLES),
        table.c.minute_at >= _hour_start(now - QUARTER_SAMPLES),
    )
    last: dict[tuple[str, str, int], datetime] = {}
    drop = []
    for org_id, api, at in connection.execute(old.order_by(table.c.minute_at)):
        key = (org_id, api, minute_number(at) // 15)
        if key in last:
            drop.append({"o": org_id, "a": api, "m": last[key]})
        last[key] = at
    _delete_samples(connection, drop)
    # Hours: the last sample moves to the table of hours.
    older = (
        select(table)
        .where(table.c.minute_at < _hour_start(now - QUARTER_SAMPLES))
        .order_by(table.c.minute_at)
    )
    hours: dict[tuple[str, str, int], dict[str, Any]] = {}
    for row in connection.execute(older):
        hour, minute = divmod(minute_number(row.minute_at), 60)
        hours[row.org_id, row.api, hour] = {
            "org_id": row.org_id,
            "api": row.api,
            "hour": hour,
            "minute": minute,
            "used": row.used,
            "max": row.max,
        }
    database.upsert(connection, schema.sample_hours, list(hours.values()))
    connection.execute(delete(table).where(table.c.minute_at < _hour_start(now - QUARTER_SAMPLES)))
    last_hour = minute_number(now - KEPT) // 60
    connection.execute(delete(schema.sample_hours).where(schema.sample_hours.c.hour < last_hour))


def _tidy_calls(database: Database, connection: Connection, now: datetime) -> None:
    table = schema.calls
    to_hours = table.c.minute_at < _hour_start(now - MINUTE_CALLS)
    _merge_calls(
        database,
        connection,
        and_(to_hours, table.c.minute_at >= _hour_start(now - OBJECT_CALLS)),
        is_by_object=True,
    )
    old = and_(table.c.minute_at < _hour_start(now - OBJECT_CALLS), table.c.object != "")
    _merge_calls(database, connection, old, is_by_object=False)
    connection.execute(delete(table).where(table.c.minute_at < now - KEPT, table.c.job_id == ""))


def _merge_calls(
    database: Database, connection: Connection, which: ColumnElement[bool], *, is_by_object: bool
) -> None:
    merged: dict[tuple[str, str, datetime, str, str], int] = {}
    gone = []
    for row in connection.execute(select(schema.calls).where(which)):
        hour_at = _hour_start(row.minute_at)
        name = row.object if is_by_object else ""
        if (hour_at, name) == (row.minute_at, row.object):
            continue
        key = (row.org_id, row.api, hour_at, row.job_id, name)
        merged[key] = merged.get(key, 0) + row.calls
        gone.append(
            {
                "o": row.org_id,
                "a": row.api,
                "m": row.minute_at,
                "j": row.job_id,
                "b": row.object,
            }
        )
    if not gone:
        return
    c = schema.calls.c
    own = delete(schema.calls).where(
        c.org_id == _param("o", c.org_id), c.api == _param("a", c.api), c.minute_at == _param("m", c.minute_at),
        c.job_id == _param("j", c.job_id), c.object == _param("b", c.object),
    )  # fmt: skip
    connection.execute(own, gone)
    names = ("org_id", "api", "minute_at", "job_id", "object")
    rows = [dict(zip(names, key, strict=True)) | {"calls": calls} for key, calls in merged.items()]
    database.upsert(connection, schema.calls, rows, add=("calls",))


def _param(name: str, column: Any) -> Any:
    return bindparam(name, type_=column.type)


def _hour_start(moment_at: datetime) -> datetime:
    return moment_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _delete_samples(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    c = schema.samples.c
    statement = delete(schema.samples).where(
        c.org_id == _param("o", c.org_id),
        c.api == _param("a", c.api),
        c.minute_at == _param("m", c.minute_at),
    )
    if rows:
        connection.execute(statement, list(rows))


def _tidy_events(connection: Connection, now: datetime) -> None:
    minutes, hours, files = schema.event_minutes, schema.event_hours, schema.event_files
    first_hour = minute_number(now - MINUTE_EVENTS) // 60
    # By whole files: a file's minutes are all kept or all gone, so that its hours can stand in for
    # them.
    old = select(files.c.number).where(files.c.log_hour < first_hour - 24)
    connection.execute(delete(minutes).where(minutes.c.number.in_(old)))
    day_from = minute_number(now - HOURLY_EVENTS) // 60 // 24 * 24
    fine = select(hours).where(hours.c.hour < day_from, hours.c.hour % 24 != 0)
    rows = connection.execute(fine).all()
    if rows:
        merged: dict[tuple[int, int, int], list[int]] = {}
        numbers = {row.number for row in rows}
        here = and_(hours.c.hour < day_from, hours.c.number.in_(numbers))
        for row in connection.execute(select(hours).where(here)):
            total = merged.setdefault((row.number, row.hour // 24 * 24, row.actor), [0, 0])
            total[0] += row.calls
            total[1] += row.free_calls
        connection.execute(delete(hours).where(here))
        connection.execute(
            insert(hours),
            [
                {"number": number, "hour": hour, "actor": actor, "calls": calls, "free_calls": free}
                for (number, hour, actor), (calls, free) in merged.items()
            ],
        )
    gone = select(files.c.number).where(files.c.log_hour < minute_number(now - KEPT) // 60)
    connection.execute(delete(hours).where(hours.c.number.in_(gone)))
    connection.execute(delete(files).where(files.c.number.in_(gone)))
    day_old = minute_number(now - timedelta(days=4)) // 60
    connection.execute(update(files).where(files.c.log_hour < day_old).values(row_hashes=None))
