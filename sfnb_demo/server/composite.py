"""``/composite`` and ``/composite/batch``: several requests in one call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sfnb_demo.errors import ApiError
from sfnb_demo.server.wire import Request, Response, body_length, empty_answer, json_answer, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

MOST_SUBREQUESTS, MOST_QUERIES = 25, 5
"""REST guide, Composite: 25 subrequests, of them 5 queries or collections."""

_REFERENCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
_COSTLY = re.compile(
    r"/services/data/v\d\d\.0/(query|queryAll|composite/sobjects)\b", re.IGNORECASE
)
_INSIDE = re.compile(
    r"/services/data/v\d\d\.0/(sobjects|query|queryAll|composite/sobjects)\b", re.IGNORECASE
)
_REFUSED_HEADERS = frozenset({"accept", "authorization", "content-type"})


class _Halted(Exception):
    """A reference to a subrequest that failed or does not exist."""


def composite(org: DemoOrg, request: Request) -> Response:
    """POST /composite: 200 even if every subrequest fails, and one call however many there are."""
    given = request.json_object()
    subrequests = given.get("compositeRequest")
    if not isinstance(subrequests, list) or not subrequests:
        raise ApiError(
            "JSON_PARSER_ERROR", "compositeRequest must be a list with at least one subrequest", 400
        )
    _check(subrequests, float(request.version))
    is_all_or_none = given.get("allOrNone") is True
    answers: list[dict[str, Any]] = []
    undo: list[tuple[str, str]] = []
    by_reference: dict[str, dict[str, Any]] = {}
    for sub in subrequests:
        reference = str(sub["referenceId"])
        try:
            answer = _answer_one(org, request, sub, by_reference)
        except _Halted as halted:
            answer = _halted(str(halted))
        answer["referenceId"] = reference
        answers.append(answer)
        by_reference[reference] = answer
        if answer["httpStatusCode"] == 201 and isinstance(answer["body"], dict):
            location = str(answer["httpHeaders"].get("Location", ""))
            undo.append((location.rpartition("/")[0].rpartition("/")[2], answer["body"]["id"]))
        if is_all_or_none and answer["httpStatusCode"] >= 400:
            return json_answer({"compositeResponse": _rolled_back(org, subrequests, answers, undo)})
    return json_answer({"compositeResponse": answers})


def batch(_org: DemoOrg, request: Request) -> Response:
    """POST /composite/batch: independent subrequests; each of them costs a call."""
    given = request.json_object()
    subrequests = given.get("batchRequests")
    if not isinstance(subrequests, list) or not subrequests:
        raise ApiError(
            "JSON_PARSER_ERROR", "batchRequests must be a list with at least one subrequest", 400
        )
    if len(subrequests) > MOST_SUBREQUESTS:
        raise ApiError(
            "LIMIT_EXCEEDED",
            f"Too many subrequests: {len(subrequests)}, at most {MOST_SUBREQUESTS}",
            400,
        )
    results: list[dict[str, Any]] = []
    has_errors = False
    for sub in subrequests:
        if has_errors and given.get("haltOnError") is True:
            message = "Batch processing halted per request"
            halted = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": message}]
            results.append({"statusCode": 412, "result": halted})
            continue
        url = str(sub.get("url", ""))
        # Short form v66.0/…, long form /services/data/v66.0/…: clients send either.
        target = url if url.startswith("/services/data/") else "/services/data/" + url.lstrip("/")
        inner = _inner(request, str(sub.get("method", "GET")), target, sub.get("richInput"), {})
        response = request.subanswer(inner)
        results.append({"statusCode": response.status, "result": _value(response)})
        has_errors = has_errors or response.status >= 400
    return json_answer({"hasErrors": has_errors, "results": results})


def not_here(_org: DemoOrg, request: Request) -> Response:
    """Writing in bulk, trees and graphs: known resources that this demo org does not serve."""
    raise ApiError("NOT_IMPLEMENTED", f"The demo org does not serve {request.path} yet.", 501)


# -- subrequests -----------------------------------------------------------------------------------


def _check(subrequests: list[Any], version: float) -> None:
    """Refuse the whole call where Salesforce does."""
    if len(subrequests) > MOST_SUBREQUESTS:
        raise ApiError(
            "LIMIT_EXCEEDED",
            f"Limit exceeded: {len(subrequests)} subrequests, at most {MOST_SUBREQUESTS}",
            400,
        )
    seen: set[str] = set()
    for sub in subrequests:
        if not isinstance(sub, dict) or not {"method", "url", "referenceId"} <= set(sub):
            raise ApiError(
                "JSON_PARSER_ERROR", "Each subrequest needs method, url and referenceId", 400
            )
        reference = str(sub["referenceId"])
        if version >= 52 and not _REFERENCE_ID.fullmatch(reference):
            raise ApiError("JSON_PARSER_ERROR", f"Invalid reference ID: {reference}", 400)
        if reference in seen:
            raise ApiError(
                "JSON_PARSER_ERROR", f"The reference ID {reference} is used more than once", 400
            )
        seen.add(reference)
        refused = {str(name).lower() for name in sub.get("httpHeaders") or {}} & _REFUSED_HEADERS
        if refused:
            raise ApiError(
                "JSON_PARSER_ERROR",
                f"Header not allowed in a subrequest: {', '.join(sorted(refused))}",
                400,
            )
    queries = sum(bool(_COSTLY.match(str(sub["url"]))) for sub in subrequests)
    if queries > MOST_QUERIES:
        raise ApiError(
            "LIMIT_EXCEEDED",
            f"Limit exceeded: {queries} query or collections operations, at most {MOST_QUERIES}",
            400,
        )


def _answer_one(
    org: DemoOrg, request: Request, sub: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    target = _filled(str(sub["url"]), known, is_url=True)
    body = _filled_json(sub.get("body"), known)
    resource = target.partition("?")[0].rstrip("/").rpartition("/")[2].lower()
    if not _INSIDE.match(target) or resource in org.options.refused_in_composite:
        error = {
            "errorCode": "INVALID_INPUT",
            "message": f"The url {target} is not supported in a composite request.",
        }
        return {"body": [error], "httpHeaders": {}, "httpStatusCode": 400}
    headers = {
        str(name).lower(): str(value) for name, value in (sub.get("httpHeaders") or {}).items()
    }
    response = request.subanswer(_inner(request, str(sub["method"]), target, body, headers))
    return {
        "body": _value(response),
        "httpHeaders": dict(response.headers),
        "httpStatusCode": response.status,
    }


def _inner(
    request: Request, method: str, target: str, body: Any, headers: dict[str, str]
) -> Request:
    # Clients may leave spaces in a subrequest's address.
    target = quote(target, safe="%/:=&?~#+!$,;'@()*[]<>\"\\{}^`|-._")
    return Request(
        method=method.upper(),
        target=target,
        headers=headers,
        body=b"" if body is None else json.dumps(body).encode(),
        base_url=request.base_url,
        is_inner=True,
        session=request.session,
        fault=request.fault,
    )


def _value(response: Response) -> Any:
    """A response's JSON as a value; null where there is no body."""
    return response.value if body_length(response.body) else None


def _halted(message: str) -> dict[str, Any]:
    error = {"errorCode": "PROCESSING_HALTED", "message": message}
    return {"body": [error], "httpHeaders": {}, "httpStatusCode": 400}


def _rolled_back(
    org: DemoOrg, subrequests: list[Any], answers: list[dict[str, Any]], undo: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """allOrNone: delete what was created, and say so in every place but the one that failed."""
    for name, record_id in reversed(undo):
        org.database.delete(name, record_id)
    message = (
        "The transaction was rolled back since another operation in the same transaction failed."
    )
    rolled = []
    for place, sub in enumerate(subrequests):
        is_culprit = place == len(answers) - 1
        rolled.append(
            answers[place]
            if is_culprit
            else _halted(message) | {"referenceId": str(sub["referenceId"])}
        )
    return rolled


def _filled_json(value: Any, known: Mapping[str, Mapping[str, Any]]) -> Any:
    if isinstance(value, str):
        return _filled(value, known, is_url=False)
    if isinstance(value, list):
        return [_filled_json(item, known) for item in value]
    if isinstance(value, dict):
        return {name: _filled_json(item, known) for name, item in value.items()}
    return value


def _filled(text: str, known: Mapping[str, Mapping[str, Any]], *, is_url: bool) -> str:
    """``@{ref.id}`` and ``@{ref.records[0].Id}`` replaced by what the earlier answer held."""

    def value(found: re.Match[str]) -> str:
        answer = known.get(found[1])
        if answer is None:
            raise _Halted(f"Invalid reference specified. No value for {found[1]} found.")
        if answer["httpStatusCode"] >= 400:
            raise _Halted(
                "The subrequest was not processed because a subrequest it refers to failed."
            )
        here: Any = answer["body"]
        for name, index in _STEP.findall(found[2]):
            try:
                here = here[name] if name else here[int(index)]
            except (KeyError, IndexError, TypeError) as err:
                raise _Halted(
                    f"Invalid reference specified. No value for {found[0]} found."
                ) from err
        return quote(str(here), safe="") if is_url else str(here)

    return _REFERENCE.sub(value, text)


_BASE = "/services/data/v{version}/composite"


def _resources(_org: DemoOrg, request: Request) -> Response:
    if request.method == "HEAD":
        return empty_answer(200)
    names = ("batch", "graph", "sobjects", "tree")
    return json_answer({name: f"{request.data_url}/composite/{name}" for name in names})


ROUTES = [
    route("GET", _BASE, _resources),
    route("POST", _BASE, composite),
    route("POST", _BASE + "/batch", batch),
    route("PATCH", _BASE + "/sobjects/{object}/{field}", not_here),
    route("POST", _BASE + "/tree/{object}", not_here),
    route("POST", _BASE + "/graph", not_here),
    route("POST", "/services/data/v{version}/jobs/ingest", not_here),
    route("GET", "/services/data/v{version}/jobs/ingest", not_here),
    route("GET", "/services/data/v{version}/jobs/ingest/{rest+}", not_here),
    route("PUT", "/services/data/v{version}/jobs/ingest/{rest+}", not_here),
    route("PATCH", "/services/data/v{version}/jobs/ingest/{rest+}", not_here),
    route("DELETE", "/services/data/v{version}/jobs/ingest/{rest+}", not_here),
]
