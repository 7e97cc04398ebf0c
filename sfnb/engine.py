"""
The face of the jobs: plan, start, run, resume, set_limit.

::

    org = sfnb.connect("demo")
    print(engine.plan(org, backup(objects=["Account"])))
    job = engine.start(org, backup())     # a thread of its own; job.pause(), job.cancel(), job.wait()
    summary = engine.run(org, backup())   # blocks, for papermill and scripts
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sfnb.errors import CallerError
from sfnb.jobs import events
from sfnb.jobs.summary import job_summary
from sfnb.model import Api, BudgetStatus, JobState

if TYPE_CHECKING:
    # A command connects before these load, so that its first call leaves early.
    from sfnb.connection import Connection
    from sfnb.jobs.plan import Plan
    from sfnb.jobs.runner import OnPause, Runner

EXIT_CODES: dict[str, int] = {
    JobState.COMPLETED: 0,
    JobState.FAILED: 1,
    JobState.COMPLETED_WITH_ERRORS: 3,
    JobState.PAUSED: 75,
    JobState.CANCELLED: 130,
}
"""What a process that ran a job returns; 2 is wrong usage."""


class RunOptions(TypedDict, total=False):
    """
    How a job is run, all by keyword.

    Keys:
        on_pause: ``wait`` (the default) until calls come back, or ``exit`` in the state ``paused``.
        poll_s: seconds between questions to the org while paused; default from the settings (1800).
        max_wait_s: stay paused and return after waiting so long in one pause; default: never.
        workers: units of work under way at a time; default from the settings (4).
        emit: takes the job's events, see `sfnb.jobs.events`.
        stop: set it, from a signal handler too, and the job ends as if interrupted, within half a second and the calls
            under way: paused, with KeyboardInterrupt.
    """

    on_pause: OnPause
    poll_s: float | None
    max_wait_s: float | None
    workers: int | None
    emit: events.Sink
    stop: threading.Event


@dataclass(frozen=True, slots=True)
class BackupRequest:
    """What to back up. ``objects`` None: every object that can be queried."""

    objects: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()


def backup(*, objects: Sequence[str] | None = None, exclude: Sequence[str] = ()) -> BackupRequest:
    """A full backup of these objects, or of all but ``exclude``."""
    if objects is not None and not objects:
        raise CallerError("the list of objects is empty; leave it out to back up all of them.")
    return BackupRequest(tuple(objects) if objects is not None else None, tuple(exclude))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A plan beside where the org's budgets stand now."""

    plan: Plan
    standing: dict[Api, BudgetStatus]

    @property
    def pauses(self) -> list[str]:
        """Where the job would pause, one sentence per budget."""
        from sfnb.jobs.plan import first_pause

        return first_pause(self.plan.price(), self.standing)


def plan(org: Connection, request: BackupRequest) -> Estimate:
    """
    What a backup would cost, by object, and where it would pause.

    Cost: the same preparing calls as a backup's: about one for 25 objects.

    Raises:
        CallerError: an object that the org does not have.
        QuotaSignal: not even these calls fit under the limit now.
    """
    from sfnb.jobs.discovery import Discovery

    survey = Discovery(org.client, "", threading.Event(), request.objects, request.exclude)
    planned, _ = survey.plan()
    return Estimate(planned, org.client.gate.standing())


@dataclass
class JobHandle:
    """A job running on its own thread. A sink may be given to `start`, or may `listen` later; this is for people."""

    org: Connection
    job_id: str
    _thread: threading.Thread
    _outcome: dict[str, Any] = field(default_factory=dict)
    _fan: events.EventFan = field(default_factory=events.EventFan)

    def listen(self, sink: events.Sink) -> Callable[[], None]:
        """Have ``sink`` hear the job's events from now on, on the job's threads; the result ends that."""
        return self._fan.add(sink)

    @property
    def state(self) -> JobState:
        """The job's state now, from the state database."""
        return JobState(self.org.state.jobs.get(self.job_id).state)

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive; a paused job that waits is."""
        return self._thread.is_alive()

    def pause(self) -> None:
        """Ask the job to pause; units under way end first."""
        self.org.state.jobs.want(self.job_id, "pause")

    def resume(self) -> None:
        """Let a job that a person paused go on."""
        self.org.state.jobs.want(self.job_id, None)

    def cancel(self) -> None:
        """Ask the job to end. What it has stored stays and can be read."""
        self.org.state.jobs.want(self.job_id, "cancel")

    def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """
        The job's summary once it has ended or paused for good.

        Raises:
            SfnbError: what ended the job.
            TimeoutError: it still runs.
        """
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"job {self.job_id} still runs")
        if error := self._outcome.get("error"):
            raise error
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """The job so far, in the form of `sfnb backup --json`."""
        return job_summary(self.org.state, self.job_id)

    def __repr__(self) -> str:
        return f"<job {self.job_id} of {self.org.name}: {self.state}>"


def run(org: Connection, request: BackupRequest, **options: Unpack[RunOptions]) -> dict[str, Any]:
    """
    Run a backup on the caller's own thread, to its end or to a pause that nobody waits for.

    Returns:
        The summary: ``job_id, kind, org, state, snapshot, started_at, ended_at, calls, rows, objects, pauses``.
    """
    return _runner(org, options).run(_create(org, request))


def start(org: Connection, request: BackupRequest, **options: Unpack[RunOptions]) -> JobHandle:
    """Run a backup on a thread of its own; arguments as for `run`."""
    return _start(org, _create(org, request), options)


def start_again(org: Connection, job_id: str, **options: Unpack[RunOptions]) -> JobHandle:
    """Go on with a job as `resume` does, on a thread of its own."""
    _make_ready(org, job_id)
    return _start(org, job_id, options)


def resume(org: Connection, job_id: str, **options: Unpack[RunOptions]) -> dict[str, Any]:
    """
    Go on with a paused, failed or killed job in the same snapshot, on the caller's own thread.

    Raises:
        CallerError: the job has ended, belongs to another org, or another process runs it.
    """
    _make_ready(org, job_id)
    return _runner(org, options).run(job_id)


def set_limit(org: Connection, percent: int, *, api: Api | None = None, reason: str = "") -> None:
    """
    Set the limit percent of one budget, or of all; audited. A running job obeys at its next call.

    Raises:
        CallerError: not a whole number from 1 to 100.
    """
    percents = percent if api is None else {api: percent}
    org.state.ledger.set_limits(org.org_id, percents, org=org.name, reason=reason)


def _make_ready(org: Connection, job_id: str) -> None:
    """Refuse a job that cannot go on; end the pause of one that can."""
    job = org.state.jobs.get(job_id)
    if job.org_id != org.org_id:
        raise CallerError(f"job {job_id} belongs to the org {job.org}, not to {org.name}.")
    state = JobState(job.state)
    if state.is_final and state is not JobState.FAILED:
        raise CallerError(
            f"job {job_id} is {state.value.replace('_', ' ')}; there is nothing to resume."
        )
    org.state.jobs.want(job_id, None)
    org.state.jobs.end_pause(job_id, org.clock.now())


def _create(org: Connection, request: BackupRequest) -> str:
    options = {
        "objects": list(request.objects) if request.objects else None,
        "exclude": list(request.exclude),
    }
    job = org.state.jobs.create(
        kind="backup", org=org.name, org_id=org.org_id, options=options, objects=request.objects
    )
    return job.job_id


def _runner(org: Connection, options: RunOptions) -> Runner:
    from sfnb.jobs.runner import Runner

    poll_s = options.get("poll_s")
    return Runner(
        org.client,
        org.store,
        org.state,
        org.clock,
        options.get("emit", events.ignore),
        on_pause=options.get("on_pause", "wait"),
        poll_s=org.settings.poll_s if poll_s is None else poll_s,
        max_wait_s=options.get("max_wait_s"),
        workers=options.get("workers") or org.settings.workers,
        stop=options.get("stop") or threading.Event(),
    )


def _start(org: Connection, job_id: str, options: RunOptions) -> JobHandle:
    fan = events.EventFan(options.get("emit", events.ignore))
    runner = _runner(org, {**options, "emit": fan})
    outcome: dict[str, Any] = {}

    def work() -> None:
        try:
            runner.run(job_id)
        except Exception as err:  # noqa: BLE001 - handed to whoever waits
            outcome["error"] = err

    thread = threading.Thread(target=work, name=f"sfnb-job-{job_id}", daemon=True)
    handle = JobHandle(org, job_id, thread, outcome, fan)
    thread.start()
    return handle
