"""
Bulk API 2.0 queries: a job that the org works on by itself, its results read in pages of any size.

States: ``UploadComplete`` → ``InProgress`` → ``JobComplete``, ``Failed`` or ``Aborted``. Results are kept for seven
days and can be read again by their locators, from any process; a page broken off is simply opened again.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import requests
import urllib3

from sfnb.errors import ObjectError, TransientError
from sfnb.org.client import OrgClient

RESULTS_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class QueryJob:
    """
    A Bulk query job as the org tells it.

    Args:
        rows: processed so far; the whole number once complete.
    """

    job_id: str
    state: str
    object_name: str
    rows: int
    error: str = ""

    @property
    def is_complete(self) -> bool:
        return self.state == "JobComplete"

    @property
    def is_over(self) -> bool:
        """No longer being worked on, in whatever way it ended."""
        return self.state in ("JobComplete", "Failed", "Aborted")


def create_query(org: OrgClient, soql: str, *, all_rows: bool) -> str:
    """
    The id of a new query job. Cost: 1 API call and 1 Bulk 2.0 query job.

    Args:
        soql: no ORDER BY and no LIMIT, or the org cannot work on it in chunks (Bulk API 2.0 guide).
        all_rows: deleted and archived records too.

    Raises:
        ObjectError: Bulk refuses this object or query; REST may still read it.
        QuotaSignal: the day's query jobs or result size are used up.
    """
    wanted = {
        "operation": "queryAll" if all_rows else "query",
        "query": soql,
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    answer = org.fetch_json("POST", "jobs/query", json=wanted, timeout_s=120)
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        raise ObjectError("the org made no Bulk job of the query.", code="NO_JOB")
    return str(answer["id"])


def fetch_job(org: OrgClient, job_id: str) -> QueryJob:
    """Where a job stands. Cost: 1 API call. Raises ObjectError (NOT_FOUND) when the org has forgotten it."""
    answer: Any = org.fetch_json("GET", f"jobs/query/{job_id}", timeout_s=120)
    if not isinstance(answer, dict) or not isinstance(answer.get("state"), str):
        raise ObjectError(f"job {job_id}: the org does not tell its state.", code="NO_STATE")
    return QueryJob(
        job_id=job_id,
        state=answer["state"],
        object_name=str(answer.get("object") or ""),
        rows=int(answer.get("numberRecordsProcessed") or 0),
        error=str(answer.get("errorMessage") or ""),
    )


class Page:
    """
    One page of results, open. A context manager.

    Attributes:
        stream: the CSV, decoded, read straight from the connection.
        rows: how many records are in it; None when the org does not say.
        next_locator: where the next page starts; None after the last one.
        is_last_certain: False when the header was missing: then ``next_locator`` is None, and only counting the
            rows against the job's tells whether something is left.
    """

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.stream = PageStream(response)
        rows = response.headers.get("Sforce-NumberOfRecords", "")
        self.rows = int(rows) if rows.isdigit() else None
        locator = response.headers.get("Sforce-Locator")
        # At the end the header is the text "null".
        self.next_locator = None if locator in (None, "", "null") else locator
        self.is_last_certain = bool(locator)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back; an unread rest is thrown away with it."""
        self._response.close()


class PageStream(io.RawIOBase):
    """
    The decoded bytes of a body, as they arrive. For one thread.

    Raises:
        TransientError: on reading: the connection broke, or the body ended before its length.
    """

    def __init__(self, response: requests.Response) -> None:
        super().__init__()
        self._raw = response.raw
        self._what = "a result page"
        self.bytes_read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._raw.read(
                None if size is None or size < 0 else size, decode_content=True
            )
        except (urllib3.exceptions.HTTPError, OSError) as err:
            raise TransientError(
                f"{self._what} broke off after {self.bytes_read} bytes ({type(err).__name__})."
            ) from err
        self.bytes_read += len(data)
        return data

    def readall(self) -> bytes:
        return self.read(-1)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def open_page(
    org: OrgClient, job_id: str, *, locator: str | None = None, max_records: int | None = None
) -> Page:
    """
    One page of a complete job's results. Cost: 1 API call, and MB of results by ``call_context(expected_mb=…)``.

    Tried once, since what breaks usually breaks while reading: put ``org.retrying`` around opening *and* reading.

    Args:
        locator: of the page; None: the first.
        max_records: at most so many; the page may be smaller.

    Raises:
        ResultsGone: the results have expired, or were made with another API version.
        TransientError: see ``OrgClient.request``.
    """
    params = {"maxRecords": str(max_records)} if max_records else {}
    if locator:
        params["locator"] = locator
    response = org.request(
        "GET",
        f"jobs/query/{job_id}/results",
        params=params,
        headers={"Accept": "text/csv"},
        stream=True,
        timeout_s=RESULTS_TIMEOUT_S,
    )
    return Page(response)


def abort_job(org: OrgClient, job_id: str) -> None:
    """Ask the org to stop working on a job; one that is over stays as it is. Cost: 1 API call."""
    try:
        org.retrying(
            lambda: org.request(
                "PATCH", f"jobs/query/{job_id}", json={"state": "Aborted"}, timeout_s=120
            )
        )
    except ObjectError as err:
        if err.code not in ("INVALIDJOBSTATE", "NOT_FOUND"):
            raise
