"""What a compiled statement runs, and how its columns form records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sfnb_demo.data.schema import Field, ObjectDef

Flavour = Literal["json", "epoch", "csv"]
"""
How values are written: as REST's JSON, as Bulk API 1.0's JSON (datetimes as epoch milliseconds), as
Bulk CSV.
"""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value: the number of its column; ``is_json`` for one that is kept as a JSON text."""

    column: int
    is_json: bool = False


@dataclass
class Node:
    """
    A record: the root, or a parent nested in it.

    Args:
        id: number of the column with its Id; -1 for a row of aggregates.
        type: for a polymorphic parent the number of the column that names its object.
    """

    name: str
    id: int
    type: int | None = None
    entries: dict[str, Leaf | Node | Compound | Children] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compound:
    """An address or a location: key to column."""

    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Children:
    """
    A subquery; its SQL takes one parameter, the list of the parents' ids, and its last column is
    the parent's id.
    """

    plan: Plan
    limit: int | None
    offset: int


@dataclass
class Plan:
    """The SQL to run, and what its columns mean."""

    object: ObjectDef
    sql: str
    root: Node
    header: list[str]
    is_count: bool = False
    is_aggregate: bool = False


def written(sql: str, field: Field, flavour: Flavour) -> str:
    """The SQL of a value in the form in which it is sent."""
    kind = field.type
    if flavour == "csv":
        if field.is_json:  # Bulk CSV has no types: a text has no quotes of its own
            sql = f"json_extract_string({sql}, '$')"
        if kind == "datetime":
            sql = f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%gZ')"
        return f"coalesce(CAST({sql} AS VARCHAR), '')"
    if kind == "datetime":
        return (
            f"epoch_ms({sql})"
            if flavour == "epoch"
            else f"strftime({sql}, '%Y-%m-%dT%H:%M:%S.%g+0000')"
        )
    if kind == "date":
        return f"CAST({sql} AS VARCHAR)"
    return sql
