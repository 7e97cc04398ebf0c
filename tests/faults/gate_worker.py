"""
A process that spends through the gate against an org in another process; killed by the test at any moment.

SFNB_TEST_HOST names the host that it says it is on, SFNB_TEST_CLOCK_H how many hours its clock is
off, SFNB_TEST_LAG_S how old the org's number may be, SFNB_TEST_LOST how many tickets of dead
processes of other hosts may be in flight for good.
"""

from __future__ import annotations

import os
import platform
import sys
from datetime import datetime, timedelta
from multiprocessing.managers import BaseManager
from typing import Any

from sfnb.clock import Clock, SystemClock
from sfnb.errors import QuotaSignal
from sfnb.memory import open_state
from sfnb.model import Reading
from sfnb.quota.gate import Gate, GaugeUnknown, Ticket
from sfnb.quota.policy import Rules


class WrongClock(SystemClock):
    """A machine's clock that is hours off."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=float(os.environ.get("SFNB_TEST_CLOCK_H", "0")))


class Remote(BaseManager):
    """The other process."""


Remote.register("org")


def send(org: Any, gate: Gate, ticket: Ticket, clock: Clock, *, is_probe: bool = False) -> None:
    sent_at = clock.now()
    told = org.call(is_probe, ticket.job_id, ticket.number)
    readings = (
        [] if told is None else [Reading("api", told[0], told[1], sent_at, clock.now(), "header")]
    )
    gate.settle(ticket, readings)


def work(url: str, org_id: str, org: Any, job_id: str) -> None:
    """Send calls until the gate refuses although nothing is in flight and it has just looked."""
    with open_state(url, clock=WrongClock()) as state:
        clock = state.database.clock
        lag_s = float(os.environ.get("SFNB_TEST_LAG_S", "0"))
        gate = Gate(state.ledger, org_id, clock=clock, rules=Rules(header_lag_s=lag_s))
        lost = int(os.environ.get("SFNB_TEST_LOST", "0"))
        has_looked = False
        while True:
            try:
                send(org, gate, gate.ask({"api": 1}, job_id=job_id), clock)
                has_looked = False
            except GaugeUnknown:
                send(org, gate, gate.ask({"api": 1}, is_probe=True), clock, is_probe=True)
            except QuotaSignal:
                if gate.standing()["api"].in_flight <= lost:
                    if has_looked:
                        return
                    # Answers that overtake each other count calls twice, until the next reading.
                    has_looked = True
                    send(org, gate, gate.ask({"api": 1}, is_probe=True), clock, is_probe=True)


if __name__ == "__main__":
    if host := os.environ.get("SFNB_TEST_HOST"):
        platform.node = lambda: host
    remote = Remote(address=("127.0.0.1", int(sys.argv[3])), authkey=b"test")
    remote.connect()
    work(sys.argv[1], sys.argv[2], remote.org(), sys.argv[4])  # type: ignore[attr-defined]
