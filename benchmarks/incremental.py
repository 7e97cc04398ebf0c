"""
The calls of an incremental backup, as the org counted them.

    python benchmarks/incremental.py unchanged --objects 860
    python benchmarks/incremental.py changed --rows 500000

``unchanged``: nothing has changed since the full backup before; deletions are looked for all the same. At most 80
calls. ``changed``: so many rows in 20 objects have changed, and these are backed up. At most 60
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from demo_process import DemoProcess, sfnb_command, sfnb_home, table
from measured import measure
from small_objects import kinds

from sfnb_demo.data import content, custom, people, sales, service

LIVE = (
    "Account Asset Campaign CampaignMember Case CaseComment Contact Contract EmailMessage Event Invoice__c Lead "
    "Milestone__c Note Opportunity OpportunityLineItem Order OrderItem Project__c Task"
)


def control(org: DemoProcess, path: str, body: Any) -> None:
    request = urllib.request.Request(
        f"{org.url}/control/{path}",
        data=json.dumps(body).encode(),
        headers={"X-Demo-Control": org.ready["control_token"], "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=600).close()


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def measured(options: list[str], changes: list[dict[str, Any]], extra: list[str]) -> None:
    """A full backup, some changes, and the incremental backup that is measured."""
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        fixed = [
            "--competitors",
            "off",
            "--max-calls",
            "1000000",
            "--no-event-log",
            "--bulk-job-s",
            "3",
        ]
        with DemoProcess(work / "org", *options, *fixed) as org:
            environment = sfnb_home(work / "home", org)

            def backup(number: int) -> Any:
                took = measure(
                    sfnb_command(
                        "backup", "bench", "--no-files", "--no-metadata", "--json", *extra
                    ),
                    environment=environment,
                    folder=work / f"run-{number}",
                )
                if took.exit_code:
                    said = (work / f"run-{number}" / "errors.txt").read_text(
                        "utf-8", errors="replace"
                    )
                    sys.exit(f"sfnb backup ended with {took.exit_code}: {said.strip()}")
                return took

            backup(1)
            control(org, "clock", {"advance_minutes": 120})
            for change in changes:
                control(org, "rows", change)
            control(org, "clock", {"advance_minutes": 3})
            before, mark = files_below(work / "home"), org.mark()
            took = backup(2)
            calls = [call for call in org.calls(mark) if call["spent"]]
            written = files_below(work / "home") - before
    summary = json.loads(took.output)
    found = kinds(calls)
    rows = [{"call": kind, "calls": f"{number:,}"} for kind, number in found.most_common()]
    print(table([*rows, {"call": "all told", "calls": f"{found.total():,}"}]))
    modes: dict[str, int] = {}
    for entry in summary["objects"].values():
        modes[entry.get("mode", "-")] = modes.get(entry.get("mode", "-"), 0) + 1
    touched = sum(
        entry.get("added", 0) + entry.get("changed", 0) for entry in summary["objects"].values()
    )
    print(
        f"\n{len(summary['objects'])} objects ({modes}); {touched:,} rows changed; {len(written)} files written; "
        f"{took.wall_s:.1f} s, {took.cpu_s:.1f} CPU s, {took.peak_mb:.0f} MB at the peak."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=["unchanged", "changed"])
    parser.add_argument("--objects", type=int, default=860, help="in the whole org")
    parser.add_argument("--rows", type=int, default=500_000, help="changed, in 20 objects")
    given = parser.parse_args()
    if given.case == "unchanged":
        usual = sum(len(room.objects()) for room in (people, sales, service, content, custom))
        measured(["--size", "tiny", "--empty-objects", str(given.objects - usual)], [], [])
        return
    each = given.rows // len(LIVE.split())
    names = LIVE.split()
    options = ["--size", "tiny"]
    for object_name in names:
        options += ["--objects", f"{object_name}={each}"]
    changes = [{"do": "change", "object": name, "rows": each} for name in names]
    measured(options, changes, ["--objects", ",".join(names)])


if __name__ == "__main__":
    main()
