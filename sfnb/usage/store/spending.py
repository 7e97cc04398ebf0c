"""What each org reported of its budgets, what sfnb spent, and when jobs paused."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from sfnb.model import APIS, Api
from sfnb.state import schema
from sfnb.state.database import Database
from sfnb.usage.store import retention
from sfnb.usage.store.values import minute_at, minute_number


class UsageBook:
    """
    Usage of each org, as far as it is known. Each method is one transaction; safe for threads and
    processes.

    Rows are plain tuples with minutes since 1970, ready for arrays: a 90-day frame is tens of
    thousands of them. ``quota.ledger`` writes what is read here.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

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
        """
        ``(job_id, api, at, resumed_at, used, max)`` of each pause of the org's jobs that lasted
        into this time.
        """
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

    def spent(self, org_id: str, since: datetime) -> dict[Api, int]:
        """
        What sfnb has spent of each budget since that minute, jobs and everything else together.
        """
        table = schema.calls
        query = (
            select(table.c.api, func.sum(table.c.calls))
            .where(table.c.org_id == org_id, table.c.minute_at >= minute_at(minute_number(since)))
            .group_by(table.c.api)
        )
        with self._database.read() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {api: found.get(api, 0) for api in APIS}

    def job_calls(self, job_id: str) -> dict[Api, int]:
        """What a job has spent of each budget, calls of killed processes included."""
        table = schema.calls
        query = (
            select(table.c.api, func.sum(table.c.calls))
            .where(table.c.job_id == job_id)
            .group_by(table.c.api)
        )
        with self._database.read() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {api: found.get(api, 0) for api in APIS}

    def object_calls(self, job_id: str) -> dict[str, int]:
        """
        How many API calls a job has spent on each object; those on none of them (login, limits) are
        under ``""``.
        """
        table = schema.calls
        query = (
            select(table.c.object, func.sum(table.c.calls))
            .where(table.c.job_id == job_id, table.c.api == "api")
            .group_by(table.c.object)
        )
        with self._database.read() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query)}

    def tidy(self, now: datetime) -> None:
        """
        Merge old rows and delete those over 400 days old. The total that each job spent stays.
        """
        retention.tidy(self._database, now)
