"""
Bulk API 2.0 ingest: create a job, upload one CSV, close it, look at it, read three result files.

Nothing but looking is repeated: see ``calls``. Bulk API 2.0 guide: ``#N/A`` clears a field, an empty
cell leaves it; the results' order is not that of the rows sent.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from sfnb.errors import AnswerLost, ObjectError, TransientError
from sfnb.org.answers import count_of, mapping_of, text_of
from sfnb.org.bodies import BodyStream
from sfnb.org.charset import Readable, utf8_stream
from sfnb.org.client import OrgClient
from sfnb.org.ids import is_record_id, to18
from sfnb.org.secrets import clean, mask
from sfnb.org.writing.calls import RowResult, refused, write, write_json

Operation = Literal["insert", "update", "delete", "hardDelete"]
ResultKind = Literal["successfulResults", "failedResults", "unprocessedrecords"]

MOST_BYTES = 100_000_000
"""Of one upload, as CSV in UTF-8 (Bulk API 2.0 guide: 150 MB in Base64, so 100 MB of text)."""

CLEAR = "#N/A"
"""The cell that clears a field (Bulk API 2.0 guide, "Valid CSV Record Rows")."""

RESULTS_TIMEOUT_S = 300.0
FIRST_LOOK_S, LOOK_ROWS_PER_S = 1.0, 2_000.0
LOOK_GROWTH, MIN_LOOK_S, MAX_LOOK_S = 1.0, 0.5, 300.0
LEAST_GROWTH = 0.25
_CLOSE_TRIES = 3
_BLOCK_BYTES = 1 << 18
_MAX_CELL_CHARS = 1 << 20


@dataclass(frozen=True, slots=True)
class IngestJob:
    """
    An ingest job as the org reports it. The numbers are hints, never the proof of a row.

    Args:
        processed: rows so far, good and refused.
    """

    job_id: str
    state: str
    processed: int = 0
    error: str = ""

    @property
    def is_open(self) -> bool:
        """Nothing of it is processed before it is closed."""
        return self.state == "Open"

    @property
    def is_over(self) -> bool:
        return self.state in ("JobComplete", "Failed", "Aborted")


@dataclass(frozen=True, slots=True)
class ResultRow:
    """
    One line of a result file: the cells as they were sent, and what became of them.

    Args:
        cells: by column; the result's own columns are not in it.
    """

    result: RowResult
    cells: Mapping[str, str]


class Upload:
    """
    A CSV file as the body of a call, read again from its start whenever it is sent.

    Args:
        rows: records in it, for the price.
    """

    def __init__(self, path: Path, rows: int) -> None:
        self._path = path
        self.rows = rows
        self._size = path.stat().st_size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield block


def cell_of(value: Any) -> str:
    """
    A value of REST's JSON form as a cell. Pure.

    Null and empty text are one to Salesforce: both clear the field.
    """
    if value is None or value == "":
        return CLEAR
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        number = Decimal(repr(value))
        whole = number.to_integral_value()
        return f"{whole if number == whole else number:f}"
    return str(value)


def is_sendable(values: Mapping[str, Any]) -> bool:
    """
    Whether cells can hold the values: the text ``#N/A`` cannot be sent, nor what is no plain value.
    """
    return not any(
        value == CLEAR or isinstance(value, dict | list | bytes) for value in values.values()
    )


def create_job(org: OrgClient, object_name: str, operation: Operation) -> str:
    """
    The id of a new, open job. Cost: 1 API call.

    Raises:
        AnswerLost: a job may be there, without data; Salesforce deletes it after seven days.
        ObjectError: Bulk refuses the object or the operation.
    """
    wanted = {
        "object": object_name,
        "operation": operation,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    answer = write_json(org, "POST", "jobs/ingest", json=wanted, timeout_s=120)
    job_id = text_of(mapping_of(answer).get("id"))
    if not is_record_id(job_id):
        raise AnswerLost("the org named no Bulk job.")
    return job_id


def upload(org: OrgClient, job_id: str, data: Upload) -> None:
    """
    Send a job's CSV. Cost: 1 API call, and 1 Bulk batch for 10,000 rows.

    Raises:
        AnswerLost: the org may have it.
    """
    headers = {"Content-Type": "text/csv; charset=UTF-8", "Accept": "application/json"}
    write(org, "PUT", f"jobs/ingest/{job_id}/batches", data=data, headers=headers)


def close_job(org: OrgClient, job_id: str) -> IngestJob:
    """
    Let the org work on a job. Cost: 1 API call, and 2 for each answer that is lost while the job is
    open: closing it twice does no harm.

    Raises:
        AnswerLost: it may be doing so.
    """
    for _ in range(_CLOSE_TRIES):
        try:
            return _patch(org, job_id, "UploadComplete")
        except AnswerLost:
            job = fetch_job(org, job_id)
            if not job.is_open:
                return job
    return _patch(org, job_id, "UploadComplete")


def abort_job(org: OrgClient, job_id: str) -> IngestJob:
    """
    Stop a job; what it has written stays. Cost: 1 API call, and 1 where it has ended already.
    """
    try:
        return _patch(org, job_id, "Aborted")
    except (AnswerLost, ObjectError):
        return fetch_job(org, job_id)


def _patch(org: OrgClient, job_id: str, state: str) -> IngestJob:
    answer = write_json(org, "PATCH", f"jobs/ingest/{job_id}", json={"state": state}, timeout_s=120)
    return _job(job_id, answer)


def fetch_job(org: OrgClient, job_id: str) -> IngestJob:
    """
    The job as it stands. Cost: 1 API call.

    Raises:
        ObjectError: (NOT_FOUND) the org has forgotten it. TriesSpent: its answers say nothing,
            however often it is asked.
    """

    def once() -> IngestJob:
        try:
            return _job(job_id, org.fetch_json("GET", f"jobs/ingest/{job_id}", timeout_s=120))
        except AnswerLost as err:
            raise TransientError(str(err)) from err  # nothing was written by looking

    return org.retrying(once)


def _job(job_id: str, answer: object) -> IngestJob:
    job = mapping_of(answer)
    state = clean(text_of(job.get("state")))[:40]
    if not state:
        raise AnswerLost(f"Bulk job {job_id}: the answer has no state.")
    processed = count_of(job.get("numberRecordsProcessed", 0)) or 0
    return IngestJob(job_id, state, processed, mask(text_of(job.get("errorMessage")))[:500])


def next_look_s(
    rows: int, age_s: float, processed: int, rows_per_s: float = LOOK_ROWS_PER_S
) -> float:
    """
    Seconds until a job is looked at again: when it may be ready, by what it has done so far. Each
    look is a call, so their distance grows with the job's age, whatever its counter says. Pure.

    Args:
        rows_per_s: how fast the last job was.
    """
    # Not 0: some microseconds have passed since the job was closed.
    if age_s < MIN_LOOK_S:
        return min(FIRST_LOOK_S + rows / rows_per_s, MAX_LOOK_S)
    if 0 < processed <= rows:
        left_s = (rows - processed) * age_s / processed
        return min(max(left_s * 1.1, age_s * LEAST_GROWTH, MIN_LOOK_S), MAX_LOOK_S)
    return min(max(age_s * LOOK_GROWTH, MIN_LOOK_S), MAX_LOOK_S)


def results(
    org: OrgClient, job_id: str, kind: ResultKind, columns: Sequence[str]
) -> Iterator[ResultRow]:
    """
    The lines of one result file as they arrive. Cost: 1 API call.

    Tried once: put ``org.retrying`` around opening *and* reading.

    Args:
        columns: that were sent; columns of the file are found without regard to case.

    Raises:
        TransientError: the file breaks off, or is not one.
        ObjectError: there is none.
    """
    response = org.request(
        "GET",
        f"jobs/ingest/{job_id}/{kind}",
        headers={"Accept": "text/csv"},
        stream=True,
        timeout_s=RESULTS_TIMEOUT_S,
    )
    with response:
        stream = BodyStream(response, what=f"the {kind} of job {job_id}", clock=org.clock)
        yield from _rows(utf8_stream(stream, response.headers), kind, columns)


def _rows(stream: Readable, kind: ResultKind, columns: Sequence[str]) -> Iterator[ResultRow]:
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL_CHARS))
    lines = csv.reader(_lines(stream), strict=True)
    try:
        head = [name.strip() for name in next(lines, [])]
        place = {name.lower(): at for at, name in enumerate(head)}
        at = [(name, place.get(name.lower())) for name in columns]
        for cells in lines:
            if not cells:
                continue
            # Only a line proves that columns miss: a job that took no row has a head of its own.
            if any(where is None for _, where in at):
                raise TransientError(f"the {kind} do not have the columns that were sent.")
            if len(cells) != len(head):
                raise TransientError(f"a line of the {kind} has {len(cells)} cells.")
            sent = {name: cells[where] for name, where in at if where is not None}
            yield ResultRow(_result(kind, cells, place), sent)
    except csv.Error as err:
        raise TransientError(f"the {kind} are no CSV ({err}).") from err


def _result(kind: ResultKind, cells: Sequence[str], place: Mapping[str, int]) -> RowResult:
    if kind == "unprocessedrecords":
        return RowResult("unknown")
    record_id = cells[place["sf__id"]] if "sf__id" in place else ""
    if kind == "successfulResults":
        state: Literal["done", "unknown"] = "done" if is_record_id(record_id) else "unknown"
        return RowResult(state, to18(record_id) if state == "done" else "")
    return row_error(cells[place["sf__error"]] if "sf__error" in place else "", record_id)


def row_error(text: str, record_id: str = "") -> RowResult:
    """
    A refusal from ``CODE:message:fields --`` (Bulk API 2.0 guide, Get Failed Record Results). Pure.
    """
    code, _, rest = text.partition(":")
    message, _, names = rest.rpartition(":")
    if not message:
        message, names = rest, ""
    fields = names.removesuffix("--").strip()
    if " " in fields.replace(", ", ",") or not rest.rstrip().endswith("--"):
        message, fields = rest, ""
    found = [name.strip() for name in fields.split(",") if name.strip()]
    return refused(code.strip(), message.strip(), found, record_id)


def _lines(stream: Readable) -> Iterator[str]:
    """Lines of the text, each with its end. A line end within quotes is the CSV reader's affair."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    while block := stream.read(_BLOCK_BYTES):
        # Only LF ends a line: a CR alone may be part of a value.
        *whole, rest = (rest + decoder.decode(block)).split("\n")
        for line in whole:
            yield f"{line}\n"
    if rest := rest + decoder.decode(b"", final=True):
        yield rest
