"""A job's events in words: lines for a terminal, a log or a notebook that nobody watches."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TextIO

from sfnb.jobs import events
from sfnb.jobs.resuming import USAGE_FELL
from sfnb.model import JobWarning, ObjectState
from sfnb.text import count, second


def line_of(event: events.Event) -> str | None:  # noqa: PLR0911 - a table
    """The event in words, or None if it is not worth a line."""
    match event:
        case events.JobPlanned():
            rows = sum(n or 0 for n in event.objects.values())
            left = f", {len(event.left_out)} cannot be queried" if event.left_out else ""
            # Of what has changed since the last backup nobody knows the number beforehand.
            about = f", about {count(rows, 'record')}" if rows else ""
            where = f"snapshot {event.snapshot}: " if event.snapshot else ""  # an erasure has none
            return f"{where}{count(len(event.objects), 'object')}{about}{left}"
        case events.ObjectProgress(state=ObjectState.COMPLETE):
            return f"{event.object_name}: {count(event.rows, 'record')}, complete"
        case events.ObjectProgress() if event.rows:
            return f"{event.object_name}: {count(event.rows, 'record')} so far"
        case events.ObjectFailed():
            return f"failed: {event.message}"
        case events.ObjectLeftOut():
            return f"left out: {event.object_name}: {event.reason}"
        case events.JobWarned():
            return f"warning: {JobWarning(event.code, event.object_name, event.message).text}"
        case events.JobPaused():
            when = f" Next check at {second(event.next_check_at)}." if event.next_check_at else ""
            return f"paused: {event.pause.reason}{when}"
        case events.QuotaChecked():
            goal = f"resumes below {event.lower_mark:,}"
            return f"still paused: {event.api} {event.used:,} of {event.maximum:,} used; {goal}"
        case events.JobResumed():
            return f"resumed: {event.reason or USAGE_FELL}"
        case events.JobStateChanged():
            why = f": {event.message}" if event.message else ""
            return f"{event.state.value.replace('_', ' ')}{why}"
        case _:
            return None


PROGRESS_S = 30.0
"""Between two lines on one object that is still being read: a log is no bar."""


class Lines:
    """
    A line for each event worth one; of an object's progress one in half a minute. Safe for threads.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._said_at: dict[str, datetime] = {}

    def __call__(self, event: events.Event) -> None:
        text = line_of(event)
        if text and not is_repeated_by_next(event):
            with self._lock:
                if not self._is_chatter(event):
                    print(f"{second(event.at)} {text}", file=self._out, flush=True)

    def _is_chatter(self, event: events.Event) -> bool:
        if not isinstance(event, events.ObjectProgress) or event.state is ObjectState.COMPLETE:
            return False
        last = self._said_at.get(event.object_name)
        if last is not None and abs((event.at - last).total_seconds()) < PROGRESS_S:
            return True
        self._said_at[event.object_name] = event.at
        return False

    def close(self) -> None:
        """Nothing to end."""


def is_repeated_by_next(event: events.Event) -> bool:
    """Whether the event that follows says the same and more."""
    # JobPaused and JobResumed say it with the numbers; what made the job fail is the command's last
    # sentence.
    if not isinstance(event, events.JobStateChanged):
        return False
    return event.state == "failed" or (event.state in ("paused", "running") and not event.message)
