"""
From Salesforce's CSV and JSON to Arrow, without a Python object per value.

One schema serves both: numbers are float64 (Salesforce's are xsd:double), ``int`` is int64, moments are
timestamp[us, UTC], everything else is text exactly as sent. Bulk CSV cannot tell null from the empty string
(both are ``""``), REST sends null for both, so both become null.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.json as pajson

from sfnb.errors import ObjectError, TransientError
from sfnb.model import FieldInfo, ObjectSchema

COMPOUND_TYPES = frozenset({"address", "location"})
"""Their parts are fields of their own; Bulk refuses the whole."""

BLOCK_BYTES = 1 << 18
"""Parsed at a time; it must hold a record. Larger ones are no faster and cost memory (1 MB: 28 MB more a stream)."""

MAX_BLOCK_BYTES = 1 << 24
"""For a record that describe did not let expect; Salesforce's limit for one is 400,000 characters."""

MOMENT = pa.timestamp("us", "UTC")

_QUOTE = ord('"')

ARROW_TYPES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "double": pa.float64(),
    "currency": pa.float64(),
    "percent": pa.float64(),
    "date": pa.date32(),
    "datetime": MOMENT,
}
"""Arrow type of each describe type; the ones not listed are text (``time`` too)."""


# Made of buffers: Arrow's own conversions of Python values would load pandas (70 MB) to see whether they are its.
_EMPTY = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(bytes(8)), pa.py_buffer(b"")])[0]
_NULL = pa.nulls(1, pa.string())[0]


def readable_fields(schema: ObjectSchema) -> tuple[FieldInfo, ...]:
    """The fields a backup asks for: all but compounds (their parts are asked for) and base64 bodies."""
    return tuple(f for f in schema.fields if f.type not in COMPOUND_TYPES and f.type != "base64")


def arrow_schema(schema: ObjectSchema) -> pa.Schema:
    """The columns of an object's rows, in describe's order."""
    return pa.schema(
        [pa.field(f.name, ARROW_TYPES.get(f.type, pa.string())) for f in readable_fields(schema)]
    )


def block_bytes(schema: ObjectSchema) -> int:
    """A block size that holds this object's largest record, by the lengths that describe tells."""
    largest = sum(4 * f.length if f.length else 64 for f in readable_fields(schema))
    return min(max(BLOCK_BYTES, largest), MAX_BLOCK_BYTES)


class Readable(Protocol):
    """Bytes as they arrive: a file, or a result page on the wire."""

    def read(self, size: int = -1, /) -> bytes: ...


class RecordTooLarge(TransientError):
    """A record does not fit into a block: read the page again with a larger one."""


def _wire_type(kind: pa.DataType) -> pa.DataType:
    # An int may come as 7 or 7.0, depending on the API: 32 bits fit a double exactly.
    return pa.float64() if pa.types.is_int64(kind) else kind


def csv_batches(
    stream: Readable, schema: pa.Schema, *, block: int = BLOCK_BYTES
) -> Iterator[pa.RecordBatch]:
    """
    Batches of a Bulk result page, in its order, columns in the order of ``schema``.

    Args:
        block: bytes parsed at a time; a record must fit.

    Header names are compared without case: it follows the query or the API name (Bulk API 2.0 guide).

    Raises:
        TransientError: the connection broke, or the page ended within a record.
        ObjectError: a value does not fit its field's type.
    """
    source = _Page(stream)
    first = source.peek_line()
    if not first.strip():
        return
    header = pacsv.read_csv(io.BytesIO(first + b"\n")).column_names
    by_name = {field.name.lower(): field for field in schema}
    if missing := set(by_name) - {name.lower() for name in header}:
        raise ObjectError(
            f"the answer lacks the columns {', '.join(sorted(missing))}; describe and data disagree."
        )
    wire = {
        name: _wire_type(by_name[name.lower()].type) for name in header if name.lower() in by_name
    }
    sent_as = {name.lower(): name for name in header}
    options = pacsv.ConvertOptions(
        column_types=wire,
        include_columns=[sent_as[field.name.lower()] for field in schema],
        strings_can_be_null=True,
        null_values=[""],
        true_values=["true"],
        false_values=["false"],
    )
    reader = None
    try:
        reader = pacsv.open_csv(
            source,
            read_options=pacsv.ReadOptions(block_size=block, use_threads=False),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        )
        conformed = _conformer(reader.schema, schema)
        for batch in reader:
            yield conformed(batch)
    except pa.ArrowInvalid as err:
        raise _bad_csv(err) from err
    if source.ends_within_value:
        raise TransientError("a result page ended within a value.")


def _bad_csv(err: pa.ArrowInvalid) -> Exception:
    text = str(err)
    if "straddling" in text:
        return RecordTooLarge(f"a record is larger than expected ({text.splitlines()[0]}).")
    # A page cut within a record shows as a row with too few columns or an open quote.
    if ("Expected" in text and "columns" in text) or "CSV parser got out of sync" in text:
        return TransientError(f"a result page ended within a record ({text.splitlines()[0]}).")
    return ObjectError(f"a value does not fit its field's type ({text.splitlines()[0]}).")


def _conformer(wire: pa.Schema, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """
    What gives a batch the names and types of ``schema``.

    Only what differs is touched: a Python object for each column of each of thousands of batches costs as much as
    reading them.
    """
    different = [(i, field) for i, field in enumerate(schema) if wire.field(i) != field]

    def conformed(batch: pa.RecordBatch) -> pa.RecordBatch:
        for i, field in different:
            batch = batch.set_column(i, field, batch.column(i).cast(field.type))
        return batch

    return conformed


def json_batch(body: bytes, schema: pa.Schema) -> tuple[pa.RecordBatch, int, bool]:
    """
    The records of one REST query answer, its ``totalSize``, and whether it is ``done``.

    Args:
        body: one query answer, as sent.

    Raises:
        TransientError: the answer ends early.
        ObjectError: a value does not fit its field's type.
    """
    # JSON has moments as 2026-11-09T05:12:03.000+0000, which the JSON reader takes as text and a cast understands.
    wire = pa.struct(
        [
            pa.field(f.name, pa.string() if pa.types.is_temporal(f.type) else _wire_type(f.type))
            for f in schema
        ]
    )
    page = pa.schema(
        [
            pa.field("totalSize", pa.int64()),
            pa.field("done", pa.bool_()),
            pa.field("records", pa.list_(wire)),
        ]
    )
    try:
        answer = pajson.read_json(
            io.BytesIO(body),
            read_options=pajson.ReadOptions(block_size=len(body) + 1, use_threads=False),
            parse_options=pajson.ParseOptions(
                explicit_schema=page, unexpected_field_behavior="ignore", newlines_in_values=True
            ),
        )
        records = answer.column("records").combine_chunks().flatten()
        columns = []
        for field, child in zip(schema, records.flatten(), strict=True):
            value = child
            if pa.types.is_string(field.type):
                value = pc.if_else(pc.equal(child, _EMPTY), _NULL, child)
            columns.append(value if value.type == field.type else value.cast(field.type))
    except pa.ArrowInvalid as err:
        raise ObjectError(
            f"the answer does not fit the object's fields ({str(err).splitlines()[0]})."
        ) from err
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    done = answer.column("done")[0].as_py()
    total = answer.column("totalSize")[0].as_py()
    return batch, total if total is not None else batch.num_rows, bool(done)


class _Page(io.RawIOBase):
    """
    A result page going by: its first line can be looked at before it is read, and its quotes are counted.

    Quotes come in pairs, also those within a value, which are doubled. The parser takes a value that the end of the
    page has cut off for a whole one, and one missing after the last comma for null; an odd quote or the comma tells.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._seen = b""
        self._quotes = 0
        self._last = b""

    @property
    def ends_within_value(self) -> bool:
        return self._quotes % 2 == 1 or self._last == b","

    def peek_line(self) -> bytes:
        while b"\n" not in self._seen:
            more = self._stream.read(1 << 14)
            if not more:
                break
            self._seen += more
        return self._seen.split(b"\n", 1)[0]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._read(size)
        # Five times as fast as bytes.count, which would be a tenth of the whole reading and hold up other threads.
        self._quotes += int(np.count_nonzero(np.frombuffer(data, np.uint8) == _QUOTE))
        self._last = data[-1:] or self._last
        return data

    def _read(self, size: int) -> bytes:
        if not self._seen:
            return self._stream.read(size)
        if size < 0:
            seen, self._seen = self._seen, b""
            return seen + self._stream.read()
        seen, self._seen = self._seen[:size], self._seen[size:]
        return seen if len(seen) == size else seen + self._stream.read(size - len(seen))
