"""``/composite/sobjects``: up to 200 records written, 2,000 read, in one call."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sfnb_demo.data.writing.finding import external_id_field
from sfnb_demo.data.writing.incoming import WriteOptions
from sfnb_demo.data.writing.saver import ROLLED_BACK
from sfnb_demo.errors import ApiError
from sfnb_demo.server.wire import Request, Response, json_answer, route
from sfnb_demo.server.write_options import RolledBack, failure, save_result, write_options

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

MOST_RECORDS, MOST_CHUNKS = 200, 10
"""REST guide, sObject Collections."""


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
    records, all_or_none = _records(request)
    return json_answer(_save(org, request, records, all_or_none, _written))


def upsert_many(org: DemoOrg, request: Request) -> Response:
    """PATCH /composite/sobjects/{object}/{external id field}."""
    records, all_or_none = _records(request)
    name = org.object_name(request.args["object"], request.user.user.user_id)
    if name is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    external_id_field(org.database.catalog.objects[name], request.args["field"])

    def write(of: str, some: list[dict[str, Any]], options: WriteOptions) -> list[dict[str, Any]]:
        if of != name:
            raise ApiError("INVALID_TYPE", f"All records must be of type {name}, found {of}", 400)
        saved = org.database.upsert_many(name, request.args["field"], some, options)
        return [save_result(s, has_created=True) for s in saved]

    return json_answer(_save(org, request, records, all_or_none, lambda *_: write))


def delete_many(org: DemoOrg, request: Request) -> Response:
    """DELETE /composite/sobjects?ids=…"""
    params = {name.lower(): value for name, value in request.params.items()}
    wanted = [part for part in params.get("ids", "").split(",") if part]
    _check_size(wanted)
    all_or_none = params.get("allornone", "").lower() == "true"
    by_object = [(org.object_of_id(record_id), record_id) for record_id in wanted]
    results: list[dict[str, Any]] = []

    def write() -> None:
        options = write_options(request)
        for name, group in groupby(by_object, key=lambda pair: pair[0]):
            some = [record_id for _, record_id in group]
            if name is None:
                bad = (failure(ApiError("MALFORMED_ID", f"bad id {i}"), i) for i in some)
                results.extend(bad)
            else:
                saved = org.database.delete_many(name, some, options)
                results.extend(map(save_result, saved))

    return json_answer(_in_one(org, all_or_none, write, results))


Write = Callable[[str, list[dict[str, Any]], WriteOptions], list[dict[str, Any]]]


def _written(org: DemoOrg, request: Request) -> Write:
    """An insert or an update, by the method of the call."""

    def write(name: str, some: list[dict[str, Any]], options: WriteOptions) -> list[dict[str, Any]]:
        if request.method == "POST":
            return [save_result(s) for s in org.database.insert_many(name, some, options)]
        pairs = [(str(r.get("Id") or r.get("id") or ""), r) for r in some]
        results: list[dict[str, Any]] = []
        for has_id, group in groupby(pairs, key=lambda pair: bool(pair[0])):
            members = list(group)
            if has_id:
                saved = org.database.update_many(name, members, options)
                results += [save_result(s) for s in saved]
            else:
                missing = ApiError(
                    "MISSING_ARGUMENT", "Id not specified in an update call", fields=["Id"]
                )
                results += [failure(missing) for _ in members]
        return results

    return write


def _save(
    org: DemoOrg,
    request: Request,
    records: list[Any],
    all_or_none: bool,
    how: Callable[[DemoOrg, Request], Write],
) -> list[dict[str, Any]]:
    """Write records of several objects, those that stand together at once."""
    typed = [(_type_of(org, request, record), record) for record in records]
    chunks = [(key, [r for _, r in group]) for key, group in groupby(typed, key=lambda t: t[0])]
    if len(chunks) > MOST_CHUNKS:
        message = f"Cannot have more than {MOST_CHUNKS} chunks in a single operation."
        raise ApiError("INVALID_INPUT", f"{message} Please rearrange the data.", 400)
    results: list[dict[str, Any]] = []
    write = how(org, request)

    def write_all() -> None:
        options = write_options(request)
        for name, some in chunks:
            if isinstance(name, str):
                results.extend(write(name, some, options))
            else:
                results.extend(failure(ApiError(*name)) for _ in some)

    return _in_one(org, all_or_none, write_all, results)


def _in_one(
    org: DemoOrg, all_or_none: bool, write: Callable[[], None], results: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Do it; in one transaction that one refused record undoes, if the caller wants that."""
    if not all_or_none:
        write()
        return results
    try:
        with org.database.storage.writing():
            write()
            if not all(r["success"] for r in results):
                raise RolledBack
    except RolledBack:
        undone = failure(ApiError("ALL_OR_NONE_OPERATION_ROLLED_BACK", ROLLED_BACK))
        return [undone if r["success"] else r for r in results]
    return results


def _type_of(org: DemoOrg, request: Request, record: Any) -> str | tuple[str, str]:
    """The object of a record, or code and text of why there is none."""
    if not isinstance(record, dict) or not isinstance(record.get("attributes"), dict):
        return "INVALID_INPUT", "Each record needs attributes with its type"
    given = str(record["attributes"].get("type", ""))
    found = org.object_name(given, request.user.user.user_id)
    return found or ("INVALID_TYPE", f"sObject type '{given}' is not supported.")


def _records(request: Request) -> tuple[list[Any], bool]:
    given = request.json_object()
    records = given.get("records")
    if not isinstance(records, list):
        raise ApiError("JSON_PARSER_ERROR", "records must be a list", 400)
    _check_size(records)
    return records, given.get("allOrNone") is True


def _check_size(records: list[Any]) -> None:
    if len(records) > MOST_RECORDS:
        message = f"record limit reached. cannot submit more than {MOST_RECORDS} records"
        raise ApiError("EXCEEDED_ID_LIMIT", message, 400)


_BASE = "/services/data/v{version}/composite/sobjects"

ROUTES = [
    route("POST", _BASE, save_many),
    route("PATCH", _BASE, save_many),
    route("DELETE", _BASE, delete_many),
    route("PATCH", _BASE + "/{object}/{field}", upsert_many),
    route("GET", _BASE + "/{object}", retrieve_many),
    route("POST", _BASE + "/{object}", retrieve_many),
]
