"""How many bodies the org has, where records alone do not tell: files of no bytes, or kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from urllib.parse import quote

from sfnb.backup.plan import QUERIES_PER_CALL
from sfnb.errors import ObjectError, OrgUnavailable, QuotaSignal, TransientError
from sfnb.model import ObjectSchema
from sfnb.org.answers import count_of, json_of, mapping_of
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, fetch_composite
from sfnb.store.bodies.fields import OUTSIDE, body_fields


def count_query(schema: ObjectSchema) -> str | None:
    """The query that counts an object's bodies; None where its records cannot be asked so. Pure."""
    fields = body_fields(schema.name, schema.raw)
    filterable = {f.name for f in schema.fields if f.is_filterable}
    if len(fields) != 1 or fields[0].size not in filterable:
        return None
    where = f"{fields[0].size} > 0"
    if fields[0].location in filterable:
        outside = ",".join(f"'{one}'" for one in OUTSIDE)
        where += f" AND {fields[0].location} NOT IN ({outside})"
    return f"SELECT COUNT() FROM {schema.name} WHERE {where}"  # noqa: S608 - SOQL of described names


def fetch_body_counts(org: OrgClient, schemas: Iterable[ObjectSchema]) -> dict[str, int]:
    """
    By object, how many live records have a body; missing where the org does not tell.

    Cost: 1 API call for each five objects that have bodies and tell their sizes.
    """
    asked = [(s.name, soql) for s in schemas if (soql := count_query(s)) is not None]
    found: dict[str, int] = {}
    for first in range(0, len(asked), QUERIES_PER_CALL):
        some = asked[first : first + QUERIES_PER_CALL]
        parts = [
            SubRequest(f"b{n}", org.data_path(f"query?q={quote(soql, safe='')}"))
            for n, (_, soql) in enumerate(some)
        ]
        try:
            answers = org.retrying(partial(fetch_composite, org, parts))
        except OrgUnavailable:
            raise
        except (ObjectError, TransientError):
            return found  # a plan can do without
        for (name, _), answer in zip(some, answers, strict=True):
            refusal = answer.refusal(name)
            if isinstance(refusal, QuotaSignal):
                raise refusal
            if refusal is None:
                body = mapping_of(json_of(answer.body, what="the count of bodies"))
                count = count_of(body.get("totalSize"))
                if count is not None:
                    found[name] = count
    return found
