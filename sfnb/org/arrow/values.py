"""
The slow, exact way: values one by one, for the pages that the fast way refuses.

Both readers come here with the same texts, so they give the same columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfnb.org.arrow.columns import Wider

EXACT = 2**53
"""Up to here a double holds each whole number exactly."""

_MOST = 2**63
_YEAR_1_DAYS = -719_162
"""From the year 1 to 1970."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"(-?)([0-9]{1,40})(?:\.([0-9]{1,400}))?(?:[eE]([+-]?[0-9]{1,3}))?")


_REST_MOMENT = r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?)\+0000$"


class NumberText(str):
    """A number of a JSON text, with its digits as sent."""

    __slots__ = ()


def text_array(texts: Sequence[str | None]) -> pa.Array:
    """
    A string column.

    Made of buffers: Arrow's own conversion of Python values would load pandas (70 MB) to see
    whether they are its.
    """
    encoded = [b"" if text is None else text.encode() for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(value) for value in encoded], out=offsets[1:])
    buffers = [_bits(texts), pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(texts), buffers).cast(pa.string())


def is_in_calendar(array: pa.Array) -> bool:
    """
    Whether all dates and moments are of the year 1 or later. Arrow takes the year 0, which Python
    and most databases have not.
    """
    if not pa.types.is_temporal(array.type):
        return True
    is_date = pa.types.is_date32(array.type)
    first = pc.min(array.view(pa.int32() if is_date else pa.int64())).as_py()
    return first is None or first >= (_YEAR_1_DAYS if is_date else _YEAR_1_DAYS * 86_400_000_000)


@dataclass(frozen=True, slots=True)
class Tally:
    """So many values of a column have the character NUL, which is kept."""

    field: str
    values: int


Note = str | Tally
"""What is to be said of the values of a page: a sentence, or what is counted over all pages."""


def nul_tallies(batch: pa.RecordBatch) -> list[Tally]:
    """Of each column whose text has the character NUL, in how many values."""
    found = [
        Tally(field.name, pc.sum(pc.match_substring(column, "\0")).as_py() or 0)
        for field, column in zip(batch.schema, batch.columns, strict=True)
        if pa.types.is_string(field.type)
    ]
    return [tally for tally in found if tally.values]


def nul_note(field: str, values: int) -> str:
    """What is said of a column with the character NUL."""
    if values == 1:
        return f"{field}: one value has the character NUL; it is kept as it is."
    return f"{field}: {values:,} values have the character NUL; they are kept as they are."


def fit(kind: pa.DataType, texts: pa.Array) -> tuple[pa.Array, Wider | None]:
    """
    A column of this type made of texts, and None; or the texts, and the wider type they need.

    Nothing is rounded: a whole number beyond 2^53 never passes through a double.
    """
    if pa.types.is_string(kind):
        return texts, None
    if pa.types.is_boolean(kind):
        is_true = pc.equal(texts, "true")
        is_bool = pc.or_(is_true, pc.equal(texts, "false"))
        return (texts, "string") if pc.all(is_bool).as_py() is False else (is_true, None)
    if pa.types.is_int64(kind):
        return _whole_numbers(texts)
    try:
        found = texts.cast(kind)
    except pa.ArrowException:
        return texts, "string"
    return (found, None) if is_in_calendar(found) else (texts, "string")


def _whole_numbers(texts: pa.Array) -> tuple[pa.Array, Wider | None]:
    """The whole numbers in these texts, as 7, 7.0 or 7.0E0: which one depends on the API."""
    listed = texts.to_pylist()
    numbers = [None if text is None else whole_number(text) for text in listed]
    if all(number is not None for number, text in zip(numbers, listed, strict=True) if text):
        held = np.array([number or 0 for number in numbers], np.int64)
        buffers = [_bits(listed), pa.py_buffer(held.tobytes())]
        return pa.Array.from_buffers(pa.int64(), len(listed), buffers), None
    try:
        texts.cast(pa.float64())
    except pa.ArrowException:
        return texts, "string"
    is_exact = all(
        abs(number) <= EXACT if number is not None else not (text or "").lstrip("-").isdecimal()
        for number, text in zip(numbers, listed, strict=True)
    )
    return texts, "double" if is_exact else "string"


def whole_number(text: str) -> int | None:
    """The value of a number's text where it is whole and has 64 bits, exactly; else None."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    sign, whole, fraction, exponent = found.groups(default="")
    digits, shift = whole + fraction, int(exponent or 0) - len(fraction)
    if shift < 0:
        digits, rest = digits[:shift], digits[shift:]
        if rest.strip("0"):
            return None
    elif digits.strip("0"):
        digits += "0" * shift
    digits = digits.lstrip("0") or "0"
    if len(digits) > 19:
        return None
    value = int(sign + digits)
    return value if -_MOST <= value < _MOST else None


def json_text(value: Any) -> str | None:
    """
    A JSON value as Bulk CSV would write it: true, 50000.5, text; an object or a list as JSON.

    Numbers must have been parsed as ``NumberText``, so they keep their digits.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return readable_text(value)
    return readable_text(_compact(value))


def as_bulk_writes(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """
    The batch with moments in these columns of mixed values spelled as in Bulk CSV.

    REST ends a moment with ``+0000`` and Bulk with ``Z``; an object may be read by either.
    """
    for name in names:
        at = batch.schema.get_field_index(name)
        if at >= 0 and pa.types.is_string(batch.column(at).type):
            spelled = pc.replace_substring_regex(batch.column(at), _REST_MOMENT, r"\1Z")
            batch = batch.set_column(at, batch.schema.field(at), spelled)
    return batch


def readable_text(text: str) -> str:
    """The text, with U+FFFD for each half of a surrogate pair: UTF-8, and so Parquet, has none."""
    return _SURROGATE.sub("\ufffd", text)


def _compact(value: Any) -> str:
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k, ensure_ascii=False)}:{_compact(v)}" for k, v in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_compact(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _bits(values: Sequence[object]) -> pa.Buffer | None:
    """The validity bitmap of values some of which are None."""
    is_valid = np.array([value is not None for value in values], np.bool_)
    return None if is_valid.all() else pa.py_buffer(np.packbits(is_valid, bitorder="little"))
