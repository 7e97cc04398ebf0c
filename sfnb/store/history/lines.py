"""
Changed records as lines: one for each record that came or went, and for each field that differs.
Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.store.parts import text_array
from sfnb.store.text import as_text

CHANGES = pa.schema(
    [(name, pa.string()) for name in ("id", "change", "field", "old", "new", "merged_into")]
)
"""The columns of `Comparison.changes`."""

(_CHANGED,) = text_array(["changed"])


def differing(old: pa.Table, new: pa.Table, fields: int) -> dict[int, pa.Array]:
    """
    By number of a field, which rows of two tables say something else; fields that are the same in
    all rows are left out. A row stands in the same place in both.
    """
    found = {}
    for number in range(fields):
        before, after = (_one(side.column(number)) for side in (old, new))
        is_same = pc.equal(before, after)
        if pa.types.is_floating(before.type):
            is_same = pc.or_(is_same, pc.and_(pc.is_nan(before), pc.is_nan(after)))
        # Null where a value is absent: two absent ones are the same, one is not.
        both = pc.and_(before.is_null(), after.is_null())
        differs = pc.invert(pc.coalesce(is_same, both))
        if pc.any(differs).as_py():
            found[number] = differs
    return found


def lines_of(
    records: pa.RecordBatch, old: pa.Table, new: pa.Table, names: Sequence[str]
) -> pa.RecordBatch:
    """
    The lines of some records, in the records' order and the fields'.

    Args:
        records: key, change and master of each.
        old, new: the values of those that have ``changed``, in the same order.
        names: the fields, in the order of their columns.
    """
    is_changed = pc.equal(records.column(1), _CHANGED)
    changed = pc.indices_nonzero(is_changed)
    whole = pc.indices_nonzero(pc.invert(is_changed))
    nothing = pa.nulls(len(whole), pa.string())
    rows, olds, news, counts = [whole], [nothing], [nothing], {0: len(whole)}
    for number, differs in differing(old, new, len(names)).items():
        rows.append(changed.filter(differs))
        olds.append(as_text(_one(old.column(number)).filter(differs)))
        news.append(as_text(_one(new.column(number)).filter(differs)))
        counts[1 + number] = len(rows[-1])
    columns = [pa.concat_arrays(rows), _counted(counts)]
    columns += [pa.concat_arrays(olds), pa.concat_arrays(news)]
    lines = pa.Table.from_arrays(columns, names=["row", "field", "old", "new"])
    lines = lines.sort_by([("row", "ascending"), ("field", "ascending")])
    row, field, before, after = (_one(column) for column in lines.columns)
    field_names = pa.concat_arrays([pa.nulls(1, pa.string()), text_array(names)]).take(field)
    key, change, master = (records.column(n).take(row) for n in range(3))
    columns = [key, change, field_names, before, after, master]
    return pa.RecordBatch.from_arrays(columns, schema=CHANGES)


def _counted(counts: Mapping[int, int]) -> pa.Array:
    """Each number so many times. Of a bare buffer: Arrow's repeat() loads pandas."""
    numbers = array("i")
    for number, times in counts.items():
        numbers.extend(array("i", [number]) * times)
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers)])


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
