"""
The answer to ``/query?q=…&columns=true``: a statement's columns instead of its rows. ``sf data
query`` uses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.schema import ID_TYPES, NUMBER_TYPES, Field
from sfnb_demo.soql import tree
from sfnb_demo.soql.names import Scope

_APEX_TYPES = {
    "boolean": "Boolean", "int": "Integer", "double": "Double", "currency": "Double", "percent": "Double",
    "date": "Date", "datetime": "Datetime", "time": "Time", "address": "Address", "location": "Location",
    "base64": "Blob",
}  # fmt: skip
_UNGROUPED = ("TOLABEL", "FORMAT", "CONVERTCURRENCY", "CONVERTTIMEZONE", "FIELDS")


def describe_columns(catalog: Catalog, query: tree.Query) -> dict[str, Any]:
    """
    The columns of a valid statement, in Salesforce's form.

    A parent is a column with ``joinColumns``. A subquery is one that is also ``aggregate``.
    Aggregates without an alias are named ``expr0``, ``expr1`` and so on.
    """
    obj = catalog.find(query.object)
    if obj is None:
        raise LookupError(query.object)
    columns = _columns(catalog, Scope(catalog, obj, query.text, soql_alias=query.alias), query)
    return {
        "columnMetadata": columns,
        "entityName": obj.name,
        "groupBy": bool(query.group_by),
        "idSelected": any(column["columnName"] == "Id" for column in columns),
        "keyPrefix": obj.prefix,
    }


@dataclass
class _List:
    """Collects columns; those of one parent together."""

    columns: list[dict[str, Any]] = field(default_factory=list)
    parents: dict[str, _List] = field(default_factory=dict)

    def parent(self, name: str, foreign_key: str | None) -> _List:
        if name not in self.parents:
            inner = _List()
            self.parents[name] = inner
            self.columns.append(_column(name, foreign_key=foreign_key, inner=inner.columns))
        return self.parents[name]


def _columns(catalog: Catalog, scope: Scope, query: tree.Query) -> list[dict[str, Any]]:
    found = _List()
    numbers = count()
    for item in query.items:
        what = item.what
        if isinstance(what, tree.Query):
            relation = catalog.child(scope.object, what.object)
            child = catalog.find(relation.child) if relation else None
            if relation is None or child is None:
                raise LookupError(what.object)
            inner = _columns(catalog, Scope(catalog, child, what.text, soql_alias=what.alias), what)
            found.columns.append(
                _column(relation.field.children or what.object, is_aggregate=True, inner=inner)
            )
        elif isinstance(what, tree.Path):
            _add_field(found, scope, what)
        elif isinstance(what, tree.Call):
            _add_call(found, scope, what, item.alias, numbers)
    return found.columns


def _add_field(found: _List, scope: Scope, path: tree.Path) -> None:
    column = scope.resolve(path)
    place, above = found, scope.object
    for depth, name in enumerate(column.relation.path, 1):
        reference = above.parents.get(name.lower())
        place = place.parent(name, reference.name if reference else None)
        above = scope.relations[column.relation.path[:depth]].object
    place.columns.append(_column(column.field.name, column.field))


def _add_call(
    found: _List, scope: Scope, call: tree.Call, alias: str | None, numbers: count[int]
) -> None:
    if call.name == "FIELDS":
        which = str(call.argument).upper()
        found.columns += [
            _column(f.name, f)
            for f in scope.object.fields
            if which == "ALL" or f.is_custom == (which == "CUSTOM")
        ]
    elif call.argument is None:
        # COUNT() alone gives a number and no row, so it has no column.
        return
    elif call.name in _UNGROUPED and isinstance(call.argument, tree.Path) and alias is None:
        _add_field(found, scope, call.argument)
    else:
        name = alias or f"expr{next(numbers)}"
        display = f"{call.name.lower()}({call.argument})"
        is_number = call.name not in ("MIN", "MAX", *_UNGROUPED)
        found.columns.append(_column(name, display=display, is_aggregate=True, is_number=is_number))


def _column(
    name: str,
    of: Field | None = None,
    *,
    display: str = "",
    foreign_key: str | None = None,
    is_aggregate: bool = False,
    is_number: bool = False,
    inner: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    is_id = of is not None and of.type in ID_TYPES
    apex_type = None if of is None else "Id" if is_id else _APEX_TYPES.get(of.type, "String")
    return {
        "aggregate": is_aggregate,
        "apexType": apex_type,
        "booleanType": apex_type == "Boolean",
        "columnName": name,
        "custom": of is not None and of.is_custom,
        "displayName": display or name,
        "foreignKeyName": foreign_key,
        "insertable": of is not None and of.is_createable,
        "joinColumns": inner if inner is not None else [],
        "numberType": is_number or (of is not None and of.type in NUMBER_TYPES),
        "textType": apex_type == "String",
        "updatable": of is not None and of.is_updateable,
    }
