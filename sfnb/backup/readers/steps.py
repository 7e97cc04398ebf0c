"""What a reader decides, as values; and the protocol that the four readers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sfnb.backup.change_run import Stage
from sfnb.backup.filters import is_structural_refusal
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.unit_outcomes import Outcome
from sfnb.backup.units import AbortJob, Unit
from sfnb.backup.ways import Way, another_way
from sfnb.errors import ObjectError
from sfnb.model import ReaderName
from sfnb.store.parts import Part


@dataclass(frozen=True, slots=True)
class Commit:
    """
    Make these parts visible and move the cursor, in one commit.

    Args:
        is_done: the object ends with this, if it can be proven complete.
        org_count: how many rows the org says the object has, when it ends; None: it gives no
            number.
    """

    parts: tuple[Part, ...]
    cursor: Mapping[str, Any]
    is_done: bool
    org_count: int | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """
    Read on by another reader. What is stored stays if the cursor still fits, else the object starts
    again.
    """

    reader: ReaderName
    is_restart: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """
    Start the object again by the same reader; what this snapshot has of it is removed in one
    commit.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for the object's rows in another way; by another reader, if one is named."""

    way: Way
    reader: ReaderName | None = None


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """Nobody can read this object by the API."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """This object cannot be read now; the others can."""

    reason: str


@dataclass(frozen=True, slots=True)
class Settle:
    """
    The changes of an object are read: keep what differs from the state before, and end.

    Args:
        gone: Ids of records that are proven gone.
        org_count: rows as the org counts them, recycle bin included; None: no number.
        watermark: up to when the object is covered (ISO).
        org_digest: of all Ids that the org has; None: they were not compared.
        refresh: fields that were read for all rows.
    """

    gone: tuple[str, ...]
    org_count: int | None
    watermark: str
    org_digest: str | None = None
    refresh: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing of the object has changed: a line in the manifest, no commit."""

    watermark: str
    org_count: int


@dataclass(frozen=True, slots=True)
class ReadInFull:
    """Its changes cannot be told, or do not add up: read all rows after all."""

    why: str


@dataclass(frozen=True, slots=True)
class GoOn:
    """Nothing to do but to ask for the next units."""


Step = Commit | Switch | Restart | Ask | LeaveOut | Fail | Settle | Unchanged | ReadInFull | GoOn


class Reader(Protocol):
    """
    One way to read objects. It keeps what it needs by object; only the deciding thread calls it.

    The scheduler requests units when its object begins, after each outcome, and at
    ``run.wake_at_s``.
    """

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:
        """
        Units that may start now; none while it waits for an outcome, ``run.wake_at_s`` or another
        object.
        """
        ...

    def outcome(self, run: ObjectRun, unit: Unit, outcome: Outcome) -> Sequence[Step]:
        """
        What to do with what a unit brought.

        Raises:
            ObjectError, ResultsGone: what came means that the object cannot be read on like this.
        """
        ...

    def refused(self, run: ObjectRun, err: ObjectError) -> Step:
        """What to do when the org refuses this object: another reader, leave it out, or fail."""
        ...

    def forget(self, run: ObjectRun) -> None:
        """Drop what is known of the object's reading: it goes on from its cursor."""
        ...

    def leftovers(self, run: ObjectRun) -> Sequence[AbortJob]:
        """
        What is to be tidied up in the org when nobody will go on from the cursor. Ask before
        ``forget``.
        """
        ...


def answer_to(run: ObjectRun, reader: Reader, err: ObjectError) -> Step:
    """What to do when the org refuses an object: another query if that may help, else what its reader knows."""
    is_of_rows = run.change is None or run.change.stage is Stage.ROWS
    way = another_way(run.way, run.schema, err) if is_of_rows else None
    if way is None:
        return reader.refused(run, err)
    if way.groups > run.way.groups:
        if run.reader not in ("keyset", "bulk2"):
            return Ask(way)
        run.bulk_refusal = run.bulk_refusal or str(err)
        return Ask(way, "keyset")
    return Ask(way)


def give_up(err: ObjectError) -> Step:
    """The last word on a refusal that no other reader gets around."""
    if is_structural_refusal(err.code, str(err)):
        return LeaveOut(str(err))
    return Fail(str(err))


def moment_cursor(run: ObjectRun, reader: ReaderName, **more: Any) -> dict[str, Any]:
    """A cursor; ``started_at`` is when the reading began: changes since then may be missing."""
    kept: dict[str, Any] = {
        "way": run.way.as_json(),
        "leftovers": list(run.leftovers),
        "with_nul": dict(run.with_nul),
        "mode": "full" if run.is_full_after_all else "",
    }
    kept = {name: value for name, value in kept.items() if value}
    return {"reader": reader, **more, **kept, "started_at": run.started_at}
