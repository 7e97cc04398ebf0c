"""Small plans, schemas and rows for the tests of the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from sfnb.clock import FakeClock
from sfnb.store.archives import ArchivedObject, ArchiveRecord, put_archive_record
from sfnb.store.manifest import SnapshotPlan
from sfnb.store.tables import OrgStore, open_store
from sfnb.store.writer import Writer

ORG_ID = "00D000000000001AAA"
BEGAN = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)

SCHEMA = pa.schema(
    [
        ("Id", pa.string()),
        ("IsDeleted", pa.bool_()),
        ("Name", pa.string()),
        ("Amount", pa.float64()),
        ("Employees", pa.int64()),
        ("Birthdate", pa.date32()),
        ("SystemModstamp", pa.timestamp("us", "UTC")),
    ]
)


def a_store(root: Path | str) -> OrgStore:
    return open_store(root, clock=FakeClock(BEGAN)).org(ORG_ID)


def a_plan(*objects: str, number: int = 1, left_out: dict[str, str] | None = None) -> SnapshotPlan:
    """A plan whose snapshot id sorts by ``number``."""
    at = BEGAN + timedelta(hours=number)
    return SnapshotPlan(
        snapshot=f"{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        org="demo",
        org_id=ORG_ID,
        job_id=f"job-{number}",
        created_at=BEGAN,
        objects={
            name: {"reader": "keyset", "expected_rows": None} for name in objects or ("Account",)
        },
        left_out=left_out or {},
        notes=("Bodies of files are not in this snapshot.",),
        api_version="66.0",
    )


def record_id(number: int) -> str:
    return f"001{number:012d}AAA"


def rows(
    first: int, count: int, *, deleted: Iterable[int] = (), name: str = "Müller & Söhne"
) -> pa.RecordBatch:
    """Records numbered from ``first``; each has a null somewhere."""
    numbers = range(first, first + count)
    gone = set(deleted)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([record_id(n) for n in numbers]),
            pa.array([n in gone for n in numbers]),
            pa.array([f"{name} {n}" if n % 3 else None for n in numbers], pa.string()),
            pa.array([n / 4 if n % 5 else None for n in numbers], pa.float64()),
            pa.array([n if n % 7 else None for n in numbers], pa.int64()),
            pa.array(
                [BEGAN.date() - timedelta(days=n) if n % 2 else None for n in numbers], pa.date32()
            ),
            pa.array(
                [BEGAN + timedelta(milliseconds=n) for n in numbers], pa.timestamp("us", "UTC")
            ),
        ],
        schema=SCHEMA,
    )


def a_writer(store: OrgStore, *objects: str, number: int = 1) -> Writer:
    """A new snapshot whose objects have their columns already."""
    plan = a_plan(*objects, number=number)
    writer = store.begin(plan)
    for name in plan.objects:
        writer.put_schema(name, SCHEMA, {"name": name, "fields": []})
    return writer


def a_snapshot(store: OrgStore, *objects: str, number: int = 1, parts: int = 2) -> str:
    """A sealed snapshot: of each object ``parts`` parts of 10 rows, the first row of each deleted; the id of it."""
    writer = a_writer(store, *objects, number=number)
    for name in writer.plan.objects:
        for k in range(parts):
            part = writer.write_part(name, [rows(10 * k, 5, deleted=[10 * k]), rows(10 * k + 5, 5)])
            writer.commit(name, [part], {"page": k}, is_done=k == parts - 1)
    writer.seal()
    return writer.snapshot


def an_archive(
    store: OrgStore,
    number: int,
    name: str,
    records: Sequence[Mapping[str, Any]],
    *,
    fields: Mapping[str, pa.DataType],
    stayed: Sequence[str] = (),
    is_done: bool = True,
) -> str:
    """An archive of these records of one object, as a job leaves it; its snapshot's id."""
    plan = replace(a_plan(name, number=number), kind="archive")
    archive = store.archive(plan.snapshot)
    writer = archive.begin(plan)
    schema = pa.schema(list(fields.items()))
    writer.put_schema(name, schema, {"name": name, "fields": []})
    whole = [{field: r.get(field) for field in fields} for r in records]
    parts = writer.write_parts(name, iter([pa.RecordBatch.from_pylist(whole, schema)]))
    writer.settle(name, parts, {"reader": "archive"}, org_count=len(records))
    writer.seal()
    ids = sorted(r["Id"] for r in records)
    record = ArchiveRecord(
        plan.snapshot,
        name,
        "Status = 'Closed'",
        (BEGAN + timedelta(hours=number)).isoformat(),
        is_done=is_done,
        objects={name: ArchivedObject(len(ids), ids[0], ids[-1])},
        stayed={name: list(stayed)} if stayed else {},
    )
    put_archive_record(archive.files, record)
    return plan.snapshot
