"""Rows that are wanted of an org, as a value: an object, its fields, a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sfnb.model import ObjectSchema

ACTIVITIES = frozenset({"Task", "Event", "TaskRelation", "EventRelation"})
"""
Of closed ones older than a year ``query`` shows nothing, though they are alive; ``queryAll`` does
("Archived Activities" in Salesforce's help).
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Rows of one object, by a condition.

    Args:
        schema: with the fields to read.
        where: SOQL after WHERE; empty: all.
        is_all: deleted rows, too. Archived activities are alive and wanted in any case.
        path: the Parquet file that takes the rows.
    """

    schema: ObjectSchema
    where: str
    path: str
    is_all: bool = True

    @property
    def name(self) -> str:
        return self.schema.name

    @property
    def sees_all(self) -> bool:
        """Whether the query has to be one that sees deleted and archived rows."""
        return self.is_all or self.name in ACTIVITIES

    def soql(self, extra: str = "", tail: str = "") -> str:
        columns = ",".join(f.name for f in self.schema.fields)
        living = "IsDeleted = false" if self.sees_all and not self.is_all else ""
        conditions = " AND ".join(c for c in (self.where, extra, living) if c)
        where = f" WHERE {conditions}" if conditions else ""
        return f"SELECT {columns} FROM {self.name}{where}{tail}"  # noqa: S608 - SOQL


def with_fields(schema: ObjectSchema, names: Sequence[str]) -> ObjectSchema:
    """The schema with some of its fields only."""
    wanted = set(names)
    return replace(schema, fields=tuple(f for f in schema.fields if f.name in wanted))
