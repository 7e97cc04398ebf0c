"""
What each kind of unit does: call the org, write what came into a part. Nothing here commits or
decides.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import singledispatch

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.backup.plan import PARENTS_PER_QUERY, QUERIES_PER_CALL
from sfnb.backup.proving import check_last, check_page
from sfnb.backup.unit_context import Body, UnitContext
from sfnb.backup.units import (
    AbortJob,
    ChangeLists,
    Counted,
    CountRows,
    CreateJob,
    FindIds,
    IdsFound,
    IdsRead,
    JobAborted,
    JobCreated,
    KeysetPage,
    KeysetPages,
    ListsRead,
    LocatorPage,
    Outcome,
    ParentIds,
    ParentsPage,
    PollJob,
    Query,
    ResultPage,
    ResultRead,
    RowsRead,
    SplitPage,
    TooLarge,
    Unit,
    query_path,
)
from sfnb.errors import ObjectError, SfnbError, StopSignal, TransientError
from sfnb.org import bulk2
from sfnb.org.arrow import (
    QueryPage,
    as_bulk_writes,
    csv_batches,
    query_page,
)
from sfnb.store.parts import Part

Outcomes = dict[str, Outcome | SfnbError]

_NO_COLUMNS = pa.schema([])


@singledispatch
def fetch(unit: Unit, _context: UnitContext) -> Outcomes:
    """What the unit brings, by object. Rows are in parts on disk when this returns."""
    raise TypeError(f"no work is known for {type(unit).__name__}")


# -------------------------------------------------------------------------------------------------------
# REST pages


@fetch.register
def _(unit: KeysetPages, context: UnitContext) -> Outcomes:
    bodies = context.query([(page.object_name, page.soql()) for page in unit.pages])
    outcomes: Outcomes = {}
    for page, body in zip(unit.pages, bodies, strict=True):
        try:
            outcomes[page.object_name] = (
                _counted(page.object_name, body)
                if isinstance(page, CountRows)
                else _keyset_rows(context, page, body)
            )
        except (ObjectError, TransientError) as err:
            outcomes[page.object_name] = err
    return outcomes


def _keyset_rows(context: UnitContext, page: KeysetPage, body: Body) -> RowsRead | TooLarge:
    name = page.object_name
    answer = _page(context, page.query, _good(body))
    rows, total = answer.batch.num_rows, answer.total
    is_large = page.large_from is not None and (total or 0) > page.large_from
    if is_large and not page.after and not answer.is_done:
        return TooLarge(total or 0)
    check_order(name, answer.batch, page.after)
    if answer.is_done:
        check_last(name, rows, total)
    last = answer.batch.column("Id")[-1].as_py() if rows else page.after
    parts = _parts(context, page.query, answer.batch)
    return RowsRead(parts, answer.is_done, rows, total, last_id=last, notes=answer.notes)


def _page(context: UnitContext, query: Query, body: bytes) -> QueryPage:
    """One page that does not contradict itself."""
    page = query_page(body, context.columns(query))
    check_page(query.object_name, page)
    mixed = [field.name for field in query.fields if field.type == "anyType"]
    return replace(page, batch=as_bulk_writes(page.batch, mixed)) if mixed else page


def _good(body: Body) -> bytes:
    if isinstance(body, bytes):
        return body
    raise body


def _parts(context: UnitContext, query: Query, batch: pa.RecordBatch) -> tuple[Part, ...]:
    return context.write(query, [batch]) if batch.num_rows else ()


def check_order(name: str, batch: pa.RecordBatch, after: str) -> None:
    """
    Refuse a page whose Ids do not rise from ``after``: reading on from it would lose or repeat
    rows.

    Raises:
        ObjectError: with the code ``UNORDERED``.
    """
    ids = batch.column("Id").cast(pa.binary())
    rises = batch.num_rows < 2 or pc.all(pc.less(ids[:-1], ids[1:])).as_py()
    if not rises or (batch.num_rows and after and ids[0].as_py() <= after.encode()):
        raise ObjectError(
            f"{name}: the org does not return rows in the order of Ids.", code="UNORDERED"
        )


@fetch.register
def _(unit: SplitPage, context: UnitContext) -> Outcomes:
    name, after = unit.object_name, f"Id > '{unit.after}'" if unit.after else ""
    queries = [replace(unit.query, fields=fields) for fields in unit.groups]
    soql = queries[0].soql(where=after, order="Id")
    first = _page(context, queries[0], _good(context.query([(name, soql)])[0]))
    check_order(name, first.batch, unit.after)
    rows = first.batch.num_rows
    if first.is_done:
        check_last(name, rows, first.total)
    if not rows:
        return {name: RowsRead((), first.is_done, 0, first.total, unit.after)}
    last = first.batch.column("Id")[-1].as_py()
    bounds = f"{after} AND Id <= '{last}'" if after else f"Id <= '{last}'"
    others = _other_columns(context, name, queries[1:], bounds)
    columns = context.columns(unit.query)
    joined = _joined(name, [first.batch, *others], columns)
    parts = _parts(context, unit.query, joined)
    return {name: RowsRead(parts, first.is_done, rows, first.total, last, notes=first.notes)}


def _other_columns(
    context: UnitContext, name: str, queries: Sequence[Query], where: str
) -> Iterator[pa.RecordBatch]:
    """The same rows' other columns: five queries to a call."""
    for start in range(0, len(queries), QUERIES_PER_CALL):
        some = queries[start : start + QUERIES_PER_CALL]
        bodies = context.query([(name, query.soql(where=where, order="Id")) for query in some])
        for query, body in zip(some, bodies, strict=True):
            pages = [_page(context, query, _good(body))]
            while not pages[-1].is_done:
                further = context.get(name, pages[-1].next_url or "")
                pages.append(_page(context, query, further))
            table = pa.Table.from_batches([page.batch for page in pages]).combine_chunks()
            yield from table.to_batches() or [pages[0].batch]


def _joined(name: str, batches: Sequence[pa.RecordBatch], columns: pa.Schema) -> pa.RecordBatch:
    """
    One batch of all columns.

    Raises:
        TransientError: the queries do not have the same rows: some came or went between them. Read
            them again.
    """
    ids = batches[0].column("Id")
    if any(not batch.column("Id").equals(ids) for batch in batches[1:]):
        raise TransientError(f"{name}: its rows changed between the queries of its columns.")
    found = {field.name: batch.column(field.name) for batch in batches for field in batch.schema}
    return pa.RecordBatch.from_arrays([found[field.name] for field in columns], schema=columns)


@fetch.register
def _(unit: LocatorPage, context: UnitContext) -> Outcomes:
    name = unit.object_name
    path, soql = unit.path, unit.query.soql()
    body = context.get(name, path) if path else _good(context.query([(name, soql)])[0])
    page = _page(context, unit.query, body)
    parts = _parts(context, unit.query, page.batch)
    following = "" if page.is_done else page.next_url or ""
    rows = page.batch.num_rows
    return {name: RowsRead(parts, page.is_done, rows, page.total, "", following, page.notes)}


@fetch.register
def _(unit: CountRows, context: UnitContext) -> Outcomes:
    name = unit.object_name
    return {name: _counted(name, context.query([(name, unit.soql())])[0])}


def _counted(name: str, body: Body) -> Counted:
    page = query_page(_good(body), _NO_COLUMNS)
    if page.total is None:
        raise ObjectError(f"{name}: the org gives no count.", code="NO_COUNT")
    return Counted(page.total)


@fetch.register
def _(unit: ParentsPage, context: UnitContext) -> Outcomes:
    name = unit.object_name
    queries = [unit.query.soql(where=_in(unit.field, ids)) for ids in unit.slices]
    parts: list[Part] = []
    rows, total, notes = 0, 0, list[str]()
    for first in context.query([(name, soql) for soql in queries]) if queries else []:
        read = _all_pages(context, unit, _good(first))
        parts += read.parts
        rows += read.rows
        total += read.rows if read.total is None else read.total
        notes += read.notes
    return {name: RowsRead(tuple(parts), True, rows, total, notes=tuple(notes))}


def _in(field: str, ids: Sequence[str]) -> str:
    """Some objects take a single Id and the equals operator only (their refusals say so)."""
    if len(ids) == 1:
        return f"{field} = '{ids[0]}'"
    return f"{field} IN ({','.join(repr(i) for i in ids)})"


def _all_pages(context: UnitContext, unit: ParentsPage, body: bytes) -> RowsRead:
    """All pages of one query, which together must have the rows that the first one counts."""
    name, parts, seen = unit.object_name, list[Part](), set[str]()
    first = page = _page(context, unit.query, body)
    rows, notes = 0, list[str]()
    while True:
        rows += page.batch.num_rows
        parts += _parts(context, unit.query, page.batch)
        notes += page.notes
        if page.is_done:
            break
        if (first.total is not None and rows > first.total) or page.next_url in seen:
            raise TransientError(f"{name}: pages repeat; the org counts {first.total} rows.")
        seen.add(page.next_url or "")
        page = _page(context, unit.query, context.get(name, page.next_url or ""))
    check_last(name, rows, first.total)
    return RowsRead(tuple(parts), True, rows, first.total, notes=tuple(notes))


@fetch.register
def _(unit: ParentIds, context: UnitContext) -> Outcomes:
    where = f" WHERE Id > '{unit.after}'" if unit.after else ""
    soql = f"SELECT Id FROM {unit.parent}{where} ORDER BY Id"  # noqa: S608 - SOQL
    body = context.get(unit.object_name, context.org.data_path(query_path(soql)))
    page = query_page(body, pa.schema([pa.field("Id", pa.string())]))
    check_page(unit.parent, page)
    check_order(unit.parent, page.batch, unit.after)
    if page.is_done:
        check_last(unit.parent, page.batch.num_rows, page.total)
    ids = tuple(page.batch.column("Id").to_pylist())
    return {unit.object_name: IdsRead(ids, page.is_done)}


# -------------------------------------------------------------------------------------------------------
# changes


@fetch.register
def _(unit: ChangeLists, context: UnitContext) -> Outcomes:
    answers = context.call(unit.names[0], lambda: context.lists.fetch(unit.queries))
    by_place = {(query.object_name, query.resource): answers[query] for query in answers}
    return {
        name: ListsRead(by_place.get((name, "updated")), by_place.get((name, "deleted")))
        for name in unit.names
    }


@fetch.register
def _(unit: FindIds, context: UnitContext) -> Outcomes:
    name = unit.object_name
    slices = [
        unit.ids[start : start + PARENTS_PER_QUERY]
        for start in range(0, len(unit.ids), PARENTS_PER_QUERY)
    ]
    soql = [f"SELECT Id FROM {name} WHERE {_in('Id', ids)}" for ids in slices]  # noqa: S608 - SOQL
    found: set[str] = set()
    for body in context.query([(name, text) for text in soql]):
        page = query_page(_good(body), pa.schema([pa.field("Id", pa.string())]))
        check_page(name, page)
        check_last(name, page.batch.num_rows, page.total)
        found |= set(page.batch.column("Id").to_pylist())
    return {name: IdsFound(frozenset(found))}


# -------------------------------------------------------------------------------------------------------
# Bulk 2


@fetch.register
def _(unit: CreateJob, context: UnitContext) -> Outcomes:
    soql = unit.query.soql()
    name = unit.object_name
    job = context.call(name, lambda: bulk2.create_query(context.org, soql, all_rows=True))
    return {name: JobCreated(job)}


@fetch.register
def _(unit: PollJob, context: UnitContext) -> Outcomes:
    name = unit.object_name
    return {name: context.call(name, lambda: bulk2.fetch_job(context.org, unit.job))}


@fetch.register
def _(unit: AbortJob, context: UnitContext) -> Outcomes:
    name = unit.object_name
    context.call(name, lambda: bulk2.abort_job(context.org, unit.job))
    return {name: JobAborted()}


@fetch.register
def _(unit: ResultPage, context: UnitContext) -> Outcomes:
    read = _ResultReading(unit, context)
    name = unit.object_name
    return {name: context.call(name, read, expected_mb=unit.expected_mb)}


class _ResultReading:
    """One result page, as often as it takes; its locator is announced once."""

    def __init__(self, unit: ResultPage, context: UnitContext) -> None:
        self._unit = unit
        self._context = context
        self._columns = context.columns(unit.query)
        self._is_announced = False

    def __call__(self) -> ResultRead:
        unit, context = self._unit, self._context
        with bulk2.open_page(
            context.org, unit.job, locator=unit.locator or None, max_records=unit.max_rows
        ) as page:
            self._announce(page.next_locator)
            notes: list[str] = []
            batches = csv_batches(page.stream, self._columns, notes=notes)
            rows = _Counted(batches, context.stop)
            parts = context.write(unit.query, rows)
            if page.rows is not None and rows.count != page.rows:
                raise TransientError(
                    f"{unit.object_name}: a result page has {rows.count:,} rows; "
                    f"its header says {page.rows:,}."
                )
            return ResultRead(parts, rows.count, page.next_locator, tuple(notes))

    def _announce(self, locator: str | None) -> None:
        """Let the next page start while this one is still read."""
        if self._context.opened is not None and not self._is_announced:
            self._is_announced = True
            self._context.opened(locator)


class _Counted:
    """Batches on their way, counted, until the job has to end at once."""

    def __init__(self, batches: Iterator[pa.RecordBatch], stop: threading.Event) -> None:
        self._batches = batches
        self._stop = stop
        self.count = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            if self._stop.is_set():
                raise StopSignal("pause")
            self.count += batch.num_rows
            yield batch
