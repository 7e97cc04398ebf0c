"""
Seeded simulated days against the gate (P1, P4), and what one call through the gate costs. Prints a table.

    python benchmarks/gate_campaign.py --days 1000
    python benchmarks/gate_campaign.py --days 200 --processes 4     # of three hosts, on PostgreSQL
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sfnb.clock import FakeClock, SystemClock
from sfnb.memory import State, open_state
from sfnb.model import Reading
from sfnb.quota.gate import Gate
from tests.contracts.postgres import running_postgres
from tests.contracts.remote_gate import RemoteGates
from tests.contracts.simulated_org import Day, Witness

HOSTS = ("berlin", "paris", "tokyo")
WORKERS = 2
"""Of each process, in a team's campaign."""


@contextmanager
def fresh_state(url: str | None, clock: FakeClock | SystemClock) -> Iterator[State]:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        open_state(url or f"sqlite:///{Path(folder) / 'state.db'}", clock=clock) as state,
    ):
        yield state


@contextmanager
def a_team(
    processes: int, url: str | None, clock: FakeClock
) -> Iterator[tuple[str | None, RemoteGates | None]]:
    """The state of the campaign, and the processes that share it; none: it is played in this one."""
    if not processes:
        yield url, None
        return
    with ExitStack() as stack:
        server = url or stack.enter_context(running_postgres())
        hosts = [HOSTS[number % len(HOSTS)] for number in range(processes)]
        yield server, stack.enter_context(RemoteGates(server, hosts, clock))


def play(
    state: State, clock: FakeClock, first: int, days: int, team: RemoteGates | None = None
) -> list[Witness]:
    witnesses = []
    began_s = time.monotonic()
    for seed in range(first, first + days):
        day = Day(state, clock, seed)
        if team is not None:
            day.gates = [gate for _ in range(WORKERS) for gate in team.of(day.org_id)]  # type: ignore[misc]
        witnesses.append(day.run())
        if len(witnesses) % 50 == 0:
            print(f"  {len(witnesses)} days, {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    return witnesses


def ask_and_settle_ms(state: State, clock: SystemClock, pairs: int) -> list[float]:
    """Milliseconds of each ask and settle, sorted; what one HTTP call pays."""
    gate = Gate(state.ledger, "00D000000000000EAA", clock=clock)
    now = clock.now()
    gate.settle(gate.ask({"api": 1}, is_probe=True), [Reading("api", 0, 10**9, now, now, "header")])
    took_ms = []
    for used in range(pairs):
        began_s = time.perf_counter()
        ticket = gate.ask({"api": 1}, job_id="job", object_name="Account")
        sent_at = ticket.taken_at
        gate.settle(
            ticket,
            [Reading("api", used, 10**9, sent_at, sent_at + timedelta(milliseconds=1), "header")],
        )
        took_ms.append((time.perf_counter() - began_s) * 1000)
    return sorted(took_ms)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--url", help="an empty state database; default: a new SQLite file")
    parser.add_argument("--processes", type=int, default=0, help="of three hosts, on PostgreSQL")
    options = parser.parse_args()
    clock = FakeClock()
    with (
        a_team(options.processes, options.url, clock) as (url, team),
        fresh_state(url, clock) as state,
    ):
        witnesses = play(state, clock, options.first_seed, options.days, team)
        kind = state.database.dialect
    system = SystemClock()
    with fresh_state(None, system) as state:
        took_ms = ask_and_settle_ms(state, system, 50 if options.processes else 1000)
    overshoots = [
        (options.first_seed + day, text) for day, w in enumerate(witnesses) for text in w.overshoots
    ]

    def total(name: str) -> int:
        return sum(getattr(witness, name) for witness in witnesses)

    rows: list[tuple[str, object]] = [
        (f"simulated days ({kind})", len(witnesses)),
        ("calls sent below the threshold", total("sent")),
        ("of them without a header", total("losses")),
        ("reads of /limits", total("probes")),
        ("pauses", total("pauses")),
        ("resumes", total("resumes")),
        ("days on which use fell under the lower mark", total("quiet_days")),
        ("of them stuck (aim: 0)", total("stuck_days")),
        ("calls past the threshold (aim: 0)", len(overshoots)),
        ("ask + settle, median ms (sqlite)", f"{took_ms[len(took_ms) // 2]:.2f}"),
        ("ask + settle, 99th percentile ms (sqlite)", f"{took_ms[len(took_ms) * 99 // 100]:.2f}"),
    ]
    for name, value in rows:
        print(f"{name:<46}{value:>12,}" if isinstance(value, int) else f"{name:<46}{value:>12}")
    for seed, text in overshoots[:20]:
        print(f"seed {seed}: {text}")
    return 1 if overshoots or total("stuck_days") else 0


if __name__ == "__main__":
    sys.exit(main())
