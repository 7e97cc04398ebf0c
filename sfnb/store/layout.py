"""
Which column of a table holds a field. Pure.

Normally the column has the field's name. A field whose type has changed, or whose value does not
fit its type, gets a second column (``N__c__2``), so that old snapshots read as they were and no
value is changed. No name of Salesforce's ends so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import pyarrow as pa

from sfnb.store.columns import NAMES, TYPES, stored_type


@dataclass(frozen=True, slots=True)
class StoredField:
    """A field, the column that holds it, and the column's type by its name in ``columns.TYPES``."""

    field: str
    column: str
    kind: str


Layout = tuple[StoredField, ...]
"""An object's fields in describe's order."""

Known = Mapping[str, tuple[str, str]]
"""
A table's columns by lower-case name: to Delta, as to Salesforce, names that differ in case only are
the same.
"""


def known_columns(columns: Iterable[tuple[str, str]]) -> Known:
    return {name.lower(): (name, kind) for name, kind in columns}


def columns_of(table: pa.Schema) -> list[tuple[str, str]]:
    """A table's columns: name and type, those of types that sfnb does not write as they print."""
    return [(f.name, NAMES.get(stored_type(f.type), str(f.type))) for f in table]


def _names(field: str) -> Iterator[str]:
    yield field
    yield from (f"{field}__{number}" for number in count(2))


def column_for(field: str, kind: str, known: Known, *, reserved: int = 0) -> str:
    """
    The column that holds a field's values of a type: one that the table has, or a new name.

    Args:
        reserved: how many free names to leave to others.
    """
    for name in _names(field):
        if name.lower() in known:
            spelled, there = known[name.lower()]
            if there == kind:
                return spelled
        elif reserved == 0:
            return name
        else:
            reserved -= 1
    raise AssertionError("unreachable: names do not end")


def layout_for(columns: pa.Schema, known: Known) -> Layout:
    """Where the columns of a new snapshot go in a table."""
    fields = [(field.name, NAMES[field.type]) for field in columns]
    return tuple(StoredField(n, column_for(n, kind, known), kind) for n, kind in fields)


def fitted(table: pa.Table, layout: Layout, known: Known) -> Layout:
    """
    The layout that holds every value of these rows: fields whose values do not fit get a wider
    column.

    A double where ints were becomes a double column; anything else becomes text.
    """
    return tuple(_fitted(table, stored, known) for stored in layout)


def _fitted(table: pa.Table, stored: StoredField, known: Known) -> StoredField:
    if stored.field not in table.column_names:
        return stored
    values = table.column(stored.field)
    if values.type == TYPES[stored.kind] or _fits(values, stored.kind):
        return stored
    kind = "string"
    if stored.kind == "int64" and _fits(values, "double"):
        kind = "double"
    # Workers do not know of each other: the first free name is for doubles, the next for text.
    column = column_for(stored.field, kind, known, reserved=int(kind == "string"))
    return StoredField(stored.field, column, kind)


def _fits(values: pa.ChunkedArray, kind: str) -> bool:
    try:
        values.cast(TYPES[kind], safe=True)
    except pa.ArrowException:
        return False
    return True


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldSource:
    """
    A field as a snapshot has it: its type, and the columns that hold its values, at most one of
    them in a row.
    """

    field: str
    kind: str
    columns: tuple[tuple[str, str], ...]

    @property
    def is_plain(self) -> bool:
        return self.columns == ((self.field, self.kind),)


def sources_of(layouts: Sequence[Iterable[StoredField]]) -> list[FieldSource]:
    """
    The fields of a snapshot.

    Args:
        layouts: the snapshot's own, then what its parts have widened.
    """
    columns: dict[str, dict[str, str]] = {}
    for layout in layouts:
        for stored in layout:
            columns.setdefault(stored.field, {})[stored.column] = stored.kind
    return [
        FieldSource(field, _widest(set(held.values())), tuple(held.items()))
        for field, held in columns.items()
    ]


def with_older(
    own: Sequence[FieldSource], older: Sequence[FieldSource], *, is_same_kind: bool = False
) -> list[FieldSource]:
    """
    Fields with the columns that held them before; the type of each holds the values of all of them.

    Args:
        is_same_kind: only columns of the field's own kind: both numbers, or of one type.
    """
    before = {source.field.lower(): source for source in older}
    found = []
    for source in own:
        columns = dict(source.columns)
        was = before.get(source.field.lower())
        for column, kind in was.columns if was else ():
            if not is_same_kind or _is_same(kind, source.kind):
                columns.setdefault(column, kind)
        widest = _widest(set(columns.values()))
        found.append(FieldSource(source.field, widest, tuple(columns.items())))
    return found


def _is_same(kind: str, other: str) -> bool:
    return kind == other or {kind, other} == {"int64", "double"}


def with_columns(
    sources: Sequence[FieldSource], columns: Mapping[str, Sequence[Sequence[str]]]
) -> list[FieldSource]:
    """Fields with the columns that hold them in a state, where those are not the snapshot's own."""
    return [
        FieldSource(s.field, _widest({kind for _, kind in held}), tuple((c, k) for c, k in held))
        if (held := columns.get(s.field))
        else s
        for s in sources
    ]


def _widest(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "double" if kinds == {"int64", "double"} else "string"
