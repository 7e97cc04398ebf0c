"""Queries over REST: one page at a time, its body untouched."""

from __future__ import annotations

from dataclasses import dataclass, field

from sfnb.org.client import OrgClient


@dataclass(frozen=True, slots=True)
class QueryPage:
    """One page of a query's answer; ``body`` is the JSON text as sent, for ``arrow.json_batch``."""

    body: bytes = field(repr=False)


def fetch_query(org: OrgClient, soql: str, *, all_rows: bool) -> QueryPage:
    """
    The first page of a query's answer, up to 2,000 records. Cost: 1 API call.

    Args:
        all_rows: deleted and archived records too (``queryAll``).

    Raises:
        ObjectError: the query was refused; its code says why. See ``OrgClient.request`` for the rest.
    """
    path = "queryAll" if all_rows else "query"
    return QueryPage(org.retrying(lambda: org.request("GET", path, params={"q": soql})).content)
