"""Rules of an object's Delta table: its properties, and the columns it must have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from sfnb.errors import StoreError
from sfnb.store.columns import LOSSLESS, TYPES
from sfnb.store.layout import Known, StoredField

NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
"""
Keeps delta-rs from promising to its readers ``column >= null`` for each column without a least
value in a commit: Arrow and DuckDB took that for “no row of this file can match”, so any WHERE gave
nothing (seen with deltalake 1.6).
"""

CHECKPOINT_EVERY = 100

TABLE_PROPERTIES: Mapping[str, str | None] = {
    # Cursors and digests live in the log: nothing may tidy it away.
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": str(CHECKPOINT_EVERY),
    **NO_STATISTICS,
}


def missing_columns(wanted: Mapping[str, str], known: Known, object_name: str) -> pa.Schema:
    """
    The columns that a table lacks.

    Raises:
        StoreError: it has such a column with another type, because another backup was faster.
    """
    missing = {}
    for column, kind in wanted.items():
        there = known.get(column.lower())
        if there is None:
            missing[column] = TYPES[kind]
        elif there != (column, kind) and (kind, there[1]) not in LOSSLESS:
            raise StoreError(
                f"{object_name}: another backup has just stored {column} as {there[1]}, "
                f"this one needs {kind}. Run it again."
            )
    return pa.schema(missing)


def as_in_table(stored: StoredField, known: Known) -> StoredField:
    """
    A field with its column's type: snapshots begun in format 1 may bring ints to a double column.
    """
    _, kind = known.get(stored.column.lower(), ("", stored.kind))
    return replace(stored, kind=kind) if (stored.kind, kind) in LOSSLESS else stored
