"""Events for a job's view where nobody has heard them live: what the state database knows beyond it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sfnb.jobs import events
from sfnb.model import ObjectState
from sfnb.state.job_values import Job, JobObject
from sfnb.ui.job_view import JobView


def progress_of(
    job: Job, entries: Iterable[JobObject], at: datetime, known: JobView
) -> list[events.Event]:
    """Events for what the state database knows of the job's objects and ``known`` does not."""
    found: list[events.Event] = []
    for entry in entries:
        shown = known.objects.get(entry.object_name)
        if entry.message and entry.state is not ObjectState.COMPLETE:
            if shown is None or shown.status not in ("failed", "left_out"):
                is_left_out = entry.outcome.get("left_out")
                kind = events.ObjectLeftOut if is_left_out else events.ObjectFailed
                found.append(kind(job.job_id, at, entry.object_name, entry.message))
            continue
        expected = shown.expected if shown else None
        states_by_status = {"complete": ObjectState.COMPLETE, "running": ObjectState.PARTIAL}
        seen = (
            (states_by_status.get(shown.status, ObjectState.UNTOUCHED), shown.rows, shown.calls)
            if shown
            else None
        )
        # Those in the recycle bin are counted, as in the events of a running job.
        rows = max(entry.rows, entry.outcome.get("our_count") or 0)
        if seen != (entry.state, rows, entry.calls):
            found.append(
                events.ObjectProgress(
                    job.job_id,
                    at,
                    entry.object_name,
                    entry.state,
                    rows,
                    expected,
                    entry.calls,
                )
            )
    return found
