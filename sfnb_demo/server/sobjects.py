"""``/sobjects``: describes, rows, change lists and bodies of files."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from sfnb_demo.data import content, ids
from sfnb_demo.data import describe as describing
from sfnb_demo.data.writing.incoming import Saved
from sfnb_demo.errors import ApiError
from sfnb_demo.server.clock import rest_time
from sfnb_demo.server.multipart import read_multipart
from sfnb_demo.server.wire import CSV_TYPE, Request, Response, empty_answer, json_answer, route
from sfnb_demo.server.write_options import write_options

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

_BASE = "/services/data/v{version}/sobjects"


def global_describe(org: DemoOrg, request: Request) -> Response:
    changed_at = org.database.schema_dates.latest
    if _is_unchanged(org, request, changed_at):
        return empty_answer(304)
    entries = [
        org.database.global_entry(name, request.version)
        for name in org.database.object_names(_user_id(request))
    ]
    answer = json_answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries})
    return _dated(org, answer, changed_at)


def basic_info(org: DemoOrg, request: Request) -> Response:
    name = _object(org, request)
    return json_answer(
        {"objectDescribe": org.database.global_entry(name, request.version), "recentItems": []}
    )


def describe(org: DemoOrg, request: Request) -> Response:
    name = _object(org, request)
    changed_at = org.database.schema_dates.of(name)
    if _is_unchanged(org, request, changed_at):
        return empty_answer(304)
    answer = org.database.describe(name, request.version, _user_id(request))
    return _dated(org, json_answer(answer), changed_at)


def layouts(org: DemoOrg, request: Request) -> Response:
    name = _object(org, request)
    answer = org.database.describe(name, request.version, _user_id(request))
    return json_answer(describing.layouts(org.database.catalog.objects[name], answer))


def create(org: DemoOrg, request: Request) -> Response:
    name = _object(org, request)
    record_id = _good(org.database.insert_many(name, [_values(request)], write_options(request)))
    answer = json_answer({"id": record_id, "success": True, "errors": []}, 201)
    answer.headers["Location"] = f"{request.data_url}/sobjects/{name}/{record_id}"
    return answer


def retrieve(org: DemoOrg, request: Request) -> Response:
    name = _object(org, request)
    fields = request.params.get("fields")
    wanted = [f.strip() for f in fields.split(",") if f.strip()] if fields else None
    return json_answer(
        org.database.retrieve(
            name, request.args["id"], wanted, version=request.version, user_id=_user_id(request)
        )
    )


def update(org: DemoOrg, request: Request) -> Response:
    record = request.args["id"], _values(request)
    _good(org.database.update_many(_object(org, request), [record], write_options(request)))
    return empty_answer()


def delete(org: DemoOrg, request: Request) -> Response:
    org.database.delete(_object(org, request), request.args["id"], user_id=_user_id(request))
    return empty_answer()


def retrieve_external(org: DemoOrg, request: Request) -> Response:
    """GET by an external id: the row, or 300 with the addresses of all that match."""
    name, matches = _matches(org, request)
    if not matches:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    if len(matches) > 1:
        return _ambiguous(request, name, matches)
    found = org.database.retrieve(
        name, matches[0], version=request.version, user_id=_user_id(request)
    )
    return json_answer(found)


def upsert(org: DemoOrg, request: Request) -> Response:
    """PATCH by an external id: 201 created, 200 updated (204 up to version 45), 300 ambiguous."""
    name, matches = _matches(org, request)
    if len(matches) > 1:
        return _ambiguous(request, name, matches)
    values = _values(request)
    field_name = request.args["field"]
    if field_name.lower() == "id":
        if not matches:
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    elif any(key.lower() == field_name.lower() for key in values):
        message = f"The {field_name} field should not be specified in the sobject data."
        raise ApiError("INVALID_FIELD", message, 400, [field_name])
    if matches:
        options = replace(write_options(request), is_upsert=True)
        _good(org.database.update_many(name, [(matches[0], values)], options))
        if float(request.version) < 46:
            return empty_answer()
        return json_answer({"id": matches[0], "success": True, "errors": [], "created": False})
    options = replace(write_options(request), is_upsert=True)
    keyed = values | {field_name: request.args["value"]}
    record_id = _good(org.database.insert_many(name, [keyed], options))
    answer = json_answer({"id": record_id, "success": True, "errors": [], "created": True}, 201)
    answer.headers["Location"] = f"{request.data_url}/sobjects/{name}/{record_id}"
    return answer


def delete_external(org: DemoOrg, request: Request) -> Response:
    name, matches = _matches(org, request)
    if not matches:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    if len(matches) > 1:
        return _ambiguous(request, name, matches)
    org.database.delete(name, matches[0], user_id=_user_id(request))
    return empty_answer()


def updated(org: DemoOrg, request: Request) -> Response:
    name, start, end = _span(org, request)
    found, latest = org.database.updated(name, start, end, user_id=_user_id(request))
    return json_answer({"ids": found, "latestDateCovered": rest_time(latest)})


def deleted(org: DemoOrg, request: Request) -> Response:
    name, start, end = _span(org, request)
    found, earliest, latest = org.database.deleted(name, start, end, user_id=_user_id(request))
    return json_answer(
        {
            "deletedRecords": [
                {"id": record_id, "deletedDate": rest_time(at)} for record_id, at in found
            ],
            "earliestDateAvailable": rest_time(earliest),
            "latestDateCovered": rest_time(latest),
        }
    )


def body(org: DemoOrg, request: Request) -> Response:
    """The bytes of a base64 field; one call for each file, and not inside composite calls."""
    if request.is_inner:
        raise ApiError("INVALID_INPUT", "Binary data is not supported in a composite request.", 400)
    name = _object(org, request)
    content = org.database.body(name, request.args["id"], request.args["field"])
    return Response(
        200, content, CSV_TYPE if name == "EventLogFile" else "application/octet-stream"
    )


def rich_text_image(org: DemoOrg, request: Request) -> Response:
    """An image that the HTML of a rich-text field shows (REST guide, Rich Text Image Retrieval)."""
    name, field, refid = _object(org, request), request.args["field"], request.args["refid"]
    record = org.database.retrieve(
        name, request.args["id"], [field], version=request.version, user_id=_user_id(request)
    )
    text, kept = str(record.get(field) or ""), content.has_picture(org.database.storage, refid)
    # What was pasted into another record is not shown here.
    own = rf"eid={request.args['id']}[^\"'\s<>]*refid={refid}" if kept else f"refid={refid}"
    if not re.search(own, text):
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    return Response(200, content.picture(org.database.storage, refid), "image/png")


# -- shared by the handlers ------------------------------------------------------------------------


def _object(org: DemoOrg, request: Request) -> str:
    """
    The exact name of the object in the path, which may be in any case; ``NOT_FOUND`` if unknown.
    """
    found = org.object_name(request.args["object"], _user_id(request))
    if found is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    request.args["object"] = found
    return found


def _matches(org: DemoOrg, request: Request) -> tuple[str, list[str]]:
    name = _object(org, request)
    field_name, value = request.args["field"], request.args["value"]
    if field_name.lower() == "id":
        record_id = ids.normal(value)
        return name, [record_id] if record_id else []
    return name, org.database.by_external_id(name, field_name, value)


def _ambiguous(request: Request, name: str, matches: list[str]) -> Response:
    return json_answer([f"{request.data_url}/sobjects/{name}/{match}" for match in matches], 300)


def _values(request: Request) -> dict[str, Any]:
    """The record of the body, without its ``attributes``."""
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("multipart/"):
        return read_multipart(content_type, request.body)
    return {name: value for name, value in request.json_object().items() if name != "attributes"}


def _good(saved: list[Saved]) -> str:
    """The Id of the one record that was written; its error if it was refused."""
    (one,) = saved
    if one.errors:
        raise one.errors[0]
    return one.record_id


def _user_id(request: Request) -> str:
    return request.user.user.user_id


def _span(org: DemoOrg, request: Request) -> tuple[str, datetime, datetime]:
    return _object(org, request), _moment(request, "start"), _moment(request, "end")


def _moment(request: Request, name: str) -> datetime:
    """A moment of the query string, seconds cut off."""
    # An unescaped + arrives as a space.
    text = request.params.get(name, "").replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise ApiError(
            "MALFORMED_QUERY", f"Invalid value for {name}: {text!r} is no date and time", 400
        ) from err
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _is_unchanged(org: DemoOrg, request: Request, changed_at: datetime) -> bool:
    """Whether ``If-Modified-Since`` is at or after the last change of what is described."""
    since = request.headers.get("if-modified-since")
    if since is None or not org.options.has_conditional_describes:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError as err:
        raise ApiError(
            "INVALID_HEADER", f"If-Modified-Since is no HTTP date: {since!r}", 400
        ) from err
    return moment.replace(tzinfo=moment.tzinfo or UTC) >= changed_at


def _dated(org: DemoOrg, response: Response, changed_at: datetime) -> Response:
    if org.options.has_conditional_describes:
        response.headers["Last-Modified"] = format_datetime(changed_at, usegmt=True)
    return response


_BODIES = "(?P<field>Body|VersionData|LogFile)"

ROUTES = [
    route("GET", _BASE, global_describe),
    route("GET", _BASE + "/{object}", basic_info),
    route("POST", _BASE + "/{object}", create),
    route("GET", _BASE + "/{object}/describe", describe),
    route("GET", _BASE + "/{object}/describe/layouts", layouts),
    route("GET", _BASE + "/{object}/updated", updated),
    route("GET", _BASE + "/{object}/deleted", deleted),
    route("GET", _BASE + "/{object}/{id}", retrieve),
    route("PATCH", _BASE + "/{object}/{id}", update),
    route("DELETE", _BASE + "/{object}/{id}", delete),
    route("GET", _BASE + "/{object}/{id}/" + _BODIES, body),
    route("GET", _BASE + "/{object}/{id}/richTextImageFields/{field}/{refid}", rich_text_image),
    route("GET", _BASE + "/{object}/{field}/{value}", retrieve_external),
    route("PATCH", _BASE + "/{object}/{field}/{value}", upsert),
    route("DELETE", _BASE + "/{object}/{field}/{value}", delete_external),
]
