"""Rows of the store in the JSON form of Salesforce's REST API. Pure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sfnb.store.text import moments_as_text


def wire_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """
    The batch with days and moments as text: ``2026-11-09``, ``2026-11-09T05:12:03.118Z``.

    No time zone has a part in it: a day stays the day that the store has.
    """
    columns = [_wire(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _wire(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return moments_as_text(column)
    if pa.types.is_temporal(column.type):
        return column.cast(pa.string())
    return column


def wire_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows as dicts, values as REST has them."""
    rows: list[dict[str, Any]] = wire_batch(batch).to_pylist()
    return rows
