"""
A process of another host with a gate of its own on a shared state; the test lends it its clock.

    with RemoteGates(url, ["a", "b"], clock) as gates:
        gates.of(org_id)[0].ask({"api": 1})
"""

from __future__ import annotations

import multiprocessing
import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from typing import Any

from sfnb.clock import FakeClock
from sfnb.errors import QuotaSignal
from sfnb.memory import open_state
from sfnb.quota.gate import Gate, GaugeUnknown
from sfnb.state.lease import Lease


class RemoteGate:
    """One gate in another process; the methods of ``Gate`` that a job uses."""

    def __init__(self, process: RemoteProcess, org_id: str, clock: FakeClock) -> None:
        self._process = process
        self._org_id = org_id
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            now_s = self._clock.monotonic()
            return self._process.call(self._org_id, now_s, name, arguments, options)

        return call


class RemoteProcess:
    """A process that calls itself another host's."""

    def __init__(self, url: str, host: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(url, host, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def call(self, org_id: str, now_s: float, name: str, arguments: Any, options: Any) -> Any:
        self._ours.send((org_id, now_s, name, arguments, options))
        kind, answer = self._ours.recv()
        if kind == "unknown":
            raise GaugeUnknown(answer)
        if kind == "signal":
            raise answer
        return answer

    def kill(self) -> None:
        self._process.kill()
        self._process.join(timeout=60)
        self._ours.close()


class RemoteGates(AbstractContextManager["RemoteGates"]):
    """Processes, each of the host that is named for it."""

    def __init__(self, url: str, hosts: Sequence[str], clock: FakeClock) -> None:
        self._clock = clock
        self.processes = [RemoteProcess(url, host) for host in hosts]

    def of(self, org_id: str) -> list[RemoteGate]:
        """A gate of the org in each process."""
        return [RemoteGate(process, org_id, self._clock) for process in self.processes]

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()


def serve(url: str, host: str, theirs: Connection) -> None:
    """The other process: answers until nobody asks any more."""
    platform.node = lambda: host
    clock = FakeClock()
    with open_state(url, clock=clock) as state:
        gates: dict[str, Gate] = {}
        held: list[Lease] = []
        while True:
            try:
                org_id, now_s, name, arguments, options = theirs.recv()
            except (EOFError, ConnectionError):
                return
            clock.advance(now_s - clock.monotonic())
            gate = gates.setdefault(org_id, Gate(state.ledger, org_id, clock=clock))
            answer: tuple[str, Any]
            try:
                if name == "run_a_job":
                    job = state.jobs.create("backup", "acme", org_id, {}, None)
                    held.append(state.jobs.lease(job.job_id))
                    answer = "done", job.job_id
                else:
                    answer = "done", getattr(gate, name)(*arguments, **options)
            except QuotaSignal as signal:
                answer = "signal", signal
            except GaugeUnknown as unknown:
                answer = "unknown", unknown.apis
            theirs.send(answer)
