"""Which parts of a reading stay, which go, and which are written anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from sfnb.store.columns import EXTRACTED_AT
from sfnb.store.layout import Layout
from sfnb.store.part_writer import part_path
from sfnb.store.parts import IS_HARD_DELETE, Part, RowGroupWriter, regrouped
from sfnb.store.place import Place
from sfnb.store.settling.reading import Outcome, Reading
from sfnb.store.states.contents import Flags
from sfnb.store.states.versions import Places

SMALL_ROWS = 1 << 16
"""Parts with fewer rows are written into one: a night's pages are small."""


def keep(reading: Reading, kept: Flags, outcome: Outcome) -> None:
    """Sort the parts of a reading by the rows that are kept: each stays, goes, or is written anew."""
    committed = {part.path for part in reading.committed}
    anew: dict[Layout, list[Places]] = {}
    first = 0
    is_merged = int(np.count_nonzero(kept)) <= SMALL_ROWS and len(reading.parts) > 1
    for part in reading.parts:
        mine = kept[first : first + part.records]
        # The keys of records that are gone stay as they are: rows written anew count as alive.
        if mine.all() and (part.gone or not is_merged):
            if part.path not in committed:
                outcome.adds.append(part)
        else:
            anew.setdefault(_layout_of(reading.layout, part), []).append(
                np.flatnonzero(mine) + first
            )
            drop(reading, part, outcome)
        first += part.records
    for layout, places in anew.items():
        at = np.concatenate(places)
        if len(at):
            columns = {f.column for f in layout} | {EXTRACTED_AT}
            rows = regrouped(reading.read().batches(at, columns))
            outcome.adds.append(written(reading, layout, rows))


def drop(reading: Reading, part: Part, outcome: Outcome) -> None:
    """A part is not needed any more."""
    if part in reading.committed:
        outcome.removes.append(part)
    outcome.orphans.append(part.path)


def hard_deletes(reading: Reading, gone: Iterable[Places], key: str) -> list[Part]:
    """A part with the keys of records that are gone; none without any."""
    places = np.sort(np.concatenate([np.empty(0, np.int64), *gone]))
    if not len(places):
        return []
    column = next(f.column for f in reading.layout if f.field == key)
    batches = reading.versions_before(key).batches(places, {column})
    return [written(reading, reading.layout, regrouped(batches), op=IS_HARD_DELETE)]


def _layout_of(layout: Layout, part: Part) -> Layout:
    """The columns that a part's rows are in."""
    widened = {stored.field: stored for stored in part.widened}
    return tuple(widened.get(stored.field, stored) for stored in layout)


def written(
    reading: Reading,
    layout: Layout,
    tables: Iterable[pa.Table],
    *,
    op: int | None = None,
    place: Place | None = None,
) -> Part:
    """
    Rows in the table's columns as a new part.

    Args:
        op: of all rows; None: as IsDeleted says.
        place: another one than that of whole records.
    """
    place = place or reading.target.place
    path = part_path(place, reading.name, reading.snapshot)
    names = {f.column: f.field for f in layout}
    with reading.table.open_new(path) as sink:
        writer = RowGroupWriter(
            sink,
            layout,
            object_name=reading.name,
            extracted_at=reading.clock.now(),
            constants=place.constants,
            op=op,
        )
        try:
            for table in tables:
                has = [name for name in table.column_names if name in names]
                rows = table.select(has).rename_columns([names[name] for name in has])
                has_moment = EXTRACTED_AT in table.column_names
                writer.write(rows, table.column(EXTRACTED_AT) if has_moment else None)
        finally:
            writer.close()
    widened = tuple(f for f in layout if f not in reading.layout)
    return replace(writer.part(path), widened=widened)
