"""Whether records have changed while their bodies were fetched: asked once, 1,000 to a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from sfnb.backup.plan import QUERIES_PER_CALL
from sfnb.errors import ObjectError, OrgUnavailable, QuotaSignal, TransientError
from sfnb.org.answers import json_of, mapping_of, mappings_of
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, fetch_composite
from sfnb.store.bodies.fields import BodyField
from sfnb.store.bodies.index import Entry

T = TypeVar("T")

IDS_PER_QUERY = 200

WHY = "its record changed while it was fetched; the next backup has the new one"


def changed_meanwhile(
    org: OrgClient, entries: Sequence[Entry], fields: Mapping[tuple[str, str], BodyField]
) -> list[Entry]:
    """
    Those of the received bodies whose records say another moment now than when they were read.

    A record that is gone now has had the body until then. What the org does not answer is not known
    to have changed.

    Args:
        entries: bodies without a checksum.
        fields: what is known of their fields; those without a stamp, as images, cannot change.

    Cost: 1 API call for each 1,000 of them.
    """
    by_field: dict[BodyField, list[Entry]] = {}
    for entry in entries:
        of = fields.get((entry.object_name, entry.field))
        if of is not None and of.stamp:
            by_field.setdefault(of, []).append(entry)
    asked = [(of, some) for of, all_ in by_field.items() for some in _cut(all_, IDS_PER_QUERY)]
    changed = []
    for call in _cut(asked, QUERIES_PER_CALL):
        for (_, some), stamps in zip(call, _stamps(org, call), strict=True):
            for entry in some:
                now = stamps.get(entry.id)
                if now is not None and now != datetime.fromisoformat(entry.version):
                    changed.append(_retracted(entry))
    return changed


def _cut(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _retracted(entry: Entry) -> Entry:
    return Entry(
        entry.object_name,
        entry.id,
        entry.field,
        entry.version,
        entry.size,
        entry.md5,
        "",
        "changed",
        f"{entry.object_name} {entry.id}: {WHY}.",
    )


def _stamps(
    org: OrgClient, call: Sequence[tuple[BodyField, Sequence[Entry]]]
) -> Iterator[dict[str, datetime]]:
    """By Id, each record's present stamp; nothing for a query that the org refuses."""
    requests = [
        SubRequest(f"q{number}", org.data_path(f"queryAll?q={quote(_soql(of, some), safe='')}"))
        for number, (of, some) in enumerate(call)
    ]
    try:
        answers = org.retrying(lambda: fetch_composite(org, requests))
    except OrgUnavailable:
        raise
    except (ObjectError, TransientError):
        yield from ({} for _ in call)
        return
    for (of, _), answer in zip(call, answers, strict=True):
        refusal = answer.refusal(of.object_name)
        if isinstance(refusal, QuotaSignal):
            raise refusal
        yield {} if refusal is not None else _read(answer.body, of.stamp)


def _soql(of: BodyField, entries: Sequence[Entry]) -> str:
    ids = ",".join(f"'{entry.id}'" for entry in entries)
    return f"SELECT Id, {of.stamp} FROM {of.object_name} WHERE Id IN ({ids})"  # noqa: S608 - SOQL


def _read(body: bytes, stamp: str) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    answer: Any = mapping_of(json_of(body, what="the records of bodies"))
    for record in mappings_of(answer.get("records")):
        value = record.get(stamp)
        if isinstance(value, str):
            found[str(record.get("Id"))] = datetime.fromisoformat(value)
    return found
