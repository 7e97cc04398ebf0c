# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""
Compiles a parsed statement to SQL for DuckDB and the plan that turns its rows into Salesforce
records.
"""

from __future__ import annotations

from datetime import date

from sfnb_demo.data import ids
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.schema import ID_TYPES, NUMBER_TYPES, Field, ObjectDef
from sfnb_demo.errors import ApiError
from sfnb_demo.soql import tree
from sfnb_demo.soql.conditions import Conditions
from sfnb_demo.soql.frame import frame, invalid_field, malformed, no_such_object, no_such_relation
from sfnb_demo.soql.functions import AGGREGATES, DATE_PARTS, PLAIN, is_groupable
from sfnb_demo.soql.names import Scope, literal, quote
from sfnb_demo.soql.plan import Children, Flavour, Leaf, Node, Plan, written
from sfnb_demo.soql.selecting import SelectList

MAX_OFFSET = 2_000
MAX_GROUPS = 2_000

_COUNTED = Field("count", "int")
_AVERAGED = Field("average", "double")


class Compiler:
    """
    Compiles the queries of one request.

    Args:
        all_rows: include deleted rows and archived activities.
        user_id: the user who asks; UserPermissionAccess shows only this user's permissions.
        sees_all: whether this user has View All Data. Others see only their own records.
        today: the day that date literals are counted from.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        all_rows: bool,
        today: date,
        flavour: Flavour,
        version: str,
        user_id: str | None = None,
        sees_all: bool = True,
    ) -> None:
        self.user_id = user_id
        self.sees_all = sees_all
        self.catalog = catalog
        self.all_rows = all_rows
        self.today = today
        self.flavour: Flavour = flavour
        self.path = f"/services/data/v{version.removeprefix('v')}"

    def compile(self, query: tree.Query, *, is_retrieve: bool = False) -> Plan:
        """
        The plan of a whole statement.

        Args:
            is_retrieve: one record by its Id; no object requires another filter then.

        Raises:
            ApiError: with Salesforce's code, for everything that Salesforce would refuse.
        """
        obj = self.catalog.find(query.object)
        if obj is None:
            raise no_such_object(query.text, query.object_at, query.object)
        if not obj.is_queryable:
            raise ApiError(
                "INVALID_TYPE_FOR_OPERATION", f"entity type {obj.name} does not support query"
            )
        if query.offset is not None and query.offset > MAX_OFFSET:
            raise ApiError(
                "NUMBER_OUTSIDE_VALID_RANGE",
                frame(query.text, 0, f"Maximum SOQL offset allowed is {MAX_OFFSET}"),
            )
        if not is_retrieve:
            self._check_wanted_filter(obj, query)
        scope = Scope(self.catalog, obj, query.text, "t", query.alias)
        only = query.items[0].what
        if (
            len(query.items) == 1
            and isinstance(only, tree.Call)
            and only.name == "COUNT"
            and only.argument is None
        ):
            return self._count(scope, query)
        if query.group_by or any(
            isinstance(i.what, tree.Call) and i.what.name in AGGREGATES for i in query.items
        ):
            return self._aggregate(scope, query)
        return self._select(scope, query)

    def _check_wanted_filter(self, obj: ObjectDef, query: tree.Query) -> None:
        if not obj.wanted_filters:
            return
        where = query.where
        parts = where.parts if isinstance(where, tree.Junction) and where.op == "AND" else (where,)
        conditions = [p for p in parts if isinstance(p, tree.Condition)]
        filtered = {
            str(c.operand).lower()
            for c in conditions
            if c.value is not None and (c.op == "=" or (c.op == "IN" and _takes_list(obj, c)))
        }
        if filtered & {w.lower() for w in obj.wanted_filters}:
            return
        raise ApiError("MALFORMED_QUERY", frame(query.text, query.object_at, obj.refusal))

    # --- the clauses ------------------------------------------------------------------------------

    def _conditions(self, scope: Scope, *, having: bool = False) -> Conditions:
        to_sql = (
            (lambda o: self._grouped(scope, o)) if having else (lambda o: self.operand(scope, o))
        )
        return Conditions(
            scope.text,
            to_sql=to_sql,
            semijoin=lambda q, f: self._semijoin(scope, q, f),
            today=self.today,
        )

    def _where(self, scope: Scope, query: tree.Query) -> str:
        parts = []
        if not (self.all_rows or query.is_all_rows):
            parts += [
                f"NOT {scope.prefix}.{quote(n)}"
                for n in ("IsDeleted", "IsArchived")
                if self.hides(scope.object, n)
            ]
        if scope.object.name == "UserPermissionAccess" and self.user_id is not None:
            row = ids.make_id(scope.object.prefix or "", ids.number_of(self.user_id))
            parts.append(f'{scope.prefix}."Id" = {literal(row)}')
        if scope.object.shows_latest_only and "islatestversion" not in scope.text.lower():
            parts.append(f'{scope.prefix}."IsLatestVersion"')
        if not self.sees_all and (own := self.own_rows(scope.object, scope.prefix)):
            parts.append(own)
        if query.where is not None:
            parts.append(self._conditions(scope).sql(query.where))
        return " WHERE " + " AND ".join(parts) if parts else ""

    def own_rows(self, obj: ObjectDef, alias: str) -> str:
        """The rows a user without View All Data sees: own records and their details."""
        if obj.has("OwnerId"):
            return f'{alias}."OwnerId" = {literal(self.user_id or "")}'
        for field in obj.fields:
            master = self.catalog.find(field.refs[0]) if field.is_detail else None
            inner = self.own_rows(master, alias + "m") if master else ""
            if master and inner:
                source = f"{quote(master.name)} {alias}m"
                return f'{alias}.{quote(field.name)} IN (SELECT {alias}m."Id" FROM {source} WHERE {inner})'
        return ""

    @staticmethod
    def hides(obj: ObjectDef, flag: str) -> bool:
        return obj.has(flag) and (flag == "IsDeleted" or obj.name in ("Task", "Event"))

    def _from(self, scope: Scope) -> str:
        return " ".join([f" FROM {quote(scope.object.name)} {scope.prefix}", *scope.joins])

    def operand(self, scope: Scope, operand: tree.Operand) -> tuple[str, Field]:
        """SQL and field of an operand outside aggregates."""
        if isinstance(operand, tree.Path):
            column = scope.resolve(operand)
            return column.sql, column.field
        if operand.argument is None or operand.name in AGGREGATES:
            raise malformed(scope.text, operand.at, f"unexpected token: '{operand.name}'")
        sql, inner = self.operand(scope, operand.argument)
        if operand.name in PLAIN:
            return sql, inner
        if operand.name == "DAY_ONLY":
            return f"CAST({sql} AS DATE)", Field("day", "date")
        if operand.name in DATE_PARTS:
            shift = " + 1" if operand.name == "DAY_IN_WEEK" else ""
            return f"({DATE_PARTS[operand.name]}({sql}){shift})", Field(operand.name, "int")
        raise malformed(scope.text, operand.at, f"unexpected token: '{operand.name}'")

    def _grouped(self, scope: Scope, operand: tree.Operand) -> tuple[str, Field]:
        """SQL and field of an operand that may be an aggregate."""
        if not isinstance(operand, tree.Call) or operand.name not in AGGREGATES:
            return self.operand(scope, operand)
        if operand.argument is None:
            return "count(*)", _COUNTED
        sql, inner = self.operand(scope, operand.argument)
        if operand.name in ("SUM", "AVG") and inner.type not in NUMBER_TYPES:
            message = f"field {inner.name} does not support aggregate operator {operand.name}"
            raise malformed(scope.text, operand.at, message)
        if operand.name == "COUNT_DISTINCT":
            return f"count(DISTINCT {sql})", _COUNTED
        if operand.name == "COUNT":
            return f"count({sql})", _COUNTED
        result = _AVERAGED if operand.name == "AVG" else inner
        cast = (
            "CAST(sum({}) AS DOUBLE)"
            if operand.name == "SUM"
            else AGGREGATES[operand.name] + "({})"
        )
        return cast.format(sql), result

    def _semijoin(self, scope: Scope, query: tree.Query, outer: Field) -> str:
        obj = self.catalog.find(query.object)
        if obj is None:
            raise no_such_object(query.text, query.object_at, query.object)
        inner = Scope(self.catalog, obj, query.text, scope.prefix + "s", query.alias)
        what = query.items[0].what
        if len(query.items) != 1 or not isinstance(what, tree.Path):
            raise malformed(
                query.text, query.object_at, "semi join sub-selects can only query one field"
            )
        column = inner.resolve(what)
        if column.field.type not in ID_TYPES or outer.type not in ID_TYPES:
            at = what.at
            raise invalid_field(
                query.text,
                at,
                "semi join sub-selects can only query id fields, cannot use: " + str(what),
            )
        where = self._where(inner, query)
        return f"SELECT {column.sql}{self._from(inner)}{where}"

    def _order(
        self, scope: Scope, query: tree.Query, aliases: dict[str, str] | None = None
    ) -> list[str]:
        terms = []
        for ordering in query.order_by:
            operand = ordering.operand
            alias = (aliases or {}).get(str(operand).lower())
            if alias is not None:
                sql = alias
            else:
                sql, found = (
                    self._grouped(scope, operand)
                    if aliases is not None
                    else self.operand(scope, operand)
                )
                if not found.is_sortable:
                    raise malformed(
                        scope.text,
                        operand.at,
                        f"field '{found.name}' can not be sorted in a query call",
                    )
                if found.column_type == "VARCHAR" and found.type not in ID_TYPES:
                    sql = f"lower({sql})"
            direction = "DESC" if ordering.is_descending else "ASC"
            terms.append(
                f"{sql} {direction} NULLS {'FIRST' if ordering.has_nulls_first else 'LAST'}"
            )
        return terms

    @staticmethod
    def _window(query: tree.Query) -> str:
        limit = f" LIMIT {query.limit}" if query.limit is not None else ""
        return limit + (f" OFFSET {query.offset}" if query.offset else "")

    # --- the kinds of query -----------------------------------------------------------------------

    def _count(self, scope: Scope, query: tree.Query) -> Plan:
        if query.group_by or query.order_by:
            raise malformed(
                scope.text,
                query.items[0].at,
                "COUNT() must be the only element in the select list and cannot be grouped or ordered",
            )
        where = self._where(scope, query)
        inner = f"SELECT 1{self._from(scope)}{where}{self._window(query)}"
        return Plan(
            scope.object,
            f"SELECT count(*) FROM ({inner})",
            Node("AggregateResult", -1),
            [],
            is_count=True,
        )

    def _aggregate(self, scope: Scope, query: tree.Query) -> Plan:
        groups = {str(g).lower(): self.operand(scope, g) for g in query.group_by}
        for group, (_, found) in zip(query.group_by, groups.values(), strict=False):
            if not is_groupable(found):
                raise malformed(
                    scope.text, group.at, f"field '{found.name}' can not be grouped in a query call"
                )
        root = Node("AggregateResult", -1)
        columns: list[str] = []
        unnamed, aliases = 0, dict[str, str]()
        for item in query.items:
            if item.what is None or isinstance(item.what, tree.Query):
                raise malformed(
                    scope.text,
                    item.at,
                    "Grouped query cannot use child relationships in the SELECT list",
                )
            sql, found = self._grouped(scope, item.what)
            is_aggregate = isinstance(item.what, tree.Call) and item.what.name in AGGREGATES
            if not is_aggregate and str(item.what).lower() not in groups:
                raise malformed(
                    scope.text,
                    item.at,
                    f"Field must be grouped or aggregated: {item.what}",
                )
            key = item.alias
            if key is None:
                if isinstance(item.what, tree.Path):
                    key = found.name
                else:
                    key, unnamed = f"expr{unnamed}", unnamed + 1
            if key in root.entries:
                raise malformed(scope.text, item.at, f"duplicate alias: {key}")
            root.entries[key] = Leaf(len(columns))
            aliases[key.lower()] = sql
            columns.append(written(sql, found, self.flavour))
        where = self._where(scope, query)
        having = (
            " HAVING " + self._conditions(scope, having=True).sql(query.having)
            if query.having is not None
            else ""
        )
        order = self._order(scope, query, aliases)
        grouping = " GROUP BY " + ", ".join(sql for sql, _ in groups.values()) if groups else ""
        order = order or [sql for sql, _ in groups.values()]
        ordering = " ORDER BY " + ", ".join(order) if order else ""
        sql = f"SELECT {', '.join(columns)}{self._from(scope)}{where}{grouping}{having}{ordering}{self._window(query)}"
        return Plan(scope.object, sql, root, list(root.entries), is_aggregate=True)

    def _select(self, scope: Scope, query: tree.Query, *, foreign_key: Field | None = None) -> Plan:
        if query.having is not None:
            raise malformed(scope.text, query.items[0].at, "having clause requires a group by")
        builder = SelectList(self, scope, query)
        for item in query.items:
            builder.add(item)
        where = self._where(scope, query)
        order = self._order(scope, query)
        columns = list(builder.sql)
        window = self._window(query)
        if foreign_key is not None:
            parent = f"{scope.prefix}.{quote(foreign_key.name)}"
            where += f"{' AND' if where else ' WHERE'} {parent} IN (SELECT unnest(?))"
            columns.append(parent)
            window = ""  # LIMIT and OFFSET count within each parent
        if self.flavour != "csv" and (
            order or query.limit is not None or scope.joins or foreign_key
        ):
            order.append(f'{scope.prefix}."Id"')
        ordering = " ORDER BY " + ", ".join(order) if order else ""
        sql = f"SELECT {', '.join(columns)}{self._from(scope)}{where}{ordering}{window}"
        return Plan(scope.object, sql, builder.root, builder.header)

    def subquery(self, scope: Scope, query: tree.Query) -> tuple[str, Children]:
        """A parent-to-child subquery: the relationship's name and its plan."""
        relation = self.catalog.child(scope.object, query.object)
        child = self.catalog.find(relation.child) if relation else None
        if relation is None or child is None or relation.field.children is None:
            raise no_such_relation(query.text, query.object_at, query.object, scope.object.name)
        inner = Scope(self.catalog, child, query.text, scope.prefix + "c", query.alias)
        plan = self._select(inner, query, foreign_key=relation.field)
        return relation.field.children, Children(plan, query.limit, query.offset or 0)


def _takes_list(obj: ObjectDef, condition: tree.Condition) -> bool:
    """Whether a wanted filter may be ``IN`` a list."""
    return not obj.wants_single or str(condition.operand).lower() == "id"
