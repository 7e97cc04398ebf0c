# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""Records of one object merged into one (SOAP guide, merge)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.soql.names import quote


def merge(
    catalog: Catalog,
    storage: Storage,
    obj: ObjectDef,
    *,
    winner: str,
    losers: Sequence[str],
    stamps: dict[str, Any],
) -> list[str]:
    """
    Put the losers into the recycle bin with MasterRecordId, and let their children point to the
    winner. The caller holds ``Storage.writing``.

    Returns:
        The Ids of the children that were moved.
    """
    moved: list[str] = []
    for relation in catalog.children[obj.name]:
        child, field = catalog.objects[relation.child], relation.field
        if not (child.is_queryable and child.is_writable and field.is_stored):
            continue
        if field.name == "MasterRecordId":
            continue  # it says what was kept of that merge, and a later merge is another one
        key = quote(field.name)
        sql = f'SELECT "Id" FROM {quote(child.name)} WHERE {key} {AMONG}'
        ids = [i for (i,) in storage.rows(sql, [list(losers)]) if i not in losers]
        _set(storage, child, ids, {field.name: winner, **stamps})
        moved += ids
    gone = {"IsDeleted": True, "MasterRecordId": winner, **stamps}
    _set(storage, obj, list(losers), gone)
    _set(storage, obj, [winner], stamps)
    return moved


def _set(storage: Storage, obj: ObjectDef, ids: list[str], row: dict[str, Any]) -> None:
    """Change rows, but none that somebody else has written after this write began."""
    own = {name: value for name, value in row.items() if obj.has(name)}
    if not ids or not own:
        return
    sets = ", ".join(f"{quote(name)} = ?" for name in own)
    before: datetime = row["SystemModstamp"]
    later = ' AND "SystemModstamp" <= ?' if obj.has("SystemModstamp") else ""
    storage.rows(
        f'UPDATE {quote(obj.name)} SET {sets} WHERE "Id" {AMONG}{later}',
        [*own.values(), ids, *([before] if later else [])],
    )
