"""
Keys of records (Ids) by the million: a digest that does not depend on their order, and whether they
are distinct.

A digest adds up a 128-bit hash of each key, so parts can be added in any order, by any worker,
across any number of resumes, and two readings of the same records give the same digest however
their pages were cut. docs/format.md has the formula. It finds accidents; it is no protection
against someone who wants two sets of Ids to look the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Words = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]
Bytes = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

LANES = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
"""Where each half of the hash starts."""

FACTOR = 0xFF51AFD7ED558CCD
MASK = (1 << 64) - 1
SHIFT = np.uint64(32)


def key_hashes(keys: pa.Array | pa.ChunkedArray, lane: int) -> Words:
    """A 64-bit hash of each key, in order; an absent key counts as an empty one."""
    chunks = keys.chunks if isinstance(keys, pa.ChunkedArray) else [keys]
    return np.concatenate([np.empty(0, np.uint64), *(_hashes(chunk, lane) for chunk in chunks)])


def _bytes(keys: pa.Array) -> pa.Array:
    is_text = pa.types.is_string(keys.type) or pa.types.is_large_string(keys.type)
    return (keys if is_text else keys.cast(pa.string())).cast(pa.binary())


def _hashes(keys: pa.Array, lane: int) -> Words:
    # Bare buffers: many of Arrow's conversions load pandas (50 MB), which a backup does without.
    text = _bytes(keys)
    if not text.null_count:
        return _hashes_of_bytes(text, lane)
    found = np.repeat(_hashes_of_length(np.zeros((1, 0), np.uint8), lane), len(text))
    bits = np.frombuffer(text.buffers()[0], np.uint8)
    is_valid = np.unpackbits(bits, bitorder="little")[text.offset :][: len(text)].astype(bool)
    found[is_valid] = _hashes_of_bytes(text.drop_null(), lane)
    return found


def _hashes_of_bytes(text: pa.Array, lane: int) -> Words:
    count = len(text)
    if count == 0:
        return np.empty(0, np.uint64)
    _, places, data = text.buffers()
    offsets = np.frombuffer(places, np.int32, count + 1, text.offset * 4)
    content = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    lengths = np.diff(offsets)
    first = int(lengths[0])
    if (lengths == first).all():
        rows = content[offsets[0] : offsets[-1]].reshape(count, first)
        return _hashes_of_length(rows, lane)
    found = np.empty(count, np.uint64)
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        rows = content[offsets[same][:, None] + np.arange(length)]
        found[same] = _hashes_of_length(rows, lane)
    return found


def _hashes_of_length(rows: Bytes, lane: int) -> Words:
    """
    The hash proper: each row's bytes as little-endian words, each mixed in by xor, multiply and
    shift.
    """
    count, length = rows.shape
    width = (length + 7) // 8
    raw = np.zeros((count, width * 8), np.uint8)
    raw[:, :length] = rows
    words = raw.view("<u8")
    found = np.full(count, (LANES[lane] + length) & MASK, np.uint64)
    for k in range(width):
        found ^= words[:, k]
        found *= np.uint64(FACTOR)
        found ^= found >> SHIFT
    found *= np.uint64(FACTOR)
    found ^= found >> SHIFT
    return found


class KeyDigest:
    """The digest of the keys added so far, and whether they came in rising order."""

    def __init__(self) -> None:
        self._sums = [0, 0]
        self._last: bytes | None = None
        self.count = 0
        self.is_ordered = True

    def add(self, keys: pa.Array | pa.ChunkedArray) -> None:
        """Add a piece of a column of text."""
        if not len(keys):
            return
        for lane in (0, 1):
            hashes = key_hashes(keys, lane)
            self._sums[lane] = (self._sums[lane] + int(hashes.sum(dtype=np.uint64))) & MASK
        self.count += len(keys)
        if self.is_ordered:
            self._follow(keys)

    def _follow(self, keys: pa.Array | pa.ChunkedArray) -> None:
        pieces = keys.chunks if isinstance(keys, pa.ChunkedArray) else [keys]
        for piece in pieces:
            text = _bytes(piece)
            if len(text) == 0:
                continue
            first, last = text[0].as_py(), text[-1].as_py()
            follows = self._last is None or (first is not None and self._last < first)
            rises = len(text) < 2 or pc.all(pc.less(text[:-1], text[1:]), skip_nulls=False).as_py()
            self.is_ordered = bool(first is not None and follows and rises)
            self._last = last
            if not self.is_ordered:
                return

    @property
    def hex(self) -> str:
        """32 hex digits."""
        return f"{self._sums[0]:016x}{self._sums[1]:016x}"


def add_digests(digests: Iterable[str]) -> str:
    """The digest of all keys together."""
    sums = [0, 0]
    for digest in digests:
        sums[0] += int(digest[:16], 16)
        sums[1] += int(digest[16:], 16)
    return f"{sums[0] & MASK:016x}{sums[1] & MASK:016x}"


NO_KEYS = f"{0:032x}"
"""The digest of no keys at all."""


def repeated(hashes: Words) -> tuple[int, Words]:
    """
    How many different hashes there are, and those that come more than once. Sorts ``hashes`` in
    place.
    """
    hashes.sort()
    is_again: Any = hashes[1:] == hashes[:-1]
    again = hashes[1:][is_again]
    return len(hashes) - len(again), np.unique(again)
