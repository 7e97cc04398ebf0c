"""
How early a job pauses for a limit header that is old, and whether a call passes the line (P1). Prints a table.

    python benchmarks/header_lag.py
    python benchmarks/header_lag.py --lags 0,78 --maxima 300 --per-second 10

The org counts each call at once and reports the count of so many seconds ago; nobody else spends.
The job sends as fast as it may, waits when the gate says so, and stops when only time would help.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sfnb.clock import FakeClock
from sfnb.memory import open_state
from sfnb.quota.policy import lower_mark, threshold
from tests.contracts.lagging_org import LaggingOrg

PERCENT = 50
BEFORE_THE_LINE = 1_500
"""Of a large allowance, only so many calls below the line are played: what was before is long ago."""


def played(lag_s: float, maximum: int, every_s: float) -> dict[str, object]:
    """One job from a fresh state: where it stopped first, where last, and what the waiting cost."""
    clock, line = FakeClock(), threshold(maximum, PERCENT)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        open_state(f"sqlite:///{Path(folder) / 'state.db'}", clock=clock) as state,
    ):
        org = LaggingOrg(state, clock, lag_s, maximum, every_s=every_s)
        org.counted = [clock.monotonic() - 86_000] * max(0, line - BEFORE_THE_LINE)
        began_s = clock.monotonic()
        stops, _ = org.run()
    return {
        "lag s": f"{lag_s:g}",
        "maximum": f"{maximum:,}",
        "line": f"{line:,}",
        "first pause at": f"{stops[0]:,}",
        "below the line": f"{line - stops[0]:,}",
        "short pauses": len(stops) - 1,
        "ends at": f"{len(org.counted):,}",
        "lower mark": f"{lower_mark(maximum, PERCENT):,}",
        "looks": org.looks,
        "minutes": f"{(clock.monotonic() - began_s) / 60:.0f}",
        "over": max(0, len(org.counted) - line),
    }


def numbers(text: str) -> list[float]:
    return [float(one) for one in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lags", type=numbers, default=[0.0, 50.0, 78.0, 120.0])
    parser.add_argument("--maxima", type=numbers, default=[300.0, 5_000.0, 100_000.0])
    parser.add_argument("--per-second", type=float, default=4.0, help="calls that the job sends")
    options = parser.parse_args()
    over = 0
    for number, (maximum, lag_s) in enumerate((m, s) for m in options.maxima for s in options.lags):
        row = played(lag_s, int(maximum), 1 / options.per_second)
        if not number:
            print(" | ".join(row))
        print(" | ".join(f"{value!s:>{len(name)}}" for name, value in row.items()), flush=True)
        over += int(str(row["over"]))
    print(f"calls over the line (aim: 0): {over}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
