"""
The service: looks every second at what is due, what was paused and what was lost.

It decides from the state database alone, so it may be killed at any time, and several of them may
share one database. What runs is a process of its own (`sfnb.schedule.starting`) that writes how it
ended by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from sfnb.clock import Clock
from sfnb.engine import EXIT_CODES
from sfnb.errors import CallerError, SfnbError, StateUnavailable
from sfnb.jobs import states
from sfnb.memory import State
from sfnb.schedule.cron import Cron, missed, parse_cron
from sfnb.state.job_values import Job
from sfnb.state.schedule_values import PAUSED, Due, Entry, ScheduledRun, is_lost

LOOK_S = 1.0
"""Entries that others add or change are seen after so long."""

MOST_AT_ONCE = 32
"""Commands that one service runs at a time; what is due meanwhile waits for its turn."""

AT_ONCE, IN_ALL = 10, 20
"""
A lost run is started again at once so many times, then at the interval of paused ones, and after so
many times in all it counts as failed: something ends it every time.
"""

JOB_LOOK = timedelta(seconds=60)
"""When a run is looked at again whose job another process runs."""

KEEP = timedelta(days=400)
"""How long the lines of runs are kept."""


class Child(Protocol):
    """A started command."""

    def is_over(self) -> bool: ...

    def stop(self) -> None:
        """Ask it to end soon."""


Start = Callable[[ScheduledRun | Entry, str], Child]
"""Starts the command of a token that was just claimed."""


class Service:
    """
    One running service. ``run`` it on one thread; ``is_well`` may be asked on any.

    Args:
        start: starts a command; what it raises as SfnbError ends that run with exit code 1.
        poll_s: seconds until a paused run is tried again.
        say: takes a line for whoever reads the service's output.
    """

    def __init__(
        self,
        state: State,
        start: Start,
        *,
        poll_s: float,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._state = state
        self._book = state.schedule
        self._clock: Clock = state.database.clock
        self._start = start
        self._poll = timedelta(seconds=poll_s)
        self._say = say
        self._children: dict[str, Child] = {}
        self._crons: dict[tuple[str, str], Cron | None] = {}
        self._next: dict[tuple[str, str, str, datetime], datetime | None] = {}
        self._forgot_at: datetime | None = None
        self._looked_s = self._clock.monotonic()
        self._trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; then let go of the commands as `let_go` does."""
        while not stop.is_set():
            wait_s = self.look_patiently()
            self._clock.wait(wait_s, stop)

    def look_patiently(self) -> float:
        """`look`, and a state database that does not answer is waited for."""
        try:
            wait_s = self.look()
        except StateUnavailable as err:
            if str(err) != self._trouble:
                self._say(f"{err} The schedule waits for it.")
            self._trouble = str(err)
            return LOOK_S
        if self._trouble:
            self._say("The state database answers again.")
        self._trouble = ""
        self._looked_s = self._clock.monotonic()
        return wait_s

    @property
    def seconds_since_look(self) -> float:
        """Since the last look that worked."""
        return self._clock.monotonic() - self._looked_s

    def look(self) -> float:
        """
        Start what is due now, once; seconds until the next look is worth it.

        Raises:
            StateUnavailable: what was claimed stays claimed, and is found by the next look.
        """
        # Before the lines are read: a child that ended now has written its line already.
        over = {token for token, child in self._children.items() if child.is_over()}
        opened = self._book.open_runs()
        entries = self._book.entries()
        names = {entry.name for entry in entries}
        for run in opened:
            self._tend(run, over, has_entry=run.name in names)
        for token in over:
            self._children.pop(token, None)
        due = [(found.run_at, entry, found) for entry in entries if (found := self._due(entry))]
        for _, entry, found in sorted(due, key=lambda one: (one[0], one[1].name)):
            if len(self._children) >= MOST_AT_ONCE:
                break
            claimed = self._book.claim(entry, found)
            if claimed is not None:
                self._begin(entry, claimed)
        self._forget()
        return self._until_next(entries)

    def let_go(self, patience_s: float = 20.0) -> int:
        """
        Ask the commands that this service started to end, and wait for them; how many still run.
        They pause their jobs, and the next service resumes those.
        """
        for child in self._children.values():
            child.stop()
        waited_s = 0.0
        while waited_s < patience_s and any(not c.is_over() for c in self._children.values()):
            self._clock.wait(0.1)
            waited_s += 0.1
        return sum(not child.is_over() for child in self._children.values())

    # -- what is open

    def _tend(self, run: ScheduledRun, over: set[str], *, has_entry: bool) -> None:
        now = self._clock.now()
        lost = run.is_running and (run.token in over or is_lost(run, now))
        is_waiting = run.again_at is not None
        # While it waits, too: a person may have resumed its job, and what is due next is not refused
        # for half an hour more.
        job = self._job(run.job_id) if run.job_id and (lost or is_waiting) else None
        if job is not None and not job.is_held and not states.may_resume(job.state):
            self._book.settle(run, EXIT_CODES[job.state], "its job was ended by another process")
            return
        if not lost and not (run.again_at is not None and run.again_at <= now):
            return
        if not has_entry and not lost:
            self._book.settle(run, PAUSED, "not tried again: the entry was removed")
            return
        if job is not None and job.is_held:
            note = f"job {job.job_id} runs in another process"
            self._book.put_off(run, now + JOB_LOOK, note, is_lost=False)
            return
        if job is not None and job.wanted == "pause":
            note = f"job {job.job_id} was paused by a person; `sfnb resume` continues it"
            self._book.put_off(run, now + JOB_LOOK, note, is_lost=False)
            return
        self._try_again(run, now, is_lost=lost)

    def _try_again(self, run: ScheduledRun, now: datetime, *, is_lost: bool) -> None:
        note = run.note
        if is_lost:
            lost = run.interruptions + 1
            note = "interrupted and started again" + (f" ({lost} times)" if lost > 1 else "")
            if lost > IN_ALL:
                self._book.settle(run, 1, f"given up: interrupted {lost} times")
                return
            if lost > AT_ONCE:
                self._book.put_off(run, now + self._poll, note, is_lost=True)
                return
        if len(self._children) >= MOST_AT_ONCE:
            return
        token = self._book.try_again(run, is_lost=is_lost, note=note)
        if token is not None:
            self._begin(run, token)

    def _job(self, job_id: str) -> Job | None:
        try:
            return self._state.jobs.get(job_id)
        except CallerError:
            return None

    def _begin(self, what: ScheduledRun | Entry, token: str) -> None:
        try:
            self._children[token] = self._start(what, token)
        except SfnbError as err:
            self._book.finish(token, 1, note=f"not started: {err}")
            self._say(f"{what.name} was not started: {err}")
            return
        self._say(f"{what.name}: sfnb {' '.join(what.command)}")

    # -- what is due

    def _due(self, entry: Entry) -> Due | None:
        now = self._clock.now()
        cron = self._cron(entry)
        if cron is None:
            return None
        if entry.settled_until > now:
            if entry.settled_until > now + timedelta(seconds=5):
                self._book.rewind(entry.name, now)
            return None
        following = self._next_of(entry, cron)
        if following is None or following > now:
            return None
        found, has_more = missed(cron, entry.settled_until, now)
        if not found:
            return None
        note = "catches up what was missed" if len(found) > 1 else ""
        if has_more:
            note += f", also before {found[0]:%Y-%m-%d %H:%M} UTC"
        return Due(found[-1], found[:-1], note)

    def _cron(self, entry: Entry) -> Cron | None:
        key = entry.cron, entry.tz
        if key not in self._crons:
            try:
                self._crons[key] = parse_cron(*key)
            except CallerError as err:  # of a newer sfnb, or a time zone that this host lacks
                self._crons[key] = None
                self._say(f"{entry.name} is left out: {err}")
        return self._crons[key]

    def _next_of(self, entry: Entry, cron: Cron) -> datetime | None:
        key = entry.name, entry.cron, entry.tz, entry.settled_until
        if key not in self._next:
            if len(self._next) > 10_000:
                self._next.clear()
            self._next[key] = cron.next_after(entry.settled_until)
        return self._next[key]

    def _until_next(self, entries: list[Entry]) -> float:
        now, wait_s = self._clock.now(), LOOK_S
        for entry in entries:
            cron = self._cron(entry)
            due = self._next_of(entry, cron) if cron else None
            # What was claimed just now has moved on; the next look will see that.
            if due is not None and due > now:
                wait_s = min(wait_s, (due - now).total_seconds())
        return max(wait_s, 0.0)

    def _forget(self) -> None:
        now = self._clock.now()
        if self._forgot_at is None or now - self._forgot_at > timedelta(days=1):
            self._book.forget(now - KEEP)
            self._forgot_at = now
