"""
What it costs to prune a year of daily snapshots, and to erase three people from it.

    python benchmarks/retention_year.py --rows 1000000 --days 365 [--share 0.002]

Aims: memory under 300 MB, and the space that the dry run promised within 5 %.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from demo_process import sfnb_command, table
from measured import Measure, measure

ORG_ID = "00D000000000001AAA"
KEEP = ("--keep-daily", "14", "--keep-weekly", "8", "--keep-monthly", "12")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--share", type=float, default=0.002, help="records that change in a day")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        # In a process of its own: this one must stay small, see measured.py.
        rows = [sys.executable, str(Path(__file__).with_name("retention_rows.py"))]
        store, sizes = str(work / "store"), (str(given.rows), str(given.days), str(given.share))
        subprocess.run([*rows, "make", store, *sizes], check=True)
        home = {"SFNB_HOME": str(work / "home"), "SFNB_STORE": store}
        prune = sfnb_command("prune", ORG_ID, *KEEP, "--json")
        people = [str(given.rows * part // 7) for part in (1, 3, 5)]
        asked = {
            "prune, dry run": [*prune, "--dry-run"],
            "prune": [*prune, "--yes"],
            "prune, nothing to do": [*prune, "--yes"],
            "erase three records": [*rows, "erase", store, *people],
        }
        lines, said = [], {}
        for what, command in asked.items():
            folder = work / what.replace(" ", "-").replace(",", "")
            took = measure(command, environment={**os.environ, **home}, folder=folder)
            if took.exit_code:
                sys.exit((folder / "errors.txt").read_text("utf-8", errors="replace"))
            if what.startswith("prune"):
                said[what] = json.loads(took.output)
            lines.append(line(what, took))
    promised, done = said["prune, dry run"], said["prune"]
    freed = done["bytes_before"] - done["bytes_after"]
    short = promised["bytes_before"] - promised["bytes_after"] - freed
    print(f"{given.rows:,} records, {given.days} snapshots, {given.share:.1%} changed a day")
    print(f"{len(done['removed'])} snapshots went, {len(done['kept'])} stayed; of")
    print(
        f"{done['bytes_before'] / 1e6:,.0f} MB {freed / 1e6:,.0f} MB were freed, {short:+,} promised\n"
    )
    print(table(lines))


def line(what: str, took: Measure) -> dict[str, str]:
    return {
        "work": what,
        "seconds": f"{took.wall_s:.1f}",
        "CPU seconds": f"{took.cpu_s:.1f}",
        "MB": f"{took.peak_mb:,.0f}",
    }


if __name__ == "__main__":
    main()
