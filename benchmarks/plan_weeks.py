"""
How near the plan of a backup is to what it costs, over simulated weeks of an org's life.

    python benchmarks/plan_weeks.py [DAYS SEED]

Each day records are inserted, changed and deleted, more on weekdays, with a bulk load now and then;
then the backup is planned, and made. The aim: incremental plans within 10 percent of calls and rows
in 9 of 10 runs, full ones within 5 percent of calls.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo_process import table

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import BackupRequest, backup
from sfnb.installation import connect
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import SharedClock, settings_for

BORN = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
BUSY = {"Account": 8, "Contact": 12, "Case": 15, "Opportunity": 6, "Task": 30, "Lead": 5}


def live_a_day(org: RunningOrg, dice: random.Random, day: int) -> None:
    """What users and integrations do in a day."""
    factor = 0.2 if day % 7 in (5, 6) else 1.0
    for name, most in BUSY.items():
        for do, share in (("change", 1.0), ("insert", 0.4), ("delete", 0.1)):
            rows = max(1, round(most * share * factor * dice.uniform(0.8, 1.2)))
            org.control("rows", {"do": do, "object": name, "rows": rows})
    org.control("clock", {"advance_minutes": 1440})


def rows_of(entry: Mapping[str, Any]) -> int:
    """Rows that a backup has read of an object."""
    if entry.get("mode") == "full":
        return int(entry["our_count"])
    return sum(int(entry.get(key, 0)) for key in ("added", "changed", "deleted"))


def within(planned: float, spent: float, pct: float) -> bool:
    return abs(planned - spent) <= max(1.0, spent * pct / 100)


def one_run(there: Connection, wish: BackupRequest) -> tuple[dict[str, float], dict[str, Any]]:
    estimate = engine.plan(there, wish).plan
    planned = {
        "calls": float(estimate.price()["api"]),
        "rows": float(sum(o.expected_rows or 0 for o in estimate.objects.values())),
    }
    summary = engine.run(there, wish)
    if os.environ.get("PARTS"):
        for o in estimate.objects.values():
            said = summary["objects"].get(o.name, {})
            read = rows_of(said)
            if (o.expected_rows or 0) != read or o.calls - said.get("calls", 0) > 1:
                of_calls = f"{o.calls:.1f} ({said.get('calls')}) calls"
                print(f"   {o.name} {o.mode}: {o.expected_rows} ({read}) rows, {of_calls} {o.why}")
        spent = sum(o["calls"] for o in summary["objects"].values())
        files, metadata = summary.get("files", {}), summary.get("metadata", {})
        print(
            f"preparing {estimate.preparation_calls}, "
            f"objects {sum(o.calls for o in estimate.objects.values()):.1f} ({spent}), "
            f"files {estimate.file_calls} ({files.get('calls')}), "
            f"metadata {estimate.metadata_calls} ({metadata.get('calls')}), "
            f"all {planned['calls']:.0f} ({summary['calls']['api']})"
        )
    if summary["state"] != "completed":
        sys.exit(f"the backup ended as {summary['state']}: {summary['warnings']}")
    return planned, summary


def main() -> None:
    days, seed = (int(text) for text in (sys.argv[1:] or ["14", "1"]))
    dice = random.Random(seed)  # noqa: S311 - the same weeks for the same seed
    with tempfile.TemporaryDirectory(prefix="sfnb-plan-", ignore_cleanup_errors=True) as work:
        options = Options(
            size=os.environ.get("SIZE", "tiny"),
            competitors="off",
            minutes_per_second=0.0,
            bulk_job_s=1.0,
            header_lag_s=0.0,
            start_at=BORN,
        )
        with DemoServer(options, Path(work) / "org") as server:
            org = RunningOrg(**server.ready(), server=server)
            settings = settings_for(org, Path(work) / "home")
            with connect("demo", settings=settings, clock=SharedClock(org)) as there:
                weeks(there, org, dice, days)


def weeks(there: Connection, org: RunningOrg, dice: random.Random, days: int) -> None:
    lines = []
    good = {"calls": 0, "rows": 0}
    for day in range(days + 1):
        planned, summary = one_run(there, backup())
        read = {
            "calls": float(summary["calls"]["api"]),
            "rows": float(sum(map(rows_of, summary["objects"].values()))),
        }
        for what in good:
            good[what] += bool(day) and within(planned[what], read[what], 10)
        lines.append(
            {
                "day": str(day),
                "kind": "full" if not day else "incremental",
                "calls planned": f"{planned['calls']:,.0f}",
                "calls": f"{read['calls']:,.0f}",
                "rows planned": f"{planned['rows']:,.0f}",
                "rows": f"{read['rows']:,.0f}",
            }
        )
        live_a_day(org, dice, day)
    print(table(lines))
    print(f"\nwithin 10 %: calls {good['calls']} of {days} runs, rows {good['rows']} of {days}.")


if __name__ == "__main__":
    main()
