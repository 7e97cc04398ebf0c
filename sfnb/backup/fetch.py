"""
What each kind of unit does: call the org, write what came into a part. Nothing here commits or
decides.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import singledispatch

import pyarrow as pa

from sfnb.backup import column_groups
from sfnb.backup.pages import all_pages, check_order, good, page_of, written
from sfnb.backup.plan import PARENTS_PER_QUERY
from sfnb.backup.proving import check_last, check_page
from sfnb.backup.unit_context import Body, UnitContext
from sfnb.backup.unit_outcomes import (
    Counted,
    IdsFound,
    IdsRead,
    JobAborted,
    JobCreated,
    ListsRead,
    Outcome,
    ResultRead,
    RowsRead,
    TooLarge,
)
from sfnb.backup.units import (
    NO_PARENT,
    AbortJob,
    ChangeLists,
    CountRows,
    CreateJob,
    FindIds,
    KeysetPage,
    KeysetPages,
    LocatorPage,
    ParentIds,
    ParentsPage,
    PollJob,
    Query,
    ResultPage,
    SplitPage,
    Unit,
    query_path,
)
from sfnb.errors import ObjectError, SfnbError, StopSignal, TransientError
from sfnb.org import bulk2
from sfnb.org.arrow import Note, csv_batches, query_page
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
    answer = page_of(context, page.query, good(body))
    rows, total = answer.batch.num_rows, answer.total
    is_large = page.large_from is not None and (total or 0) > page.large_from
    if is_large and not page.after and not answer.is_done:
        return TooLarge(total or 0)
    check_order(name, answer.batch, page.after)
    if answer.is_done:
        check_last(name, rows, total)
    last = answer.batch.column("Id")[-1].as_py() if rows else page.after
    parts = written(context, page.query, answer.batch)
    return RowsRead(parts, answer.is_done, rows, total, last_id=last, notes=answer.notes)


@fetch.register
def _(unit: SplitPage, context: UnitContext) -> Outcomes:
    return {unit.object_name: column_groups.read_page(unit, context)}


@fetch.register
def _(unit: LocatorPage, context: UnitContext) -> Outcomes:
    name = unit.object_name
    if unit.groups:
        return {name: column_groups.read_whole(context, unit.query, unit.groups)}
    path, soql = unit.path, unit.query.soql()
    body = context.get(name, path) if path else good(context.query([(name, soql)])[0])
    page = page_of(context, unit.query, body)
    parts = written(context, unit.query, page.batch)
    following = "" if page.is_done else page.next_url or ""
    rows = page.batch.num_rows
    return {name: RowsRead(parts, page.is_done, rows, page.total, "", following, page.notes)}


@fetch.register
def _(unit: CountRows, context: UnitContext) -> Outcomes:
    name = unit.object_name
    return {name: _counted(name, context.query([(name, unit.soql())])[0])}


def _counted(name: str, body: Body) -> Counted:
    page = query_page(good(body), _NO_COLUMNS)
    if page.total is None:
        raise ObjectError(f"{name}: the org gives no count.", code="NO_COUNT")
    return Counted(page.total)


@fetch.register
def _(unit: ParentsPage, context: UnitContext) -> Outcomes:
    name = unit.object_name
    parts: list[Part] = []
    rows, total, notes = 0, 0, list[Note]()
    for read in _slices(unit, context):
        parts += read.parts
        rows += read.rows
        total += read.rows if read.total is None else read.total
        notes += read.notes
    return {name: RowsRead(tuple(parts), True, rows, total, notes=tuple(notes))}


def _slices(unit: ParentsPage, context: UnitContext) -> Iterator[RowsRead]:
    """The rows of each list of parents."""
    wheres = [_in(unit.field, ids) for ids in unit.slices]
    if unit.groups:
        for where in wheres:
            yield column_groups.read_whole(context, unit.query, unit.groups, where)
    elif wheres:
        asked = [(unit.object_name, unit.query.soql(where=where)) for where in wheres]
        for body in context.query(asked):
            yield _written_pages(unit.query, context, good(body))


def _written_pages(query: Query, context: UnitContext, body: bytes) -> RowsRead:
    """All pages of one query, each written as it comes."""
    parts: list[Part] = []
    rows, total, notes = 0, None, list[Note]()
    for number, page in enumerate(all_pages(context, query, body)):
        total = page.total if not number else total
        rows += page.batch.num_rows
        parts += written(context, query, page.batch)
        notes += page.notes
    return RowsRead(tuple(parts), True, rows, total, notes=tuple(notes))


def _in(field: str, ids: Sequence[str]) -> str:
    """Some objects take a single Id and the equals operator only (their refusals say so)."""
    if tuple(ids) == (NO_PARENT,):
        return f"{field} = null"
    if len(ids) == 1:
        return f"{field} = '{ids[0]}'"
    return f"{field} IN ({','.join(repr(i) for i in ids)})"


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
        page = query_page(good(body), pa.schema([pa.field("Id", pa.string())]))
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
            notes: list[Note] = []
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
