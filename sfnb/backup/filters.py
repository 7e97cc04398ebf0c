"""
Objects that are not given whole: which filter they want, as is known of them and as their refusals
say. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sfnb.model import ObjectSchema

PARENT_FIELDS: Mapping[str, str] = {
    "ContentDocumentLink": "ContentDocumentId",
    "ContentFolderItem": "ParentContentFolderId",
    "ContentFolderMember": "ParentContentFolderId",
    "CollaborationGroupRecord": "CollaborationGroupId",
    "IdeaComment": "IdeaId",
    "Vote": "ParentId",
}
"""
Objects known to want a filter, and the lookup by which their rows are found. Others are found by
their refusal.
"""


TYPED_PARENT = frozenset({"Vote"})
"""
Of these, those that also take the type of their parents: ``Parent.Type = 'Idea'`` gives all rows of
all ideas at once (object reference, Vote).
"""

SINGLE_PARENT = frozenset({"CollaborationGroupRecord", "ContentFolderItem", "Vote"})
"""
Of these, those that take one parent at a time, with the equals operator (their refusals say so).
The plan counts on that. The reader tries a list first: a refusal costs one call, a list that the
org takes saves up to 200 for one.
"""


def filter_field(refusal: str, schema: ObjectSchema) -> str | None:
    """
    The lookup named by a refusal such as "… requires a filter by a single Id on ContentDocumentId
    or LinkedEntityId …".

    Only a lookup to few objects helps: its parents have to be listed.
    """
    lookups = {
        f.name: f for f in schema.fields if f.type == "reference" and 0 < len(f.reference_to) <= 10
    }
    named = [word for word in re.findall(r"\w+", refusal) if word in lookups]
    return min(named, key=lambda name: len(lookups[name].reference_to), default=None)


def is_filter_refusal(message: str) -> bool:
    """Whether a refusal asks for a filter."""
    return bool(
        re.search(
            r"requires? a filter|a filter on|filter.{0,40} required|you must filter",
            message,
            re.IGNORECASE,
        )
    )


def is_single_refusal(message: str) -> bool:
    """Whether a refusal takes one Id at a time and no list."""
    return bool(
        re.search(r"single id", message, re.IGNORECASE)
        and not re.search(r"IN operator|IN \[", message)
    )


def parent_types(schema: ObjectSchema, lookup: str) -> tuple[str, ...]:
    """
    The types of the parents, where a query can go by them; empty: it cannot.

    Of a lookup to one object, ``Parent.Type`` is that object's own field Type, whatever it holds.
    """
    targets = next((f.reference_to for f in schema.fields if f.name == lookup), ())
    return tuple(sorted(targets)) if len(targets) > 1 else ()


def offers_type(refusal: str, lookup: str) -> bool:
    """Whether a refusal names the type of the parent as a filter: ``Parent.Type = [single Type]``."""
    return bool(re.search(rf"\b{re.escape(lookup.removesuffix('Id'))}\.Type\s*=", refusal))


def is_structural_refusal(code: str, message: str) -> bool:
    """Whether nobody could read the object by the API, whatever their permissions."""
    return (
        code in ("INVALID_TYPE_FOR_OPERATION", "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION")
        or "does not support query" in message
        or is_filter_refusal(message)
    )
