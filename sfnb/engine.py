"""
The FACE of the jobs: plan, start, run, resume, control, set_limit.

::

    org = sfnb.connect("demo")
    print(engine.plan(org, backup(objects=["Account"])))
    job = engine.start(org, backup())     # a thread of its own; job.pause(), job.cancel(),
    job.wait()
    summary = engine.run(org, backup())   # blocks, for papermill and scripts
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sfnb.errors import CallerError
from sfnb.jobs import events
from sfnb.jobs.summary import job_summary
from sfnb.model import Api, BudgetStatus, JobState, ObjectSchema

if TYPE_CHECKING:
    # A command connects before these load, so that its first call leaves early.
    from sfnb.backup.plan import Plan
    from sfnb.backup.work import MakeExecutor
    from sfnb.backup.worker import ExecutorKind, ProcessExecutor
    from sfnb.connection import Connection
    from sfnb.jobs.control import Control
    from sfnb.jobs.loop import JobLoop, OnPause
    from sfnb.jobs.work import JobContext, Work

EXIT_CODES: dict[str, int] = {
    JobState.COMPLETED: 0,
    JobState.FAILED: 1,
    JobState.COMPLETED_WITH_ERRORS: 3,
    JobState.PAUSED: 75,
    "interrupted": 75,
    JobState.CANCELLED: 130,
}
"""What a process that ran a job returns; 2 is wrong usage."""


class RunOptions(TypedDict, total=False):
    """
    How a job is run, all by keyword.

    Keys:
        on_pause: ``wait`` (the default) until usage is below the limit again, or ``exit`` in the
            state ``paused``.
        poll_s: seconds between two looks at the org while paused; default from the settings (1800).
        max_wait_s: stay paused and return after waiting so long in one pause; default: never.
        workers: units of work in flight at a time; default from the settings (4).
        executor: run units on ``threads`` (the default) or in ``processes`` of this machine.
            Processes import the
            calling script again, as Python's ``spawn`` does: keep it behind ``if __name__ ==
            "__main__"``.
        emit: takes the job's events, see `sfnb.jobs.events`.
        stop: set it, from a signal handler too, and the job ends as if interrupted, within half a
            second and the calls
            in flight: paused, with KeyboardInterrupt.
    """

    on_pause: OnPause
    poll_s: float | None
    max_wait_s: float | None
    workers: int | None
    executor: ExecutorKind
    emit: events.Sink
    stop: threading.Event


@dataclass(frozen=True, slots=True)
class BackupRequest:
    """
    What to back up, and how.

    Args:
        objects: None: every object that can be queried.
        full: read every row again, whatever earlier snapshots hold.
        sweep: compare all Ids with the org now, not only when the policy asks for it.
        refresh: read the computed columns (formulas, roll-ups) of all rows again now.
        files: the bodies of their files, too.
        metadata: the org's metadata, too; None: where all objects are backed up.
    """

    objects: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    full: bool = False
    sweep: bool = False
    refresh: bool = False
    files: bool = True
    metadata: bool | None = None


def backup(
    *,
    objects: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    full: bool = False,
    sweep: bool = False,
    refresh: bool = False,
    files: bool = True,
    metadata: bool | None = None,
) -> BackupRequest:
    """
    A backup of these objects, or of all but ``exclude``: what changed since the last snapshot that
    has them complete; all rows where there is none, or with ``full``. Options: see `BackupRequest`.
    """
    if objects is not None and not objects:
        raise CallerError("the list of objects is empty; leave it out to back up all of them.")
    names = tuple(objects) if objects is not None else None
    return BackupRequest(names, tuple(exclude), full, sweep, refresh, files, metadata)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A plan beside where the org's budgets stand now."""

    plan: Plan
    standing: dict[Api, BudgetStatus]

    @property
    def pauses(self) -> list[str]:
        """Where the job would pause, one sentence per budget."""
        from sfnb.backup.plan import first_pause

        return first_pause(self.plan.price(), self.standing)


def plan(org: Connection, request: BackupRequest) -> Estimate:
    """
    What a backup would cost, by object, and where it would pause.

    Cost: the same preparing calls as a backup's: about one for 25 objects.

    Raises:
        CallerError: an object that the org does not have.
        QuotaSignal: not even these calls fit under the limit now.
    """
    from sfnb.backup.discovery import Discovery
    from sfnb.backup.history import History
    from sfnb.backup.policy import Wishes

    history = History(org.store, org.state, org.store.new_snapshot_id(org.clock.now()))
    discovery = Discovery(
        org.client,
        "",
        threading.Event(),
        history,
        request.objects,
        request.exclude,
        Wishes(request.full, request.sweep, request.refresh),
    )
    planned, schemas = discovery.plan()
    planned = _with_files_and_metadata(org, request, planned, schemas)
    return Estimate(planned, org.client.gate.standing())


def _with_files_and_metadata(
    org: Connection, request: BackupRequest, planned: Plan, schemas: Mapping[str, ObjectSchema]
) -> Plan:
    """The plan with what comes after the rows. Cost: no calls."""
    from sfnb.backup.files_and_metadata import last_metadata
    from sfnb.backup.files_and_metadata_price import with_files, with_metadata
    from sfnb.backup.metadata.reading import retrieved_at
    from sfnb.store.bodies.index import entry_counts

    settings = org.settings
    if request.files:
        known = entry_counts(org.store.files)
        planned = with_files(planned, schemas, known, most=settings.file_calls)
    if _wants_metadata(request):
        earlier = [job.outcome.get("metadata") or {} for job in org.state.jobs.find(org.org_id)]
        last_at = retrieved_at(last_metadata(org.store))
        days = settings.metadata_days
        planned = with_metadata(planned, earlier, last_at, org.clock.now(), days=days)
    return planned


def _wants_metadata(request: BackupRequest) -> bool:
    return request.objects is None if request.metadata is None else request.metadata


@dataclass
class JobHandle:
    """
    A job running on its own thread. A sink may be given to `start`, or may `listen` later; this is
    for people.
    """

    org: Connection
    job_id: str
    _options: RunOptions
    _listeners: events.EventFan
    _thread: threading.Thread = field(init=False)
    _outcome: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        loop = _loop(self.org, {**self._options, "emit": self._listeners})
        self._outcome.clear()

        def work() -> None:
            try:
                loop.run(self.job_id)
            except Exception as err:  # noqa: BLE001 - handed to whoever waits
                self._outcome["error"] = err

        self._thread = threading.Thread(target=work, name=f"sfnb-job-{self.job_id}", daemon=True)
        self._thread.start()

    def listen(self, sink: events.Sink) -> Callable[[], None]:
        """
        Have ``sink`` hear the job's events from now on, on the job's threads; the result ends that.
        """
        return self._listeners.add(sink)

    @property
    def state(self) -> JobState:
        """The job's state now, from the state database."""
        return JobState(self.org.state.jobs.get(self.job_id).state)

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive; a paused job that waits is."""
        return self._thread.is_alive()

    def pause(self) -> None:
        """Ask the job to pause; calls in flight end first."""
        control(self.org).pause(self.job_id)

    def resume(self) -> None:
        """
        Let a paused job go on: in its own process, or on a new thread here when no process runs it.
        """
        if not control(self.org).resume(self.job_id, org_id=self.org.org_id).is_asked:
            self._start()

    def cancel(self) -> None:
        """End the job for good, running or not. What it has stored stays readable."""
        control(self.org).cancel(self.job_id)

    def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """
        The job's summary once it has ended or paused for good.

        Raises:
            SfnbError: what ended the job.
            TimeoutError: it still runs.
        """
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"job {self.job_id} is still running")
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
        The summary: ``job_id, kind, org, state, snapshot, started_at, ended_at, calls, rows,
            objects, pauses``.
    """
    return _loop(org, options).run(_create(org, request))


def start(org: Connection, request: BackupRequest, **options: Unpack[RunOptions]) -> JobHandle:
    """Run a backup on a thread of its own; arguments as for `run`."""
    return _handle(org, _create(org, request), options)


def start_again(org: Connection, job_id: str, **options: Unpack[RunOptions]) -> JobHandle:
    """Continue a job as `resume` does, on a thread of its own."""
    control(org).resume(job_id, org_id=org.org_id)
    return _handle(org, job_id, options)


def resume(org: Connection, job_id: str, **options: Unpack[RunOptions]) -> dict[str, Any]:
    """
    Continue a paused, failed or killed job in the same snapshot, on the caller's own thread.

    Raises:
        CallerError: the job has ended, belongs to another org, or another process runs it.
    """
    control(org).resume(job_id, org_id=org.org_id)
    return _loop(org, options).run(job_id)


def control(org: Connection) -> Control:
    """Pause, resume and cancel of this org's jobs, as people ask for them."""
    from sfnb.backup.ending import control_of

    return control_of(org)


def set_limit(
    org: Connection, percent: int, *, api: Api | None = None, reason: str = "", kind: str = ""
) -> None:
    """
    Set the limit percent of one budget, or of all; audited. A running job obeys at its next call.

    Args:
        kind: ``restore``: the limit of restores alone; a percent of 0 takes that away again.

    Raises:
        CallerError: not a whole number from 1 to 100.
    """
    percents = percent if api is None else {api: percent}
    org.state.ledger.set_limits(org.org_id, percents, org=org.name, reason=reason, kind=kind)


def _create(org: Connection, request: BackupRequest) -> str:
    options = {
        "objects": list(request.objects) if request.objects else None,
        "exclude": list(request.exclude),
        "full": request.full,
        "sweep": request.sweep,
        "refresh": request.refresh,
        "files": request.files,
        "file_calls": org.settings.file_calls,
        "metadata": _wants_metadata(request),
        "metadata_days": org.settings.metadata_days,
    }
    job = org.state.jobs.create(
        kind="backup", org=org.name, org_id=org.org_id, options=options, objects=request.objects
    )
    return job.job_id


def _handle(org: Connection, job_id: str, options: RunOptions) -> JobHandle:
    return JobHandle(org, job_id, options, events.EventFan(options.get("emit", events.ignore)))


def _loop(org: Connection, options: RunOptions) -> JobLoop:
    from sfnb.backup.alerts import ChangeLimits
    from sfnb.backup.work import BackupWork
    from sfnb.jobs.loop import JobLoop

    poll_s = options.get("poll_s")
    make_executor = _executors(org)[options.get("executor", "threads")]

    def make_work(context: JobContext) -> Work:
        limits = ChangeLimits(org.settings.mass_change_pct, org.settings.mass_change)
        return BackupWork(context, org.store, make_executor, limits)

    return JobLoop(
        org.client,
        org.state,
        org.clock,
        make_work,
        options.get("emit", events.ignore),
        on_pause=options.get("on_pause", "wait"),
        poll_s=org.settings.poll_s if poll_s is None else poll_s,
        max_wait_s=options.get("max_wait_s"),
        workers=options.get("workers") or org.settings.workers,
        stop=options.get("stop") or threading.Event(),
    )


def _executors(org: Connection) -> dict[ExecutorKind, MakeExecutor]:
    from sfnb.backup.work import thread_executor
    from sfnb.backup.worker import ProcessExecutor, WorkerSpec

    def processes(context: JobContext, _stop: threading.Event) -> ProcessExecutor:
        spec = WorkerSpec(
            org.settings.org(org.name),
            org.client.open_session,
            org.client.api_version,
            org.settings.state_url,
            context.job_id,
            org.client.gate.rules,
        )
        return ProcessExecutor(spec, context.workers)

    return {"threads": thread_executor, "processes": processes}
