"""
A job as the screen shows it. Pure, but changed in place: `apply` takes an event.

The same view is made from live events and from the state database, so a panel attached in another
process shows what the first one does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sfnb.jobs import events, states
from sfnb.jobs.event_text import line_of
from sfnb.model import JobState, ObjectState, Pause
from sfnb.state.job_values import Job
from sfnb.text import count, day_second, span, zoned_moment
from sfnb.ui.object_view import GROUPS, ObjectStatus, ObjectView

BADGES: Mapping[str, str] = {
    JobState.QUEUED: "… queued",
    JobState.RUNNING: "▶ running",
    states.INTERRUPTED: "⚡ interrupted",
    JobState.PAUSED: "‖ paused",
    JobState.COMPLETED: "✓ completed",
    JobState.COMPLETED_WITH_ERRORS: "⚠ completed with errors",
    JobState.FAILED: "✗ failed",
    JobState.CANCELLED: "■ cancelled",
}
"""A sign and a word: colour alone never says the state."""


RATE_WINDOW_S = 30.0
"""
The rate is that of the last half minute: steady enough to read, quick enough to notice a stall.
"""

LINES = 500
"""Lines that stay on the screen; the oldest go."""


@dataclass
class JobView:
    """
    A job on the screen.

    Args:
        calls: API calls, as the ledger counts them.
        wanted: a person's request that it has not obeyed yet.
        expected: when the forecast sees a paused job resume, in words.
        is_held: whether a living process runs it.
        refused: why whoever looks may not pause, resume or cancel it; empty: they may.
    """

    job_id: str
    org: str
    kind: str
    state: JobState
    started_at: datetime
    ended_at: datetime | None = None
    snapshot: str | None = None
    message: str = ""
    calls: int = 0
    wanted: str | None = None
    is_held: bool = True
    refused: str = ""
    is_planned: bool = False
    objects: dict[str, ObjectView] = field(default_factory=dict)
    pause: Pause | None = None
    threshold: int = -1
    check: events.QuotaChecked | None = None
    next_check_at: datetime | None = None
    expected: str = ""
    lines: deque[tuple[int, datetime, str]] = field(default_factory=lambda: deque(maxlen=LINES))
    line_number: int = 0
    dirty: set[str] = field(default_factory=set)
    _pace: deque[tuple[datetime, int]] = field(default_factory=deque)
    _rows: int = 0
    _expected: int = 0

    # what happened

    def apply(self, event: events.Event, *, has_line: bool = True) -> None:
        """
        Take an event; one that is older than what is known of its object changes nothing.

        Args:
            has_line: False where the event's own time is not known: a line with another time would
                be wrong.
        """
        match event:
            case events.JobPlanned():
                self._plan(event)
            case events.ObjectProgress():
                self._advance(event)
            case events.ObjectFailed():
                self._mark(event.object_name, "failed", event.message)
            case events.ObjectLeftOut():
                self._mark(event.object_name, "left_out", event.reason)
            case events.JobStateChanged():
                self._change(event)
            case events.JobPaused():
                self.pause, self.threshold, self.next_check_at = (
                    event.pause,
                    event.threshold,
                    event.next_check_at,
                )
                self.check = None
            case events.QuotaChecked():
                self.check, self.next_check_at = event, event.next_check_at
            case events.JobResumed():
                self.pause = self.check = self.next_check_at = None
        # One line for each object that is done; its progress on the way there is what the bar
        # shows.
        is_halfway = (
            isinstance(event, events.ObjectProgress) and event.state is not ObjectState.COMPLETE
        )
        # JobPaused and JobResumed follow such a change, and say it with the numbers.
        is_said_next = (
            isinstance(event, events.JobStateChanged)
            and event.state in (JobState.PAUSED, JobState.RUNNING)
            and not event.message
        )
        has_line = has_line and not is_halfway and not is_said_next
        if has_line and (text := line_of(event)) and not self._has_line(event.at, text):
            self.line_number += 1
            self.lines.append((self.line_number, event.at, text))

    def _has_line(self, at: datetime, text: str) -> bool:
        """
        Whether it is among the last lines: an event may be heard live and also read from the state.
        """
        last = (self.lines[-n] for n in range(1, min(len(self.lines), 20) + 1))
        return any(line[1:] == (at, text) for line in last)

    def take(self, job: Job, calls: int) -> bool:
        """Take the job's row from the state database; whether that was news."""
        before = self._row
        self.state, self.ended_at, self.snapshot = job.state, job.ended_at, job.snapshot
        self.calls, self.wanted, self.is_held = calls, job.wanted, job.is_held
        if job.error:
            self.message = job.error
        return before != self._row

    @property
    def _row(self) -> tuple[object, ...]:
        """What comes from the job's row in the state database."""
        ended = (self.state, self.ended_at, self.snapshot, self.message)
        return (*ended, self.calls, self.wanted, self.is_held)

    def _object(self, name: str) -> ObjectView:
        if name not in self.objects:
            self.objects[name] = ObjectView(name)
        self.dirty.add(name)
        return self.objects[name]

    def _plan(self, event: events.JobPlanned) -> None:
        self.snapshot = event.snapshot
        self.is_planned = True
        for name, expected in event.objects.items():
            shown = self._object(name)
            self._expected += max(expected or 0, shown.rows) - max(shown.expected or 0, shown.rows)
            shown.expected = expected
        for name, reason in event.left_out.items():
            self._mark(name, "left_out", reason)

    def _mark(self, name: str, status: ObjectStatus, message: str) -> None:
        shown = self._object(name)
        shown.status, shown.message = status, message

    def _advance(self, event: events.ObjectProgress) -> None:
        shown = self.objects.get(event.object_name)
        if shown is not None and shown.at is not None and event.at < shown.at:
            return
        shown = self._object(event.object_name)
        before = max(shown.expected or 0, shown.rows)
        self._rows += event.rows - shown.rows
        if shown.began_at is None or event.rows < shown.rows:
            shown.began_at, shown.began_rows = event.at, event.rows
        shown.rows, shown.calls, shown.at = event.rows, event.calls, event.at
        if event.expected_rows is not None:
            shown.expected = event.expected_rows
        self._expected += max(shown.expected or 0, shown.rows) - before
        is_complete = event.state is ObjectState.COMPLETE
        is_idle = event.state is ObjectState.UNTOUCHED and not event.rows
        shown.status = "complete" if is_complete else "waiting" if is_idle else "running"
        if is_complete:
            # The org's statistic is an estimate: rows that it promised and the object does not have
            # are not awaited.
            self._expected += shown.rows - max(shown.expected or 0, shown.rows)
            shown.expected = shown.rows
        if not self._pace or (event.at - self._pace[-1][0]).total_seconds() >= 0.5:
            self._pace.append((event.at, self._rows))
            while (event.at - self._pace[0][0]).total_seconds() > RATE_WINDOW_S and len(
                self._pace
            ) > 2:
                self._pace.popleft()

    def _change(self, event: events.JobStateChanged) -> None:
        self.state, self.message = event.state, event.message
        if event.state is not JobState.PAUSED:
            self.pause = self.check = self.next_check_at = None
        if event.state is JobState.RUNNING:
            self.wanted, self.ended_at = None, None
            self._pace.clear()
        if event.state.is_final:
            self.ended_at = event.at

    # words

    @property
    def counts(self) -> dict[ObjectStatus, int]:
        """How many objects stand where."""
        found: dict[ObjectStatus, int] = dict.fromkeys(GROUPS, 0)
        for shown in self.objects.values():
            found[shown.status] += 1
        return found

    @property
    def share(self) -> float | None:
        """
        The part of the job that is done, 0 to 1; by rows, or by objects where no rows are expected.
        """
        if self.state in (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS):
            return 1.0
        if not self.is_planned:
            return None if self.state is JobState.RUNNING and self.is_held else 0.0
        if self._expected:
            return min(0.99, self._rows / self._expected)
        counts = self.counts
        return min(0.99, counts["complete"] / max(1, len(self.objects) - counts["left_out"]))

    @property
    def rate(self) -> float | None:
        """Rows per second over the last half minute; None while paused or too short."""
        if self.state is not JobState.RUNNING or len(self._pace) < 2:
            return None
        (first_at, first), (last_at, last) = self._pace[0], self._pace[-1]
        seconds = (last_at - first_at).total_seconds()
        return (last - first) / seconds if seconds > 0 and last > first else None

    def overall(self) -> str:
        """The whole job in a sentence."""
        counts = self.counts
        todo = len(self.objects) - counts["left_out"]
        if not self.is_planned and not self.objects:
            is_preparing = self.state is JobState.RUNNING and self.is_held
            return "preparing: asking the org which objects it has" if is_preparing else ""
        parts = [
            f"{counts['complete']:,} of {count(todo, 'object')}",
            count(self._rows, "record"),
            count(self.calls, "API call"),
        ]
        if counts["failed"]:
            parts.append(f"{counts['failed']:,} failed")
        if rate := self.rate:
            parts.append(f"{rate:,.0f} records/s")
            if self._expected > self._rows:
                parts.append(f"about {span((self._expected - self._rows) / rate)} left")
        if self.ended_at is not None:
            parts.append(f"took {span((self.ended_at - self.started_at).total_seconds())}")
        return ", ".join(parts)

    def pause_lines(self) -> list[str]:
        """
        While paused: why, usage against the limit, the next check, when it resumes. Else nothing.
        """
        if self.state is not JobState.PAUSED:
            return []
        if self.pause is None:
            return ["Paused by a person. Nothing is sent until you press Resume."]
        lines = [f"Paused since {zoned_moment(self.pause.at)}: {self.pause.reason}"]
        if self.pause.api in (events.ORG, events.STATE):
            who = "org" if self.pause.api == events.ORG else "state database"
            if self.is_held:
                lines.append(f"The job resumes automatically once the {who} answers.")
        else:
            lines += self._usage_lines(self.pause)
        if not self.is_held:
            lines.append("No process is running this job. Press Resume, or run `sfnb resume`.")
        return lines

    def _usage_lines(self, pause: Pause) -> list[str]:
        there = self.check or pause
        lines = [
            f"Usage of the whole org: {count(there.used)} of {count(there.maximum)}; jobs stop at "
            f"{count(self.threshold)}."
        ]
        mark = f"below {self.check.lower_mark:,}" if self.check else "well below that"
        if self.next_check_at is not None and self.is_held:
            lines.append(
                f"Next check at {zoned_moment(self.next_check_at)}. The job resumes automatically "
                f"once usage is {mark}; raising the limit resumes it at once."
            )
            if self.expected:
                lines.append(self.expected)
        return lines

    def status_line(self) -> str:
        """
        What the state alone does not say: a request in flight, or that no process runs the job.
        """
        if self.wanted == "cancel":
            return "Cancelling: the job ends as soon as the calls in flight have returned."
        if self.wanted == "pause" and self.state is not JobState.PAUSED:
            return "Pausing: the job pauses as soon as the calls in flight have returned."
        if self.shown_state == states.INTERRUPTED:
            return "The process of this job is gone. Press Resume: it continues where it stopped, in the same snapshot."
        return "" if self.state is JobState.PAUSED else self.message

    @property
    def shown_state(self) -> str:
        """The job's state, or ``interrupted`` where its process is gone."""
        return states.shown(self.state, is_held=self.is_held)

    @property
    def may(self) -> dict[str, bool]:
        """Which buttons do something now."""
        is_over = self.state.is_final
        waits_for_calls = self.state is JobState.PAUSED and self.is_held and self.pause is not None
        return {
            "pause": not is_over
            and self.is_held
            and self.state is JobState.RUNNING
            and self.wanted is None,
            "resume": self.state is JobState.FAILED
            or (not is_over and not self.is_held)
            or (self.state is JobState.PAUSED and (not waits_for_calls or self.wanted == "pause"))
            or (self.wanted == "pause"),
            "cancel": not is_over and self.wanted != "cancel",
        }

    def head(self) -> dict[str, Any]:
        """All but objects and lines, as JSON."""
        counts = self.counts
        began = f"{self.kind} of {self.org}, started {zoned_moment(self.started_at)}"
        return {
            "title": f"Job {self.job_id}",
            "about": began + (f", snapshot {self.snapshot}" if self.snapshot else ""),
            "state": self.shown_state,
            "badge": BADGES[self.shown_state],
            "share": self.share,
            "overall": self.overall(),
            "pause": self.pause_lines(),
            "says": self.status_line(),
            "may": self.may if not self.refused else dict.fromkeys(self.may, False),
            "refused": self.refused,
            "counts": counts,
            "titles": {kind: f"{counts[kind]:,} {self._title(kind)}" for kind in GROUPS},
        }

    def _title(self, kind: ObjectStatus) -> str:
        # While the job rests, nothing runs.
        runs = self.state is JobState.RUNNING and self.is_held
        return GROUPS[kind].title if runs or kind != "running" else "begun"

    def lines_after(self, after: int = 0) -> list[list[Any]]:
        """Lines since number ``after``: ``[number, moment, text]``."""
        return [[number, day_second(at), text] for number, at, text in self.lines if number > after]
