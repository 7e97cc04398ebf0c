"""What a plan promises and what an archive has done, in the words of its JSON. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb.archive.folder import Kept
from sfnb.archive.relations import storage_bytes
from sfnb.archive.trees import Member
from sfnb.model import JobWarning
from sfnb.text import count

MOST_LISTED = 10_000
"""Kept records that a job's JSON names; all are counted."""


def freed_mb(rows: Mapping[str, int], file_bytes: Mapping[str, int]) -> float:
    """Storage that deletions free, in MB as Salesforce counts them."""
    total = sum(storage_bytes(n, rows[n], file_bytes.get(n, 0)) for n in rows)
    return round(total / 1_048_576, 3)


@dataclass
class Tally:
    """
    Records by object.

    Args:
        bytes: of their files.
    """

    rows: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)

    def add(self, members: Iterable[Member]) -> None:
        for member in members:
            self.rows[member.object_name] += 1
            self.bytes[member.object_name] += member.bytes

    @property
    def freed_mb(self) -> float:
        return freed_mb(self.rows, self.bytes)

    def as_json(self) -> dict[str, int]:
        return dict(sorted(self.rows.items()))


def plan_json(going: Tally, kept: Sequence[Kept]) -> dict[str, Any]:
    """What will go, and what is known to stay."""
    return {
        "plan": going.as_json(),
        "storage_freed_mb": going.freed_mb,
        **kept_json(kept),
    }


def kept_json(kept: Sequence[Kept]) -> dict[str, Any]:
    """The records that stay, each once, and how many of each reason."""
    once = {one.id: one for one in reversed(kept)}
    listed = sorted(once.values(), key=lambda one: (one.object_name, one.id))
    return {
        "kept": [one.as_json() for one in listed[:MOST_LISTED]],
        "kept_counts": dict(sorted(Counter(one.reason for one in listed).items())),
    }


def warnings_json(
    alarms: Sequence[str], in_bin: Mapping[str, str], object_name: str
) -> list[dict[str, Any]]:
    """
    What a person has to look at.

    Args:
        alarms: what went and is not in the store.
        in_bin: by Id of what was to go for good and is still in the recycle bin, why.
        object_name: of the roots.
    """
    found = [JobWarning("not_stored", "", one) for one in alarms]
    if in_bin:
        record_id, why = next(iter(in_bin.items()))
        what = f"{count(len(in_bin), 'deleted record')} could not leave the recycle bin"
        message = f"{what}, the first is {record_id}: {why}"
        found.append(JobWarning("in_recycle_bin", object_name, message))
    return [one.as_json() for one in found]
