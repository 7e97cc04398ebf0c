"""The SELECT list of a query: its SQL columns, and the tree of the record that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfnb_demo.data.catalog import POLYMORPHIC
from sfnb_demo.soql import tree
from sfnb_demo.soql.frame import invalid_field, malformed
from sfnb_demo.soql.functions import PLAIN
from sfnb_demo.soql.names import Column, Relation, Scope
from sfnb_demo.soql.plan import Compound, Leaf, Node, written

if TYPE_CHECKING:
    from sfnb_demo.soql.compile import Compiler

MAX_FIELDS_ROWS = 200
MAX_SUBQUERIES = 20


class SelectList:
    """Collects the columns of a SELECT, and the tree of the record that they form."""

    def __init__(self, compiler: Compiler, scope: Scope, query: tree.Query) -> None:
        self.compiler = compiler
        self.scope = scope
        self.query = query
        self.sql: list[str] = []
        self.header: list[str] = []
        self.seen: set[str] = set()
        self.subqueries = 0
        is_csv = compiler.flavour == "csv"
        self.root = Node(scope.object.name, -1 if is_csv else self._push(f'{scope.prefix}."Id"'))
        self.nodes: dict[tuple[str, ...], Node] = {(): self.root}

    def _push(self, sql: str) -> int:
        self.sql.append(sql)
        return len(self.sql) - 1

    def add(self, item: tree.Item) -> None:
        text = self.scope.text
        what = item.what
        if what is None:
            raise malformed(text, item.at, "TYPEOF is not supported in this organization")
        if isinstance(what, tree.Query):
            self._children(what, item.at)
        elif isinstance(what, tree.Call):
            if what.name == "FIELDS":
                self._all_fields(what)
            else:
                self._function(what, item)
        else:
            if item.alias is not None:
                raise malformed(text, item.at, "only aggregate expressions use field aliasing")
            self._field(self.scope.resolve(what), str(what), item.at)

    def _children(self, query: tree.Query, at: int) -> None:
        if self.compiler.flavour == "csv":
            raise malformed(
                self.scope.text, at, "parent-to-child subqueries are not supported in Bulk Query"
            )
        self.subqueries += 1
        if self.subqueries > MAX_SUBQUERIES:
            raise malformed(
                self.scope.text, at, f"Maximum number of subqueries is {MAX_SUBQUERIES}"
            )
        name, children = self.compiler.subquery(self.scope, query)
        self.root.entries[name] = children

    def _function(self, call: tree.Call, item: tree.Item) -> None:
        sql, found = self.compiler.operand(self.scope, call)
        if call.name not in PLAIN:
            raise malformed(
                self.scope.text, item.at, f"Field must be grouped or aggregated: {call.name}"
            )
        key = item.alias or found.name
        self.root.entries[key] = Leaf(self._push(written(sql, found, self.compiler.flavour)))
        self.header.append(key)

    def _all_fields(self, call: tree.Call) -> None:
        text, which = self.scope.text, str(call.argument or "").upper()
        if which not in ("ALL", "STANDARD", "CUSTOM"):
            raise malformed(text, call.at, f"unexpected token: '{call.argument}'")
        is_unbounded = which != "STANDARD"
        if is_unbounded and (self.query.limit is None or self.query.limit > MAX_FIELDS_ROWS):
            raise malformed(
                text,
                call.at,
                f"The SOQL FIELDS function must have a LIMIT of at most {MAX_FIELDS_ROWS}",
            )
        if is_unbounded and self.compiler.flavour == "csv":
            raise malformed(
                text,
                call.at,
                "The SOQL FIELDS function is not supported with an unbounded set of fields in this API",
            )
        for wanted in self.scope.object.fields:
            if which == "ALL" or wanted.is_custom == (which == "CUSTOM"):
                is_whole = self.compiler.flavour == "csv" and (
                    wanted.type in ("address", "location", "base64")
                )
                if not is_whole:
                    self._field(Column(self.scope.root, wanted), wanted.name, call.at)

    def _field(self, column: Column, spelled: str, at: int) -> None:
        flavour, wanted = self.compiler.flavour, column.field
        path = ".".join((*column.relation.path, wanted.name))
        if path in self.seen:
            raise invalid_field(self.scope.text, at, f"duplicate field selected: {path}")
        self.seen.add(path)
        self.header.append(spelled if "." in spelled and column.relation.path else wanted.name)
        if flavour == "csv":
            self._push(written(column.sql, wanted, flavour))
            return
        node = self._node(column.relation)
        if wanted.parts:
            parts = []
            for key, part in wanted.parts:
                inner = column.relation.object.find(part)
                parts.append((key, self._push(Column(column.relation, inner).sql) if inner else -1))
            node.entries[wanted.name] = Compound(tuple(sorted(parts)))
            return
        sql = column.sql
        if wanted.type == "base64":
            sql = f"('{self.compiler.path}' || {sql})"
        node.entries[wanted.name] = Leaf(self._push(written(sql, wanted, flavour)), wanted.is_json)

    def _node(self, relation: Relation) -> Node:
        if relation.path in self.nodes:
            return self.nodes[relation.path]
        above = (
            self._node(self.scope.relations[relation.path[:-1]])
            if len(relation.path) > 1
            else self.root
        )
        is_any = relation.object is POLYMORPHIC
        node = Node(relation.object.name, self._push(f'{relation.alias}."Id"'))
        if is_any:
            node.type = self._push(f'{relation.alias}."Type"')
        above.entries[relation.path[-1]] = node
        self.nodes[relation.path] = node
        return node
