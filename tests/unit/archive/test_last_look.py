"""After a deletion: what counts as changed in the last moment, and what the org itself has done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sfnb.archive.checking import LastLook
from sfnb.archive.comparing import compared_fields, core_fields, digest_of, plain_rows
from sfnb.archive.trees import Member, Trees
from sfnb.model import ObjectSchema
from sfnb.store.files import Files
from tests.store_samples import a_store, record_id
from tests.unit.store.history.test_diff import FIELDS, a_state, record

NAME = "Contact"
ROOT, CHILD, OTHER = record_id(1), record_id(2), record_id(3)
CONTACT = ObjectSchema(NAME, (), {"fields": []})

STORED = [record(1), record(2, MasterRecordId=OTHER), record(3)]
"""The child refers to another record of the same tree."""


def members(batch: pa.RecordBatch) -> dict[str, Member]:
    fields = compared_fields(CONTACT, batch.schema.names)
    return {
        row["Id"]: Member(
            NAME,
            row["Id"],
            digest_of(row, fields),
            digest_of(row, core_fields(fields)),
            is_deleted=row["IsDeleted"] is True,
        )
        for row in plain_rows(batch)
    }


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    columns = pa.schema(list(FIELDS.items()))
    return pa.RecordBatch.from_pylist([{n: r.get(n) for n in FIELDS} for r in rows], columns)


def wrong_after(place: Path, **child: Any) -> Mapping[str, str]:
    """What the look after the deletion of the root says; ``child``: what the child is then."""
    store = a_store(place / "store")
    snapshot = store.snapshots[a_state(store, 1, STORED, name=NAME)]
    is_other_gone = child.pop("is_other_gone", True)
    now = batch_of([
        record(1, IsDeleted=True),
        record(2, IsDeleted=True, **{"MasterRecordId": OTHER, **child}),
        record(3, IsDeleted=is_other_gone),
    ])  # fmt: skip
    files = Files(place / "after")
    with files.open_new("rows.parquet") as sink, pq.ParquetWriter(sink, now.schema) as out:
        out.write_batch(now)
    above = {ROOT: set[str](), CHILD: {ROOT}, OTHER: {ROOT}}
    trees = Trees((ROOT,), True, members(now), above, {NAME: ["rows.parquet"]})
    stored = {ROOT: list(members(batch_of(STORED)).values())}
    look = LastLook(snapshot, {NAME: CONTACT}, {ROOT})
    return look.after(stored, trees, files, [ROOT], {ROOT: 0})


@pytest.mark.parametrize(
    ("child", "is_wrong"),
    [
        ({}, False),
        ({"MasterRecordId": None}, False),
        ({"MasterRecordId": None, "is_other_gone": False}, True),
        ({"MasterRecordId": record_id(9)}, True),
        ({"MasterRecordId": None, "Name": "somebody's work"}, True),
    ],
    ids=["as stored", "emptied by our deletion", "emptied by somebody", "moved", "changed"],
)
def test_a_lookup_that_our_own_deletion_emptied_is_no_change(
    tmp_path: Path, child: dict[str, Any], is_wrong: bool
) -> None:
    """
    The org empties lookups to what went along in the same deletion; a tree is not brought back for
    that, and is for whatever a person did.
    """
    assert bool(wrong_after(tmp_path, **child)) is is_wrong
