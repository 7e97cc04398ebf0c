"""What was sent, read: names, types, lengths, required fields. One record at a time, no look at the data."""

from __future__ import annotations

from typing import Any

from sfnb_demo.data.schema import COMPOUND_TYPES, ObjectDef
from sfnb_demo.data.values import decoded, stored_value
from sfnb_demo.data.writing.incoming import Incoming, WriteOptions
from sfnb_demo.errors import ApiError

AUDIT_FIELDS = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById")
CONVERSION_FIELDS = (
    "ConvertedDate",
    "ConvertedAccountId",
    "ConvertedContactId",
    "ConvertedOpportunityId",
)
AUDITED = frozenset(
    {
        "Account", "Attachment", "CampaignMember", "Case", "CaseComment", "Contact", "ContentVersion", "Contract",
        "EmailMessage", "Event", "Idea", "IdeaComment", "Lead", "Opportunity", "Task", "Vote",
    }
)  # fmt: skip
"""Standard objects of this org with settable audit fields (Salesforce help 000386065)."""


class Intake:
    """
    Args:
        has_audit_fields: whether "Set Audit Fields upon Record Creation" is on. They can be set on
            insert only, never by an upsert.
    """

    def __init__(self) -> None:
        self.has_audit_fields = False

    def audit_fields(self, obj: ObjectDef) -> frozenset[str]:
        """The fields that can be set on insert beyond those that always can."""
        if not self.has_audit_fields or not (obj.is_custom or obj.name in AUDITED):
            return frozenset()
        more = CONVERSION_FIELDS if obj.name == "Lead" else ()
        return frozenset({*AUDIT_FIELDS, *more})

    def read(self, obj: ObjectDef, incoming: Incoming, options: WriteOptions) -> None:
        """Fill ``given``, ``links``, ``row`` and ``bodies``; refuse what can be seen to be wrong."""
        try:
            self._names(obj, incoming, options)
            if incoming.is_new:
                _check_required(obj, incoming)
            if obj.name == "Lead" and not self.has_audit_fields:
                # Without the permission the lead comes back unconverted, and nothing says so.
                incoming.given = {
                    f: v for f, v in incoming.given.items() if f.name != "IsConverted"
                }
            for field, value in incoming.given.items():
                if field.type == "base64":
                    if value is not None:
                        incoming.bodies.append(decoded(field, value))
                else:
                    incoming.row[field.name] = stored_value(field, value)
            if not incoming.is_new:
                _check_not_emptied(incoming)
        except ApiError as err:
            incoming.errors.append(err)

    def _names(self, obj: ObjectDef, incoming: Incoming, options: WriteOptions) -> None:
        closed = []
        has_audit = incoming.is_new and not options.is_upsert
        audit = self.audit_fields(obj) if has_audit else frozenset()
        for name, value in incoming.values.items():
            if name.lower() == "attributes":
                continue
            if name.lower() == "id":
                if incoming.is_new and value:
                    message = "cannot specify Id in an insert call"
                    raise ApiError("INVALID_FIELD_FOR_INSERT_UPDATE", message, fields=["Id"])
                continue
            if isinstance(value, dict) or "." in name:
                self._link(obj, incoming, name, value)
                continue
            field = obj.find(name)
            if field is None:
                raise no_such_column(obj, name)
            is_open = field.is_createable if incoming.is_new else field.is_updateable
            is_open = is_open or field.name in audit
            if not is_open or field.is_calculated or field.type in COMPOUND_TYPES:
                closed.append(field.name)
            incoming.given[field] = value
        if closed:
            raise ApiError(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(closed)}. Please check the security settings of this "
                "field and verify that it is read/write for your profile or permission set.",
                fields=closed,
            )

    def _link(self, obj: ObjectDef, incoming: Incoming, name: str, value: Any) -> None:
        """
        A parent named by its external id: ``{"Account": {"External_Id__c": "A"}}``, or the CSV
        column ``Account.External_Id__c`` (``Lead:Who.Email`` where there are several objects).
        """
        wanted_object, _, path = name.rpartition(":")
        relationship, _, key = path.partition(".")
        field = obj.parents.get(relationship.lower())
        if isinstance(value, dict):
            attributes = value.get("attributes")
            wanted_object = str(attributes.get("type", "")) if isinstance(attributes, dict) else ""
            keys = [k for k in value if k.lower() != "attributes"]
            if len(keys) != 1:
                message = f"The {name} relationship must be given by exactly one external id field"
                raise ApiError("INVALID_FIELD", message)
            key, value = keys[0], value[keys[0]]
        if field is None:
            raise no_such_column(obj, name)
        if value in (None, ""):
            return
        incoming.links.append((field, wanted_object, key, value))


def no_such_column(obj: ObjectDef, name: str) -> ApiError:
    return ApiError("INVALID_FIELD", f"No such column '{name}' on sobject of type {obj.name}")


def _check_required(obj: ObjectDef, incoming: Incoming) -> None:
    linked = {field.name for field, *_ in incoming.links}
    missing = [
        f.name
        for f in obj.fields
        if not f.is_nillable
        and f.is_createable
        and not (f.is_defaulted or f.is_calculated)
        and f.type != "boolean"
        and f.name not in linked
        and incoming.given.get(f) in (None, "")
    ]
    if missing:
        raise _required(missing)


def _check_not_emptied(incoming: Incoming) -> None:
    empty = [
        f.name
        for f in incoming.given
        if not f.is_nillable
        and f.type not in ("boolean", "base64")
        and incoming.row.get(f.name) is None
    ]
    if empty:
        raise _required(empty)


def _required(fields: list[str]) -> ApiError:
    message = f"Required fields are missing: [{', '.join(fields)}]"
    return ApiError("REQUIRED_FIELD_MISSING", message, fields=fields)
