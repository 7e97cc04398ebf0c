"""
Many calls in one: ``POST /composite`` carries up to 25 subrequests, 5 of them queries, for one counted call
(REST guide, Composite).

The inner bodies are cut out of the answer as JSON text. Parsing them into Python objects first, only to hand their
text on to Arrow, would cost more than everything else.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb.errors import QuotaSignal, SfnbError, TransientError
from sfnb.org.org import Org
from sfnb.org.prices import MAX_SUBREQUESTS
from sfnb.org.refusals import refusal_of

MAX_QUERIES = 5
"""Subrequests that are queries or collections, of one composite call."""

_QUERY_URL = re.compile(r"/services/data/v[\d.]+/(?:query|queryAll|composite/sobjects)\b", re.IGNORECASE)
_local = threading.local()


@dataclass(frozen=True, slots=True)
class SubRequest:
    """
    One subrequest.

    Args:
        reference: letters, digits and underscores, unique within the call.
        url: from the root: ``/services/data/v66.0/…``, its query string encoded. See ``Org.data_path``.
    """

    reference: str
    url: str
    method: str = "GET"
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_query(self) -> bool:
        return _QUERY_URL.match(self.url) is not None


@dataclass(frozen=True, slots=True)
class SubResponse:
    """One subrequest's answer; ``body`` is raw JSON text in UTF-8."""

    reference: str
    status: int
    body: bytes = field(repr=False)

    def refusal(self, what: str) -> SfnbError | QuotaSignal | None:
        """The error this answer stands for, or None when it is a good one. ``what`` names it for people."""
        return refusal_of(self.status, {}, self.body, what=what)


def group_subrequests(
    subrequests: Iterable[SubRequest], *, max_size: int = MAX_SUBREQUESTS, max_queries: int = MAX_QUERIES
) -> list[list[SubRequest]]:
    """The subrequests in as few calls as their order of arrival allows; queries and others fill up the same call."""
    groups: list[list[SubRequest]] = []
    open_for = {True: 0, False: 0}  # the first group that may still have room, for queries and for others
    queries: list[int] = []
    for sub in subrequests:
        at = open_for[sub.is_query]
        while at < len(groups) and (
            len(groups[at]) >= max_size or (sub.is_query and queries[at] >= min(max_queries, max_size))
        ):
            at += 1
        if at == len(groups):
            groups.append([])
            queries.append(0)
        groups[at].append(sub)
        queries[at] += sub.is_query
        open_for[sub.is_query] = at
    return groups


def fetch_composite(org: Org, subrequests: Sequence[SubRequest]) -> list[SubResponse]:
    """
    The answers, in the order of the subrequests. Cost: 1 API call, whatever is inside.

    A refused subrequest is an answer (see ``SubResponse.refusal``), not an exception.

    Raises:
        ObjectError: the whole call was refused. See ``Org.request`` for the rest.
    """
    envelope = {
        "allOrNone": False,
        "collateSubrequests": False,
        "compositeRequest": [_wire(sub) for sub in subrequests],
    }

    def once() -> list[SubResponse]:
        response = org.request("POST", "composite", json=envelope)
        return _in_order(cut_composite(response.content, len(subrequests)), subrequests)

    return org.retrying(once)


def cut_composite(text: bytes, count: int = MAX_SUBREQUESTS) -> list[SubResponse]:
    """
    The parts of a composite answer, at most ``count``.

    Raises:
        TransientError: it is no whole answer.
    """
    import duckdb

    names = ("referenceId", "httpStatusCode", "body")
    # All paths in one call: the text, which may have ten million characters, is parsed once. The text stands in a
    # subquery, since DuckDB works out an expression of constants twice: once when planning.
    paths = ", ".join(f"'$.compositeResponse[{n}].{name}'" for n in range(count) for name in names)
    sql = f"SELECT json_extract(text, [{paths}]) FROM (SELECT ?::VARCHAR AS text)"  # noqa: S608  numbers and our words
    try:
        values = _duckdb().execute(sql, [text.decode()]).fetchone()[0]
    except (duckdb.Error, UnicodeError):
        # DuckDB refuses what JSON allows here and there, such as half of a surrogate pair.
        return _cut_in_python(text)
    parts = [
        SubResponse(json.loads(reference), int(status), (body or "null").encode())
        for reference, status, body in zip(values[0::3], values[1::3], values[2::3], strict=True)
        if reference is not None and status is not None
    ]
    return parts or _cut_in_python(text)


def _cut_in_python(text: bytes) -> list[SubResponse]:
    try:
        parts = json.loads(text)["compositeResponse"]
        return [
            # Escaped: half of a surrogate pair cannot be written as UTF-8.
            SubResponse(part["referenceId"], part["httpStatusCode"], json.dumps(part["body"]).encode())
            for part in parts
        ]
    except (ValueError, KeyError, TypeError) as err:
        raise TransientError("the answer of a composite call is no whole JSON text.") from err


def _duckdb() -> Any:
    """This thread's own connection: they cannot be shared, and opening one takes longer than using it."""
    import duckdb

    if not hasattr(_local, "connection"):
        _local.connection = duckdb.connect(":memory:", config={"threads": 1})
    return _local.connection


def _wire(sub: SubRequest) -> dict[str, Any]:
    wire: dict[str, Any] = {"method": sub.method, "url": sub.url, "referenceId": sub.reference}
    if sub.body is not None:
        wire["body"] = sub.body
    if sub.headers:
        wire["httpHeaders"] = sub.headers
    return wire


def _in_order(parts: Sequence[SubResponse], subrequests: Sequence[SubRequest]) -> list[SubResponse]:
    by_reference = {part.reference: part for part in parts}
    if missing := [sub.reference for sub in subrequests if sub.reference not in by_reference]:
        raise TransientError(f"a composite answer lacks {len(missing)} of {len(subrequests)} parts.")
    return [by_reference[sub.reference] for sub in subrequests]
