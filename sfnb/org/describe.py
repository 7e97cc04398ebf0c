"""What objects the org has, what fields they have, and about how many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfnb.errors import ObjectError, OrgUnavailable, QuotaSignal, SfnbError, TransientError
from sfnb.model import FieldInfo, ObjectInfo, ObjectSchema
from sfnb.org.answers import count_of, json_of, mapping_of, mappings_of, text_of
from sfnb.org.away import is_away
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse, fetch_composite
from sfnb.org.ids import is_api_name
from sfnb.org.prices import MAX_SUBREQUESTS

MAX_NAMES_CHARS = 12_000
"""
Of object names in an address. Salesforce refuses address and headers of over 16,384 bytes together.
"""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """
    The org's objects, as the user sees them.

    Args:
        objects: queryable or not, in the org's order; None: the org says that nothing has changed
            since.
        last_modified: when the org's schema last changed, as it says (HTTP date); empty: it does
            not say.
    """

    objects: list[ObjectInfo] | None
    last_modified: str = ""


def fetch_catalogue(org: OrgClient, *, since: str = "") -> Catalogue:
    """
    All objects that the user may see.

    Args:
        since: an HTTP date of the org; it may answer that nothing has changed since (REST guide,
            Describe Global: If-Modified-Since).

    Cost: 1 API call.
    """

    def once() -> Catalogue:
        headers = {"If-Modified-Since": since} if since else None
        response = org.request("GET", "sobjects", headers=headers)
        modified = text_of(response.headers.get("Last-Modified"))[:60]
        if response.status_code == 304:
            return Catalogue(None, modified)
        return Catalogue(
            parse_objects(json_of(response.content, what="sobjects"), org.name), modified
        )

    return org.retrying(once)


def fetch_objects(org: OrgClient) -> list[ObjectInfo]:
    """All objects that the user may see, queryable or not, in the org's order. Cost: 1 API call."""
    return fetch_catalogue(org).objects or []


def parse_objects(answer: object, org_name: str) -> list[ObjectInfo]:
    """
    The objects in a global describe; pure.

    Raises:
        ObjectError: it is no list of objects.
    """
    listed = mapping_of(answer).get("sobjects")
    named = [entry for entry in mappings_of(listed) if isinstance(entry.get("name"), str)]
    if not isinstance(listed, list) or len(named) < len(listed):
        raise ObjectError(
            f"org {org_name}: the answer is no list of objects as Salesforce makes it."
        )
    return [parse_object(entry) for entry in named]


def parse_object(entry: Mapping[str, Any]) -> ObjectInfo:
    """One entry of the global describe, or an object's own describe; its name may be anything."""
    prefix = entry.get("keyPrefix")
    return ObjectInfo(
        text_of(entry.get("name")), entry.get("queryable") is True, text_of(prefix)[:3]
    )


Described = ObjectSchema | ObjectError | None
"""An object's describe, why there is none, or None: it has not changed since."""


def fetch_schemas(
    org: OrgClient,
    names: Sequence[str],
    since: Mapping[str, str] | None = None,
    *,
    along: Sequence[SubRequest] = (),
    answers: list[SubResponse] | None = None,
) -> dict[str, Described]:
    """
    The describe of each object; a refused object has its error as value.

    Args:
        since: by object, an HTTP date of the org. Where nothing has changed since, the value may be
            None: the org saves itself and us the answer (REST guide, sObject Describe).

    Args:
        along: requests that ride in the first call, if there is room; ``answers`` takes what became of them,
            or stays empty.

    Cost: 1 API call for 25 objects. Where the org refuses a composite call as a whole, 1 for each
        of
    its objects.
    """
    found: dict[str, Described] = {}
    if along and answers is not None and 0 < len(names) <= MAX_SUBREQUESTS - len(along):
        return _describe_group(org, names, since or {}, along, answers)
    for start in range(0, len(names), MAX_SUBREQUESTS):
        found.update(_describe_group(org, names[start : start + MAX_SUBREQUESTS], since or {}))
    return found


def _describe_group(
    org: OrgClient,
    names: Sequence[str],
    since: Mapping[str, str],
    along: Sequence[SubRequest] = (),
    answers: list[SubResponse] | None = None,
) -> dict[str, Described]:
    subrequests = [
        SubRequest(
            f"d{n}",
            org.data_path(f"sobjects/{name}/describe"),
            headers={"If-Modified-Since": since[name]} if since.get(name) else {},
        )
        for n, name in enumerate(names)
    ]
    try:
        whole = fetch_composite(org, [*subrequests, *along])
        parts: Sequence[SubResponse | None] = whole[: len(names)]
        if answers is not None:
            answers += whole[len(names) :]
    except OrgUnavailable:
        raise
    except (ObjectError, TransientError):
        # Composite itself is refused, or one describe makes all of it fail: ask one by one.
        parts = [None] * len(names)
    found: dict[str, Described] = {}
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
        elif part.status == 304:
            found[name] = None
        else:
            found[name] = _schema_of(name, part)
    return found


def _schema_of(name: str, part: SubResponse) -> ObjectSchema | ObjectError:
    try:
        return parse_schema(name, json_of(part.body, what=f"describe of {name}"))
    except TransientError as err:
        return ObjectError(str(err), code="DESCRIBE")


def _describe_one(org: OrgClient, name: str) -> ObjectSchema | ObjectError:
    try:
        return parse_schema(name, org.fetch_json("GET", f"sobjects/{name}/describe"))
    except TransientError as err:
        # A web page, or no answer, for this object alone is its own trouble.
        if isinstance(err, OrgUnavailable) and is_away(org):
            raise
        return ObjectError(str(err), code="DESCRIBE")
    except ObjectError as err:
        return err


def parse_schema(name: str, answer: object) -> ObjectSchema | ObjectError:
    """The schema in a describe answer; pure. The error says what is wrong with it."""
    described = mapping_of(answer)
    listed = described.get("fields")
    fields = [parse_field(entry) for entry in mappings_of(listed)]
    good = [field for field in fields if field is not None]
    if (
        not isinstance(listed, list)
        or len(good) < len(listed)
        or not is_api_name(described.get("name"))
    ):
        return ObjectError(f"{name}: its describe is not as Salesforce makes it.", code="DESCRIBE")
    if len({field.name.lower() for field in good}) < len(good):
        return ObjectError(f"{name}: its describe has two fields of one name.", code="DESCRIBE")
    return ObjectSchema(described["name"], tuple(good), described)


def parse_field(entry: Mapping[str, Any]) -> FieldInfo | None:
    """One field of a describe. Attributes that older versions lack get Salesforce's usual value."""
    name, kind = entry.get("name"), entry.get("type")
    if not is_api_name(name) or not isinstance(kind, str):
        return None
    targets = entry.get("referenceTo")
    return FieldInfo(
        name=str(name),
        type=kind,
        length=count_of(entry.get("length")) or 0,
        reference_to=tuple(t for t in targets if is_api_name(t))
        if isinstance(targets, list)
        else (),
        is_filterable=entry.get("filterable") is not False,
        is_nillable=entry.get("nillable") is not False,
        is_sortable=entry.get("sortable") is not False,
    )


def fetch_counts(org: OrgClient, names: Sequence[str]) -> dict[str, int]:
    """
    Roughly how many records each object has, without the recycle bin and archived rows. It lags.

    An object for which Salesforce keeps no count is missing.

    Cost: 1 API call, whatever the number of names. Where the org does not answer for all objects at
    once, 1 for each 500 names or so.

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
    """The names in groups that fit into an address. A comma takes three characters there."""
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
    return parse_counts(org.fetch_json("GET", "limits/recordCount", params={"sObjects": names}))


def parse_counts(answer: object) -> dict[str, int]:
    """The record counts in an answer; pure. An entry without a name or a count is left out."""
    counts = {
        text_of(entry.get("name")): count_of(entry.get("count"))
        for entry in mappings_of(mapping_of(answer).get("sObjects"))
    }
    return {name: count for name, count in counts.items() if name and count is not None}
