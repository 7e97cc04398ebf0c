"""
Notices that are to be sent, each once, and what they are read from.

A notice has the name of what it is about as its key, so reading the same events twice makes it
once. Who sends one claims it first; where its sender died, it is claimed again after ten minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update

from sfnb.state import schema
from sfnb.state.database import Database, insert_into

LOOK_BACK = 500
"""
Events that are read again: PostgreSQL gives numbers out before it commits, so a lower one may be
seen after a higher one.
"""

CLAIM = timedelta(minutes=10)
GIVE_UP = timedelta(days=1)
KEEP = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Notice:
    """
    Something to tell.

    Args:
        source: what it is about, as a key.
        kind: one of `sfnb.notice_settings.KINDS`, or ``summary``.
        text: names and numbers; no value of a record, no secret.
    """

    source: str
    at: datetime
    kind: str
    org: str
    text: str


class NoticeBook:
    """The notices of one state database. Safe for threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = database.clock

    def news(self) -> tuple[list[str], int, int]:
        """
        Ids of jobs with an event since the last time; the event, and the line of the audit log,
        that were the newest when notices began: only what comes after them is reported.
        """
        jobs, log = schema.job_events, schema.audit_head
        with self._database.write() as connection:
            newest = connection.execute(select(func.max(jobs.c.id))).scalar() or 0
            line = connection.execute(select(func.max(log.c.seq))).scalar() or 0
            table = schema.notice_marks
            for source, position in (("events", newest), ("events_began", newest), ("audit_began", line)):  # fmt: skip
                new = insert_into(self._database.dialect, table).values(
                    source=source, position=position
                )
                connection.execute(new.on_conflict_do_nothing())
            marks = {row.source: row.position for row in connection.execute(select(table))}
            since = select(jobs.c.job_id).where(jobs.c.id > marks["events"] - LOOK_BACK).distinct()
            found = [row.job_id for row in connection.execute(since)]
            change = update(table).where(table.c.source == "events")
            connection.execute(change.values(position=newest))
        return found, marks["events_began"], marks["audit_began"]

    def add(self, notices: Iterable[Notice]) -> None:
        """Keep those that are new."""
        rows = [asdict(one) | {"tries": 0} for one in notices]
        if not rows:
            return
        table = schema.notices
        new = insert_into(self._database.dialect, table).on_conflict_do_nothing()
        with self._database.write() as connection:
            connection.execute(new, rows)
            connection.execute(table.delete().where(table.c.at < self._clock.now() - KEEP))

    def all(self) -> list[tuple[Notice, datetime | None]]:
        """All that are kept, oldest first, with when they were sent."""
        table = schema.notices
        query = select(table).order_by(table.c.at, table.c.source)
        with self._database.read() as connection:
            return [(_notice(row), row.sent_at) for row in connection.execute(query)]

    def claim(self, kinds: Iterable[str]) -> list[Notice]:
        """Those of these kinds that are still to be sent, now this process's to send."""
        now, table = self._clock.now(), schema.notices
        free = or_(table.c.claimed_at.is_(None), table.c.claimed_at < now - CLAIM)
        with self._database.write() as connection:
            query = (
                select(table)
                .where(table.c.sent_at.is_(None), table.c.kind.in_(list(kinds)), free)
                .where(table.c.at > now - GIVE_UP)
                .order_by(table.c.at, table.c.source)
                .with_for_update(skip_locked=True)
            )
            found = [_notice(row) for row in connection.execute(query)]
            mine = table.c.source.in_([one.source for one in found])
            connection.execute(
                update(table).where(mine).values(claimed_at=now, tries=table.c.tries + 1)
            )
        return found

    def sent(self, notices: Iterable[Notice]) -> None:
        """They have arrived."""
        table = schema.notices
        mine = table.c.source.in_([one.source for one in notices])
        with self._database.write() as connection:
            connection.execute(update(table).where(mine).values(sent_at=self._clock.now()))

    def gauges(self) -> list[tuple[str, str, int, int, datetime]]:
        """What each org reported last: Organization Id, budget, used, maximum, when."""
        table = schema.gauges
        known = select(table).where(table.c.read_at.is_not(None), table.c.max > 0)
        with self._database.read() as connection:
            return [
                (row.org_id, row.api, row.used, row.max, row.read_at)
                for row in connection.execute(known)
            ]


def _notice(row: object) -> Notice:
    return Notice(row.source, row.at, row.kind, row.org, row.text)  # type: ignore[attr-defined]
