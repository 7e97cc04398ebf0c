"""
The answer when a fault rule hits a call: another one instead of the true one, or the true one
changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sfnb_demo.errors import ApiError
from sfnb_demo.server.asked import Asked
from sfnb_demo.server.faults import Rule
from sfnb_demo.server.oversize import oversize
from sfnb_demo.server.refusals import concurrent_requests
from sfnb_demo.server.rewriting import Rewrite, rewritten
from sfnb_demo.server.wire import Request, Response, error_answer
from sfnb_demo.soql.frame import no_such_field

_HTML = (
    b"<!DOCTYPE html><html><head><title>Salesforce Edge</title></head>"
    b"<body><h1>We are setting things up...</h1>"
    b"<p>This page will be back soon.</p></body></html>"
)
_PLACEHOLDER = re.compile(r"\{(target|path|host|url|https_url|last:[^}]+)\}")

# Status and words of codes that Salesforce answers by itself (REST guide, Status Codes and Error
# Responses; messages as recorded in public projects).
_KNOWN = {
    "UNKNOWN_EXCEPTION": (
        500,
        "An unexpected error occurred. Please include this ErrorId if you contact support: "
        "1234567890-12345 (1234567890)",
    ),
    "SERVER_UNAVAILABLE": (503, "Server is unavailable, try later."),
    "QUERY_TIMEOUT": (400, "Your query request was running for too long."),
    "QUERY_TOO_COMPLICATED": (
        400,
        "Query is either selecting too many fields or the filter conditions are too complicated.",
    ),
    "API_CURRENTLY_DISABLED": (403, "API is currently disabled for this User"),
    "API_DISABLED_FOR_ORG": (403, "The REST API is not enabled for this Organization."),
    "UNSUPPORTED_API_VERSION": (410, "The requested resource is no longer available."),
    "INSUFFICIENT_ACCESS": (403, "insufficient access rights on object id"),
    "INVALID_SESSION_ID": (401, "Session expired or invalid"),
    "INVALID_QUERY_LOCATOR": (400, "invalid query locator"),
    "OPERATION_TOO_LARGE": (
        403,
        "exceeded 100000 distinct who/what's, or exceeded the time limit for this query",
    ),
    "NOT_FOUND": (404, "The requested resource does not exist"),
    "INVALIDENTITY": (400, "Entity is not supported by the Bulk API."),
    "INVALID_FIELD": (400, ""),
    "INVALID_TYPE": (400, ""),
}


def instead(rule: Rule, request: Request, base_urls: Mapping[str, str]) -> Response | None:
    """
    The answer instead of the true one; None if the fault lets the true one through.

    Args:
        base_urls: the org's two addresses, as ``url`` and ``https_url``.

    Raises:
        ApiError: refusals whose form the route decides.
    """
    if rule.fault == "concurrent_limit":
        raise concurrent_requests()
    if rule.fault == "error":
        raise error_of(rule, request)
    if rule.fault == "replay":
        return None if rule.has_own_headers else rule.kept.get(request.path)
    make = _INSTEAD.get(rule.fault)
    return make(rule, request, base_urls) if make else None


def changed(
    rule: Rule, request: Request, response: Response, base_urls: Mapping[str, str]
) -> Response:
    """The true answer as the client gets it."""
    if rule.fault == "replay":
        kept = rule.kept.setdefault(request.path, response)
        return Response(
            kept.status, kept.body, kept.content_type, dict(response.headers), kept.value
        )
    if rule.fault != "rewrite":
        return _with_headers(rule, request, response, base_urls)
    made = rewritten(rule.rewrite, response, lambda text: _filled(rule, request, base_urls, text))
    rule.last = _values(response)
    return made.with_status(rule.status) if rule.status else made


def _with_headers(
    rule: Rule, request: Request, response: Response, base_urls: Mapping[str, str]
) -> Response:
    """Any fault may set or remove headers, such as the Retry-After of a 503."""
    if not rule.rewrite.headers:
        return response
    only = Rewrite(headers=rule.rewrite.headers)
    return rewritten(only, response, lambda text: _filled(rule, request, base_urls, text))


def error_of(rule: Rule, request: Request) -> ApiError:
    """The rule's error, with Salesforce's own status and words where the rule gives none."""
    status, words = _KNOWN.get(rule.code, (400, rule.code))
    status = rule.status or status
    if not rule.message and rule.code == "INVALID_FIELD" and rule.field_name:
        asked = Asked(request.method, request.target, request.body)
        at = max(asked.soql.lower().find(rule.field_name.lower()), 0)
        framed = no_such_field(asked.soql, at, rule.field_name, asked.object_name)
        return ApiError(rule.code, framed.message, status)
    return ApiError(rule.code, rule.message or words or rule.code, status)


def _html(rule: Rule, _request: Request, _base_urls: Mapping[str, str]) -> Response:
    return Response(rule.status or 503, _HTML, "text/html")


def _empty406(_rule: Rule, _request: Request, _base_urls: Mapping[str, str]) -> Response:
    return Response(406)


def _status503(rule: Rule, _request: Request, _base_urls: Mapping[str, str]) -> Response:
    status, words = _KNOWN["SERVER_UNAVAILABLE"]
    return error_answer(ApiError("SERVER_UNAVAILABLE", rule.message or words, status))


def _redirect(rule: Rule, request: Request, base_urls: Mapping[str, str]) -> Response:
    to = _filled(rule, request, base_urls, rule.to)
    return Response(rule.status or 302, b"", "text/html", {"Location": to})


def _huge(rule: Rule, request: Request, _base_urls: Mapping[str, str]) -> Response:
    return oversize(rule.form, rule.size, is_csv="/results" in request.path)


_INSTEAD = {
    "html": _html,
    "empty406": _empty406,
    "status503": _status503,
    "redirect": _redirect,
    "huge": _huge,
}


def _filled(rule: Rule, request: Request, base_urls: Mapping[str, str], text: str) -> str:
    known = {
        "target": request.target,
        "path": request.raw_path,
        "host": request.base_url.partition("://")[2],
        **base_urls,
    }

    def value(found: re.Match[str]) -> str:
        kind, _, name = found[1].partition(":")
        return rule.last.get(name.lower(), "") if kind == "last" else known.get(kind, "")

    return _PLACEHOLDER.sub(value, text)


def _values(response: Response) -> dict[str, str]:
    """Headers and top-level texts of an answer, by lower-case name."""
    found = {name.lower(): value for name, value in response.headers.items()}
    if isinstance(response.body, bytes) and "json" in response.content_type:
        value = json.loads(response.body or b"null")
        if isinstance(value, dict):
            found |= {k.lower(): v for k, v in value.items() if isinstance(v, str)}
    return found
