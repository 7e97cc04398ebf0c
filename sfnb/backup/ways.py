"""
Another way to ask for an object whose query the org refuses, before it is given up. Pure.

Each way leaves a note for the outcome. The notes and the way are kept in the cursor, so a resumed
backup asks
the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from sfnb.errors import ObjectError
from sfnb.model import FieldInfo, ObjectSchema
from sfnb.org.arrow import Misfit, misfit_notes, readable_fields
from sfnb.org.arrow.columns import Wider

MOST_SOQL_CHARS = 95_000
"""
A longer query is spread over several: a SOQL statement may have 100,000 characters (SOQL limits),
and what is left is for a page's condition, such as 200 Ids of parents.
"""

MOST_REFUSED = 100
"""Fields that may be refused one after another before the object fails: each costs a call."""

LATEST = "IsLatestVersion"
ALL_VERSIONS = f"{LATEST} = true OR {LATEST} = false"
"""
A query that does not name this field sees the latest version of each article only (SOQL, Knowledge
articles).
"""

KEYS, STAMPS = ("Id", "DurableId"), ("SystemModstamp", "LastModifiedDate")
"""
Fields that each query has whose columns are spread: they say which record a row is, and of when.
"""

_TOO_LONG = {"QUERY_TOO_COMPLICATED", "URI_TOO_LONG", "QUERY_TOO_LONG"}
_TOO_LONG_TEXT = re.compile(
    r"too complicated|too many formula|query.{0,20}too long|cannot be longer than", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Way:
    """
    How the rows of one object are asked for.

    Args:
        where: a condition of the whole reading.
        without: fields that the org refused.
        groups: queries over which the columns are spread; 1: all in one.
        wider: columns that need a wider type than describe's.
    """

    where: str = ""
    without: frozenset[str] = frozenset()
    groups: int = 1
    wider: Mapping[str, Wider] = field(default_factory=dict)

    @classmethod
    def of(cls, schema: ObjectSchema, cursor: Mapping[str, Any]) -> Way:
        """The way of a cursor; where it has none, the usual one for the object."""
        is_article = schema.has(LATEST) and schema.name.endswith(("__kav", "ArticleVersion"))
        kept = cursor.get("way") or {}
        return cls(
            kept.get("where", ALL_VERSIONS if is_article else ""),
            frozenset(kept.get("without", ())),
            kept.get("groups") or queries_of(schema),
            kept.get("wider", {}),
        )

    def as_json(self) -> dict[str, Any]:
        """What a cursor keeps of it; empty for the usual way."""
        parts = {
            "where": self.where,
            "without": sorted(self.without),
            "groups": self.groups,
            "wider": dict(self.wider),
        }
        return parts if self != Way() else {}

    def fields(self, schema: ObjectSchema) -> tuple[FieldInfo, ...]:
        """The fields that are asked for."""
        return tuple(f for f in readable_fields(schema) if f.name not in self.without)

    def spread(self, fields: Sequence[FieldInfo]) -> tuple[tuple[FieldInfo, ...], ...]:
        """
        The fields of each query; keys and stamps are in all of them, so that their rows can be
        joined. None for one query.
        """
        return dealt_out(fields, self.groups) if self.groups > 1 else ()

    def notes(self) -> tuple[str, ...]:
        """What is to be said of the object in the outcome."""
        notes = [
            f"The org refused the field {name}; it is empty here." for name in sorted(self.without)
        ]
        return (*notes, *misfit_notes(self.wider))


def dealt_out(fields: Sequence[FieldInfo], queries: int) -> tuple[tuple[FieldInfo, ...], ...]:
    """The fields of each of so many queries. Keys and stamps are in all of them."""
    keys = tuple(f for f in fields if f.name in (*KEYS, *STAMPS))
    others = [f for f in fields if f.name not in (*KEYS, *STAMPS)]
    # Neighbours are alike: dealt out in turn, formula fields are halved as well.
    return tuple(keys + tuple(others[start::queries]) for start in range(min(queries, len(others))))


def soql_chars(name: str, fields: Iterable[FieldInfo]) -> int:
    """About how long the query of these fields is."""
    return sum(len(f.name) + 1 for f in fields) + len(name) + 12


def queries_of(schema: ObjectSchema) -> int:
    """Over how many queries the columns have to be spread so that each is short enough."""
    fields = readable_fields(schema)
    queries = ceil(soql_chars(schema.name, fields) / MOST_SOQL_CHARS)
    while queries < len(fields) and any(
        soql_chars(schema.name, some) > MOST_SOQL_CHARS for some in dealt_out(fields, queries)
    ):
        queries += 1
    return queries


def another_way(way: Way, schema: ObjectSchema, err: ObjectError) -> Way | None:
    """The way to try after a refusal; None: there is no other."""
    text = str(err)
    if isinstance(err, Misfit):
        wider: dict[str, Wider] = {
            # A double that does not hold a value leaves text only.
            name: "string" if name in way.wider else kind
            for name, kind in err.wider.items()
        }
        is_news = any(way.wider.get(name) != kind for name, kind in wider.items())
        return replace(way, wider={**way.wider, **wider}) if is_news else None
    refused = refused_fields(err, schema) - way.without
    if refused and way.where == ALL_VERSIONS and LATEST in refused:
        return replace(way, where="", without=way.without | refused)
    if refused and len(way.without | refused) <= MOST_REFUSED:
        return replace(way, without=way.without | refused)
    if err.code in _TOO_LONG or _TOO_LONG_TEXT.search(text):
        columns = sum(f.name not in (*KEYS, *STAMPS) for f in way.fields(schema))
        return replace(way, groups=way.groups * 2) if way.groups < columns else None
    return None


def refused_fields(err: ObjectError, schema: ObjectSchema) -> frozenset[str]:
    """
    The object's fields that a refusal names, such as ``No such column 'Region__c' on entity
    'Account'``.

    A refusal for a field comes with INVALID_FIELD by REST, and within the text of a failed Bulk
    job.
    """
    text = str(err)
    if err.code != "INVALID_FIELD" and not re.search(r"INVALID_FIELD|No such column", text):
        return frozenset()
    names = {f.name.lower(): f.name for f in readable_fields(schema) if f.name != "Id"}
    quoted = re.findall(r"'(\w+)'", text)
    words = quoted if any(word.lower() in names for word in quoted) else re.findall(r"\w+", text)
    return frozenset(names[word.lower()] for word in words if word.lower() in names)
