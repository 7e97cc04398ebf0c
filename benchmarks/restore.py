"""
The calls, memory and time of a restore, as the org counted them.

    python benchmarks/restore.py many --rows 200000
    python benchmarks/restore.py one

``many``: so many contacts with lookups were deleted for good, and are created again. At most 1.2 times the least calls
that Bulk API 2.0 allows, and 300 MB. ``one``: one deleted record is brought back by its Id. At most 8 calls.

The least is counted by jobs, and 100 MB go into one: contacts that refer to contacts need a job for each level. A job
takes its creation, its upload, its closing, one look, and the file of successes, in which each row has its line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo_process import DemoProcess, sfnb_command, sfnb_home, table
from incremental import control
from measured import Measure, measure
from small_objects import kinds

LEAST_CALLS_A_JOB = 5
"""Create, upload, close, one look, the successes (Bulk API 2.0 guide)."""


def run(work: Path, environment: dict[str, str], name: str, *arguments: str) -> Measure:
    folder = work / name
    took = measure(sfnb_command(*arguments), environment=environment, folder=folder)
    if took.exit_code not in (0, 3):
        said = (folder / "errors.txt").read_text("utf-8", errors="replace")
        sys.exit(f"sfnb {arguments[0]} ended with {took.exit_code}: {said.strip()}")
    return took


def step_of(call: Mapping[str, Any]) -> str:
    """What a call is to an ingest job; empty: nothing."""
    _, is_ingest, rest = call["target"].partition("?")[0].rstrip("/").partition("/jobs/ingest")
    if not is_ingest:
        return ""
    last = rest.rpartition("/")[2]
    if last in ("batches", "successfulResults", "failedResults", "unprocessedrecords"):
        return {"batches": "upload"}.get(last, last)
    return {"POST": "create", "PATCH": "close"}.get(call["method"], "look")


def measured(rows: int, damage: dict[str, Any], options: list[str]) -> None:
    """A backup, the damage, and the restore that is measured."""
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        fixed = ["--size", "tiny", "--objects", f"Contact={rows}", "--competitors", "off"]
        fixed += ["--max-calls", "1000000", "--no-event-log", "--bulk-job-s", "3", "--no-oddities"]
        with DemoProcess(work / "org", *fixed) as org:
            environment = sfnb_home(work / "home", org)
            chosen = ["--objects", "Account,Contact", "--no-files", "--no-metadata", "--json"]
            run(work, environment, "backup", "backup", "bench", *chosen)
            control(org, "rows", damage)
            ids = work / "ids.txt"
            if "ids" in damage:
                ids.write_text("\n".join(damage["ids"]))
                options = [*options, "--ids", str(ids)]
            mark = org.mark()
            took = run(
                work, environment, "restore", "restore", "bench", "latest", "--json", *options
            )
            calls = [call for call in org.calls(mark) if call["spent"]]
    summary = json.loads(took.output)
    found = kinds(calls)
    lines = [{"call": kind, "calls": f"{number:,}"} for kind, number in found.most_common()]
    print(table([*lines, {"call": "all told", "calls": f"{found.total():,}"}]))
    ingest = Counter(step for call in calls if (step := step_of(call)))
    least = ingest["create"] * LEAST_CALLS_A_JOB
    more = f", {ingest.total() / least:.2f} times as many" if least else ""
    print(
        f"\n{summary['restored']}; Bulk jobs: {dict(ingest)}, {ingest.total()} calls "
        f"(at least {least}{more}); "
        f"{took.wall_s:.1f} s, {took.cpu_s:.1f} CPU s, {took.peak_mb:.0f} MB at the peak."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=["many", "one"])
    parser.add_argument("--rows", type=int, default=200_000, help="contacts in the org")
    given = parser.parse_args()
    if given.case == "many":
        damage = {"do": "hard_delete", "object": "Contact", "rows": given.rows}
        measured(given.rows, damage, [])
    else:
        damage = {"do": "delete", "object": "Contact", "ids": ["0037Q00000A0001QAB"]}
        measured(1_000, damage, [])


if __name__ == "__main__":
    main()
