"""``/composite/sobjects``: up to 200 records written, 2,000 read, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sfnb_demo.errors import ApiError
from sfnb_demo.server.wire import Request, Response, json_answer, route

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg


def retrieve_many(org: DemoOrg, request: Request) -> Response:
    """
    GET (≤ 800 ids in the URL) or POST (≤ 2,000) /composite/sobjects/{object}: null where nothing
    was found.
    """
    name = org.object_name(request.args["object"], request.user.user.user_id)
    if name is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    if request.method == "POST":
        given = request.json_object()
        record_ids, fields = given.get("ids"), given.get("fields")
        most = 2000
    else:
        params = request.params
        record_ids = [part for part in params.get("ids", "").split(",") if part]
        fields = [part for part in params.get("fields", "").split(",") if part]
        most = 800
    if not isinstance(record_ids, list) or not isinstance(fields, list) or not fields:
        raise ApiError("JSON_PARSER_ERROR", "ids and fields must both be given", 400)
    if len(record_ids) > most:
        raise ApiError(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot retrieve more than {most} records",
            400,
        )
    wanted = [str(field_name) for field_name in fields]
    rows: list[dict[str, Any] | None] = []
    for record_id in record_ids:
        try:
            rows.append(
                org.database.retrieve(
                    name,
                    str(record_id),
                    wanted,
                    version=request.version,
                    user_id=request.user.user.user_id,
                )
            )
        except ApiError as err:
            if err.code not in ("NOT_FOUND", "ENTITY_IS_DELETED"):
                raise
            rows.append(None)
    return json_answer(rows)


def save_many(org: DemoOrg, request: Request) -> Response:
    """POST (insert) or PATCH (update) /composite/sobjects: HTTP 200 even if rows are refused."""
    given = request.json_object()
    records = given.get("records")
    if not isinstance(records, list):
        raise ApiError("JSON_PARSER_ERROR", "records must be a list", 400)
    if len(records) > 200:
        raise ApiError(
            "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records", 400
        )
    if given.get("allOrNone") is True:
        raise ApiError(
            "NOT_IMPLEMENTED",
            "The demo org has no allOrNone for collections; send allOrNone=false.",
            501,
        )
    return json_answer([_save_one(org, request, record) for record in records])


def delete_many(org: DemoOrg, request: Request) -> Response:
    """DELETE /composite/sobjects?ids=…"""
    if request.params.get("allOrNone", "").lower() == "true":
        raise ApiError(
            "NOT_IMPLEMENTED",
            "The demo org has no allOrNone for collections; send allOrNone=false.",
            501,
        )
    results: list[dict[str, Any]] = []
    for record_id in (part for part in request.params.get("ids", "").split(",") if part):
        name = org.object_of_id(record_id)
        try:
            if name is None:
                raise ApiError("MALFORMED_ID", f"bad id {record_id}", 400)
            org.database.delete(name, record_id, user_id=request.user.user.user_id)
            results.append({"id": record_id, "success": True, "errors": []})
        except ApiError as err:
            results.append(_save_error(err, record_id))
    return json_answer(results)


def _save_one(org: DemoOrg, request: Request, record: Any) -> dict[str, Any]:
    try:
        if not isinstance(record, dict) or not isinstance(record.get("attributes"), dict):
            raise ApiError("INVALID_INPUT", "Each record needs attributes with its type", 400)
        given = str(record["attributes"].get("type", ""))
        name = org.object_name(given, request.user.user.user_id)
        if name is None:
            raise ApiError("INVALID_TYPE", f"sObject type '{given}' is not supported.", 400)
        values = {
            key: value for key, value in record.items() if key not in ("attributes", "Id", "id")
        }
        user_id = request.user.user.user_id
        if request.method == "POST":
            return {
                "id": org.database.insert(name, values, user_id=user_id),
                "success": True,
                "errors": [],
            }
        record_id = str(record.get("Id") or record.get("id") or "")
        if not record_id:
            raise ApiError("MISSING_ARGUMENT", "Id not specified in an update call", 400, ["Id"])
        org.database.update(name, record_id, values, user_id=user_id)
        return {"id": record_id, "success": True, "errors": []}
    except ApiError as err:
        return _save_error(err, None)


def _save_error(err: ApiError, record_id: str | None) -> dict[str, Any]:
    """In save results the key is ``statusCode``, not ``errorCode``."""
    entry = {"statusCode": err.code, "message": err.message, "fields": err.fields}
    return ({"id": record_id} if record_id else {}) | {"success": False, "errors": [entry]}


_BASE = "/services/data/v{version}/composite/sobjects"

ROUTES = [
    route("POST", _BASE, save_many),
    route("PATCH", _BASE, save_many),
    route("DELETE", _BASE, delete_many),
    route("GET", _BASE + "/{object}", retrieve_many),
    route("POST", _BASE + "/{object}", retrieve_many),
]
