"""
What the end of a reading costs: 1,000,000 records of 30 fields, read in full twice, then changes of 1 %.

    python benchmarks/settle.py [ROWS]

Each step is a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfnb.clock import SystemClock
from sfnb.process_memory import give_back_free_memory
from sfnb.store.held import Mode
from sfnb.store.manifest import SnapshotPlan
from sfnb.store.tables import OrgStore, open_store
from sfnb.store.writer import Writer

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
TEXTS, NUMBERS = 16, 10
PAGE = 25_000
COLUMNS = pa.schema(
    [
        ("Id", pa.string()),
        ("IsDeleted", pa.bool_()),
        *((f"Text{n}__c", pa.string()) for n in range(TEXTS)),
        *((f"Number{n}__c", pa.float64()) for n in range(NUMBERS)),
        ("Day__c", pa.date32()),
        ("SystemModstamp", pa.timestamp("us", "UTC")),
    ]
)


def page(first: int, count: int, salt: int) -> pa.RecordBatch:
    """Records from a number on; another salt, other values."""
    chance = np.random.default_rng(first * 1000 + salt)
    ids = [f"001{n:012d}AAA" for n in range(first, first + count)]
    words = np.array([f"word {n} of some length" for n in range(5000)])
    arrays = [pa.array(ids), pa.array(np.zeros(count, bool))]
    arrays += [pa.array(words[chance.integers(0, 5000, count)], pa.string()) for _ in range(TEXTS)]
    arrays += [pa.array(chance.random(count)) for _ in range(NUMBERS)]
    arrays.append(pa.array(chance.integers(0, 20000, count).astype(np.int32)).cast(pa.date32()))
    stamp = int(BEGAN.timestamp() * 1e6) + salt
    arrays.append(pa.array(np.full(count, stamp)).cast(pa.timestamp("us", "UTC")))
    return pa.RecordBatch.from_arrays(arrays, schema=COLUMNS)


def generate(root: str, rows: int) -> None:
    """
    The pages of each reading as Arrow files. A process of its own, because making values loads
    pandas, and a backup has none.
    """
    at = COLUMNS.get_field_index("SystemModstamp")
    kind = COLUMNS.field(at).type
    later = pa.array(np.full(PAGE, int(BEGAN.timestamp() * 1e6) + 10**9)).cast(kind)
    for first in range(0, rows, PAGE):
        batch = page(first, min(PAGE, rows - first), 0)
        moved = batch.set_column(at, COLUMNS.field(at), later[: batch.num_rows])
        changed = page(first, batch.num_rows // 100, 7)
        for what, content in (("first", batch), ("moved", moved), ("changes", changed)):
            path = Path(root, "pages", what, f"{first:09d}.arrow")
            path.parent.mkdir(parents=True, exist_ok=True)
            with pa.ipc.new_file(path, COLUMNS) as file:
                file.write_batch(content)


def pages(root: str, what: str) -> Iterator[pa.RecordBatch]:
    for path in sorted(Path(root, "pages", what).iterdir()):
        with pa.memory_map(str(path)) as source:
            yield from (pa.ipc.open_file(source).get_batch(n) for n in range(1))


def writer_of(store: OrgStore, number: int) -> Writer:
    at = BEGAN + timedelta(hours=number)
    plan = SnapshotPlan(
        snapshot=f"{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        org="bench",
        org_id="00D000000000001AAA",
        job_id=f"job-{number}",
        created_at=at,
        objects={"Account": {"reader": "bulk2", "expected_rows": None}},
    )
    writer = store.begin(plan)
    writer.put_schema("Account", COLUMNS, {})
    return writer


def step(root: str, what: str, rows: int) -> None:
    """One snapshot; prints its seconds and its peak of memory."""
    if what == "generate":
        generate(root, rows)
        return
    store = open_store(root, clock=SystemClock()).org("00D000000000001AAA")
    if what == "read":
        began = time.perf_counter()
        count = sum(batch.num_rows for batch in store.snapshots["latest"].batches("Account"))
        print(f"{what}: {count:,} records, {time.perf_counter() - began:.1f} s, {peak()}")
        return
    numbers = {"first": 1, "again": 2, "changes": 3, "moved": 4}
    writer = writer_of(store, numbers[what])
    mode: Mode = "full" if what in ("first", "again") else "changes"
    found = pages(root, "first" if what == "again" else what)
    for batch in found:
        parts = writer.write_parts("Account", [batch])
        writer.commit("Account", parts, {}, is_done=False)
    read_at = peak()
    began = time.perf_counter()
    ended = writer.settle("Account", [], {}, mode=mode, org_count=rows)
    if ended.proof.problem:
        sys.exit(ended.proof.problem)
    seconds = time.perf_counter() - began
    writer.seal()
    counts = f"{ended.added:,} added, {ended.changed:,} changed, {ended.equal:,} equal"
    print(f"{what}: settled in {seconds:.1f} s; {counts}; {peak()} (before settling {read_at})")


def peak() -> str:
    modules = "with pandas" if "pandas" in sys.modules else "without pandas"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, {modules}"


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    root = tempfile.mkdtemp(prefix="sfnb-settle-")
    try:
        for what in ("generate", "first", "again", "changes", "moved", "read"):
            subprocess.run([sys.executable, __file__, "--step", root, what, str(rows)], check=True)
            size = sum(p.stat().st_size for p in Path(root).rglob("*.parquet"))
            print(f"    {size / 1e6:,.0f} MB of parts on disk", flush=True)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    give_back_free_memory()  # as the command line does; the steps inherit it
    if sys.argv[1:2] == ["--step"]:
        step(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
