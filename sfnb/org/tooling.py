"""
The Tooling API: what an admin has set up, read and switched (Tooling API guide).

Its queries and records ride in composite calls of its own, 25 to a call and 5 of them queries, as
those of the data API do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from sfnb.org.answers import json_of
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse, fetch_composite, send_composite
from sfnb.org.prices import MAX_SUBREQUESTS
from sfnb.org.rows import all_rows

COMPOSITE = "tooling/composite"


def query_request(org: OrgClient, reference: str, soql: str, *, tooling: bool) -> SubRequest:
    """A query as a part of a composite call of the Tooling API, or of the data API."""
    base = "tooling/query" if tooling else "query"
    return SubRequest(reference, org.data_path(f"{base}?q={quote(soql, safe='')}"))


def read_request(org: OrgClient, reference: str, kind: str, record_id: str) -> SubRequest:
    """One record with all its fields, Metadata among them: a query gives that of one row only."""
    return SubRequest(reference, org.data_path(f"tooling/sobjects/{kind}/{record_id}"))


def change_request(
    org: OrgClient, reference: str, kind: str, record_id: str, metadata: Mapping[str, Any]
) -> SubRequest:
    """
    A change of a record's Metadata. It is replaced as a whole, so what is to stay is sent, too.
    """
    url = org.data_path(f"tooling/sobjects/{kind}/{record_id}")
    return SubRequest(reference, url, method="PATCH", body={"Metadata": dict(metadata)})


def fetch_tooling(org: OrgClient, subrequests: Sequence[SubRequest]) -> list[SubResponse]:
    """The answers, in order. Cost: 1 API call for each 25 subrequests."""
    return [
        answer
        for first in range(0, len(subrequests), MAX_SUBREQUESTS)
        for answer in fetch_composite(
            org, subrequests[first : first + MAX_SUBREQUESTS], path=COMPOSITE
        )
    ]


def send_tooling(org: OrgClient, subrequests: Sequence[SubRequest]) -> list[SubResponse]:
    """
    The answers to at most 25 changes, sent once. Cost: 1 API call.

    Raises:
        TransientError: what became of them is not known.
    """
    return send_composite(org, subrequests, path=COMPOSITE)


def query_all(org: OrgClient, soql: str) -> list[Mapping[str, Any]]:
    """
    The records of a query of the Tooling API, all pages. Cost: 1 API call for each page.

    Raises:
        ObjectError, TransientError, QuotaSignal: the query was refused.
    """
    first = org.fetch_json("GET", f"tooling/query?q={quote(soql, safe='')}")
    return all_rows(first, lambda path: org.fetch_json("GET", path), what="the Tooling API")


def rows_of(org: OrgClient, answer: SubResponse, what: str) -> list[Mapping[str, Any]]:
    """
    The records of a query's answer, all pages. Cost: 1 API call for each page after the first.

    Raises:
        ObjectError, TransientError, QuotaSignal: the query was refused.
    """
    refused = answer.refusal(what)
    if refused is not None:
        raise refused
    first = json_of(answer.body, what=what)
    return all_rows(first, lambda path: org.fetch_json("GET", path), what=what)
