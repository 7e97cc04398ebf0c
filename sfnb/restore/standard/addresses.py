"""Addresses in orgs with state and country picklists. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfnb.restore.describes import WriteObject

CODE = "Code"


def with_codes(
    values: Mapping[str, Any], wanted: Mapping[str, Any], target: WriteObject
) -> dict[str, Any]:
    """
    The values with codes alone where the org has them, and a state with its country.

    A name and a code sent together are refused where they do not agree, and so is a state whose
    country is another one or is not sent (Help, "State and Country/Territory Picklists"; reported by
    users). Both come from the same record of the snapshot.

    Args:
        wanted: all values of the record in the snapshot.
    """
    found = dict(values)
    for name in target.fields:
        if not name.endswith(("StateCode", "CountryCode")) or not wanted.get(name):
            continue
        text = name.removesuffix(CODE)
        if text in found and target.has(text):
            del found[text]
        if name.endswith("StateCode") and name in found:
            country = f"{name.removesuffix('StateCode')}CountryCode"
            if target.has(country) and wanted.get(country):
                found[country] = wanted[country]
    return found
