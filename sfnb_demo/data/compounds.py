"""
Fields that hold several values: names of people, addresses, locations. Each comes with its parts.
"""

from __future__ import annotations

from typing import Any

from sfnb_demo.data import fills, pools
from sfnb_demo.data.schema import ADDRESS_PARTS, Field


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
