"""
The pieces of work of a backup: each reads something from the org and commits it before it returns.

A unit is one call (and its retries), so its price is known before it starts: the gate reserves it in the transport.
What a unit has committed is bookmarked in the same Delta commit, so it can be killed anywhere.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import ObjectError, StopSignal, TransientError
from sfnb.jobs.plan import BULK_PAGE_ROWS, select_soql
from sfnb.jobs.unit_context import Body, UnitContext
from sfnb.model import ObjectSchema
from sfnb.org import bulk2
from sfnb.org.arrow import (
    arrow_schema,
    csv_batches,
    json_batch,
)
from sfnb.store.log import Progress
from sfnb.store.parts import Part


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """
    The next page of an object read in the order of its Ids.

    Args:
        after: the last Id read; empty at the start.
        large_from: with more rows than this the object would go by another reader; None: there is no other.
    """

    schema: ObjectSchema
    after: str
    started_at: str
    large_from: int | None

    def soql(self) -> str:
        return select_soql(
            self.schema, where=f"Id > '{self.after}'" if self.after else "", order="Id"
        )


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A first page that told of more rows than keyset pages are good for; nothing was stored."""

    total: int


PageOutcome = Progress | TooLarge | ObjectError | TransientError


def read_keyset_pages(desk: UnitContext, pages: Sequence[KeysetPage]) -> dict[str, PageOutcome]:
    """
    Read and commit one page of each of up to five objects, in one call.

    Returns:
        By object: how far it is now; or that it is too large for this reader; or why it was refused.
    """
    bodies = desk.query([(page.schema.name, page.soql()) for page in pages])
    outcomes: dict[str, PageOutcome] = {}
    for page, body in zip(pages, bodies, strict=True):
        try:
            outcomes[page.schema.name] = _store_page(desk, page, body)
        except (ObjectError, TransientError) as err:
            outcomes[page.schema.name] = err
    return outcomes


def _store_page(desk: UnitContext, page: KeysetPage, body: Body) -> Progress | TooLarge:
    name = page.schema.name
    batch, total, is_done = json_batch(_good(body), arrow_schema(page.schema))
    if not page.after and not is_done and page.large_from is not None and total > page.large_from:
        return TooLarge(total)
    check_order(name, batch, page.after)
    if not is_done and not batch.num_rows:
        raise ObjectError(
            f"{name}: the org says that there are more rows and sends none; run the backup again."
        )
    last = batch.column("Id")[-1].as_py() if batch.num_rows else page.after
    parts = [desk.writer.write_part(name, [batch])] if batch.num_rows else []
    cursor = {"reader": "keyset", "after": last, "started_at": page.started_at}
    return desk.writer.commit(name, parts, cursor, is_done=is_done)


def _good(body: Body) -> bytes:
    if isinstance(body, bytes):
        return body
    raise body


def check_order(name: str, batch: pa.RecordBatch, after: str) -> None:
    """
    Refuse a page whose Ids do not rise from ``after``: going on from it would lose or repeat rows.

    Raises:
        ObjectError: with the code ``UNORDERED``.
    """
    ids = batch.column("Id").cast(pa.binary())
    rises = batch.num_rows < 2 or pc.all(pc.less(ids[:-1], ids[1:])).as_py()
    if not rises or (batch.num_rows and after and ids[0].as_py() <= after.encode()):
        raise ObjectError(f"{name}: the org does not keep to the order of Ids.", code="UNORDERED")


def read_by_locators(desk: UnitContext, schema: ObjectSchema, started_at: str) -> Progress:
    """
    Read a whole object by ordinary paging and commit it at the end, for one whose Ids cannot be sorted or compared.

    Cost: one call for 2,000 rows. An interruption starts the object again.
    """
    name = schema.name
    parts: list[Part] = []
    path: str | None = desk.query_path(select_soql(schema))
    while path:
        body = desk.get(name, path)
        batch, _, _ = json_batch(body, arrow_schema(schema))
        if batch.num_rows:
            parts.append(desk.writer.write_part(name, [batch]))
        path = next_url(body)
    return desk.writer.commit(
        name, parts, {"reader": "keyset", "after": "", "started_at": started_at}, is_done=True
    )


def next_url(body: bytes) -> str | None:
    """``nextRecordsUrl`` of a query answer; it stands before the records, but any place is understood."""
    found: object = json.loads(body).get("nextRecordsUrl") if b'"nextRecordsUrl"' in body else None
    return str(found) if found else None


def read_by_parents(
    desk: UnitContext,
    schema: ObjectSchema,
    field: str,
    slices: Sequence[Sequence[str]],
    cursor: Mapping[str, Any],
    *,
    is_last: bool,
) -> Progress:
    """
    Read and commit the rows that belong to up to five lists of parent Ids, in one call and their further pages.

    Args:
        field: the lookup that the object wants to be filtered by.
        cursor: the bookmark of what has been read once this has.
    """
    name = schema.name
    queries = [
        select_soql(schema, where=f"{field} IN ({','.join(repr(i) for i in ids)})")
        for ids in slices
    ]
    parts: list[Part] = []
    for first in desk.query([(name, soql) for soql in queries]) if queries else []:
        body: bytes | None = _good(first)
        while body is not None:
            batch, _, is_done = json_batch(body, arrow_schema(schema))
            if batch.num_rows:
                parts.append(desk.writer.write_part(name, [batch]))
            further = None if is_done else next_url(body)
            body = desk.get(name, further) if further else None
    return desk.writer.commit(name, parts, dict(cursor), is_done=is_last)


def read_parent_ids(desk: UnitContext, parent: str, book_on: str) -> list[str]:
    """All Ids of ``parent``, sorted. Cost: one call for 2,000."""
    ids: list[str] = []
    id_only = pa.schema([pa.field("Id", pa.string())])
    while True:
        where = f" WHERE Id > '{ids[-1]}'" if ids else ""
        path = desk.query_path(f"SELECT Id FROM {parent}{where} ORDER BY Id")  # noqa: S608 - SOQL
        batch, _, is_done = json_batch(desk.get(book_on, path), id_only)
        check_order(parent, batch, ids[-1] if ids else "")
        ids += batch.column("Id").to_pylist()
        if is_done or not batch.num_rows:
            return ids


def create_bulk_job(desk: UnitContext, schema: ObjectSchema, started_at: str) -> Progress:
    """Create a Bulk 2 query job and commit its id, so that a resumed backup finds it. One call, one job."""
    name = schema.name
    job = desk.call(name, lambda: bulk2.create_query(desk.org, select_soql(schema), all_rows=True))
    cursor = {"reader": "bulk2", "job": job, "locator": "", "pages": 0, "started_at": started_at}
    return desk.writer.commit(name, [], cursor, is_done=False)


def poll_bulk_job(desk: UnitContext, name: str, job: str) -> bulk2.QueryJob:
    """The job as it stands. One call."""
    return desk.call(name, lambda: bulk2.fetch_job(desk.org, job))


def read_bulk_page(
    desk: UnitContext,
    schema: ObjectSchema,
    job: str,
    locator: str,
    opened: Future[str | None],
    *,
    expected_mb: int,
) -> tuple[Part | None, int]:
    """
    Download one result page into a part, not yet committed, and the rows it has. One call.

    Args:
        opened: gets the next page's locator (None: this is the last) as soon as the answer's head is there,
            so that the next page can be fetched meanwhile.
    """
    name = schema.name

    def read() -> tuple[Part | None, int]:
        with bulk2.open_page(
            desk.org, job, locator=locator or None, max_records=BULK_PAGE_ROWS
        ) as page:
            if not opened.done():
                opened.set_result(page.next_locator)
            rows = _Counted(csv_batches(page.stream, arrow_schema(schema)), desk.stop)
            part = desk.writer.write_part(name, rows)
            if page.rows is not None and rows.count != page.rows:
                raise TransientError(
                    f"{name}: a result page has {rows.count:,} rows where {page.rows:,} were told."
                )
            return (part if rows.count else None), rows.count

    try:
        return desk.call(name, read, expected_mb=expected_mb)
    except BaseException as err:
        if not opened.done():
            opened.set_exception(err)
        raise


class _Counted:
    """Batches going by, counted, until the job is told to end at once."""

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
