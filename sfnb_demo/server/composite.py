"""``/composite`` and ``/composite/batch``: several requests in one call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sfnb_demo.errors import ApiError
from sfnb_demo.server.wire import Request, Response, body_length, empty_answer, json_answer, route
from sfnb_demo.server.write_options import RolledBack

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

MOST_SUBREQUESTS, MOST_QUERIES = 25, 5
"""REST guide, Composite: 25 subrequests, of them 5 queries or collections."""

MOST_GRAPHS, MOST_NODES = 75, 500
"""REST guide, Composite Graph."""

_REFERENCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")
_COSTLY = re.compile(
    r"/services/data/v\d\d\.0/(?:tooling/)?(query|queryAll|composite/sobjects)\b", re.IGNORECASE
)
_INSIDE = re.compile(
    r"/services/data/v\d\d\.0/(sobjects|query|queryAll|composite/sobjects)\b", re.IGNORECASE
)
_INSIDE_TOOLING = re.compile(r"/services/data/v\d\d\.0/tooling/(sobjects|query)\b", re.IGNORECASE)
_INHERITED = frozenset(
    {"sforce-duplicate-rule-header", "sforce-auto-assign", "sforce-call-options"}
)
_REFUSED_HEADERS = frozenset({"accept", "authorization", "content-type"})


class _Halted(Exception):
    """A reference to a subrequest that failed or does not exist."""


def composite(org: DemoOrg, request: Request) -> Response:
    """POST /composite: 200 even if every subrequest fails, and one call however many there are."""
    given = request.json_object()
    subrequests = _list_of(given, "compositeRequest")
    _check(subrequests, float(request.version), MOST_SUBREQUESTS)
    answers, _ = _run(org, request, subrequests, all_or_none=given.get("allOrNone") is True)
    return json_answer({"compositeResponse": answers})


def graph(org: DemoOrg, request: Request) -> Response:
    """POST /composite/graph: each graph is one transaction of its own; one call in all."""
    graphs = _list_of(request.json_object(), "graphs")
    nodes = [_list_of(g, "compositeRequest") if isinstance(g, dict) else [] for g in graphs]
    if len(graphs) > MOST_GRAPHS or sum(map(len, nodes)) > MOST_NODES:
        message = f"at most {MOST_GRAPHS} graphs with {MOST_NODES} nodes in all"
        raise ApiError("LIMIT_EXCEEDED", f"Limit exceeded: {message}", 400)
    results = []
    for one, subrequests in zip(graphs, nodes, strict=True):
        _check(subrequests, float(request.version), MOST_NODES)
        answers, is_good = _run(org, request, subrequests, all_or_none=True)
        results.append(
            {
                "graphId": str(one.get("graphId", "")),
                "graphResponse": {"compositeResponse": answers},
                "isSuccessful": is_good,
            }
        )
    return json_answer({"graphs": results})


def _run(
    org: DemoOrg, request: Request, subrequests: list[Any], *, all_or_none: bool
) -> tuple[list[dict[str, Any]], bool]:
    """The answers, and whether all is well; with ``all_or_none`` nothing is written otherwise."""
    answers: list[dict[str, Any]] = []

    def serve() -> bool:
        by_reference: dict[str, dict[str, Any]] = {}
        is_good = True
        for sub in subrequests:
            reference = str(sub["referenceId"])
            try:
                answer = _answer_one(org, request, sub, by_reference)
            except _Halted as halted:
                answer = _halted(str(halted))
            answer["referenceId"] = reference
            answers.append(answer)
            by_reference[reference] = answer
            is_good = is_good and not _has_failed(answer)
            if all_or_none and not is_good:
                raise RolledBack
        return is_good

    if not all_or_none:
        return answers, serve()
    try:
        with org.database.storage.writing():
            return answers, serve()
    except RolledBack:
        return _rolled_back(subrequests, answers), False


def _has_failed(answer: Mapping[str, Any]) -> bool:
    """Whether a subrequest was refused, or a record of its collection."""
    body = answer["body"]
    results = body if isinstance(body, list) else []
    is_partial = any(isinstance(r, dict) and r.get("success") is False for r in results)
    return answer["httpStatusCode"] >= 400 or is_partial


def _list_of(given: Mapping[str, Any], key: str) -> list[Any]:
    found = given.get(key)
    if not isinstance(found, list) or not found:
        message = f"{key} must be a list with at least one entry"
        raise ApiError("JSON_PARSER_ERROR", message, 400)
    return found


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


# -- subrequests -----------------------------------------------------------------------------------


def _check(subrequests: list[Any], version: float, most: int) -> None:
    """Refuse the whole call where Salesforce does."""
    if len(subrequests) > most:
        raise ApiError(
            "LIMIT_EXCEEDED",
            f"Limit exceeded: {len(subrequests)} subrequests, at most {most}",
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
    if most == MOST_SUBREQUESTS and queries > MOST_QUERIES:
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
    is_tooling = "/tooling/" in request.raw_path.lower()
    inside = _INSIDE_TOOLING if is_tooling else _INSIDE
    if not inside.match(target) or resource in org.options.refused_in_composite:
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
    # What the whole call says of how to write holds for its subrequests.
    outer = {name: v for name, v in request.headers.items() if name in _INHERITED}
    return Request(
        method=method.upper(),
        target=target,
        headers=outer | headers,
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


def _rolled_back(subrequests: list[Any], answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nothing was written, and every place but the one that failed says so."""
    message = (
        "The transaction was rolled back since another operation in the same transaction failed."
    )
    culprit = len(answers) - 1
    return [
        answers[place]
        if place == culprit
        else _halted(message) | {"referenceId": str(sub["referenceId"])}
        for place, sub in enumerate(subrequests)
    ]


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
    route("POST", _BASE + "/graph", graph),
]
