# ruff: noqa: S608 - names come from the catalogue and are quoted
"""New rows with values like those that the org was born with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from sfnb_demo.data import fills, ids
from sfnb_demo.data.database import Database
from sfnb_demo.data.generate import arrow_type
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.soql.names import quote

_FILES = ("ContentVersion", "ContentDocument", "ContentDocumentLink")


def is_special(obj: ObjectDef) -> bool:
    """Whether new rows have rules of their own: files, and objects whose Ids no counter gives."""
    id_field = obj.find("Id")
    return obj.name in _FILES or not obj.prefix or id_field is None or id_field.fill is not None


def make(database: Database, obj: ObjectDef, rows: int, stamp: datetime) -> Any:
    """
    An Arrow table of new rows, not yet written.

    Raises:
        ValueError: for an object whose rows cannot be made so.
    """
    if is_special(obj) or not obj.is_queryable:
        raise ValueError(f"rows of {obj.name} cannot be made so; create them by the REST API")
    first = database.saver.storing.reserve(obj, rows) - obj.id_start
    rng = np.random.default_rng([first, rows])
    start = stamp.replace(hour=0, minute=0, second=0)
    batch = fills.Batch(obj, first, rows, rng, start, database.rows, database.catalog.objects)
    batch.columns["Id"] = ids.make_ids(obj.prefix or "000", batch.numbers + obj.id_start)
    system: dict[str, Any] = {
        "IsDeleted": False,
        "CreatedDate": stamp,
        "CreatedById": database.admin_id,
        **database.saver.storing.touched(obj, database.admin_id, stamp),
    }
    for field in obj.stored:
        kind = arrow_type(field)
        if field.name == "Id":
            continue
        if field.name in system:
            column: Any = pa.repeat(pa.scalar(system[field.name], kind), rows)
        elif field.is_detail and rows:
            column = _masters(database, obj, field.refs[0], rng, rows)
        elif field.fill is None:
            column = pa.nulls(rows, kind)
        else:
            made = field.fill(batch)
            column = (made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made).cast(
                kind
            )
        batch.columns[field.name] = column
    return pa.table({f.name: batch.columns[f.name] for f in obj.stored})


def _masters(
    database: Database, obj: ObjectDef, master: str, rng: np.random.Generator, rows: int
) -> Any:
    """Living masters for new details."""
    found = database.catalog.find(master)
    alive = ' WHERE NOT "IsDeleted"' if found is not None and found.has("IsDeleted") else ""
    sql = f'SELECT "Id" FROM {quote(master)}{alive} ORDER BY "Id" LIMIT 10000'
    known = [i for (i,) in database.storage.rows(sql)]
    if not known:
        raise ValueError(f"{obj.name} needs a {master}, and there is none")
    return pa.array(known).take(pa.array(rng.integers(0, len(known), rows)))
