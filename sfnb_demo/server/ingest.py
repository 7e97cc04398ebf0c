"""Bulk API 2.0 ingest: the routes of its jobs."""

from __future__ import annotations

import json
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any

from sfnb_demo.errors import ApiError
from sfnb_demo.server.bulk2_info import job_info
from sfnb_demo.server.ingest_jobs import IngestJob
from sfnb_demo.server.wire import CSV_TYPE, Request, Response, empty_answer, json_answer, route
from sfnb_demo.server.write_options import write_options

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

MOST_LISTED = 1000


def create(org: DemoOrg, request: Request) -> Response:
    """POST /jobs/ingest, with the data in a second part for small jobs: those close themselves."""
    content_type = request.headers.get("content-type", "")
    data = None
    if content_type.startswith("multipart/"):
        given, data = _read_parts(content_type, request.body)
    else:
        given = request.json_object()
    # Assignment rules run only where the job names one; no header is known that lets duplicates
    # pass (Bulk API 2.0 guide, Create a Job).
    options = replace(
        write_options(request),
        allows_duplicates=False,
        has_assignment=bool(given.get("assignmentRuleId")),
    )
    job = org.ingest.create(given, request.version, options)
    if data is not None:
        org.ingest.upload(job, data)
        org.ingest.close_upload(job)
    return json_answer(_info(org, job, is_new=True))


def upload(org: DemoOrg, request: Request) -> Response:
    org.ingest.upload(org.ingest.find(request.args["id"]), request.body)
    return empty_answer(201)


def change(org: DemoOrg, request: Request) -> Response:
    """PATCH {"state": "UploadComplete" | "Aborted"}."""
    job = org.ingest.find(request.args["id"])
    state = request.json_object().get("state")
    if state == "UploadComplete":
        org.ingest.close_upload(job)
        info = _info(org, job, is_new=True) | {"state": "UploadComplete"}
        return json_answer({name: v for name, v in info.items() if name != "contentUrl"})
    if state != "Aborted":
        raise ApiError("INVALIDJOBSTATE", f"InvalidJobState : Invalid job state: {state}")
    org.ingest.abort(job)
    return json_answer(_info(org, job, is_new=True))


def get(org: DemoOrg, request: Request) -> Response:
    return json_answer(_info(org, org.ingest.find(request.args["id"])))


def listing(org: DemoOrg, _request: Request) -> Response:
    jobs = org.ingest.listed()[:MOST_LISTED]
    records = [_info(org, job, is_new=True) for job in jobs]
    return json_answer({"done": True, "records": records, "nextRecordsUrl": None})


def delete(org: DemoOrg, request: Request) -> Response:
    org.ingest.drop(org.ingest.find(request.args["id"]))
    return empty_answer()


def results(org: DemoOrg, request: Request) -> Response:
    """``successfulResults``, ``failedResults``, ``unprocessedrecords``, in any case."""
    job = org.ingest.find(request.args["id"])
    return Response(200, org.ingest.results(job, request.args["which"].lower()), CSV_TYPE)


def _read_parts(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    message = BytesParser(policy=HTTP).parsebytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + body
    )
    parts = {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
        for part in message.iter_parts()
    }
    job, content = parts.get("job"), parts.get("content")
    if not isinstance(job, bytes) or not isinstance(content, bytes):
        raise ApiError("INVALIDJOB", "InvalidJob : The parts job and content are required")
    try:
        given = json.loads(job)
    except ValueError as err:
        raise ApiError("JSON_PARSER_ERROR", f"The part job: {err}") from err
    return given, content


def _info(org: DemoOrg, job: IngestJob, *, is_new: bool = False) -> dict[str, Any]:
    state = org.ingest.state(job)
    info = job_info(job, state, object_name=job.object.name, user_id=job.options.user_id)
    if job.key:
        info["externalIdFieldName"] = job.key
    if state == "Open":
        # No slash at the beginning (recorded and documented so).
        base = f"services/data/v{job.version}/jobs/ingest/{job.job_id}"
        info["contentUrl"] = f"{base}/batches"
    if is_new:
        return info
    is_over = state in ("JobComplete", "Failed", "Aborted")
    info |= {
        "jobType": "V2Ingest",
        "numberRecordsProcessed": job.processed if is_over else 0,
        "numberRecordsFailed": job.failed if is_over else 0,
        "retries": 0,
        "totalProcessingTime": 440,
        "apiActiveProcessingTime": 300,
        "apexProcessingTime": 12,
    }
    if state == "Failed":
        info["errorMessage"] = job.failure
    return info


_BASE = "/services/data/v{version}/jobs/ingest"
_RESULTS = "(?P<which>successfulResults|failedResults|unprocessedrecords)"

ROUTES = [
    route("POST", _BASE, create),
    route("GET", _BASE, listing),
    route("GET", _BASE + "/{id}", get),
    route("PATCH", _BASE + "/{id}", change),
    route("DELETE", _BASE + "/{id}", delete),
    route("PUT", _BASE + "/{id}/batches", upload),
    route("GET", _BASE + "/{id}/" + _RESULTS, results),
]
