"""The words of sfnb as frozen values. Nothing here does anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

Api = Literal["api", "bulk", "bulk2", "bulk2_mb"]
"""One of the four budgets that Salesforce counts apart."""

APIS: tuple[Api, ...] = ("api", "bulk", "bulk2", "bulk2_mb")

LIMIT_KEYS: Mapping[Api, tuple[str, ...]] = {
    "api": ("DailyApiRequests",),
    # One counter with two names: DailyBulkApiRequests up to v48, DailyBulkApiBatches from v49 on
    # (REST guide, Limits).
    "bulk": ("DailyBulkApiBatches", "DailyBulkApiRequests"),
    "bulk2": ("DailyBulkV2QueryJobs",),
    "bulk2_mb": ("DailyBulkV2QueryFileStorageMB",),
}
"""Where ``/limits`` keeps each budget; the first key that is there counts."""

HEADER_LAG_S = 120.0
"""
How old the number in ``Sforce-Limit-Info`` may be. In recorded answers of real orgs it is 50 s old in the median, 78 s
at most, and it goes back by up to 48 calls from one answer to the next.
"""

RESTORE = "restore"
"""
The kind of work that may have a limit percent of its own, the *reserve*; all others use the org's.
"""

ARCHIVE = "archive"
"""The kind of work that takes records out of an org once the store has them."""

ERASE = "erase"
"""
The kind of work that takes records out of everything that is stored. It alone needs no org: it sends
no call, and goes on whether the org answers or not.
"""

AUDIT_KINDS = (
    *("limit", "restore", "archive", "prune", "hold", "erase"),
    *("org", "role", "schedule"),
)
"""What the lines of the audit log can be about."""

Price = Mapping[Api, int]
"""What a call costs: units of each budget it draws on (calls, batches, jobs, MB). Empty: free."""


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What the org reported about one budget.

    Args:
        api: the budget.
        used: units used in the rolling 24 hours. In a paid production org it may exceed the
            maximum.
        maximum: the allocation.
        sent_at: when the call that brought it was sent.
        read_at: when its answer was read.
        source: ``header`` (Sforce-Limit-Info, up to 78 s old in recorded answers) or ``limits``
            (``/limits``, minutes old).
    """

    api: Api
    used: int
    maximum: int
    sent_at: datetime
    read_at: datetime
    source: Literal["header", "limits"]


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """
    Where one budget of one org stands now.

    Args:
        used: as the org reported; -1 when it never did.
        in_flight: reserved by calls that are being sent, in every process.
        is_known: False means that ``used`` must not be believed.
        own: what sfnb spent lately, which ``used`` may not include yet.
        kind: the kind of work whose limit this is (``restore``); empty: the org's ordinary one.
    """

    api: Api
    used: int
    in_flight: int
    maximum: int
    limit_percent: int
    threshold: int
    lower_mark: int
    read_at: datetime | None
    is_known: bool
    own: int = 0
    kind: str = ""

    @property
    def believed(self) -> int:
        """What the gate takes to be used."""
        return self.used + self.own


class JobState(StrEnum):
    """``queued → running ⇄ paused → completed / completed_with_errors / failed / cancelled``."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (
            JobState.COMPLETED,
            JobState.COMPLETED_WITH_ERRORS,
            JobState.FAILED,
            JobState.CANCELLED,
        )


class ObjectState(StrEnum):
    """What a snapshot has of an object."""

    UNTOUCHED = "untouched"
    PARTIAL = "partial"
    COMPLETE = "complete"


ReaderName = Literal["bulk2", "keyset", "by_parent", "locator"]
"""
How an object is read: ``bulk2`` (Bulk API 2.0 query), ``keyset`` (pages in the order of Ids, five
to a composite call), ``by_parent`` (an object that requires a filter, read through lists of parent
Ids), ``locator`` (query cursors, where Ids cannot be sorted).
"""

OLD_READERS: Mapping[str, ReaderName] = {
    "rest": "keyset",
    "parents": "by_parent",
    "locators": "locator",
}
"""
What sfnb 0.1 called them, under the key ``road``, in plans and cursors that may still be resumed.
"""


def reader_of(saved: Mapping[str, Any]) -> ReaderName | None:
    """The reader named in a plan's object or in a cursor, old or new; None where there is none."""
    name = saved.get("reader") or saved.get("road")
    return OLD_READERS.get(name, name) if name else None


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field of a describe; only what sfnb uses."""

    name: str
    type: str
    length: int = 0
    reference_to: tuple[str, ...] = ()
    is_filterable: bool = True
    is_sortable: bool = True
    is_nillable: bool = True


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of the global describe; ``prefix`` are the first characters of its Ids."""

    name: str
    is_queryable: bool
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """One object's own describe. ``raw`` is the whole answer, kept with the snapshot."""

    name: str
    fields: tuple[FieldInfo, ...]
    raw: Mapping[str, object] = field(repr=False, hash=False, compare=False, default_factory=dict)

    def has(self, name: str) -> bool:
        return any(f.name == name for f in self.fields)


@dataclass(frozen=True, slots=True)
class JobWarning:
    """
    What a person should know of a job although nothing failed.

    Args:
        code: for programs, such as ``partial_visibility``.
        object_name: empty: the whole org.
        message: a sentence, with what to do.
    """

    code: str
    object_name: str
    message: str

    @property
    def text(self) -> str:
        """The sentence, with the object that it is about."""
        name = self.object_name
        is_named = not name or self.message.startswith(f"{name}:")
        return self.message if is_named else f"{name}: {self.message}"

    def as_json(self) -> dict[str, str | None]:
        return {"code": self.code, "object": self.object_name or None, "message": self.message}

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> JobWarning:
        """From its JSON."""
        return cls(str(saved["code"]), str(saved["object"] or ""), str(saved["message"]))


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause of a job, and the reading that caused it. ``resumed_at`` is None while it lasts."""

    api: str
    at: datetime
    resumed_at: datetime | None
    used: int
    maximum: int
    reason: str = ""
