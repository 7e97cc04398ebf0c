"""Bulk API 2.0 query jobs: their life over simulated time, and their results in files."""

from __future__ import annotations

import contextlib
import threading
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from sfnb_demo.data import ids
from sfnb_demo.errors import ApiError
from sfnb_demo.server.wire import Request

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
TERMINAL = ("JobComplete", "Failed", "Aborted")


@dataclass(slots=True)
class Bulk2Job:
    """
    One query job.

    Args:
        version: the API version that made it; results are read with the same one.
        failure: why it will fail or has failed; empty if it does not.
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
    """
    The org's query jobs; safe for threads. Results are written to files once, in the background.
    """

    def __init__(self, org: DemoOrg) -> None:
        self._org = org
        self._numbers = count(1)
        self._jobs: dict[str, Bulk2Job] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="bulk2")
        self._made: dict[tuple[object, ...], CsvExport] = {}

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def create(self, request: Request) -> Bulk2Job:
        """A new job; ``ApiError`` for what Salesforce refuses at creation."""
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
        # Salesforce refuses a wrong query at creation: parse it and check the rules of Bulk.
        all_rows = operation == "queryAll"
        object_name = org.database.check_bulk(
            soql, all_rows=all_rows, version=request.version, user_id=request.user.user.user_id
        ).name
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

    def object_of(self, job_id: str) -> str:
        """The object that a job reads, empty if there is no such job."""
        job = self.get(job_id)
        return job.object_name if job else ""

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
        """The finished results; ``ApiError`` if there are none yet or no longer."""
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
        """Delete the results, as after seven days."""
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
        The job's results. As long as no record changes, the same query gets the same file again: a
        second client is then measured on its own speed, not on ours. A WHERE may depend on today,
        so it always runs.
        """
        database = self._org.database
        key = (
            job.soql,
            job.operation,
            job.version,
            job.delimiter,
            job.line_ending,
            job.user_id,
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
            user_id=job.user_id,
        )
        if " where " not in job.soql.lower():
            self._made[key] = export
        return export

    def _forget_files(self, job: Bulk2Job) -> None:
        with job.lock:
            export, job.export = job.export, None
        if export is not None and all(export is not kept for kept in self._made.values()):
            # A page of it may be in transfer. Windows refuses then; the file is deleted with the
            # work folder.
            with contextlib.suppress(PermissionError):
                export.delete()
