"""Pages of a query's answer: read, checked against themselves and each other, written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.backup.proving import check_last, check_page
from sfnb.backup.unit_context import Body, UnitContext
from sfnb.backup.units import Query
from sfnb.errors import ObjectError, TransientError
from sfnb.org.arrow import QueryPage, as_bulk_writes, query_page
from sfnb.store.parts import Part


def page_of(context: UnitContext, query: Query, body: bytes) -> QueryPage:
    """One page that does not contradict itself."""
    page = query_page(body, context.columns(query))
    check_page(query.object_name, page)
    mixed = [field.name for field in query.fields if field.type == "anyType"]
    return replace(page, batch=as_bulk_writes(page.batch, mixed)) if mixed else page


def good(body: Body) -> bytes:
    """The answer; the refusal in its place is raised."""
    if isinstance(body, bytes):
        return body
    raise body


def written(context: UnitContext, query: Query, batch: pa.RecordBatch) -> tuple[Part, ...]:
    """The rows as parts; none for no rows."""
    return context.write(query, [batch]) if batch.num_rows else ()


def all_pages(context: UnitContext, query: Query, body: bytes) -> Iterator[QueryPage]:
    """
    All pages of one query, given the first one's answer; together they must have the rows that it
    counts.

    Raises:
        TransientError: they have not. Read them again.
    """
    name, seen = query.object_name, set[str]()
    first = page = page_of(context, query, body)
    rows = 0
    while True:
        rows += page.batch.num_rows
        yield page
        if page.is_done:
            break
        if (first.total is not None and rows > first.total) or page.next_url in seen:
            raise TransientError(f"{name}: pages repeat; the org counts {first.total} rows.")
        seen.add(page.next_url or "")
        page = page_of(context, query, context.get(name, page.next_url or ""))
    check_last(name, rows, first.total)


def check_order(name: str, batch: pa.RecordBatch, after: str) -> None:
    """
    Refuse a page whose Ids do not rise from ``after``: reading on from it would lose or repeat
    rows.

    Raises:
        ObjectError: with the code ``UNORDERED``.
        TransientError: some rows have no Id, and others have.
    """
    if 0 < batch.column("Id").null_count < batch.num_rows:
        raise TransientError(f"{name}: a row came without its Id.")
    ids = batch.column("Id").cast(pa.binary())
    rises = batch.num_rows < 2 or pc.all(pc.less(ids[:-1], ids[1:])).as_py()
    if not rises or (batch.num_rows and after and ids[0].as_py() <= after.encode()):
        raise ObjectError(
            f"{name}: the org does not return rows in the order of Ids.", code="UNORDERED"
        )
