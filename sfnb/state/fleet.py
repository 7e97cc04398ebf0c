"""
What is known of all orgs at once: a handful of statements, however many orgs and jobs there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    cast,
    extract,
    func,
    literal,
    null,
    or_,
    select,
)

from sfnb.model import JobState
from sfnb.state import lease, schema
from sfnb.state.database import Database

LIVE = (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)

BACKUP = "backup"

SLOT_MINUTES = 10

Reading = tuple[int, int, int]
"""Minute since 1970, units used, the maximum."""


@dataclass(frozen=True, slots=True)
class Check:
    """
    The last `sfnb verify` of an org's store.

    Args:
        damage: places that are damaged.
        finding: the first of them, in a sentence; empty: none.
    """

    at: datetime
    damage: int
    finding: str = ""


@dataclass(frozen=True, slots=True)
class LiveJob:
    """A job that has not ended; ``is_held``: a living process runs it."""

    job_id: str
    kind: str
    state: JobState
    started_at: datetime
    is_held: bool


@dataclass(frozen=True, slots=True)
class GoodBackup:
    """The newest backup of an org that completed without errors."""

    snapshot: str
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """Jobs since the last good backup that failed or completed with errors, and why the last one did."""

    jobs: int
    error: str


@dataclass(frozen=True, slots=True)
class GaugeLine:
    """
    Where a budget stands.

    Args:
        used: as reported, and what sfnb has spent since.
        percent: the limit percent; None: never set.
    """

    used: int
    maximum: int
    is_known: bool
    read_at: datetime | None
    percent: int | None


class FleetBook:
    """All orgs of the state. Each method is one statement; safe for threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = database.clock

    def put_check(self, org_id: str, check: Check) -> None:
        """Keep what a `verify` has found, in place of the one before."""
        row = {
            "org_id": org_id,
            "at": check.at,
            "damage": check.damage,
            "finding": check.finding,
        }
        with self._database.write() as connection:
            self._database.upsert(connection, schema.checks, [row])

    def checks(self) -> dict[str, Check]:
        """The last check of each org, by Organization Id."""
        with self._database.read() as connection:
            return {
                row.org_id: Check(row.at, row.damage, row.finding)
                for row in connection.execute(select(schema.checks))
            }

    def names(self) -> dict[str, str]:
        """The newest name of each org that has had a job, by Organization Id."""
        jobs = schema.jobs.c
        query = select(jobs.org_id, jobs.org, func.max(jobs.started_at)).group_by(
            jobs.org_id, jobs.org
        )
        with self._database.read() as connection:
            found = sorted(connection.execute(query), key=lambda row: str(row[2]))
        return {row[0]: row[1] for row in found}

    def good_backups(self) -> dict[str, GoodBackup]:
        """The newest good backup of each org that has one."""
        jobs = schema.jobs.c
        is_good = and_(
            jobs.kind == BACKUP,
            jobs.state == JobState.COMPLETED,
            jobs.snapshot.is_not(None),
            # A backup of some objects says nothing of the others.
            jobs.objects.is_(null()),
        )
        newest = (
            select(jobs.org_id, func.max(jobs.started_at).label("at"))
            .where(is_good)
            .group_by(jobs.org_id)
            .subquery()
        )
        query = (
            select(jobs.org_id, jobs.snapshot, jobs.started_at, jobs.ended_at)
            .join(newest, and_(jobs.org_id == newest.c.org_id, jobs.started_at == newest.c.at))
            .where(is_good)
        )
        with self._database.read() as connection:
            return {
                row.org_id: GoodBackup(row.snapshot, row.started_at, row.ended_at)
                for row in connection.execute(query)
            }

    def live_jobs(self) -> dict[str, list[LiveJob]]:
        """The jobs of each org that have not ended, oldest first."""
        jobs, now = schema.jobs.c, self._clock.now()
        query = (
            select(
                jobs.org_id,
                jobs.job_id,
                jobs.kind,
                jobs.state,
                jobs.started_at,
                jobs.lease_token,
                jobs.lease_host,
                jobs.lease_pid,
                jobs.lease_pid_started_s,
                jobs.lease_until,
            )
            .where(jobs.state.in_(LIVE))
            .order_by(jobs.started_at)
        )
        found: dict[str, list[LiveJob]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                is_held = lease.holder(row, now) is not None
                job = LiveJob(row.job_id, row.kind, JobState(row.state), row.started_at, is_held)
                found.setdefault(row.org_id, []).append(job)
        return found

    def trouble(self, since: datetime) -> dict[str, Trouble]:
        """
        The jobs of each org that went wrong since its last good backup, or since this time.

        A restore that was refused records, and an archive or an erasure that kept some, have said
        so; the org is as safe as before.
        """
        jobs = schema.jobs.c
        query = (
            select(jobs.org_id, jobs.started_at, jobs.state, jobs.error)
            .where(
                or_(
                    jobs.state == JobState.FAILED,
                    and_(jobs.state == JobState.COMPLETED_WITH_ERRORS, jobs.kind == BACKUP),
                ),
                jobs.started_at >= since,
            )
            .order_by(jobs.started_at)
        )
        good = self.good_backups()
        found: dict[str, Trouble] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                last = good.get(row.org_id)
                if last is not None and row.started_at < last.started_at:
                    continue
                said = row.error or "some objects could not be read"
                found[row.org_id] = Trouble(found.get(row.org_id, _NONE).jobs + 1, said)
        return found

    def gauges(self) -> dict[tuple[str, str], GaugeLine]:
        """What is known of each budget, by Organization Id and budget."""
        gauges, limits = schema.gauges, schema.limits
        query = select(
            gauges.c.org_id,
            gauges.c.api,
            gauges.c.used + gauges.c.own,
            gauges.c.max,
            gauges.c.is_known,
            gauges.c.read_at,
            limits.c.percent,
        ).outerjoin(limits, and_(limits.c.org_id == gauges.c.org_id, limits.c.api == gauges.c.api))
        with self._database.read() as connection:
            return {(row[0], row[1]): GaugeLine(*row[2:]) for row in connection.execute(query)}

    def readings(
        self, api: str, org_ids: Iterable[str], since: datetime
    ) -> dict[str, list[Reading]]:
        """
        One budget's readings by Organization Id, oldest first, thinned to one in ten minutes: what
        the forecast can tell apart. The tables are in the order of orgs, so naming them leaves what
        is older unread.
        """
        orgs = list(org_ids)
        hours, minutes = schema.sample_hours.c, schema.samples.c
        old = select(hours.org_id, hours.hour * 60 + hours.minute, hours.used, hours.max).where(
            hours.org_id.in_(orgs), hours.api == api, hours.hour >= minute_of(since) // 60
        )
        minute = self._minute(minutes.minute_at)
        new = (
            select(minutes.org_id, func.max(minute), func.max(minutes.used), func.max(minutes.max))
            .where(minutes.org_id.in_(orgs), minutes.api == api, minutes.minute_at >= since)
            .group_by(minutes.org_id, minute // SLOT_MINUTES)
        )
        return self._by_org(old, new)

    def spent(self, api: str, org_ids: Iterable[str], since: datetime) -> dict[str, list[Reading]]:
        """``(minute, calls, 0)`` that sfnb spent of one budget, by Organization Id, oldest first."""
        calls = schema.calls.c
        query = (
            select(calls.org_id, self._minute(calls.minute_at), func.sum(calls.calls), literal(0))
            .where(calls.org_id.in_(list(org_ids)), calls.api == api, calls.minute_at >= since)
            .group_by(calls.org_id, calls.minute_at)
        )
        return self._by_org(query)

    def _by_org(self, *queries: Select[Any]) -> dict[str, list[Reading]]:
        found: dict[str, list[Reading]] = {}
        with self._database.read() as connection:
            for query in queries:
                # All at once: one by one costs four times as much, and there are some 100,000.
                for org_id, minute, one, other in connection.execute(query).all():
                    found.setdefault(org_id, []).append((int(minute), int(one), int(other)))
        for rows in found.values():
            rows.sort()
        return found

    def _minute(self, column: ColumnElement[Any]) -> ColumnElement[int]:
        """Minutes since 1970, worked out by the database: a thousand moments an org are many."""
        if self._database.is_sqlite:
            return cast(func.strftime("%s", column), BigInteger) // 60
        return cast(extract("epoch", column), BigInteger) // 60


def minute_of(moment_at: datetime) -> int:
    """Minutes since 1970."""
    return int(moment_at.timestamp()) // 60


_NONE = Trouble(0, "")
