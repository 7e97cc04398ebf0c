"""The describe answers, with every key that real orgs send."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.fields import label_of
from sfnb_demo.data.recycle_bin import BLOCKING
from sfnb_demo.data.schema import COMPOUND_TYPES, ID_TYPES, ChildRelation, Field, ObjectDef

Entry = dict[str, Any]

MASTER_RECORD_TYPE = "012000000000000AAA"

_SOAP_TYPES: Mapping[str, str] = {
    "id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "long": "xsd:long",
    "double": "xsd:double", "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date",
    "datetime": "xsd:dateTime", "time": "xsd:time", "base64": "xsd:base64Binary", "anyType": "xsd:anyType",
    "address": "urn:address", "location": "urn:location",
}  # fmt: skip


def global_entry(obj: ObjectDef, version: str) -> Entry:
    """One entry of the global describe."""
    path = f"/services/data/v{version.removeprefix('v')}/sobjects/{obj.name}"
    label = obj.label or label_of(obj.name)
    has_rows_of_people = obj.is_writable and obj.is_queryable
    urls = {"rowTemplate": f"{path}/{{ID}}", "describe": f"{path}/describe", "sobject": path}
    if not obj.is_queryable and obj.prefix is None:
        urls.pop("rowTemplate")
    return {
        "activateable": False,
        "associateEntityType": obj.associate_type,
        "associateParentEntity": obj.associate_parent,
        "createable": obj.is_writable,
        "custom": obj.is_custom,
        "customSetting": obj.is_custom_setting,
        "deepCloneable": False,
        "deletable": obj.is_writable and obj.is_deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": obj.name in ("Account", "Contact", "Case", "Opportunity", "Lead"),
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": obj.prefix,
        "label": label,
        "labelPlural": obj.plural or (label if label.endswith("s") else label + "s"),
        "layoutable": has_rows_of_people,
        "mergeable": obj.name in ("Account", "Contact", "Lead"),
        "mruEnabled": has_rows_of_people,
        "name": obj.name,
        "queryable": obj.is_queryable,
        "replicateable": obj.is_replicateable and obj.is_queryable,
        "retrieveable": obj.is_queryable,
        "searchable": has_rows_of_people,
        "triggerable": has_rows_of_people or obj.name.endswith("__e"),
        "undeletable": obj.is_writable
        and obj.is_deletable
        and obj.has_bin
        and obj.is_undeletable
        and obj.has("IsDeleted"),
        "updateable": obj.is_writable,
        "urls": urls,
    }


def describe(obj: ObjectDef, catalog: Catalog, version: str, record_types: list[Entry]) -> Entry:
    """
    The whole describe of one object.

    Args:
        record_types: the entries of ``recordTypeInfos`` other than the master record type.
    """
    entry = global_entry(obj, version)
    path = entry["urls"]["sobject"]
    urls = dict(entry["urls"])
    if obj.is_queryable:
        urls |= {
            "compactLayouts": f"{path}/describe/compactLayouts",
            "approvalLayouts": f"{path}/describe/approvalLayouts",
            "quickActions": f"{path}/quickActions",
            "layouts": f"{path}/describe/layouts",
            "uiDetailTemplate": "/{ID}",
            "uiEditTemplate": "/{ID}/e",
            "uiNewRecord": f"/{obj.prefix}/e",
        }
    return entry | {
        "actionOverrides": [],
        "childRelationships": [_child(r) for r in catalog.children[obj.name]],
        "compactLayoutable": obj.is_writable,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [describe_field(f, {c.name: c for c in obj.fields}) for f in obj.fields],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [
            *record_types,
            _master(path, is_default=not any(r["defaultRecordTypeMapping"] for r in record_types)),
        ],
        "searchLayoutable": obj.is_writable,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [
            {"label": f"All {entry['labelPlural']}", "name": "everything"},
            {"label": f"My {entry['labelPlural']}", "name": "mine"},
        ],
        "urls": urls,
    }


def layouts(obj: ObjectDef, described: Entry) -> Entry:
    """
    What ``/describe/layouts`` says about record types: which picklist values each allows. With several
    types, ``layouts`` is null (REST guide, sObject Layouts).
    """
    picklists = [f for f in described["fields"] if f["picklistValues"]]
    allowed = {f.name: dict(f.by_record_type) for f in obj.fields if f.by_record_type}
    mappings = []
    for one in described["recordTypeInfos"]:
        lists = []
        for field in picklists:
            taken = allowed.get(field["name"], {}).get(one["developerName"])
            values = [v for v in field["picklistValues"] if taken is None or v["value"] in taken]
            lists.append({"picklistName": field["name"], "picklistValues": values})
        mappings.append(one | {"layoutId": None, "picklistsForRecordType": lists})
    return {
        "layouts": None,
        "recordTypeMappings": mappings,
        "recordTypeSelectorRequired": [len(mappings) > 2],
    }


def record_type(
    record_id: str,
    name: str,
    developer_name: str,
    path: str,
    *,
    is_default: bool,
    is_available: bool = True,
) -> Entry:
    """One entry of ``recordTypeInfos``; ``is_available``: the user's profile has it."""
    return {
        "active": True,
        "available": is_available,
        "defaultRecordTypeMapping": is_default,
        "developerName": developer_name,
        "master": record_id == MASTER_RECORD_TYPE,
        "name": name,
        "recordTypeId": record_id,
        "urls": {"layout": f"{path}/describe/layouts/{record_id}"},
    }


def _master(path: str, *, is_default: bool) -> Entry:
    return record_type(MASTER_RECORD_TYPE, "Master", "Master", path, is_default=is_default)


def _child(relation: ChildRelation) -> Entry:
    return {
        "cascadeDelete": relation.field.delete_rule == "cascade",
        "childSObject": relation.child,
        "deprecatedAndHidden": False,
        "field": relation.field.name,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": relation.field.children,
        "restrictedDelete": relation.field.delete_rule == "restrict"
        or (relation.child, relation.field.name) in BLOCKING,
    }


def describe_field(field: Field, controllers: Mapping[str, Field]) -> Entry:
    """One field, with all 57 keys; ``controllers`` has the object's fields by name."""
    kind = field.type
    is_id = kind in ID_TYPES
    length = field.length
    is_picklist = kind in ("picklist", "multipicklist", "combobox")
    is_groupable = field.is_filterable and kind not in (
        "datetime", "double", "currency", "percent", "multipicklist", "base64", "textarea", "time",
        "encryptedstring", *COMPOUND_TYPES
    )  # fmt: skip
    return {
        "aggregatable": field.is_filterable and kind not in ("boolean", "base64", *COMPOUND_TYPES),
        "aiPredictionField": False,
        "autoNumber": field.is_auto_number,
        "byteLength": length if is_id else length * 3,
        "calculated": field.is_calculated,
        "calculatedFormula": None if not field.is_calculated else field.formula,
        "cascadeDelete": field.type == "reference"
        and (field.is_detail or field.is_custom)
        and field.delete_rule == "cascade",
        "caseSensitive": field.is_case_sensitive,
        "compoundFieldName": field.compound
        or ("Name" if field.name == "Name" and field.type == "string" else None),
        "controllerName": field.controller or None,
        "createable": field.is_createable and not field.is_calculated,
        "custom": field.is_custom,
        "defaultValue": False if kind == "boolean" else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": field.is_defaulted,
        "dependentPicklist": bool(field.controller),
        "deprecatedAndHidden": False,
        "digits": 9 if kind == "int" else 0,
        "displayLocationInDecimal": kind == "location",
        "encrypted": kind == "encryptedstring",
        "externalId": field.is_external_id,
        "extraTypeInfo": {
            "address": None,
            "textarea": "richtextarea" if field.is_html else "plaintextarea",
        }.get(kind),
        "filterable": field.is_filterable and kind not in COMPOUND_TYPES,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": is_groupable,
        "highScaleNumber": False,
        "htmlFormatted": field.is_html,
        "idLookup": kind == "id"
        or field.is_external_id
        or (field.is_name and field.formula is None),
        "inlineHelpText": None,
        "label": field.label or label_of(field.name),
        "length": length,
        "mask": "*" if kind == "encryptedstring" else None,
        "maskType": "all" if kind == "encryptedstring" else None,
        "name": field.name,
        "nameField": field.is_name,
        "namePointing": len(field.refs) > 1,
        "nillable": field.is_nillable,
        "permissionable": field.is_createable and field.is_nillable,
        "picklistValues": [
            _picklist_value(v, v not in field.retired, valid_for(field, v, controllers))
            for v in field.values
        ]
        if is_picklist
        else [],
        "polymorphicForeignKey": len(field.refs) > 1,
        "precision": field.precision,
        "queryByDistance": kind in COMPOUND_TYPES,
        "referenceTargetField": None,
        "referenceTo": list(field.refs),
        "relationshipName": field.relationship,
        "relationshipOrder": 0 if field.is_detail else None,
        "restrictedDelete": field.type == "reference"
        and field.is_custom
        and field.delete_rule == "restrict",
        "restrictedPicklist": field.is_restricted,
        "scale": field.scale,
        "searchPrefilterable": kind == "reference",
        "soapType": _SOAP_TYPES.get(kind, "xsd:string"),
        "sortable": field.is_sortable and kind not in COMPOUND_TYPES,
        "type": kind,
        "unique": field.is_unique,
        "updateable": field.is_updateable and not field.is_calculated,
        "writeRequiresMasterRead": False,
    }


def valid_for(field: Field, value: str, controllers: Mapping[str, Field]) -> str | None:
    """
    Base64 of a bit for each value of the controlling field, the first one in the highest bit (SOAP
    guide, PicklistEntry).
    """
    controller = controllers.get(field.controller)
    if controller is None:
        return None
    all_values = ("false", "true") if controller.type == "boolean" else controller.values
    allowed = dict(field.valid_for).get(value, all_values)
    bits = bytearray(-(-max(len(all_values), 1) // 8))
    for place, one in enumerate(all_values):
        if one in allowed:
            bits[place // 8] |= 0x80 >> place % 8
    return base64.b64encode(bytes(bits)).decode()


def _picklist_value(value: str, is_active: bool, fits: str | None) -> Entry:
    return {
        "active": is_active,
        "defaultValue": False,
        "label": value,
        "validFor": fits,
        "value": value,
    }
