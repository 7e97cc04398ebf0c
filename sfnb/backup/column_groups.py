"""
Columns spread over several queries, for an object whose query is too long or too complicated for
the org; their rows are joined again.

Records change, come and go between the queries. So each query has the keys and the stamps of its
rows, too, and only what agrees in all of them is one record of one moment. The others are read
again, all queries of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from sfnb.backup.pages import all_pages, check_order, good, page_of, written
from sfnb.backup.plan import QUERIES_PER_CALL
from sfnb.backup.proving import check_last
from sfnb.backup.unit_context import UnitContext
from sfnb.backup.unit_outcomes import RowsRead
from sfnb.backup.units import Query, SplitPage
from sfnb.backup.ways import KEYS, STAMPS
from sfnb.errors import ObjectError, TransientError
from sfnb.model import FieldInfo
from sfnb.org.arrow import Note

Groups = tuple[tuple[FieldInfo, ...], ...]
Key = tuple[object, ...]

_NO_KEY = "{name}: nothing tells its rows apart, so its columns cannot be joined."

MOST_ROUNDS = 8
"""So often the queries of one page are sent while its rows keep changing."""


def read_page(unit: SplitPage, context: UnitContext) -> RowsRead:
    """
    The next page in the order of Ids. The first query says which rows it has, the others follow.

    Raises:
        TransientError: its rows never stood still. Read them again.
    """
    name, after = unit.object_name, f"Id > '{unit.after}'" if unit.after else ""
    queries = [replace(unit.query, fields=fields) for fields in unit.groups]
    soql = queries[0].soql(where=after, order="Id")
    first = page_of(context, queries[0], good(context.query([(name, soql)])[0]))
    check_order(name, first.batch, unit.after)
    rows, total, notes = first.batch.num_rows, first.total, list(first.notes)
    if first.is_done:
        check_last(name, rows, total)
    if not rows:
        return RowsRead((), first.is_done, 0, total, unit.after)
    last = first.batch.column("Id")[-1].as_py()
    bounds = f"{after} AND Id <= '{last}'" if after else f"Id <= '{last}'"
    others = [pa.table(first.batch), *_whole(context, queries[1:], bounds, notes)]
    joined = _joined(name, others, lambda: list(_whole(context, queries, bounds, notes)))
    parts = written(context, unit.query, _batch(joined, context.columns(unit.query)))
    # What was deleted while the page was read is none of its rows, and the org counts it no more.
    total = None if total is None else total - rows + joined.num_rows
    return RowsRead(parts, first.is_done, joined.num_rows, total, last, notes=tuple(notes))


def read_whole(context: UnitContext, query: Query, groups: Groups, where: str = "") -> RowsRead:
    """
    All rows that meet a condition, in no order.

    Raises:
        TransientError: they never stood still. Read them again.
        ObjectError: nothing tells the rows apart.
    """
    notes: list[Note] = []
    queries = [replace(query, fields=fields) for fields in groups]

    def read() -> list[pa.Table]:
        return list(_whole(context, queries, where, notes))

    joined = _joined(query.object_name, read(), read)
    parts = written(context, query, _batch(joined, context.columns(query)))
    return RowsRead(parts, True, joined.num_rows, joined.num_rows, notes=tuple(notes))


def _whole(
    context: UnitContext, queries: Sequence[Query], where: str, notes: list[Note]
) -> Iterator[pa.Table]:
    """All rows of each query: five queries to a call, and a call for each further page."""
    for start in range(0, len(queries), QUERIES_PER_CALL):
        some = queries[start : start + QUERIES_PER_CALL]
        asked = [(query.object_name, query.soql(where=where)) for query in some]
        for query, body in zip(some, context.query(asked), strict=True):
            pages = list(all_pages(context, query, good(body)))
            notes += [note for page in pages for note in page.notes]
            yield pa.Table.from_batches([page.batch for page in pages])


def _batch(table: pa.Table, columns: pa.Schema) -> pa.RecordBatch:
    arrays = [table.column(field.name).combine_chunks() for field in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=columns)


def _joined(name: str, tables: list[pa.Table], again: Callable[[], list[pa.Table]]) -> pa.Table:
    """
    The rows of the first table, with the columns of all. What is gone before it stood still is left
    out.

    Args:
        again: the tables as they are now.
    """
    keys = [one for one in KEYS if one in tables[0].column_names]
    stamps = [one for one in STAMPS if one in tables[0].column_names]
    if not keys:
        raise ObjectError(_NO_KEY.format(name=name))
    wanted: set[Key] | None = None
    settled: list[pa.Table] = []
    for _ in range(MOST_ROUNDS):
        places = [_places(name, table, [*keys, *stamps]) for table in tables]
        records = {row[: len(keys)] for row in places[0]}
        wanted = records if wanted is None else wanted & records
        same = [
            row
            for row in places[0]
            if row[: len(keys)] in wanted and all(row in others for others in places)
        ]
        settled.append(_side_by_side(tables, [[at[row] for row in same] for at in places]))
        wanted = wanted - {row[: len(keys)] for row in same}
        if not wanted:
            return pa.concat_tables(settled).sort_by([(key, "ascending") for key in keys])
        tables = again()
    raise TransientError(f"{name}: its rows changed between the queries of its columns.")


def _places(name: str, table: pa.Table, columns: list[str]) -> dict[Key, int]:
    """Where each row is, by what tells it apart."""
    rows = list(zip(*(table.column(one).to_pylist() for one in columns), strict=True))
    places = {row: at for at, row in enumerate(rows)}
    if len(places) < len(rows):
        raise ObjectError(_NO_KEY.format(name=name))
    return places


def _side_by_side(tables: Sequence[pa.Table], places: Sequence[list[int]]) -> pa.Table:
    """One table of the rows at these places, which are the same ones in each."""
    found: dict[str, pa.ChunkedArray] = {}
    for table, at in zip(tables, places, strict=True):
        taken = table.take(pa.array(at, pa.int64()))
        found |= dict(zip(taken.column_names, taken.columns, strict=True))
    return pa.table(found)
