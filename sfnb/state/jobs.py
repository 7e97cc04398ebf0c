"""The jobs: what was asked, where it stands, who runs it, when it paused."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from sfnb.errors import CallerError
from sfnb.jobs.states import check_change
from sfnb.model import JobState, ObjectState, Pause
from sfnb.state import audit, lease, roles, schema
from sfnb.state.database import Database
from sfnb.state.job_values import Job, JobObject, SavedEvent, Wanted, job_of
from sfnb.state.lease import Lease
from sfnb.state.overlap import refuse_overlap
from sfnb.state.owner import this_process
from sfnb.state.schedule import RUN_TOKEN, link_job

CHANGEABLE = frozenset(
    {"state", "snapshot", "objects", "options", "started_at", "ended_at", "rows", "error"}
)
"""What ``Jobs.update`` may change."""

AUDITED = frozenset({"restore", "archive", "erase"})
"""Kinds of jobs that the audit log names: those that change something beside the next snapshot."""

AUDITED_COUNTS = ("restored", "archived", "deleted", "records", "files")
"""What a job found out that the audit log repeats: numbers, never a field's value."""


def _audit_line(job: Job, action: str) -> dict[str, str]:
    return {
        "kind": job.kind,
        "action": action,
        "org": job.org,
        "org_id": job.org_id,
        "subject": job.job_id,
    }


class Jobs:
    """
    All jobs of all orgs. Safe for threads and processes; what a job has spent is in
    ``Ledger.job_calls``.
    """

    def __init__(self, database: Database, lease: Lease | None = None) -> None:
        self._database = database
        self._clock = database.clock
        self._lease = lease

    def under(self, lease: Lease) -> Jobs:
        """
        The jobs for the process that holds this lease: what it writes fails once the lease is lost.
        """
        return Jobs(self._database, lease)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._database.write() as connection:
            if self._lease is not None:
                self._lease.check(connection)
            yield connection

    # -- jobs

    def create(  # noqa: PLR0917 — the columns of a job, in their order
        self,
        kind: str,
        org: str,
        org_id: str,
        options: Mapping[str, Any],
        objects: Iterable[str] | None,
        snapshot: str | None = None,
    ) -> Job:
        """
        A new job, ``queued``, kept for this process for ``LEASE_S`` seconds; run it under its
        ``lease``.

        Args:
            options: JSON values; never a secret.
            objects: names; None: all objects.

        Raises:
            CallerError: a live job of the org has an object in common.
            NotAllowed: whoever acts may not do such work.
        """
        names = None if objects is None else list(dict.fromkeys(objects))
        now = self._clock.now()
        with self._database.write() as connection:
            roles.check(connection, kind, org=org, org_id=org_id)
            self._lock_jobs(connection)
            refuse_overlap(connection, org, org_id, names, now)
            row = {
                "job_id": _new_id(connection),
                "kind": kind,
                "org": org,
                "org_id": org_id,
                "state": JobState.QUEUED,
                "snapshot": snapshot,
                "objects": names,
                "options": dict(options),
                "started_at": now,
                "rows": 0,
                **lease.new_columns(now, is_running=False),
            }
            connection.execute(insert(schema.jobs), row)
            if token := os.environ.get(RUN_TOKEN):
                link_job(connection, token, str(row["job_id"]))
            job = job_of(_row(connection, str(row["job_id"])), now)
            if kind in AUDITED:
                details = {"snapshot": snapshot, "objects": names} if snapshot or names else {}
                audit.append(
                    connection,
                    at=now,
                    **_audit_line(job, "started"),
                    details=details,
                )
            return job

    def get(self, job_id: str) -> Job:
        """
        The job of this whole id.

        Raises:
            CallerError: there is none.
        """
        with self._database.read() as connection:
            return job_of(_row(connection, job_id), self._clock.now())

    def find(self, org: str | None = None) -> list[Job]:
        """All jobs, oldest first; those of one org by its name or Organization Id."""
        table = schema.jobs
        query = select(table).order_by(table.c.started_at, table.c.job_id)
        if org is not None:
            query = query.where((table.c.org == org) | (table.c.org_id == org))
        now = self._clock.now()
        with self._database.read() as connection:
            return [job_of(row, now) for row in connection.execute(query)]

    def update(self, job_id: str, **changes: Any) -> None:
        """
        Change a job: any of ``CHANGEABLE``. Reaching a final state sets ``ended_at``; leaving one
        clears it.

        Raises:
            CallerError: there is no such job, or the state may not follow the one that it has.
        """
        unknown = changes.keys() - CHANGEABLE
        if unknown:
            raise TypeError(f"a job has no {', '.join(sorted(unknown))} to change")
        if "state" in changes:
            state = JobState(changes["state"])
            changes |= {"state": state, "ended_at": changes.get("ended_at")}
            if state.is_final:
                changes["ended_at"] = changes["ended_at"] or self._clock.now()
        if changes.get("objects") is not None:
            changes["objects"] = list(changes["objects"])
        change = update(schema.jobs).where(schema.jobs.c.job_id == job_id).values(**changes)
        with self._write() as connection:
            before = _row(connection, job_id)
            if "state" in changes:
                check_change(job_id, JobState(before.state), changes["state"])
            connection.execute(change)
            if "state" in changes and before.kind in AUDITED:
                self._audit_end(connection, job_id, changes["state"])

    def _audit_end(self, connection: Connection, job_id: str, state: JobState) -> None:
        """Note in the audit log how a job ended, with its counts."""
        if state.is_final:
            now = self._clock.now()
            job = job_of(_row(connection, job_id), now)
            counts = {key: job.outcome[key] for key in AUDITED_COUNTS if key in job.outcome}
            audit.append(connection, at=now, **_audit_line(job, state.value), details=counts)

    # -- objects

    def set_object(  # noqa: PLR0917 — the columns of an object, in their order
        self,
        job_id: str,
        object_name: str,
        state: ObjectState,
        rows: int,
        calls: int,
        message: str | None = None,
        outcome: Mapping[str, Any] | None = None,
    ) -> None:
        """What the job has of one object; replaces what was said of it before."""
        row = {
            "job_id": job_id,
            "object": object_name,
            "state": ObjectState(state),
            "rows": rows,
            "calls": calls,
            "message": message,
            "outcome": dict(outcome) if outcome else None,
        }
        with self._write() as connection:
            self._database.upsert(connection, schema.job_objects, [row])

    def add_outcome(self, job_id: str, **found: Any) -> None:
        """
        Keep what the job found out as a whole (JSON values): ``schema``, ``warnings``, ``files``,
        ``metadata``. What was kept under another name stays.
        """
        table = schema.jobs
        with self._write() as connection:
            kept = dict(_row(connection, job_id).outcome or {}) | found
            connection.execute(update(table).where(table.c.job_id == job_id).values(outcome=kept))

    def objects(self, job_id: str) -> dict[str, JobObject]:
        """The job's objects by name, sorted."""
        table = schema.job_objects
        query = select(table).where(table.c.job_id == job_id).order_by(table.c.object)
        with self._database.read() as connection:
            return {
                row.object: JobObject(
                    row.object,
                    ObjectState(row.state),
                    row.rows,
                    row.calls,
                    row.message,
                    row.outcome or {},
                )
                for row in connection.execute(query)
            }

    # -- pauses

    def add_pause(self, job_id: str, pause: Pause) -> None:
        """Note that the job pauses."""
        row = {
            "job_id": job_id,
            "api": pause.api,
            "at": pause.at,
            "resumed_at": pause.resumed_at,
            "used": pause.used,
            "max": pause.maximum,
            "reason": pause.reason,
        }
        with self._write() as connection:
            connection.execute(insert(schema.job_pauses), row)

    def end_pause(self, job_id: str, at: datetime) -> None:
        """Note that the job goes on; ends whatever pause is open."""
        table = schema.job_pauses
        change = (
            update(table)
            .where(table.c.job_id == job_id, table.c.resumed_at.is_(None))
            .values(resumed_at=at)
        )
        with self._write() as connection:
            connection.execute(change)

    def pauses(self, job_id: str) -> list[Pause]:
        """The job's pauses, oldest first."""
        table = schema.job_pauses
        query = select(table).where(table.c.job_id == job_id).order_by(table.c.id)
        with self._database.read() as connection:
            return [
                Pause(row.api, row.at, row.resumed_at, row.used, row.max, row.reason)
                for row in connection.execute(query)
            ]

    # -- events

    def add_event(self, job_id: str, at: datetime, kind: str, payload: Mapping[str, Any]) -> None:
        """Keep what happened to the job, for screens that follow it from elsewhere."""
        row = {"job_id": job_id, "at": at, "kind": kind, "told": dict(payload)}
        with self._write() as connection:
            connection.execute(insert(schema.job_events), row)

    def events(self, job_id: str, *, after: int = 0) -> list[SavedEvent]:
        """What happened to the job since event number ``after``, oldest first."""
        table = schema.job_events
        query = (
            select(table).where(table.c.job_id == job_id, table.c.id > after).order_by(table.c.id)
        )
        with self._database.read() as connection:
            return [
                SavedEvent(row.id, row.at, row.kind, row._mapping[table.c["told"]])
                for row in connection.execute(query)
            ]

    # -- asking

    def want(self, job_id: str, wanted: Wanted | None) -> None:
        """
        Ask the job to pause or to end; its runner looks between two units of work. None: nothing
        any more.
        """
        self._change(job_id, {"wanted": wanted})

    def wanted(self, job_id: str) -> Wanted | None:
        """What was asked of the job."""
        return self.get(job_id).wanted

    # -- leases

    def lease(self, job_id: str, *, is_to_end: bool = False) -> Lease:
        """
        The right to run the job. A dead process's is taken over at once, one of another host after
        it expired.

        Args:
            is_to_end: the job is only to be ended, which no other job's objects are in the way of.

        Raises:
            CallerError: another process or thread holds it, or a live job of the org has an object
                in common.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            self._lock_jobs(connection)
            row = _row(connection, job_id)
            roles.check(connection, "job", org=row.org, org_id=row.org_id)
            owner = lease.holder(row, now)
            is_ours_to_start = owner == this_process() and row.lease_token == ""
            if owner is not None and not is_ours_to_start:
                raise CallerError(
                    f"Job {job_id} is already running (process {owner.pid} on "
                    f"{owner.host.split()[0]}); wait for it, or pause or cancel it."
                )
            if not is_to_end:
                refuse_overlap(connection, row.org, row.org_id, row.objects, now, except_job=job_id)
            columns = lease.new_columns(now, is_running=True)
            connection.execute(
                update(schema.jobs).where(schema.jobs.c.job_id == job_id).values(**columns)
            )
            return Lease(self._database, job_id, str(columns["lease_token"]))

    # -- within

    def _change(self, job_id: str, values: Mapping[str, Any]) -> None:
        change = update(schema.jobs).where(schema.jobs.c.job_id == job_id).values(**values)
        with self._write() as connection:
            if self._lease is None:  # a person asks, not the process that runs it
                row = _row(connection, job_id)
                roles.check(connection, "job", org=row.org, org_id=row.org_id)
            if connection.execute(change).rowcount != 1:
                raise _no_job(job_id)

    def _lock_jobs(self, connection: Connection) -> None:
        """Who starts, runs or ends jobs does so one after another; SQLite does that by itself."""
        if not self._database.is_sqlite:
            connection.execute(text("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"))


def _new_id(connection: Connection) -> str:
    while True:
        job_id = secrets.token_hex(4)
        if (
            connection.execute(
                select(schema.jobs.c.job_id).where(schema.jobs.c.job_id == job_id)
            ).first()
            is None
        ):
            return job_id


def _row(connection: Connection, job_id: str) -> Row[Any]:
    row = connection.execute(
        select(schema.jobs).where(schema.jobs.c.job_id == job_id)
    ).one_or_none()
    if row is None:
        raise _no_job(job_id)
    return row


def _no_job(job_id: str) -> CallerError:
    return CallerError(f"There is no job {job_id!r}; `sfnb jobs` lists them.")
