"""Whether two readings of one record say the same. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from sfnb.model import ObjectSchema
from sfnb.org.answers import mappings_of

STAMP = "SystemModstamp"
VOLATILE = frozenset({"LastViewedDate", "LastReferencedDate"})
"""They tell who looks, not what the record says (Object Reference, system fields)."""

Values = Mapping[str, Any]


def compared_fields(schema: ObjectSchema, columns: Sequence[str]) -> tuple[str, ...]:
    """
    The fields in which a record may not differ: all but those that the org computes, since a formula
    may say something else every minute although nobody has changed the record.
    """
    computed = {
        str(entry.get("name"))
        for entry in mappings_of(schema.raw.get("fields"))
        if entry.get("calculated") is True
    }
    return tuple(sorted(n for n in columns if n not in computed | VOLATILE))


WRITTEN_BY_DELETION = frozenset({STAMP, "LastModifiedDate", "LastModifiedById", "IsDeleted"})


def core_fields(fields: Sequence[str]) -> tuple[str, ...]:
    """Those of ``compared_fields`` that a deletion leaves as they are."""
    return tuple(name for name in fields if name not in WRITTEN_BY_DELETION)


def plain_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """The rows as dicts; a moment is its microseconds, a day its number."""
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())  # noqa: PLW2901 - a column in another type
        elif pa.types.is_date(column.type):
            column = column.cast(pa.int32())  # noqa: PLW2901 - likewise
        columns[name] = column.to_pylist()
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def canonical(value: Any) -> Any:
    """
    One spelling of a value: a reading by REST, one by Bulk and the store tell a number apart from
    its text by nothing that counts, and absent text from an empty one neither.
    """
    if value is None or value == "" or isinstance(value, bool):
        return None if value == "" else value
    if isinstance(value, int | float):
        number = float(value)
        return repr(number) if math.isfinite(number) else str(value)
    return str(value)


def digest_of(row: Values, fields: Sequence[str]) -> bytes:
    """What a record says in these fields, in 16 bytes."""
    content = json.dumps([canonical(row.get(name)) for name in fields], ensure_ascii=False)
    return hashlib.blake2b(content.encode(), digest_size=16).digest()


def differences(was: Values, now: Values, fields: Sequence[str]) -> list[str]:
    """The fields in which two readings differ."""
    return [n for n in fields if canonical(was.get(n)) != canonical(now.get(n))]


def is_our_doing(
    was: Values, now: Values, differing: Collection[str], gone: Container[str]
) -> bool:
    """
    Whether a record differs only because this job has deleted what it referred to: the org empties
    such lookups and moves SystemModstamp, and nobody's work is lost.
    """
    emptied = [n for n in differing if n != STAMP]
    return bool(emptied) and all(was.get(n) in gone and not now.get(n) for n in emptied)
