"""What can be known of a value before it is sent: the org would refuse it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sfnb.restore.describes import PicklistValue, WriteField, WriteObject
from sfnb.restore.plan import Reason

SET_ONCE = (
    "what it referred to is gone or comes back under a new Id, and the field is set only in a new "
    "record; it is left as it is"
)
MESSAGES: Mapping[Reason, str] = {
    "field_gone": "the org no longer has this field, or the user may not see it",
    "field_not_writable": "the field cannot be written any more",
    "picklist_value_retired": "the value is not among those that the org takes now",
    "record_type_missing": "the record type is gone, inactive or not given to the user",
    "parent_missing": "the record that it refers to is not there and is not restored",
    "object_gone": "the org no longer has this object, or the user may not see it",
    "no_permission": "the user may not do this",
    "storage_full": "the org has no room for so many records",
    "other_org": "the record has no counterpart in this org",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a field, or a whole record (``field`` is empty), is not written."""

    reason: Reason
    field: str = ""
    message: str = ""

    @property
    def text(self) -> str:
        return self.message or MESSAGES[self.reason]


def faults_of(
    target: WriteObject, values: Mapping[str, Any], present: Mapping[str, Any]
) -> list[Fault]:
    """
    The values that the org would refuse, as far as its describe tells.

    Args:
        values: what would be sent.
        present: the record's other values, for picklists that depend on one of them.
    """
    faults = list(_record_type(target, values))
    for name, value in values.items():
        found = target.fields.get(name)
        if found is None or value in (None, "") or not found.is_restricted:
            continue
        controlling = values.get(found.controller, present.get(found.controller))
        if bad := _bad_values(target, found, str(value), controlling):
            shown = ", ".join(repr(b) for b in bad[:3])
            faults.append(
                Fault(
                    "picklist_value_retired", name, f"{shown}: {MESSAGES['picklist_value_retired']}"
                )
            )
        elif bad := _not_of_type(target, found, str(value), values, present):
            message = f"{', '.join(map(repr, bad[:3]))}: the record type does not allow it"
            faults.append(Fault("picklist_value_retired", name, message))
    return faults


def _record_type(target: WriteObject, values: Mapping[str, Any]) -> Iterator[Fault]:
    wanted = values.get("RecordTypeId")
    if not wanted or not target.record_types:
        return
    for found in target.record_types:
        if found.record_type_id == wanted:
            if found.is_active and found.is_available:
                return
            why = "inactive" if not found.is_active else "not given to the user"
            message = f"the record type {found.developer_name} is {why}"
            yield Fault("record_type_missing", "RecordTypeId", message)
            return
    yield Fault("record_type_missing", "RecordTypeId")


def _bad_values(
    target: WriteObject, found: WriteField, value: str, controlling: object
) -> list[str]:
    """The parts of a value that are not among the active ones, or not with the controlling value."""
    parts = value.split(";") if found.type == "multipicklist" else [value]
    known = {v.value.lower(): v for v in found.values if v.is_active}
    place = _place(target.fields.get(found.controller), controlling)
    return [part for part in parts if not _is_taken(known.get(part.lower()), place)]


def _not_of_type(
    target: WriteObject,
    found: WriteField,
    value: str,
    values: Mapping[str, Any],
    present: Mapping[str, Any],
) -> list[str]:
    """The parts of a value that the record's type does not allow; none where that is not known."""
    record_type = values.get("RecordTypeId") or present.get("RecordTypeId")
    allowed = target.by_type.get(str(record_type), {}).get(found.name)
    if not allowed:
        return []
    parts = value.split(";") if found.type == "multipicklist" else [value]
    return [part for part in parts if part.lower() not in allowed]


def _is_taken(entry: PicklistValue | None, place: int | None) -> bool:
    if entry is None:
        return False
    return entry.valid_for is None or place is None or place in entry.valid_for


def _place(controller: WriteField | None, value: object) -> int | None:
    """
    Where a controlling value is in its list; a checkbox has two: unchecked and checked.

    None: not known, so nothing is refused for it.
    """
    if controller is None:
        return None
    if controller.type == "boolean":
        return int(value is True)
    for place, entry in enumerate(controller.values):
        if entry.value == value:
            return place
    return None
