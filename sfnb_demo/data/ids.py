"""
Salesforce Ids: 3 characters for the object, 2 for the instance, 10 that count in base 62, 3 that
check.

Base 62 counts ``0-9A-Za-z``, which is also byte order, so Ids sort in the order of creation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
INSTANCE = "7Q"
COUNTER_DIGITS = 10
FIRST = 10 * 62**4
"""Counters start at ``00000A0000``, so Ids look real."""

_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGIT_BYTES = np.frombuffer(DIGITS.encode(), dtype=np.uint8)
_CHECK_BYTES = np.frombuffer(_CHECK.encode(), dtype=np.uint8)
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


def to18(id15: str) -> str:
    """
    The 18-character form: each of the last three characters says which of five are capitals, lowest
    bit first.
    """
    check = ""
    for start in (0, 5, 10):
        bits = sum(1 << k for k, ch in enumerate(id15[start : start + 5]) if "A" <= ch <= "Z")
        check += _CHECK[bits]
    return id15[:15] + check


def is_id(text: str) -> bool:
    """
    Whether the text looks like an id: 15 characters, or 18 with a checksum that fits in any case.
    """
    if not _ID.fullmatch(text):
        return False
    return len(text) == 15 or to18(text[:15])[15:] == text[15:].upper()


def normal(text: str) -> str | None:
    """The 18-character form of a 15- or 18-character Id; None if the text is no Id."""
    return to18(text[:15]) if is_id(text) else None


def make_id(prefix: str, number: int) -> str:
    """The id that an object's counter gives at ``number``."""
    digits = ""
    for _ in range(COUNTER_DIGITS):
        number, rest = divmod(number, 62)
        digits = DIGITS[rest] + digits
    return to18(prefix + INSTANCE + digits)


def number_of(record_id: str) -> int:
    """The counter inside an id."""
    value = 0
    for ch in record_id[5:15]:
        value = value * 62 + DIGITS.index(ch)
    return value


def make_ids(
    prefix: str, numbers: npt.NDArray[np.int64], *, is_null: npt.NDArray[np.bool_] | None = None
) -> Any:
    """
    Many ids at once, as an Arrow string array.

    Args:
        numbers: the counters.
        is_null: where the result is to be null.
    """
    size = len(numbers)
    chars = np.empty((size, 18), dtype=np.uint8)
    chars[:, :5] = np.frombuffer((prefix + INSTANCE).encode(), dtype=np.uint8)
    rest = numbers.astype(np.int64, copy=True)
    for position in range(14, 4, -1):
        rest, digit = np.divmod(rest, 62)
        chars[:, position] = _DIGIT_BYTES[digit]
    is_capital = (chars[:, :15] >= ord("A")) & (chars[:, :15] <= ord("Z"))
    weights = np.array([1, 2, 4, 8, 16], dtype=np.int64)
    for block in range(3):
        bits = is_capital[:, block * 5 : block * 5 + 5] @ weights
        chars[:, 15 + block] = _CHECK_BYTES[bits]
    offsets = np.arange(0, 18 * (size + 1), 18, dtype=np.int32)
    validity = None
    if is_null is not None:
        validity = pa.py_buffer(np.packbits(~is_null, bitorder="little").tobytes())
    return pa.StringArray.from_buffers(
        size, pa.py_buffer(offsets), pa.py_buffer(chars.tobytes()), validity, -1
    )


def chunk_ranges(first_id: str, last_id: str, chunk_size: int) -> Iterator[tuple[str, str]]:
    """
    The id ranges of Bulk API 1.0 PK chunking, ``[from, to)``, over the counters of one prefix.

    The last range reaches just past ``last_id``. Where all rows of a range were deleted, it is
    empty.
    """
    prefix, number, last = first_id[:3], number_of(first_id), number_of(last_id)
    while number <= last:
        upper = min(number + chunk_size, last + 1)
        yield make_id(prefix, number), make_id(prefix, upper)
        number = upper
