# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""Resolves the names in a statement to columns: fields, parent paths, and the joins they need."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sfnb_demo.data.catalog import POLYMORPHIC, Catalog
from sfnb_demo.data.schema import NUMBER_TYPES, Field, ObjectDef
from sfnb_demo.soql.frame import malformed, no_such_field, no_such_relation
from sfnb_demo.soql.tree import Path

MAX_LEVELS = 5


def quote(name: str) -> str:
    """A name quoted for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text quoted for DuckDB. SQL strings know no escape but the doubled quote."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def expression(obj: ObjectDef, wanted: Field, alias: str) -> str:
    """The SQL that gives a field of the row called ``alias``."""
    if wanted.formula is not None:

        def column(match: re.Match[str]) -> str:
            inner = obj.column(match[1])
            if inner is None:
                raise LookupError(
                    f"{obj.name}.{wanted.name} speaks of {match[1]}, which is no field"
                )
            return expression(obj, inner, alias)

        return _drifted(wanted, "(" + re.sub(r"\{(\w+)\}", column, wanted.formula) + ")")
    if wanted.type == "base64":
        return f"('/sobjects/{obj.name}/' || {alias}.\"Id\" || '/{wanted.name}')"
    return f"{alias}.{quote(wanted.name)}"


def _drifted(wanted: Field, sql: str) -> str:
    """A formula's result after what lies behind it has changed so many times."""
    if not wanted.drift:
        return sql
    if wanted.type == "boolean":
        return f"(NOT {sql})" if wanted.drift % 2 else sql
    if wanted.type in NUMBER_TYPES or wanted.type == "date":
        return f"({sql} + {wanted.drift})"
    if wanted.type == "datetime":
        return f"({sql} + INTERVAL {wanted.drift} HOUR)"
    return f"({sql} || ' ({wanted.drift})')"


def polymorphic_source(catalog: Catalog, targets: tuple[str, ...]) -> str:
    """All targets of a polymorphic lookup, as one table with the columns of the pseudo object."""
    selects = []
    for target in targets:
        obj = catalog.find(target)
        if obj is None:
            continue
        columns = ['x."Id" AS "Id"', f'{literal(obj.name)} AS "Type"']
        for wanted in POLYMORPHIC.fields:
            if wanted.name in ("Id", "Type"):
                continue
            own = obj.name_field if wanted.name == "Name" else obj.find(wanted.name)
            sql = (
                expression(obj, own, "x")
                if own is not None
                else f"CAST(NULL AS {wanted.column_type})"
            )
            columns.append(f"{sql} AS {quote(wanted.name)}")
        selects.append(f"SELECT {', '.join(columns)} FROM {quote(obj.name)} x")
    return "(" + " UNION ALL ".join(selects) + ")"


@dataclass(frozen=True, slots=True)
class Relation:
    """One joined parent: its path from the root, its object, its alias in SQL."""

    path: tuple[str, ...]
    object: ObjectDef
    alias: str


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the root or of a joined parent."""

    relation: Relation
    field: Field

    @property
    def sql(self) -> str:
        return expression(self.relation.object, self.field, self.relation.alias)


@dataclass
class Scope:
    """
    The names that one query sees. Parents are joined when a path first needs them.

    Args:
        prefix: begins this query's SQL aliases, so that those of a subquery differ.
        soql_alias: ``a`` in ``FROM Account a``.
    """

    catalog: Catalog
    object: ObjectDef
    text: str
    prefix: str = "t"
    soql_alias: str | None = None
    relations: dict[tuple[str, ...], Relation] = field(default_factory=dict)
    joins: list[str] = field(default_factory=list)

    @property
    def root(self) -> Relation:
        return Relation((), self.object, self.prefix)

    def resolve(self, path: Path) -> Column:
        """
        The column of a path.

        Raises:
            ApiError: INVALID_FIELD for an unknown field or relationship.
        """
        names = path.names
        own_names = {(self.soql_alias or "").lower(), self.object.name.lower()}
        # `Account.Name` on Account is its own name, unless Account has a parent that is called so.
        if (
            len(names) > 1
            and names[0].lower() in own_names
            and names[0].lower() not in self.object.parents
        ):
            names = names[1:]
        if len(names) - 1 > MAX_LEVELS:
            raise malformed(
                self.text,
                path.at,
                f"SOQL relationship path is deeper than {MAX_LEVELS} levels: '{path}'",
            )
        relation = self.root
        for name in names[:-1]:
            relation = self._join(relation, name, path)
        found = relation.object.find(names[-1])
        if found is None:
            raise no_such_field(self.text, path.at, names[-1], relation.object.name)
        return Column(relation, found)

    def _join(self, left: Relation, name: str, path: Path) -> Relation:
        reference = left.object.parents.get(name.lower())
        if reference is None or reference.relationship is None:
            raise no_such_relation(self.text, path.at, name, left.object.name)
        key = (*left.path, reference.relationship)
        if key in self.relations:
            return self.relations[key]
        alias = f"{self.prefix}{len(self.relations) + 1}"
        if len(reference.refs) > 1:
            target, source = POLYMORPHIC, polymorphic_source(self.catalog, reference.refs)
        else:
            found = self.catalog.find(reference.refs[0])
            if found is None:
                raise no_such_relation(self.text, path.at, name, left.object.name)
            target, source = found, quote(found.name)
        self.joins.append(
            f'LEFT JOIN {source} {alias} ON {left.alias}.{quote(reference.name)} = {alias}."Id"'
        )
        self.relations[key] = Relation(key, target, alias)
        return self.relations[key]
