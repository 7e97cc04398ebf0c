"""Bulk API 1 query jobs: XML, JSON and CSV, PK chunking, sessions by ``X-SFDC-Session``."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from sfnb_demo.data import ids
from sfnb_demo.errors import ApiError
from sfnb_demo.server.clock import async_time
from sfnb_demo.server.refusals import ASYNC_NAMESPACE
from sfnb_demo.server.wire import (
    CSV_TYPE,
    JSON_TYPE,
    XML_TYPE,
    Request,
    Response,
    Slice,
    json_answer,
    json_bytes,
    route,
)

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

ContentType = Literal["CSV", "JSON", "XML"]
DATA_TYPES: dict[str, str] = {"CSV": CSV_TYPE, "JSON": JSON_TYPE, "XML": XML_TYPE}

DEFAULT_CHUNK, MOST_CHUNK = 100_000, 250_000
"""Rows of an id range in PK chunking (Bulk API guide, PK Chunking Header)."""

_WHERE = re.compile(
    r"^(?P<head>.*?\bFROM\s+\w+)(?:\s+WHERE\s+(?P<where>.*))?\s*$", re.IGNORECASE | re.DOTALL
)
_NOT_CHUNKED = re.compile(r"\b(ORDER\s+BY|GROUP\s+BY|LIMIT|OFFSET)\b|\(\s*SELECT\b", re.IGNORECASE)


@dataclass(slots=True)
class Batch:
    """One batch. ``parts`` is its result, once it is completed; ``message`` why it failed."""

    batch_id: str
    result_id: str
    soql: str
    made_s: float
    is_original: bool = False
    is_done: bool = False
    rows: int = 0
    message: str = ""
    parts: tuple[bytes | Slice, ...] = ()
    work: Future[None] | None = None


@dataclass(slots=True)
class Bulk1Job:
    """One job; ``chunk_rows`` is set when it was made with PK chunking."""

    job_id: str
    operation: str
    object_name: str
    content_type: ContentType
    version: str
    user_id: str
    concurrency: str
    chunk_rows: int | None
    made_s: float
    changed_s: float
    folder: Path
    state: str = "Open"
    batches: list[Batch] = field(default_factory=list)


class Bulk1Jobs:
    """The org's Bulk API 1 jobs; safe for threads."""

    def __init__(self, org: DemoOrg) -> None:
        self._org = org
        self._numbers = count(1)
        self._jobs: dict[str, Bulk1Job] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="bulk1")

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def find(self, job_id: str) -> Bulk1Job:
        job = self._jobs.get(ids.normal(job_id) or job_id)
        if job is None:
            raise ApiError("InvalidJob", f"Invalid job id: {job_id}", 400)
        return job

    def create(
        self, request: Request, given: dict[str, str], content_type: ContentType
    ) -> Bulk1Job:
        operation = given.get("operation", "")
        if operation not in ("query", "queryAll"):
            raise ApiError(
                "FeatureNotEnabled",
                f"The demo org's Bulk API does not serve the operation {operation!r}.",
            )
        name = self._org.object_name(given.get("object", ""))
        if name is None:
            raise ApiError("InvalidJob", f"Unable to find object: {given.get('object', '')}", 400)
        obj = self._org.database.catalog.find(name)
        if obj is None or not obj.has_bulk:
            raise ApiError(
                "InvalidEntity", f"Entity '{name}' is not supported by the Bulk API.", 400
            )
        job_id = ids.make_id("750", ids.FIRST + 62**4 + next(self._numbers))
        now_s = self._org.clock.now_s()
        mode = given.get("concurrencyMode", "Parallel")
        job = Bulk1Job(
            job_id=job_id,
            operation=operation,
            object_name=name,
            content_type=content_type,
            version=request.version,
            user_id=request.user.user.user_id,
            # simple-salesforce sends 0 and 1.
            concurrency={"0": "Parallel", "1": "Serial"}.get(mode, mode),
            chunk_rows=_chunk_rows(request.headers.get("sforce-enable-pkchunking", "")),
            made_s=now_s,
            changed_s=now_s,
            folder=self._org.folder / "bulk1" / job_id,
        )
        self._jobs[job_id] = job
        return job

    def add_batch(self, job: Bulk1Job, soql: str) -> Batch:
        """Take the query; with PK chunking one batch for each id range follows, and each is charged."""
        self._charge()
        if job.state != "Open":
            # Charged all the same (Bulk API guide, Limits).
            raise ApiError(
                "InvalidJobState",
                f"Failed to create batch, since the Job is not Open: it is {job.state}",
                400,
            )
        first = self._batch(soql)
        first.is_original = job.chunk_rows is not None
        job.batches.append(first)
        if job.chunk_rows is None:
            first.work = self._pool.submit(self._run, job, first)
            return first
        if _NOT_CHUNKED.search(re.sub(r"'(?:\\.|[^'])*'", "''", soql)):
            first.message = (
                "InvalidBatch : PK chunking takes no ORDER BY, GROUP BY, LIMIT or subquery"
            )
            first.is_original, first.is_done = False, True
            return first
        for low, high in self._org.database.chunk_ranges(job.object_name, job.chunk_rows):
            self._charge()
            chunk = self._batch(_within(soql, low, high))
            job.batches.append(chunk)
            chunk.work = self._pool.submit(self._run, job, chunk)
        return first

    def state(self, batch: Batch) -> str:
        if batch.is_original:
            return "NotProcessed"
        passed_s = self._org.clock.now_s() - batch.made_s
        if not batch.is_done or passed_s < self._org.options.bulk_job_s:
            return (
                "InProgress"
                if batch.work is not None and passed_s > self._org.options.bulk_job_s / 4
                else "Queued"
            )
        return "Failed" if batch.message else "Completed"

    def _batch(self, soql: str) -> Batch:
        number = ids.FIRST + next(self._numbers)
        return Batch(
            ids.make_id("751", number), ids.make_id("752", number), soql, self._org.clock.now_s()
        )

    def _charge(self) -> None:
        if not self._org.spend_bulk("bulk", 1):
            raise ApiError("ExceededQuota", "ApiBatchItems Limit exceeded.", 400)

    def _run(self, job: Bulk1Job, batch: Batch) -> None:
        database = self._org.database
        all_rows = job.operation == "queryAll"
        try:
            # The Bulk rules (no aggregates, no compounds, no base64) hold for every format.
            name = database.check_bulk(batch.soql, all_rows=all_rows, version=job.version).name
            if name != job.object_name:
                raise ApiError(
                    "INVALID_TYPE", f"The job is for {job.object_name}, the query reads {name}"
                )
            folder = job.folder / batch.batch_id
            if job.content_type == "CSV":
                export = database.export_csv(
                    batch.soql, folder, all_rows=all_rows, version=job.version
                )
                batch.rows = export.rows
                batch.parts = (export.header, Slice(export.path, 0, export.size))
            else:
                flavour: Literal["epoch", "json"] = (
                    "epoch" if job.content_type == "JSON" else "json"
                )
                result = database.query(
                    batch.soql, all_rows=all_rows, version=job.version, flavour=flavour
                )
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / "result"
                with path.open("wb") as file:
                    pages = (
                        result.rows(at, 2000) for at in range(0, max(result.total_size, 1), 2000)
                    )
                    file.writelines(
                        _json_rows(pages) if job.content_type == "JSON" else _xml_rows(pages)
                    )
                batch.rows = result.total_size
                batch.parts = (Slice(path, 0, path.stat().st_size),)
        except ApiError as err:
            batch.message = f"InvalidBatch : Failed to process query: {err.code}: {err.message}"
        except Exception:  # noqa: BLE001 - a bug of the demo org: shown here, and the batch fails as a batch does
            traceback.print_exc()
            batch.message = "InvalidBatch : Failed to process query: UNKNOWN_EXCEPTION"
        batch.is_done = True


def _chunk_rows(header: str) -> int | None:
    """Rows of a chunk asked for by ``Sforce-Enable-PKChunking``, None when it is not asked for."""
    text = header.strip().lower()
    if not text or text == "false":
        return None
    found = re.search(r"chunksize\s*=\s*(\d+)", text)
    return min(max(int(found[1]), 1), MOST_CHUNK) if found else DEFAULT_CHUNK


def _within(soql: str, low: str, high: str) -> str:
    """The query for one id range."""
    found = _WHERE.match(soql)
    if found is None:
        raise ApiError("InvalidBatch", f"The query cannot be chunked: {soql}", 400)
    old = f"({found['where'].strip()}) AND " if found["where"] else ""
    return f"{found['head']} WHERE {old}Id >= '{low}' AND Id < '{high}'"


def _json_rows(pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    separator = b"["
    for rows in pages:
        for row in rows:
            yield separator + json_bytes(row)
            separator = b","
    yield b"]" if separator == b"," else b"[]"


def _xml_rows(pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    yield (
        f'<?xml version="1.0" encoding="UTF-8"?><queryResult xmlns="{ASYNC_NAMESPACE}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    ).encode()
    for rows in pages:
        for row in rows:
            yield f'<records xsi:type="sObject">{_xml_fields(row)}</records>'.encode()
    yield b"</queryResult>"


# XML 1.0 has no other control characters.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _xml_text(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return escape(_NOT_IN_XML.sub("", text), {"\r": "&#13;"})


def _xml_fields(row: dict[str, Any]) -> str:
    parts = [f"<type>{escape(row['attributes']['type'])}</type>"] if "attributes" in row else []
    for name, value in row.items():
        if name == "attributes":
            continue
        if value is None:
            parts.append(f'<{name} xsi:nil="true"/>')
        elif isinstance(value, dict):
            parts.append(f'<{name} xsi:type="sObject">{_xml_fields(value)}</{name}>')
        else:
            parts.append(f"<{name}>{_xml_text(value)}</{name}>")
    return "".join(parts)


# -- routes -----------------------------------------------------------------------------------------------------------


def create_job(org: DemoOrg, request: Request) -> Response:
    given, is_json = _read_info(request)
    default = "JSON" if is_json else "XML"
    content_type = given.get("contentType", default).upper()
    if content_type not in DATA_TYPES:
        raise ApiError("InvalidJob", f"Unsupported content type: {content_type}", 400)
    job = org.bulk1.create(request, given, cast("ContentType", content_type))
    info = _job_info(org, job)
    # The answer that makes a job speaks as the request did; the later ones as the job does. Singer's tap makes a
    # CSV job in JSON, reads its id as JSON, and all that follows as XML.
    return json_answer(info, 201) if is_json else _xml_answer("jobInfo", info, 201)


def job_info(org: DemoOrg, request: Request) -> Response:
    job = org.bulk1.find(request.args["job"])
    return _info_answer(job, "jobInfo", _job_info(org, job))


def change_job(org: DemoOrg, request: Request) -> Response:
    """POST to a job: ``Closed`` or ``Aborted``."""
    job = org.bulk1.find(request.args["job"])
    state = _read_info(request)[0].get("state")
    if state not in ("Closed", "Aborted"):
        raise ApiError("InvalidJobState", f"A job cannot be set to {state}", 400)
    job.state, job.changed_s = state, org.clock.now_s()
    return _info_answer(job, "jobInfo", _job_info(org, job))


def add_batch(org: DemoOrg, request: Request) -> Response:
    job = org.bulk1.find(request.args["job"])
    soql = request.body.decode("utf-8", "replace").strip()
    return _info_answer(
        job, "batchInfo", _batch_info(org, job, org.bulk1.add_batch(job, soql)), 201
    )


def batch_list(org: DemoOrg, request: Request) -> Response:
    job = org.bulk1.find(request.args["job"])
    infos = [_batch_info(org, job, batch) for batch in job.batches]
    if job.content_type == "JSON":
        return json_answer({"batchInfo": infos})
    inside = "".join(f"<batchInfo>{_xml_info(info)}</batchInfo>" for info in infos)
    return _xml(f'<batchInfoList xmlns="{ASYNC_NAMESPACE}">{inside}</batchInfoList>')


def batch_info(org: DemoOrg, request: Request) -> Response:
    job, batch = _batch(org, request)
    return _info_answer(job, "batchInfo", _batch_info(org, job, batch))


def batch_request(org: DemoOrg, request: Request) -> Response:
    job, batch = _batch(org, request)
    return Response(200, batch.soql.encode(), DATA_TYPES[job.content_type])


def result_list(org: DemoOrg, request: Request) -> Response:
    job, batch = _batch(org, request)
    state = org.bulk1.state(batch)
    if state in ("Queued", "InProgress"):
        raise ApiError("InvalidBatch", f"Batch not completed: it is {state}", 400)
    found = [batch.result_id] if state == "Completed" else []
    if job.content_type == "JSON":
        return json_answer(found)
    inside = "".join(f"<result>{result_id}</result>" for result_id in found)
    return _xml(f'<result-list xmlns="{ASYNC_NAMESPACE}">{inside}</result-list>')


def result(org: DemoOrg, request: Request) -> Response:
    job, batch = _batch(org, request)
    wanted = ids.normal(request.args["result"])
    if wanted != batch.result_id or org.bulk1.state(batch) != "Completed":
        raise ApiError("InvalidBatch", f"Invalid result id: {request.args['result']}", 400)
    return Response(200, batch.parts, DATA_TYPES[job.content_type])


def _batch(org: DemoOrg, request: Request) -> tuple[Bulk1Job, Batch]:
    job = org.bulk1.find(request.args["job"])
    wanted = ids.normal(request.args["batch"])
    for batch in job.batches:
        if batch.batch_id == wanted:
            return job, batch
    raise ApiError("InvalidBatch", f"Invalid batch id: {request.args['batch']}", 400)


def _read_info(request: Request) -> tuple[dict[str, str], bool]:
    """A jobInfo as a flat dict, by local name, and whether it came as JSON."""
    if "json" in request.headers.get("content-type", "").lower():
        return {name: str(value) for name, value in request.json_object().items()}, True
    if b"<!DOCTYPE" in request.body:
        raise ApiError("InvalidXML", "A document type is not allowed", 400)
    try:
        root = ElementTree.fromstring(request.body)  # noqa: S314 - no document type, so no entities
    except ElementTree.ParseError as err:
        raise ApiError("InvalidXML", f"The request cannot be parsed: {err}", 400) from err
    return {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in root}, False


def _job_info(org: DemoOrg, job: Bulk1Job) -> dict[str, Any]:
    """In the order of the schema, which is fixed."""
    states = [org.bulk1.state(batch) for batch in job.batches]
    return {
        "id": job.job_id,
        "operation": job.operation,
        "object": job.object_name,
        "createdById": job.user_id,
        "createdDate": async_time(datetime.fromtimestamp(job.made_s, UTC)),
        "systemModstamp": async_time(datetime.fromtimestamp(job.changed_s, UTC)),
        "state": job.state,
        "concurrencyMode": job.concurrency,
        "contentType": job.content_type,
        "numberBatchesQueued": states.count("Queued"),
        "numberBatchesInProgress": states.count("InProgress"),
        "numberBatchesCompleted": states.count("Completed"),
        "numberBatchesFailed": states.count("Failed"),
        "numberBatchesTotal": len(states),
        "numberRecordsProcessed": sum(
            b.rows for b, s in zip(job.batches, states, strict=True) if s == "Completed"
        ),
        "numberRetries": 0,
        "apiVersion": float(job.version),
        "numberRecordsFailed": 0,
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def _batch_info(org: DemoOrg, job: Bulk1Job, batch: Batch) -> dict[str, Any]:
    state = org.bulk1.state(batch)
    moment = async_time(datetime.fromtimestamp(batch.made_s, UTC))
    message = {"stateMessage": batch.message} if state == "Failed" else {}
    return {"id": batch.batch_id, "jobId": job.job_id, "state": state, **message} | {
        "createdDate": moment,
        "systemModstamp": moment,
        "numberRecordsProcessed": batch.rows if state == "Completed" else 0,
        "numberRecordsFailed": 0,
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def _info_answer(job: Bulk1Job, name: str, info: dict[str, Any], status: int = 200) -> Response:
    """An info in the job's own format: JSON jobs JSON, CSV and XML jobs XML."""
    return (
        json_answer(info, status) if job.content_type == "JSON" else _xml_answer(name, info, status)
    )


def _xml_answer(name: str, info: dict[str, Any], status: int) -> Response:
    return _xml(f'<{name} xmlns="{ASYNC_NAMESPACE}">{_xml_info(info)}</{name}>', status)


def _xml_info(info: dict[str, Any]) -> str:
    return "".join(f"<{name}>{_xml_text(value)}</{name}>" for name, value in info.items())


def _xml(text: str, status: int = 200) -> Response:
    return Response(status, f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode(), XML_TYPE)


_BASE = "/services/async/{version}/job"

ROUTES = [
    route("POST", _BASE, create_job, family="async"),
    route("GET", _BASE + "/{job}", job_info, family="async"),
    route("POST", _BASE + "/{job}", change_job, family="async"),
    route("POST", _BASE + "/{job}/batch", add_batch, family="async"),
    route("GET", _BASE + "/{job}/batch", batch_list, family="async"),
    route("GET", _BASE + "/{job}/batch/{batch}", batch_info, family="async"),
    route("GET", _BASE + "/{job}/batch/{batch}/request", batch_request, family="async"),
    route("GET", _BASE + "/{job}/batch/{batch}/result", result_list, family="async"),
    route("GET", _BASE + "/{job}/batch/{batch}/result/{result}", result, family="async"),
]
