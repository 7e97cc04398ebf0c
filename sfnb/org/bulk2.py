"""
Bulk API 2.0 queries: the org works on a job in the background; its results are read in pages.

States: ``UploadComplete`` → ``InProgress`` → ``JobComplete``, ``Failed`` or ``Aborted``. The org
keeps results for seven days. Any process can read a page again by its locator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import requests

from sfnb.clock import Clock
from sfnb.errors import ObjectError
from sfnb.org.answers import count_of, mapping_of, text_of
from sfnb.org.bodies import BodyStream
from sfnb.org.charset import utf8_stream
from sfnb.org.client import OrgClient
from sfnb.org.ids import is_record_id
from sfnb.org.secrets import clean, mask

RESULTS_TIMEOUT_S = 300.0


LONGEST_JOB_S = 86_400.0
"""
A query job that is not over after so long is given up: an org that leaves it in its queue, or names
a state that nobody knows, would be asked for ever.
"""


@dataclass(frozen=True, slots=True)
class QueryJob:
    """
    A Bulk query job as the org reports it.

    Args:
        rows: processed so far; the whole number once complete; None: the org does not say.
    """

    job_id: str
    state: str
    object_name: str
    rows: int | None
    error: str = ""

    @property
    def is_complete(self) -> bool:
        return self.state == "JobComplete"

    @property
    def is_over(self) -> bool:
        """The org no longer works on it, however it ended."""
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
    job_id = text_of(mapping_of(answer).get("id"))
    if not is_record_id(job_id):
        raise ObjectError("the org created no Bulk job for the query.", code="NO_JOB")
    return job_id


def fetch_job(org: OrgClient, job_id: str) -> QueryJob:
    """
    The job as it stands. Cost: 1 API call. Raises ObjectError (NOT_FOUND) once the org forgot it.
    """
    return parse_job(job_id, org.fetch_json("GET", f"jobs/query/{job_id}", timeout_s=120))


def parse_job(job_id: str, answer: object) -> QueryJob:
    """
    The job in an answer; pure.

    Raises:
        ObjectError: the answer has no state, or what should be the number of rows is none.
    """
    job = mapping_of(answer)
    state, said = text_of(job.get("state")), job.get("numberRecordsProcessed")
    rows = count_of(said)
    if not state:
        raise ObjectError(f"job {job_id}: the answer has no state.", code="NO_STATE")
    if rows is None and said is not None:
        raise ObjectError(f"job {job_id}: the answer has no number of rows.", code="NO_COUNT")
    return QueryJob(
        job_id=job_id,
        state=clean(state)[:40],
        object_name=text_of(job.get("object")),
        rows=rows,
        error=mask(text_of(job.get("errorMessage")))[:500],
    )


class Page:
    """
    One page of results, open. A context manager.

    Attributes:
        stream: the CSV, decoded, read straight from the connection.
        rows: how many records are in it; None when the org does not say.
        next_locator: where the next page starts; None after the last one.
    """

    def __init__(self, response: requests.Response, clock: Clock) -> None:
        self._response = response
        body = BodyStream(response, what="a result page", clock=clock)
        self.stream = utf8_stream(body, response.headers)
        self.rows = count_of(response.headers.get("Sforce-NumberOfRecords", ""))
        locator = response.headers.get("Sforce-Locator")
        # After the last page the header is the text "null" (Bulk API 2.0 guide, Get Results).
        self.next_locator = None if locator in (None, "", "null") else locator

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back; what is unread is lost."""
        self._response.close()


def open_page(
    org: OrgClient, job_id: str, *, locator: str | None = None, max_records: int | None = None
) -> Page:
    """
    One page of a complete job's results.

    Cost: 1 API call, and MB of results by ``call_context(expected_mb=…)``.

    Tried once: a page usually breaks while it is read. Put ``org.retrying`` around opening *and*
    reading.

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
    return Page(response, org.clock)


def abort_job(org: OrgClient, job_id: str) -> None:
    """Ask the org to stop working on a job; a finished one stays as it is. Cost: 1 API call."""
    try:
        org.retrying(
            lambda: org.request(
                "PATCH", f"jobs/query/{job_id}", json={"state": "Aborted"}, timeout_s=120
            )
        )
    except ObjectError as err:
        if err.code not in ("INVALIDJOBSTATE", "NOT_FOUND"):
            raise
