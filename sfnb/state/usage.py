"""
What the usage report reads: samples for a year, and the event log's calls by hour, app, user, family and object.

Kept small: ten orgs fit a year into 100 MB, because what is old is kept coarsely (see ``tidy``).

- samples: by the minute for 2 days, by the quarter for 15, then one per hour (``sample_hours``), 400 days.
- sfnb's calls: by minute and object for 8 days, by hour and object for 35, then by hour and job, 400 days.
- the event log: by the minute for 10 days, by hour and caller for 100, then by day and caller, 400 days.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Table,
    and_,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from sfnb.state import schema
from sfnb.state.database import Database

MINUTE_SAMPLES = timedelta(days=2)
QUARTER_SAMPLES = timedelta(days=15)
MINUTE_CALLS = timedelta(days=8)
OBJECT_CALLS = timedelta(days=35)
MINUTE_EVENTS = timedelta(days=10)
HOURLY_EVENTS = timedelta(days=100)
KEPT = timedelta(days=400)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def minute_number(moment_at: datetime) -> int:
    """Whole minutes since 1970, UTC."""
    return int((moment_at - EPOCH).total_seconds() // 60)


def minute_at(number: int) -> datetime:
    """The moment at which a minute since 1970 begins."""
    return EPOCH + timedelta(minutes=int(number))


@dataclass(frozen=True, slots=True)
class EventFile:
    """
    One EventLogFile as the org lists it.

    Args:
        log_at: where its hour or day begins.
        sequence: 0 of a daily file; 1, 2, … of the files of an hour, each with what came in late.
        bytes: its length, as the org says.
    """

    file_id: str
    interval: Literal["Daily", "Hourly"]
    log_at: datetime
    sequence: int
    created_at: datetime
    bytes: int

    @property
    def log_hour(self) -> int:
        return minute_number(self.log_at) // 60


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes calls, as the event log tells; an empty text: it does not."""

    app: str
    user: str
    family: str
    entity: str
    is_sfnb: bool


@dataclass(frozen=True, slots=True)
class EventTally:
    """
    What one file holds.

    Args:
        rows: its lines.
        hours: calls that count and calls that do not, by hour since 1970 and caller.
        minutes: calls that count, and those of them that are sfnb's, by minute since 1970.
        row_hashes: one 8-byte number for each row, so that a later file of the same hour can leave out repetitions.
    """

    rows: int
    hours: dict[tuple[int, Caller], tuple[int, int]] = field(default_factory=dict)
    minutes: dict[int, tuple[int, int]] = field(default_factory=dict)
    row_hashes: bytes = b""


@dataclass(frozen=True, slots=True)
class EventRead:
    """When the org's event log was last asked for, when that last worked, and why it did not, if so."""

    tried_at: datetime | None = None
    read_at: datetime | None = None
    bookmark_at: datetime | None = None
    problem: str = ""


class UsageBook:
    """
    Usage of each org, as far as it is known. Each method is one transaction; safe for threads and processes.

    Rows come as plain tuples with minutes or hours since 1970, ready for arrays: a 90-day frame is tens of thousands.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------------------------------------------------- counter

    def samples(self, org_id: str, since: datetime) -> list[tuple[str, int, int, int]]:
        """``(api, minute, used, max)`` that the org told since then, oldest first."""
        hours, minutes = schema.sample_hours.c, schema.samples.c
        old = select(hours.api, hours.hour * 60 + hours.minute, hours.used, hours.max).where(
            hours.org_id == org_id, hours.hour >= minute_number(since) // 60
        )
        new = select(minutes.api, minutes.minute_at, minutes.used, minutes.max).where(
            minutes.org_id == org_id, minutes.minute_at >= since
        )
        with self._database.read() as connection:
            found = [(row[0], int(row[1]), row[2], row[3]) for row in connection.execute(old).all()]
            found += [
                (row[0], minute_number(row[1]), row[2], row[3])
                for row in connection.execute(new).all()
            ]
        return sorted(found, key=lambda row: (row[1], row[0]))

    def calls(self, org_id: str, since: datetime) -> list[tuple[str, int, str, int]]:
        """``(api, minute, job_id, calls)`` that sfnb spent since then, oldest first."""
        table = schema.calls.c
        query = (
            select(table.api, table.minute_at, table.job_id, func.sum(table.calls))
            .where(table.org_id == org_id, table.minute_at >= since)
            .group_by(table.minute_at, table.api, table.job_id)
            .order_by(table.minute_at, table.api, table.job_id)
        )
        with self._database.read() as connection:
            return [
                (row[0], minute_number(row[1]), row[2], int(row[3]))
                for row in connection.execute(query).all()
            ]

    def job_pauses(
        self, org_id: str, since: datetime
    ) -> list[tuple[str, str, datetime, datetime | None, int, int]]:
        """``(job_id, api, at, resumed_at, used, max)`` of each pause of the org's jobs that lasted into this time."""
        pauses, jobs = schema.job_pauses.c, schema.jobs.c
        query = (
            select(pauses.job_id, pauses.api, pauses.at, pauses.resumed_at, pauses.used, pauses.max)
            .join_from(schema.job_pauses, schema.jobs, jobs.job_id == pauses.job_id)
            .where(
                jobs.org_id == org_id, (pauses.resumed_at.is_(None)) | (pauses.resumed_at >= since)
            )
            .order_by(pauses.at, pauses.id)
        )
        with self._database.read() as connection:
            return [tuple(row) for row in connection.execute(query).all()]

    # ------------------------------------------------------------------------------------------------------- event log

    def event_read(self, org_id: str) -> EventRead:
        """How the last reading of the event log went."""
        with self._database.read() as connection:
            row = connection.execute(
                select(schema.event_reads).where(schema.event_reads.c.org_id == org_id)
            ).one_or_none()
        return (
            EventRead()
            if row is None
            else EventRead(row.tried_at, row.read_at, row.bookmark_at, row.problem)
        )

    def note_event_read(self, org_id: str, now: datetime, problem: str = "") -> None:
        """Note that the event log was asked for, and why that did not work, if so."""
        row: dict[str, Any] = {"org_id": org_id, "tried_at": now, "problem": problem}
        with self._database.write() as connection:
            self._database.upsert(
                connection, schema.event_reads, [row if problem else row | {"read_at": now}]
            )

    def known_files(self, org_id: str, since: datetime) -> dict[str, EventFile]:
        """Files that were read, by id, of hours and days that began since then."""
        table = schema.event_files
        query = select(table).where(
            table.c.org_id == org_id, table.c.log_hour >= minute_number(since) // 60
        )
        with self._database.read() as connection:
            return {
                row.file_id: EventFile(
                    row.file_id,
                    row.interval,
                    minute_at(row.log_hour * 60),
                    row.sequence,
                    row.created_at,
                    0,
                )
                for row in connection.execute(query)
            }

    def row_hashes(self, org_id: str, log_hour: int) -> bytes:
        """The row hashes of all files of an hour that were read."""
        table = schema.event_files.c
        query = select(table.row_hashes).where(
            table.org_id == org_id, table.log_hour == log_hour, table.row_hashes.is_not(None)
        )
        with self._database.read() as connection:
            return b"".join(row[0] for row in connection.execute(query))

    def put_events(self, org_id: str, file: EventFile, tally: EventTally, now: datetime) -> None:
        """
        Keep what a file holds, once: a file that is known already changes nothing.

        A daily file stands for its whole day, so what hourly files and earlier daily ones told of it is dropped.
        """
        with self._database.write() as connection:
            known = select(schema.event_files.c.number).where(
                schema.event_files.c.org_id == org_id, schema.event_files.c.file_id == file.file_id
            )
            if connection.execute(known).first() is not None:
                return
            is_late = file.interval == "Hourly" and _has_daily(
                connection, org_id, file.log_hour // 24 * 24
            )
            if file.interval == "Daily":
                _supersede(connection, org_id, file.log_hour)
            row = {
                "org_id": org_id,
                "file_id": file.file_id,
                "interval": file.interval,
                "log_hour": file.log_hour,
                "sequence": file.sequence,
                "created_at": file.created_at,
                "rows": tally.rows,
                "read_at": now,
                "is_superseded": is_late,
                "row_hashes": tally.row_hashes
                if file.interval == "Hourly" and not is_late
                else None,
            }
            result = connection.execute(
                insert(schema.event_files).returning(schema.event_files.c.number), row
            )
            number = int(result.scalar_one())
            if not is_late:
                _put_tally(connection, org_id, number, tally)
            self._move_bookmark(connection, org_id, file.created_at, now)

    def covered(self, org_id: str, since: datetime) -> list[tuple[str, int]]:
        """``(interval, hour)`` of each file read, the hour since 1970 where its hour or day begins, oldest first."""
        table = schema.event_files.c
        query = (
            select(table.interval, table.log_hour)
            .where(table.org_id == org_id, table.log_hour >= minute_number(since) // 60 - 24)
            .order_by(table.log_hour)
        )
        with self._database.read() as connection:
            return [(row[0], row[1]) for row in connection.execute(query).all()]

    def event_minutes(self, org_id: str, since: datetime) -> list[tuple[int, int, int]]:
        """``(minute, calls, own_calls)`` that count, oldest first; where only hours are kept, spread evenly."""
        first = minute_number(since)
        minutes, hours, actors = schema.event_minutes.c, schema.event_hours.c, schema.event_actors.c
        kept = select(minutes.number).distinct()
        fine = (
            select(minutes.minute, func.sum(minutes.calls), func.sum(minutes.own_calls))
            .where(minutes.number.in_(_files_of(org_id)), minutes.minute >= first)
            .group_by(minutes.minute)
        )
        own = hours.calls * actors.is_sfnb.cast(Integer)
        coarse = (
            select(hours.hour * 60, func.sum(hours.calls), func.sum(own))
            .join_from(schema.event_hours, schema.event_actors, actors.actor == hours.actor)
            .where(
                hours.number.in_(_files_of(org_id)),
                hours.number.not_in(kept),
                hours.hour >= first // 60,
            )
            .group_by(hours.hour)
        )
        with self._database.read() as connection:
            found = [tuple(map(int, row)) for row in connection.execute(fine).all()]
            for hour in connection.execute(coarse).all():
                found += _spread(*map(int, hour))
        return sorted(found)  # type: ignore[arg-type]

    def event_hours(self, org_id: str, since: datetime) -> list[tuple[int, int, int, int]]:
        """``(hour, actor, calls, free_calls)``, oldest first; ``actors`` says who they are."""
        hours = schema.event_hours.c
        query = (
            select(hours.hour, hours.actor, func.sum(hours.calls), func.sum(hours.free_calls))
            .where(hours.number.in_(_files_of(org_id)), hours.hour >= minute_number(since) // 60)
            .group_by(hours.hour, hours.actor)
            .order_by(hours.hour, hours.actor)
        )
        with self._database.read() as connection:
            return [
                (row[0], row[1], int(row[2]), int(row[3]))
                for row in connection.execute(query).all()
            ]

    def actors(self, org_id: str) -> dict[int, Caller]:
        """All callers that the org's event log has named."""
        with self._database.read() as connection:
            return {row.actor: _caller(row) for row in connection.execute(_actors_of(org_id))}

    # ------------------------------------------------------------------------------------------------------- retention

    def tidy(self, now: datetime) -> None:
        """Keep what is old coarsely, and forget what is older than 400 days. What jobs have spent in all stays."""
        with self._database.write() as connection:
            self._tidy_samples(connection, now)
            self._tidy_calls(connection, now)
            _tidy_events(connection, now)

    def _tidy_samples(self, connection: Connection, now: datetime) -> None:
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
        self._database.upsert(connection, schema.sample_hours, list(hours.values()))
        connection.execute(
            delete(table).where(table.c.minute_at < _hour_start(now - QUARTER_SAMPLES))
        )
        last_hour = minute_number(now - KEPT) // 60
        connection.execute(
            delete(schema.sample_hours).where(schema.sample_hours.c.hour < last_hour)
        )

    def _tidy_calls(self, connection: Connection, now: datetime) -> None:
        table = schema.calls
        to_hours = table.c.minute_at < _hour_start(now - MINUTE_CALLS)
        self._merge_calls(
            connection,
            and_(to_hours, table.c.minute_at >= _hour_start(now - OBJECT_CALLS)),
            is_by_object=True,
        )
        old = and_(table.c.minute_at < _hour_start(now - OBJECT_CALLS), table.c.object != "")
        self._merge_calls(connection, old, is_by_object=False)
        connection.execute(
            delete(table).where(table.c.minute_at < now - KEPT, table.c.job_id == "")
        )

    def _merge_calls(
        self, connection: Connection, which: ColumnElement[bool], *, is_by_object: bool
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
        rows = [
            dict(zip(names, key, strict=True)) | {"calls": calls} for key, calls in merged.items()
        ]
        self._database.upsert(connection, schema.calls, rows, add=("calls",))

    def _move_bookmark(
        self, connection: Connection, org_id: str, created_at: datetime, now: datetime
    ) -> None:
        table = schema.event_reads
        before = connection.execute(
            select(table.c.bookmark_at).where(table.c.org_id == org_id)
        ).scalar()
        newest = created_at if before is None else max(before, created_at)
        row = {"org_id": org_id, "tried_at": now, "problem": "", "bookmark_at": newest}
        self._database.upsert(connection, table, [row])


# ---------------------------------------------------------------------------------------------------------- within


def _param(name: str, column: Any) -> Any:
    from sqlalchemy import bindparam

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


def _spread(minute: int, calls: int, own: int, *, parts: int = 6) -> list[tuple[int, int, int]]:
    """An hour's calls in even parts: what is 10 minutes old and what is 50 minutes old do not come back together."""

    def upto(units: int, part: int) -> int:
        return units * part // parts

    return [
        (
            minute + 60 * part // parts,
            upto(calls, part + 1) - upto(calls, part),
            upto(own, part + 1) - upto(own, part),
        )
        for part in range(parts)
    ]


def _files_of(org_id: str) -> Any:
    table = schema.event_files.c
    return select(table.number).where(table.org_id == org_id, table.is_superseded.is_(False))


def _actors_of(org_id: str) -> Any:
    return select(schema.event_actors).where(schema.event_actors.c.org_id == org_id)


def _caller(row: Row[Any]) -> Caller:
    return Caller(row.app, row.user, row.family, row.entity, row.is_sfnb)


def _has_daily(connection: Connection, org_id: str, day_hour: int) -> bool:
    table = schema.event_files.c
    query = select(literal(1)).where(
        table.org_id == org_id, table.interval == "Daily", table.log_hour == day_hour
    )
    return connection.execute(query).first() is not None


def _supersede(connection: Connection, org_id: str, day_hour: int) -> None:
    table = schema.event_files
    old = and_(
        table.c.org_id == org_id, table.c.log_hour >= day_hour, table.c.log_hour < day_hour + 24
    )
    numbers = [row[0] for row in connection.execute(select(table.c.number).where(old))]
    if not numbers:
        return
    connection.execute(delete(schema.event_hours).where(schema.event_hours.c.number.in_(numbers)))
    connection.execute(
        delete(schema.event_minutes).where(schema.event_minutes.c.number.in_(numbers))
    )
    connection.execute(update(table).where(old).values(is_superseded=True, row_hashes=None))


def _put_tally(connection: Connection, org_id: str, number: int, tally: EventTally) -> None:
    actors = _actor_numbers(connection, org_id, {caller for _, caller in tally.hours})
    hours = [
        {
            "number": number,
            "hour": hour,
            "actor": actors[caller],
            "calls": calls,
            "free_calls": free,
        }
        for (hour, caller), (calls, free) in tally.hours.items()
    ]
    minutes = [
        {"number": number, "minute": minute, "calls": calls, "own_calls": own}
        for minute, (calls, own) in tally.minutes.items()
    ]
    _insert(connection, schema.event_hours, hours)
    _insert(connection, schema.event_minutes, minutes)


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), list(rows))


def _actor_numbers(
    connection: Connection, org_id: str, callers: Iterable[Caller]
) -> dict[Caller, int]:
    known = {_caller(row): row.actor for row in connection.execute(_actors_of(org_id))}
    for caller in sorted(
        set(callers) - known.keys(), key=lambda one: (one.app, one.user, one.family, one.entity)
    ):
        row = {
            "org_id": org_id,
            "app": caller.app,
            "user": caller.user,
            "family": caller.family,
            "entity": caller.entity,
            "is_sfnb": caller.is_sfnb,
        }
        result = connection.execute(
            insert(schema.event_actors).returning(schema.event_actors.c.actor), row
        )
        known[caller] = int(result.scalar_one())
    return known


def _tidy_events(connection: Connection, now: datetime) -> None:
    minutes, hours, files = schema.event_minutes, schema.event_hours, schema.event_files
    first_hour = minute_number(now - MINUTE_EVENTS) // 60
    # By whole files: a file's minutes are all kept or all gone, so that its hours can stand in for them.
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
        _insert(
            connection,
            hours,
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
