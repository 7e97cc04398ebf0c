# ruff: noqa: E501 - a catalogue reads best as a table, one field after the other
"""
What real orgs have and careless clients stumble over: seen in recorded answers or public projects.

Rows that share one Id, an Id that can be neither sorted nor filtered, values of types that a column
of one type cannot hold, objects that answer only to a filter by one parent, versions that hide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from sfnb_demo.data import fields as f
from sfnb_demo.data import fills, pools
from sfnb_demo.data import system_fields as system
from sfnb_demo.data.schema import Field, ObjectDef

SHARED_ID = "000000000000000AAA"
"""The Id of every row of a virtual object (recorded: AppDefinition, FormulaFunctionAllowedType)."""

BIG_INTEGER = 9_007_199_254_740_993
"""2⁵³ + 1: the first whole number that a double cannot hold."""

COMMENT_REFUSAL = (
    "Implementation restriction. When querying the Idea Comment object, you must filter using the following syntax: "
    "CommunityId = [single ID], Id = [single ID], IdeaId = [single ID], Id IN [list of IDs], or IdeaId IN [list of IDs]."
)
GROUP_REFUSAL = "Implementation restriction: CollaborationGroupRecord requires a filter by a single Id, CollaborationGroupId or RecordId using the equals operator"
FOLDER_REFUSAL = "Implementation restriction: ContentFolderItem requires a filter by a single Id or ParentContentFolderId using the equals operator"


def _shared_id(batch: fills.Batch) -> Any:
    return pa.array([SHARED_ID] * batch.size)


def _cycle(values: Sequence[Any], kind: Any = None) -> fills.Fill:
    """The values in turn, by the row's number: the same in every org, whatever its seed."""
    return lambda batch: fills.take(values, batch.numbers % len(values), kind)


def json_texts(*values: Any) -> tuple[str | None, ...]:
    """Values of several types as they are kept: as JSON texts."""
    return tuple(
        None if value is None else json.dumps(value, ensure_ascii=False) for value in values
    )


ANY_VALUES = json_texts(
    True, 50_000.5, "text", None, False, 12, "true", "2026-11-27", 'Ünï, "q"\nline', 0.1, "0123"
)
"""What OldValue and NewValue hold: texts, numbers and booleans in one column."""


def typed_history(obj: ObjectDef) -> ObjectDef:
    """
    A history object whose old and new values come in their own types by REST, as text by Bulk.
    """
    fields = tuple(
        replace(field, is_json=True, fill=_cycle(ANY_VALUES if field.name == "OldValue" else ANY_VALUES[::-1]))
        if field.type == "anyType"
        else field
        for field in obj.fields
    )  # fmt: skip
    return obj.renamed(fields=fields)


def objects() -> list[ObjectDef]:
    virtual: dict[str, Any] = {
        "is_writable": False,
        "is_deletable": False,
        "is_replicateable": False,
        "has_bulk": False,
    }
    shared = Field(
        "Id",
        "id",
        label="Record ID",
        length=18,
        is_nillable=False,
        is_createable=False,
        is_updateable=False,
        fill=_shared_id,
    )
    buried = replace(shared, is_filterable=False, is_sortable=False, fill=None)
    return [
        ObjectDef(
            "AppDefinition", None,
            (shared, Field("DurableId", "string", length=255, fill=fills.numbered("06m4W000001ld", 5)), Field("Label", "string", length=80, fill=fills.numbered("App ", 2)),
             Field("DeveloperName", "string", length=80, fill=fills.numbered("App_", 2), is_name=True), f.picklist("UiType", "Aloha", "Lightning", nulls=0),
             f.picklist("NavType", "Standard", "Console", nulls=0), Field("HeaderColor", "string", length=7, fill=fills.constant("#0070D2")), f.boolean("IsOverrideOrgTheme")),
            rows=5, is_fixed=True, **virtual,
        ),
        ObjectDef(
            "FormulaFunctionAllowedType", None,
            (shared, Field("DurableId", "string", length=255, fill=fills.numbered("VALIDATION-F", 4)), Field("FunctionId", "string", length=255, fill=fills.numbered("F", 4)),
             f.picklist("Type", "VALIDATION", nulls=0)),
            rows=40, is_fixed=True, **virtual,
        ),
        ObjectDef(
            "EntityDefinition", None,
            (shared, Field("DurableId", "string", length=255, fill=fills.numbered("01I", 6)), Field("QualifiedApiName", "string", length=70, fill=fills.numbered("Entity_", 3), is_name=True),
             Field("RecordTypesSupported", "complexvalue", is_filterable=False, is_sortable=False, is_json=True,
                   fill=_cycle(json_texts({"recordTypeInfos": []}, {"recordTypeInfos": [{"name": "Ünï", "master": True, "available": False, "size": 1.5}]}, None)))),
            rows=12, is_fixed=True, **virtual,
        ),
        ObjectDef(
            "PermissionSetEventStore", "5Fy",
            (buried, f.moment("EventDate", nulls=0, is_createable=False), f.text("EventIdentifier", 36, fill=fills.numbered("event-", 8)),
             f.picklist("Operation", "AssignedToUsers", "UnassignedFromUsers", nulls=0), f.text("Username", 80, fill=fills.email),
             Field("PermissionList", "json", is_filterable=False, is_sortable=False, fill=_cycle(('["ViewAllData","Ünï"]', "[]", None, '[{"name":"a","on":true}]')))),
            rows=60, is_fixed=True, is_writable=False, is_deletable=False, is_replicateable=False, has_bulk=False,
        ),
        ObjectDef(
            "PlatformEventUsageMetric", "7Hi",
            (system.ID, f.picklist("Name", "PLATFORM_EVENTS_PUBLISHED", "PLATFORM_EVENTS_DELIVERED", nulls=0), f.moment("StartDate", nulls=0), f.moment("EndDate", nulls=0),
             Field("Value", "long", fill=_cycle((0, BIG_INTEGER, -BIG_INTEGER, 7, 2**63 - 1), "int64")),
             Field("UsageType", "int", has_fractions=True, is_filterable=False, fill=_cycle((12.5, 7.0, None, -0.25), "double")), *system.created(), system.modstamp_alone()),
            rows=20, is_fixed=True, is_writable=False, is_deletable=False,
        ),
        system.table("Idea", "087", f.text("Title", 255, fill=fills.spiced(fills.pick(pools.SUBJECTS)), is_name=True), f.area("Body", 32000), rows=15, is_fixed=True),
        ObjectDef(
            "IdeaComment", "00a",
            (system.ID, f.detail("IdeaId", "Idea", children="Comments"), f.area("CommentBody", 4000, nulls=0), *system.created(), system.modstamp_alone(), system.IS_DELETED),
            rows=45, is_fixed=True, wanted_filters=("IdeaId", "Id", "CommunityId"), refusal=COMMENT_REFUSAL, is_replicateable=False,
        ),
        system.table("CollaborationGroup", "0F9", f.name(40, fill=fills.numbered("Group ", 3)), f.picklist("CollaborationType", "Public", "Private", nulls=0), f.user_owner(), rows=8, is_fixed=True),
        ObjectDef(
            "CollaborationGroupRecord", "0aR",
            (system.ID, system.IS_DELETED, *system.created(), *system.modified(), system.modstamp(), f.detail("CollaborationGroupId", "CollaborationGroup", children="GroupRecords"),
             f.lookup("RecordId", "Account", "Case", "Contact", nulls=0, children="RecordAssociatedGroups")),
            rows=30, is_fixed=True, wanted_filters=("Id", "CollaborationGroupId", "RecordId"), wants_single=True, refusal=GROUP_REFUSAL, is_replicateable=False, has_bulk=False,
        ),
        system.table("ContentFolder", "07H", f.name(40, fill=fills.numbered("Folder ", 3)), f.lookup("ParentContentFolderId", "ContentFolder", nulls=0.5), rows=10, is_fixed=True),
        ObjectDef(
            "ContentFolderItem", "07I",
            (system.ID, system.IS_DELETED, f.boolean("IsFolder", 0.2), f.detail("ParentContentFolderId", "ContentFolder", children="ContentFolderItems"),
             f.text("Title", 255, fill=fills.numbered("Item ", 3), is_name=True), f.integer("ContentSize", 1, 9999, nulls=0.1), *system.created(), *system.modified(), system.modstamp()),
            rows=35, is_fixed=True, wanted_filters=("Id", "ParentContentFolderId"), wants_single=True, refusal=FOLDER_REFUSAL, is_replicateable=False, has_bulk=False,
        ),
        system.table(
            "Knowledge__kav", "ka0", f.lookup("KnowledgeArticleId", "KnowledgeArticle", nulls=0), f.text("Title", 255, fill=fills.numbered("Article ", 3), is_name=True),
            f.picklist("PublishStatus", "Online", nulls=0), Field("VersionNumber", "int", fill=lambda batch: pa.array(batch.numbers % 3 + 1)),
            Field("IsLatestVersion", "boolean", is_nillable=False, fill=lambda batch: pa.array(np.asarray(batch.numbers % 3 == 2))), f.area("Body__c", 32000),
            rows=30, is_fixed=True, is_deletable=False, shows_latest_only=True, is_replicateable=False, has_bulk=False,
        ),
    ]  # fmt: skip


def odd(obj: ObjectDef) -> ObjectDef:
    """An object of the plain catalogue, changed to what it is in an org with oddities."""
    if obj.associate_type == "History":
        return typed_history(obj)
    # Salesforce's refusal for Vote names single Ids, and a list only for Id.
    return obj.renamed(wants_single=True) if obj.name == "Vote" else obj


def without_interval(obj: ObjectDef) -> ObjectDef:
    """EventLogFile of an org without hourly logs: describe lists no Interval."""
    if obj.name != "EventLogFile":
        return obj
    return obj.renamed(fields=tuple(field for field in obj.fields if field.name != "Interval"))
