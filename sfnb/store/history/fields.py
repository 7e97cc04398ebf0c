"""Which fields of an object can be compared between two snapshots, and what is said of the rest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from sfnb.store.columns import NAMES

STAMPS = frozenset({"systemmodstamp", "lastmodifieddate", "lastmodifiedbyid"})
"""Fields that move with every change of a record, and say nothing of what changed."""

Change = Literal[
    "field_added", "field_removed", "field_renamed", "field_retyped", "formula_changed"
]


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """
    One difference between the fields of two snapshots.

    Args:
        field: as the newer snapshot spells it; for ``field_removed`` as the older one does.
        change: ``field_removed`` means that the newer snapshot does not have it: it was removed, or
            the user may no longer see it.
        old, new: types, spellings or formulas; None where there is none.
    """

    object: str
    field: str
    change: Change
    old: str | None
    new: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def sentence(self) -> str:
        """For people."""
        match self.change:
            case "field_added":
                return f"{self.field} is only in the newer snapshot."
            case "field_removed":
                return (
                    f"{self.field} is only in the older snapshot: it was removed, or the backup's "
                    "user may no longer see it."
                )
            case "field_renamed":
                return f"{self.old} is now spelled {self.new}."
            case "field_retyped":
                return f"{self.field} was {self.old} and is {self.new}."
            case "formula_changed":
                return f"The formula of {self.field} was edited; its values are not compared."


@dataclass(frozen=True, slots=True)
class ComparedField:
    """
    One field that both snapshots have.

    Args:
        old, new: its spelling in each.
        kind: the type (see ``columns.TYPES``) in which the values are compared.
    """

    old: str
    new: str
    kind: str


@dataclass(frozen=True, slots=True)
class FieldPairs:
    """What `pair_fields` found; ``compared`` is in the order of the newer snapshot."""

    compared: tuple[ComparedField, ...]
    changes: tuple[SchemaChange, ...]


@dataclass(frozen=True, slots=True)
class KnownFields:
    """An object's fields in one snapshot: their columns, and Salesforce's describe answer."""

    columns: pa.Schema
    describe: Mapping[str, Any]

    def described(self) -> dict[str, Mapping[str, Any]]:
        """By lower-case name, what describe says of each field."""
        found = self.describe.get("fields")
        fields = found if isinstance(found, list) else []
        return {str(f.get("name")).lower(): f for f in fields if isinstance(f, Mapping)}


def pair_fields(
    object_name: str, old: KnownFields, new: KnownFields, *, stamps: bool = False
) -> FieldPairs:
    """
    The fields that both snapshots have, by name in any case: to Salesforce, names that differ in
    case only are the same.

    Args:
        stamps: compare the system stamps, too.
    """
    before = {field.name.lower(): field for field in old.columns}
    after = {field.name.lower() for field in new.columns}
    old_says, new_says = old.described(), new.described()
    compared: list[ComparedField] = []
    changes: list[SchemaChange] = []

    def note(field: str, change: Change, was: object, now: object) -> None:
        words = (None if value is None else str(value) for value in (was, now))
        changes.append(SchemaChange(object_name, field, change, *words))

    for field in new.columns:
        lower = field.name.lower()
        there = before.get(lower)
        is_now = new_says.get(lower, {})
        if there is None:
            note(field.name, "field_added", None, is_now.get("type") or NAMES[field.type])
            continue
        was = old_says.get(lower, {})
        if there.name != field.name:
            note(field.name, "field_renamed", there.name, field.name)
        types = was.get("type"), is_now.get("type")
        if there.type != field.type or (all(types) and types[0] != types[1]):
            kinds = NAMES[there.type], NAMES[field.type]
            shown = types if all(types) and types[0] != types[1] else kinds
            note(field.name, "field_retyped", *shown)
        formulas = was.get("calculatedFormula"), is_now.get("calculatedFormula")
        if was and is_now and formulas[0] != formulas[1]:
            note(field.name, "formula_changed", *formulas)
            continue
        if stamps or lower not in STAMPS:
            kind = _common(NAMES[there.type], NAMES[field.type])
            compared.append(ComparedField(there.name, field.name, kind))
    for lower, field in before.items():
        if lower not in after:
            kind = old_says.get(lower, {}).get("type") or NAMES[field.type]
            note(field.name, "field_removed", kind, None)
    return FieldPairs(tuple(compared), tuple(changes))


def _common(old: str, new: str) -> str:
    """A type that holds the values of both; text where only their spelling can be compared."""
    if old == new:
        return old
    return "double" if {old, new} == {"int64", "double"} else "string"
