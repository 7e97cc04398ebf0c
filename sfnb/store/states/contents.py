"""
Whether two rows say the same: a 64-bit hash of a row's values, whatever columns and types hold
them. Pure.

A number is the same as int and as double, absent text the same as empty text (Bulk CSV cannot tell
them apart), and text is never the same as a number. The hash is compared between two versions of
one record only, so two different contents are taken for equal once in 2^57 comparisons at most. It
is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from sfnb.store.keys import FACTOR, MASK, SHIFT, Words, _bytes
from sfnb.store.layout import FieldSource

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Places = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Codes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

NOTHING = np.uint64(0x6A09E667F3BCC909)
"""The hash of an absent value."""

NUMBER, TEXT, FLAG, DATE, MOMENT = range(5)
KIND_OF: Mapping[str, int] = {
    "string": TEXT,
    "double": NUMBER,
    "int64": NUMBER,
    "bool": FLAG,
    "date": DATE,
    "timestamp": MOMENT,
}

EXACT = 1 << 53
"""Ints up to this are exact as doubles."""

TEXT_BYTES = 1 << 18
"""Text that is hashed at a time: numpy needs about ten bytes for each."""


def row_hashes(batch: pa.RecordBatch, sources: Sequence[FieldSource]) -> Words:
    """
    A hash of each row's values of these fields. Columns that the batch lacks are absent values.
    """
    found = np.full(batch.num_rows, NOTHING, np.uint64)
    for source in sources:
        values = np.full(batch.num_rows, NOTHING, np.uint64)
        for column, kind in source.columns:
            if (at := batch.schema.get_field_index(column)) >= 0:
                _put_hashes(values, batch.column(at), kind)
        found ^= values
        found = mixed(found)
    return found


def mixed(words: Words) -> Words:
    """Each word spread over all its bits."""
    spread: Words = words * np.uint64(FACTOR)
    spread ^= spread >> SHIFT
    spread *= np.uint64(FACTOR)
    spread ^= spread >> SHIFT
    return spread


def _put_hashes(values: Words, column: pa.Array, kind: str) -> None:
    is_valid = _validity(column)
    if not is_valid.any():
        return
    salt = np.uint64((KIND_OF[kind] + 1) * 0x9E3779B97F4A7C15 & MASK)
    if kind == "string":
        hashes, has_text = text_hashes(column)
        is_valid &= has_text
    else:
        hashes = words_of(column, kind)
    np.copyto(values, mixed(hashes ^ salt), where=is_valid)


def _validity(column: pa.Array) -> Flags:
    buffer = column.buffers()[0]
    if buffer is None or not column.null_count:
        return np.ones(len(column), bool)
    bits = np.frombuffer(buffer, np.uint8)
    return np.unpackbits(bits, bitorder="little")[column.offset :][: len(column)].astype(bool)


def words_of(column: pa.Array, kind: str) -> Words:
    """Values of a fixed width as words; what is absent may be anything."""
    count, data = len(column), column.buffers()[1]
    if kind == "bool":
        bits = np.frombuffer(data, np.uint8)
        flags = np.unpackbits(bits, bitorder="little")[column.offset :][:count]
        return flags.astype(np.uint64)
    if kind == "date":
        return np.frombuffer(data, np.int32, count, column.offset * 4).astype(np.uint64)
    if kind == "double":
        numbers = np.frombuffer(data, np.float64, count, column.offset * 8)
        return (numbers + 0.0).view(np.uint64)  # zero has two signs
    words = np.frombuffer(data, np.int64, count, column.offset * 8)
    if kind == "timestamp":
        return words.view(np.uint64)
    is_exact = np.abs(words) <= EXACT
    return np.where(is_exact, words.astype(np.float64).view(np.uint64), words.view(np.uint64))


def moments_of(column: pa.Array) -> Places:
    """Moments in microseconds; 0 where one is absent."""
    return np.where(_validity(column), words_of(column, "timestamp").view(np.int64), 0)


def text_hashes(column: pa.Array) -> tuple[Words, Flags]:
    """A hash of each text, and which texts are not empty."""
    text = _bytes(column)
    count = len(text)
    found = np.zeros(count, np.uint64)
    _, places, data = text.buffers()
    if not count or places is None or data is None:
        return found, np.zeros(count, bool)
    offsets = np.frombuffer(places, np.int32, count + 1, text.offset * 4).astype(np.int64)
    lengths = np.diff(offsets)
    if text.null_count:
        lengths = np.where(_validity(text), lengths, 0)
    filled = np.flatnonzero(lengths)
    content = np.frombuffer(data, np.uint8)
    ends = np.cumsum(lengths[filled])
    first = 0
    while first < len(filled):
        done = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + TEXT_BYTES, side="right")))
        some = filled[first:last]
        found[some] = _hashes(content, offsets[some], lengths[some])
        first = last
    return found, lengths > 0


def _hashes(content: Codes, begins: Places, lengths: Places) -> Words:
    """
    Of each text the sum of its words of eight bytes, each spread with a number that belongs to its
    place. Words are read wherever they begin; what is behind a text's end counts as zero.
    """
    low, high = int(begins[0]), int((begins + lengths).max())
    piece = np.zeros(high - low + 8, np.uint8)
    piece[:-8] = content[low:high]
    words_at = np.ndarray((high - low + 1,), "<u8", piece.data, strides=(1,))
    counts = (lengths + 7) // 8
    starts = np.cumsum(counts) - counts
    within = np.arange(int(counts.sum())) - np.repeat(starts, counts)
    at = within * 8
    words = words_at[np.repeat(begins - low, counts) + at]
    over = np.maximum(8 - (np.repeat(lengths, counts) - at), 0).astype(np.uint64)
    words &= np.uint64(MASK) >> (over * np.uint64(8))
    words ^= (within + 1).astype(np.uint64) * np.uint64(FACTOR)
    sums: Words = np.add.reduceat(mixed(words), starts)
    return sums ^ mixed(lengths.astype(np.uint64))
