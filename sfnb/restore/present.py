"""
What the target has now, asked with few calls: five queries to a composite call, or one Bulk 2.0 query.

Rows go to disk as they come, as Parquet with the columns of the query. Every answer is counted
against what the org says it has; a short one is read once more, then the object is refused (P9).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote_plus

import pyarrow as pa

from sfnb.errors import ObjectError, OrgUnavailable, StopSignal, TransientError
from sfnb.model import ObjectSchema
from sfnb.org import bulk2
from sfnb.org.answers import json_of
from sfnb.org.arrow import Misfit, QueryPage, arrow_schema, csv_batches, query_page, wider_schema
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse, fetch_composite
from sfnb.org.rows import all_rows
from sfnb.org.transport import call_context
from sfnb.restore.rows_files import row_count, write_rows
from sfnb.restore.wanted import Wanted
from sfnb.store.files import Files

T = TypeVar("T")

QUERIES_PER_CALL = 5
"""Query subrequests that one composite call carries (REST API guide, Composite)."""

IDS_PER_QUERY = 400
"""Ids in one IN list: 9,000 characters of the 100,000 that a query may have (SOQL limits)."""

PAGE_ROWS = 2_000

BULK_FROM_ROWS = 10_000
"""From here on a Bulk query takes no more calls than pages do."""

FIRST_POLL_S, POLL_GROWTH, MAX_POLL_S = 0.5, 0.6, 300.0
BULK_PAGE_ROWS = 250_000


@dataclass
class PresentReader:
    """
    Asks the target. Every method may raise QuotaSignal, StopSignal and OrgUnavailable: the job pauses.

    Attributes:
        calls: API calls so far.
        files, folder: where rows go.
    """

    org: OrgClient
    files: Files
    folder: str
    job_id: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    calls: int = 0

    # -- queries -----------------------------------------------------------------------------------------------------

    def query(self, queries: Sequence[tuple[str, str, bool]]) -> list[bytes | ObjectError]:
        """
        The first page of each query, in their order; a refused one has its error in its place.

        Args:
            queries: object, SOQL, and whether deleted rows are wanted.

        Cost: 1 API call for five of them.
        """
        answers: list[bytes | ObjectError] = []
        for group in slices(queries, QUERIES_PER_CALL):
            subs = [
                SubRequest(f"q{n}", self.org.data_path(_path(soql, is_all=is_all)))
                for n, (_, soql, is_all) in enumerate(group)
            ]
            try:
                parts = self._composite(subs)
            except OrgUnavailable:
                raise
            except TransientError as err:
                answers += [_unreadable(name, err) for name, _, _ in group]
                continue
            for (name, soql, is_all), part in zip(group, parts, strict=True):
                answers.append(self._good(name, soql, part, is_all=is_all))
        return answers

    def _composite(self, subs: Sequence[SubRequest]) -> list[SubResponse]:
        return self._call(lambda: fetch_composite(self.org, subs))

    def _good(
        self, name: str, soql: str, part: SubResponse, *, is_all: bool
    ) -> bytes | ObjectError:
        refusal = part.refusal(name)
        if refusal is None:
            return part.body
        if isinstance(refusal, TransientError):
            # One of five failed for a moment: it alone is sent again.
            path = self.org.data_path(_path(soql, is_all=is_all))
            try:
                return self.get(path, name)
            except ObjectError as err:
                return err
            except OrgUnavailable:
                raise
            except TransientError as err:
                return _unreadable(name, err)
        if isinstance(refusal, ObjectError):
            return refusal
        raise refusal

    def rows(self, queries: Sequence[tuple[str, str, bool]]) -> Iterator[list[Mapping[str, Any]]]:
        """
        The records of each query of few, in their order, proven; what cannot be read is requested
        once more.

        Cost: 1 API call for five first pages, and 1 for each further page.

        Raises:
            ObjectError: the org refuses a query, or its answers make no sense.
        """
        for query, first in zip(queries, self.query(queries), strict=True):
            name, body = query[0], first
            for attempt in (1, 2):
                if isinstance(body, ObjectError):
                    raise body
                try:
                    found = self._all_rows(name, body)
                except OrgUnavailable:
                    raise
                except TransientError as err:
                    if attempt == 2:
                        raise _unreadable(name, err) from err
                    (body,) = self.query([query])
                else:
                    yield found
                    break

    def _all_rows(self, name: str, body: bytes) -> list[Mapping[str, Any]]:
        def follow(path: str) -> Any:
            return json_of(self.get(path, name), what=name)

        return all_rows(json_of(body, what=name), follow, what=name)

    def get(self, path: str, name: str) -> bytes:
        """One answer's body. Cost: 1 API call."""
        return self._call(lambda: self.org.request("GET", path, what=name).content)

    def counts(self, queries: Sequence[tuple[str, str, bool]]) -> list[int | ObjectError]:
        """What ``SELECT COUNT()`` queries say. Cost: 1 API call for five."""
        found: list[int | ObjectError] = []
        for (name, _, _), body in zip(queries, self.query(queries), strict=True):
            if isinstance(body, ObjectError):
                found.append(body)
                continue
            try:
                total = query_page(body, pa.schema([])).total
            except TransientError as err:
                found.append(_unreadable(name, err))
                continue
            found.append(
                total
                if total is not None
                else ObjectError(f"{name}: the org gives no count.", code="NO_COUNT")
            )
        return found

    # -- rows --------------------------------------------------------------------------------------------------------

    def read(self, wanted: Sequence[Wanted]) -> dict[str, int | ObjectError]:
        """
        Read rows into their files; by path, how many they are, or why there are none. A file that is
        there already is not read again.

        Cost: 1 API call for five first pages of 2,000 rows; above 10,000 rows a Bulk query.
        """
        found: dict[str, int | ObjectError] = {}
        todo = []
        for one in wanted:
            if self.files.has(one.path):
                found[one.path] = row_count(self.files, one.path)
            else:
                todo.append(one)
        for group in slices(todo, QUERIES_PER_CALL):
            queries = [(w.name, w.soql(tail=" ORDER BY Id"), w.sees_all) for w in group]
            for one, body in zip(group, self.query(queries), strict=True):
                try:
                    found[one.path] = self._take(one, body)
                except ObjectError as err:
                    found[one.path] = err
        return found

    def read_ids(
        self, schema: ObjectSchema, ids: Sequence[str], path: str, *, is_all: bool = True
    ) -> list[Wanted]:
        """The queries that read records by their Ids; for `read`."""
        return [
            Wanted(schema, _in(part), f"{path}-{number}.parquet", is_all)
            for number, part in enumerate(slices(ids, IDS_PER_QUERY))
        ]

    def _take(self, wanted: Wanted, body: bytes | ObjectError) -> int:
        if isinstance(body, ObjectError):
            if body.code not in ("MALFORMED_QUERY", "QUERY_TOO_COMPLICATED", "INVALID_FIELD"):
                raise body
            # Some objects take no order, some no wide query by REST; Bulk has neither limit.
            return self._read_bulk(wanted)
        columns = arrow_schema(wanted.schema)
        for attempt in (1, 2):
            try:
                first = query_page(body, columns)
                if (first.total or 0) > BULK_FROM_ROWS:
                    return self._read_bulk(wanted)
                return write_rows(
                    self.files,
                    wanted.path,
                    columns,
                    self._pages(wanted, first, columns),
                    name=wanted.name,
                    expected=first.total,
                )
            except Misfit as err:
                columns = wider_schema(columns, err.wider)
            except OrgUnavailable:
                raise
            except TransientError as err:
                if attempt == 2:
                    raise _unreadable(wanted.name, err) from err
            body = self._again(wanted)
        raise ObjectError(f"{wanted.name}: its answers cannot be read.", code="SHORT")

    def _again(self, wanted: Wanted) -> bytes:
        (body,) = self.query([(wanted.name, wanted.soql(tail=" ORDER BY Id"), wanted.sees_all)])
        if isinstance(body, ObjectError):
            raise body
        return body

    def _pages(
        self, wanted: Wanted, first: QueryPage, columns: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        page, rows, seen = first, 0, set[str]()
        while True:
            rows += page.batch.num_rows
            if page.batch.num_rows:
                yield page.batch
            if page.is_done:
                break
            following = page.next_url or ""
            is_endless = first.total is None or rows > first.total or following in seen
            if is_endless or not following:
                raise TransientError(f"{wanted.name}: the pages of an answer do not end.")
            seen.add(following)
            page = query_page(self.get(following, wanted.name), columns)

    # -- Bulk --------------------------------------------------------------------------------------------------------

    def _read_bulk(self, wanted: Wanted) -> int:
        """All rows by a Bulk query, whose job is noted before it is waited for."""
        note = f"{wanted.path}.job.json"
        saved = self.files.read_json(note)
        job = str(saved["job"]) if saved else ""
        if not job:
            soql = wanted.soql()
            job = self._call(lambda: bulk2.create_query(self.org, soql, all_rows=wanted.sees_all))
            self.files.put_json(note, {"job": job})
        try:
            expected = self._wait_for(job)
        except ObjectError:
            self.files.delete(note)
            raise
        columns = arrow_schema(wanted.schema)
        for attempt in (1, 2, 3):
            try:
                return write_rows(
                    self.files,
                    wanted.path,
                    columns,
                    self._results(job, columns),
                    name=wanted.name,
                    expected=expected,
                )
            except Misfit as err:
                columns = wider_schema(columns, err.wider)
            except OrgUnavailable:
                raise
            except TransientError as err:
                if attempt == 3:
                    raise _unreadable(wanted.name, err) from err
        raise ObjectError(f"{wanted.name}: its answers cannot be read.", code="SHORT")

    def _wait_for(self, job: str) -> int | None:
        began = self.org.clock.monotonic()
        wait_s = FIRST_POLL_S
        while True:
            if self.org.clock.wait(wait_s, self.stop):
                raise StopSignal("pause")
            state = self._call(lambda: bulk2.fetch_job(self.org, job))
            if state.is_complete:
                return state.rows
            if state.is_over:
                raise ObjectError(
                    f"{state.object_name}: the Bulk query ended as {state.state}: {state.error}",
                    code="JOB_FAILED",
                )
            age_s = self.org.clock.monotonic() - began
            if age_s > bulk2.LONGEST_JOB_S:
                raise ObjectError(
                    f"{state.object_name}: the Bulk query is still {state.state} after a day.",
                    code="JOB_FAILED",
                )
            wait_s = min(max(age_s * POLL_GROWTH, FIRST_POLL_S), MAX_POLL_S)

    def _results(self, job: str, columns: pa.Schema) -> Iterator[pa.RecordBatch]:
        locator: str | None = None
        seen: set[str] = set()
        while True:
            with (
                call_context(job_id=self.job_id, stop=self.stop, on_call=self.count),
                bulk2.open_page(self.org, job, locator=locator, max_records=BULK_PAGE_ROWS) as page,
            ):
                rows = 0
                for batch in csv_batches(page.stream, columns):
                    rows += batch.num_rows
                    yield batch
                if page.rows is not None and rows != page.rows:
                    raise TransientError(
                        f"a result page has {rows:,} rows; its header says {page.rows:,}."
                    )
                locator = page.next_locator
            if locator is None:
                return
            if locator in seen:
                raise TransientError("the pages of a Bulk query do not end.")
            seen.add(locator)

    def _call(self, fn: Callable[[], T]) -> T:
        with call_context(job_id=self.job_id, on_call=self.count, stop=self.stop):
            return self.org.retrying(fn)

    def count(self, price: Mapping[Any, int]) -> None:
        """One more call."""
        self.calls += price.get("api", 0)


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _unreadable(name: str, err: TransientError) -> ObjectError:
    """
    Answers that make no sense, however often they are asked for, are this object's trouble: the org
    is there, and waiting for it would not end.
    """
    return ObjectError(f"{name}: the org's answers cannot be read: {err}", code="UNREADABLE")


def _path(soql: str, *, is_all: bool) -> str:
    return f"{'queryAll' if is_all else 'query'}?q={quote_plus(soql)}"


def _in(ids: Sequence[str]) -> str:
    if len(ids) == 1:
        return f"Id = '{ids[0]}'"
    return f"Id IN ({','.join(repr(i) for i in ids)})"
