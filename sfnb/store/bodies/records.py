"""The records of a snapshot that have bodies, read a few columns wide and without pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from sfnb.errors import CallerError
from sfnb.store.bodies.fields import Body, BodyField, body_fields, body_of
from sfnb.store.columns import OP
from sfnb.store.files import translated
from sfnb.store.paths import table_path

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
        parts = snapshot.parts(object_name)
    except CallerError:
        return
    files = snapshot.files.below(table_path(object_name))
    for part in parts:
        with translated(f"read {object_name}"), files.open_input(part.path) as source:
            file = pq.ParquetFile(source)
            there = [c for c in columns if c in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH_ROWS, columns=[*there, OP]):
                for record in batch.to_pylist():
                    if record.pop(OP) == "upsert":
                        yield record
