"""What the bodies of files and the metadata of a backup will cost. Pure but for reading the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from math import ceil
from typing import Any

from sfnb.backup.metadata.listing import RETRIEVE_CALLS
from sfnb.backup.metadata.package import due
from sfnb.backup.plan import ObjectPlan, Plan
from sfnb.model import ObjectSchema
from sfnb.settings import FILE_CALLS, METADATA_DAYS
from sfnb.store.bodies.fields import body_fields
from sfnb.store.bodies.index import EntryCount

FIRST_METADATA_CALLS = 110
"""
Of an org of about 250 types that cannot be asked for them now: its types, three lists to a call,
folders, a few retrieves with their polls.
"""


def with_files(
    plan: Plan,
    schemas: Mapping[str, ObjectSchema],
    known: Mapping[str, EntryCount],
    *,
    most: int = FILE_CALLS,
    counted: Mapping[str, int] | None = None,
) -> Plan:
    """
    The plan with the bodies that it will ask for: one call each.

    Images in rich texts cannot be foretold: the changed rows are taken to have as many of them as
    all rows had so far.

    Args:
        known: what the store has, by object and field.
        most: the budget of one run.
        counted: by object, how many of its records have a body, where the org told.
    """
    calls, bytes_ = 0.0, 0.0
    for name, planned in plan.objects.items():
        schema = schemas.get(name)
        fields = [f.field for f in body_fields(name, schema.raw)] if schema is not None else []
        for field in fields:
            count = known.get(f"{name}.{field}", EntryCount())
            new = _new_bodies(planned, count.bodies, (counted or {}).get(name))
            calls += new
            bytes_ += new * count.mean_bytes
        images = known.get(f"{name}.images", EntryCount())
        if planned.mode == "incremental" and images.bodies:
            share = min(1.0, images.bodies / max(planned.record_count or 1, 1))
            calls += share * (planned.expected_rows or 0)
    return replace(plan, file_calls=min(ceil(calls), most), file_mb=bytes_ / 1e6)


def _new_bodies(planned: ObjectPlan, known: int, counted: int | None) -> int:
    """Changed rows may have a new body each; of all rows those that the store does not know."""
    rows = planned.expected_rows or 0
    if planned.mode == "full" and counted is not None and not known:
        return counted
    return rows if planned.mode == "incremental" else max(0, rows - known)


def with_metadata(
    plan: Plan,
    earlier: Iterable[Mapping[str, Any]],
    last_at: datetime | None,
    now: datetime,
    *,
    days: float = METADATA_DAYS,
    first: int | None = None,
) -> Plan:
    """
    The plan with the calls of the metadata, as the last jobs have spent them.

    Args:
        earlier: ``metadata`` of the outcomes of earlier jobs, oldest first.
        first: calls of a first time, where the org told; None: not known.
        last_at: when all was retrieved last; None: never, or not whole.
    """
    is_all = due(last_at, now, days=days, is_changed=None) == "all"
    # Nothing at all is spent where the org's trail says that nobody has changed its set-up.
    spent = [one for one in earlier if one.get("calls") or (one.get("unchanged") and not is_all)]
    # Its lists alone cost less than all of it, and next to the same in an org of few components.
    alike = [one for one in spent if one["unchanged"] != is_all] or spent
    unknown = FIRST_METADATA_CALLS if first is None else first
    calls = int(alike[-1]["calls"]) if alike else unknown
    if alike and alike[-1]["unchanged"] == is_all:
        calls += RETRIEVE_CALLS if is_all else -RETRIEVE_CALLS
    return replace(plan, metadata_calls=calls)
