"""How the catalogue writes its fields: one short call each, with the flags that Salesforce gives such a field."""

from __future__ import annotations

import re
from typing import Any

from sfnb_demo.data import fills, pools
from sfnb_demo.data.fills import Fill
from sfnb_demo.data.schema import ADDRESS_PARTS, Field, ObjectDef


def label_of(name: str) -> str:
    """``BillingPostalCode`` as people read it."""
    words = re.sub(r"(__c|__b|__e)$", "", name).replace("_", " ")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", words)


def text(
    name: str, length: int = 255, *, fill: Fill | None = None, nulls: float = 0.2, **flags: Any
) -> Field:
    fill = fill or fills.spiced(
        fills.pick([*pools.SENTENCES[:1], *pools.PRODUCTS, *pools.SUBJECTS], nulls=nulls)
    )
    return Field(name, "string", length=length, fill=fill, **flags)


def area(name: str, length: int = 32000, *, is_html: bool = False, nulls: float = 0.3) -> Field:
    """A long text area: neither filterable nor sortable beyond 255 characters."""
    is_short = length <= 255
    return Field(
        name,
        "textarea",
        length=length,
        is_filterable=is_short,
        is_sortable=is_short,
        is_html=is_html,
        fill=fills.prose(length, nulls=nulls),
    )


def picklist(name: str, *values: str, nulls: float = 0.1, **flags: Any) -> Field:
    return Field(
        name, "picklist", length=255, values=values, fill=fills.pick(values, nulls=nulls), **flags
    )


def multipicklist(name: str, *values: str) -> Field:
    return Field(
        name,
        "multipicklist",
        length=4099,
        values=values,
        is_sortable=False,
        fill=fills.several(values),
    )


def lookup(
    name: str,
    *targets: str,
    children: str | None = None,
    nulls: float = 0.1,
    relationship: str | None = None,
    is_detail: bool = False,
    **flags: Any,
) -> Field:
    """A reference; the relationship is named after the field unless told (``""``: it has none)."""
    if relationship is None:
        relationship = name[:-1] + "r" if name.endswith("__c") else name.removesuffix("Id")
    flags.setdefault("is_nillable", not is_detail and nulls > 0)
    return Field(
        name,
        "reference",
        length=18,
        refs=targets,
        relationship=relationship or None,
        children=children,
        is_detail=is_detail,
        fill=fills.reference(name, targets, nulls=0.0 if is_detail else nulls),
        **flags,
    )


def detail(name: str, target: str, children: str | None = None, **flags: Any) -> Field:
    """The master of a master-detail."""
    return lookup(name, target, children=children, is_detail=True, is_updateable=False, **flags)


def boolean(name: str, share: float = 0.3, **flags: Any) -> Field:
    flags.setdefault("is_defaulted", True)
    return Field(name, "boolean", is_nillable=False, fill=fills.flag(share), **flags)


def number(
    name: str,
    low: float = 0,
    high: float = 1000,
    *,
    scale: int = 0,
    nulls: float = 0.1,
    **flags: Any,
) -> Field:
    return Field(
        name,
        "double",
        precision=18,
        scale=scale,
        fill=fills.number(low, high, decimals=scale, nulls=nulls),
        **flags,
    )


def currency(
    name: str, low: float = 0, high: float = 1e6, *, nulls: float = 0.1, **flags: Any
) -> Field:
    return Field(
        name,
        "currency",
        precision=18,
        scale=2,
        fill=fills.number(low, high, decimals=2, nulls=nulls),
        **flags,
    )


def percent(name: str, *, nulls: float = 0.1, **flags: Any) -> Field:
    return Field(
        name,
        "percent",
        precision=5,
        scale=2,
        fill=fills.number(-20, 100, decimals=2, nulls=nulls),
        **flags,
    )


def integer(
    name: str, low: int = 0, high: int = 1000, *, nulls: float = 0.0, **flags: Any
) -> Field:
    return Field(
        name, "int", is_nillable=nulls > 0, fill=fills.whole(low, high, nulls=nulls), **flags
    )


def date(
    name: str,
    *,
    back_days: int = 1500,
    ahead_days: int = 200,
    nulls: float = 0.1,
    has_extremes: bool = False,
    **flags: Any,
) -> Field:
    fill = fills.day(
        back_days=back_days, ahead_days=ahead_days, nulls=nulls, has_extremes=has_extremes
    )
    return Field(name, "date", is_nillable=nulls > 0, fill=fill, **flags)


def moment(
    name: str,
    *,
    back_days: int = 1500,
    ahead_days: int = 0,
    nulls: float = 0.1,
    has_extremes: bool = False,
    **flags: Any,
) -> Field:
    fill = fills.moment(
        back_days=back_days, ahead_days=ahead_days, nulls=nulls, has_extremes=has_extremes
    )
    return Field(name, "datetime", is_nillable=nulls > 0, fill=fill, **flags)


def time(name: str) -> Field:
    return Field(name, "time", fill=fills.time_of_day)


def phone(name: str) -> Field:
    return Field(name, "phone", length=40, fill=fills.phone)


def email(name: str) -> Field:
    return Field(name, "email", length=80, fill=fills.email)


def url(name: str) -> Field:
    return Field(
        name,
        "url",
        length=255,
        fill=fills.joined("https://www.example.com/?q=a,b&n=", fills.numbered("", 1)),
    )


def formula(name: str, kind: str, expression: str, *, length: int = 0, scale: int = 0) -> Field:
    """A formula field: computed when read, so it never moves SystemModstamp."""
    return Field(
        name,
        kind,
        length=length or (1300 if kind == "string" else 0),
        precision=18 if kind in ("double", "currency") else 0,
        scale=scale,
        formula=expression,
        is_createable=False,
        is_updateable=False,
    )


def base64(name: str) -> Field:
    return Field(name, "base64", is_filterable=False, is_sortable=False, is_nillable=False)


def name(length: int = 255, *, fill: Fill, **flags: Any) -> Field:
    """The Name of an object that is not a person."""
    flags.setdefault("is_nillable", False)
    return Field("Name", "string", length=length, is_name=True, fill=fill, **flags)


def person_name(*, first: str = "FirstName", last: str = "LastName") -> tuple[Field, ...]:
    """The Name of a person: a compound of type string, whose parts say so."""
    return (
        Field(
            last,
            "string",
            length=80,
            is_nillable=False,
            compound="Name",
            fill=fills.spiced(fills.pick(pools.LAST_NAMES)),
        ),
        Field(
            first,
            "string",
            length=40,
            compound="Name",
            fill=fills.pick(pools.FIRST_NAMES, nulls=0.05),
        ),
        Field(
            "Name",
            "string",
            length=121,
            is_nillable=False,
            is_createable=False,
            is_updateable=False,
            is_name=True,
            formula=f"concat_ws(' ', {{{first}}}, {{{last}}})",
        ),
    )


def auto_number(name: str, prefix: str, *, width: int = 6, is_name: bool = False) -> Field:
    """``CaseNumber`` and its like: given by the org, never by the caller."""
    return Field(
        name,
        "string",
        length=30,
        is_nillable=False,
        is_createable=False,
        is_updateable=False,
        is_defaulted=True,
        is_auto_number=True,
        is_name=is_name,
        fill=fills.numbered(prefix, width),
    )


def address(prefix: str) -> tuple[Field, ...]:
    """An address: its parts, then the compound ``…Address`` that queries return as an object."""
    whole = f"{prefix}Address"
    latitude = Field(
        f"{prefix}Latitude",
        "double",
        precision=18,
        scale=15,
        compound=whole,
        fill=fills.number(-90, 90, decimals=6, nulls=0.7),
    )
    longitude = Field(
        f"{prefix}Longitude",
        "double",
        precision=18,
        scale=15,
        compound=whole,
        fill=fills.number(-180, 180, decimals=6, nulls=0.7),
    )
    return (
        Field(
            f"{prefix}Street",
            "textarea",
            length=255,
            compound=whole,
            fill=fills.pick(pools.STREETS, nulls=0.2),
        ),
        Field(
            f"{prefix}City",
            "string",
            length=40,
            compound=whole,
            fill=fills.pick(pools.CITIES, nulls=0.1),
        ),
        Field(
            f"{prefix}State",
            "string",
            length=80,
            compound=whole,
            fill=fills.pick(pools.STATES, nulls=0.4),
        ),
        Field(f"{prefix}PostalCode", "string", length=20, compound=whole, fill=postal_code),
        Field(
            f"{prefix}Country",
            "string",
            length=80,
            compound=whole,
            fill=fills.pick(pools.COUNTRIES, nulls=0.1),
        ),
        latitude,
        longitude,
        Field(
            f"{prefix}GeocodeAccuracy",
            "picklist",
            length=40,
            compound=whole,
            values=("Address", "City"),
            fill=fills.pick(("Address", "City"), nulls=0.8),
        ),
        Field(
            whole,
            "address",
            is_createable=False,
            is_updateable=False,
            is_sortable=False,
            parts=tuple((part[0].lower() + part[1:], f"{prefix}{part}") for part in ADDRESS_PARTS),
        ),
    )


def postal_code(batch: fills.Batch) -> Any:
    return fills.blank(
        fills.padded(batch.rng.integers(0, 100000, batch.size), 5), batch.chance(0.2)
    )


def location(stem: str) -> tuple[Field, ...]:
    """A custom geolocation ``Stem__c`` with its two parts."""
    whole = f"{stem}__c"
    latitude = Field(
        f"{stem}__Latitude__s",
        "double",
        precision=18,
        scale=8,
        compound=whole,
        fill=fills.number(-90, 90, decimals=6, nulls=0.3),
    )
    longitude = Field(
        f"{stem}__Longitude__s",
        "double",
        precision=18,
        scale=8,
        compound=whole,
        fill=fills.number(-180, 180, decimals=6, nulls=0.3),
    )
    parts = (("latitude", latitude.name), ("longitude", longitude.name))
    return (
        latitude,
        longitude,
        Field(
            whole,
            "location",
            is_createable=False,
            is_updateable=False,
            is_sortable=False,
            parts=parts,
        ),
    )


def owner(*, children: str | None = None) -> Field:
    return lookup("OwnerId", "User", "Group", nulls=0.0, is_defaulted=True, children=children)


def user_owner() -> Field:
    return lookup("OwnerId", "User", nulls=0.0, is_defaulted=True)


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
        lookup(
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
        lookup(
            "LastModifiedById",
            "User",
            nulls=0.0,
            is_createable=False,
            is_updateable=False,
            is_defaulted=True,
        ),
    )


def modified_only() -> tuple[Field, ...]:
    """The modification fields of an object that does not tell when it was created."""
    when, who = modified()
    return when.filled(fills.moment(back_days=900, nulls=0.0)), who


def modstamp_alone() -> Field:
    """SystemModstamp of an object that has no LastModifiedDate."""
    return modstamp().filled(fills.moment(back_days=900, nulls=0.0))


def modstamp() -> Field:
    fill = fills.later("LastModifiedDate", within_days=30, share=0.2)
    return Field("SystemModstamp", "datetime", is_defaulted=True, fill=fill, **_SYSTEM)


def with_system(*own: Field) -> tuple[Field, ...]:
    """The fields of an ordinary object: Id and IsDeleted, its own ones, then the audit fields."""
    return (ID, IS_DELETED, *own, *created(), *modified(), modstamp())


def table(name: str, prefix: str | None, *own: Field, rows: int, **flags: Any) -> ObjectDef:
    """An ordinary object with all system fields."""
    return ObjectDef(name, prefix, with_system(*own), rows=rows, **flags)
