# ruff: noqa: E501, S608 - a catalogue reads best as a table; its SQL holds no names but its own
"""The org's custom objects: one of each kind an admin can create, and any number of empty ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sfnb_demo.data import compounds, fills, ids
from sfnb_demo.data import fields as f
from sfnb_demo.data import system_fields as system
from sfnb_demo.data.people import record_type
from sfnb_demo.data.schema import Field, ObjectDef

FULL_EVERY = 7
"""Every seventh of the mostly empty objects has rows: one to thirty."""


def objects() -> list[ObjectDef]:
    project = system.table(
        "Project__c", "a00",
        f.name(80, fill=fills.spiced(fills.numbered("Project ", 5), share=0.05)), record_type("Project__c"), f.owner(),
        f.lookup("Account__c", "Account", children="Projects__r", nulls=0.2), f.lookup("Parent__c", "Project__c", children="Subprojects__r", nulls=0.7),
        f.text("External_Key__c", 40, fill=fills.numbered("00", 6), is_external_id=True, is_unique=True), f.picklist("Phase__c", "Idea", "Build", "Run", is_restricted=True),
        f.multipicklist("Skills__c", "Design", "Python", "Sales, no", "Ελληνικά"), f.area("Notes__c", 131072), f.area("Rich_Notes__c", 32768, is_html=True),
        f.url("Link__c"), f.percent("Progress__c"), f.currency("Budget__c", -1e6, 1e9), f.number("Reading__c", -1e6, 1e6, scale=8), f.number("Whole__c", -1e9, 1e9),
        f.date("Due__c", has_extremes=True), f.moment("Kickoff__c", has_extremes=True), f.time("Daily_At__c"), *compounds.location("Site"),
        Field("Secret__c", "encryptedstring", length=175, is_filterable=False, is_sortable=False, fill=fills.numbered("****", 4, nulls=0.5)),
        f.boolean("Is_Internal__c"), f.phone("Hotline__c"), f.email("Mailbox__c"), f.auto_number("Number__c", "PRJ-"),
        Field("Milestones__c", "double", precision=18, is_createable=False, is_updateable=False, is_rollup=True),
        f.formula("Account_Name__c", "string", "SELECT p.\"Name\" FROM \"Account\" p WHERE p.\"Id\" = {Account__c}"),
        f.formula("Days_Left__c", "double", "CAST(date_diff('day', DATE '2026-01-01', {Due__c}) AS DOUBLE)"),
        rows=300, label="Project",
    )  # fmt: skip
    milestone = system.table(
        "Milestone__c", "a01", f.auto_number("Name", "MS-", is_name=True), f.detail("Project__c", "Project__c", children="Milestones__r"),
        f.date("Due__c"), f.boolean("Is_Done__c"), f.text("Comment__c", 255), f.lookup("Owner__c", "User"), rows=900, label="Milestone",
    )  # fmt: skip
    invoice = system.table(
        "Invoice__c", "a02", f.auto_number("Name", "INV-", is_name=True), f.lookup("Account__c", "Account", children="Invoices__r", nulls=0), f.owner(),
        f.date("Date__c", nulls=0), f.picklist("State__c", "Open", "Paid", "Void", nulls=0), f.text("Currency__c", 3, fill=fills.pick(("EUR", "USD", "JPY"))), rows=400, label="Invoice",
    )  # fmt: skip
    line = system.table(
        "Invoice_Line__c", "a03", f.auto_number("Name", "L-", width=8, is_name=True), f.detail("Invoice__c", "Invoice__c", children="Lines__r"),
        f.text("Text__c", 255), f.number("Quantity__c", 0, 10, scale=3), f.currency("Price__c", 0, 500), f.formula("Total__c", "currency", "round({Quantity__c} * {Price__c}, 2)", scale=2),
        rows=1200, label="Invoice Line",
    )  # fmt: skip
    return [
        project, milestone, invoice, line,
        system.table("Sync_Settings__c", "a04", f.text("Name", 80, fill=fills.numbered("Setting ", 1), is_name=True), f.lookup("SetupOwnerId", "Organization", "Profile", "User", nulls=0),
                f.boolean("Is_On__c"), f.text("Endpoint__c", 255, fill=fills.constant("https://sync.example.com")), rows=2, is_fixed=True, is_custom_setting=True, is_deletable=False),
        ObjectDef("Sensor_Reading__b", "b00", (system.ID, f.text("Device__c", 40, fill=fills.numbered("dev-", 4)), f.moment("At__c", nulls=0), f.number("Value__c", -50, 50, scale=4),
                                               *reversed(system.created())), rows=200, is_deletable=False, is_replicateable=False),
        ObjectDef("Order_Shipped__e", "e00", (f.text("ReplayId"), *system.created(), f.text("Order_Number__c")), is_queryable=False, is_deletable=False, is_replicateable=False),
    ]  # fmt: skip


def empty_objects(count: int) -> list[ObjectDef]:
    """
    Custom objects with few or no rows, which fill a real org's list of objects.

    Most are alike; a few lack ``SystemModstamp``, and a few of these ``IsDeleted`` too.
    """
    return [_empty(number) for number in range(count)]


def _empty(number: int) -> ObjectDef:
    rows = number * 13 % 30 + 1 if number % FULL_EVERY == 3 else 0
    own: tuple[Field, ...] = (
        f.name(80, fill=fills.spiced(fills.numbered("Record ", 4))), f.owner(), f.text("Text__c", 255), f.number("Number__c", scale=2), f.date("Date__c"), f.boolean("Flag__c")
    )  # fmt: skip
    flags: dict[str, Any] = {"rows": rows, "is_fixed": True}
    name = f"Extra_{number + 1:03}__c"
    prefix = f"a{ids.DIGITS[1 + number // 62]}{ids.DIGITS[number % 62]}"
    if number % 41 == 5:
        return ObjectDef(
            name,
            prefix,
            (system.ID, *own, *system.created()),
            is_deletable=False,
            is_replicateable=False,
            **flags,
        )
    if number % 41 == 6:
        return ObjectDef(
            name,
            prefix,
            (system.ID, system.IS_DELETED, *own, *system.created(), *system.modified()),
            **flags,
        )
    return system.table(name, prefix, *own, **flags)


@dataclass(frozen=True, slots=True)
class Rollup:
    """A count of live detail rows, kept on the master."""

    parent: str
    field: str
    child: str
    key: str

    @property
    def count_sql(self) -> str:
        return f'(SELECT CAST(count(*) AS DOUBLE) FROM "{self.child}" c WHERE c."{self.key}" = p."Id" AND NOT c."IsDeleted")'

    def sql(self, *, also: str = "", where: str = "true") -> str:
        """The statement that recounts; ``p`` is the master in ``where``."""
        return f'UPDATE "{self.parent}" AS p SET "{self.field}" = {self.count_sql}{", " + also if also else ""} WHERE {where}'


ROLLUPS = (Rollup("Project__c", "Milestones__c", "Milestone__c", "Project__c"),)
