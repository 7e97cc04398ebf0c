"""The orgs' event log files, counted: calls by hour, app, user, family and object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
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
from sfnb.usage.store.values import (
    Caller,
    EventFile,
    EventRead,
    EventTally,
    minute_at,
    minute_number,
)


class EventLogBook:
    """
    The event log of each org, as far as it was read. Each method is one transaction; safe for
    threads and processes.

    Rows come as plain tuples with minutes or hours since 1970, ready for arrays: a 90-day frame is
    tens of thousands.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

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

        A daily file stands for its whole day, so what hourly files and earlier daily ones told of
        it is dropped.
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
        """
        ``(interval, hour)`` of each file read, the hour since 1970 where its hour or day begins,
        oldest first.
        """
        table = schema.event_files.c
        query = (
            select(table.interval, table.log_hour)
            .where(table.org_id == org_id, table.log_hour >= minute_number(since) // 60 - 24)
            .order_by(table.log_hour)
        )
        with self._database.read() as connection:
            return [(row[0], row[1]) for row in connection.execute(query).all()]

    def event_minutes(self, org_id: str, since: datetime) -> list[tuple[int, int, int]]:
        """
        ``(minute, calls, own_calls)`` that count, oldest first; where only hours are kept, spread
        evenly.
        """
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


# ------------------------------------------------------------------------------------------------
# within


def _spread(minute: int, calls: int, own: int, *, parts: int = 6) -> list[tuple[int, int, int]]:
    """
    An hour's calls in even parts: what is 10 minutes old and what is 50 minutes old do not come
    back together.
    """

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
