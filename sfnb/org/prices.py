"""
What each HTTP call draws from the four budgets: a pure table.

A call that this table does not know costs one API call; only what Salesforce does not count is
free. Where the cost cannot be known before sending (PK chunking of Bulk API 1 creates batches on
its own), the org's next reading corrects us.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from sfnb.model import Price

FREE: Price = {}
ONE: Price = {"api": 1}

MAX_SUBREQUESTS = 25
"""Of a composite or batch request (REST guide, Composite)."""

_BATCH_ROWS = 10_000  # Bulk API 2.0 splits an upload into batches of 10,000 rows, each one counted.
_LEAST_ROW_BYTES = 19  # an 18-character id and a line feed
_MOST_UPLOAD_BYTES = 150_000_000  # Bulk API 2.0 guide, upload limit

# SOAP login() is answered before there is a session, so nobody can be charged; it has no limit
# header.
_SOAP_LOGIN = re.compile(rb"<(?:\w+:)?login[\s>]")
_FREE_PATHS = re.compile(r"/services/oauth2/.*|/id/.*|/services/data/?")
_QUERY_RESULTS = re.compile(r"/services/data/v[\d.]+/jobs/query/\w+/results/?")


def price_of(method: str, url: str, body: object = None, *, expected_mb: int = 0) -> Price:
    """
    What the call draws on; empty: nothing.

    Args:
        body: what is sent: bytes, text, a stream or None.
        expected_mb: of a Bulk API 2.0 result page; Salesforce counts MB of query results a day.
    """
    method = method.upper()
    path = urlsplit(url).path.lower()
    if _FREE_PATHS.fullmatch(path) or (
        path.startswith("/services/soap/") and _SOAP_LOGIN.search(_bytes(body))
    ):
        return FREE
    if expected_mb > 0 and method == "GET" and _QUERY_RESULTS.fullmatch(path):
        return {"api": 1, "bulk2_mb": expected_mb}
    for verb, pattern, price in _SPECIAL:
        if method == verb and re.fullmatch(pattern, path):
            return price(body)
    return ONE


def _subrequests(body: object) -> Price:
    """Each subrequest of a batch counts; one that we cannot read is taken for a full one."""
    try:
        return {"api": max(len(json.loads(_bytes(body))["batchRequests"]), 1)}
    except (ValueError, KeyError, TypeError):
        return {"api": MAX_SUBREQUESTS}


def _batches(body: object) -> Price:
    """Internal batches of an upload; never too few, since line ends within values count as rows."""
    if isinstance(body, str | bytes | bytearray):
        return {"api": 1, "bulk": _bytes(body).count(b"\n") // _BATCH_ROWS + 1}
    rows = getattr(body, "rows", None)
    if isinstance(rows, int):
        return {"api": 1, "bulk": max(rows - 1, 0) // _BATCH_ROWS + 1}
    return {"api": 1, "bulk": _MOST_UPLOAD_BYTES // (_LEAST_ROW_BYTES * _BATCH_ROWS) + 1}


def _ingest_job(body: object) -> Price:
    """A multipart create carries its rows along, at most 100,000 characters of them: one batch."""
    return {"api": 1, "bulk": 1} if _bytes(body).startswith(b"--") else ONE


_SPECIAL: tuple[tuple[str, str, Callable[[object], Price]], ...] = (
    ("POST", r"/services/data/v[\d.]+/composite/batch/?", _subrequests),
    ("POST", r"/services/data/v[\d.]+/jobs/query/?", lambda _: {"api": 1, "bulk2": 1}),
    ("POST", r"/services/data/v[\d.]+/jobs/ingest/?", _ingest_job),
    ("PUT", r"/services/data/v[\d.]+/jobs/ingest/\w+/batches/?", _batches),
    ("POST", r"/services/async/[\d.]+/job/\w+/batch/?", lambda _: {"api": 1, "bulk": 1}),
)


def _bytes(body: object) -> bytes:
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, bytes | bytearray) else b""
