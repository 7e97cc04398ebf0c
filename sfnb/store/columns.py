"""Columns of a table as one snapshot after another wants them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from sfnb.errors import StoreError

OP, EXTRACTED_AT = "_sfnb_op", "_sfnb_extracted_at"
FROM, UNTIL, GENERATION = "_sfnb_from", "_sfnb_until", "_sfnb_generation"
SNAPSHOT = "_sfnb_snapshot"
"""The partition of formats 1 and 2."""

OWN_COLUMNS = (OP, EXTRACTED_AT, FROM, UNTIL, GENERATION, SNAPSHOT)

UPSERT, DELETE, HARD_DELETE = "upsert", "delete", "hard_delete"
"""Values of ``_sfnb_op``: alive, in the recycle bin, gone."""

NEW = "new"
"""The generation of the parts that readings write."""

CURRENT = "current"
"""The generation of compacted versions that nothing has replaced."""

COLUMNS_ONLY = "columns"
"""
The generation of parts that hold some fields only, between two steps of a refresh. Their rows end
with the snapshot that brought them, so they are no record's version at any time.
"""

STAMPS = "stamps"
"""
The generation of parts that say which stamps moved although the content stayed. Their rows end with
the snapshot that brought them, too.
"""

MOMENT = pa.timestamp("us", "UTC")
"""Delta knows no other timestamp."""

TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "double": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "timestamp": MOMENT,
}
"""The types a table may have, under the names used in ``schema/<Object>.json``."""

NAMES: Mapping[pa.DataType, str] = {kind: name for name, kind in TYPES.items()}

LOSSLESS = frozenset({("int64", "double"), *((name, "string") for name in TYPES)})
"""
Casts from a snapshot's type to the table's that keep every value. A double holds Salesforce's
32-bit int.
"""


def stored_type(kind: pa.DataType) -> pa.DataType:
    """The type a column is stored as."""
    if pa.types.is_timestamp(kind):
        return MOMENT
    if (
        pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_dictionary(kind)
    ):
        return pa.string()
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    return kind


def stored_columns(schema: pa.Schema, object_name: str) -> pa.Schema:
    """
    The columns of an object as they are stored.

    Raises:
        StoreError: no table can hold a type, or a name is reserved for sfnb.
    """
    fields = []
    for field in schema:
        kind = stored_type(field.type)
        if kind not in NAMES:
            raise StoreError(
                f"{object_name}: {field.name} is {field.type}, which the store does not know."
            )
        if field.name.startswith("_sfnb_"):
            raise StoreError(f"{object_name}: the name {field.name} is reserved for sfnb.")
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def own_fields(names: Iterable[str]) -> list[pa.Field]:
    """sfnb's own columns, with their types."""
    return [pa.field(n, MOMENT if n == EXTRACTED_AT else pa.string()) for n in names]


def table_schema(columns: pa.Schema, own: Iterable[str]) -> pa.Schema:
    """The schema of a new Delta table for these columns and sfnb's own."""
    return pa.schema([*columns, *own_fields(own)])


def columns_as_json(columns: pa.Schema) -> dict[str, str]:
    return {field.name: NAMES[field.type] for field in columns}


def columns_from_json(stored: Mapping[str, str]) -> pa.Schema:
    return pa.schema([pa.field(name, TYPES[kind]) for name, kind in stored.items()])
