# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""Which stored records a batch is about: by Id, or by an external id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sfnb_demo.data import ids
from sfnb_demo.data.fields import label_of
from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.hindrances import TRIGGER_ROWS
from sfnb_demo.data.writing.incoming import Batch, Incoming, good
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.names import quote

NOT_FOUND = "The requested resource does not exist"
Values = dict[str, Any]


def matched(
    storage: Storage, obj: ObjectDef, key: Field, records: Sequence[Values]
) -> list[Incoming]:
    """Each record with the Id of the one that has its key; one without a match is new."""
    found: dict[str, list[str]] = defaultdict(list)
    named = [taken(values, key.name) for values in records]
    texts = [str(value).lower() for value, _ in named]
    alive = ' AND NOT "IsDeleted"' if obj.has("IsDeleted") else ""
    column = f"lower({quote(key.name)})"
    sql = (
        f'SELECT {column}, "Id" FROM {quote(obj.name)} WHERE {column} {AMONG}{alive} ORDER BY "Id"'
    )
    for value, record_id in storage.rows(sql, [texts]):
        found[value].append(record_id)
    batch, earlier = [], dict[str, int]()
    for place, ((value, rest), text) in enumerate(zip(named, texts, strict=True)):
        matches = found[text] if value not in (None, "") else []
        is_id = key.type == "id"
        incoming = Incoming(rest, matches[0] if matches else "", is_new=not matches)
        if value in (None, "") and not is_id:
            incoming.refuse("MISSING_ARGUMENT", f"{key.name} not specified", key.name)
        elif is_id and value not in (None, "") and not matches:
            incoming.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", "Id")
        elif len(matches) > 1:
            said = f"{key.name}: more than one record found for external id field: {matches}"
            incoming.refuse("DUPLICATE_EXTERNAL_ID", said)
        elif value not in (None, "") and earlier.get(text) == place // TRIGGER_ROWS:
            incoming.refuse(
                "DUPLICATE_VALUE", f"Duplicate external id specified: {value}", key.name
            )
        if incoming.is_new and not is_id:
            incoming.values[key.name] = value
        earlier[text] = place // TRIGGER_ROWS
        batch.append(incoming)
    return batch


def find(storage: Storage, obj: ObjectDef, batch: Batch) -> None:
    """Put the full Id and the old row into each record; refuse what is not there or deleted."""
    for incoming in good(batch):
        full = ids.normal(incoming.record_id)
        if full is None or (obj.prefix is not None and full[:3] != obj.prefix):
            said = f"{label_of(obj.name)} ID: id value of incorrect type: {incoming.record_id}"
            incoming.refuse("MALFORMED_ID", said, "Id")
        else:
            incoming.record_id = full
    wanted = [i.record_id for i in good(batch)]
    if not wanted:
        return
    columns = ", ".join(quote(f.name) for f in obj.stored)
    sql = f'SELECT {columns} FROM {quote(obj.name)} WHERE "Id" {AMONG}'
    rows = {row["Id"]: row for row in storage.arrow(sql, [wanted]).to_pylist()}
    places: dict[str, int] = {}
    for place, incoming in enumerate(batch):
        if incoming.errors:
            continue
        old = rows.get(incoming.record_id)
        if old is None:
            incoming.refuse("NOT_FOUND", NOT_FOUND, status=404)
        elif old.get("IsDeleted"):
            incoming.refuse("ENTITY_IS_DELETED", "entity is deleted", status=404)
        elif places.get(incoming.record_id) == place // TRIGGER_ROWS:
            incoming.refuse(
                "DUPLICATE_VALUE", f"duplicate id specified: {incoming.record_id}", "Id"
            )
        else:
            incoming.old = old
            places[incoming.record_id] = place // TRIGGER_ROWS


def taken(values: Values, name: str) -> tuple[Any, Values]:
    """One value, and the others."""
    key = next((k for k in values if k.lower() == name.lower()), None)
    rest = {k: v for k, v in values.items() if k != key}
    return (values[key] if key is not None else None), rest


def external_id_field(obj: ObjectDef, name: str) -> Field:
    """
    The field by which a record may be addressed.

    Raises:
        ApiError: NOT_FOUND when it is no external id.
    """
    field = obj.find(name)
    if field is None or not (field.is_external_id or field.type == "id"):
        raise ApiError(
            "NOT_FOUND",
            f"Provided external ID field does not exist or is not accessible: {name}",
            404,
        )
    return field
