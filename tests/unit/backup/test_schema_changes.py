"""Changes of the schema, and the mark by which changed rows are found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sfnb.backup.marks import ChangeMark, choose_mark, computed_fields, window_where
from sfnb.backup.schema_changes import (
    SchemaChange,
    catalogue_changes,
    object_changes,
    with_renames,
)
from sfnb.model import ObjectSchema
from sfnb.org.describe import parse_schema


def field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "length": 255} | more


def described(*fields: dict[str, Any], **flags: Any) -> dict[str, Any]:
    return {"name": "X__c", "fields": [field("Id", "id"), *fields]} | flags


def kinds(before: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(c.field, c.change, c.old, c.new) for c in object_changes("X__c", before, now)]


def test_each_change_of_a_field_is_named() -> None:
    """Added, hidden, retyped, renamed by case, a formula edited, a picklist edited; all else is silent."""
    before = described(field("Gone__c"), field("Kept__c"), field("Size__c", "double", precision=18))
    after = described(field("New__c"), field("Kept__c", label="other"), field("Size__c"))
    assert kinds(before, after) == [
        ("New__c", "field_added", "", "string"),
        ("Size__c", "field_retyped", "double(18,0)", "string"),
        ("Gone__c", "field_hidden", "string", ""),
    ]
    assert kinds(described(field("a__c")), described(field("A__c"))) == [
        ("A__c", "field_renamed", "a__c", "A__c")
    ]
    assert kinds(described(field("T__c")), described(field("T__c", length=80))) == []
    was = field("F__c", "double", calculated=True, calculatedFormula="1")
    assert kinds(described(was), described(was | {"calculatedFormula": "2"})) == [
        ("F__c", "formula_changed", "1", "2")
    ]
    values = [{"value": "a", "active": True}, {"value": "b", "active": True}]
    picklist = field("P__c", "picklist", picklistValues=values)
    reordered = picklist | {"picklistValues": values[::-1]}
    retired = picklist | {"picklistValues": [values[0], {"value": "b", "active": False}]}
    assert kinds(described(picklist), described(reordered)) == []
    assert kinds(described(picklist), described(retired)) == [
        ("P__c", "picklist_changed", "a;b", "a")
    ]


def test_objects_come_go_and_are_renamed() -> None:
    """The same key prefix under another name is the same object."""
    changes = catalogue_changes(["A__c", "B__c", "Case"], ["C__c", "case", "D__c"])
    assert {(c.object, c.change) for c in changes} == {
        ("C__c", "object_added"),
        ("D__c", "object_added"),
        ("case", "object_renamed"),
        ("A__c", "object_hidden"),
        ("B__c", "object_hidden"),
    }
    named = with_renames(changes, {"C__c": "a01", "D__c": "a09"}, {"A__c": "a01", "B__c": "a02"})
    assert SchemaChange("C__c", "", "object_renamed", "A__c", "C__c") in named
    assert {(c.object, c.change) for c in named} == {
        ("C__c", "object_renamed"),
        ("D__c", "object_added"),
        ("case", "object_renamed"),
        ("B__c", "object_hidden"),
    }


def schema_of(*fields: dict[str, Any], **flags: Any) -> ObjectSchema:
    schema = parse_schema("X__c", described(*fields, **flags))
    assert isinstance(schema, ObjectSchema)
    return schema


STAMP = field("SystemModstamp", "datetime")
CHANGED = field("LastModifiedDate", "datetime")
CREATED = field("CreatedDate", "datetime")
BIN = field("IsDeleted", "boolean")


def test_the_change_mark_follows_describes_flags() -> None:
    """A stamp that cannot be filtered by is none, and another one in its place would miss changes."""
    usual = schema_of(STAMP, CHANGED, CREATED, BIN, replicateable=True, undeletable=True)
    assert choose_mark(usual) == ChangeMark("SystemModstamp", True, True)
    unbinned = schema_of(STAMP, BIN, replicateable=False, undeletable=False)
    assert choose_mark(unbinned) == ChangeMark("SystemModstamp", False, False)
    hidden = schema_of(STAMP | {"filterable": False}, CHANGED, CREATED, replicateable=True)
    assert choose_mark(hidden).field == ""
    assert choose_mark(schema_of(CHANGED)).field == "LastModifiedDate"
    assert choose_mark(schema_of(CREATED, updateable=False)).field == "CreatedDate"
    assert choose_mark(schema_of(CREATED, updateable=True)) == ChangeMark("", False, False)
    unordered = schema_of(STAMP)
    ids_first = described(STAMP)
    ids_first["fields"][0]["sortable"] = False
    locator = parse_schema("X__c", ids_first)
    assert isinstance(locator, ObjectSchema) and choose_mark(locator).field == ""
    assert choose_mark(unordered).field == "SystemModstamp"


def test_computed_fields_and_the_window() -> None:
    assert computed_fields(described(field("F__c", calculated=True), STAMP)) == ["F__c"]
    moment = datetime(2026, 11, 26, 12, 34, 56, 789_000, tzinfo=UTC)
    assert window_where("SystemModstamp", moment) == "SystemModstamp >= 2026-11-26T12:34:56.000Z"
