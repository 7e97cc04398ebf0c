"""The records of a snapshot that have bodies, read a few columns wide and without pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import CallerError
from sfnb.store.bodies.fields import (
    Body,
    BodyField,
    body_fields,
    body_of,
    image_fields,
    images_of,
)
from sfnb.store.parts import EPOCH, known_true

if TYPE_CHECKING:
    from sfnb.store.snapshots import Snapshot

BATCH_ROWS = 4096


def fields_of(snapshot: Snapshot, object_name: str) -> list[BodyField]:
    """The object's fields that hold bodies; none where the snapshot does not know its fields."""
    return body_fields(object_name, snapshot.describe(object_name))


def bodies_of(snapshot: Snapshot, object_name: str) -> Iterator[Body]:
    """
    The bodies that the live records of an object have: those of its base64 fields, and the images
    in its rich texts. Nothing of an untouched object.
    """
    describe = snapshot.describe(object_name)
    for of in body_fields(object_name, describe):
        for record in _records(_batches(snapshot, object_name, of.columns)):
            yield body_of(of, record)
    if texts := image_fields(describe):
        batches = _batches(snapshot, object_name, ("Id", *texts))
        for record in _records(_with_images(batch, texts) for batch in batches):
            for field in texts:
                yield from images_of(object_name, record["Id"], field, record.get(field) or "")


def _batches(
    snapshot: Snapshot, object_name: str, columns: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    """These fields of the live records, a few at a time."""
    try:
        rows = snapshot.rows(object_name)
    except CallerError:
        return
    there = [name for name in columns if name in rows.columns.names]
    for batch in rows.batches(there):
        for first in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(first, BATCH_ROWS)


def _with_images(batch: pa.RecordBatch, texts: tuple[str, ...]) -> pa.RecordBatch:
    """The rows that may show an image; few do, and making Python texts of the others is slow."""
    found = [
        known_true(pc.match_substring(batch.column(name), "refid="))
        for name in texts
        if name in batch.schema.names
    ]
    return batch.filter(reduce(pc.or_, found)) if found else batch.slice(0, 0)


def _records(batches: Iterable[pa.RecordBatch]) -> Iterator[Mapping[str, Any]]:
    """
    One dict a row. Moments are made here: Arrow would load pandas (50 MB) to make them.
    """
    for batch in batches:
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
