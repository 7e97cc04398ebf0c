"""
The FACE of the jobs: plan, start, run, resume, control, set_limit.

::

    org = sfnb.connect("demo")
    print(engine.plan(org, backup(objects=["Account"])))
    job = engine.start(org, backup())     # a thread of its own; job.pause(), job.cancel(),
    job.wait()
    summary = engine.run(org, backup())   # blocks, for papermill and scripts
    engine.run(org, restore(ids=[…]))     # what was deleted or changed since the last snapshot
    engine.run(org, archive("Task", "Status = 'Completed'"))   # out of the org, into the store
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

from sfnb.archive.request import ArchiveRequest, archive
from sfnb.archive.starting import ArchiveEstimate, plan_archive
from sfnb.archive.starting import create_job as create_archive
from sfnb.backup.starting import BackupRequest, Estimate, backup, plan_backup
from sfnb.backup.starting import create_job as create_backup
from sfnb.erase.request import EraseRequest
from sfnb.erase.starting import create_job as create_erase
from sfnb.erase.starting import erase
from sfnb.jobs import events
from sfnb.jobs.states import may_resume
from sfnb.jobs.summary import job_summary
from sfnb.model import ARCHIVE, ERASE, RESTORE, Api, JobState
from sfnb.restore.request import RestoreRequest, restore
from sfnb.restore.starting import RestoreEstimate, plan_restore
from sfnb.restore.starting import create_job as create_restore

if TYPE_CHECKING:
    # A command connects before these load, so that its first call leaves early.
    from sfnb.backup.cluster.coordinator import Cluster
    from sfnb.backup.worker import ExecutorKind
    from sfnb.connection import Connection
    from sfnb.installation import Installation
    from sfnb.jobs.control import Control
    from sfnb.jobs.loop import JobLoop, OnPause
    from sfnb.jobs.work import JobContext, Work
    from sfnb.state.job_values import Job

__all__ = [
    "EXIT_CODES", "ArchiveEstimate", "ArchiveRequest", "BackupRequest", "EraseRequest", "Estimate", "JobHandle",
    "RestoreEstimate", "RestoreRequest", "RunOptions", "archive", "backup", "cluster", "control", "control_of",
    "create", "erase", "plan", "restore", "resume", "run", "run_job", "set_limit", "start", "start_again",
]  # fmt: skip

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
            "__main__"``. Or on a Dask cluster: ``with engine.cluster(org, "tcp://…") as there``.
        emit: takes the job's events, see `sfnb.jobs.events`.
        stop: set it, from a signal handler too, and the job ends as if interrupted, within half a
            second and the calls
            in flight: paused, with KeyboardInterrupt.
    """

    on_pause: OnPause
    poll_s: float | None
    max_wait_s: float | None
    workers: int | None
    executor: ExecutorKind | Cluster
    emit: events.Sink
    stop: threading.Event


Request = BackupRequest | RestoreRequest | ArchiveRequest


@overload
def plan(org: Connection, request: BackupRequest) -> Estimate: ...


@overload
def plan(org: Connection, request: RestoreRequest) -> RestoreEstimate: ...


@overload
def plan(org: Connection, request: ArchiveRequest) -> ArchiveEstimate: ...


def plan(org: Connection, request: Request) -> Estimate | RestoreEstimate | ArchiveEstimate:
    """
    What a backup would cost or a restore would write, by object, and where it would pause; what an
    archive would take out of the org.

    Cost: the same preparing calls as the job's: about one for 25 objects.

    Raises:
        CallerError: an object that the org does not have, a snapshot that there is not.
        QuotaSignal: not even these calls fit under the limit now.
    """
    if isinstance(request, RestoreRequest):
        return plan_restore(org, request)
    if isinstance(request, ArchiveRequest):
        return plan_archive(org, request)
    return plan_backup(org, request)


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


def run(
    org: Connection, request: Request | EraseRequest, **options: Unpack[RunOptions]
) -> dict[str, Any]:
    """
    Run a job on the caller's own thread, to its end or to a pause that nobody waits for.

    Returns:
        The summary: ``job_id, kind, org, state, snapshot, started_at, ended_at, calls, rows,
            objects, pauses``.
    """
    return run_job(org, create(org, request), **options)


def run_job(org: Connection, job_id: str, **options: Unpack[RunOptions]) -> dict[str, Any]:
    """Run a job that `create` has made, as `run` does."""
    return _loop(org, options).run(job_id)


def start(
    org: Connection, request: Request | EraseRequest, **options: Unpack[RunOptions]
) -> JobHandle:
    """Run a job on a thread of its own; arguments as for `run`."""
    return _handle(org, create(org, request), options)


def start_again(org: Connection, job_id: str, **options: Unpack[RunOptions]) -> JobHandle:
    """Continue a job as `resume` does, on a thread of its own."""
    control(org).resume(job_id, org_id=org.org_id)
    return _handle(org, job_id, options)


def resume(org: Connection, job_id: str, **options: Unpack[RunOptions]) -> dict[str, Any]:
    """
    Continue a paused, failed or killed job in the same snapshot, on the caller's own thread.

    Raises:
        CallerError: the job has ended, belongs to another org, or another process runs it. Of a
            restore that has ended, what it could not switch on is switched on.
    """
    job = org.state.jobs.get(job_id)
    if job.kind == RESTORE and not may_resume(JobState(job.state)):
        from sfnb.restore.ending import switch_on_late

        if switch_on_late(org.store, job, lambda: org.client):
            return job_summary(org.state, job_id)
    control(org).resume(job_id, org_id=org.org_id)
    return _loop(org, options).run(job_id)


def control(org: Connection) -> Control:
    """Pause, resume and cancel of this org's jobs, as people ask for them."""
    return control_of(org)


def control_of(place: Connection | Installation) -> Control:
    """
    Pause, resume and cancel of the jobs of a connected org, or of all orgs of an installation.

    An installation connects an org only when something has to be tidied up there.
    """
    from sfnb.installation import Installation
    from sfnb.jobs.control import Control

    def give_up(job: Job) -> str:
        if job.kind == RESTORE:
            from sfnb.restore.ending import abandon
        elif job.kind == ARCHIVE:
            from sfnb.archive.ending import abandon
        elif job.kind == ERASE:
            from sfnb.erase.starting import abandon
        else:
            from sfnb.backup.ending import abandon
        if isinstance(place, Installation):
            return abandon(place.store(job.org_id), job, lambda: place.open_client(job.org))
        return abandon(place.store, job, lambda: place.client)

    return Control(place.state, give_up)


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


def create(org: Connection, request: Request | EraseRequest) -> str:
    """
    A new job, queued, kept for this process; its id.

    Raises:
        CallerError: a live job of the org works on the same objects; there is no such snapshot.
        NotAllowed: whoever acts may not do such work.
        StoreError: the store is a bucket without conditional puts, or cannot be written.
    """
    if "://" in org.settings.store_root:  # known before a call is spent
        org.store.files.refuse_lossy()
    if isinstance(request, RestoreRequest):
        return create_restore(org, request)
    if isinstance(request, ArchiveRequest):
        return create_archive(org, request)
    if isinstance(request, EraseRequest):
        return create_erase(org, request)
    return create_backup(org, request)


def cluster(place: Connection | Installation, address: str) -> Cluster:
    """
    A Dask cluster to run backups on: give it as ``executor``, and close it. Its workers need this
    sfnb with the extra ``dask``, and the same store. They open no settings and no state database:
    the session and each call's leave come from this process, which alone commits.

    Args:
        address: of the scheduler, such as ``tcp://host:8786``.

    Raises:
        CallerError: that is no address, or dask is not installed here.
        JobError: nobody answers there, or no worker can do the work. Costs no call.
    """
    from sfnb.backup.cluster.coordinator import Cluster

    return Cluster(address, place.settings.store_root)


def _handle(org: Connection, job_id: str, options: RunOptions) -> JobHandle:
    return JobHandle(org, job_id, options, events.EventFan(options.get("emit", events.ignore)))


def _loop(org: Connection, options: RunOptions) -> JobLoop:
    from sfnb.jobs.loop import JobLoop

    poll_s = options.get("poll_s")

    def make_work(context: JobContext) -> Work:
        kind = context.state.jobs.get(context.job_id).kind
        if kind == RESTORE:
            from sfnb.restore import starting as restoring

            return restoring.make_work(org, context)
        if kind == ARCHIVE:
            from sfnb.archive import starting as archiving

            return archiving.make_work(org, context)
        if kind == ERASE:
            from sfnb.erase import starting as erasing

            return erasing.make_work(org, context)
        from sfnb.backup import starting as backing_up

        executor = options.get("executor", "threads")
        return backing_up.make_work(org, context, executor, options.get("workers"))

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
