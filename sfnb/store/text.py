"""Values as text, column by column: what a CSV file has."""

from __future__ import annotations

import struct
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.store.parts import text_array

# Taken out of arrays: Arrow loads pandas (50 MB) to see what a Python value is.
_Z, _QUOTE, _COMMA, _LINE_END, NO_TEXT = text_array(["Z", '"', ",", "\n", ""])
_US_IN_A_MS = pa.Array.from_buffers(pa.int64(), 1, [None, pa.py_buffer(struct.pack("=q", 1000))])[0]


def moments_as_text(moments: pa.Array) -> pa.Array:
    """
    ``2026-11-09T05:12:03.118Z``; microseconds only where a batch has any. Needs no time zone
    database.
    """
    in_us = moments.cast(pa.timestamp("us")).cast(pa.int64())
    is_ms = pc.all(pc.equal(pc.multiply(pc.divide(in_us, _US_IN_A_MS), _US_IN_A_MS), in_us)).as_py()
    naive = moments.cast(pa.timestamp("us")).cast(
        pa.timestamp("ms" if is_ms is not False else "us")
    )
    text = pc.replace_substring(naive.cast(pa.string()), " ", "T", max_replacements=1)
    return pc.binary_join_element_wise(text, _Z, NO_TEXT)


def numbers_as_text(numbers: pa.Array) -> pa.Array:
    """
    The shortest digits that give the number back, without an exponent: ``16147805824397``, not
    ``1.6e+13``.
    """
    # Zero has two signs, of which people know one.
    text = pc.replace_substring_regex(numbers.cast(pa.string()), r"^-0$", "0")
    has_exponent = pc.match_substring(text, "e")
    if not pc.any(has_exponent).as_py():
        return text
    spelled = [
        format(Decimal(value), "f") if value is not None and "e" in value else value
        for value in text.to_pylist()
    ]
    return pa.array(spelled, pa.string())


def as_text(column: pa.Array) -> pa.Array:
    """A column's values as they stand in a CSV file, without quotes; absent values stay absent."""
    if pa.types.is_floating(column.type):
        return numbers_as_text(column)
    if pa.types.is_timestamp(column.type):
        return moments_as_text(column)
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _cells(column: pa.Array) -> pa.Array:
    """A column as CSV cells: text in quotes, everything else bare, absent values empty."""
    text = as_text(column)
    if not (pa.types.is_string(column.type) or pa.types.is_timestamp(column.type)):
        return text
    return pc.binary_join_element_wise(
        _QUOTE, pc.replace_substring(text, '"', '""'), _QUOTE, NO_TEXT
    )


def csv_lines(batch: pa.RecordBatch) -> memoryview:
    """
    The rows of a batch as lines of a CSV file, UTF-8.

    Arrow's own writer spells large numbers with an exponent.
    """
    cells = [_cells(column) for column in batch.columns]
    lines = pc.binary_join_element_wise(
        *cells, _COMMA, null_handling="replace", null_replacement=""
    )
    ended = pc.binary_join_element_wise(lines, _LINE_END, NO_TEXT).cast(pa.large_binary())
    _, offsets, data = ended.buffers()
    if data is None:
        return memoryview(b"")
    first = ended.offset
    (begin,) = struct.unpack_from("<q", offsets, 8 * first)
    (end,) = struct.unpack_from("<q", offsets, 8 * (first + len(ended)))
    return memoryview(data)[begin:end]
