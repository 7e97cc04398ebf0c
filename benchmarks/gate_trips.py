"""
What a call pays at the gate where the state database is PostgreSQL, 5 ms away. Prints a table.

    python benchmarks/gate_trips.py

A trip: the client sends, and the server answers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "contracts"))

from postgres import running_postgres
from slow_link import SlowLink, slow_link
from sqlalchemy import make_url

from sfnb.clock import SystemClock
from sfnb.memory import State, open_state
from sfnb.model import Reading
from sfnb.quota.gate import Gate

ORG = "00D000000000000EAA"


def pairs(gate: Gate, link: SlowLink, job: str, count: int) -> list[tuple[float, float, int, int]]:
    """Of each pair of asking and settling: the milliseconds and the trips of both."""
    found = []
    for used in range(count):
        before, began_s = link.trips, time.perf_counter()
        ticket = gate.ask({"api": 1}, job_id=job, object_name="Account")
        between, asked_s = link.trips, time.perf_counter()
        answered_at = ticket.taken_at + timedelta(milliseconds=1)
        reading = Reading("api", used, 10**9, ticket.taken_at, answered_at, "header")
        gate.settle(ticket, [reading])
        took = time.perf_counter() - asked_s
        found.append((
            (asked_s - began_s) * 1000, took * 1000, between - before, link.trips - between
        ))  # fmt: skip
    return found


def a_job(state: State) -> str:
    """One that there is: its kind is read once, then known."""
    return state.jobs.create("backup", "acme", ORG, {}, None).job_id


def alone(state: State, link: SlowLink, job: str, count: int) -> list[tuple[str, str]]:
    clock = SystemClock()
    gate = Gate(state.ledger, ORG, clock=clock)
    now = clock.now()
    gate.settle(gate.ask({"api": 1}, is_probe=True), [Reading("api", 0, 10**9, now, now, "header")])
    pairs(gate, link, job, 10)  # the driver prepares statements that come often
    found = pairs(gate, link, job, count)
    rows = []
    for name, ms, trips in (("ask", 0, 2), ("settle", 1, 3)):
        times = sorted(entry[ms] for entry in found)
        counts = [entry[trips] for entry in found]
        rows.append((f"{name}: trips, median", f"{statistics.median(counts):.0f}"))
        rows.append((f"{name}: trips, most", f"{max(counts)}"))
        rows.append((f"{name}: median ms", f"{times[len(times) // 2]:.1f}"))
        rows.append((f"{name}: 95th percentile ms", f"{times[len(times) * 95 // 100]:.1f}"))
    return rows


def together(
    state: State, link: SlowLink, job: str, threads: int, count: int
) -> list[tuple[str, str]]:
    """Several threads at once: what all their calls take."""
    before, began_s = link.trips, time.perf_counter()

    def work() -> None:
        pairs(Gate(state.ledger, ORG, clock=SystemClock()), link, job, count)

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    took_s, calls = time.perf_counter() - began_s, threads * count
    return [
        (
            f"{threads} threads: trips of ask and settle, mean",
            f"{(link.trips - before) / calls:.2f}",
        ),
        (f"{threads} threads: calls a second through the gate", f"{calls / took_s:.0f}"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--trip-ms", type=float, default=5.0, help="there and back")
    options = parser.parse_args()
    with running_postgres() as url:
        server = make_url(url)
        with slow_link(server.port or 5432, options.trip_ms / 2000) as link:
            near = server.set(drivername="postgresql+psycopg")
            open_state(
                near.render_as_string(hide_password=False)
            ).close()  # tables, by the near way
            far = near.set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False)
            with open_state(far) as state:
                job = a_job(state)
                rows = alone(state, link, job, options.calls)
                rows += together(state, link, job, options.threads, options.calls)
    for name, value in [("a trip, ms", f"{options.trip_ms:.1f}"), *rows]:
        print(f"{name:<50}{value:>10}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
