# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""WHERE and HAVING as SQL, with Salesforce's rules of equality."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import assert_never

from sfnb_demo.data import ids
from sfnb_demo.data.schema import ID_TYPES, NUMBER_TYPES, Field
from sfnb_demo.errors import ApiError
from sfnb_demo.soql import dates, tree
from sfnb_demo.soql.frame import frame, invalid_field, malformed
from sfnb_demo.soql.names import literal

ToSql = Callable[[tree.Operand], tuple[str, Field]]
"""From an operand to its SQL and the field that gives its type."""

Semijoin = Callable[[tree.Query, Field], str]
"""From a subquery to the SQL of its one column."""

_SPOKEN = {
    "datetime": "dateTime",
    "int": "int",
    "currency": "double",
    "percent": "double",
    "long": "int",
}


class Conditions:
    """
    Makes the SQL of one query's conditions.

    Text ignores case, Ids do not. ``!=`` and ``NOT IN`` are true for null.
    """

    def __init__(self, text: str, *, to_sql: ToSql, semijoin: Semijoin, today: date) -> None:
        self.text = text
        self.to_sql = to_sql
        self.semijoin = semijoin
        self.today = today

    def sql(self, node: tree.Expression) -> str:
        match node:
            case tree.Junction():
                return "(" + f" {node.op} ".join(self.sql(p) for p in node.parts) + ")"
            case tree.Negation():
                # SOQL has two truth values: a comparison with a missing value is false, and its
                # negation true.
                return f"(NOT coalesce({self.sql(node.part)}, false))"
            case tree.Condition():
                return self._condition(node)
        assert_never(node)

    def _condition(self, node: tree.Condition) -> str:
        sql, field = self.to_sql(node.operand)
        at = node.operand.at
        if not field.is_filterable or field.type in ("address", "location", "base64"):
            raise invalid_field(
                self.text, at, f"field '{field.name}' can not be filtered in a query call"
            )
        if node.op in ("IN", "NOT IN"):
            return self._set(node, sql, field)
        if node.op in ("INCLUDES", "EXCLUDES"):
            return self._multi(node, sql, field)
        if isinstance(node.value, tree.Query | tuple):
            raise malformed(self.text, at, f"unexpected token: '{node.op}'")
        if node.op == "LIKE":
            return self._like(node.value, sql, field, at)
        return self._compare(node.op, node.value, sql, field, at)

    def _compare(self, op: str, value: tree.Value, sql: str, field: Field, at: int) -> str:
        if value is None or value == "":
            if op == "=":
                return f"({sql} IS NULL)"
            if op == "!=":
                return f"({sql} IS NOT NULL)"
            raise self._bad_operator(field, op, at)
        if isinstance(value, tree.Word):
            return self._date_literal(op, value, sql, field, at)
        right = self._value(value, field, at)
        if field.type == "boolean" and op not in ("=", "!="):
            raise self._bad_operator(field, op, at)
        left = self._folded(sql, field)
        if op == "!=":
            return f"({left} IS DISTINCT FROM {right})"
        return f"({left} {op} {right})"

    def _date_literal(self, op: str, word: tree.Word, sql: str, field: Field, at: int) -> str:
        days = dates.literal_range(word.name, word.count, self.today)
        if days is None:
            raise malformed(self.text, word.at, f"unexpected token: '{word.name}'")
        if field.type not in ("date", "datetime"):
            raise self._wrong_type(field, at)
        first, after = (
            f"{'DATE' if field.type == 'date' else 'TIMESTAMP'} '{day.isoformat()}'" for day in days
        )
        match op:
            case "=":
                return f"({sql} >= {first} AND {sql} < {after})"
            case "!=":
                return f"({sql} IS NULL OR {sql} < {first} OR {sql} >= {after})"
            case "<":
                return f"({sql} < {first})"
            case "<=":
                return f"({sql} < {after})"
            case ">":
                return f"({sql} >= {after})"
        return f"({sql} >= {first})"

    def _like(self, value: tree.Value, sql: str, field: Field, at: int) -> str:
        if field.type in NUMBER_TYPES | {"boolean", "date", "datetime", "multipicklist"} | ID_TYPES:
            raise self._bad_operator(field, "LIKE", at)
        if not isinstance(value, str):
            raise self._wrong_type(field, at)
        pattern = ""
        chars = iter(value)
        for ch in chars:
            if ch == "\\":
                follower = next(chars, "")
                pattern += "\\" + follower if follower in ("%", "_") else "\\\\" + follower
            else:
                pattern += ch
        return f"({sql} ILIKE {literal(pattern)} ESCAPE '\\')"

    def _set(self, node: tree.Condition, sql: str, field: Field) -> str:
        at = node.operand.at
        if isinstance(node.value, tree.Query):
            inner = self.semijoin(node.value, field)
            if node.op == "IN":
                return f"({sql} IN ({inner}))"
            return f"({sql} NOT IN (SELECT * FROM ({inner}) AS q(k) WHERE k IS NOT NULL))"
        values = node.value if isinstance(node.value, tuple) else ()
        some = [self._value(v, field, at) for v in values if v is not None and v != ""]
        has_null = len(some) < len(values)
        left = self._folded(sql, field)
        among = f"{left} IN ({', '.join(some)})" if some else "false"
        if node.op == "IN":
            return f"({among} OR {sql} IS NULL)" if has_null else f"({among})"
        outside = f"NOT ({among})"
        return f"({sql} IS NOT NULL AND {outside})" if has_null else f"({sql} IS NULL OR {outside})"

    def _multi(self, node: tree.Condition, sql: str, field: Field) -> str:
        if field.type != "multipicklist" or not isinstance(node.value, tuple):
            raise self._bad_operator(field, node.op, node.operand.at)
        wanted = []
        for value in node.value:
            if not isinstance(value, str):
                raise self._wrong_type(field, node.operand.at)
            words = ", ".join(literal(w.strip().lower()) for w in value.split(";"))
            wanted.append(f"list_has_all(string_split(lower({sql}), ';'), [{words}])")
        among = " OR ".join(wanted)
        return f"({among})" if node.op == "INCLUDES" else f"(NOT coalesce({among}, false))"

    def _folded(self, sql: str, field: Field) -> str:
        """Text in lower case; everything else as it is."""
        is_text = (
            field.column_type == "VARCHAR" and field.type not in ID_TYPES and field.type != "time"
        )
        return f"lower({sql})" if is_text else sql

    def _value(self, value: tree.Value, field: Field, at: int) -> str:  # noqa: PLR0911 - a table of types
        """A value as SQL of the field's type."""
        kind = field.type
        if kind in ID_TYPES and isinstance(value, str):
            found = ids.normal(value)
            if found is None:
                raise ApiError(
                    "INVALID_QUERY_FILTER_OPERATOR",
                    frame(self.text, at, f"invalid ID field: {value}"),
                )
            return literal(found)
        if kind == "boolean" and isinstance(value, bool):
            return "true" if value else "false"
        if kind in NUMBER_TYPES and isinstance(value, tree.Number):
            return f"CAST({literal(value.text)} AS DOUBLE)"
        if kind == "datetime" and isinstance(value, datetime):
            return f"TIMESTAMP '{value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
        if kind == "date" and isinstance(value, date) and not isinstance(value, datetime):
            return f"DATE '{value.isoformat()}'"
        if isinstance(value, tree.Word):
            days = dates.literal_range(value.name, value.count, self.today)
            if days is None:
                raise malformed(self.text, value.at, f"unexpected token: '{value.name}'")
            if kind == "date" and days[1] - days[0] == timedelta(days=1):
                return f"DATE '{days[0].isoformat()}'"
        is_text = kind not in NUMBER_TYPES | ID_TYPES | {"boolean", "date", "datetime"}
        if is_text and isinstance(value, str):
            plain = value.replace("\\%", "%").replace("\\_", "_")
            return literal(plain) if kind == "time" else f"lower({literal(plain)})"
        raise self._wrong_type(field, at)

    def _wrong_type(self, field: Field, at: int) -> ApiError:
        is_bare = field.type in NUMBER_TYPES | {"boolean", "date", "datetime"}
        spoken = _SPOKEN.get(field.type, field.type) if is_bare else "string"
        quotes = "should not be enclosed in quotes" if is_bare else "should be enclosed in quotes"
        message = f"value of filter criterion for field '{field.name}' must be of type {spoken} and {quotes}"
        return invalid_field(self.text, at, message)

    def _bad_operator(self, field: Field, op: str, at: int) -> ApiError:
        name = {"=": "equals", "<": "less than", ">": "greater than", "LIKE": "like"}.get(
            op, op.lower()
        )
        return ApiError(
            "INVALID_QUERY_FILTER_OPERATOR",
            frame(self.text, at, f"invalid operator on {field.type} field: {name}"),
        )
