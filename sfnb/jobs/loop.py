"""
The loop of one job: take the lease, prepare, work, pause and go on, finish.

What a job does is its `Work`; how it lives is here. When the gate's QuotaSignal arrives, the work
has written its
bookmark. So pausing means to write down why and to wait, and resuming is the same code over the
same bookmark, in this
process or another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from sfnb.clock import Clock
from sfnb.errors import (
    JobError,
    LeaseLost,
    PausedForState,
    QuotaSignal,
    SfnbError,
    StateUnavailable,
    StopSignal,
    StoreError,
    TransientError,
)
from sfnb.jobs import events
from sfnb.jobs.resuming import reason_of
from sfnb.jobs.summary import job_summary
from sfnb.jobs.waiting import LOOK_S, Waited, Waiting
from sfnb.jobs.work import JobContext, Work, WorkFactory
from sfnb.memory import State
from sfnb.model import ERASE, JobState, Pause
from sfnb.org.away import is_away
from sfnb.org.client import OrgClient
from sfnb.state.lease import Lease

OnPause = Literal["wait", "exit"]

LEASE_RENEWAL_S = 10.0
"""A lease lasts a minute; another host may take a job over after that."""


@dataclass
class JobLoop:
    """
    Runs one job to its end, or to a pause that nobody waits for.

    Args:
        make_work: makes the work of the job.
        on_pause: ``wait`` until usage is below the limit again, or ``exit`` and leave that to `sfnb
            resume`.
        poll_s: how often the org is asked while paused.
        max_wait_s: stop waiting after so long in one pause; the job stays paused. None: never.
        workers: units of work in flight at a time.
        stop: set from elsewhere, it ends the job as an interrupt does, but at a place of the job's
            own choice.
    """

    client: OrgClient
    state: State
    clock: Clock
    make_work: WorkFactory
    emit: events.Sink = events.ignore
    on_pause: OnPause = "wait"
    poll_s: float = 1800.0
    max_wait_s: float | None = None
    workers: int = 4
    stop: threading.Event = field(default_factory=threading.Event)
    _job_id: str = ""
    _kind: str = ""
    _lease: Lease | None = None
    _renewed_s: float = 0.0
    _waiting: Waiting = field(init=False, repr=False)

    def run(self, job_id: str) -> dict[str, Any]:
        """
        The job's summary, in the form of `sfnb backup --json`.

        Raises:
            CallerError: another process runs this job, or its request cannot be fulfilled.
            JobError: it failed. That is recorded, and it can be resumed.
            LeaseLost: another process has taken it over; this one has stopped.
            PausedForState: the state database does not answer, and ``on_pause`` is ``exit``; or it
                did not answer when the job began.
            KeyboardInterrupt: the user stopped it; it is paused.
        """
        self._job_id = job_id
        try:
            lease = self.state.jobs.lease(job_id)
        except StateUnavailable as err:
            raise self._paused_for_state(err) from err
        with lease as self._lease:
            self.state = self.state.under(self._lease)
            try:
                job = self.state.jobs.get(job_id)
                self._kind, is_new = job.kind, job.state is JobState.QUEUED
                self._waiting = self._make_waiting()
                self._set_state(JobState.RUNNING)
                if self._kind != ERASE:
                    self._waiting.first_look(is_new=is_new, waits=self.on_pause == "wait")
                work = self.make_work(self._context())
                while not self._step(work):
                    pass
            except KeyboardInterrupt:
                says = f"stopped by the user; resume with `sfnb resume {job_id}`"
                with suppress(StateUnavailable):
                    self._set_state(JobState.PAUSED, says)
                raise
            except (LeaseLost, PausedForState):
                raise  # what became of the job is written by its new process, or when it is resumed
            except StateUnavailable as err:
                raise self._paused_for_state(err) from err
            except SfnbError as err:
                raise self._failed(_resumable(err, job_id)) from err
            except Exception as err:
                # A fault of ours. The job must not look as if it still ran; its bookmark is good.
                self._failed(
                    JobError(
                        f"unexpected {type(err).__name__}; please report it. "
                        f"Resume with `sfnb resume {job_id}`."
                    )
                )
                raise
        return job_summary(self.state, job_id)

    def _context(self) -> JobContext:
        return JobContext(
            self._job_id, self.client, self.state, self.clock, self.stop, self._tell, self.workers
        )

    def _make_waiting(self) -> Waiting:
        return Waiting(
            self._job_id,
            self._kind,
            self.client,
            self.state,
            self.clock,
            self.poll_s,
            self.max_wait_s,
            self.stop,
            self._keep_lease,
            self._tell,
        )

    def _tell(self, event: events.Event) -> None:
        """Keep the event for screens elsewhere, and hand it on."""
        if isinstance(event, events.KEPT):
            self._keep(event)
        self.emit(event)

    def _keep(self, event: events.Event) -> None:
        name, payload = type(event).__name__, events.payload_of(event)
        self.state.jobs.add_event(self._job_id, event.at, name, payload)

    def _failed(self, err: SfnbError) -> SfnbError:
        self.state.jobs.update(self._job_id, error=str(err))
        self._set_state(JobState.FAILED, str(err))
        return err

    def _set_state(self, state: JobState, message: str = "") -> None:
        now = self.clock.now()
        cleared = {"error": None} if state is JobState.RUNNING else {}
        self.state.jobs.update(self._job_id, state=state, **cleared)
        self._tell(events.JobStateChanged(self._job_id, now, state, message))

    def _step(self, work: Work) -> bool:
        try:
            return self._advance(work)
        except StateUnavailable as err:
            self._wait_for_state(err)
            return False

    def _advance(self, work: Work) -> bool:
        """Work until the job ends (True), or has paused and may go on (False)."""
        try:
            self._tick()
            work.prepare()
            work.run(self._tick)
            self._set_state(work.finish())
            return True
        except QuotaSignal as signal:
            # An org that answers nothing leaves its gauge unread as well: that is no matter of
            # calls.
            if signal.maximum < 0 and signal.used < 0 and is_away(self.client):
                return self._pause_for_org(work, signal.reason)
            return self._pause_for_quota(work, signal)
        except TransientError as err:
            return self._pause_for_org(work, str(err))
        except StopSignal as signal:
            return self._obey(work, signal)

    # what a person asks

    def _tick(self) -> None:
        """Called often: keep the lease, hear what people want."""
        if self.stop.is_set():
            raise KeyboardInterrupt
        self._keep_lease()
        wanted = self.state.jobs.wanted(self._job_id)
        if wanted:
            raise StopSignal(wanted)

    def _obey(self, work: Work, signal: StopSignal) -> bool:
        if signal.wanted == "cancel":
            return self._cancel(work)
        if self.stop.is_set():
            raise KeyboardInterrupt  # a unit heard of it first
        self._set_state(JobState.PAUSED, "paused by a person")
        if self.on_pause == "exit":
            self.state.jobs.want(self._job_id, None)
            return True
        while (wanted := self.state.jobs.wanted(self._job_id)) == "pause":
            self._waiting.pass_s(LOOK_S)
        if wanted == "cancel":
            return self._cancel(work)
        self._set_state(JobState.RUNNING)
        return False

    def _cancel(self, work: Work) -> bool:
        left = work.abandon()
        self.state.jobs.want(self._job_id, None)
        self._set_state(JobState.CANCELLED, f"{events.CANCELLED}. {left}".rstrip(". "))
        return True

    # pausing

    def _pause_for_quota(self, work: Work, signal: QuotaSignal) -> bool:
        at = self.clock.now()
        pause = Pause(signal.api, at, None, signal.used, signal.maximum, signal.reason)
        return self._pause(
            work,
            pause,
            signal.threshold,
            self._waiting.first_wait_s(signal),
            lambda: self._waiting.for_calls(signal),
        )

    def _pause_for_org(self, work: Work, why: str) -> bool:
        """Nobody answers for the org: ask again, less and less often, until somebody does."""
        pause = Pause(events.ORG, self.clock.now(), None, -1, -1, f"org unavailable: {why}")
        return self._pause(work, pause, -1, self._waiting.org_check_s(), self._waiting.for_org)

    def _pause(
        self,
        work: Work,
        pause: Pause,
        threshold: int,
        check_s: float,
        wait: Callable[[], Waited],
    ) -> bool:
        """Record the pause, wait unless told not to, and go on (False) or end (True)."""
        self.state.jobs.add_pause(self._job_id, pause)
        waits = self.on_pause == "wait"
        self._set_state(JobState.PAUSED)
        next_check_at = pause.at + timedelta(seconds=check_s) if waits else None
        self._tell(events.JobPaused(self._job_id, pause.at, pause, threshold, next_check_at))
        if not waits:
            return True
        outcome = wait()
        if outcome == "cancel":
            return self._cancel(work)
        if outcome == "give up":
            return True
        resumed_at = self.clock.now()
        self.state.jobs.end_pause(self._job_id, resumed_at)
        self._set_state(JobState.RUNNING)
        done = replace(pause, resumed_at=resumed_at)
        self._tell(events.JobResumed(self._job_id, resumed_at, done, self._why_resumed(pause)))
        return False

    def _wait_for_state(self, err: StateUnavailable) -> None:
        """
        Nothing can be counted or kept, so nothing is sent: wait until the state database answers.

        The pause is kept afterwards; meanwhile only this process's own screens hear of it.
        """
        job_id, at = self._job_id, self.clock.now()
        pause = Pause(events.STATE, at, None, -1, -1, str(err))
        self.emit(events.JobStateChanged(job_id, at, JobState.PAUSED, ""))
        self.emit(events.JobPaused(job_id, at, pause, -1, None))
        if self.on_pause == "exit":
            raise self._paused_for_state(err) from err
        while self._lease and not self._lease.is_renewed():
            if self.clock.wait(LOOK_S, self.stop):
                raise KeyboardInterrupt from err
        done = replace(pause, resumed_at=self.clock.now())
        self.state.jobs.add_pause(job_id, done)
        self.emit(events.JobStateChanged(job_id, self.clock.now(), JobState.RUNNING, ""))
        self._keep(events.JobPaused(job_id, at, pause, -1, None))  # said when it was
        self._tell(events.JobResumed(job_id, self.clock.now(), done, "the state database answers"))

    def _paused_for_state(self, err: StateUnavailable) -> PausedForState:
        """It cannot be written down; the job can be resumed, since nobody holds it any more."""
        again = f"The job is paused; when it answers: `sfnb resume {self._job_id}`."
        return PausedForState(f"{err} {again}")

    def _why_resumed(self, pause: Pause) -> str:
        if pause.api == events.ORG:
            return "the org answers again"
        entries = self.state.audit.entries(self.client.org_id)
        return reason_of(entries, pause.api, pause.at, kind=self._kind)

    def _keep_lease(self) -> None:
        now_s = self.clock.monotonic()
        if self._lease and now_s - self._renewed_s >= LEASE_RENEWAL_S:
            self._lease.renew()
            self._renewed_s = now_s


def _resumable(err: SfnbError, job_id: str) -> SfnbError:
    """A store that cannot be written is a person's to mend; then the job goes on where it was."""
    if not isinstance(err, StoreError) or not err.may_resume:
        return err
    return StoreError(f"{err} `sfnb resume {job_id}` goes on from there.")
