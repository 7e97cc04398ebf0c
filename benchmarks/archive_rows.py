"""Archives of made-up cases, as jobs leave them; see archive_search.py, which starts this."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfnb.store.archives import ArchivedObject, ArchiveRecord, put_archive_record
from sfnb.store.manifest import SnapshotPlan
from sfnb.store.tables import OrgStore, open_store

ORG_ID = "00D000000000001AAA"
BATCH = 100_000
WORDS = pa.array(["water damage", "invoice", "late delivery", "broken seal", "login", "refund"])
DESCRIBE = {"name": "Case", "fields": [{"name": n} for n in ("Id", "Subject", "Description")]}


def ids(first: int, count: int) -> pa.Array:
    """Ids that rise with their numbers."""
    numbers = pa.array(np.arange(first, first + count, dtype=np.int64)).cast(pa.string())
    padded = pc.utf8_lpad(numbers, 12, "0")
    return pc.binary_join_element_wise("500", padded, "AAA", "")


def batch(first: int, count: int) -> pa.RecordBatch:
    """Cases whose mail addresses are all different."""
    numbers = np.arange(first, first + count, dtype=np.int64)
    subject = WORDS.take(pa.array(numbers % len(WORDS)))
    mail = pc.binary_join_element_wise(
        pa.array(numbers).cast(pa.string()), "person@example.com", "."
    )
    text = pc.binary_join_element_wise(subject, "reported by", mail, " ")
    moment = pa.array(1_700_000_000_000_000 + numbers, pa.timestamp("us", "UTC"))
    return pa.record_batch(
        {
            "Id": ids(first, count),
            "Subject": subject,
            "SuppliedEmail": mail,
            "Description": text,
            "Amount": pa.array(numbers % 1000, pa.float64()),
            "IsClosed": pa.array(numbers % 2 == 0),
            "CreatedDate": moment,
            "SystemModstamp": moment,
        }
    )


def put_archive(store: OrgStore, number: int, first: int, rows: int) -> None:
    """One archive of so many cases, as a job leaves it."""
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    snapshot = f"{at:%Y%m%dT%H%M%SZ}-{number:06x}"
    archive = store.archive(snapshot)
    plan = SnapshotPlan(
        snapshot, "bench", ORG_ID, f"job-{number}", at,
        {"Case": {"reader": "archive", "expected_rows": rows}}, kind="archive",
    )  # fmt: skip
    writer = archive.begin(plan)
    writer.put_schema("Case", batch(0, 1).schema, DESCRIBE)
    parts = writer.write_parts(
        "Case", (batch(n, min(BATCH, first + rows - n)) for n in range(first, first + rows, BATCH))
    )
    writer.settle("Case", parts, {"reader": "archive"}, org_count=rows)
    writer.seal()
    low, high = ids(first, 1)[0].as_py(), ids(first + rows - 1, 1)[0].as_py()
    objects = {"Case": ArchivedObject(rows, low, high)}
    record = ArchiveRecord(snapshot, "Case", "", at.isoformat(), is_done=True, objects=objects)
    put_archive_record(archive.files, record)


def main() -> None:
    root, rows, archives = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    store, each = open_store(root).org(ORG_ID), rows // archives
    for number in range(archives):
        put_archive(store, number, number * each, each)


if __name__ == "__main__":
    main()
