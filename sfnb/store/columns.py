"""Columns of a table as one snapshot after another wants them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from sfnb.errors import StoreError

OP, EXTRACTED_AT, SNAPSHOT = "_sfnb_op", "_sfnb_extracted_at", "_sfnb_snapshot"
OWN_COLUMNS = (OP, EXTRACTED_AT, SNAPSHOT)

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


def table_schema(columns: pa.Schema) -> pa.Schema:
    """The schema of a new Delta table for these columns."""
    own = [
        pa.field(OP, pa.string()),
        pa.field(EXTRACTED_AT, MOMENT),
        pa.field(SNAPSHOT, pa.string()),
    ]
    return pa.schema([*columns, *own])


def columns_as_json(columns: pa.Schema) -> dict[str, str]:
    return {field.name: NAMES[field.type] for field in columns}


def columns_from_json(stored: Mapping[str, str]) -> pa.Schema:
    return pa.schema([pa.field(name, TYPES[kind]) for name, kind in stored.items()])
