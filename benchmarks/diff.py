"""
What `sfnb diff` takes where very much has changed: time and memory, by the lines that it writes.

    python benchmarks/diff.py [--objects 20] [--rows 25000] [--to csv|html|json]

Makes a store of two snapshots between which each record of every object has changed in nearly all
fields, in a process of its own, and compares them with the command. The aim: below 300 MB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from measured import measure

ORG_ID = "00D000000000001AAA"


def make(folder: str, objects: int, rows: int) -> None:
    """The store. Imported here: the process that measures has to stay small."""
    import numpy as np
    from store_year import BEGAN, FIELDS, records

    from sfnb.clock import FakeClock
    from sfnb.store.manifest import SnapshotPlan
    from sfnb.store.tables import open_store

    store = open_store(Path(folder), clock=FakeClock(BEGAN)).org(ORG_ID)
    names = [f"Object{n}__c" for n in range(objects)]
    numbers = np.arange(rows)
    for number in (0, 1):
        plan = SnapshotPlan(
            snapshot=f"2025110{number + 1}T020000Z-00000{number}",
            org="bench",
            org_id=ORG_ID,
            job_id=f"job{number}",
            created_at=BEGAN,
            objects={name: {"reader": "bulk2"} for name in names},
            kind="full",
        )
        writer = store.begin(plan)
        for name in names:
            writer.put_schema(name, FIELDS, {"name": name, "fields": []})
            batches = records(numbers, np.full(rows, number), BEGAN)
            parts = writer.write_parts(name, batches)
            cursor = {"started_at": BEGAN.isoformat()}
            writer.settle(name, parts, cursor, mode="full", org_count=rows)
        writer.seal()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--rows", type=int, default=25_000, help="of each object")
    parser.add_argument("--to", choices=("csv", "html", "json"), default="csv")
    parser.add_argument("--make", help="only make the store, in this folder")
    parser.add_argument("--store", help="one that was made before")
    options = parser.parse_args()
    if options.make:
        make(options.make, options.objects, options.rows)
        return
    work = Path(tempfile.mkdtemp(prefix="sfnb-diff-"))
    try:
        store = options.store or str(work / "store")
        if not options.store:
            size = ["--objects", str(options.objects), "--rows", str(options.rows)]
            subprocess.run([sys.executable, __file__, "--make", store, *size], check=True)
        to = [] if options.to == "json" else ["--to", str(work / f"diff.{options.to}")]
        command = [sys.executable, "-m", "sfnb", "diff", ORG_ID, "2025110", "latest"]
        command[5] = "20251101"
        took = measure(
            [*command, "--store", store, "--json", *to], environment=os.environ, folder=work / "run"
        )
        if took.exit_code:
            sys.exit((work / "run" / "errors.txt").read_text("utf-8"))
        size_mb = sum(f.stat().st_size for f in work.glob("diff.*")) / 1e6
        print(
            f"{options.objects} objects of {options.rows:,} records to {options.to}: "
            f"{took.peak_mb:.0f} MB at the peak, {took.cpu_s:.1f} CPU s, {size_mb:,.0f} MB written"
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
