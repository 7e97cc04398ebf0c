"""P1 for a team: several hosts on one PostgreSQL keep one threshold together, and what a dead one held runs out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from sfnb.clock import FakeClock, SystemClock
from sfnb.errors import CallerError
from sfnb.memory import open_state
from sfnb.model import Reading
from sfnb.quota.gate import Gate
from sfnb.quota.rows import TICKET_LIFE_S
from sfnb.state.lease import LEASE_S
from tests.contracts.remote_gate import RemoteGates
from tests.contracts.simulated_org import Day
from tests.faults.test_gate_processes import ORG, WORKER, CountingOrg, Served, _serve

HOSTS = ("berlin", "berlin", "paris", "tokyo")

pytestmark = pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)


def test_days_of_a_team_pass_no_threshold(state_url: str, clock: FakeClock) -> None:
    """
    P1, P4: simulated days on which four processes of three hosts take turns: no call past the line,
    no job that does not get on. (`benchmarks/gate_campaign.py --processes 4` plays 200 of them.)
    """
    with (
        open_state(state_url, clock=clock) as state,
        RemoteGates(state_url, HOSTS, clock) as remote,
    ):
        for seed in range(4):
            day = Day(state, clock, seed)
            day.gates = [*remote.of(day.org_id), *remote.of(day.org_id)]  # type: ignore[list-item]
            witness = day.run()
            assert witness.overshoots == []
            assert witness.stuck_days == 0


@pytest.fixture
def org() -> Iterator[tuple[CountingOrg, int]]:
    """An org that counts, and the port at which other processes reach it."""
    counting = CountingOrg(maximum=400, seed=3, late_by=40)
    Served.register("org", callable=lambda: counting, exposed=["call"])
    server = Served(address=("127.0.0.1", 0), authkey=b"test").get_server()
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    yield counting, int(server.address[1])
    server.stop_event.set()


def test_hosts_whose_clocks_are_hours_off(state_url: str, org: tuple[CountingOrg, int]) -> None:
    """
    P1: four processes at once, of three hosts whose clocks are up to a day off, one of them killed
    in the middle, and an org whose number is 40 calls late: the threshold is kept.
    """
    counting, port = org
    hours = ("0", "-26", "3", "11.5")
    told = {"SFNB_TEST_LOST": "1", "SFNB_TEST_LAG_S": "120"}
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), state_url, ORG, str(port), "job"],
            env={**os.environ, **told, "SFNB_TEST_HOST": host, "SFNB_TEST_CLOCK_H": off},
        )
        for host, off in zip(HOSTS, hours, strict=True)
    ]
    clock = SystemClock()
    while counting.used < 60:
        clock.wait(0.01)
    workers[3].kill()  # of its tickets nobody else can tell whether they are lost
    for worker in workers:
        worker.wait(timeout=120)
    assert [worker.returncode for worker in workers[:3]] == [0, 0, 0]
    assert counting.highest("job") <= 200
    assert counting.used > 100  # each knows the calls of all, and counts them on top but once


def test_what_a_dead_host_held_runs_out(state_url: str, clock: FakeClock) -> None:
    """
    Another host cannot look whether a process lives: its ticket stays reserved for half an hour and
    then counts as spent; its job can be taken over after a minute.
    """
    now = clock.now()
    with open_state(state_url, clock=clock) as state:
        here = Gate(state.ledger, ORG, clock=clock)
        told = [Reading("api", 10, 100, now, now, "limits")]
        here.settle(here.ask({"api": 1}, is_probe=True), told)
        with RemoteGates(state_url, ["paris"], clock) as remote:
            (there,) = remote.of(ORG)
            there.ask({"api": 5})
            job_id = there.run_a_job()
        assert here.standing()["api"].in_flight == 5
        with pytest.raises(CallerError, match="already running"):
            state.jobs.lease(job_id)
        clock.advance(LEASE_S + 1)
        with state.jobs.lease(job_id):
            pass
        clock.advance(TICKET_LIFE_S)
        now = clock.now()
        here.settle(
            here.ask({"api": 1}, is_probe=True), [Reading("api", 10, 100, now, now, "limits")]
        )
        assert here.standing()["api"].in_flight == 0
        assert state.usage.job_calls("")["api"] >= 6
        assert clock.now() - now < timedelta(hours=1)
