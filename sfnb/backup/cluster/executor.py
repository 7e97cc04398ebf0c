"""Units on a cluster's workers: the third executor beside threads and processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sfnb.backup.cluster.coordinator import Cluster
from sfnb.backup.cluster.far import Broken, forget, run_unit, stop_units
from sfnb.backup.cluster.service import Service
from sfnb.backup.unit_context import Opened
from sfnb.backup.unit_outcomes import Result
from sfnb.backup.units import Unit
from sfnb.backup.work import MakeExecutor
from sfnb.backup.worker import WorkerDied
from sfnb.errors import JobError, LeaseLost, StateUnavailable
from sfnb.jobs.work import JobContext
from sfnb.settings import OrgConfig

WORKER_WAIT_S = 60.0
"""So long units wait for a worker where the last one has ended: a nanny starts one in seconds."""

log = logging.getLogger("sfnb.backup")


@dataclass(eq=False)
class _Flight:
    unit: Unit
    outcome: Future[Result]
    worker: str = ""
    future: Any = None


@dataclass
class _Seat:
    """A worker: how many units it runs at a time, those that it runs, and how many it was given."""

    threads: int
    flights: list[_Flight] = field(default_factory=list)
    given: int = 0

    @property
    def turn(self) -> tuple[float, float]:
        """The least has the next unit: who is least busy, else who has had the fewest."""
        return len(self.flights) / self.threads, self.given / self.threads


class ClusterExecutor:
    """
    A job's units on the workers of a cluster.

    Each unit is given to one worker by name. When that ends, the unit's future fails with
    WorkerDied, and whoever decides gives the unit out again: Dask itself repeats nothing. All but
    ``submit`` and ``close`` runs on the cluster's loop.

    Args:
        most: units in flight at a time; None: as many as the workers have threads.
    """

    def __init__(  # noqa: PLR0917 - what a job's run has, in its order
        self,
        cluster: Cluster,
        config: OrgConfig,
        context: JobContext,
        stop: threading.Event,
        most: int | None,
        seen: set[str],
    ) -> None:
        self._cluster = cluster
        self._context = context
        self._most = most
        self._seen = seen
        self._seats: dict[str, _Seat] = {}
        self._homeless: list[_Flight] = []
        self._loop = cluster.client.loop.asyncio_loop
        self._waiting: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._service = Service(context.client, config, context.state.ledger, context.clock)
        self._stop = stop
        cluster.client.sync(self._begin)
        threading.Thread(target=self._hurry, name="sfnb-dask-stop", daemon=True).start()

    async def _begin(self) -> None:
        """On the cluster's loop, so that no worker comes or goes meanwhile."""
        for member in self._cluster.take(self):
            self._seats[member.address] = _Seat(member.threads)

    @property
    def slots(self) -> int:
        threads = sum(seat.threads for seat in list(self._seats.values()))
        return max(min(threads, self._most or threads), 1)

    def submit(self, unit: Unit, opened: Opened) -> Future[Result]:  # noqa: ARG002 - memory is not shared
        flight = _Flight(unit, Future())
        self._loop.call_soon_threadsafe(self._place, flight)
        return flight.outcome

    def close(self) -> None:
        self._is_closed = True
        self._stop.set()  # ends the thread that waits for it; nothing is in flight any more
        self._cluster.leave()
        client, job_id = self._cluster.client, self._context.job_id
        if self._cluster.is_connected:  # else the relay has them forget it
            with contextlib.suppress(OSError):
                client.run(forget, client.id, job_id, workers=list(self._seats), on_error="ignore")
        # What ended the run is being raised already where the state is away or the lease lost.
        with contextlib.suppress(StateUnavailable, LeaseLost):
            self._context.state.jobs.add_outcome(job_id, workers=len(self._seen))

    # -- what the cluster tells

    def answer(self, worker: str, what: str, arguments: Any, options: Any) -> Any:
        return self._service.answer(worker, what, arguments, options)

    def came(self, worker: str, threads: int) -> None:
        self._seats[worker] = _Seat(threads)
        homeless, self._homeless = self._homeless, []
        for flight in homeless:
            self._place(flight)

    def gone(self, worker: str) -> None:
        seat = self._seats.pop(worker, None)
        flights = seat.flights if seat else []
        # First the tickets of its calls, then its units: they are paid for before they run again.
        self._keep(self._loop.create_task(self._count_and_give_back(worker, flights)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        """asyncio itself does not keep a task that nobody holds."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _count_and_give_back(self, worker: str, flights: list[_Flight]) -> None:
        try:
            await self._loop.run_in_executor(None, self._service.worker_gone, worker)
        except StateUnavailable as err:
            log.warning("calls of the Dask worker %s stay reserved for a while: %s", worker, err)
        for flight in flights:
            if not flight.outcome.done():
                flight.outcome.set_exception(WorkerDied())
        gone = [flight.future for flight in flights if flight.future is not None]
        # Dask would start them again where a worker of that address comes back.
        with contextlib.suppress(OSError):
            await self._cluster.client.cancel(gone, asynchronous=True)

    # -- within

    def _place(self, flight: _Flight) -> None:
        if not self._seats:
            self._homeless.append(flight)
            if self._waiting is None:
                self._waiting = self._loop.call_later(WORKER_WAIT_S, self._no_worker)
            return
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        flight.worker = min(self._seats, key=lambda one: self._seats[one].turn)
        seat = self._seats[flight.worker]
        seat.flights.append(flight)
        seat.given += 1
        self._keep(self._loop.create_task(self._fly(flight)))

    def _no_worker(self) -> None:
        self._waiting = None
        homeless, self._homeless = self._homeless, []
        for flight in homeless:
            flight.outcome.set_exception(
                JobError(
                    f"the Dask cluster at {self._cluster.address} has had no worker for "
                    f"{WORKER_WAIT_S:.0f} seconds. Start one and resume the job."
                )
            )

    async def _fly(self, flight: _Flight) -> None:
        client, job_id = self._cluster.client, self._context.job_id
        if flight.worker not in self._seats:  # it has ended since, and the unit was given back
            return
        try:
            flight.future = client.submit(
                run_unit,
                client.id,
                job_id,
                flight.unit,
                key=f"sfnb-unit-{job_id}-{secrets.token_hex(6)}",
                workers=[flight.worker],
                allow_other_workers=False,
                pure=False,
                retries=0,
            )
            came = await client.gather(flight.future, asynchronous=True)
        except Exception as err:  # noqa: BLE001 - Dask's own errors: of a worker, or of the cluster
            self._lost(flight, err)
            return
        self._leave(flight)
        if flight.outcome.done():
            return
        self._seen.add(flight.worker)
        if isinstance(came, Broken):
            flight.outcome.set_exception(came.error)
        else:
            flight.outcome.set_result(came)

    def _lost(self, flight: _Flight, err: Exception) -> None:
        """Dask brings no result, though nobody said that the worker has ended."""
        self._leave(flight)
        if flight.outcome.done():  # it has died, and Dask was asked to forget it
            return
        if self._cluster.is_connected:
            flight.outcome.set_exception(WorkerDied())
        else:
            flight.outcome.set_exception(
                JobError(
                    f"the Dask scheduler at {self._cluster.address} does not answer any more "
                    f"({type(err).__name__}). Resume the job when it does."
                )
            )

    def _leave(self, flight: _Flight) -> None:
        seat = self._seats.get(flight.worker)
        if seat is not None and flight in seat.flights:
            seat.flights.remove(flight)

    def _hurry(self) -> None:
        """Waits until units in flight are to end at once, and tells the workers."""
        self._stop.wait()
        if self._is_closed:
            return
        client = self._cluster.client
        with contextlib.suppress(OSError):
            client.run(
                stop_units, client.id, self._context.job_id, workers=list(self._seats),
                on_error="ignore",
            )  # fmt: skip


def on_cluster(cluster: Cluster, config: OrgConfig, most: int | None) -> MakeExecutor:
    """Makes the executors of one job, which count together the workers that did work."""
    seen: set[str] = set()

    def make(context: JobContext, stop: threading.Event) -> ClusterExecutor:
        return ClusterExecutor(cluster, config, context, stop, most, seen)

    return make
