"""A scheduled command and its runs, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sfnb.state.owner import Owner, is_alive, this_process

PAUSED = 75

HOLD_S = 60.0
"""For how long a run belongs to a process that nobody can look at, unless it renews."""

FREE = dict.fromkeys(("token", "host", "pid", "pid_started_s", "until"))
"""Of a line that is no process's."""


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """
    What became of one due time.

    Args:
        command: the words after `sfnb`.
        exit_code: None while it runs; 75 also while it waits to be tried again.
        note: why it did not simply run, in words; empty: it did.
        covered_by: the due time of the run that caught this one up, because both were missed.
        is_open: it runs, or is to be tried again.
        again_at: when it is tried again; None: it runs or is over.
        interruptions: how often its process was lost.
        token: of the attempt; None: nobody's.
        owner: whose it is: of the service until the command's own process has taken it.
        until: when another host may take it for lost.
    """

    name: str
    due_at: datetime
    command: tuple[str, ...]
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    job_id: str | None
    note: str
    covered_by: datetime | None
    is_open: bool
    again_at: datetime | None
    attempts: int
    interruptions: int
    token: str | None
    owner: Owner | None
    until: datetime | None

    @property
    def is_running(self) -> bool:
        return self.is_open and self.again_at is None


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A scheduled command.

    Args:
        settled_until: due times up to here have their line.
        last: the run with the newest due time.
    """

    name: str
    cron: str
    tz: str
    command: tuple[str, ...]
    added_at: datetime
    settled_until: datetime
    last: ScheduledRun | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """
    What is due of one entry now.

    Args:
        run_at: the due time to run for: the newest.
        missed: earlier ones that nobody ran; this run catches them up.
        note: for the run's line, where something is to be said.
    """

    run_at: datetime
    missed: Sequence[datetime] = ()
    note: str = ""


def run_of(row: Any) -> ScheduledRun:
    """The run in a row of ``schedule_runs``."""
    owner = None if row.pid is None else Owner(row.host, row.pid, row.pid_started_s)
    return ScheduledRun(
        name=row.name,
        due_at=row.due_at,
        command=tuple(row.command),
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_code=row.exit_code,
        job_id=row.job_id,
        note=row.note,
        covered_by=row.covered_by,
        is_open=row.is_open,
        again_at=row.again_at,
        attempts=row.attempts,
        interruptions=row.interruptions,
        token=row.token,
        owner=owner,
        until=row.until,
    )


def stamp(at: datetime) -> str:
    """A due time as lines and file names have it: ``2026-11-03T02:00:00Z``."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def new_line(entry: Entry, due: Due, now: datetime) -> dict[str, Any]:
    """The columns of a line of what is due, but for its due time; it belongs to no process."""
    return {
        **FREE,
        "name": entry.name,
        "command": list(entry.command),
        "claimed_at": now,
        "started_at": None,
        "ended_at": None,
        "exit_code": None,
        "job_id": None,
        "note": due.note,
        "covered_by": None,
        "is_open": False,
        "again_at": None,
        "attempts": 0,
        "interruptions": 0,
    }


def owned(now: datetime) -> dict[str, Any]:
    """The columns of a line that is this process's from now on."""
    owner = this_process()
    return {
        "host": owner.host,
        "pid": owner.pid,
        "pid_started_s": owner.pid_started_s,
        "until": now + timedelta(seconds=HOLD_S),
    }


def is_lost(run: ScheduledRun, now: datetime) -> bool:
    """Whether the process that a run belongs to is gone."""
    if run.owner is None:
        return run.again_at is None
    alive = is_alive(run.owner)
    return alive is False or (alive is None and (run.until is None or run.until <= now))


def refusal_by(run: ScheduledRun) -> str:
    """Why a due time is not run while this run is open."""
    state = "is paused" if run.again_at is not None else "still runs"
    return f"refused: the run due at {stamp(run.due_at)} {state}"
