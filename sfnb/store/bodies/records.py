"""The records of a snapshot that have bodies, read a few columns wide and without pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sfnb.errors import CallerError
from sfnb.store.bodies.fields import Body, BodyField, body_fields, body_of

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
            yield from batch.slice(first, BATCH_ROWS).to_pylist()
