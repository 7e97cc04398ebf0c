"""
The schedule: entries, and one line for each due time.

Who runs a due time is decided by inserting its line: the key (name, due time) lets one succeed,
however many services share the database and however often they are killed. The line then belongs to
an attempt, by a token that only the newest attempt has: a process that was lost and comes back
finds its token gone and runs nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from sfnb.errors import CallerError
from sfnb.state import audit, roles, schema
from sfnb.state.database import Database, insert_into
from sfnb.state.schedule_values import (
    FREE,
    HOLD_S,
    PAUSED,
    Due,
    Entry,
    ScheduledRun,
    new_line,
    owned,
    refusal_by,
    run_of,
    stamp,
)

AHEAD = timedelta(hours=1)
"""A line that was written so much later than now was written by a clock that was wrong."""

RUN_TOKEN = "SFNB_RUN_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable by which a job, in a notebook's kernel too, knows the run that it is of."""

entries, runs = schema.schedule_entries.c, schema.schedule_runs.c


class ScheduleBook:
    """Entries and runs. Safe for threads, processes and hosts that share the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = database.clock

    # -- entries

    def add(
        self, name: str, *, cron: str, tz: str, command: Sequence[str], replaces: bool = False
    ) -> Entry:
        """
        A new entry, due from now on; audited.

        Raises:
            CallerError: the name is taken, and not ``replaces``.
            NotAllowed: whoever asks may not do what the command does.
        """
        now = self._clock.now()
        values = {"cron": cron, "tz": tz, "command": list(command), "settled_until": now}
        with self._database.write() as connection:
            # The service runs it in its own name: nobody schedules what they may not do themselves.
            roles.check(connection, _deed(command))
            before = self._entry_row(connection, name)
            if before is not None and not replaces:
                raise CallerError(
                    f"{name} is scheduled already; give --replace, or choose another name."
                )
            if before is None:
                row = {"name": name, "added_at": now, **values}
                connection.execute(insert(schema.schedule_entries), row)
            else:
                change = update(schema.schedule_entries).where(entries.name == name)
                connection.execute(change.values(**values))
            self._log(
                connection,
                name,
                "added" if before is None else "replaced",
                {"cron": cron, "tz": tz, "command": " ".join(command)},
            )
        return self.entry(name)

    def remove(self, name: str) -> Entry:
        """
        Take an entry away; its runs stay. What it was.

        Raises:
            CallerError: there is none of that name.
        """
        found = self.entry(name)
        with self._database.write() as connection:
            table = schema.schedule_entries
            connection.execute(table.delete().where(entries.name == name))
            self._log(connection, name, "removed", {"command": " ".join(found.command)})
        return found

    def entry(self, name: str) -> Entry:
        """
        One entry.

        Raises:
            CallerError: there is none of that name.
        """
        found = [entry for entry in self.entries() if entry.name == name]
        if not found:
            raise CallerError(f"{name} is not scheduled; `sfnb schedule list` shows what is.")
        return found[0]

    def entries(self) -> list[Entry]:
        """All entries by name, with their last run."""
        newest = select(runs.name, func.max(runs.due_at).label("due_at")).group_by(runs.name)
        sub = newest.subquery()
        last = select(schema.schedule_runs).join(
            sub, (runs.name == sub.c.name) & (runs.due_at == sub.c.due_at)
        )
        with self._database.read() as connection:
            rows = connection.execute(select(schema.schedule_entries).order_by(entries.name)).all()
            ran = {row.name: run_of(row) for row in connection.execute(last)}
        return [
            Entry(
                row.name,
                row.cron,
                row.tz,
                tuple(row.command),
                row.added_at,
                row.settled_until,
                ran.get(row.name),
            )
            for row in rows
        ]

    # -- runs

    def runs(self, name: str | None = None) -> list[ScheduledRun]:
        """All lines, oldest first; those of one entry."""
        query = select(schema.schedule_runs).order_by(runs.due_at, runs.name)
        if name is not None:
            query = query.where(runs.name == name)
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(query)]

    def open_runs(self) -> list[ScheduledRun]:
        """Those that run or wait to be tried again, oldest first."""
        query = select(schema.schedule_runs).where(runs.is_open).order_by(runs.due_at, runs.name)
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(query)]

    def claim(self, entry: Entry, due: Due) -> str | None:
        """
        Write the lines of what is due; the token of the run that is now this process's to start.

        None: another service was quicker, the entry was changed, or its last run is still open,
        which then stands in the lines.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            row = self._entry_row(connection, entry.name)
            if row is None or (row.cron, row.tz, tuple(row.command)) != (
                entry.cron,
                entry.tz,
                entry.command,
            ):
                return None
            busy = connection.execute(
                select(schema.schedule_runs).where(runs.name == entry.name, runs.is_open)
            ).first()
            token = secrets.token_hex(8)
            line = new_line(entry, due, now)
            if busy is not None:
                refused = {"ended_at": now, "exit_code": PAUSED, "note": refusal_by(run_of(busy))}
                for at in (*due.missed, due.run_at):
                    if self._insert(connection, {**line, **refused, "due_at": at}):
                        self._log(connection, entry.name, "refused", {"due_at": stamp(at)})
                is_mine = False
            else:
                mine = {"is_open": True, "token": token, **owned(now), "due_at": due.run_at}
                is_mine = self._insert(connection, {**line, **mine})
                caught_up = {"note": "missed; caught up by the next run", "covered_by": due.run_at}
                for at in due.missed:
                    self._insert(connection, {**line, **caught_up, "due_at": at})
            change = update(schema.schedule_entries).where(entries.name == entry.name)
            connection.execute(change.values(settled_until=due.run_at))
        return token if is_mine else None

    def _insert(self, connection: Connection, line: dict[str, Any]) -> bool:
        """Whether the line is new."""
        table = schema.schedule_runs
        # Counted by what comes back: drivers do not agree on rowcount here.
        statement = insert_into(self._database.dialect, table).values(**line)
        added = connection.execute(statement.on_conflict_do_nothing().returning(table.c.due_at))
        if added.first() is not None:
            return True
        # A clock that was a year ahead for a minute must not silence the schedule for a year.
        replaced = (
            update(table)
            .where(
                runs.name == line["name"],
                runs.due_at == line["due_at"],
                runs.claimed_at > line["claimed_at"] + AHEAD,
                ~runs.is_open,
            )
            .values(**line)
        )
        return connection.execute(replaced).rowcount == 1

    def try_again(self, run: ScheduledRun, *, is_lost: bool, note: str = "") -> str | None:
        """
        The token of one more attempt, this process's to start; None: another service was quicker.

        Args:
            is_lost: the last attempt's process is gone.
        """
        now, token = self._clock.now(), secrets.token_hex(8)
        values = {
            "token": token,
            **owned(now),
            "again_at": None,
            "ended_at": None,
            "exit_code": None,
            "interruptions": run.interruptions + is_lost,
            "note": note or run.note,
        }
        with self._database.write() as connection:
            changed = connection.execute(self._as_seen(run).values(**values)).rowcount
        return token if changed == 1 else None

    def put_off(self, run: ScheduledRun, again_at: datetime, note: str, *, is_lost: bool) -> None:
        """Try a run again later; nothing if another service has taken it."""
        values = {
            **FREE,
            "again_at": again_at,
            "ended_at": self._clock.now(),
            "exit_code": PAUSED,
            "interruptions": run.interruptions + is_lost,
            "note": note,
        }
        with self._database.write() as connection:
            connection.execute(self._as_seen(run).values(**values))

    def settle(self, run: ScheduledRun, exit_code: int, note: str) -> None:
        """End a run that has no process; nothing if another service has taken it."""
        with self._database.write() as connection:
            self._end(connection, self._as_seen(run), run, exit_code, note)

    def take(self, token: str) -> ScheduledRun | None:
        """
        The run, now this process's; None: the attempt is not the newest any more, so run nothing.
        """
        now = self._clock.now()
        take = (
            update(schema.schedule_runs)
            .where(runs.token == token, runs.is_open)
            .values(
                **owned(now),
                started_at=func.coalesce(runs.started_at, now),
                attempts=runs.attempts + 1,
            )
        )
        with self._database.write() as connection:
            if connection.execute(take).rowcount != 1:
                return None
            query = select(schema.schedule_runs).where(runs.token == token)
            return run_of(connection.execute(query).one())

    def renew(self, token: str) -> bool:
        """Keep a run for another ``HOLD_S`` seconds; False: it is another attempt's now."""
        until = self._clock.now() + timedelta(seconds=HOLD_S)
        change = update(schema.schedule_runs).where(runs.token == token).values(until=until)
        with self._database.write() as connection:
            return connection.execute(change).rowcount == 1

    def finish(
        self, token: str, exit_code: int, *, again_at: datetime | None = None, note: str = ""
    ) -> bool:
        """
        Write how an attempt ended; False: it was another's by then.

        Args:
            again_at: the run stays open and is tried again then.
        """
        with self._database.write() as connection:
            row = connection.execute(
                select(schema.schedule_runs).where(runs.token == token, runs.is_open)
            ).first()
            if row is None:
                return False
            mine = update(schema.schedule_runs).where(runs.token == token)
            self._end(connection, mine, run_of(row), exit_code, note, again_at=again_at)
            return True

    def _end(
        self,
        connection: Connection,
        whose: Any,
        run: ScheduledRun,
        exit_code: int,
        note: str,
        *,
        again_at: datetime | None = None,
    ) -> None:
        ended = {"ended_at": self._clock.now(), "exit_code": exit_code}
        is_open = again_at is not None
        values = {**FREE, **ended, "is_open": is_open, "again_at": again_at, "note": note}
        if connection.execute(whose.values(**values)).rowcount != 1 or is_open:
            return
        job_id = connection.execute(
            select(runs.job_id).where(runs.name == run.name, runs.due_at == run.due_at)
        ).scalar()
        covered = update(schema.schedule_runs).where(
            runs.name == run.name, runs.covered_by == run.due_at
        )
        began = {"started_at": run.started_at, "job_id": job_id}
        connection.execute(covered.values(**ended, **began))
        details = {"due_at": stamp(run.due_at), "exit_code": exit_code, "job_id": job_id or ""}
        # The names of ends, which whoever runs the service may write.
        action = {0: "completed", PAUSED: "paused"}.get(exit_code, "failed")
        self._log(connection, run.name, action, details)

    def rewind(self, name: str, to: datetime) -> None:
        """
        Look at due times from ``to`` on again: the clock was ahead. Those that have a line keep it.
        """
        change = update(schema.schedule_entries).where(
            entries.name == name, entries.settled_until > to
        )
        with self._database.write() as connection:
            connection.execute(change.values(settled_until=to))

    def forget(self, before: datetime) -> int:
        """Remove the lines of due times before this moment that are over; how many."""
        table = schema.schedule_runs
        with self._database.write() as connection:
            gone = connection.execute(table.delete().where(runs.due_at < before, ~runs.is_open))
            return gone.rowcount

    # -- what all of it uses

    def _entry_row(self, connection: Connection, name: str) -> Any:
        query = select(schema.schedule_entries).where(entries.name == name).with_for_update()
        return connection.execute(query).first()

    def _as_seen(self, run: ScheduledRun) -> Any:
        """
        The run's line, if nobody has changed whose it is: neither by another attempt, nor by this
        attempt's own process, which may take it between our look and this.
        """
        token = runs.token.is_(None) if run.token is None else runs.token == run.token
        pid = runs.pid.is_(None) if run.owner is None else runs.pid == run.owner.pid
        return update(schema.schedule_runs).where(
            runs.name == run.name, runs.due_at == run.due_at, runs.is_open, token, pid
        )

    def _log(self, connection: Connection, name: str, action: str, details: dict[str, Any]) -> None:
        audit.append(
            connection,
            at=self._clock.now(),
            org="",
            org_id="",
            kind="schedule",
            action=action,
            subject=name,
            details=details,
        )


def _deed(command: Sequence[str]) -> str:
    """What the command needs a role for, beyond changing the schedule."""
    if list(command[:2]) == ["hold", "remove"]:
        return "hold removed"
    return {"prune": "prune", "erase": "erase", "team": "role"}.get(command[0], "schedule")


def link_job(connection: Connection, token: str, job_id: str) -> None:
    """Note, as a job is created, that it is the work of this scheduled run."""
    change = update(schema.schedule_runs).where(runs.token == token)
    connection.execute(change.values(job_id=job_id))
