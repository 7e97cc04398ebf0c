"""
The fields of the catalogue: one short call each, with the flags that Salesforce gives such a field.
"""

from __future__ import annotations

import re
from typing import Any

from sfnb_demo.data import fills, pools
from sfnb_demo.data.fills import Fill
from sfnb_demo.data.schema import Field


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
    """A reference. Its relationship is named after the field by default; ``""``: it has none."""
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
    """A formula field. It is computed when read, so it never moves SystemModstamp."""
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


def auto_number(name: str, prefix: str, *, width: int = 6, is_name: bool = False) -> Field:
    """``CaseNumber`` and similar fields: the org sets them, never the caller."""
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


def owner(*, children: str | None = None) -> Field:
    return lookup("OwnerId", "User", "Group", nulls=0.0, is_defaulted=True, children=children)


def master_record(name: str) -> Field:
    """The record that this one was merged into."""
    return lookup("MasterRecordId", name, is_createable=False, is_updateable=False).filled(None)


def user_owner() -> Field:
    return lookup("OwnerId", "User", nulls=0.0, is_defaulted=True)
