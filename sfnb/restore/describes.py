"""
What a describe says about writing: which fields of an object may be set, and what a value must obey. Pure.

Flags are those of the REST guide, sObject Describe; what each means for a write is in the SOAP guide,
describeSObjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb.org.answers import count_of, mapping_of, mappings_of, text_of

MASTER_RECORD_TYPE = "012000000000000AAA"
"""The record type of records without one. It is no record, and no value that may be sent."""

AUDIT = frozenset({"CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate"})
"""Settable on insert where "Set Audit Fields upon Record Creation" is on; describe tells."""

SYSTEM = frozenset({"Id", "IsDeleted", "SystemModstamp", "LastViewedDate", "LastReferencedDate"})

NEVER_SENT = frozenset({*SYSTEM, "MasterRecordId", "IsArchived"})
"""Fields that no restore sends, whatever a describe claims."""


@dataclass(frozen=True, slots=True)
class PicklistValue:
    """One value of a picklist; ``valid_for`` are the places of the controlling values, None: any."""

    value: str
    is_active: bool
    valid_for: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class WriteField:
    """
    One field, as far as writing goes.

    Args:
        has_default: the org fills it on insert when nothing is sent.
        is_master_detail: the record cannot be without its parent, and goes with it;
            ``is_cascading``: it goes with it, and comes back with it.
        values: of a picklist.
        is_restricted: no other values are taken.
        controller: the field that decides which values are valid.
        is_unique_key: an external id that no two records share.
    """

    name: str
    type: str
    is_createable: bool = False
    is_updateable: bool = False
    is_nillable: bool = True
    has_default: bool = False
    reference_to: tuple[str, ...] = ()
    is_master_detail: bool = False
    is_cascading: bool = False
    is_calculated: bool = False
    is_auto_number: bool = False
    is_unique_key: bool = False
    is_case_sensitive: bool = False
    is_rich_text: bool = False
    length: int = 0
    values: tuple[PicklistValue, ...] = ()
    is_restricted: bool = False
    controller: str = ""

    @property
    def is_reference(self) -> bool:
        return self.type == "reference"

    @property
    def is_required_on_insert(self) -> bool:
        return self.is_createable and not self.is_nillable and not self.has_default


@dataclass(frozen=True, slots=True)
class RecordTypeInfo:
    """A record type as the describe of its object has it, for the user who asks."""

    record_type_id: str
    developer_name: str
    is_active: bool
    is_available: bool
    is_master: bool


@dataclass(frozen=True, slots=True)
class WriteObject:
    """
    One object, as far as writing goes.

    Args:
        prefix: of its Ids.
        cascades: objects whose records go, and come back, with one of this object, and by which
            field of theirs.
        by_type: by record type and picklist, the values that it takes; empty: not known.
    """

    name: str
    fields: Mapping[str, WriteField] = field(default_factory=dict)
    prefix: str = ""
    is_createable: bool = False
    is_updateable: bool = False
    is_deletable: bool = False
    is_undeletable: bool = False
    is_queryable: bool = True
    record_types: tuple[RecordTypeInfo, ...] = ()
    cascades: tuple[tuple[str, str], ...] = ()
    by_type: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return name in self.fields

    @property
    def references(self) -> Sequence[WriteField]:
        return [f for f in self.fields.values() if f.is_reference]

    @property
    def unique_keys(self) -> Sequence[WriteField]:
        return [f for f in self.fields.values() if f.is_unique_key]

    @property
    def has_typed_picklists(self) -> bool:
        """Whether record types may allow some values of a picklist, and not the others."""
        has_types = any(not found.is_master for found in self.record_types)
        return has_types and any(f.is_restricted for f in self.fields.values())

    @property
    def is_writable(self) -> bool:
        return self.is_createable or self.is_updateable or self.is_undeletable


def write_object(describe: Mapping[str, Any]) -> WriteObject:
    """From Salesforce's describe answer; what is missing is taken for no."""
    fields = [_field(entry) for entry in mappings_of(describe.get("fields"))]
    return WriteObject(
        name=text_of(describe.get("name")),
        fields={f.name: f for f in fields if f.name},
        prefix=text_of(describe.get("keyPrefix"))[:3],
        is_createable=describe.get("createable") is True,
        is_updateable=describe.get("updateable") is True,
        is_deletable=describe.get("deletable") is True,
        is_undeletable=describe.get("undeletable") is True,
        is_queryable=describe.get("queryable") is True,
        record_types=tuple(_record_type(e) for e in mappings_of(describe.get("recordTypeInfos"))),
        cascades=tuple(
            (text_of(e.get("childSObject")), text_of(e.get("field")))
            for e in mappings_of(describe.get("childRelationships"))
            if e.get("cascadeDelete") is True
        ),
    )


def values_by_type(layouts: object) -> dict[str, dict[str, frozenset[str]]]:
    """
    By record type and picklist, the values that it takes, from an answer of ``describe/layouts`` (SOAP
    guide, RecordTypeMapping). What is not as it should be is left out.
    """
    found: dict[str, dict[str, frozenset[str]]] = {}
    for mapping in mappings_of(mapping_of(layouts).get("recordTypeMappings")):
        lists = mappings_of(mapping.get("picklistsForRecordType"))
        found[text_of(mapping.get("recordTypeId"))] = {
            text_of(one.get("picklistName")): frozenset(
                text_of(v.get("value")).lower() for v in mappings_of(one.get("picklistValues"))
            )
            for one in lists
        }
    return found


def _field(entry: Mapping[str, Any]) -> WriteField:
    targets = entry.get("referenceTo")
    kind = text_of(entry.get("type"))
    return WriteField(
        name=text_of(entry.get("name")),
        type=kind,
        is_createable=entry.get("createable") is True,
        is_updateable=entry.get("updateable") is True,
        is_nillable=entry.get("nillable") is True,
        has_default=entry.get("defaultedOnCreate") is True or _has_default(entry, kind),
        reference_to=tuple(t for t in targets if isinstance(t, str))
        if isinstance(targets, list)
        else (),
        # A detail's field to its master is numbered; cascadeDelete alone may be a lookup.
        is_master_detail=isinstance(entry.get("relationshipOrder"), int)
        or (entry.get("cascadeDelete") is True and entry.get("nillable") is False),
        is_cascading=entry.get("cascadeDelete") is True,
        is_calculated=entry.get("calculated") is True,
        is_auto_number=entry.get("autoNumber") is True,
        is_unique_key=entry.get("externalId") is True and entry.get("unique") is True,
        is_case_sensitive=entry.get("caseSensitive") is True,
        is_rich_text=entry.get("extraTypeInfo") == "richtextarea",
        length=count_of(entry.get("length")) or 0,
        values=tuple(
            PicklistValue(
                text_of(v.get("value")), v.get("active") is True, valid_for(v.get("validFor"))
            )
            for v in mappings_of(entry.get("picklistValues"))
        ),
        is_restricted=entry.get("restrictedPicklist") is True,
        controller=text_of(entry.get("controllerName")),
    )


def _has_default(entry: Mapping[str, Any], kind: str) -> bool:
    has_value = any(v.get("defaultValue") is True for v in mappings_of(entry.get("picklistValues")))
    is_set = entry.get("defaultValue") is not None or bool(entry.get("defaultValueFormula"))
    return has_value or is_set or kind == "boolean"


def _record_type(entry: Mapping[str, Any]) -> RecordTypeInfo:
    return RecordTypeInfo(
        text_of(entry.get("recordTypeId")),
        text_of(entry.get("developerName")),
        entry.get("active") is not False,
        entry.get("available") is True,
        entry.get("master") is True,
    )


def valid_for(bits: object) -> frozenset[int] | None:
    """
    The controlling values, by place, with which a picklist value is valid; None: it does not depend.

    ``validFor`` is Base64 of a bitmap, the highest bit of the first byte first (SOAP guide,
    PicklistEntry).
    """
    import base64
    import binascii

    if not isinstance(bits, str) or not bits:
        return None
    try:
        raw = base64.b64decode(bits, validate=True)
    except (binascii.Error, ValueError):
        return None
    return frozenset(
        place for place in range(len(raw) * 8) if raw[place // 8] & (0x80 >> place % 8)
    )
