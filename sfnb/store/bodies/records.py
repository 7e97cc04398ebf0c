"""The records of a snapshot that have bodies, read a few columns wide and without pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sfnb.errors import CallerError
from sfnb.store.bodies.fields import Body, BodyField, body_fields, body_of
from sfnb.store.parts import EPOCH

if TYPE_CHECKING:
    from sfnb.store.snapshots import Snapshot

BATCH_ROWS = 4096


def fields_of(snapshot: Snapshot, object_name: str) -> list[BodyField]:
    """The object's fields that hold bodies; none where the snapshot does not know its fields."""
    return body_fields(object_name, snapshot.describe(object_name))


def bodies_of(snapshot: Snapshot, of: BodyField) -> Iterator[Body]:
    """What the live records of a snapshot say about their bodies; nothing of an untouched object."""
    for record in live_records(snapshot, of.object_name, of.columns):
        yield body_of(of, record)


def live_records(
    snapshot: Snapshot, object_name: str, columns: tuple[str, ...]
) -> Iterator[Mapping[str, Any]]:
    """These fields of the live records."""
    try:
        rows = snapshot.rows(object_name)
    except CallerError:
        return
    there = [name for name in columns if name in rows.columns.names]
    for batch in rows.batches(there):
        for first in range(0, batch.num_rows, BATCH_ROWS):
            yield from _records(batch.slice(first, BATCH_ROWS))


def _records(batch: pa.RecordBatch) -> Iterator[Mapping[str, Any]]:
    """
    One dict a row. Moments are made here: Arrow would load pandas (50 MB) to make them.
    """
    moments = {f.name for f in batch.schema if pa.types.is_timestamp(f.type)}
    columns = {
        name: (column.cast(pa.int64()) if name in moments else column).to_pylist()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    for name in moments:
        columns[name] = [
            None if us is None else EPOCH + timedelta(microseconds=us) for us in columns[name]
        ]
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))
