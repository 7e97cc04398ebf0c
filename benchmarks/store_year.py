"""
What a year of daily snapshots costs to read and to keep: ratios, with the goals beside them.

    python benchmarks/store_year.py [--rows 1000000] [--days 365] [--share 0.01] [--objects 20]

Writes a store of one object into a temporary folder, changes some records a day, and compacts as a
backup does. Everything is read through the product's own face; a full read is that of a store with
one snapshot of the same records. Times are CPU seconds: other programs on the machine do not count.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfnb.clock import FakeClock
from sfnb.store.compaction.org import compact_after
from sfnb.store.manifest import SnapshotPlan
from sfnb.store.settling.base import Unchanged
from sfnb.store.tables import OrgStore, open_store

ORG_ID = "00D000000000001AAA"
BEGAN = datetime(2025, 11, 1, 2, tzinfo=UTC)
FIELDS = pa.schema(
    [
        ("Id", pa.string()),
        ("IsDeleted", pa.bool_()),
        ("Name", pa.string()),
        ("Street", pa.string()),
        ("Status", pa.string()),
        ("Amount", pa.float64()),
        ("Employees", pa.int64()),
        *((f"Text{n}__c", pa.string()) for n in range(10)),
        ("CreatedDate", pa.timestamp("us", "UTC")),
        ("LastModifiedDate", pa.timestamp("us", "UTC")),
        ("SystemModstamp", pa.timestamp("us", "UTC")),
    ]
)
PIECE = 1 << 16
PRIME = 0x9E3779B97F4A7C15
"""Makes text that no compression makes much smaller, as names and descriptions are."""


def records(numbers: np.ndarray, version: np.ndarray, at: datetime) -> Iterator[pa.RecordBatch]:
    """Records by number, each with values that follow from its number and its version."""
    for first in range(0, len(numbers), PIECE):
        chosen, now = numbers[first : first + PIECE], version[first : first + PIECE]
        pairs = list(zip(chosen.tolist(), now.tolist(), strict=True))
        moments = pa.array([at] * len(pairs), pa.timestamp("us", "UTC"))
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([f"001{n:012d}AAA" for n, _ in pairs]),
                pa.array([False] * len(pairs)),
                pa.array([f"Customer {n} of {v}" for n, v in pairs]),
                pa.array([f"{(n * 7919 + v) % 99991} Main Street" for n, v in pairs]),
                pa.array([("Open", "Working", "Closed")[(n + v) % 3] for n, v in pairs]),
                pa.array([(n * 31 + v * 7) % 100003 / 4 for n, v in pairs]),
                pa.array([(n + v) % 5000 for n, v in pairs], pa.int64()),
                *(
                    pa.array([f"{(n * 64 + v) * PRIME * (k + 1) % 2**64:016x}" for n, v in pairs])
                    for k in range(10)
                ),
                *([moments] * 3),
            ],
            schema=FIELDS,
        )


@dataclass
class Year:
    """A store that grows day by day."""

    store: OrgStore
    clock: FakeClock
    objects: int

    def back_up(self, day: int, numbers: np.ndarray, version: np.ndarray) -> str:
        """One day's snapshot: the changed records, or all on the first."""
        at = BEGAN + timedelta(days=day)
        self.clock.advance(86_400)
        others = {f"Other{n}__c": {"reader": "keyset"} for n in range(self.objects)}
        plan = SnapshotPlan(
            snapshot=f"{at:%Y%m%dT%H%M%SZ}-{day:06x}",
            org="bench",
            org_id=ORG_ID,
            job_id=f"job{day}",
            created_at=at,
            objects={"Account": {"reader": "bulk2"}, **others},
            kind="full" if day == 0 else "incremental",
        )
        writer = self.store.begin(plan)
        writer.put_schema("Account", FIELDS, {"name": "Account", "fields": []})
        parts = writer.write_parts("Account", records(numbers, version, at))
        cursor = {"started_at": at.isoformat()}
        writer.settle(
            "Account", parts, cursor, mode="full" if day == 0 else "changes", org_count=None
        )
        for name in others:
            if day == 0:
                writer.put_schema(name, FIELDS, {"name": name, "fields": []})
                writer.settle(name, [], cursor, mode="full", org_count=0)
        if day:
            writer.unchanged({name: Unchanged() for name in others})
        writer.seal()
        for _, problem in compact_after(self.store.files, self.clock, ["Account"]):
            raise SystemExit(problem)
        return plan.snapshot


def measured(run: Callable[[], object], times: int = 3) -> float:
    """CPU seconds of the quickest of some runs, those of processes that it started included."""
    found = []
    for _ in range(times):
        begun = sum(os.times()[:4])
        run()
        found.append(sum(os.times()[:4]) - begun)
    # The clock of processes ticks in hundredths; a run may be shorter than one.
    return max(min(found), 0.01)


def read(store: OrgStore, snapshot: str) -> int:
    return sum(batch.num_rows for batch in store.snapshots[snapshot].batches("Account"))


def size(store: OrgStore) -> int:
    return sum(store.files.walk("records/Account").values())


def command(root: Path, *words: str) -> None:
    sfnb = [sys.executable, "-m", "sfnb", *words, "--store", str(root), "--json"]
    subprocess.run(sfnb, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--objects", type=int, default=20, help="empty objects beside")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sfnb-year-"))
    try:
        run(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, options: argparse.Namespace) -> None:
    draw = np.random.default_rng(1)
    numbers = np.arange(options.rows)
    version = np.zeros(options.rows, np.int64)
    clock = FakeClock(BEGAN)
    year = Year(open_store(folder / "year", clock=clock).org(ORG_ID), clock, options.objects)
    snapshots = [year.back_up(0, numbers, version)]
    versions = options.rows
    for day in range(1, options.days + 1):
        changed = np.sort(
            draw.choice(options.rows, max(1, int(options.rows * options.share)), replace=False)
        )
        version[changed] += 1
        versions += len(changed)
        snapshots.append(year.back_up(day, changed, version[changed]))
    # A store that has all versions once and nothing else, and one that has one state.
    single = Year(open_store(folder / "single", clock=clock).org(ORG_ID), clock, 0)
    (alone,) = [single.back_up(0, numbers, version)]
    full_s = measured(lambda: read(single.store, alone))
    full_bytes = size(single.store)
    if read(year.store, snapshots[-1]) != options.rows:
        raise SystemExit("the latest state has lost records")
    latest_s = measured(lambda: read(year.store, snapshots[-1]))
    old = {
        at: measured(lambda at=at: read(year.store, snapshots[at]))
        for at in sorted({0, 1, options.days // 4, options.days // 2, options.days * 3 // 4})
    }
    worst = max(old, key=lambda at: old[at])
    distinct_bytes = full_bytes * versions / options.rows
    kept = size(year.store)
    lists_s = measured(lambda: command(folder / "year", "snapshots", ORG_ID))
    shows_s = measured(lambda: command(folder / "year", "show", ORG_ID, "latest"))
    print(
        f"{options.rows:,} records, {options.days} days of {options.share:.1%}, {versions:,} versions"
    )
    print(f"one full read: {full_s:.2f} s, {full_bytes / 1e6:.1f} MB")
    line = "{:<28}{:>8.2f}{:>8}"
    print(line.format("latest state, ratio", latest_s / full_s, "≤ 3"))
    print(line.format(f"old state (day {worst}), ratio", old[worst] / full_s, "≤ 5"))
    print(line.format("space, ratio", kept / distinct_bytes, "≤ 1.5"))
    print(line.format("sfnb snapshots, s", lists_s, "< 1"))
    print(line.format("sfnb show, s", shows_s, "< 1"))


if __name__ == "__main__":
    main()
