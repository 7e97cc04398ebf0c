"""The columns of an object's rows, and what happens to values that do not fit them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pyarrow as pa

from sfnb.errors import ObjectError
from sfnb.model import FieldInfo, ObjectSchema

COMPOUND_TYPES = frozenset({"address", "location"})
"""Their parts are fields of their own; Bulk refuses the whole."""

MOMENT = pa.timestamp("us", "UTC")

ARROW_TYPES: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "double": pa.float64(),
    "currency": pa.float64(),
    "percent": pa.float64(),
    "date": pa.date32(),
    "datetime": MOMENT,
}
"""
Arrow type of each describe type; the ones not listed are text.

``time`` is text, since Arrow's time of day has no zone. ``anyType`` (OldValue and NewValue of
history objects) is text, since REST mixes true, 50000.5 and "text" in one column; Bulk sends text.
``complexvalue`` and ``json`` are the JSON text of what REST sends.
"""

Wider = Literal["double", "string"]

_WIDER_TYPES: Mapping[Wider, pa.DataType] = {"double": pa.float64(), "string": pa.string()}


class Misfit(ObjectError):
    """
    Values do not fit the type that describe promises. Start the object again with ``wider_schema``.

    Attributes:
        wider: the type that each such column needs, as far as was read.
    """

    def __init__(self, wider: Mapping[str, Wider]) -> None:
        super().__init__(" ".join(misfit_notes(wider)), code="MISFIT")
        self.wider = dict(wider)

    def __reduce__(self) -> tuple[type[Misfit], tuple[dict[str, Wider]]]:
        # Made of its columns, not of its message: a unit's error may come from another process.
        return Misfit, (self.wider,)


def readable_fields(schema: ObjectSchema) -> tuple[FieldInfo, ...]:
    """The fields a backup reads: all but compounds (their parts are read) and base64 bodies."""
    return tuple(f for f in schema.fields if f.type not in COMPOUND_TYPES and f.type != "base64")


def arrow_schema(schema: ObjectSchema) -> pa.Schema:
    """The columns of an object's rows, in describe's order."""
    return pa.schema(
        [pa.field(f.name, ARROW_TYPES.get(f.type, pa.string())) for f in readable_fields(schema)]
    )


def wider_schema(columns: pa.Schema, wider: Mapping[str, Wider]) -> pa.Schema:
    """The columns with these ones wider. A column never becomes narrower, so this ends."""
    return pa.schema(
        [
            f if f.name not in wider or pa.types.is_string(f.type) else _widened(f, wider[f.name])
            for f in columns
        ]
    )


def _widened(field: pa.Field, wider: Wider) -> pa.Field:
    # A double that does not hold a value leaves text only.
    kind = pa.string() if pa.types.is_floating(field.type) else _WIDER_TYPES[wider]
    return field.with_type(kind)


def misfit_notes(wider: Mapping[str, Wider]) -> tuple[str, ...]:
    """One sentence for each column that was widened, for the outcome."""
    return tuple(
        f"{name}: the org sends values that do not fit the field's type; stored as {kind}."
        for name, kind in sorted(wider.items())
    )
