"""Bulk API 1: its routes, in XML or JSON. The session id comes in ``X-SFDC-Session``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree

from sfnb_demo.data import ids
from sfnb_demo.errors import ApiError
from sfnb_demo.server.bulk1_jobs import DATA_TYPES, Batch, Bulk1Job, ContentType
from sfnb_demo.server.bulk1_results import xml_text
from sfnb_demo.server.clock import async_time
from sfnb_demo.server.refusals import ASYNC_NAMESPACE
from sfnb_demo.server.wire import XML_TYPE, Request, Response, json_answer, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg


def create_job(org: DemoOrg, request: Request) -> Response:
    given, is_json = _read_info(request)
    default = "JSON" if is_json else "XML"
    content_type = given.get("contentType", default).upper()
    if content_type not in DATA_TYPES:
        raise ApiError("InvalidJob", f"Unsupported content type: {content_type}", 400)
    job = org.bulk1.create(request, given, cast(ContentType, content_type))
    info = _job_info(org, job)
    # The first answer has the format of the request, later ones that of the job. Singer's tap
    # creates a CSV job in JSON, reads its id as JSON, and everything later as XML.
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
    batch = org.bulk1.add_batch(job, request.body)
    return _info_answer(job, "batchInfo", _batch_info(org, job, batch), 201)


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
    return Response(200, batch.data or batch.soql.encode(), DATA_TYPES[job.content_type])


def result_list(org: DemoOrg, request: Request) -> Response:
    job, batch = _batch(org, request)
    state = org.bulk1.state(batch)
    if state in ("Queued", "InProgress"):
        raise ApiError("InvalidBatch", f"Batch not completed: it is {state}", 400)
    if not job.is_query:  # what was written has its result here, not behind an Id
        if state != "Completed":
            raise ApiError("InvalidBatch", "Records not processed", 400)
        return Response(200, batch.parts, DATA_TYPES[job.content_type])
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
    """A job's entries, in the order that the schema prescribes."""
    states = [org.bulk1.state(batch) for batch in job.batches]
    return {
        "id": job.job_id,
        "operation": job.operation,
        "object": job.object_name,
        "createdById": job.user_id,
        "createdDate": async_time(datetime.fromtimestamp(job.made_s, UTC)),
        "systemModstamp": async_time(datetime.fromtimestamp(job.changed_s, UTC)),
        "state": job.state,
        **({"externalIdFieldName": job.key} if job.key else {}),
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
        "numberRecordsFailed": sum(b.failed for b in job.batches),
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
        "numberRecordsFailed": batch.failed if state == "Completed" else 0,
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def _info_answer(job: Bulk1Job, name: str, info: dict[str, Any], status: int = 200) -> Response:
    """An info in the job's format: JSON for JSON jobs, XML for CSV and XML jobs."""
    return (
        json_answer(info, status) if job.content_type == "JSON" else _xml_answer(name, info, status)
    )


def _xml_answer(name: str, info: dict[str, Any], status: int) -> Response:
    return _xml(f'<{name} xmlns="{ASYNC_NAMESPACE}">{_xml_info(info)}</{name}>', status)


def _xml_info(info: dict[str, Any]) -> str:
    return "".join(f"<{name}>{xml_text(value)}</{name}>" for name, value in info.items())


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
