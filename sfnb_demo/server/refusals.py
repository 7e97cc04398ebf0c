"""Refusals that no single resource owns: over the limit, Bulk API 1's error form, scripted faults."""

from __future__ import annotations

from xml.sax.saxutils import escape

from sfnb_demo.errors import ApiError
from sfnb_demo.server.faults import Rule
from sfnb_demo.server.wire import XML_TYPE, Response, error_answer, json_answer

ASYNC_NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"


def total_requests() -> ApiError:
    """The refusal beyond the daily limit: never 429, no Retry-After (REST guide, Status Codes and Error Responses)."""
    return ApiError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)


def concurrent_requests() -> ApiError:
    """The same code for too many long calls at once; only the words differ."""
    return ApiError(
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        403,
    )


_ASYNC_CODES = {
    "INVALID_SESSION_ID": "InvalidSessionId",
    "INVALID_AUTH_HEADER": "InvalidSessionId",
    "REQUEST_LIMIT_EXCEEDED": "ExceededQuota",
    "UNSUPPORTED_API_VERSION": "InvalidVersion",
    "NOT_FOUND": "InvalidUrl",
    "METHOD_NOT_ALLOWED": "MethodNotAllowed",
    "JSON_PARSER_ERROR": "InvalidJob",
    "SERVER_UNAVAILABLE": "Unknown",
    "UNKNOWN_EXCEPTION": "Unknown",
}

_HTML = (
    b"<!DOCTYPE html><html><head><title>Salesforce Edge</title></head><body><h1>We are setting things up...</h1>"
    b"<p>This page will be back soon.</p></body></html>"
)


def async_error(err: ApiError, *, is_json: bool = False) -> Response:
    """Bulk API 1's error: HTTP 400 (503 stays 503), code in its own spelling, XML unless the job is JSON."""
    code = _ASYNC_CODES.get(err.code, err.code)
    status = err.status if err.status >= 500 else 400
    if is_json:
        return json_answer({"exceptionCode": code, "exceptionMessage": err.message}, status)
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?><error xmlns="{ASYNC_NAMESPACE}">'
        f"<exceptionCode>{escape(code)}</exceptionCode>"
        f"<exceptionMessage>{escape(err.message)}</exceptionMessage></error>"
    )
    return Response(status, body.encode(), XML_TYPE)


def answer_of_fault(rule: Rule) -> Response | None:
    """What the client gets instead of an answer; None when the fault lets the true answer through. May raise it."""
    if rule.fault == "html":
        return Response(rule.status or 503, _HTML, "text/html")
    if rule.fault == "empty406":
        return Response(406)
    if rule.fault == "status503":
        return error_answer(
            ApiError("SERVER_UNAVAILABLE", rule.message or "Server is unavailable, try later.", 503)
        )
    if rule.fault == "concurrent_limit":
        raise concurrent_requests()
    if rule.fault == "error":
        raise ApiError(rule.code, rule.message or rule.code, rule.status or 400)
    return None
