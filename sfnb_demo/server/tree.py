"""``/composite/tree``: records with their children, all or nothing, in one call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.errors import ApiError
from sfnb_demo.server.wire import Request, Response, json_answer, route
from sfnb_demo.server.write_options import RolledBack, write_options

if TYPE_CHECKING:
    from sfnb_demo.server.org import DemoOrg

MOST_RECORDS, MOST_TYPES, MOST_LEVELS = 200, 5, 5
"""REST guide, sObject Tree."""


@dataclass(slots=True, eq=False)
class _Node:
    """One record of the tree; ``key`` is the field that will point to its parent."""

    object: ObjectDef
    reference: str
    values: dict[str, Any]
    level: int
    parent: _Node | None = None
    key: Field | None = None
    record_id: str = ""
    errors: list[dict[str, Any]] = field(default_factory=list)


def create(org: DemoOrg, request: Request) -> Response:
    """POST /composite/tree/{object}: 201 with the Ids, or 400 with what was wrong."""
    name = org.object_name(request.args["object"], request.user.user.user_id)
    if name is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
    nodes: list[_Node] = []
    _read(org, name, request.json_object(), nodes)
    _check(nodes)
    options = write_options(request)
    try:
        with org.database.storage.writing():
            for level in range(MOST_LEVELS):
                here = [n for n in nodes if n.level == level]
                for obj in dict.fromkeys(n.object.name for n in here):
                    _write(org, [n for n in here if n.object.name == obj], obj, options)
            if any(n.errors for n in nodes):
                raise RolledBack
    except RolledBack:
        wrong = [{"referenceId": n.reference, "errors": n.errors} for n in nodes if n.errors]
        return json_answer({"hasErrors": True, "results": wrong}, 400)
    good = [{"referenceId": n.reference, "id": n.record_id} for n in nodes]
    return json_answer({"hasErrors": False, "results": good}, 201)


def _read(  # noqa: PLR0917 - a record with where it hangs
    org: DemoOrg,
    name: str,
    given: dict[str, Any],
    nodes: list[_Node],
    parent: _Node | None = None,
    key: Field | None = None,
) -> None:
    records = given.get("records")
    if not isinstance(records, list) or not records:
        raise ApiError("JSON_PARSER_ERROR", "records must be a list with at least one record", 400)
    obj = org.database.catalog.objects[name]
    for record in records:
        attributes = record.get("attributes") if isinstance(record, dict) else None
        if not isinstance(attributes, dict) or not attributes.get("referenceId"):
            raise ApiError("INVALID_INPUT", "Include a reference ID with each record.", 400)
        level = parent.level + 1 if parent else 0
        node = _Node(obj, str(attributes["referenceId"]), {}, level, parent, key)
        nodes.append(node)
        for field_name, value in record.items():
            relation = org.database.catalog.child(obj, field_name)
            if relation is not None and isinstance(value, dict) and "records" in value:
                _read(org, relation.child, value, nodes, node, relation.field)
            elif field_name != "attributes":
                node.values[field_name] = value


def _check(nodes: list[_Node]) -> None:
    if len(nodes) > MOST_RECORDS:
        raise ApiError("LIMIT_EXCEEDED", f"At most {MOST_RECORDS} records in a tree", 400)
    if (
        len({n.object.name for n in nodes}) > MOST_TYPES
        or max(n.level for n in nodes) >= MOST_LEVELS
    ):
        message = f"At most {MOST_TYPES} types and {MOST_LEVELS} levels in a tree"
        raise ApiError("LIMIT_EXCEEDED", message, 400)
    references = [n.reference for n in nodes]
    twice = {r for r in references if references.count(r) > 1}
    if twice:
        message = f"Duplicate ReferenceId provided in the request: {', '.join(sorted(twice))}"
        raise ApiError("INVALID_INPUT", message, 400)


def _write(org: DemoOrg, nodes: list[_Node], name: str, options: Any) -> None:
    ready = [n for n in nodes if n.parent is None or n.parent.record_id]
    records = [
        n.values | ({n.key.name: n.parent.record_id} if n.key and n.parent else {}) for n in ready
    ]
    for node, saved in zip(ready, org.database.insert_many(name, records, options), strict=True):
        node.record_id = saved.record_id if saved.is_good else ""
        node.errors = [
            {"statusCode": e.code, "message": e.message, "fields": e.fields} for e in saved.errors
        ]


ROUTES = [route("POST", "/services/data/v{version}/composite/tree/{object}", create)]
