"""Which records go with a record, by what the org's describes say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sfnb.model import ObjectSchema
from sfnb.org.answers import mappings_of, text_of

DOCUMENT, VERSION, LINK = "ContentDocument", "ContentVersion", "ContentDocumentLink"

PERSON_PREFIX = "005"
"""Of users: each file is linked to its owner."""


@dataclass(frozen=True, slots=True)
class Relation:
    """
    Records of ``child`` refer to a parent by ``field``.

    Args:
        is_restricting: they keep the org from deleting the parent; else they go with it.
    """

    child: str
    field: str
    is_restricting: bool = False


def relations_of(
    schema: ObjectSchema, queryable: Mapping[str, bool], *, with_restricting: bool
) -> list[Relation]:
    """
    What goes with records of an object (REST guide, sObject Describe: ``cascadeDelete``,
    ``restrictedDelete`` of childRelationships).

    Children that nobody can query (ActivityHistory, CombinedAttachment …) are other views of
    records that can.

    Args:
        queryable: the org's objects.
    """
    found = []
    for entry in mappings_of(schema.raw.get("childRelationships")):
        name, field = text_of(entry.get("childSObject")), text_of(entry.get("field"))
        is_restricting = entry.get("restrictedDelete") is True
        if not field or not queryable.get(name):
            continue
        if entry.get("cascadeDelete") is True:
            found.append(Relation(name, field))
        elif is_restricting and with_restricting:
            found.append(Relation(name, field, is_restricting=True))
    return list(dict.fromkeys(found))


def emptied_by(schema: ObjectSchema, queryable: Mapping[str, bool]) -> list[Relation]:
    """
    Lookups to records of an object that the org empties when they go (REST guide, sObject Describe:
    childRelationships with neither ``cascadeDelete`` nor ``restrictedDelete``).

    Args:
        queryable: the org's objects.
    """
    found = [
        Relation(text_of(entry.get("childSObject")), text_of(entry.get("field")))
        for entry in mappings_of(schema.raw.get("childRelationships"))
        if entry.get("cascadeDelete") is not True and entry.get("restrictedDelete") is not True
    ]
    return [one for one in dict.fromkeys(found) if one.field and queryable.get(one.child)]


_KB = 1024
_NOT_COUNTED = ("History", "Feed", "Share", "__History", "__Feed", "__Share")
_SIZES_KB = {
    # Salesforce help, "Salesforce Record Size Overview": 2 KB a record but for these. Files are
    # counted by their bytes.
    "Campaign": 8,
    "CampaignMember": 1,
    **dict.fromkeys((DOCUMENT, VERSION, LINK, "Attachment", "Document"), 0),
}


def storage_bytes(object_name: str, rows: int, file_bytes: int = 0) -> int:
    """What records count in the org's data and file storage, as Salesforce counts them."""
    if object_name.endswith(_NOT_COUNTED):
        return file_bytes
    return rows * _SIZES_KB.get(object_name, 2) * _KB + file_bytes


SIZE_FIELDS = {VERSION: "ContentSize", "Attachment": "BodyLength", "Document": "BodyLength"}
"""Fields that say how many bytes a file takes (Object Reference)."""
