"""Which picklist values each record type allows: asked along with describes, and by nobody's values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sfnb.errors import ObjectError, OrgUnavailable, TransientError
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse, fetch_composite
from sfnb.org.prices import MAX_SUBREQUESTS
from sfnb.restore.describes import values_by_type

ByType = Mapping[str, Mapping[str, frozenset[str]]]


def layout_requests(org: OrgClient, names: Sequence[str]) -> list[SubRequest]:
    """Layouts of these objects, as parts of a composite call."""
    return [
        SubRequest(f"layouts{n}", org.data_path(f"sobjects/{name}/describe/layouts"))
        for n, name in enumerate(names)
    ]


def fetch_layouts(org: OrgClient, requests: Sequence[SubRequest]) -> list[SubResponse | None]:
    """
    Their answers; None where the org gives none. Cost: 1 API call for 25.

    What is not known of a picklist is found out by the org's refusal of the row.
    """
    found: list[SubResponse | None] = []
    for start in range(0, len(requests), MAX_SUBREQUESTS):
        some = requests[start : start + MAX_SUBREQUESTS]
        try:
            found += org.retrying(lambda some=some: fetch_composite(org, some))  # type: ignore[misc]
        except OrgUnavailable:
            raise
        except (ObjectError, TransientError):
            found += [None] * len(some)
    return found


def types_of(name: str, answer: SubResponse | None) -> ByType:
    """By record type and picklist, the values that it takes; empty: not known."""
    if answer is None or answer.refusal(name) is not None:
        return {}
    try:
        return values_by_type(json.loads(answer.body))
    except ValueError:
        return {}
