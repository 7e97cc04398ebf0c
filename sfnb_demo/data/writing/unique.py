# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""Values that may stand in one record only."""

from __future__ import annotations

from collections import defaultdict

from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.incoming import Batch, Incoming, good
from sfnb_demo.soql.names import quote


def check_unique(storage: Storage, obj: ObjectDef, batch: Batch) -> None:
    """
    Refuse values that a living record has, in the org or earlier in the batch. Case does not count,
    unless the field says so.
    """
    for field in obj.stored:
        if field.is_unique:
            _check(
                storage, obj, field, [i for i in good(batch) if i.row.get(field.name) is not None]
            )


def _check(storage: Storage, obj: ObjectDef, field: Field, records: list[Incoming]) -> None:
    if not records:
        return
    column = quote(field.name) if field.is_case_sensitive else f"lower({quote(field.name)})"
    values = [str(i.row[field.name]) for i in records]
    if not field.is_case_sensitive:
        values = [value.lower() for value in values]
    alive = ' AND NOT "IsDeleted"' if obj.has("IsDeleted") else ""
    sql = f'SELECT {column}, "Id" FROM {quote(obj.name)} WHERE {column} {AMONG}{alive}'
    owners: dict[str, set[str]] = defaultdict(set)
    for value, record_id in storage.rows(sql, [values]):
        owners[value].add(record_id)
    in_batch: set[str] = set()
    for incoming, value in zip(records, values, strict=True):
        others = owners[value] - {incoming.record_id}
        if others or value in in_batch:
            whose = f"record with id: {min(others)}" if others else "another record of the request"
            incoming.refuse(
                "DUPLICATE_VALUE",
                f"duplicate value found: {field.name} duplicates value on {whose}",
                field.name,
            )
        in_batch.add(value)
