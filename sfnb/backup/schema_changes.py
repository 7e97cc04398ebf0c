"""
What has changed in the org's schema between two snapshots, named. Pure.

Describe cannot tell a removed field from one that this user may no longer see, nor a removed object
from a hidden one: both are reported as hidden, which asks for a look and claims no loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sfnb.org.answers import mapping_of, mappings_of, text_of

Change = Literal[
    "field_added",
    "field_removed",
    "field_hidden",
    "field_retyped",
    "field_renamed",
    "formula_changed",
    "picklist_changed",
    "object_added",
    "object_removed",
    "object_hidden",
    "object_renamed",
]

SIZE_TYPES = frozenset({"string", "textarea", "url", "phone", "email", "picklist", "combobox"})
"""Types whose change of length alone is no change of type: the store keeps text of any length."""


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """
    One change.

    Args:
        field: empty where the object itself changed.
        old, new: type, name, formula or values before and now; empty where there is none.
    """

    object: str
    field: str
    change: Change
    old: str = ""
    new: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def object_changes(
    name: str, before: Mapping[str, Any], now: Mapping[str, Any]
) -> list[SchemaChange]:
    """
    The changes between two describe answers of one object.

    A field whose name differs in case only is the same field, renamed.
    """
    old, new = _fields(before), _fields(now)
    found: list[SchemaChange] = []
    for key, field in new.items():
        if key not in old:
            kind = _type(field)
            found.append(SchemaChange(name, _name(field), "field_added", "", kind))
        else:
            found += _field_changes(name, old[key], field)
    found += [
        SchemaChange(name, _name(field), "field_hidden", _type(field), "")
        for key, field in old.items()
        if key not in new
    ]
    return found


def catalogue_changes(before: Iterable[str], now: Iterable[str]) -> list[SchemaChange]:
    """The changes between two lists of the org's objects."""
    old = {name.lower(): name for name in before}
    new = {name.lower(): name for name in now}
    added = [
        SchemaChange(name, "", "object_added", "", name)
        for key, name in new.items()
        if key not in old
    ]
    renamed = [
        SchemaChange(new[key], "", "object_renamed", name, new[key])
        for key, name in old.items()
        if key in new and new[key] != name
    ]
    hidden = [
        SchemaChange(name, "", "object_hidden", name, "")
        for key, name in old.items()
        if key not in new
    ]
    return [*added, *renamed, *hidden]


def with_renames(
    changes: Sequence[SchemaChange], prefixes: Mapping[str, str], old_prefixes: Mapping[str, str]
) -> list[SchemaChange]:
    """
    An object that went and one that came with the same key prefix are one, renamed: custom objects
    keep their prefix when their API name is edited.
    """
    gone = {old_prefixes.get(c.object): c for c in changes if c.change == "object_hidden"}
    kept, renamed = list(changes), []
    for change in changes:
        prefix = prefixes.get(change.object)
        if change.change == "object_added" and prefix and (old := gone.get(prefix)):
            kept = [c for c in kept if c not in (change, old)]
            renamed.append(
                SchemaChange(change.object, "", "object_renamed", old.object, change.object)
            )
    return [*kept, *renamed]


def _fields(describe: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {_name(field).lower(): field for field in mappings_of(describe.get("fields"))}


def _name(field: Mapping[str, Any]) -> str:
    return text_of(field.get("name"))


def _type(field: Mapping[str, Any]) -> str:
    return text_of(field.get("type"))


def _field_changes(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[SchemaChange]:
    found: list[SchemaChange] = []
    field = _name(new)
    if _name(old) != field:
        found.append(SchemaChange(name, field, "field_renamed", _name(old), field))
    if (was := _full_type(old)) != (now := _full_type(new)):
        found.append(SchemaChange(name, field, "field_retyped", was, now))
    formulas = text_of(old.get("calculatedFormula")), text_of(new.get("calculatedFormula"))
    if formulas[0] != formulas[1]:
        found.append(SchemaChange(name, field, "formula_changed", *formulas))
    before, after = _values(old), _values(new)
    if set(before) != set(after):
        found.append(
            SchemaChange(name, field, "picklist_changed", ";".join(before), ";".join(after))
        )
    return found


def _full_type(field: Mapping[str, Any]) -> str:
    """The type, with what makes it another one for the values: whether it is computed, its scale."""
    kind = _type(field)
    if kind in ("double", "currency", "percent", "int"):
        kind += f"({field.get('precision') or 0},{field.get('scale') or 0})"
    elif kind == "reference":
        targets = field.get("referenceTo")
        kind += f"({','.join(sorted(map(str, targets)))})" if isinstance(targets, list) else ""
    elif kind not in SIZE_TYPES and field.get("length"):
        kind += f"({field['length']})"
    return kind + (" formula" if field.get("calculated") is True else "")


def _values(field: Mapping[str, Any]) -> list[str]:
    """The active values of a picklist, in their order."""
    entries = mappings_of(mapping_of(field).get("picklistValues"))
    return [text_of(entry.get("value")) for entry in entries if entry.get("active") is not False]
