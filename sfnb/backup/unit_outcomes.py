"""
What units bring: frozen values that pickle, so that a unit may run in another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sfnb.errors import ObjectError, QuotaSignal, SfnbError, StopSignal
from sfnb.org.arrow import Note
from sfnb.org.bulk2 import QueryJob
from sfnb.org.changes import ChangeList
from sfnb.store.parts import Part


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A first page announced more rows than keyset pages are good for; nothing was stored."""

    total: int


@dataclass(frozen=True, slots=True)
class RowsRead:
    """
    Rows in parts that are written and not yet committed.

    Args:
        rows: how many there are.
        total: how many rows the org counts for the query at that moment; None: it gives no number.
        last_id: of the last row; empty when there was none.
        is_done: no page follows.
        next_path: where the next page is, of a query cursor; empty: none.
        notes: what had to be mended in the values, in sentences.
    """

    parts: tuple[Part, ...]
    is_done: bool
    rows: int
    total: int | None
    last_id: str = ""
    next_path: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows the org counts now."""

    rows: int


@dataclass(frozen=True, slots=True)
class ListsRead:
    """
    What ``/updated`` and ``/deleted`` told of one object; an error where the org refused a list,
    None where it was not asked for.
    """

    updated: ChangeList | ObjectError | None = None
    deleted: ChangeList | ObjectError | None = None


@dataclass(frozen=True, slots=True)
class IdsFound:
    """Those of the Ids asked for that the org has."""

    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class IdsRead:
    """Ids of a parent object, in their order."""

    ids: tuple[str, ...]
    is_done: bool


@dataclass(frozen=True, slots=True)
class JobCreated:
    """The id of a new Bulk 2 job."""

    job: str


@dataclass(frozen=True, slots=True)
class ResultRead:
    """One result page, written; and where the next page starts (None: this was the last)."""

    parts: tuple[Part, ...]
    rows: int
    next_locator: str | None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class JobAborted:
    """The org was asked to stop working on the job."""


Outcome = (
    TooLarge
    | RowsRead
    | Counted
    | ListsRead
    | IdsFound
    | IdsRead
    | JobCreated
    | QueryJob
    | ResultRead
    | JobAborted
)


@dataclass(frozen=True, slots=True)
class Result:
    """
    What a unit brought.

    Args:
        outcomes: by object; an error in its place is that object's alone.
        calls: API calls spent, by the object they are booked on; also those of a unit that failed.
        error: why the whole unit failed; then there are no outcomes.
    """

    outcomes: Mapping[str, Outcome | SfnbError] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    error: SfnbError | QuotaSignal | StopSignal | None = None
