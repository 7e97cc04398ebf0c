"""Refusals shared by several resources: over the limit, and Bulk API 1's error form."""

from __future__ import annotations

from xml.sax.saxutils import escape

from sfnb_demo.errors import ApiError
from sfnb_demo.server.wire import XML_TYPE, Response, json_answer

ASYNC_NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"


def total_requests() -> ApiError:
    """
    The refusal beyond the daily limit: never 429, no Retry-After (REST guide, Status Codes and
    Error Responses).
    """
    return ApiError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)


def concurrent_requests() -> ApiError:
    """The same code for too many long calls at once; only the message differs."""
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


def async_error(err: ApiError, *, is_json: bool = False) -> Response:
    """
    Bulk API 1's error: HTTP 400 (503 stays 503), code in its own spelling, XML unless the job is
    JSON.
    """
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
