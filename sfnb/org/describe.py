"""What objects the org has, what fields they have, and about how many rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sfnb.errors import ObjectError, QuotaSignal, SfnbError, TransientError
from sfnb.model import FieldInfo, ObjectInfo, ObjectSchema
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse, fetch_composite
from sfnb.org.prices import MAX_SUBREQUESTS

MAX_NAMES_CHARS = 12_000
"""Of a list of object names in an address: Salesforce refuses address and headers of over 16,384 bytes together."""


def fetch_objects(org: OrgClient) -> list[ObjectInfo]:
    """All objects that the user may see, queryable or not, in the org's order. Cost: 1 API call."""
    answer = org.fetch_json("GET", "sobjects")
    try:
        return [parse_object(entry) for entry in answer["sobjects"]]
    except (KeyError, TypeError, AttributeError) as err:
        raise ObjectError(
            f"org {org.name}: the list of objects is not as Salesforce makes it ({err!r})."
        ) from err


def parse_object(entry: Mapping[str, Any]) -> ObjectInfo:
    """One entry of the global describe."""
    return ObjectInfo(
        name=entry["name"],
        is_queryable=entry.get("queryable") is True,
    )


def fetch_schemas(org: OrgClient, names: Sequence[str]) -> dict[str, ObjectSchema | ObjectError]:
    """
    The describe of each object; a refused object has its error as value.

    Cost: 1 API call for 25 objects; 1 each for those of a composite call that the org refuses as a whole.
    """
    found: dict[str, ObjectSchema | ObjectError] = {}
    for start in range(0, len(names), MAX_SUBREQUESTS):
        found.update(_describe_group(org, names[start : start + MAX_SUBREQUESTS]))
    return found


def _describe_group(org: OrgClient, names: Sequence[str]) -> dict[str, ObjectSchema | ObjectError]:
    subrequests = [
        SubRequest(f"d{n}", org.data_path(f"sobjects/{name}/describe"))
        for n, name in enumerate(names)
    ]
    try:
        parts: Sequence[SubResponse | None] = fetch_composite(org, subrequests)
    except ObjectError:
        parts = [None] * len(names)  # composite itself is refused: ask one by one
    found: dict[str, ObjectSchema | ObjectError] = {}
    for name, part in zip(names, parts, strict=True):
        refusal = part.refusal(f"describe of {name}") if part else None
        if isinstance(refusal, QuotaSignal):
            raise refusal
        if isinstance(refusal, ObjectError):
            found[name] = refusal
        elif part is None or isinstance(refusal, TransientError):
            found[name] = _describe_one(org, name)
        elif isinstance(refusal, SfnbError):
            raise refusal
        else:
            found[name] = parse_schema(name, json.loads(part.body))
    return found


def _describe_one(org: OrgClient, name: str) -> ObjectSchema | ObjectError:
    try:
        return parse_schema(name, org.fetch_json("GET", f"sobjects/{name}/describe"))
    except ObjectError as err:
        return err


def parse_schema(name: str, answer: Any) -> ObjectSchema | ObjectError:
    """The schema in a describe answer."""
    try:
        return ObjectSchema(
            answer["name"], tuple(parse_field(entry) for entry in answer["fields"]), answer
        )
    except (KeyError, TypeError, AttributeError) as err:
        return ObjectError(
            f"{name}: its describe is not as Salesforce makes it ({err!r}).", code="DESCRIBE"
        )


def parse_field(entry: Mapping[str, Any]) -> FieldInfo:
    """One field of a describe; attributes that older versions lack have Salesforce's usual value."""
    return FieldInfo(
        name=entry["name"],
        type=entry["type"],
        length=entry.get("length") or 0,
        reference_to=tuple(entry.get("referenceTo") or ()),
        is_filterable=entry.get("filterable") is not False,
        is_sortable=entry.get("sortable") is not False,
    )


def fetch_counts(org: OrgClient, names: Sequence[str]) -> dict[str, int]:
    """
    About how many records each object has; the recycle bin and archived rows are not in it, and it lags.

    An object that Salesforce keeps no figure of is missing. Cost: 1 API call, whatever the number of names; only if
    the org does not answer for all objects at once, 1 for some 500 names.

    Raises:
        ObjectError: the user lacks the permission View Setup and Configuration.
    """
    if not names:
        return {}
    groups = split_names(names)
    counts: dict[str, int] = {}
    if len(groups) > 1:
        counts = _fetch_some_counts(org, "")  # without names: of all objects
    if not counts:
        for group in groups:
            counts.update(_fetch_some_counts(org, ",".join(group)))
    return {name: counts[name] for name in names if name in counts}


def split_names(names: Sequence[str], *, max_chars: int = MAX_NAMES_CHARS) -> list[list[str]]:
    """The names in groups that fit into an address, commas (three characters when encoded) included."""
    groups: list[list[str]] = [[]]
    chars = 0
    for name in names:
        if groups[-1] and chars + len(name) + 3 > max_chars:
            groups.append([])
            chars = 0
        groups[-1].append(name)
        chars += len(name) + 3
    return groups


def _fetch_some_counts(org: OrgClient, names: str) -> dict[str, int]:
    answer = org.fetch_json("GET", "limits/recordCount", params={"sObjects": names})
    entries = answer.get("sObjects") if isinstance(answer, dict) else None
    return {
        entry["name"]: entry["count"]
        for entry in entries or ()
        if isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("count"), int)
    }
