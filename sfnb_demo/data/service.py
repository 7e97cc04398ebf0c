# ruff: noqa: E501 - a catalogue reads best as a table, one field after the other
"""Cases, activities, e-mail, and the objects that need a special query or none can read."""

from __future__ import annotations

from typing import Any

from sfnb_demo.data import fields as f
from sfnb_demo.data import fills, pools
from sfnb_demo.data import system_fields as system
from sfnb_demo.data.people import CASE_STATUS, record_type
from sfnb_demo.data.sales import SOURCES, history
from sfnb_demo.data.schema import Field, ObjectDef

WHAT = ("Account", "Opportunity", "Case", "Campaign", "Contract", "Order", "Asset", "Project__c")

VOTE_REFUSAL = (
    "Implementation restriction: When querying the Vote object, you must filter using the following syntax: "
    "ParentId = [single ID], Parent.Type = [single Type], Id = [single ID], or Id IN [list of ID's]."
)
DEFINITION_TEXTS = ("DurableId", "QualifiedApiName", "EntityDefinitionId", "Label", "DataType")
DEFINITION_REST = (Field("IsIndexed", "boolean", is_nillable=False), Field("Id", "id", length=18))
REIFIED_REFUSAL = "Where clauses should contain selectable filters: a filter on a reified column is required [EntityDefinitionId,DurableId]"


def _activity(kind: str) -> tuple[Field, ...]:
    return (
        f.lookup("WhoId", "Contact", "Lead", children=f"{kind}s", nulls=0.2, on_delete="cascade"), f.lookup("WhatId", *WHAT, children=f"{kind}s", nulls=0.3, on_delete="cascade"),
        f.text("Subject", 255, fill=fills.spiced(fills.pick(pools.SUBJECTS, nulls=0.05))), f.area("Description", 32000, nulls=0.4), f.owner(),
        f.boolean("IsArchived", 0.05, is_createable=False, is_updateable=False), f.boolean("IsReminderSet", 0.2),
    )  # fmt: skip


def objects() -> list[ObjectDef]:
    unreadable: dict[str, Any] = {
        "is_queryable": False,
        "is_writable": False,
        "is_replicateable": False,
    }
    return [
        system.table(
            "Case", "500",
            f.auto_number("CaseNumber", "", width=8, is_name=True), f.lookup("ContactId", "Contact", children="Cases", nulls=0.1, on_delete="restrict"),
            f.lookup("AccountId", "Account", children="Cases", nulls=0.1, on_delete="restrict"), f.lookup("AssetId", "Asset", children="Cases", nulls=0.8),
            f.lookup("ParentId", "Case", children="Cases", nulls=0.9), record_type("Case"), f.text("SuppliedName", 80, nulls=0.8), f.email("SuppliedEmail"),
            f.picklist("Type", "Mechanical", "Electrical", "Other"), f.picklist("Status", *CASE_STATUS, nulls=0), f.picklist("Origin", "Phone", "Email", "Web"),
            f.text("Subject", 255, fill=fills.spiced(fills.pick(pools.SUBJECTS, nulls=0.1))), f.picklist("Priority", "Low", "Medium", "High", nulls=0),
            f.area("Description", 32000, nulls=0.2), f.formula("IsClosed", "boolean", "{Status} = 'Closed'"), f.moment("ClosedDate", nulls=0.6, is_createable=False, is_updateable=False),
            f.owner(), rows=1800,
        ),
        system.table("CaseComment", "00a", f.detail("ParentId", "Case", children="CaseComments"), f.boolean("IsPublished"), f.area("CommentBody", 4000, nulls=0.05), rows=1200),
        history("CaseHistory", "Case", 500),
        system.table("Task", "00T", *_activity("Task"), f.date("ActivityDate"), f.picklist("Status", "Not Started", "In Progress", "Completed", nulls=0),
                f.picklist("Priority", "High", "Normal", "Low", nulls=0), f.formula("IsClosed", "boolean", "{Status} = 'Completed'"),
                f.picklist("TaskSubtype", "Task", "Email", "Call", nulls=0), f.integer("CallDurationInSeconds", 0, 3600, nulls=0.7), rows=2000),
        system.table("Event", "00U", *_activity("Event"), f.text("Location", 255, fill=fills.pick(pools.CITIES, nulls=0.3)), f.boolean("IsAllDayEvent", 0.1), f.moment("ActivityDateTime", nulls=0.05, ahead_days=60),
                f.integer("DurationInMinutes", 15, 480, nulls=0.05), f.moment("StartDateTime", nulls=0, ahead_days=60), rows=700),
        system.table("EmailMessage", "02s", f.lookup("ParentId", "Case", children="EmailMessages", nulls=0.1, on_delete="cascade"), f.text("Subject", 3000, fill=fills.spiced(fills.pick(pools.SUBJECTS))),
                f.area("TextBody", 131072), f.area("HtmlBody", 131072, is_html=True), f.email("FromAddress"), f.text("ToAddress", 4000, fill=fills.email),
                f.boolean("Incoming", 0.5), f.picklist("Status", "0", "1", "3", nulls=0), f.moment("MessageDate", nulls=0), f.boolean("HasAttachment", 0.2), rows=500),
        system.table("Note", "002", f.lookup("ParentId", "Account", "Contact", "Opportunity", "Case", nulls=0, children="Notes", on_delete="cascade"),
                f.text("Title", 80, fill=fills.spiced(fills.pick(pools.SUBJECTS)), is_name=True), f.boolean("IsPrivate"), f.area("Body", 32000), f.user_owner(), rows=100),
        ObjectDef(
            "Vote", "083",
            (system.ID, system.IS_DELETED, f.lookup("ParentId", "Account", "Case", children="Votes", nulls=0, on_delete="cascade", is_updateable=False), f.picklist("Type", "Up", "Down", nulls=0), *system.created(), system.modstamp_alone()),
            rows=100, wanted_filters=("ParentId", "Id", "Parent.Type"), refusal=VOTE_REFUSAL, is_replicateable=False, has_bin=False,
        ),
        ObjectDef(
            "KnowledgeArticle", "kA0",
            (system.ID, f.auto_number("ArticleNumber", "", width=9, is_name=True), *system.created(), *system.modified(), system.modstamp(),
             f.moment("LastPublishedDate", nulls=0.2), f.picklist("Source__c", *SOURCES)),
            rows=30, has_bulk=False, is_deletable=False, is_replicateable=False,
        ),
        ObjectDef(
            "FieldDefinition", "4ie",
            (*(Field(n, "string", length=255, is_name=n == "QualifiedApiName") for n in DEFINITION_TEXTS), *DEFINITION_REST),
            is_writable=False, has_bulk=False, is_replicateable=False, is_deletable=False,
            wanted_filters=("EntityDefinitionId", "DurableId"), refusal=REIFIED_REFUSAL,
        ),
        ObjectDef("ActivityHistory", None, (system.ID, f.lookup("AccountId", "Account", children="ActivityHistories"), f.text("Subject"), *system.created()), **unreadable),
        ObjectDef("AccountChangeEvent", None, (system.ID, f.text("ReplayId"), Field("ChangeEventHeader", "complexvalue"), f.text("Name")),
                  associate_type="ChangeEvent", associate_parent="Account", **unreadable),
        ObjectDef(
            "EventLogFile", "0AT",
            (
                system.ID, system.IS_DELETED, *system.created(), *system.modified(), system.modstamp(), Field("EventType", "picklist", length=255, values=("ApiTotalUsage",)),
                Field("LogDate", "datetime", is_nillable=False), Field("LogFileLength", "double", precision=18), Field("LogFileContentType", "string", length=255),
                Field("ApiVersion", "double", precision=4, scale=1), Field("Sequence", "int"), Field("Interval", "picklist", length=255, values=("Daily", "Hourly")),
                Field("LogFileFieldNames", "textarea", length=32000, is_filterable=False, is_sortable=False),
                Field("LogFileFieldTypes", "textarea", length=32000, is_filterable=False, is_sortable=False), f.base64("LogFile"),
            ),
            is_writable=False, has_bulk=False, is_replicateable=False,
        ),
    ]  # fmt: skip
