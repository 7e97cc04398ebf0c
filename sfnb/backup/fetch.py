"""What each kind of unit does: call the org, write what came into a part. Nothing here commits or decides."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import singledispatch

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.backup.unit_context import Body, UnitContext
from sfnb.backup.units import (
    AbortJob,
    CreateJob,
    IdsRead,
    JobAborted,
    JobCreated,
    KeysetPage,
    KeysetPages,
    LocatorPage,
    Outcome,
    ParentIds,
    ParentsPage,
    PollJob,
    Query,
    ResultPage,
    ResultRead,
    RowsRead,
    TooLarge,
    Unit,
    query_path,
)
from sfnb.errors import ObjectError, SfnbError, StopSignal, TransientError
from sfnb.org import bulk2
from sfnb.org.arrow import (
    arrow_schema,
    csv_batches,
    json_batch,
)
from sfnb.store.parts import Part

Outcomes = dict[str, Outcome | SfnbError]


@singledispatch
def fetch(unit: Unit, _context: UnitContext) -> Outcomes:
    """What the unit brings, by object. Rows are in parts on disk when this returns."""
    raise TypeError(f"no work is known for {type(unit).__name__}")


# ------------------------------------------------------------------------------------------------------- REST pages


@fetch.register
def _(unit: KeysetPages, context: UnitContext) -> Outcomes:
    bodies = context.query([(page.object_name, page.soql()) for page in unit.pages])
    outcomes: Outcomes = {}
    for page, body in zip(unit.pages, bodies, strict=True):
        try:
            outcomes[page.object_name] = _keyset_rows(context, page, body)
        except (ObjectError, TransientError) as err:
            outcomes[page.object_name] = err
    return outcomes


def _keyset_rows(context: UnitContext, page: KeysetPage, body: Body) -> RowsRead | TooLarge:
    name = page.object_name
    batch, total, is_done = json_batch(_good(body), arrow_schema(page.query.schema))
    if not page.after and not is_done and page.large_from is not None and total > page.large_from:
        return TooLarge(total)
    check_order(name, batch, page.after)
    if not is_done and not batch.num_rows:
        raise ObjectError(
            f"{name}: the org announced more rows and sent none. Run the backup again."
        )
    last = batch.column("Id")[-1].as_py() if batch.num_rows else page.after
    return RowsRead(_parts(context, page.query, batch), is_done, last_id=last)


def _good(body: Body) -> bytes:
    if isinstance(body, bytes):
        return body
    raise body


def _parts(context: UnitContext, query: Query, batch: pa.RecordBatch) -> tuple[Part, ...]:
    return context.write(query, [batch]) if batch.num_rows else ()


def check_order(name: str, batch: pa.RecordBatch, after: str) -> None:
    """
    Refuse a page whose Ids do not rise from ``after``: reading on from it would lose or repeat rows.

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
def _(unit: LocatorPage, context: UnitContext) -> Outcomes:
    name = unit.object_name
    path = unit.path or context.org.data_path(query_path(unit.query.soql()))
    body = context.get(name, path)
    batch, _, is_done = json_batch(body, arrow_schema(unit.query.schema))
    following = next_url(body)
    parts = _parts(context, unit.query, batch)
    return {name: RowsRead(parts, is_done or not following, next_path=following or "")}


def next_url(body: bytes) -> str | None:
    """``nextRecordsUrl`` of a query answer. It stands before the records, but any place is understood."""
    found: object = json.loads(body).get("nextRecordsUrl") if b'"nextRecordsUrl"' in body else None
    return str(found) if found else None


@fetch.register
def _(unit: ParentsPage, context: UnitContext) -> Outcomes:
    name = unit.object_name
    queries = [
        unit.query.soql(where=f"{unit.field} IN ({','.join(repr(i) for i in ids)})")
        for ids in unit.slices
    ]
    parts: list[Part] = []
    for first in context.query([(name, soql) for soql in queries]) if queries else []:
        body: bytes | None = _good(first)
        while body is not None:
            batch, _, is_done = json_batch(body, arrow_schema(unit.query.schema))
            parts += _parts(context, unit.query, batch)
            further = None if is_done else next_url(body)
            body = context.get(name, further) if further else None
    return {name: RowsRead(tuple(parts), is_done=True)}


@fetch.register
def _(unit: ParentIds, context: UnitContext) -> Outcomes:
    where = f" WHERE Id > '{unit.after}'" if unit.after else ""
    soql = f"SELECT Id FROM {unit.parent}{where} ORDER BY Id"  # noqa: S608 - SOQL
    body = context.get(unit.object_name, context.org.data_path(query_path(soql)))
    batch, _, is_done = json_batch(body, pa.schema([pa.field("Id", pa.string())]))
    check_order(unit.parent, batch, unit.after)
    ids = tuple(batch.column("Id").to_pylist())
    return {unit.object_name: IdsRead(ids, is_done or not ids)}


# ------------------------------------------------------------------------------------------------------- Bulk 2


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
        self._columns = arrow_schema(unit.query.schema)
        self._is_announced = False

    def __call__(self) -> ResultRead:
        unit, context = self._unit, self._context
        with bulk2.open_page(
            context.org, unit.job, locator=unit.locator or None, max_records=unit.max_rows
        ) as page:
            self._announce(page.next_locator)
            batches = csv_batches(page.stream, self._columns)
            rows = _Counted(batches, context.stop)
            parts = context.write(unit.query, rows)
            if page.rows is not None and rows.count != page.rows:
                raise TransientError(
                    f"{unit.object_name}: a result page has {rows.count:,} rows; "
                    f"its header says {page.rows:,}."
                )
            return ResultRead(parts, rows.count, page.next_locator)

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
