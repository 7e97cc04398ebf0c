"""The fields that Salesforce gives every object: Id, deletion flag, audit fields."""

from __future__ import annotations

from typing import Any

from sfnb_demo.data import fields, fills
from sfnb_demo.data.schema import Field, ObjectDef

_SYSTEM: dict[str, Any] = {"is_createable": False, "is_updateable": False, "is_nillable": False}
ID = Field("Id", "id", label="Record ID", length=18, is_defaulted=True, **_SYSTEM)
IS_DELETED = Field("IsDeleted", "boolean", label="Deleted", is_defaulted=True, **_SYSTEM)


def created() -> tuple[Field, ...]:
    return (
        Field(
            "CreatedDate",
            "datetime",
            is_defaulted=True,
            fill=fills.moment(back_days=1500, nulls=0.0),
            **_SYSTEM,
        ),
        fields.lookup(
            "CreatedById",
            "User",
            nulls=0.0,
            is_createable=False,
            is_updateable=False,
            is_defaulted=True,
        ),
    )


def modified() -> tuple[Field, ...]:
    return (
        Field(
            "LastModifiedDate",
            "datetime",
            is_defaulted=True,
            fill=fills.later("CreatedDate", within_days=400),
            **_SYSTEM,
        ),
        fields.lookup(
            "LastModifiedById",
            "User",
            nulls=0.0,
            is_createable=False,
            is_updateable=False,
            is_defaulted=True,
        ),
    )


def modified_only() -> tuple[Field, ...]:
    """The modification fields of an object without CreatedDate."""
    when, who = modified()
    return when.filled(fills.moment(back_days=900, nulls=0.0)), who


def modstamp_alone() -> Field:
    """SystemModstamp of an object that has no LastModifiedDate."""
    return modstamp().filled(fills.moment(back_days=900, nulls=0.0))


def modstamp() -> Field:
    fill = fills.later("LastModifiedDate", within_days=30, share=0.2)
    return Field("SystemModstamp", "datetime", is_defaulted=True, fill=fill, **_SYSTEM)


def with_system(*own: Field) -> tuple[Field, ...]:
    """The fields of an ordinary object: Id and IsDeleted, its own fields, then the audit fields."""
    return (ID, IS_DELETED, *own, *created(), *modified(), modstamp())


def table(name: str, prefix: str | None, *own: Field, rows: int, **flags: Any) -> ObjectDef:
    """An ordinary object with all system fields."""
    return ObjectDef(name, prefix, with_system(*own), rows=rows, **flags)
