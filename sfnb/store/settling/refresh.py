"""A refresh: some fields of all records were read, the rest of each is as its newest version says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from sfnb.errors import CallerError
from sfnb.store.keys import key_hashes
from sfnb.store.layout import FieldSource
from sfnb.store.part_writer import PartWriter
from sfnb.store.parts import IS_HARD_DELETE, IS_UPSERT, text_array
from sfnb.store.proof import ID
from sfnb.store.settling.compare import places_in
from sfnb.store.settling.reading import Outcome, Reading
from sfnb.store.settling.writing import drop, keep
from sfnb.store.states.contents import Flags
from sfnb.store.states.files import version_file
from sfnb.store.states.records import columns_of_sources, value_of
from sfnb.store.states.versions import KEYS_AT_ONCE, Keys, Places, Span, Versions, newest

ROWS_AT_ONCE = 1 << 16
"""Records that are put together in memory at a time."""


def refreshed(
    reading: Reading, fields: Sequence[str], outcome: Outcome, kept: Flags, gone: Sequence[str] = ()
) -> int:
    """
    Put new versions of the records whose fields have other values into the outcome; how many
    records changed so that this snapshot had no version of before.

    Rows that have no version yet are passed over: the reading of changes brings them.

    Args:
        kept: of the whole records that this snapshot has read, those that say something new.
        gone: Ids of records that are gone for good.

    Raises:
        CallerError: a field that the object does not have.
    """
    known = {source.field: source for source in reading.sources()}
    if unknown := sorted(set(fields) - set(known)):
        raise CallerError(f"{reading.name} has no field {', '.join(unknown)}.")
    merge = Merge(reading, [known[name] for name in fields], gone)
    writer = PartWriter(reading.target, reading.clock, files=reading.root)
    parts = writer.write(merge.batches())
    known_before = int(np.count_nonzero(kept[merge.replaced[merge.is_replaced_alive]]))
    kept[merge.replaced] = False
    keep(reading, kept, outcome)
    outcome.adds += parts
    for part in reading.staged:
        drop(reading, part, outcome)
    return merge.count - known_before


class Merge:
    """The records whose refreshed fields have other values than their newest version."""

    def __init__(
        self, reading: Reading, fields: Sequence[FieldSource], gone: Sequence[str] = ()
    ) -> None:
        self._reading = reading
        self._fields = fields
        named = text_array(gone)
        self._gone = newest(_keys_of(named)) if len(gone) else None
        staged = [version_file(part.path) for part in reading.staged]
        span = Span(reading.snapshot)
        self._staged = Versions(reading.table, staged, ID, span)
        files = [*reading.before.files, *(version_file(p.path) for p in reading.parts)]
        span = Span(reading.snapshot, starts_with=reading.before.starts_with)
        self._current = Versions(reading.table, files, ID, span)
        self.replaced: Places = np.empty(0, np.int64)
        self.is_replaced_alive: Flags = np.empty(0, bool)
        self.count = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The records, with the new values of the refreshed fields and the old ones of the others."""
        shares = max(1, -(-max(self._staged.rows, self._current.rows) // KEYS_AT_ONCE))
        for share in range(shares):
            *found, is_alive = self._others(share, shares)
            self._note(found[1], is_alive)
            self.count += int(np.count_nonzero(is_alive))
            for first in range(0, len(found[0]), ROWS_AT_ONCE):
                some = slice(first, first + ROWS_AT_ONCE)
                yield self._merged(found[0][some], found[1][some])

    def _others(self, share: int, shares: int) -> tuple[Places, Places, Flags]:
        """Where the rows are whose values are others, as refreshed and as they were; who is alive."""
        asked = newest(self._staged.keys(share, shares))
        then = newest(self._current.keys(share, shares))
        then = then.take(then.ops != IS_HARD_DELETE)
        if self._gone is not None:
            then = then.take(~places_in(self._gone, then.hashes, then.others)[1])
        at, is_known = places_in(then, asked.hashes, asked.others)
        new, old = asked.places[is_known], then.places[at[is_known]]
        is_alive = then.ops[at[is_known]] == IS_UPSERT
        is_other = self._staged.contents(new, self._fields) != self._current.contents(
            old, self._fields
        )
        order = np.argsort(old[is_other], kind="stable")
        return new[is_other][order], old[is_other][order], is_alive[is_other][order]

    def _note(self, places: Places, is_alive: Flags) -> None:
        """Rows of this snapshot's own that are replaced, as they are numbered in its parts."""
        before = sum(1 for file in self._current.files if file.snapshot < self._reading.snapshot)
        first = self._current.groups[before - 1][-1] if before else 0
        mine = places >= first
        self.replaced = np.concatenate([self.replaced, places[mine] - first])
        self.is_replaced_alive = np.concatenate([self.is_replaced_alive, is_alive[mine]])

    def _merged(self, new: Places, old: Places) -> pa.RecordBatch:
        sources = self._reading.sources()
        was = _table(self._current, old, sources)
        now = _table(self._staged, new, self._fields)
        for source in self._fields:
            was = was.set_column(
                was.schema.get_field_index(source.field), source.field, now.column(source.field)
            )
        return was.combine_chunks().to_batches()[0]


def _keys_of(ids: pa.Array) -> Keys:
    count = len(ids)
    zeros = np.zeros(count, np.int64)
    return Keys(zeros, key_hashes(ids, 0), key_hashes(ids, 1), zeros.astype(np.uint8), zeros)


def _table(versions: Versions, places: Places, sources: Sequence[FieldSource]) -> pa.Table:
    """Fields of the rows at some places, in the order of the places."""
    order = np.argsort(places, kind="stable")
    columns = {column for source in sources for column, _ in source.columns}
    schema = columns_of_sources(sources)
    batches = [
        pa.RecordBatch.from_arrays([value_of(batch, s) for s in sources], schema=schema)
        for batch in versions.batches(places[order], columns)
    ]
    back = np.argsort(order, kind="stable").astype(np.int64)
    indices = pa.Array.from_buffers(pa.int64(), len(back), [None, pa.py_buffer(back.tobytes())])
    return pa.Table.from_batches(batches, schema=schema).take(indices)
