"""
How long it takes to find one of many archived records, and in how much memory.

    python benchmarks/archive_search.py --rows 10000000 --archives 20

By Id at most 1 s and by a field at most 5 s among ten million, start of the command included; memory
does not grow with what is archived.
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


def searched(work: Path, environment: dict[str, str], name: str, *arguments: str) -> Measure:
    command = sfnb_command("archive", "search", ORG_ID, *arguments, "--json")
    took = measure(command, environment=environment, folder=work / name)
    if took.exit_code:
        sys.exit((work / name / "errors.txt").read_text("utf-8", errors="replace"))
    return took


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--archives", type=int, default=20)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        # In a process of its own: this one must stay small, see measured.py.
        maker = [sys.executable, str(Path(__file__).with_name("archive_rows.py"))]
        sizes = [str(given.rows), str(given.archives)]
        subprocess.run([*maker, str(work / "store"), *sizes], check=True)
        environment = {
            **os.environ,
            "SFNB_HOME": str(work / "home"),
            "SFNB_STORE": str(work / "store"),
        }
        one = given.rows // 3
        record_id = f"500{one:012d}AAA"
        mail = f"{one}.person@example.com"
        asked = {
            "by Id": ("--id", record_id),
            "by Id, not there": ("--id", "500000000000000AAB"),
            "by a field": ("--object", "Case", "--where", f"SuppliedEmail = '{mail}'"),
            "by a text in any field": (mail, "--object", "Case"),
        }
        lines = []
        for what, arguments in asked.items():
            took = searched(work, environment, what.replace(" ", "-").replace(",", ""), *arguments)
            found = len(json.loads(took.output))
            is_there = "not there" not in what
            if bool(found) != is_there:
                sys.exit(f"{what}: {found} records were found")
            lines.append(
                {
                    "search": what,
                    "seconds": f"{took.wall_s:.2f}",
                    "CPU seconds": f"{took.cpu_s:.2f}",
                    "MB": f"{took.peak_mb:,.0f}",
                }
            )
    print(f"{given.rows:,} archived records in {given.archives} archives\n")
    print(table(lines))


if __name__ == "__main__":
    main()
