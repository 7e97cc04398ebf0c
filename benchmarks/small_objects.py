"""
The calls of a full backup of an org with many, mostly empty objects, as the org counted them.

    python benchmarks/small_objects.py --objects 860

Describes ride 25 to a composite call, queries 5; the aim is at most 220 calls for 860 objects, all told.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from demo_process import DemoProcess, sfnb_command, sfnb_home, table
from measured import measure

from sfnb_demo.data import content, custom, people, sales, service

ENDINGS = {
    "/limits": "limits",
    "/limits/recordCount": "sizes of objects",
    "/sobjects": "list of objects",
    "/describe": "describe",
    "/jobs/query": "Bulk 2: create",
    "/results": "Bulk 2: result page",
    "/query": "query",
    "/queryAll": "query",
}


def kinds(calls: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """
    Calls charged to DailyApiRequests, by what they were for.

    The org's log does not tell what rode in a composite call; a backup describes before it asks for sizes, and queries
    after that.
    """
    found: Counter[str] = Counter()
    is_planned = False
    for call in calls:
        path = call["target"].partition("?")[0].rstrip("/")
        if path.endswith("/composite"):
            kind = "composite: queries" if is_planned else "composite: describes"
        else:
            by_ending = [name for ending, name in ENDINGS.items() if path.endswith(ending)]
            kind = (
                by_ending[0]
                if by_ending
                else ("Bulk 2: poll" if "/jobs/query/" in path else "other")
            )
        is_planned = is_planned or kind == "sizes of objects"
        found[kind] += call["spent"].get("api", 0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=860, help="in the whole org")
    options = parser.parse_args()
    usual = sum(len(room.objects()) for room in (people, sales, service, content, custom))
    if options.objects < usual:
        parser.error(f"--objects is {usual} or more: the demo org has as many of its own")
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        demo = [
            "--size",
            "tiny",
            "--empty-objects",
            str(options.objects - usual),
            "--competitors",
            "off",
        ]
        with DemoProcess(work / "org", *demo, "--max-calls", "1000000", "--no-event-log") as org:
            environment = sfnb_home(work / "home", org)
            mark = org.mark()
            took = measure(
                sfnb_command("backup", "bench", "--no-files", "--no-metadata", "--json"),
                environment=environment,
                folder=work / "run",
            )
            calls = [call for call in org.calls(mark) if call["spent"]]
        if took.exit_code:
            said = (work / "run" / "errors.txt").read_text("utf-8", errors="replace")
            sys.exit(f"sfnb backup ended with {took.exit_code}: {said.strip()}")
    summary = json.loads(took.output)
    states = Counter(entry["state"] for entry in summary["objects"].values())
    found = kinds(calls)
    rows = [{"call": kind, "calls": f"{number:,}"} for kind, number in found.most_common()]
    print(table([*rows, {"call": "all told", "calls": f"{found.total():,}"}]))
    print(
        f"\n{options.objects} objects in the org; {', '.join(f'{n} {state}' for state, n in states.items())}; "
        f"{summary['rows']:,} rows; {took.wall_s:.1f} s, {took.cpu_s:.1f} CPU s, {took.peak_mb:.0f} MB at the peak."
    )


if __name__ == "__main__":
    main()
