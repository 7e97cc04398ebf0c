"""P1 across real processes on one state file, some of which are killed without warning."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from multiprocessing.managers import BaseManager
from pathlib import Path

import pytest

from sfnb.clock import SystemClock
from sfnb.memory import open_state
from sfnb.model import RESTORE
from sfnb.quota.gate import Gate

ORG = "00D000000000001EAA"
WORKER = Path(__file__).with_name("gate_worker.py")


class CountingOrg:
    """
    An org that counts each call that reaches it, and whose header gets lost now and then.

    Args:
        late_by: so many calls are not in the number that an answer tells yet.
    """

    def __init__(self, maximum: int, seed: int, late_by: int = 0) -> None:
        self.late_by = late_by
        self.maximum = maximum
        self.used = 0
        self.calls: list[tuple[int, bool, str]] = []
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311

    def call(self, is_probe: bool, job_id: str, ticket: int) -> tuple[int, int] | None:
        with self._lock:
            self.used += 1
            self.calls.append((ticket, is_probe, job_id))
            is_lost = not is_probe and self._random.random() < 0.05
            told = max(self.used - self.late_by, 0)
            return None if is_lost else (told, self.maximum)

    @property
    def probes(self) -> int:
        return sum(is_probe for _, is_probe, _ in self.calls)

    def highest(self, job_id: str) -> int:
        """
        The use that the job's last call but probes brought the org to, in the order of the tickets:
        a probe that was let through later, past the threshold, may arrive before it.
        """
        ordered = enumerate(sorted(self.calls), start=1)
        return max(use for use, (_, probe, who) in ordered if who == job_id and not probe)


class Served(BaseManager):
    """Gives the org to other processes."""


def start(url: str, port: int, job_id: str = "job") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(WORKER), url, ORG, str(port), job_id])


@pytest.mark.parametrize("kills", [0, 6])
def test_processes_keep_one_budget_together(tmp_path: Path, kills: int) -> None:
    """
    P1: several processes on one state never pass the threshold together, killed ones included; and those that live use
    what is left, but for the calls that a killed one may have sent.
    """
    url = f"sqlite:///{tmp_path / 'state.db'}"
    clock = SystemClock()
    org = CountingOrg(maximum=500, seed=kills)
    Served.register("org", callable=lambda: org, exposed=["call"])
    server = Served(address=("127.0.0.1", 0), authkey=b"test").get_server()
    port = int(server.address[1])
    serving = threading.Thread(target=_serve, args=(server,), daemon=True)
    serving.start()
    with open_state(url, clock=clock) as state:
        workers = [start(url, port) for _ in range(3)]
        for number in range(kills):
            mark = org.used
            while org.used < min(
                mark + 25, 220
            ):  # let them get on, then hit one in the middle of it
                clock.wait(0.005)
            workers[number % 3].kill()
            workers[number % 3].wait(timeout=60)
            workers[number % 3] = start(url, port)
        for worker in workers:
            assert worker.wait(timeout=120) == 0
        standing = Gate(state.ledger, ORG, clock=clock).standing()["api"]
        counted = state.usage.job_calls("job")["api"]
    server.stop_event.set()
    assert org.highest("job") <= 250
    assert standing.in_flight == 0
    assert standing.believed >= org.used
    # Each lost header, each kill and each call of another worker that the last answer may not include may cost a call
    # of headroom until the next reading; no more than that.
    assert org.used >= 250 - kills - 4
    below = org.used - org.probes
    assert below <= counted <= below + kills


def test_processes_of_two_kinds_keep_their_limits(tmp_path: Path) -> None:
    """
    P1: processes of a backup and of a restore, at once: the backup stops at 50 %, the restore goes
    on to its own 90 %, and no call goes past that.
    """
    url = f"sqlite:///{tmp_path / 'state.db'}"
    clock = SystemClock()
    org = CountingOrg(maximum=300, seed=1)
    Served.register("org", callable=lambda: org, exposed=["call"])
    server = Served(address=("127.0.0.1", 0), authkey=b"test").get_server()
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    with open_state(url, clock=clock) as state:
        state.ledger.set_limits(ORG, 90, kind=RESTORE)
        jobs = [
            state.jobs.create(kind, "demo", ORG, {}, [kind.title()]).job_id
            for kind in ("backup", RESTORE)
        ]
        workers = [start(url, int(server.address[1]), job_id) for job_id in jobs * 2]
        for worker in workers:
            assert worker.wait(timeout=120) == 0
    server.stop_event.set()
    backup, restore = (org.highest(job_id) for job_id in jobs)
    # Each lost header and each call of another worker may cost a call of headroom.
    assert backup <= 150 and 270 - 4 <= restore <= 270


def _serve(server: object) -> None:
    # A manager's server ends its thread by way of SystemExit.
    try:
        server.serve_forever()  # type: ignore[attr-defined]
    except SystemExit:
        return
