"""Whose rows count: of each key the newest version, found by hashes of the keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfnb.store.columns import DELETE, FROM, HARD_DELETE, OP, UNTIL
from sfnb.store.files import Files
from sfnb.store.keys import Words, key_hashes
from sfnb.store.layout import FieldSource
from sfnb.store.parts import IS_DELETE, IS_HARD_DELETE, IS_UPSERT, text_array
from sfnb.store.states.contents import Codes, Flags, Places, moments_of, row_hashes
from sfnb.store.states.files import (
    VersionFile,
    check_column,
    group_starts,
    groups_up_to,
    groups_with,
    read_pieces,
)

__all__ = ["KEYS_AT_ONCE", "Keys", "Places", "Span", "Versions", "arrow_flags", "newest"]

KEYS_AT_ONCE = 1 << 18
"""Keys compared in memory at a time, about fifty bytes each."""

OP_CODES = {DELETE: IS_DELETE, HARD_DELETE: IS_HARD_DELETE}


@dataclass(frozen=True, slots=True)
class Span:
    """
    Which snapshots' versions count.

    Args:
        at: up to this snapshot.
        is_before: not those of ``at`` itself.
        starts_with: not those of snapshots older than this one; empty: all.
    """

    at: str
    is_before: bool = False
    starts_with: str = ""

    def has(self, brought_by: str) -> bool:
        """Whether versions count that this snapshot brought."""
        is_late = brought_by > self.at or (self.is_before and brought_by == self.at)
        return not is_late and brought_by >= self.starts_with

    def may_need(self, file: VersionFile) -> bool:
        """Whether a file may have versions that count."""
        if file.snapshot:
            return self.has(file.snapshot)
        # What was ended in an earlier month was ended before.
        is_month = file.generation[:1].isdigit()
        return not is_month or file.generation >= f"{self.at[:4]}-{self.at[4:6]}"

    def is_open(self, ended_by: str | None) -> bool:
        """Whether versions that this snapshot ended were still the newest."""
        if ended_by is None:
            return True
        return ended_by >= self.at if self.is_before else ended_by > self.at


@dataclass(frozen=True, slots=True)
class Keys:
    """
    Rows by their keys.

    Args:
        places: where each row is.
        hashes, others: two hashes of its key.
        ops: what it says of the record, by its place in ``OPS``.
        stamps: its SystemModstamp where a record may have been read twice, else 0.
    """

    places: Places
    hashes: Words
    others: Words
    ops: Codes
    stamps: Places

    def __len__(self) -> int:
        return len(self.places)

    def take(self, which: Flags | Places) -> Keys:
        return Keys(
            self.places[which],
            self.hashes[which],
            self.others[which],
            self.ops[which],
            self.stamps[which],
        )

    @classmethod
    def of(cls, pieces: Sequence[Keys]) -> Keys:
        return cls(
            np.concatenate([np.empty(0, np.int64), *(p.places for p in pieces)]),
            np.concatenate([np.empty(0, np.uint64), *(p.hashes for p in pieces)]),
            np.concatenate([np.empty(0, np.uint64), *(p.others for p in pieces)]),
            np.concatenate([np.empty(0, np.uint8), *(p.ops for p in pieces)]),
            np.concatenate([np.empty(0, np.int64), *(p.stamps for p in pieces)]),
        )


def newest(keys: Keys) -> Keys:
    """Of each key the last row, or that with the greatest stamp, in the order of the keys' hashes."""
    order = np.argsort(keys.hashes, kind="stable")
    if len(keys.stamps) and keys.stamps.any():
        order = np.lexsort((keys.stamps, keys.hashes))
    is_same = _same(keys.hashes[order])
    if (is_same & ~_same(keys.others[order])).any():
        # Two keys share one hash, which happens once in a thousand billion keys.
        order = np.lexsort((keys.stamps, keys.others, keys.hashes))
        is_same = _same(keys.hashes[order]) & _same(keys.others[order])
    is_last = np.append(~is_same, np.ones(min(1, len(order)), bool))
    return keys.take(order[is_last])


def _same(words: Words) -> Flags:
    return np.asarray(words[1:] == words[:-1])


class Versions:
    """
    The versions that count in some files of a table, numbered from 0 on in the order of the files.

    Args:
        table: the table's folder.
        files: those whose versions may count, oldest first.
        key: the field that tells records apart; None: none does, and all keys are the same.
        stamp: the column of SystemModstamp, if the newest snapshot may have a record twice.
    """

    def __init__(
        self,
        table: Files,
        files: Sequence[VersionFile],
        key: str | None,
        span: Span,
        stamp: str = "",
    ) -> None:
        self._table = table
        self._key = key
        self._span = span
        self._stamp = stamp
        self.files = [f for f in files if span.may_need(f)]

    @cached_property
    def groups(self) -> list[list[int]]:
        """By file, the number of each row group's first row, and of the row behind the last."""
        found, rows = [], 0
        for file in self.files:
            starts = group_starts(self._table, file.path)
            found.append([rows + start for start in starts])
            rows = found[-1][-1]
        return found

    @property
    def rows(self) -> int:
        """Rows of the files, whether they count or not."""
        return self.groups[-1][-1] if self.groups else 0

    def keys(self, share: int = 0, shares: int = 1) -> Keys:
        """All versions that count; with ``shares``, those of about every so manieth key."""
        return Keys.of(list(self._keys(share, shares)))

    def in_shares(self) -> Iterator[Keys]:
        """All versions that count, as many at a time as memory should hold."""
        shares = max(1, -(-self.rows // KEYS_AT_ONCE)) if self._key is not None else 1
        return (self.keys(share, shares) for share in range(shares))

    def _keys(self, share: int, shares: int) -> Iterator[Keys]:
        for file, starts in zip(self.files, self.groups, strict=True):
            has_stamps = self._stamp and file.snapshot == self._span.at
            columns = {self._key or OP, OP, FROM, UNTIL} | ({self._stamp} if has_stamps else set())
            # Compacted files are sorted by who brought a version: the others are skipped.
            groups = None if file.snapshot else groups_up_to(self._table, file.path, self._span.at)
            for piece in read_pieces(self._table, file.path, columns, groups=groups):
                batch = piece.batch
                places = np.arange(batch.num_rows, dtype=np.int64) + (starts[0] + piece.first)
                ops = _coded(batch.column(OP), OP_CODES, IS_UPSERT)
                stamps: Places = np.zeros(len(places), np.int64)
                if has_stamps:
                    stamps = moments_of(batch.column(self._stamp))
                found = Keys(places, *self._hashes(batch), ops, stamps)
                counts = np.ones(len(found), bool)
                if not file.snapshot:
                    counts &= self._counts(batch)
                if shares > 1:
                    counts &= found.hashes % np.uint64(shares) == share
                yield found if counts.all() else found.take(counts)

    def _hashes(self, batch: pa.RecordBatch) -> tuple[Words, Words]:
        if self._key is None:
            none = np.zeros(batch.num_rows, np.uint64)
            return none, none
        check_column(self._key, batch.schema.names, f"a part in {self._table.uri('')}")
        key = batch.column(self._key)
        return key_hashes(key, 0), key_hashes(key, 1)

    def _counts(self, batch: pa.RecordBatch) -> Flags:
        """Whose time has come and not ended, in a file with versions of several snapshots."""
        check_column(FROM, batch.schema.names, f"a part in {self._table.uri('')}")
        begun = batch.column(FROM)
        has = {text: int(self._span.has(text)) for text in begun.dictionary.to_pylist()}
        counts = _coded(begun, has, 0).astype(bool)
        if UNTIL in batch.schema.names:
            ended = batch.column(UNTIL)
            is_open = {text: int(self._span.is_open(text)) for text in ended.dictionary.to_pylist()}
            counts &= _coded(ended, is_open, 1).astype(bool)
        return counts

    def of_key(self, key: str, value: str, columns: set[str]) -> Iterator[pa.RecordBatch]:
        """
        The versions of one key that count, a row each, oldest first. Row groups that cannot have it
        are skipped.
        """
        found: list[tuple[str, int, pa.RecordBatch]] = []
        text = text_array([value])
        for file in self.files:
            groups = groups_with(self._table, file.path, key, value)
            wanted = {*columns, key, FROM, UNTIL} | ({self._stamp} if self._stamp else set())
            for piece in read_pieces(self._table, file.path, wanted, groups=groups):
                # Filtered by Arrow: making NumPy's flags of its own loads pandas, a third of a second.
                is_it = pc.is_in(piece.batch.column(key), value_set=text)
                if not file.snapshot:
                    is_it = pc.and_(is_it, arrow_flags(self._counts(piece.batch)))
                rows = piece.batch.filter(is_it)
                check_column(FROM, rows.schema.names, f"a part in {self._table.uri('')}")
                for at in range(rows.num_rows):
                    row = rows.slice(at, 1)
                    stamp = 0
                    if self._stamp and file.snapshot == self._span.at:
                        stamp = int(moments_of(row.column(self._stamp))[0])
                    found.append((row.column(FROM)[0].as_py(), stamp, row))
        yield from (row for _, _, row in sorted(found, key=lambda each: each[:2]))

    def contents(self, places: Places, sources: Sequence[FieldSource]) -> Words:
        """A hash of what each of these rows says in some fields."""
        order = np.argsort(places, kind="stable")
        found = np.empty(len(places), np.uint64)
        columns = {column for source in sources for column, _ in source.columns}
        done = 0
        for batch in self.batches(places[order], columns):
            count = batch.num_rows
            found[order[done : done + count]] = row_hashes(batch, sources)
            done += count
        return found

    def stamps(self, places: Places, column: str) -> Places:
        """A moment of each of these rows, in microseconds; 0 where it is absent."""
        order = np.argsort(places, kind="stable")
        found = np.zeros(len(places), np.int64)
        done = 0
        for batch in self.batches(places[order], {column}):
            count = batch.num_rows
            if column in batch.schema.names:
                found[order[done : done + count]] = moments_of(batch.column(column))
            done += count
        return found

    def batches(self, places: Places, columns: set[str]) -> Iterator[pa.RecordBatch]:
        """These columns of the rows at some places, which rise. Row groups without any are skipped."""
        for file, starts in zip(self.files, self.groups, strict=True):
            begin, end = np.searchsorted(places, (starts[0], starts[-1]))
            if begin == end:
                continue
            mine = places[begin:end]
            wanted = np.flatnonzero(np.diff(np.searchsorted(mine, starts)))
            for piece in read_pieces(self._table, file.path, columns, groups=wanted.tolist()):
                first = starts[0] + piece.first
                low, high = np.searchsorted(mine, (first, first + piece.batch.num_rows))
                if low == high:
                    continue
                if high - low == piece.batch.num_rows:
                    yield piece.batch
                else:
                    flags = np.zeros(piece.batch.num_rows, bool)
                    flags[mine[low:high] - first] = True
                    yield piece.batch.filter(arrow_flags(flags))


def arrow_flags(flags: Flags) -> pa.Array:
    """Flags as Arrow has them. Made of a bare buffer: Arrow's array() loads pandas."""
    bits = np.packbits(flags, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, pa.py_buffer(bits.tobytes())])


def _coded(column: pa.Array, codes: dict[str, int], otherwise: int) -> Codes:
    """A dictionary column's values as numbers; those that are not named, and absent ones, as one."""
    known = [codes.get(text, otherwise) for text in column.dictionary.to_pylist()]
    table = np.array([*known, otherwise], np.uint8)
    indices = column.indices
    numbers = np.frombuffer(indices.buffers()[1], np.int32, len(indices), indices.offset * 4)
    if column.null_count:
        bits = np.frombuffer(indices.buffers()[0], np.uint8)
        is_valid = np.unpackbits(bits, bitorder="little")[indices.offset :][: len(indices)]
        numbers = np.where(is_valid.astype(bool), numbers, len(known))
    return table[numbers]
