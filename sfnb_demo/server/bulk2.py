"""Bulk API 2.0 query: the routes of its jobs and of their result pages."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from sfnb_demo.errors import ApiError
from sfnb_demo.server.bulk2_info import job_info
from sfnb_demo.server.bulk2_jobs import TERMINAL, Bulk2Job
from sfnb_demo.server.wire import (
    CSV_TYPE,
    Request,
    Response,
    Slice,
    empty_answer,
    json_answer,
    route,
)

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

PARALLEL_ROWS = 50_000
"""Rows in a page of ``resultPages``."""


def create(org: DemoOrg, request: Request) -> Response:
    """POST /jobs/query: 200, not 201, and JSON even if the client accepts only text/csv."""
    job = org.bulk2.create(request)
    # Salesforce always answers so, even if the job has ended meanwhile (as it may here, on a fast
    # clock).
    return json_answer(_info(org, job, is_new=True) | {"state": "UploadComplete"})


def get(org: DemoOrg, request: Request) -> Response:
    return json_answer(_info(org, org.bulk2.find(request.args["id"])))


def listing(org: DemoOrg, request: Request) -> Response:
    """GET /jobs/query: at most 1,000 to a page, ``queryLocator`` asks for the next."""
    params = {name.lower(): value for name, value in request.params.items()}
    jobs = org.bulk2.listed() if params.get("jobtype", "V2Query").lower() == "v2query" else []
    if params.get("concurrencymode", "Parallel").lower() != "parallel":
        jobs = []
    start = _read_locator(params["querylocator"])[0] if params.get("querylocator") else 0
    page = jobs[start : start + 1000]
    is_done = start + 1000 >= len(jobs)
    following = (
        None if is_done else f"{request.data_url}/jobs/query?queryLocator={_locator(start + 1000)}"
    )
    records = [_info(org, job) for job in page]
    return json_answer({"done": is_done, "records": records, "nextRecordsUrl": following})


def change(org: DemoOrg, request: Request) -> Response:
    """PATCH {"state": "Aborted"}, until the job ends."""
    job = org.bulk2.find(request.args["id"])
    if request.json_object().get("state") != "Aborted":
        raise ApiError(
            "INVALIDJOBSTATE",
            "InvalidJobState : The state of a query job can only be set to Aborted",
            400,
        )
    if org.bulk2.state(job) in TERMINAL:
        raise ApiError("INVALIDJOBSTATE", "Aborting already Completed Job not allowed", 400)
    job.is_aborted = True
    job.changed_s = org.clock.now_s()
    return json_answer(_info(org, job, is_new=True))


def delete(org: DemoOrg, request: Request) -> Response:
    job = org.bulk2.find(request.args["id"])
    if org.bulk2.state(job) not in TERMINAL:
        message = "Error encountered when deleting the job because the job is not terminated"
        raise ApiError("API_ERROR", message, 400)
    org.bulk2.drop(job)
    return empty_answer()


def results(org: DemoOrg, request: Request) -> Response:
    """
    One page of the results, as byte ranges of the prepared file.

    Without ``maxRecords`` and locator the whole result is one page: some clients cannot read a
    second one. The last page's ``Sforce-Locator`` is the text ``null``; without it, clients would
    never end.
    """
    job = _result_job(org, request)
    export = org.bulk2.results(job)
    params = {name.lower(): value for name, value in request.params.items()}
    most = _max_records(params.get("maxrecords"))
    start, rows = _read_locator(params["locator"]) if params.get("locator") else (0, None)
    total = export.rows
    if start > total:
        raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator", 400)
    wanted = min(x for x in (most, rows, total - start) if x is not None)
    page = export.span(start, wanted)
    end = start + page.rows
    following = "null" if end >= total else _locator(end, rows if most is None else None)
    body: tuple[bytes | Slice, ...] = (export.header, Slice(page.path, page.offset, page.length))
    return Response(
        200, body, CSV_TYPE, {"Sforce-NumberOfRecords": str(page.rows), "Sforce-Locator": following}
    )  # fmt: skip


def result_pages(org: DemoOrg, request: Request) -> Response:
    """
    Up to five addresses of result pages at once, for parallel downloads (version 58.0 and later).
    """
    if float(request.version) < 58:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    job = _result_job(org, request)
    total = org.bulk2.results(job).rows
    locator = next(
        (value for name, value in request.params.items() if name.lower() == "locator"), ""
    )
    start = _read_locator(locator)[0] if locator else 0
    base = f"{request.data_url}/jobs/query/{job.job_id}"
    starts = list(range(start, max(total, 1), PARALLEL_ROWS))
    pages = [
        {"resultUrl": f"{base}/results?locator={_locator(at, PARALLEL_ROWS)}"} for at in starts[:5]
    ]
    answer: dict[str, Any] = {"resultPages": pages}
    answer["nextRecordsUrl"] = (
        f"{base}/resultPages?locator={_locator(starts[5])}" if len(starts) > 5 else None
    )
    answer["done"] = len(starts) <= 5
    return json_answer(answer)


def _result_job(org: DemoOrg, request: Request) -> Bulk2Job:
    job = org.bulk2.find(request.args["id"])
    if job.version != request.version:
        message = f"The API version {request.version} is not the one of the job, {job.version}"
        raise ApiError("VERSION_MISMATCH", message, 409)
    if request.has_fault("bulk_results_expired"):
        org.bulk2.expire(job)
    return job


def _max_records(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,12}", text) or int(text) < 1:
        raise ApiError(
            "INVALID_VALUE", f"maxRecords must be a whole number above 0, not {text!r}", 400
        )
    return int(text)


def _locator(row: int, rows: int | None = None) -> str:
    """
    Where a page begins, and its length if that is fixed. URL-safe, since some clients do not escape
    it.
    """
    text = str(row) if rows is None else f"{row}-{rows}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_locator(locator: str) -> tuple[int, int | None]:
    try:
        text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode()
        row, sign, rows = text.partition("-")
        return int(row), int(rows) if sign else None
    except (ValueError, binascii.Error) as err:
        raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator", 400) from err


def _info(org: DemoOrg, job: Bulk2Job, *, is_new: bool = False) -> dict[str, Any]:
    """A job as JSON; ``apiVersion`` is a number."""
    state = org.bulk2.state(job)
    info = job_info(job, state, object_name=job.object_name, user_id=job.user_id)
    if is_new:
        return info
    is_over = state in TERMINAL
    passed_s = (job.finished_s if is_over and job.finished_s else org.clock.now_s()) - job.made_s
    info |= {
        "jobType": "V2Query",
        "numberRecordsProcessed": job.export.rows
        if job.export is not None and state == "JobComplete"
        else 0,
        "retries": 0,
        "totalProcessingTime": max(int(passed_s * 1000), 0),
        "isPkChunkingSupported": True,
    }
    if state == "Failed":
        info["errorMessage"] = job.failure
    return info


_BASE = "/services/data/v{version}/jobs/query"

ROUTES = [
    route("POST", _BASE, create),
    route("GET", _BASE, listing),
    route("GET", _BASE + "/{id}", get),
    route("PATCH", _BASE + "/{id}", change),
    route("DELETE", _BASE + "/{id}", delete),
    route("GET", _BASE + "/{id}/results", results),
    route("GET", _BASE + "/{id}/resultPages", result_pages),
]
