"""
Very many Ids in little memory: 18 bytes for an Id and 8 to find it, where a dict of texts takes 200.

Ids of another length than Salesforce's 18 characters are kept, too, as texts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import chain, repeat

import numpy as np
import pyarrow as pa

from sfnb.store.parts import text_array

WIDTH = 18
PIECE = 8_192
"""Texts that are Python values at a time."""

_NONE = bytes(WIDTH)
_FREE, _GONE = -1, -2
_FEWEST_SLOTS = 64


def _packed(text: str) -> bytes:
    """The Id as it is kept; empty: it is not like others."""
    return text.encode() if len(text) == WIDTH and text.isascii() and text[0] != "\0" else b""


class IdColumn:
    """Ids by their places from 0 on; an empty text where there is none."""

    def __init__(self, texts: Iterable[str] = (), *, rows: int = 0) -> None:
        self._bytes = bytearray(rows * WIDTH)
        self._odd: dict[int, str] = {}
        for text in texts:
            self.append(text)

    def __len__(self) -> int:
        return len(self._bytes) // WIDTH

    def __getitem__(self, place: int) -> str:
        start = place * WIDTH
        if not 0 <= start < len(self._bytes):
            raise IndexError(place)
        if not self._bytes[start]:
            return self._odd.get(place, "")
        return self._bytes[start : start + WIDTH].decode()

    def __setitem__(self, place: int, text: str) -> None:
        if not 0 <= place < len(self):
            raise IndexError(place)
        self._odd.pop(place, None)
        packed = _packed(text)
        if text and not packed:
            self._odd[place] = text
        self._bytes[place * WIDTH : (place + 1) * WIDTH] = packed or _NONE

    def __iter__(self) -> Iterator[str]:
        return map(self.__getitem__, range(len(self)))

    def append(self, text: str) -> None:
        packed = _packed(text)
        if text and not packed:
            self._odd[len(self)] = text
        self._bytes += packed or _NONE

    def is_at(self, place: int, packed: bytes) -> bool:
        """Whether this Id, packed, is at a place."""
        return self._bytes.startswith(packed, place * WIDTH)

    def arrow(self) -> pa.Array:
        """The Ids as Arrow has them."""
        if self._odd or 0 in self._bytes[::WIDTH]:
            return text_array(list(self))
        offsets = np.arange(0, len(self._bytes) + WIDTH, WIDTH, dtype=np.int32)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(bytes(self._bytes))]
        return pa.Array.from_buffers(pa.string(), len(self), buffers)


class IdTable:
    """
    Numbers Ids in the order in which they come. Open addressing: a slot holds an Id's number, and
    the Id itself says whether it is the one that is looked for.
    """

    def __init__(self) -> None:
        self.keys = IdColumn()
        self._odd: dict[str, int] = {}
        self._slots = _slots(_FEWEST_SLOTS)
        self._used = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.find(text) >= 0

    def __iter__(self) -> Iterator[str]:
        return filter(None, self.keys)

    def find(self, text: str) -> int:
        """The Id's number; -1: it is not here."""
        packed = _packed(text)
        if not packed:
            return self._odd.get(text, -1)
        found = self._slots[self._slot(text, packed)]
        return max(found, -1)

    def add(self, text: str) -> int:
        """The Id's number, a new one where it was not here."""
        packed = _packed(text)
        if not packed:
            if text not in self._odd:
                self._odd[text] = self._new(text)
            return self._odd[text]
        slot = self._slot(text, packed)
        if (found := self._slots[slot]) >= 0:
            return found
        self._slots[slot] = number = self._new(text)
        self._used += 1
        if self._used * 2 > len(self._slots):
            self._grow()
        return number

    def discard(self, text: str) -> None:
        """Forget an Id; its number is not given again."""
        if (number := self.find(text)) < 0:
            return
        if text in self._odd:
            del self._odd[text]
        else:
            self._slots[self._slot(text, _packed(text))] = _GONE
        self.keys[number] = ""
        self._count -= 1

    def _new(self, text: str) -> int:
        self.keys.append(text)
        self._count += 1
        return len(self.keys) - 1

    def _slot(self, text: str, packed: bytes) -> int:
        """Where the Id is, or the free slot where it would be."""
        slots = self._slots
        last = len(slots) - 1
        at = hash(text) & last
        while (number := slots[at]) != _FREE:
            if number >= 0 and self.keys.is_at(number, packed):
                return at
            at = (at + 1) & last
        return at

    def _grow(self) -> None:
        size = _FEWEST_SLOTS
        while size < self._count * 4:
            size *= 2
        self._slots = _slots(size)
        self._used = 0
        for number, text in enumerate(self.keys):
            if packed := _packed(text):
                self._slots[self._slot(text, packed)] = number
                self._used += 1


class IdSet(AbstractSet[str]):
    """A set of Ids."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._table = IdTable()
        self.update(texts)

    @classmethod
    def of_arrow(cls, texts: pa.Array) -> IdSet:
        """The texts of an array, a few of them as Python values at a time."""
        pieces = (texts.slice(at, PIECE).to_pylist() for at in range(0, len(texts), PIECE))
        return cls(chain.from_iterable(pieces))

    def arrow(self) -> pa.Array:
        """The Ids as Arrow has them."""
        keys = self._table.keys
        return keys.arrow() if len(keys) == len(self) else text_array(list(self))

    def update(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._table.add(text)

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, text: object) -> bool:
        return text in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def add(self, text: str) -> None:
        self._table.add(text)

    def discard(self, text: str) -> None:
        self._table.discard(text)


class IdPairs:
    """Ids by Ids. Nothing that was put is taken out again."""

    def __init__(self) -> None:
        self._table = IdTable()
        self._values = IdColumn()

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, text: object) -> bool:
        return text in self._table

    def __setitem__(self, key: str, value: str) -> None:
        number = self._table.add(key)
        if number == len(self._values):
            self._values.append(value)
        else:
            self._values[number] = value

    def get(self, key: str, default: str) -> str:
        number = self._table.find(key)
        return default if number < 0 else self._values[number]


def _slots(count: int) -> array[int]:
    return array("i", repeat(_FREE, count))
