"""Where one object of a snapshot stands while it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from math import ceil
from typing import Any

from sfnb.backup.change_run import ChangeRun
from sfnb.backup.plan import BULK_PAGE_ROWS
from sfnb.backup.units import Query
from sfnb.backup.ways import Way
from sfnb.model import ObjectSchema, ObjectState, ReaderName
from sfnb.org.arrow import Note, Tally, nul_note
from sfnb.store.progress import Progress


class RunState(Enum):
    """How an object run stands. All but ``OPEN`` are the end of it for this run of the job."""

    OPEN = "open"
    COMPLETE = "complete"
    FAILED = "failed"
    """
    It could not be read; ``reason`` has the org's words. The next run of the job tries it again.
    """
    LEFT_OUT = "left out"
    """Salesforce lets nobody query it; ``reason`` says why. Nothing is wrong with the job."""


@dataclass
class ObjectRun:
    """
    One object on its way. Only the deciding thread touches it.

    Args:
        progress: what is committed.
        bulk_refusal: why Bulk cannot read it, once known; then keyset pages have to, whatever its
            size.
        is_single: its query takes one parent Id at a time.
        is_typed: its query takes a type of parents at a time, and no Ids.
        way: how its rows are asked for.
        restarts: how often it started again because rows did not agree or results were gone.
        failures: passing failures since its last commit.
        is_alone: its pages share no call with others', since one of them made the whole call fail.
        notes: what is to be said of it in the outcome although it is complete.
        with_nul: by field, how many values have the character NUL; the cursor keeps it.
        generation: grows with each restart and change of reader; what was asked for before belongs
            to nothing.
        query: what is asked of it; the scheduler sets it before the first unit.
        leftovers: its Bulk jobs that the org is still to be asked to abort; the cursor keeps them.
        change: what is known of its changes; None: all its rows are read.
        record_count: the org's statistic of live records; None: it has none.
        warnings: what a person should look at, by code.
        is_afresh: what older snapshots have of it is damaged: it is compared with nothing.
        is_full_after_all: it began with its changes only, which turned out not to be enough.
        outcome: what is shown of it in the job's JSON.
        not_before_s: before that it is not tried again after a failure.
        wake_at_s: when the reader wants to be asked for units again (the clock's monotonic
            seconds); None: when
            something happens.
    """

    schema: ObjectSchema
    reader: ReaderName
    expected_rows: int | None
    mb: float
    parent_field: str | None
    progress: Progress
    state: RunState = RunState.OPEN
    reason: str = ""
    bulk_refusal: str = ""
    restarts: int = 0
    failures: int = 0
    is_alone: bool = False
    notes: list[str] = field(default_factory=list)
    with_nul: dict[str, int] = field(default_factory=dict)
    generation: int = 0
    wake_at_s: float | None = None
    not_before_s: float = 0.0
    started_at: str = ""
    is_single: bool = False
    is_typed: bool = False
    way: Way = field(default_factory=Way)
    query: Query | None = None
    leftovers: list[str] = field(default_factory=list)
    change: ChangeRun | None = None
    is_full_after_all: bool = False
    is_afresh: bool = False
    record_count: int | None = None
    warnings: dict[str, str] = field(default_factory=dict)
    outcome: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.leftovers += self.cursor.get("leftovers", ())
        self.with_nul |= self.cursor.get("with_nul", {})
        self.started_at = str(self.cursor.get("started_at") or "")
        self.way = Way.of(self.schema, self.cursor)
        self.note(*self.way.notes())
        if self.progress.is_done and self.state is RunState.OPEN:
            self.state = RunState.COMPLETE

    @property
    def asks(self) -> Query:
        """What is asked of it, once its reading has begun."""
        if self.query is None:
            raise ValueError(f"{self.name}: no query yet")
        return self.query

    @property
    def name(self) -> str:
        return self.schema.name

    @property
    def is_complete(self) -> bool:
        return self.state is RunState.COMPLETE

    @property
    def is_open(self) -> bool:
        return self.state is RunState.OPEN

    @property
    def page_mb(self) -> int:
        """What a Bulk result page is expected to use of ``bulk2_mb``."""
        pages = max(1, ceil((self.expected_rows or 0) / BULK_PAGE_ROWS))
        return ceil(self.mb / pages)

    @property
    def cursor(self) -> dict[str, Any]:
        return dict(self.progress.cursor or {})

    @property
    def stored(self) -> ObjectState:
        """What the snapshot has of it."""
        if self.progress.is_done:
            return ObjectState.COMPLETE
        return ObjectState.PARTIAL if self.progress.parts else ObjectState.UNTOUCHED

    def begin(self, at: datetime) -> None:
        """The reading begins, unless it has: changes of the org since then may be missing."""
        moment = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.started_at = self.started_at or moment

    def note(self, *notes: Note) -> None:
        """Keep what is to be said of the object, each sentence once; what is counted is added up."""
        for one in notes:
            if isinstance(one, Tally):
                self.with_nul[one.field] = self.with_nul.get(one.field, 0) + one.values
            elif one not in self.notes:
                self.notes.append(one)

    @property
    def message(self) -> str | None:
        """Why it is not complete, or what is to be said although it is."""
        nul = [nul_note(name, values) for name, values in self.with_nul.items()]
        return " ".join([self.reason, *self.notes, *nul]).strip() or None

    def stay_left_out(self, reason: str) -> None:
        """The job found out before its pause that nobody can query it: no call is spent on it."""
        self.end(RunState.LEFT_OUT, reason)
        self.leftovers += [job] if (job := self.cursor.get("job")) else []

    def end(self, state: RunState, reason: str = "") -> None:
        """The end of this run."""
        self.state = state
        self.reason = reason
        self.wake_at_s = None
