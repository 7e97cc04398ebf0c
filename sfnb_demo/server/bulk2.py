"""Bulk API 2.0 query jobs: their life over simulated time, and their result pages."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import threading
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfnb_demo.data import ids
from sfnb_demo.errors import ApiError
from sfnb_demo.server.clock import rest_time
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
    from sfnb_demo.data.export import CsvExport
    from sfnb_demo.server.org import DemoOrg

DELIMITERS = {
    "BACKQUOTE": "`",
    "CARET": "^",
    "COMMA": ",",
    "PIPE": "|",
    "SEMICOLON": ";",
    "TAB": "\t",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
RESULT_LIFE_S = 7 * 86_400
PARALLEL_ROWS = 50_000
"""Rows in a page of ``resultPages``."""

TERMINAL = ("JobComplete", "Failed", "Aborted")


@dataclass(slots=True)
class Bulk2Job:
    """
    One query job.

    Args:
        version: the API version that made it; results are read with the same one.
        failure: why it will fail, or has failed; empty when it goes well.
    """

    job_id: str
    number: int
    operation: str
    soql: str
    object_name: str
    delimiter: str
    line_ending: str
    version: str
    user_id: str
    made_s: float
    changed_s: float
    folder: Path
    failure: str = ""
    is_aborted: bool = False
    finished_s: float | None = None
    export: CsvExport | None = None
    work: Future[None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Bulk2Jobs:
    """The org's query jobs; safe for threads. Results are written to files in the background, not per request."""

    def __init__(self, org: DemoOrg) -> None:
        self._org = org
        self._numbers = count(1)
        self._jobs: dict[str, Bulk2Job] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="bulk2")
        self._made: dict[tuple[object, ...], CsvExport] = {}

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def create(self, request: Request) -> Bulk2Job:
        """A new job; ``ApiError`` for what is refused at once, as Salesforce does."""
        given = request.json_object()
        operation = given.get("operation")
        if operation not in ("query", "queryAll"):
            raise ApiError("INVALIDJOB", f"InvalidJob : Unsupported operation: {operation}", 400)
        soql = str(given.get("query") or "")
        if not soql.strip():
            raise ApiError("INVALIDJOB", "InvalidJob : The query is missing", 400)
        delimiter, line_ending = (
            str(given.get("columnDelimiter", "COMMA")),
            str(given.get("lineEnding", "LF")),
        )
        if delimiter not in DELIMITERS or line_ending not in LINE_ENDINGS:
            raise ApiError(
                "INVALIDJOB", f"InvalidJob : Unknown format {delimiter}, {line_ending}", 400
            )
        org = self._org
        # Salesforce refuses a wrong query at create: parse it, and let the Bulk rules look at it.
        all_rows = operation == "queryAll"
        object_name = org.database.check_bulk(soql, all_rows=all_rows, version=request.version).name
        now_s = org.clock.now_s()
        if org.quota.used("bulk2_kb", now_s) >= org.quota.max("bulk2_kb"):
            most = org.quota.max("bulk2_kb")
            message = (
                f"Max bulk v2 query result size stored ({most}) kb per 24 hrs has been exceeded"
            )
            raise ApiError("LIMIT_EXCEEDED", message, 400)
        if not org.spend_bulk("bulk2", 1):
            message = (
                f"Max bulk v2 query jobs ({org.quota.max('bulk2')}) per 24 hrs has been reached"
            )
            raise ApiError("LIMIT_EXCEEDED", message, 400)
        number = next(self._numbers)
        job_id = ids.make_id("750", ids.FIRST + number)
        folder = org.folder / "bulk2" / job_id
        failure = ""
        if request.fault is not None and request.fault.fault == "bulk_job_failed":
            failure = (
                request.fault.message
                or f"InvalidBatch : Failed to process query: QUERY_TIMEOUT: {object_name}"
            )
        job = Bulk2Job(
            job_id=job_id,
            number=number,
            operation=operation,
            soql=soql,
            object_name=object_name,
            delimiter=delimiter,
            line_ending=line_ending,
            version=request.version,
            user_id=request.user.user.user_id,
            made_s=now_s,
            changed_s=now_s,
            folder=folder,
            failure=failure,
        )
        self._jobs[job_id] = job
        job.work = self._pool.submit(self._run, job)
        return job

    def get(self, job_id: str) -> Bulk2Job | None:
        return self._jobs.get(ids.normal(job_id) or job_id)

    def find(self, job_id: str) -> Bulk2Job:
        job = self.get(job_id)
        if job is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
        return job

    def listed(self) -> list[Bulk2Job]:
        return sorted(self._jobs.values(), key=lambda job: job.number)

    def drop(self, job: Bulk2Job) -> None:
        self._jobs.pop(job.job_id, None)
        self._forget_files(job)

    def state(self, job: Bulk2Job) -> str:
        """``UploadComplete → InProgress → JobComplete``, or Failed, or Aborted."""
        if job.is_aborted:
            return "Aborted"
        passed_s = self._org.clock.now_s() - job.made_s
        if job.work is None or not job.work.done() or passed_s < self._org.options.bulk_job_s:
            is_begun = job.work is not None and (job.work.running() or job.work.done())
            return (
                "InProgress"
                if is_begun and passed_s > self._org.options.bulk_job_s / 4
                else "UploadComplete"
            )
        return "Failed" if job.failure else "JobComplete"

    def results(self, job: Bulk2Job) -> CsvExport:
        """The finished results; ``ApiError`` if there are none (any more)."""
        now_s = self._org.clock.now_s()
        is_expired = job.finished_s is not None and now_s - job.finished_s > RESULT_LIFE_S
        if is_expired:
            self._forget_files(job)
        state = self.state(job)
        if state != "JobComplete":
            raise ApiError(
                "INVALIDJOBSTATE", f"Results are not available: the job is in state {state}", 400
            )
        if job.export is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
        return job.export

    def expire(self, job: Bulk2Job) -> None:
        """Let the results be gone, as after seven days."""
        self._forget_files(job)

    def _run(self, job: Bulk2Job) -> None:
        org = self._org
        if not job.failure and not job.is_aborted:
            try:
                export = self._export(job)
            except ApiError as err:
                job.failure = f"InvalidBatch : Failed to process query: {err.code}: {err.message}"
            except Exception:  # noqa: BLE001 - a bug of the demo org: shown here, and the job fails as a job does
                traceback.print_exc()
                job.failure = "InvalidBatch : Failed to process query: UNKNOWN_EXCEPTION"
            else:
                org.spend_bulk(
                    "bulk2_kb", -(-(len(export.header) + export.size) // 1024), is_forced=True
                )
                job.export = export
        job.finished_s = job.changed_s = org.clock.now_s()

    def _export(self, job: Bulk2Job) -> CsvExport:
        """
        The job's results. What the same query gave before is served again while no record has changed: a second
        client is then measured on its own speed, not on ours. A WHERE may speak of today, so it is always run.
        """
        database = self._org.database
        key = (
            job.soql,
            job.operation,
            job.version,
            job.delimiter,
            job.line_ending,
            database.changes,
        )
        if key in self._made and self._made[key].path.exists():
            return self._made[key]
        export = database.export_csv(
            job.soql,
            job.folder,
            all_rows=job.operation == "queryAll",
            version=job.version,
            delimiter=DELIMITERS[job.delimiter],
            line_ending=LINE_ENDINGS[job.line_ending],
        )
        if " where " not in job.soql.lower():
            self._made[key] = export
        return export

    def _forget_files(self, job: Bulk2Job) -> None:
        with job.lock:
            export, job.export = job.export, None
        if export is not None and all(export is not kept for kept in self._made.values()):
            # A page may be on its way from it: Windows refuses then, and the file goes with the work folder.
            with contextlib.suppress(PermissionError):
                export.delete()


# -- routes -----------------------------------------------------------------------------------------------------------


def create(org: DemoOrg, request: Request) -> Response:
    """POST /jobs/query: 200, not 201, and JSON even if the client accepts only text/csv."""
    job = org.bulk2.create(request)
    # So says Salesforce's answer always, also here where a fast clock may have finished the job meanwhile.
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
    """PATCH {"state": "Aborted"}, while the job is not over."""
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

    Without ``maxRecords`` and without a locator the whole result is one page: some clients cannot read a second one.
    The last page's ``Sforce-Locator`` is the text ``null``; without the header clients never end.
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
    """Up to five addresses of result pages at once, for parallel downloads (version 58.0 and later)."""
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
    """Where a page begins, and how long it is if that is fixed; URL-safe, as some clients do not escape it."""
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
    info: dict[str, Any] = {
        "id": job.job_id,
        "operation": job.operation,
        "object": job.object_name,
        "createdById": job.user_id,
        "createdDate": rest_time(datetime.fromtimestamp(job.made_s, UTC)),
        "systemModstamp": rest_time(datetime.fromtimestamp(job.changed_s, UTC)),
        "state": state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": float(job.version),
        "lineEnding": job.line_ending,
        "columnDelimiter": job.delimiter,
    }
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
