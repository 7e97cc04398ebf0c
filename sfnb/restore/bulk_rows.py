"""
Rows as the CSV of a Bulk job, and the lines of its results as the rows they were.

Salesforce promises no order of results, so a line is found by its content: an Id where rows are
updated, all cells where they are created. Lines of equal content may stand for one another.
"""

from __future__ import annotations

import csv
import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from sfnb.org.writing.bulk2_ingest import MOST_BYTES, cell_of
from sfnb.restore.id_map import Utf8
from sfnb.restore.sending import Item

KEY_BYTES = 16


@dataclass
class SentRows:
    """
    The rows of one job.

    Attributes:
        places: in the wave's file.
        keys: of the rows, one after another, ``KEY_BYTES`` each.
    """

    places: array[int] = field(default_factory=lambda: array("q"))
    keys: bytearray = field(default_factory=bytearray)

    def add(self, place: int, key: bytes) -> None:
        self.places.append(place)
        self.keys += key

    def __len__(self) -> int:
        return len(self.places)

    def index(self, left: Iterable[int]) -> RowIndex:
        """Of the rows at these places among those sent."""
        return RowIndex(
            (at, bytes(self.keys[at * KEY_BYTES : (at + 1) * KEY_BYTES])) for at in left
        )


class RowIndex:
    """Which row a line of a result is: each row is found once."""

    def __init__(self, keys: Iterable[tuple[int, bytes]]) -> None:
        self._first: dict[bytes, int] = {}
        self._more: dict[bytes, list[int]] = {}
        for at, key in keys:
            if self._first.setdefault(key, at) != at:
                self._more.setdefault(key, []).append(at)

    def take(self, key: bytes) -> int | None:
        """The row's place among those sent; None: no row that is left is like this."""
        if more := self._more.get(key):
            return more.pop()
        return self._first.pop(key, None)


def cells(item: Item, columns: Sequence[str], *, has_id: bool) -> list[str]:
    """A row's cells: empty where it does not send a column."""
    row = [cell_of(item.values[name]) if name in item.values else "" for name in columns]
    return [item.target_id, *row] if has_id else row


def key_of(row: Sequence[str], *, has_id: bool) -> bytes:
    """What a row is found by."""
    text = row[0] if has_id else "\x1f".join(row)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=KEY_BYTES).digest()


def head(columns: Sequence[str], *, has_id: bool) -> list[str]:
    return ["Id", *columns] if has_id else list(columns)


def line_cells(line: Mapping[str, str], columns: Sequence[str], *, has_id: bool) -> list[str]:
    """The cells of a result's line, as ``cells`` gave them."""
    return [line.get(name, "") for name in head(columns, has_id=has_id)]


def canonical(row: Sequence[str]) -> list[str]:
    """One spelling of cells, where a server sends back what it understood, not what it read."""
    return [_canonical(cell) for cell in row]


def _canonical(cell: str) -> str:
    text = cell.replace("\r\n", "\n").strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        return f"{Decimal(text).normalize():f}" if text[:1] in "-0123456789" else text
    except (InvalidOperation, ValueError):
        return text


def write_csv(
    path: Path,
    items: Iterable[Item],
    columns: Sequence[str],
    *,
    has_id: bool,
    most_bytes: int = MOST_BYTES,
    most_rows: int | None = None,
) -> tuple[SentRows, Item | None]:
    """
    Write rows until the file is full; what was written, and the row that had no room any more.

    Every cell stands in quotes, so that spaces at its ends and line ends within it are kept.
    """
    sent = SentRows()
    with path.open("wb") as file:
        counter = _Counter(file)
        out = csv.writer(Utf8(counter), lineterminator="\n", quoting=csv.QUOTE_ALL)
        out.writerow(head(columns, has_id=has_id))
        for item in items:
            row = cells(item, columns, has_id=has_id)
            size = sum(len(cell.encode(errors="replace")) + cell.count('"') + 3 for cell in row)
            is_full = counter.size + size > most_bytes or len(sent) == most_rows
            if is_full and len(sent):
                return sent, item
            out.writerow(row)
            sent.add(item.place, key_of(row, has_id=has_id))
    return sent, None


def keys_again(items: Iterable[Item], columns: Sequence[str], *, has_id: bool) -> SentRows:
    """The rows of a job that was sent before: their places and keys."""
    sent = SentRows()
    for item in items:
        sent.add(item.place, key_of(cells(item, columns, has_id=has_id), has_id=has_id))
    return sent


def canonical_keys(
    items: Iterable[Item], columns: Sequence[str], *, has_id: bool
) -> Iterator[bytes]:
    """The rows' keys in their one spelling."""
    for item in items:
        yield key_of(canonical(cells(item, columns, has_id=has_id)), has_id=has_id)


class _Counter:
    def __init__(self, file: object) -> None:
        self._file = file
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return self._file.write(data)  # type: ignore[attr-defined, no-any-return]
