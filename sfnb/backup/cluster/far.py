"""
In a worker of the cluster: units on an org's client whose gate and session are the coordinator's.

A worker reads no settings, no keyring and no environment of its own, and opens no state database.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from distributed import get_worker
from distributed.comm import CommClosedError

from sfnb.backup.cluster.sealing import Reader
from sfnb.backup.unit_outcomes import Result
from sfnb.backup.units import Unit
from sfnb.backup.worker import Worker
from sfnb.clock import SystemClock
from sfnb.errors import JobError
from sfnb.model import Price, Reading
from sfnb.org.client import OrgClient
from sfnb.org.opening import far_client
from sfnb.org.session import Session
from sfnb.quota.gate import Gate
from sfnb.quota.policy import RULES, Decision, Rules
from sfnb.quota.rows import QuotaState, Ticket
from sfnb.settings import OrgConfig


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault of ours in a unit, as a value: Dask would log the unit beside an exception."""

    error: BaseException

    @classmethod
    def by(cls, err: BaseException) -> Broken:
        """By the error itself, where it pickles."""
        try:
            pickle.dumps(err)
        except Exception:  # noqa: BLE001 - whatever keeps it from being sent
            return cls(RuntimeError(f"{type(err).__name__}: {str(err)[:500]}"))
        return cls(err)


@dataclass(frozen=True, slots=True)
class FarSpec:
    """
    What a worker is given of a job, sealed.

    Args:
        number: of the session; the next one has a greater one.
    """

    config: OrgConfig
    session: Session
    number: int
    api_version: str
    rules: Rules


class Line:
    """
    The way to the coordinator, through Dask's scheduler. Safe for threads of the worker, not for its
    loop. Each question costs two messages there and two back: some milliseconds.
    """

    def __init__(self, worker: Any, coordinator: str, job_id: str) -> None:
        self._worker = worker
        self._coordinator = coordinator
        self._job_id = job_id

    def ask(self, what: str, *arguments: Any, **options: Any) -> Any:
        """
        The coordinator's answer.

        Raises:
            JobError: nobody answers any more, so no call may be sent.
            SfnbError: what the coordinator met.
        """
        from distributed.utils import sync

        body = pickle.dumps((self._job_id, what, arguments, options))
        try:
            answer = sync(self._worker.loop, self._send, body)
        except (CommClosedError, OSError) as err:
            raise JobError("the Dask scheduler does not answer any more.") from err
        if answer is None:
            raise JobError("the process that ran the job has ended.")
        is_good, value = pickle.loads(answer)  # noqa: S301 - Dask's own messages are pickles, too
        if is_good:
            return value
        raise value

    async def _send(self, body: bytes) -> Any:
        return await self._worker.scheduler.sfnb_ask(
            coordinator=self._coordinator, worker=self._worker.address, body=body
        )


class FarLedger:
    """The coordinator's ledger, as the gate uses it (``quota.gate.Tickets``)."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def take_ticket(
        self,
        org_id: str,
        price: Price,
        *,
        rules: Rules = RULES,
        is_probe: bool = False,
        job_id: str = "",
        object_name: str = "",
        kind: str = "",
    ) -> Ticket | Decision:
        answer: Ticket | Decision = self._line.ask(
            "take_ticket",
            org_id,
            price,
            rules=rules,
            is_probe=is_probe,
            job_id=job_id,
            object_name=object_name,
            kind=kind,
        )
        return answer

    def settle_ticket(
        self,
        ticket: Ticket,
        readings: Iterable[Reading],
        *,
        was_sent: bool,
        is_silent: bool = False,
        rules: Rules = RULES,
    ) -> None:
        self._line.ask(
            "settle_ticket",
            ticket,
            list(readings),
            was_sent=was_sent,
            is_silent=is_silent,
            rules=rules,
        )

    def kind_of(self, job_id: str) -> str | None:
        kind: str | None = self._line.ask("kind_of", job_id)
        return kind

    def quota_state(self, org_id: str) -> QuotaState:
        state: QuotaState = self._line.ask("quota_state", org_id)
        return state

    def claim_probe(
        self, org_id: str, min_interval_s: float, *, price: Price | None = None
    ) -> bool:
        return bool(self._line.ask("claim_probe", org_id, min_interval_s, price=price))

    def release_probe(self, org_id: str) -> None:
        self._line.ask("release_probe", org_id)


class FarRenewal:
    """The coordinator's sessions: it logs in, whoever's call was refused (``org.address.Renewal``)."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._reader = Reader()
        self._number = -1

    def first(self) -> FarSpec:
        """What the job's client begins with."""
        sealed = self._line.ask("spec", self._reader.public)
        spec: FarSpec = pickle.loads(self._reader.open(sealed))  # noqa: S301 - sealed by the coordinator
        self._number = spec.number
        return spec

    def renew(self) -> Session:
        sealed = self._line.ask("newer_session", self._number, self._reader.public)
        number, session = pickle.loads(self._reader.open(sealed))  # noqa: S301 - likewise
        self._number = number
        renewed: Session = session
        return renewed

    def newest_version(self, instance_url: str) -> str:
        return str(self._line.ask("newest_version", instance_url))

    def keep(self, *, instance_url: str = "", api_version: str = "") -> None:
        self._line.ask("keep", instance_url=instance_url, api_version=api_version)


@dataclass(frozen=True, slots=True)
class _Job:
    client: OrgClient
    units: Worker
    stop: threading.Event


_jobs: dict[tuple[str, str], _Job] = {}
"""The jobs that this process has worked for, by coordinator and id."""

_lock = threading.Lock()


def run_unit(coordinator: str, job_id: str, unit: Unit) -> Result | Broken:
    """What the unit brings: the task that Dask runs. Its arguments hold nothing secret."""
    try:
        return _job(coordinator, job_id).units.run(unit)
    except BaseException as err:  # noqa: BLE001 - told to the coordinator, which raises it
        return Broken.by(err)


def _job(coordinator: str, job_id: str) -> _Job:
    with _lock:
        found = _jobs.get((coordinator, job_id))
        if found is None:
            line = Line(get_worker(), coordinator, job_id)
            found = _jobs[coordinator, job_id] = _opened(line, job_id)
        return found


def _opened(line: Line, job_id: str) -> _Job:
    clock, renewal, stop = SystemClock(), FarRenewal(line), threading.Event()
    spec = renewal.first()
    gate = Gate(FarLedger(line), spec.session.org_id, clock=clock, rules=spec.rules)
    client = far_client(spec.config, spec.session, spec.api_version, renewal, gate, clock)
    return _Job(client, Worker(client, job_id, stop), stop)


def stop_units(coordinator: str, job_id: str) -> None:
    """Have the job's units in flight here end at once."""
    found = _jobs.get((coordinator, job_id))
    if found is not None:
        found.stop.set()


def forget(coordinator: str, job_id: str = "") -> None:
    """Close the job's client here, or those of all jobs of the coordinator; its session with it."""
    for key in [key for key in _jobs if key[0] == coordinator and job_id in ("", key[1])]:
        found = _jobs.pop(key)
        found.stop.set()
        found.client.close()
