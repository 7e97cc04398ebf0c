"""
What an answer of Salesforce means for us: a pure translation of status, headers and body into
errors.

Codes and texts come from the REST guide (Status Codes and Error Responses), the Bulk API 2.0 guide
and recorded answers of real orgs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sfnb.errors import (
    LoginError,
    ObjectError,
    OrgUnavailable,
    QuotaSignal,
    ResultsGone,
    SfnbError,
    TransientError,
)
from sfnb.model import Api
from sfnb.org.answers import json_of, retry_after_s
from sfnb.org.limits import LIMIT_HEADER, parse_limit_header
from sfnb.org.secrets import clean, mask

_PASSING_STATUS = frozenset({406, 420, 429, 500, 502, 503, 504})
_AWAY_STATUS = frozenset({420, 502, 503, 504})
"""
Of the edge in front of the instance (420, "enhance your calm") and of maintenance: any call gets
it.
"""

_PASSING_CODES = frozenset(
    {
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
        "QUERY_TIMEOUT",
        "REQUEST_RUNNING_TOO_LONG",
        "SERVER_UNAVAILABLE",
        "TOO_MANY_APEX_REQUESTS",
        "UNABLE_TO_LOCK_ROW",
        "UNKNOWN_EXCEPTION",
    }
)
_RESULTS = re.compile(r"/jobs/query/\w+/(?:results|resultpages)", re.IGNORECASE)

_ADVICE: Mapping[str, str] = {
    "API_ERROR": "If it names a restriction, give the user the permission View All Data.",
    "FEATURENOTENABLED": "Enable the feature in the org's Setup, or leave the object out.",
    "FORBIDDEN": "Give the user access to it, or the permission View All Data.",
    "INSUFFICIENT_ACCESS": "Give the user access to it, or the permission View All Data.",
    "INSUFFICIENT_ACCESS_OR_READONLY": (
        "Give the user access to it, or the permission View All Data."
    ),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": (
        "Give the user access to the related record as well."
    ),
    "INVALID_FIELD": (
        "The field is gone or hidden: describe the object again, or give the user field access."
    ),
    "INVALID_TYPE": "The object is gone, misspelt or hidden from the user.",
    "OPERATION_TOO_LARGE": "Give the user the permission View All Data.",
    "TXN_SECURITY_METERING_ERROR": "Give the user the permission Exempt from Transaction Security.",
}


def refusal_of(
    status: int, headers: Mapping[str, str], body: bytes, *, what: str
) -> SfnbError | QuotaSignal | None:
    """
    The error that an answer means; None when it is good.

    Args:
        headers: of the answer; must be case-insensitive. Empty for a part of a composite answer.
        body: may be empty, HTML or cut off.
        what: the call, as people should see it: ``GET /services/data/v66.0/query``.
    """
    if _is_html(headers, body):
        return _from_html(status, headers, what)
    if status < 300 or status == 304:
        return None
    code, message = parse_error(body)
    said = f"{what}: {message or 'no reason given'} ({code or f'HTTP {status}'})."
    if limit := _spent_budget(code, message):
        return _quota(limit, headers, said)
    wait_s = retry_after_s(headers)
    if _is_away(status, code, message):
        return OrgUnavailable(said, retry_after_s=wait_s)
    if code == "REQUEST_LIMIT_EXCEEDED" or code in _PASSING_CODES or status in _PASSING_STATUS:
        return TransientError(said, retry_after_s=wait_s)
    return _lasting(status, code, said, what)


def _is_away(status: int, code: str, message: str) -> bool:
    if code == "API_CURRENTLY_DISABLED":
        # The SOAP guide means a moment's trouble of the whole org. With "for this user" it is the
        # user's profile, and lasts.
        return "for this user" not in message.lower()
    return status in _AWAY_STATUS or code == "SERVER_UNAVAILABLE"


def _lasting(status: int, code: str, said: str, what: str) -> SfnbError:
    """The refusals that stay when the same call is made again."""
    if status == 401:
        return LoginError(f"{said} Log in again, or check that the app's OAuth scopes include api.")
    if code in ("API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"):
        return _no_api(said)
    if code == "INVALID_QUERY_LOCATOR" or (status in (404, 409) and _RESULTS.search(what)):
        return ResultsGone(
            f"{said} The object must be read again from its start.", code=code or "NOT_FOUND"
        )
    advice = _ADVICE.get(code, "")
    if status == 410:
        advice = "The org no longer serves this API version; remove api_version from the settings."
    return ObjectError(f"{said} {advice}".rstrip(), code=code or _code_of(status))


def _no_api(said: str) -> LoginError:
    return LoginError(
        f"{said} Give the user the permission API Enabled, or check that the org's edition has "
        "the API."
    )


def is_of_all_calls(status: int, body: bytes) -> bool:
    """
    Whether any call would be refused so: the session ended, no API, an API version that is gone.
    """
    return status in (401, 410) or isinstance(refusal_of(status, {}, body, what=""), LoginError)


def parse_error(body: bytes) -> tuple[str, str]:
    """
    ``(code, message)`` of an error body in any of Salesforce's shapes; empty where it has none.
    """
    try:
        answer: Any = json_of(body, what="") if body.strip() else None
    except TransientError:
        return _parse_xml_error(body)
    entries = answer if isinstance(answer, list) else [answer]
    first = next((entry for entry in entries if isinstance(entry, dict)), {})
    code = (
        first.get("errorCode")
        or first.get("exceptionCode")
        or first.get("statusCode")
        or first.get("error")
        or ""
    )
    message = (
        first.get("message")
        or first.get("exceptionMessage")
        or first.get("error_description")
        or ""
    )
    return clean(str(code))[:100], _plain(str(message))


def _parse_xml_error(body: bytes) -> tuple[str, str]:
    text = body[:4000].decode("utf-8", "replace")
    found = [
        re.search(rf"<(?:\w+:)?{name}>([^<]*)<", text)
        for name in ("exceptionCode", "exceptionMessage")
    ]
    code, message = (match[1].strip() if match else "" for match in found)
    return clean(code)[:100], _plain(message)


def _plain(message: str) -> str:
    """One line; of a message with the query and a caret under it, what comes after."""
    lines = [line.strip() for line in message.splitlines()]
    starts = [n for n, line in enumerate(lines) if line.startswith("ERROR at Row")]
    kept = lines[starts[-1] + 1 :] if starts else lines
    return mask(" ".join(line for line in kept if line))[:500].rstrip(". ")


def _spent_budget(code: str, message: str) -> Api | None:
    if code == "REQUEST_LIMIT_EXCEEDED":
        # One code for two cases: the day's total, and too many long calls at once, which passes.
        return None if "concurrent" in message.lower() else "api"
    if code == "LIMIT_EXCEEDED" or (code == "API_ERROR" and "bulk v2 query" in message.lower()):
        return "bulk2_mb" if "result size" in message.lower() else "bulk2"
    if code.lower() == "exceededquota":
        return "bulk"
    return None


def _quota(api: Api, headers: Mapping[str, str], said: str) -> QuotaSignal:
    reading = parse_limit_header(headers.get(LIMIT_HEADER)) if api == "api" else None
    used, most = reading or (-1, -1)
    return QuotaSignal(
        api,
        used=used,
        in_flight=0,
        maximum=most,
        threshold=-1,
        reason=f"the org itself refuses: {said}",
    )


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    kind = headers.get("Content-Type", "").lower()
    return kind.startswith("text/html") or body[:200].lstrip().lower().startswith(
        (b"<!doctype html", b"<html")
    )


def _from_html(status: int, headers: Mapping[str, str], what: str) -> SfnbError:
    """HTML comes from the edge, a proxy or a maintenance page, never from the API."""
    if status in (414, 431):
        return ObjectError(
            f"{what}: the query is too long for an address (HTTP {status}).", code="URI_TOO_LONG"
        )
    return OrgUnavailable(
        f"{what}: received a web page instead of data (HTTP {status}). The org may be in "
        "maintenance. If it lasts, check the org's address and the proxy.",
        retry_after_s=retry_after_s(headers),
    )


def _code_of(status: int) -> str:
    return {403: "FORBIDDEN", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 414: "URI_TOO_LONG"}.get(
        status, f"HTTP_{status}"
    )
