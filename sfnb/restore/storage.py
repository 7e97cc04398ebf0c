"""Whether the org has room for what a restore will make. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfnb.org.answers import count_of, mapping_of
from sfnb.restore.plan import Refusal

FEW_RECORDS = 50
"""From here on the org is asked: its number is in whole MB, and fewer records are a tenth of one."""

RECORD_KB = 2
"""Of data storage for each record, whatever is in it (Help, "Data and File Storage Allocations")."""

SPECIAL_KB: Mapping[str, int] = {"Campaign": 8, "EmailMessage": 0}
"""Campaigns take 8 kB; an e-mail as much as it is long, which nobody knows beforehand (as above)."""

KB_PER_MB = 1024


def room_for(limits: object, created: Mapping[str, int], file_bytes: int = 0) -> list[Refusal]:
    """
    What will not fit, by the org's own numbers, which may be minutes old: the run goes on until the
    org refuses a row.

    Args:
        limits: the answer of ``/limits``.
        created: records that are made, by object.
        file_bytes: of the files that are sent.
    """
    found = []
    needed_kb = sum(rows * SPECIAL_KB.get(name, RECORD_KB) for name, rows in created.items())
    free_kb = _free_kb(limits, "DataStorageMB")
    if free_kb is not None and needed_kb > free_kb:
        largest = max(created, key=lambda name: created[name])
        too_many = min(-(-(needed_kb - free_kb) // RECORD_KB), sum(created.values()))
        message = (
            f"the org has {free_kb // KB_PER_MB:,} MB of data storage left, and the new records "
            f"take about {-(-needed_kb // KB_PER_MB):,} MB"
        )
        found.append(Refusal(largest, "storage_full", too_many, "", message))
    free_kb = _free_kb(limits, "FileStorageMB")
    if free_kb is not None and file_bytes > free_kb * 1024:
        message = (
            f"the org has {free_kb // KB_PER_MB:,} MB of file storage left, and the files have "
            f"{file_bytes / 1024 / 1024:,.0f} MB"
        )
        found.append(Refusal("ContentVersion", "storage_full", 0, "", message))
    return found


def _free_kb(limits: object, name: str) -> int | None:
    entry: Mapping[str, Any] = mapping_of(mapping_of(limits).get(name))
    left = count_of(entry.get("Remaining"))
    return None if left is None else left * KB_PER_MB
