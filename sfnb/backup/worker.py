"""
What a thread or a process makes once in order to run units: a client and its gate.

Two executors stand behind one protocol: threads of this process share one worker; each process of a
pool makes its
own from a ``WorkerSpec``. Both give the same results for the same units.
"""

from __future__ import annotations

import threading
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from sfnb.backup.fetch import fetch
from sfnb.backup.unit_context import Opened, UnitContext
from sfnb.backup.unit_outcomes import Result
from sfnb.backup.units import Unit
from sfnb.clock import SystemClock
from sfnb.errors import QuotaSignal, SfnbError, StopSignal
from sfnb.memory import open_state
from sfnb.org.changes import ChangeReader
from sfnb.org.client import OrgClient
from sfnb.org.opening import reopen_client
from sfnb.org.session import Session
from sfnb.quota.policy import RULES, Rules
from sfnb.settings import OrgConfig

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

ExecutorKind = Literal["threads", "processes"]


class WorkerDied(Exception):
    """
    A worker process ended while it ran units. They are to run again; what they wrote is committed
    by nobody.
    """


class Worker:
    """Runs units. Safe for threads: each unit has a context of its own."""

    def __init__(self, client: OrgClient, job_id: str, stop: threading.Event) -> None:
        self._client = client
        self._job_id = job_id
        self._stop = stop
        self._composite_refused = threading.Event()
        self._lists = ChangeReader(client)

    def run(self, unit: Unit, opened: Opened | None = None) -> Result:
        """
        What the unit brings; what went wrong is in the result, together with the calls that it
        cost.

        Args:
            opened: a side channel for a result page's next locator, where memory is shared.
        """
        context = UnitContext(
            self._client, self._job_id, self._stop, self._composite_refused, self._lists, opened
        )
        try:
            return Result(fetch(unit, context), context.calls)
        except (SfnbError, QuotaSignal, StopSignal) as err:
            return Result({}, context.calls, err)


class Executor(Protocol):
    """Where units run, ``slots`` of them at a time."""

    @property
    def slots(self) -> int: ...

    def submit(self, unit: Unit, opened: Opened) -> Future[Result]:
        """
        Start a unit. The future fails with WorkerDied when its worker died.

        ``opened`` is called from another thread, or not at all.
        """
        ...

    def close(self) -> None:
        """Give back threads or processes. No unit is in flight any more."""
        ...


class ThreadExecutor:
    """Units on threads of this process, all with one worker."""

    def __init__(self, worker: Worker, slots: int) -> None:
        self.slots = slots
        self._worker = worker
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="sfnb-unit")

    def submit(self, unit: Unit, opened: Opened) -> Future[Result]:
        return self._pool.submit(self._worker.run, unit, opened)

    def close(self) -> None:
        self._pool.shutdown()


# -------------------------------------------------------------------------------------------------------
# processes


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """
    What another process needs to make a worker. It pickles.

    It holds the session's token, so it is handed to a process in memory when that starts, and goes
    nowhere else; its
    repr shows no token.
    """

    config: OrgConfig
    session: Session = field(repr=False)
    api_version: str
    state_url: str
    job_id: str
    rules: Rules = RULES


class ProcessExecutor:
    """
    Units in processes of this machine, started afresh (``spawn``), so that no lock or connection is
    inherited.

    A process that dies breaks its whole pool: all units in flight end with WorkerDied, and the next
    unit starts a new
    pool.
    """

    def __init__(self, spec: WorkerSpec, slots: int) -> None:
        self.slots = slots
        self._spec = spec
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, unit: Unit, opened: Opened) -> Future[Result]:  # noqa: ARG002 - memory is not shared
        outcome: Future[Result] = Future()
        pool = self._pool = self._pool or self._start_pool()
        try:
            inner = pool.submit(_run_here, unit)
        except BrokenExecutor:
            pool = self._pool = self._start_pool()
            inner = pool.submit(_run_here, unit)
        inner.add_done_callback(lambda done: self._hand_on(done, outcome, pool))
        return outcome

    def _start_pool(self) -> ProcessPoolExecutor:
        # Threads, the default, need neither of these: 0.03 s of each start.
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        return ProcessPoolExecutor(
            self.slots,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(self._spec,),
        )

    def _hand_on(
        self, done: Future[Result], outcome: Future[Result], pool: ProcessPoolExecutor
    ) -> None:
        err = done.exception()
        if err is None:
            outcome.set_result(done.result())
        elif isinstance(err, BrokenExecutor):
            if self._pool is pool:
                self._pool = None
            pool.shutdown(wait=False)
            outcome.set_exception(WorkerDied())
        else:
            outcome.set_exception(err)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


_here: dict[str, Worker] = {}
"""This process's worker, once it is started."""


def _start_worker(spec: WorkerSpec) -> None:
    clock = SystemClock()
    state = open_state(spec.state_url, clock=clock)
    client = reopen_client(
        spec.config,
        spec.session,
        spec.api_version,
        state=state,
        clock=state.database.clock,
        rules=spec.rules,
    )
    _here["worker"] = Worker(client, spec.job_id, threading.Event())


def _run_here(unit: Unit) -> Result:
    return _here["worker"].run(unit)
