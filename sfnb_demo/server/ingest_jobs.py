"""Bulk API 2.0 ingest jobs: their life, and their three result files."""

from __future__ import annotations

import csv
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfnb_demo.data import ids
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.writing.incoming import Saved, WriteOptions
from sfnb_demo.errors import ApiError
from sfnb_demo.server.bulk2_jobs import DELIMITERS, LINE_ENDINGS
from sfnb_demo.server.ingesting import (
    BATCH_ROWS,
    check_header,
    check_operation,
    read_csv,
    values_of,
    write_rows,
)

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

TERMINAL = ("JobComplete", "Failed", "Aborted")
MOST_BYTES = 150_000_000
SUCCESSFUL, FAILED, UNPROCESSED = "successfulresults", "failedresults", "unprocessedrecords"


@dataclass(slots=True)
class IngestJob:
    """
    One ingest job.

    Args:
        state: what was last set by the client or by the work; see ``IngestJobs.state``.
        failure: why the job as a whole has failed.
    """

    job_id: str
    number: int
    operation: str
    object: ObjectDef
    key: str
    delimiter: str
    line_ending: str
    version: str
    options: WriteOptions
    made_s: float
    changed_s: float
    folder: Path
    state: str = "Open"
    data: bytes | None = None
    processed: int = 0
    failed: int = 0
    failure: str = ""
    work: Future[None] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class IngestJobs:
    """The org's ingest jobs; safe for threads."""

    def __init__(self, org: DemoOrg) -> None:
        self._org = org
        self._numbers = count(1)
        self._jobs: dict[str, IngestJob] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ingest")

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def create(self, given: dict[str, Any], version: str, options: WriteOptions) -> IngestJob:
        """A new job, still without data."""
        operation, key = (
            str(given.get("operation", "")),
            str(given.get("externalIdFieldName") or ""),
        )
        obj = check_operation(
            self._org, str(given.get("object", "")), operation, key, options.user_id
        )
        delimiter = str(given.get("columnDelimiter", "COMMA"))
        line_ending = str(given.get("lineEnding", "LF"))
        if delimiter not in DELIMITERS or line_ending not in LINE_ENDINGS:
            raise ApiError("INVALIDJOB", f"InvalidJob : Unknown format {delimiter}, {line_ending}")
        if str(given.get("contentType", "CSV")) != "CSV":
            raise ApiError("INVALIDJOB", "InvalidJob : Only CSV is supported")
        number = next(self._numbers)
        # Far from the numbers of query jobs, which share the prefix.
        job_id = ids.make_id("750", ids.FIRST + 62**5 + number)
        now_s = self._org.clock.now_s()
        folder = self._org.folder / "ingest" / job_id
        job = IngestJob(
            job_id, number, operation, obj, key, delimiter, line_ending, version, options, now_s,
            now_s, folder,
        )  # fmt: skip
        self._jobs[job_id] = job
        return job

    def find(self, job_id: str) -> IngestJob:
        job = self._jobs.get(ids.normal(job_id) or job_id)
        if job is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
        return job

    def listed(self) -> list[IngestJob]:
        return sorted(self._jobs.values(), key=lambda job: job.number)

    def upload(self, job: IngestJob, data: bytes) -> None:
        """The one upload of a job."""
        with job.lock:
            if job.state != "Open" or job.data is not None:
                raise ApiError(
                    "INVALIDJOBSTATE",
                    f"InvalidJobState : Found multiple contents for job: <{job.job_id}>, please "
                    "'Close' / 'Abort' / 'Delete' the current Job then create a new Job",
                )
            if len(data) > MOST_BYTES:
                raise ApiError("BULK_API_ERROR", "Uploaded data exceeds the maximum of 150 MB", 413)
            job.data = data

    def close_upload(self, job: IngestJob) -> None:
        """Begin to work on what was uploaded."""
        with job.lock:
            if job.state != "Open":
                raise ApiError(
                    "INVALIDJOBSTATE", f"InvalidJobState : Invalid job state: {job.state}"
                )
            job.state, job.changed_s = "UploadComplete", self._org.clock.now_s()
        job.work = self._pool.submit(self._run, job)

    def abort(self, job: IngestJob) -> None:
        if self.state(job) in TERMINAL:
            raise ApiError("INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
        job.state, job.changed_s = "Aborted", self._org.clock.now_s()
        if job.work is None:
            self._write_results(job, *self._rows(job), {})

    def drop(self, job: IngestJob) -> None:
        if self.state(job) not in TERMINAL:
            raise ApiError("INVALIDJOBSTATE", "The job is not terminated, so it cannot be deleted")
        self._jobs.pop(job.job_id, None)

    def state(self, job: IngestJob) -> str:
        """``Open → UploadComplete → InProgress → JobComplete``, or Failed, or Aborted."""
        if job.work is None or job.state == "Aborted":
            return job.state
        passed_s = self._org.clock.now_s() - job.changed_s
        if not job.work.done() or passed_s < self._org.options.bulk_job_s:
            is_begun = passed_s > self._org.options.bulk_job_s / 4
            return "InProgress" if is_begun else "UploadComplete"
        return "Failed" if job.failure else "JobComplete"

    def results(self, job: IngestJob, which: str) -> bytes:
        """One of the three result files."""
        if self.state(job) not in TERMINAL:
            raise ApiError("INVALIDJOBSTATE", f"The job is in state {self.state(job)}")
        path = job.folder / which
        return path.read_bytes() if path.exists() else b""

    def _rows(self, job: IngestJob) -> tuple[list[str], list[list[str]]]:
        text = (job.data or b"").decode("utf-8-sig", "replace")
        if not text:
            return [], []
        first = text.partition("\n")[0]
        if first.endswith("\r") != (job.line_ending == "CRLF") and "\n" in text:
            raise ApiError(
                "ClientInputError",
                "LineEnding is invalid on user data. "
                f"Current LineEnding setting is {job.line_ending}",
            )
        return read_csv(text, DELIMITERS[job.delimiter])

    def _run(self, job: IngestJob) -> None:
        header, lines = list[str](), list[list[str]]()
        saved: dict[int, Saved] = {}
        try:
            header, lines = self._rows(job)
            check_header(job.object, header, job.operation)
            self._write(job, header, lines, saved)
        except ApiError as err:
            job.failure = f"{err.code} : {err.message}"
        except Exception:  # noqa: BLE001 - a bug of the demo org: shown here, and the job fails as a job does
            traceback.print_exc()
            job.failure = "InvalidBatch : UNKNOWN_EXCEPTION"
        self._write_results(job, header, lines, saved)
        job.processed = len(saved)
        job.failed = sum(not s.is_good for s in saved.values())

    def _write(
        self, job: IngestJob, header: list[str], lines: list[list[str]], saved: dict[int, Saved]
    ) -> None:
        org = self._org
        batches = max(-(-len(lines) // BATCH_ROWS), 1)
        if not org.spend_bulk("bulk", batches):
            raise ApiError("ExceededQuota", "ApiBatchItems Limit exceeded.")
        stops_after = org.database.saver.hindrances.job_stops_after
        some = lines if stops_after is None else lines[:stops_after]
        rows = [values_of(job.object, header, line) for line in some]
        for start, done in write_rows(
            org, job.object, job.operation, rows, key=job.key, options=job.options
        ):
            saved.update((start + at, one) for at, one in enumerate(done))
            if job.state == "Aborted":
                return
        if len(some) < len(lines):
            org.database.saver.hindrances.job_stops_after = None
            raise ApiError(
                "InternalServerError",
                "The job failed after a batch was retried 10 times: 10 minutes were not enough",
            )

    def _write_results(
        self,
        job: IngestJob,
        header: Sequence[str],
        lines: Sequence[Sequence[str]],
        saved: dict[int, Saved],
    ) -> None:
        job.folder.mkdir(parents=True, exist_ok=True)
        heads = {
            SUCCESSFUL: ["sf__Id", "sf__Created"],
            FAILED: ["sf__Id", "sf__Error"],
            UNPROCESSED: [],
        }
        files = {
            name: (job.folder / name).open("w", encoding="utf-8", newline="") for name in heads
        }
        ending = LINE_ENDINGS[job.line_ending]
        try:
            writers = {
                name: csv.writer(
                    file,
                    delimiter=DELIMITERS[job.delimiter],
                    quoting=csv.QUOTE_ALL,
                    lineterminator=ending,
                )
                for name, file in files.items()
            }
            for name, head in heads.items():
                writers[name].writerow([*head, *header])
            for place, line in enumerate(lines):
                one = saved.get(place)
                if one is None:
                    writers[UNPROCESSED].writerow(line)
                elif one.is_good:
                    created = str(one.is_created).lower()
                    writers[SUCCESSFUL].writerow([one.record_id, created, *line])
                else:
                    own_id = "" if job.operation == "insert" else one.record_id
                    writers[FAILED].writerow([own_id, row_error(one.errors[0]), *line])
        finally:
            for file in files.values():
                file.close()


def row_error(err: ApiError) -> str:
    """``CODE:message:fields --``; ``--`` alone when there is no field."""
    return (
        f"{err.code}:{err.message}:{','.join(err.fields)} --"
        if err.fields
        else f"{err.code}:{err.message}:--"
    )
