"""Who made how many calls on which calendar day, as an org's own report told: kept for 400 days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select

from sfnb.state import schema
from sfnb.state.database import Database
from sfnb.usage.store.values import ReportRead, UserDay

KEPT = timedelta(days=400)
LAST_ZONE = timedelta(hours=12)
"""How much later than in UTC a day ends where it ends last (Baker Island)."""
NAME_CHARS = 255


class UserDayBook:
    """
    The days told by each org's usage report. Each method is one transaction; safe for threads and
    processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def last_read(self, org_id: str) -> ReportRead:
        """How the last reading went."""
        table = schema.report_reads
        with self._database.read() as connection:
            row = connection.execute(select(table).where(table.c.org_id == org_id)).one_or_none()
        return ReportRead() if row is None else ReportRead(row.tried_at, row.read_at, row.problem)

    def note_problem(self, org_id: str, now: datetime, problem: str) -> None:
        """Note that reading the report was tried, and why it failed; earlier days stay."""
        row = {"org_id": org_id, "tried_at": now, "problem": problem}
        with self._database.write() as connection:
            self._database.upsert(connection, schema.report_reads, [row])

    def put(self, org_id: str, lines: Sequence[UserDay], now: datetime) -> None:
        """
        Keep a report's days; they replace earlier figures of the same days, and old days are
        deleted.
        """
        table = schema.user_days
        sums: Counter[tuple[str, str]] = Counter()
        for line in lines:
            sums[line.day.isoformat(), line.user[:NAME_CHARS]] += line.calls
        whole_until = (now.astimezone(UTC) - LAST_ZONE).date().isoformat()
        rows: list[dict[str, Any]] = [
            {
                "org_id": org_id,
                "day": day,
                "user": user,
                "calls": calls,
                "is_whole": day < whole_until,
            }
            for (day, user), calls in sums.items()
        ]
        old = (now - KEPT).date().isoformat()
        with self._database.write() as connection:
            days = {row["day"] for row in rows}
            connection.execute(delete(table).where(table.c.org_id == org_id, table.c.day.in_(days)))
            connection.execute(delete(table).where(table.c.org_id == org_id, table.c.day < old))
            if rows:
                connection.execute(insert(table), rows)
            read = {"org_id": org_id, "tried_at": now, "read_at": now, "problem": ""}
            self._database.upsert(connection, schema.report_reads, [read])

    def days(self, org_id: str, since: date) -> list[UserDay]:
        """What is known of that day and those after it, oldest first."""
        table = schema.user_days
        query = (
            select(table.c.day, table.c.user, table.c.calls, table.c.is_whole)
            .where(table.c.org_id == org_id, table.c.day >= since.isoformat())
            .order_by(table.c.day, table.c.user)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            UserDay(date.fromisoformat(day), user, int(calls), is_whole)
            for day, user, calls, is_whole in rows
        ]
