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
    ObjectError,
    PausedForState,
    QuotaSignal,
    SfnbError,
    StateUnavailable,
    StopSignal,
    TransientError,
)
from sfnb.jobs import events
from sfnb.jobs.resuming import reason_of
from sfnb.jobs.summary import job_summary
from sfnb.jobs.work import JobContext, Work, WorkFactory
from sfnb.memory import State
from sfnb.model import ERASE, Api, JobState, Pause, Price
from sfnb.org.away import is_away
from sfnb.org.client import OrgClient
from sfnb.org.transport import call_context
from sfnb.state.lease import Lease

OnPause = Literal["wait", "exit"]
_Waited = Literal["go on", "cancel", "give up"]

LEASE_RENEWAL_S = 10.0
"""A lease lasts a minute; another host may take a job over after that."""

FIRST_AWAY_S = 30.0
"""Before an org that is away is checked again; the interval doubles up to ``poll_s``."""

QUIET_S = 600.0
"""After so long without trouble, an org that is away is checked again as soon as the first time."""

ONE_CALL: Price = {"api": 1}

LOOK_S = 1.0
"""While paused, so often the limit and the job's wanted state are read. Neither costs a call."""


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
    _away_s: float = FIRST_AWAY_S
    _org_back_s: float = float("-inf")

    def run(self, job_id: str) -> dict[str, Any]:
        """
        The job's summary, in the form of `sfnb backup --json`.

        Raises:
            CallerError: another process runs this job, or its request cannot be fulfilled.
            JobError: it failed. That is recorded, and it can be resumed.
            LeaseLost: another process has taken it over; this one has stopped.
            PausedForState: the state database does not answer, and ``on_pause`` is ``exit``.
            StateUnavailable: it did not answer when the job began.
            KeyboardInterrupt: the user stopped it; it is paused.
        """
        self._job_id = job_id
        with self.state.jobs.lease(job_id) as self._lease:
            self.state = self.state.under(self._lease)
            try:
                job = self.state.jobs.get(job_id)
                self._kind, is_new = job.kind, job.state is JobState.QUEUED
                self._set_state(JobState.RUNNING)
                if self._kind != ERASE:
                    self._first_look(is_new=is_new)
                work = self.make_work(self._context())
                while not self._step(work):
                    pass
            except KeyboardInterrupt:
                says = f"stopped by the user; resume with `sfnb resume {job_id}`"
                with suppress(StateUnavailable):
                    self._set_state(JobState.PAUSED, says)
                raise
            except (LeaseLost, StateUnavailable):
                raise  # what became of the job is written by its new process, or when it is resumed
            except SfnbError as err:
                raise self._failed(err) from err
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
            self._wait(LOOK_S)
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
            self._first_wait_s(signal),
            lambda: self._wait_for_calls(signal),
        )

    def _pause_for_org(self, work: Work, why: str) -> bool:
        """Nobody answers for the org: ask again, less and less often, until somebody does."""
        if self.clock.monotonic() - self._org_back_s > QUIET_S:
            self._away_s = FIRST_AWAY_S
        pause = Pause(events.ORG, self.clock.now(), None, -1, -1, f"org unavailable: {why}")
        return self._pause(work, pause, -1, min(self._away_s, self.poll_s), self._wait_for_org)

    def _pause(
        self,
        work: Work,
        pause: Pause,
        threshold: int,
        check_s: float,
        wait: Callable[[], _Waited],
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
            again = f"The job is paused; when it answers: `sfnb resume {job_id}`."
            raise PausedForState(f"{err} {again}") from err
        while self._lease and not self._lease.is_renewed():
            if self.clock.wait(LOOK_S, self.stop):
                raise KeyboardInterrupt from err
        done = replace(pause, resumed_at=self.clock.now())
        self.state.jobs.add_pause(job_id, done)
        self.emit(events.JobStateChanged(job_id, self.clock.now(), JobState.RUNNING, ""))
        self._keep(events.JobPaused(job_id, at, pause, -1, None))  # said when it was
        self._tell(events.JobResumed(job_id, self.clock.now(), done, "the state database answers"))

    def _why_resumed(self, pause: Pause) -> str:
        if pause.api == events.ORG:
            return "the org answers again"
        entries = self.state.audit.entries(self.client.org_id)
        return reason_of(entries, pause.api, pause.at, kind=self._kind)

    def _wait_for_org(self) -> _Waited:
        """
        Ask whether the org answers, at growing intervals up to ``poll_s``. That costs no call.
        """
        began_s = asked_s = self.clock.monotonic()
        while True:
            interval_s = min(self._away_s, self.poll_s)
            self._wait(min(LOOK_S, interval_s))
            wanted = self.state.jobs.wanted(self._job_id)
            if wanted == "cancel":
                return "cancel"
            now_s = self.clock.monotonic()
            if now_s - asked_s >= interval_s:
                asked_s = now_s
                self._away_s *= 2
                if wanted != "pause" and not is_away(self.client):
                    self._org_back_s = now_s
                    return "go on"
            if self.max_wait_s is not None and now_s - began_s >= self.max_wait_s:
                return "give up"

    def _wait_for_calls(self, signal: QuotaSignal) -> _Waited:
        """
        Ask the org every ``poll_s``; in between, look whether the limit was raised or somebody wants to stop.

        A pause for our own recent calls alone is short: the first look comes when the org has surely counted them.
        """
        gate = self.client.gate
        price: Price = {signal.api: 1}  # type: ignore[dict-item]
        began_s = asked_s = self.clock.monotonic()
        limits = self._limits()
        wait_s = self._first_wait_s(signal)
        while True:
            self._wait(min(LOOK_S, self.poll_s))
            wanted = self.state.jobs.wanted(self._job_id)
            if wanted == "cancel":
                return "cancel"
            now_s = self.clock.monotonic()
            if now_s - asked_s >= wait_s:
                asked_s = now_s
                next_s = gate.look_interval_s(self.poll_s, kind=self._kind)
                self._probe(signal, wait_s * 0.9, next_s)
                wait_s = next_s
                if wanted != "pause" and gate.is_clear(price, kind=self._kind):
                    return "go on"
            elif (changed := self._limits()) != limits:
                limits = changed
                if wanted != "pause" and gate.is_clear(price, kind=self._kind):
                    return "go on"
            if self.max_wait_s is not None and now_s - began_s >= self.max_wait_s:
                return "give up"

    def _limits(self) -> dict[Api, int]:
        return self.state.ledger.limit_percents(self.client.org_id, kind=self._kind)

    def _first_look(self, *, is_new: bool) -> None:
        """
        Ask the org before the first call, since the reading that stopped the last run may be a day old.

        A scheduler may resume a paused job every minute, and several jobs at once: above the line, one look for each
        poll interval is good for all of them. A new job, and one that stays to wait, looks in any case.
        """
        if is_new or self.on_pause == "wait":
            self._ask_limits(0.0)
        else:
            self._ask_limits(self.poll_s * 0.9, price=ONE_CALL)
        if is_new:
            self.client.gate.release_probe()

    def _first_wait_s(self, signal: QuotaSignal) -> float:
        usual_s = self.client.gate.look_interval_s(self.poll_s, kind=self._kind)
        return usual_s if signal.retry_after_s is None else min(usual_s, signal.retry_after_s)

    def _ask_limits(self, min_interval_s: float, price: Price | None = None) -> None:
        """Read `/limits`, unless some process did within the interval. Cost: one call."""
        # An org that does not answer stays unknown, and unknown is not clear: the gate or the next
        # probe asks again.
        with suppress(TransientError, ObjectError, QuotaSignal):
            if self.client.gate.claim_probe(min_interval_s, price=price):
                with call_context(job_id=self._job_id, object_name="", stop=self.stop):
                    self.client.limits()

    def _probe(self, signal: QuotaSignal, min_interval_s: float, next_s: float) -> None:
        """One `/limits` call, the only one that may exceed the threshold; shared by all processes on the org."""
        # A little less than the interval, so that this process's own last probe is never in its way.
        self._ask_limits(min_interval_s)
        budget = self.client.gate.standing(kind=self._kind).get(signal.api)  # type: ignore[call-overload]
        if budget is not None:
            now = self.clock.now()
            next_at = now + timedelta(seconds=next_s)
            self._tell(
                events.QuotaChecked(
                    self._job_id,
                    now,
                    signal.api,
                    budget.used,
                    budget.maximum,
                    budget.lower_mark,
                    next_at,
                )
            )

    def _wait(self, seconds: float) -> None:
        if self.clock.wait(seconds, self.stop):
            raise KeyboardInterrupt
        self._keep_lease()

    def _keep_lease(self) -> None:
        now_s = self.clock.monotonic()
        if self._lease and now_s - self._renewed_s >= LEASE_RENEWAL_S:
            self._lease.renew()
            self._renewed_s = now_s
