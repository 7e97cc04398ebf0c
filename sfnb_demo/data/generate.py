# ruff: noqa: S608 - names come from the catalogue
"""The rows of an org, made in batches of columns from one seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from sfnb_demo.data import fills, ids
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.custom import Rollup
from sfnb_demo.data.fields import label_of
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage

BATCH_ROWS = 100_000
"""Part of the seed's meaning: batches of another size give other values."""

_ARROW = {
    "BOOLEAN": pa.bool_(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
}


def arrow_type(field: Field) -> Any:
    return _ARROW.get(field.column_type, pa.string())


def planned_rows(catalog: Catalog, factor: float, overrides: Mapping[str, int]) -> dict[str, int]:
    """How many rows each object gets; ``ValueError`` for an override of an unknown object."""
    known = {name: catalog.find(name) for name in overrides}
    unknown = [name for name, obj in known.items() if obj is None]
    if unknown:
        raise ValueError(f"there is no object {', '.join(unknown)} in the demo org")
    rows = {
        name: obj.rows if obj.is_fixed else (max(1, round(obj.rows * factor)) if obj.rows else 0)
        for name, obj in catalog.objects.items()
    }
    return rows | {obj.name: overrides[name] for name, obj in known.items() if obj is not None}


def first_midnight(now: datetime) -> datetime:
    """The org starts then: "a day ago" has rows at any hour, the same rows all day."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def fill(
    storage: Storage,
    catalog: Catalog,
    *,
    seed: int,
    now: datetime,
    rows: Mapping[str, int],
    rollups: Iterable[Rollup],
) -> None:
    """Create and fill the tables of a new org, and count its roll-ups."""
    start = first_midnight(now)
    objects = catalog.objects
    with storage.writing():
        for obj in objects.values():
            if obj.is_queryable:
                storage.create(obj)
                made = batches(obj, seed=seed, now=start, rows=rows, objects=objects)
                storage.load(obj, made)
                if not obj.has_bin and obj.has("IsDeleted"):  # what is deleted there is gone
                    storage.rows(f'DELETE FROM "{obj.name}" WHERE "IsDeleted"')
        storage.load(objects["FieldDefinition"], [field_definitions(objects)])
        for rollup in rollups:
            storage.rows(rollup.sql())


def batches(
    obj: ObjectDef,
    *,
    seed: int,
    now: datetime,
    rows: Mapping[str, int],
    objects: Mapping[str, ObjectDef],
) -> Iterator[Any]:
    """
    All rows of one object as Arrow tables of at most 100,000 rows, in the order of their ids.

    Args:
        now: the org's start; no record was created later.
        rows: how many rows each object has, so that lookups hit existing ones.
    """
    for start in range(0, rows[obj.name], BATCH_ROWS):
        rng = np.random.default_rng([seed, crc32(obj.name.encode()), start // BATCH_ROWS])
        size = min(BATCH_ROWS, rows[obj.name] - start)
        batch = fills.Batch(obj, start, size, rng, now, rows, objects)
        # Audit fields come last in the catalogue. The deletion flag needs the masters, so it is
        # made last.
        for field in obj.stored:
            if field.name == "Id" and field.fill is None:
                batch.columns["Id"] = ids.make_ids(
                    obj.prefix or "000", batch.numbers + obj.id_start
                )
            elif field.name != "IsDeleted":
                column = (
                    field.fill(batch)
                    if field.fill is not None
                    else pa.nulls(size, arrow_type(field))
                )
                batch.columns[field.name] = _chunkless(column).cast(arrow_type(field))
        if obj.has("IsDeleted"):
            gone = fills.deleted(obj, batch.numbers)
            batch.columns["IsDeleted"] = pa.array(
                gone if batch.master_deleted is None else gone | batch.master_deleted
            )
        yield pa.table({f.name: batch.columns[f.name] for f in obj.stored})


def _chunkless(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def field_definitions(objects: Mapping[str, ObjectDef]) -> Any:
    """The rows of FieldDefinition: one for each field of each object."""
    pairs = [(obj, field) for obj in objects.values() for field in obj.fields]
    rows = {
        "DurableId": [f"{o.name}.{f.name}" for o, f in pairs],
        "QualifiedApiName": [f.name for _, f in pairs],
        "EntityDefinitionId": [o.name for o, _ in pairs],
        "Label": [f.label or label_of(f.name) for _, f in pairs],
        "DataType": [f.type for _, f in pairs],
        "IsIndexed": [f.type in ("id", "reference") or f.is_external_id for _, f in pairs],
        "Id": ["000000000000000AAA"] * len(pairs),
    }
    return pa.table(rows)
