"""
The coordinator's side of a Dask cluster: connected, checked, its workers known as they come and go.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

from sfnb.errors import CallerError, JobError, QuotaSignal, SfnbError, StopSignal

ADDRESS = re.compile(r"(?:tcp|tls|ws|wss)://[^/\s]+:\d{1,5}")

CONNECT_S, CHECK_S = 10.0, 60.0

THREADS = 8
"""Questions of workers that are answered at a time; each waits for the state database only."""

NEEDED = (
    "The workers and the scheduler need the same sfnb, with its extra: pip install 'sfnb[dask]'."
)

log = logging.getLogger("sfnb.backup")


class Jobs(Protocol):
    """What hears of a cluster: the job that runs on it."""

    def answer(self, worker: str, what: str, arguments: Any, options: Any) -> Any:
        """The answer to a worker's question; on a thread of its own."""
        ...

    def came(self, worker: str, threads: int) -> None:
        """A worker that can run units is there; on the cluster's loop."""
        ...

    def gone(self, worker: str) -> None:
        """A worker has ended, or cannot be reached; on the cluster's loop."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """A worker that can run units: its address, and how many at a time."""

    address: str
    threads: int


class Cluster:
    """
    A Dask cluster that runs the units of this process's jobs, one job at a time. Close it when done.

    Nothing of an org is on the cluster before a job runs there.

    Args:
        address: of Dask's scheduler, such as ``tcp://host:8786``; ``tls://`` where Dask is
            configured for it.
        store_root: where workers are to write.

    Raises:
        CallerError: that is no address, or dask is not installed here.
        JobError: nobody answers there; no worker can run units: another version, no sfnb, no access
            to the store.
    """

    def __init__(self, address: str, store_root: str) -> None:
        if not ADDRESS.fullmatch(address):
            raise CallerError(
                f"{address!r} is no address of a Dask scheduler; such as tcp://HOST:8786."
            )
        if find_spec("distributed") is None:
            raise CallerError("running on a Dask cluster needs pip install 'sfnb[dask]'.")
        self.address = address
        self._store_root = store_root
        self._job: Jobs | None = None
        self._lock = threading.Lock()
        self._members: dict[str, int] = {}
        self._checking: set[asyncio.Task[None]] = set()
        self._client = _connected(address)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sfnb-dask")
        try:
            self._client.sync(self._join)
            self._check_first()
        except BaseException:
            self.close()
            raise

    @property
    def client(self) -> Any:
        """Dask's client."""
        return self._client

    @property
    def is_connected(self) -> bool:
        """Whether the scheduler answers."""
        return bool(self._client.status == "running")

    def take(self, job: Jobs) -> list[Member]:
        """
        Have a job hear of the cluster from now on: the workers that are there.

        Raises:
            JobError: the scheduler does not answer any more.
        """
        if not self.is_connected:
            raise JobError(f"the Dask scheduler at {self.address} does not answer any more.")
        with self._lock:
            if self._job is not None:
                raise CallerError("this cluster runs another job of this process; wait for it.")
            self._job = job
            return [Member(address, threads) for address, threads in self._members.items()]

    def leave(self) -> None:
        """The job has ended."""
        with self._lock:
            self._job = None

    def close(self) -> None:
        """Let the cluster go. It forgets what it knows of this process's jobs."""
        self._client.close(timeout=CONNECT_S)
        self._threads.shutdown(wait=False)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Cluster({self.address!r})"

    # -- beginning

    async def _join(self) -> None:
        from sfnb.backup.cluster.relay import TOPIC, Relay

        client = self._client
        try:
            await client.register_plugin(Relay())
            client.subscribe_topic(TOPIC, self._heard)
            await client.scheduler.sfnb_join(coordinator=client.id)
        except (ImportError, AttributeError, pickle.UnpicklingError, ValueError) as err:
            raise JobError(
                f"the Dask scheduler at {self.address} cannot load sfnb ({err}). {NEEDED}"
            ) from err

    def _check_first(self) -> None:
        """Look at all workers that are there. Those that cannot run units are named, and left out."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise JobError(
                f"the Dask cluster at {self.address} has no workers. Start some: "
                f"dask worker {self.address}."
            )
        problems = self._client.sync(self._check, list(workers))
        if not self._members:
            address, problem = next(iter(problems.items()))
            others = f" (so of all {len(problems)} workers)" if len(problems) > 1 else ""
            raise JobError(f"the Dask worker {address} cannot run units: {problem}{others}.")

    async def _check(self, workers: list[str]) -> dict[str, str]:
        """Take in the workers that can run units; why the others cannot."""
        from sfnb.backup.cluster.fitness import judge, look, probe

        client, root = self._client, self._store_root
        problems: dict[str, str] = {}
        found = await client.run(
            find_spec, "sfnb", workers=workers, on_error="return", asynchronous=True
        )
        with_sfnb = [one for one, spec in found.items() if _is_good(spec)]
        problems |= {one: f"it has no sfnb. {NEEDED[:-1]}" for one in found if one not in with_sfnb}
        with probe(root) as name:
            seen = await client.run(
                look, root, name, workers=with_sfnb, on_error="return", asynchronous=True
            )
        threads = (await client.scheduler.identity(n_workers=-1))["workers"]
        for worker, one in seen.items():
            if isinstance(one, BaseException):
                problem = f"it cannot load this sfnb ({type(one).__name__}: {one}). {NEEDED[:-1]}"
            else:
                problem = judge(one, root)
            if problem:
                problems[worker] = problem
            elif worker in threads:
                self._came(worker, threads[worker]["nthreads"])
        for worker, problem in problems.items():
            log.warning("the Dask worker %s is left out: %s", worker, problem)
        return problems

    # -- on Dask's loop

    def _heard(self, event: tuple[float, dict[str, Any]]) -> None:
        match event[1]:
            case {"ask": int(number), "worker": str(worker), "body": bytes(body)}:
                task = asyncio.ensure_future(self._answer(number, worker, body))
            case {"came": str(worker)}:
                task = asyncio.ensure_future(self._check_late(worker))
            case {"gone": str(worker)}:
                with self._lock:
                    self._members.pop(worker, None)
                    job = self._job
                if job is not None:
                    job.gone(worker)
                return
            case _:
                return
        self._checking.add(task)
        task.add_done_callback(self._checking.discard)

    async def _check_late(self, worker: str) -> None:
        try:
            await self._check([worker])
        except (OSError, SfnbError) as err:  # it has ended again, or the store is away
            log.warning("the Dask worker %s is left out: %s", worker, err)

    def _came(self, worker: str, threads: int) -> None:
        with self._lock:
            self._members[worker] = threads
            job = self._job
        if job is not None:
            job.came(worker, threads)

    async def _answer(self, number: int, worker: str, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._threads, self._answered, worker, body)
        try:
            await self._client.scheduler.sfnb_answer(number=number, body=answer)
        except OSError as err:
            log.warning("a worker's question could not be answered: %s", err)

    def _answered(self, worker: str, body: bytes) -> bytes:
        job_id, what, arguments, options = pickle.loads(body)  # noqa: S301 - as Dask's own messages
        with self._lock:
            job = self._job
        try:
            if job is None:
                raise JobError(f"job {job_id} does not run on this cluster any more.")
            return pickle.dumps((True, job.answer(worker, what, arguments, options)))
        except (SfnbError, QuotaSignal, StopSignal) as err:
            return pickle.dumps((False, err))
        except Exception as err:  # a fault of ours: the unit ends with it, and the job
            log.exception("a worker's question (%s) could not be answered", what)
            return pickle.dumps((False, JobError(f"unexpected {type(err).__name__} in {what}")))


def _is_good(spec: object) -> bool:
    return spec is not None and not isinstance(spec, BaseException)


def _connected(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False, name="sfnb")
    except (OSError, TimeoutError, ValueError, TypeError) as err:
        reason = " ".join(str(err).split())[:200] or type(err).__name__
        raise JobError(
            f"no Dask scheduler answers at {address} ({reason}). Check the address, and that "
            "`dask scheduler` runs there."
        ) from err
