"""``/query``, ``/queryAll`` and their cursors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sfnb_demo.data import ids
from sfnb_demo.errors import ApiError
from sfnb_demo.server.cursors import Cursor
from sfnb_demo.server.setup import DATA
from sfnb_demo.server.setup_query import select
from sfnb_demo.server.wire import Request, Response, json_answer, route
from sfnb_demo.soql.parser import parse

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

PAGE_ROWS = 2000
WIDE_FIELDS = 20
"""
From so many fields on, a page has half the rows. Salesforce calls the page size "a hint"; a
recorded query of 20 fields of Contact gave 1,000 of 1,505 rows, one of 11 fields of Account all
1,811.
"""


def query(org: DemoOrg, request: Request) -> Response:
    """GET /query?q=… or ?explain=…"""
    return _first_page(org, request, all_rows=False)


def query_all(org: DemoOrg, request: Request) -> Response:
    """GET /queryAll?q=…: deleted rows and archived activities too."""
    return _first_page(org, request, all_rows=True)


def next_page(org: DemoOrg, request: Request) -> Response:
    """GET /query/01g…-2000; both paths serve the cursors of both."""
    # Some clients append the whole nextRecordsUrl to /query/: only its last segment counts.
    locator = request.args["locator"].rsplit("/", 1)[-1]
    cursor_id, _, offset_text = locator.partition("-")
    cursor_id = ids.normal(cursor_id) or cursor_id
    if request.has_fault("locator_expired"):
        org.cursors.drop(cursor_id)
    cursor = org.cursors.find(
        cursor_id, now_s=org.clock.now_s(), session_number=_session_number(request)
    )
    if cursor is None or not offset_text.isdigit() or int(offset_text) > cursor.result.total_size:
        raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator", 400)
    return _page(request, cursor, cursor_id, int(offset_text))


def _first_page(org: DemoOrg, request: Request, *, all_rows: bool) -> Response:
    params = request.params
    if "explain" in params:
        return _explain(org, request, params["explain"])
    soql = params.get("q", "")
    if not soql.strip():
        raise ApiError("MALFORMED_QUERY", "SOQL statements cannot be empty or null", 400)
    if params.get("columns", "").lower() == "true":
        columns = org.database.columns(
            soql, all_rows=all_rows, version=request.version, user_id=request.user.user.user_id
        )
        return json_answer(columns)
    parsed = parse(soql)
    setup_rows = org.setup.data_rows(parsed.object)
    if setup_rows is not None:
        name = next(known for known in DATA if known.lower() == parsed.object.lower())
        return json_answer(select(parsed, setup_rows, name, request.data_url))
    result = org.database.query(
        soql, all_rows=all_rows, version=request.version, user_id=request.user.user.user_id
    )
    if result.is_count:
        return json_answer({"totalSize": result.total_size, "done": True, "records": []})
    page_rows = _page_rows(request.headers.get("sforce-query-options", ""))
    if result.width >= WIDE_FIELDS:
        page_rows = min(page_rows, org.options.wide_page_rows)
    cursor = Cursor(result, _session_number(request), org.clock.now_s(), page_rows)
    return _page(
        request, cursor, "" if result.total_size <= page_rows else org.cursors.keep(cursor), 0
    )


def _page(request: Request, cursor: Cursor, cursor_id: str, offset: int) -> Response:
    result = cursor.result
    rows = result.rows(offset, cursor.page_rows)
    end = offset + len(rows)
    is_done = end >= result.total_size or not rows
    answer: dict[str, Any] = {"totalSize": result.total_size, "done": is_done}
    if not is_done:
        # The address says /query/ for queryAll too (REST guide, QueryAll).
        answer["nextRecordsUrl"] = f"{request.data_url}/query/{cursor_id}-{end}"
    answer["records"] = rows
    return json_answer(answer)


def _page_rows(header: str) -> int:
    """``batchSize=500`` of Sforce-Query-Options: 200 to 2,000, and only a hint."""
    found = re.search(r"batchSize\s*=\s*(\d+)", header, re.IGNORECASE)
    return min(max(int(found[1]), 200), PAGE_ROWS) if found else PAGE_ROWS


def _explain(org: DemoOrg, request: Request, soql: str) -> Response:
    """A plan in Salesforce's form. The demo org always scans, so it says TableScan."""
    result = org.database.query(soql, all_rows=False, version=request.version)
    rows = org.database.count(result.object)
    return json_answer(
        {
            "plans": [
                {
                    "cardinality": result.total_size,
                    "fields": [],
                    "leadingOperationType": "TableScan",
                    "notes": [],
                    "relativeCost": round(0.5 + rows / 1_000_000, 3),
                    "sobjectCardinality": rows,
                    "sobjectType": result.object,
                }
            ],
            "sourceQuery": soql,
        }
    )


def _session_number(request: Request) -> int:
    return request.user.number


ROUTES = [
    route("GET", "/services/data/v{version}/query", query),
    route("GET", "/services/data/v{version}/queryAll", query_all),
    route("GET", "/services/data/v{version}/query/{locator+}", next_page),
    route("GET", "/services/data/v{version}/queryAll/{locator+}", next_page),
]
