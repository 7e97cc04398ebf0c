"""SOQL over rows that are no table: what is selected, filtered and sorted of a few dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never

from sfnb_demo.errors import ApiError
from sfnb_demo.soql import tree
from sfnb_demo.soql.frame import malformed, no_such_field, no_such_relation

Row = Mapping[str, Any]

ONE_ROW = ("metadata", "fullname")

KINDS = {"ActiveVersion": "Flow", "LatestVersion": "Flow", "Definition": "FlowDefinition"}
"""What a relationship leads to; all others lead to an EntityDefinition."""


def select(query: tree.Query, rows: Sequence[Row], object_name: str, base: str) -> dict[str, Any]:
    """
    The answer to a query.

    Args:
        base: the path under which these records are, such as ``/services/data/v66.0/tooling``.

    Raises:
        ApiError: in Salesforce's words.
    """
    known = rows[0] if rows else {}
    found = [row for row in rows if query.where is None or _is_true(query, row, query.where)]
    for ordering in reversed(query.order_by):
        key = _sort_key(query, ordering.operand)
        found.sort(key=key, reverse=ordering.is_descending)
    found = found[query.offset or 0 :]
    found = found[: query.limit] if query.limit is not None else found
    if len(query.items) == 1 and isinstance(query.items[0].what, tree.Call):
        return _answer(len(found), [], object_name)
    paths = [_path(query, item) for item in query.items]
    if rows:
        for path in paths:
            _value(query, path, known)
    costly = [str(p) for p in paths if str(p).lower() in ONE_ROW]
    if costly and len(found) > 1:
        raise ApiError(
            "MALFORMED_QUERY",
            "When retrieving results with Metadata or FullName fields, the query qualifications must "
            f"specify no more than one row for retrieval. Result size: {len(found)}",
            400,
        )
    records = [_record(query, paths, row, object_name, base) for row in found]
    return _answer(len(found), records, object_name)


def _answer(size: int, records: list[dict[str, Any]], object_name: str) -> dict[str, Any]:
    return {
        "size": size,
        "totalSize": size,
        "done": True,
        "queryLocator": None,
        "entityTypeName": object_name,
        "records": records,
    }


def _path(query: tree.Query, item: tree.Item) -> tree.Path:
    if not isinstance(item.what, tree.Path):
        raise malformed(query.text, item.at, "unexpected token: only fields can be selected here")
    return item.what


def _record(
    query: tree.Query, paths: Sequence[tree.Path], row: Row, object_name: str, base: str
) -> dict[str, Any]:
    url = f"{base}/sobjects/{object_name}/{row.get('Id') or row.get('DurableId')}"
    record: dict[str, Any] = {"attributes": {"type": object_name, "url": url}}
    for path in paths:
        *parents, last = path.names
        here, there = record, row
        for name in parents:
            spelled = _spelled(query, path, there, name)
            there = there[spelled]
            if there is None:
                here[spelled] = None
                break
            kind = KINDS.get(spelled, "EntityDefinition")
            here = here.setdefault(spelled, {"attributes": {"type": kind, "url": base}})
        else:
            spelled = _spelled(query, path, there, last)
            here[spelled] = there[spelled]
    return record


def _spelled(query: tree.Query, path: tree.Path, row: Row, name: str) -> str:
    found = next((known for known in row if known.lower() == name.lower()), None)
    if found is None:
        if len(path.names) > 1 and name == path.names[0]:
            raise no_such_relation(query.text, path.at, name, query.object)
        raise no_such_field(query.text, path.at, name, query.object)
    return found


def _value(query: tree.Query, operand: tree.Operand, row: Row) -> Any:
    if not isinstance(operand, tree.Path):
        raise malformed(query.text, operand.at, "unexpected token: functions are not served here")
    here: Any = row
    for name in operand.names:
        if here is None:
            return None
        here = here[_spelled(query, operand, here, name)]
    return here


def _is_true(query: tree.Query, row: Row, node: tree.Expression) -> bool:
    match node:
        case tree.Junction():
            join = all if node.op == "AND" else any
            return join(_is_true(query, row, part) for part in node.parts)
        case tree.Negation():
            return not _is_true(query, row, node.part)
        case tree.Condition():
            return _compare(node.op, _plain(_value(query, node.operand, row)), node.value)
    assert_never(node)


def _compare(op: str, have: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        is_in = have in [_plain(one) for one in wanted]
        return is_in if op == "IN" else not is_in
    want = _plain(wanted)
    if op == "LIKE":
        return have is not None and str(want).strip("%") in have
    if op in ("=", "!="):
        return (have == want) is (op == "=")
    if have is None:
        return False
    ordered: dict[str, Callable[[Any, Any], bool]] = {
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    return ordered[op](have, want)


def _plain(value: Any) -> Any:
    """Text without its case, a moment as REST writes it: both compare as SOQL compares."""
    if isinstance(value, tree.Number):
        return float(value.text)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}+0000".lower()
    if isinstance(value, bool) or value is None:
        return value
    return float(value) if isinstance(value, int | float) else str(value).lower()


def _sort_key(query: tree.Query, operand: tree.Operand) -> Callable[[Row], Any]:
    def key(row: Row) -> Any:
        value = _plain(_value(query, operand, row))
        return value is not None, value

    return key
