"""What is known of one object's changes while they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from sfnb.backup.marks import OVERLAP, ChangeMark, window_where
from sfnb.backup.unit_outcomes import ListsRead
from sfnb.errors import ObjectError
from sfnb.org.changes import ChangeList, ChangeQuery, Resource, window_since

if TYPE_CHECKING:
    from sfnb.backup.object_run import ObjectRun
    from sfnb.store.parts import Part


class Stage(Enum):
    """Where the reading of changes stands. Each stage is passed once, in this order."""

    LISTS = "lists"
    """``/updated`` and ``/deleted`` are asked for."""
    TOUCHED = "touched"
    """Rows whose stamp lies in the window are counted."""
    ROWS = "rows"
    """Rows whose stamp lies in the window are read."""
    GONE = "gone"
    """Ids that ``/deleted`` names are looked for."""
    COUNT = "count"
    """The org counts its rows."""
    SAMPLE = "sample"
    """Some records are read whole, to find what changes while no stamp moves."""
    SWEEP = "sweep"
    """All Ids are read, and with them the fields that are refreshed."""
    REPAIR = "repair"
    """Rows that the sweep found missing or stale are read by Id."""
    END = "end"


SMALL_SHARE = 0.02
"""A sweep or a full reading that ends more than this share of the records needs a second witness."""

FEW = 20
"""So many may end in any case: shares of a small object say nothing."""


@dataclass
class ChangeRun:
    """
    One object's changes. Only the deciding thread touches it.

    Args:
        base: rows, alive and in the recycle bin, that the store had before.
        since: the watermark of the store, less the overlap.
        is_asked_first: changed rows are counted by a query, which sees the present minute too;
            otherwise ``/updated`` says whether there are any.
        has_new_schema: the snapshot has to store its schema anew, whatever its rows.
        wants_sweep: why all Ids have to be compared; empty: they have not.
        refresh: fields that are read for all rows, with the Ids.
        drifting: fields that are known to change while no stamp moves.
        sample_seed: from which record on a sample is read and compared; None: none is.
        sampled, drifted: records of the sample that were compared; fields that differ in some.
        sweep: the reading of all Ids, once it has begun; ``sweep_parts``: what it has brought.
        digest: of the Ids that the org has, once they were compared.
        repairs: Ids that have to be read again.
        lists: what the change lists told; None before they were asked for.
        touched: how many rows the window has, as far as that is known; ``announced`` by a query.
        rows_read, binned_read: changed rows that came; those of them in the recycle bin.
        gone: Ids that are proven gone. ``unproven``: named by ``/deleted`` and not looked for yet.
        org_count: rows as the org counts them, recycle bin included; None: not asked, or no answer.
    """

    alive: int
    binned: int
    mark: ChangeMark
    since: datetime
    is_asked_first: bool = False
    wants_sweep: str = ""
    has_new_schema: bool = False
    refresh: tuple[str, ...] = ()
    drifting: tuple[str, ...] = ()
    sample_seed: int | None = None
    sampled: int | None = None
    drifted: tuple[str, ...] = ()
    stage: Stage = Stage.LISTS
    lists: ListsRead | None = None
    touched: int | None = None
    announced: int | None = None
    rows_done: bool = False
    rows_read: int = 0
    binned_read: int = 0
    unproven: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    org_count: int | None = None
    is_counted: bool = False
    sweep: ObjectRun | None = None
    sweep_parts: list[Part] = field(default_factory=list)
    digest: str | None = None
    repairs: list[str] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The condition that changed rows meet; empty where no query can have one."""
        return window_where(self.mark.field, self.since) if self.mark.field else ""

    def queries(self, name: str, now: datetime) -> tuple[ChangeQuery, ...]:
        """The change lists to ask for; none where the object has none."""
        if not self.mark.has_lists:
            return ()
        wanted: list[Resource] = [] if self.is_asked_first else ["updated"]
        if self.alive + self.binned:  # of nothing, nothing can be deleted
            wanted.append("deleted")
        return tuple(ChangeQuery(name, r, window_since(self.since, now, r)) for r in wanted)

    def take_lists(self, lists: ListsRead) -> None:
        """What they told. What they leave open has to be read or swept."""
        self.lists = lists
        if isinstance(lists.deleted, ChangeList):
            self.unproven = list(lists.deleted.ids)
            if not lists.deleted.is_whole:
                self.wants_sweep = self.wants_sweep or "the org keeps no list of older deletions"
        if isinstance(lists.updated, ChangeList) and lists.updated.is_whole:
            self.touched = len(lists.updated.ids) + len(self.unproven)

    @property
    def must_ask_touched(self) -> bool:
        """Whether only a query tells how many rows have changed."""
        updated = self.lists.updated if self.lists else None
        is_known = isinstance(updated, ChangeList) and updated.is_whole
        return self.touched is None and bool(self.mark.field) and not is_known

    @property
    def has_changes(self) -> bool:
        """Whether rows have to be read, as far as is known."""
        return self.touched is None or self.touched > 0

    def must_count(self, record_count: int | None) -> bool:
        """
        Whether the org's own count is needed: rows changed, its statistic of live records
        (``/limits/recordCount``) disagrees, or neither that nor a list can show deletions.
        """
        return bool(
            self.rows_read
            or self.unproven
            or self.gone
            or self.wants_sweep
            or (record_count is not None and record_count != self.alive)
            or (record_count is None and self._is_deletion_untold)
        )

    @property
    def _is_deletion_untold(self) -> bool:
        """Whether the list of deletions was refused; of nothing, nothing can be deleted."""
        deleted = self.lists.deleted if self.lists is not None else None
        return isinstance(deleted, ObjectError) and self.alive + self.binned > 0

    def covered_at(self, began: datetime) -> datetime:
        """Up to when the object is covered if nothing was found."""
        moments = [began]
        if self.lists is not None:
            if isinstance(self.lists.updated, ChangeList) and not self.rows_done:
                moments.append(self.lists.updated.covered_at)
            if isinstance(self.lists.deleted, ChangeList):
                # The next window begins earlier by the overlap.
                moments.append(self.lists.deleted.covered_at + OVERLAP)
        return min(moments)

    @property
    def is_swept(self) -> bool:
        """Whether all Ids were compared."""
        return self.digest is not None

    @property
    def must_sweep(self) -> bool:
        """Whether all Ids have to be read."""
        return bool(self.wants_sweep or self.refresh) and not self.is_swept

    def start_again(self) -> None:
        """The rows are read again from the first one; what the org told stays."""
        self.forget_sweep()
        self.stage, self.rows_done, self.rows_read = Stage.LISTS, False, 0
        self.is_counted, self.org_count, self.binned_read = False, None, 0

    def forget_sweep(self) -> None:
        """The sweep starts again from its first page."""
        self.sweep, self.sweep_parts, self.digest, self.repairs = None, [], None, []


def is_small(ended: int, alive: int) -> bool:
    """Whether so many ended records need no second witness."""
    return ended <= max(FEW, int(alive * SMALL_SHARE))


def is_witnessed(ended: int, alive: int, count: int | None) -> bool:
    """
    Whether the org's statistic of records agrees that so many are gone.

    It lags and leaves out archived records, so half of them is enough. It does not depend on what
    this user may see.
    """
    return count is not None and count <= alive - ended // 2


def refusals(lists: ListsRead) -> list[ObjectError]:
    """The refused lists."""
    return [one for one in (lists.updated, lists.deleted) if isinstance(one, ObjectError)]


def out_of_sight(ended: int, alive: int) -> str:
    """Why records that are missing are not taken for deleted."""
    return (
        f"{ended:,} of {alive:,} records are not visible any more, and the org's statistic does not "
        "say that they were deleted. Check the permissions of the backup user (View All Data)."
    )


def drift_text(fields: Sequence[str]) -> str:
    """What is said of fields that a sample found to change while no stamp moves."""
    return (
        f"{', '.join(fields)}: values change in the org while the record's SystemModstamp stays, as "
        "those of a formula do. From now on all records are refreshed as with formulas."
    )
