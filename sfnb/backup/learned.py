"""
What the last backups found out about how an object can be read, so that a refusal is paid for once.

A refusal that no describe foretells costs a call or two, and would cost them every night. It is
remembered for a week; then it is tried again, as a full backup does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sfnb.model import ReaderName
from sfnb.state.job_values import JobObject

ASK_AGAIN = timedelta(days=7)
"""Salesforce's restrictions change with its releases, three a year, and with an org's features."""


@dataclass(frozen=True, slots=True)
class Learned:
    """
    How one object was read last.

    Args:
        reader: None: as describe lets one expect.
        parent_field, is_single: of a reading by parents, see ``ObjectRun``.
        left_out: why nobody can query it; empty: somebody can.
        asked_at: when the org said so (ISO).
    """

    reader: ReaderName | None = None
    parent_field: str | None = None
    is_single: bool = False
    left_out: str = ""
    asked_at: str = ""

    @classmethod
    def of(cls, entry: JobObject, asked_at: str) -> Learned | None:
        """From a job's entry; None: it has nothing that describe does not say."""
        said = entry.outcome
        asked_at = str(said.get("asked_at") or asked_at)
        if said.get("left_out"):
            return cls(left_out=entry.message or "it cannot be queried", asked_at=asked_at)
        reader = said.get("reader")
        if reader not in ("locator", "by_parent") or said.get("mode") != "full":
            return None
        return cls(reader, said.get("parent_field"), bool(said.get("single")), "", asked_at)

    def as_json(self) -> dict[str, Any]:
        """What a job's entry keeps of an object that was not asked this time."""
        return {"left_out": True, "asked_at": self.asked_at}


def still_learned(
    learned: Mapping[str, Learned], names: Iterable[str], now: datetime, *, wants_full: bool
) -> dict[str, Learned]:
    """What need not be found out again today."""
    if wants_full:
        return {}
    return {
        name: known
        for name in names
        if (known := learned.get(name)) is not None and is_young(known.asked_at, now)
    }


def is_young(asked_at: str, now: datetime) -> bool:
    """Whether it was found out less than a week ago, and not in a future that a clock made up."""
    if not asked_at:
        return False
    return timedelta(0) <= now - datetime.fromisoformat(asked_at) < ASK_AGAIN
