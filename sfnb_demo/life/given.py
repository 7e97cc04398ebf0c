"""What one entry of the control API asks for, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfnb_demo.data.database import Database
from sfnb_demo.data.schema import Field, ObjectDef

Given = Mapping[str, Any]


def check_keys(given: Given, known: frozenset[str]) -> None:
    """A misspelt key is a ``ValueError``, not a wish that is ignored."""
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def object_of(database: Database, given: Given, key: str = "object") -> ObjectDef:
    obj = database.catalog.find(str(given.get(key, "")))
    if obj is None:
        raise ValueError(f"there is no object {given.get(key)!r}")
    return obj


def field_of(obj: ObjectDef, given: Given, key: str = "field") -> Field:
    field = obj.find(str(given.get(key, "")))
    if field is None:
        raise ValueError(f"{obj.name} has no field {given.get(key)!r}")
    return field
