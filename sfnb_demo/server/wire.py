"""Requests, answers and routes: everything between the socket and the org."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from sfnb_demo.errors import ApiError

if TYPE_CHECKING:
    from sfnb_demo.server.faults import Rule
    from sfnb_demo.server.org import DemoOrg
    from sfnb_demo.server.sessions import Session

JSON_TYPE = "application/json;charset=UTF-8"
XML_TYPE = "application/xml"
CSV_TYPE = "text/csv"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Slice:
    """``length`` bytes of a file from ``offset``; sent with sendfile where the socket can."""

    path: Path
    offset: int
    length: int


Body = bytes | tuple[bytes | Slice, ...]


def body_length(body: Body) -> int:
    if isinstance(body, bytes):
        return len(body)
    return sum(len(part) if isinstance(part, bytes) else part.length for part in body)


def whole_body(body: Body) -> bytes:
    return body if isinstance(body, bytes) else b"".join(body_blocks(body))


def body_blocks(body: tuple[bytes | Slice, ...]) -> Iterator[bytes]:
    """The body piece by piece, so that a large file need not fit into memory."""
    for part in body:
        if isinstance(part, bytes):
            yield part
            continue
        with part.path.open("rb") as file:
            file.seek(part.offset)
            left = part.length
            while left > 0 and (block := file.read(min(left, _BLOCK_BYTES))):
                left -= len(block)
                yield block


@dataclass(slots=True)
class Request:
    """
    One HTTP request, or one subrequest of a composite call.

    Args:
        target: path with query string as it was sent.
        path: decoded path, without the query string.
        headers: by name in lower case.
        base_url: scheme, host and port that the client used; what ``instance_url`` answers.
        is_inner: True for a subrequest.
        fault: the scripted fault of this call.
        answer_inner: serves a subrequest; None in a subrequest itself.
        args: the named groups of the route, decoded.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    base_url: str = ""
    is_inner: bool = False
    session: Session | None = None
    fault: Rule | None = None
    answer_inner: Callable[[Request], Response] | None = None
    args: dict[str, str] = field(default_factory=dict)

    @property
    def raw_path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        return unquote(self.raw_path)

    @property
    def params(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def version(self) -> str:
        """The API version of the path, such as ``66.0``; empty when the path has none."""
        return self.args.get("version", "")

    @property
    def data_url(self) -> str:
        return f"/services/data/v{self.version}"

    def has_fault(self, kind: str) -> bool:
        return self.fault is not None and self.fault.fault == kind

    @property
    def user(self) -> Session:
        """The session that sent this; only on routes that need one."""
        if self.session is None:
            raise ApiError("INVALID_SESSION_ID", "Session expired or invalid", 401)
        return self.session

    def subanswer(self, inner: Request) -> Response:
        """The answer to a subrequest of this composite call."""
        if self.answer_inner is None:
            raise ApiError("INVALID_INPUT", "Composite calls cannot be nested.", 400)
        return self.answer_inner(inner)

    def json(self) -> Any:
        """The body as JSON; ``JSON_PARSER_ERROR`` if it cannot be parsed."""
        try:
            return json.loads(self.body)
        except ValueError as err:
            raise ApiError(
                "JSON_PARSER_ERROR", f"Unexpected content in the request body: {err}", 400
            ) from err

    def json_object(self) -> dict[str, Any]:
        value = self.json()
        if not isinstance(value, dict):
            raise ApiError(
                "JSON_PARSER_ERROR",
                "Cannot deserialize the request body: an object is expected",
                400,
            )
        return value


@dataclass(slots=True)
class Response:
    """
    ``value`` is the JSON value of ``body``, kept so that composite answers need not parse it again.
    """

    status: int = 200
    body: Body = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    value: Any = None

    def with_status(self, status: int) -> Response:
        return replace(self, status=status)


def json_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_answer(value: Any, status: int = 200, **headers: str) -> Response:
    return Response(
        status,
        json_bytes(value),
        JSON_TYPE,
        {k.replace("_", "-"): v for k, v in headers.items()},
        value,
    )


def empty_answer(status: int = 204) -> Response:
    """No body at all: clients would parse the body of a 204."""
    return Response(status)


def error_answer(err: ApiError) -> Response:
    """REST's error form: an array of ``{message, errorCode, fields?}``."""
    entry: dict[str, Any] = {"message": err.message, "errorCode": err.code}
    if err.fields:
        entry["fields"] = list(err.fields)
    return json_answer([entry], err.status)


Handler = Callable[["DemoOrg", Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """
    Args:
        family: the form of a refusal: ``rest`` (JSON array), ``async`` (Bulk API 1), ``soap``.
            Calls of the family ``free`` are not counted and have no limit header.
        is_open: needs no session, and is free.
    """

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    family: str = "rest"
    is_open: bool = False


def route(
    method: str, path: str, handler: Handler, *, family: str = "rest", is_open: bool = False
) -> Route:
    """
    A route for ``path``; ``{name}`` is one segment, ``{name+}`` the rest, ``{version}`` an API
    version.

    A trailing slash is accepted and case is ignored: clients differ in both
    (``/query`` and ``/query/``, ``resultPages`` and ``resultpages``).
    """
    pattern = re.sub(r"\{version\}", r"(?P<version>\\d\\d\\.0)", path)
    pattern = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+?)", pattern)
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
    return Route(method, re.compile(pattern + "/?", re.IGNORECASE), handler, family, is_open)


def refusing(method: str, err: ApiError) -> Route:
    """A REST route for a path without one: it answers with the error."""

    def refuse(_org: DemoOrg, _request: Request) -> Response:
        raise err

    return Route(method, re.compile(".*"), refuse)


class Router:
    """Finds the route of a request, first match first."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)

    def find(self, request: Request) -> Route:
        """
        The route, with ``request.args`` filled in; ``ApiError`` 404 or 405 in Salesforce's words.

        HEAD is served as GET.
        """
        method = "GET" if request.method == "HEAD" else request.method
        # A POST may name the real method, for clients behind proxies that do not know PATCH (REST
        # guide).
        if method == "POST" and "_HttpMethod=PATCH" in request.target:
            method = "PATCH"
        allowed: list[str] = []
        for candidate in self._routes:
            found = candidate.pattern.fullmatch(request.raw_path)
            if found is None:
                continue
            if candidate.method == method:
                request.args = {name: unquote(value) for name, value in found.groupdict().items()}
                return candidate
            allowed.append(candidate.method)
        if allowed:
            raise ApiError(
                "METHOD_NOT_ALLOWED",
                f"HTTP Method '{request.method}' not allowed. Allowed are {','.join(sorted(set(allowed)))}",
                405,
            )
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
