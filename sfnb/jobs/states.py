"""Which state of a job may follow which. Pure; whoever writes a state asks here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfnb.errors import CallerError
from sfnb.model import JobState

_ENDINGS = frozenset(
    {
        JobState.COMPLETED,
        JobState.COMPLETED_WITH_ERRORS,
        JobState.FAILED,
        JobState.CANCELLED,
    }
)

MAY_FOLLOW: Mapping[JobState, frozenset[JobState]] = {
    # Paused: an org over its limit lets a job not even begin.
    JobState.QUEUED: frozenset(
        {JobState.RUNNING, JobState.PAUSED, JobState.FAILED, JobState.CANCELLED}
    ),
    # Running follows running when a job is resumed whose process was killed.
    JobState.RUNNING: frozenset({JobState.RUNNING, JobState.PAUSED}) | _ENDINGS,
    # Paused follows paused when the user stops a process that waits.
    JobState.PAUSED: frozenset(
        {JobState.RUNNING, JobState.PAUSED, JobState.FAILED, JobState.CANCELLED}
    ),
    # What a failed job has stored stays good, so it can be resumed or given up.
    JobState.FAILED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    # The snapshots of these are sealed.
    JobState.COMPLETED: frozenset(),
    JobState.COMPLETED_WITH_ERRORS: frozenset(),
    JobState.CANCELLED: frozenset(),
}


INTERRUPTED = "interrupted"
"""
What is shown of a job that ought to run and whose process is gone: killed, or a kernel restarted.
Never stored.
"""


def is_interrupted(state: JobState, *, is_held: bool) -> bool:
    """Whether the job ought to run but no process runs it."""
    return state in (JobState.RUNNING, JobState.QUEUED) and not is_held


def shown(state: JobState, *, is_held: bool) -> str:
    """
    The state as people see it. Programs read the stored state, and ``interrupted`` beside it.

    Args:
        is_held: whether a living process runs the job, or has just created it.
    """
    return INTERRUPTED if is_interrupted(state, is_held=is_held) else state.value


def shown_of(summary: Mapping[str, Any]) -> str:
    """The state in a job's summary, as people see it."""
    return INTERRUPTED if summary.get("interrupted") else str(summary["state"])


def may_follow(now: JobState, then: JobState) -> bool:
    """Whether a job in state ``now`` may go to ``then``."""
    return then in MAY_FOLLOW[now]


def may_resume(now: JobState) -> bool:
    """Whether a job in this state can be run again from where it stopped."""
    return may_follow(now, JobState.RUNNING)


def may_cancel(now: JobState) -> bool:
    """Whether a job in this state can be cancelled."""
    return may_follow(now, JobState.CANCELLED)


def check_change(job_id: str, now: JobState, then: JobState) -> None:
    """
    Refuse a change of state that the table does not allow.

    Raises:
        CallerError: with both states in words.
    """
    if not may_follow(now, then):
        raise CallerError(f"Job {job_id} is {words(now)}; it cannot become {words(then)} any more.")


def words(state: JobState) -> str:
    """The state as people read it: ``completed with errors``."""
    return state.value.replace("_", " ")
