"""``/tooling``: queries, records and composite calls of what an admin has set up (``setup``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfnb_demo.data import ids
from sfnb_demo.errors import ApiError
from sfnb_demo.server import composite, query
from sfnb_demo.server.setup import PREFIXES, TOOLING
from sfnb_demo.server.setup_query import select
from sfnb_demo.server.wire import Request, Response, empty_answer, json_answer, route
from sfnb_demo.soql.parser import parse

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

_BASE = "/services/data/v{version}/tooling"


def tooling_query(org: DemoOrg, request: Request) -> Response:
    """GET /tooling/query; of an object that is none of the Tooling API's, as /query."""
    soql = request.params.get("q", "")
    parsed = parse(soql)
    rows = org.setup.rows(parsed.object)
    if rows is None:
        return query.query(org, request)
    name = next(known for known in TOOLING if known.lower() == parsed.object.lower())
    return json_answer(select(parsed, rows, name, f"{request.data_url}/tooling"))


def objects(_org: DemoOrg, request: Request) -> Response:
    entries = [_entry(name, request) for name in TOOLING]
    return json_answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries})


def describe(org: DemoOrg, request: Request) -> Response:
    name, rows = _rows(org, request)
    fields = [
        {"name": field, "label": field, "type": _type(field, value)}
        for field, value in (rows[0] if rows else {"Id": ""}).items()
        if not (isinstance(value, dict) and field != "Metadata")
    ]
    return json_answer(_entry(name, request) | {"fields": fields})


def retrieve(org: DemoOrg, request: Request) -> Response:
    name, row = _row(org, request)
    url = f"{request.data_url}/tooling/sobjects/{name}/{row['Id']}"
    values = {k: v for k, v in row.items() if not isinstance(v, dict) or k == "Metadata"}
    return json_answer({"attributes": {"type": name, "url": url}, **values})


def update(org: DemoOrg, request: Request) -> Response:
    name, row = _row(org, request)
    org.setup.change(name, row, request.json_object())
    return empty_answer()


def _rows(org: DemoOrg, request: Request) -> tuple[str, list[dict[str, Any]]]:
    given = request.args["object"]
    rows = org.setup.rows(given)
    if rows is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    return next(known for known in TOOLING if known.lower() == given.lower()), rows


def _row(org: DemoOrg, request: Request) -> tuple[str, dict[str, Any]]:
    name, rows = _rows(org, request)
    record_id = ids.normal(request.args["id"]) or request.args["id"]
    found = next((row for row in rows if row["Id"] == record_id), None)
    if found is None:
        raise ApiError(
            "NOT_FOUND", "Provided external ID field does not exist or is not accessible", 404
        )
    return name, found


def _type(field: str, value: Any) -> str:
    if field == "Id":
        return "id"
    return {bool: "boolean", float: "double", int: "int", dict: "complexvalue"}.get(
        type(value), "string"
    )


def _entry(name: str, request: Request) -> dict[str, Any]:
    url = f"{request.data_url}/tooling/sobjects/{name}"
    return {
        "name": name,
        "label": name,
        "keyPrefix": PREFIXES.get(name),
        "queryable": True,
        "urls": {"sobject": url, "describe": f"{url}/describe", "rowTemplate": f"{url}/{{ID}}"},
    }


ROUTES = [
    route("GET", _BASE + "/query", tooling_query),
    route("GET", _BASE + "/sobjects", objects),
    route("GET", _BASE + "/sobjects/{object}/describe", describe),
    route("GET", _BASE + "/sobjects/{object}/{id}", retrieve),
    route("PATCH", _BASE + "/sobjects/{object}/{id}", update),
    route("POST", _BASE + "/composite", composite.composite),
]
