"""Members of campaigns: a contact or a lead, each at most once, so that the org takes them again."""

from __future__ import annotations

from typing import Any

from sfnb_demo.data import fills, ids
from sfnb_demo.data.fills import Batch, Flags

_STEP = 7919
"""A prime: steps of this size hit each row once before they hit one again."""


def contact(batch: Batch) -> Any:
    return _who(batch, "Contact", batch.numbers % 10 < 7)


def lead(batch: Batch) -> Any:
    return _who(batch, "Lead", batch.numbers % 10 >= 7)


def _who(batch: Batch, target: str, is_here: Flags) -> Any:
    """A member goes with its contact or lead."""
    parent, rows = batch.objects[target], batch.rows[target]
    at = batch.numbers * _STEP % max(rows, 1)
    gone = fills.deleted(parent, at) & is_here
    batch.master_deleted = gone if batch.master_deleted is None else batch.master_deleted | gone
    return ids.make_ids(
        parent.prefix or "000", at + parent.id_start, is_null=~is_here | (rows == 0)
    )
