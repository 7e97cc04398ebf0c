"""
A year of an org that hardly changes: 860 objects, 365 snapshots in which none of them changed.

    python benchmarks/unchanged.py [OBJECTS SNAPSHOTS]

Prints what an unchanged run costs in files and seconds, and how long lists of a year take.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from sfnb.clock import SystemClock
from sfnb.store.manifest import SnapshotPlan
from sfnb.store.settling.base import Unchanged
from sfnb.store.tables import OrgStore, open_store
from sfnb.store.writer import Writer

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ORG = "00D000000000001AAA"
LINES_AT_ONCE = 100


def writer_of(store: OrgStore, number: int, objects: int) -> Writer:
    at = BEGAN + timedelta(days=number)
    names = [f"Object{n}__c" for n in range(objects)]
    plan = SnapshotPlan(
        snapshot=f"{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        org="bench",
        org_id=ORG,
        job_id=f"job-{number}",
        created_at=at,
        objects={name: {"reader": "keyset", "expected_rows": 3, "mb": 0.0} for name in names},
    )
    return store.begin(plan)


def first(store: OrgStore, objects: int) -> None:
    page = pa.record_batch({"Id": [f"a0{n:013d}AAA" for n in range(3)], "Name": ["a", "b", None]})
    writer = writer_of(store, 0, objects)
    for name in writer.plan.objects:
        writer.put_schema(name, page.schema, {"name": name})
        writer.settle(name, writer.write_parts(name, [page]), {}, org_count=3)
    writer.seal()


def unchanged(store: OrgStore, number: int, objects: int) -> None:
    writer = writer_of(store, number, objects)
    writer.take_over()
    names = list(writer.plan.objects)
    for at in range(0, len(names), LINES_AT_ONCE):
        some = names[at : at + LINES_AT_ONCE]
        writer.unchanged({name: Unchanged("2026-11-01T00:00:00.000Z", 3) for name in some})
    writer.seal()


def main() -> None:
    objects, snapshots = (int(text) for text in (sys.argv[1:] or ["860", "365"]))
    root = Path(tempfile.mkdtemp(prefix="sfnb-unchanged-"))
    try:
        store = open_store(root, clock=SystemClock()).org(ORG)
        began = time.perf_counter()
        first(store, objects)
        print(f"first backup of {objects} objects: {time.perf_counter() - began:.1f} s")
        seconds = []
        for number in range(1, snapshots):
            began = time.perf_counter()
            unchanged(store, number, objects)
            seconds.append(time.perf_counter() - began)
        newest = max(store.snapshots)
        files = [p for p in (root / ORG / "snapshots" / newest).rglob("*") if p.is_file()]
        size = sum(path.stat().st_size for path in files)
        left = f"{len(files)} files left, {size / 1e3:.0f} kB"
        print(f"unchanged run: {seconds[0]:.2f} s the first, {seconds[-1]:.2f} s the last; {left}")
        for what, action in (
            ("list", lambda: [s.summary for s in store.snapshots.values()]),
            ("show latest", lambda: store.snapshots["latest"].manifest),
            ("latest of one object", lambda: store.snapshots.latest("Object7__c")),
            ("orgs of the store", lambda: open_store(root).orgs()),
        ):
            began = time.perf_counter()
            action()
            print(f"{what}: {time.perf_counter() - began:.2f} s")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
