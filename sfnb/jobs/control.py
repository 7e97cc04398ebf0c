"""
Pause, resume, cancel: what a person asks of a job, wherever it runs. The one place for handle,
panel, command line
and notebook.

A job that a process runs is asked through the state database and obeys between two units of work. A
job that no
process runs is changed here, under its lease, so that nobody starts it meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sfnb.errors import CallerError
from sfnb.jobs import events, states
from sfnb.memory import State
from sfnb.model import JobState
from sfnb.state.job_values import Job

Abandon = Callable[[Job], str]
"""Seals what a job has done; what it could not tidy up in the org, as a sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What became of a request.

    Args:
        job: as it is now.
        is_asked: True when a process runs the job and will obey; False when it is done.
        says: a sentence for the person who asked.
    """

    job: Job
    is_asked: bool
    says: str


class Control:
    """
    The jobs of one installation, as people control them. Safe for threads.

    Args:
        abandon: seals a job that no process runs; see `Work.abandon`.
    """

    def __init__(self, state: State, abandon: Abandon) -> None:
        self._state = state
        self._abandon = abandon

    def pause(self, job_id: str) -> Answer:
        """
        Ask a running job to pause.

        Raises:
            CallerError: it has ended.
        """
        job = self._state.jobs.get(job_id)
        if job.state.is_final:
            raise _ended(job, "pause")
        if not job.is_held:
            says = f"Job {job_id} is not running. Start it again with `sfnb resume {job_id}`."
            return Answer(job, is_asked=False, says=says)
        self._state.jobs.want(job_id, "pause")
        return Answer(
            job, True, f"Job {job_id} pauses as soon as the calls in flight have returned."
        )

    def resume(self, job_id: str, *, org_id: str | None = None) -> Answer:
        """
        Let a job go on: end what a person asked of it, and the pause it is in.

        Returns:
            ``is_asked`` when a process runs it, which continues. Else the caller runs it.

        Raises:
            CallerError: it has ended for good, or belongs to another org.
        """
        job = self._state.jobs.get(job_id)
        if org_id is not None and job.org_id != org_id:
            raise CallerError(f"job {job_id} belongs to the org {job.org}; connect to that one.")
        if not states.may_resume(job.state):
            raise _ended(job, "resume")
        self._state.jobs.want(job_id, None)
        if job.is_held and job.state is not JobState.QUEUED:
            says = f"Job {job_id} is running in its own process and continues there."
            return Answer(job, is_asked=True, says=says)
        self._state.jobs.end_pause(job_id, self._state.database.clock.now())
        return Answer(job, is_asked=False, says=f"Job {job_id} can be started.")

    def cancel(self, job_id: str) -> Answer:
        """
        End a job for good. What it has stored stays readable.

        One that a process runs is asked. One that no process runs is sealed and cancelled here.

        Raises:
            CallerError: it has ended.
        """
        job = self._state.jobs.get(job_id)
        if not states.may_cancel(job.state):
            raise _ended(job, "cancel")
        try:
            lease = self._state.jobs.lease(job_id, is_to_end=True)
        except CallerError:
            # Held: its process finds the request at its next tick, and the next one that runs it if
            # this one dies.
            self._state.jobs.want(job_id, "cancel")
            says = f"Job {job_id} ends as soon as the calls in flight have returned."
            return Answer(self._state.jobs.get(job_id), is_asked=True, says=says)
        with lease:
            job = self._state.jobs.get(job_id)
            if not states.may_cancel(job.state):
                raise _ended(job, "cancel")  # its process has just ended it
            left = self._abandon(job)
            self._end(job)
        says = f"Job {job_id} is cancelled. What it has stored can be read."
        return Answer(self._state.jobs.get(job_id), False, f"{says} {left}".rstrip())

    def _end(self, job: Job) -> None:
        jobs, now = self._state.jobs, self._state.database.clock.now()
        jobs.want(job.job_id, None)
        jobs.update(job.job_id, state=JobState.CANCELLED)
        event = events.JobStateChanged(job.job_id, now, JobState.CANCELLED, events.CANCELLED)
        jobs.add_event(job.job_id, now, type(event).__name__, events.payload_of(event))


def _ended(job: Job, what: str) -> CallerError:
    return CallerError(
        f"Job {job.job_id} is {states.words(job.state)}; there is nothing to {what}."
    )
