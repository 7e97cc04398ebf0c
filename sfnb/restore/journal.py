"""
What a restore is about to send, and what came of it: written before and after each batch.

A batch without results was sent, or was about to be, when the process ended: what it wrote is
looked up in the org before anything of it is sent again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sfnb.errors import StoreError
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.plan import WriterName

Act = Literal["undelete", "create", "update"]
"""What is done to a row: one wave may undelete a row, and then create or update it."""

Again = Literal["again"]
AGAIN: Again = "again"
"""Of a row that was surely not written, and is to be sent again."""


@dataclass(frozen=True, slots=True)
class Done:
    """A row that was written; ``record_id`` in the target."""

    record_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that the org refuses for good, or that is not sent."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


Outcome = Done | Refused | Again


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Rows of a wave that are sent together.

    Args:
        number: the name of its file.
        places: of the rows in the wave's file, in the order sent.
        at: the org's time before it was sent, ISO 8601.
        bulk_job: of Bulk API 2.0, as soon as it is known.
        is_lost: its answer was lost and nothing of it was to be seen, so its rows go again.
        outcomes: by place in ``places``; None: not known yet.
    """

    number: int
    wave: int
    act: Act
    writer: WriterName
    places: Sequence[int]
    at: str
    bulk_job: str = ""
    is_lost: bool = False
    outcomes: tuple[Outcome, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "wave": self.wave,
            "act": self.act,
            "writer": self.writer,
            "places": list(_ranges(self.places)),
            "at": self.at,
            "bulk_job": self.bulk_job,
            "is_lost": self.is_lost,
            "outcomes": None if self.outcomes is None else [_saved(one) for one in self.outcomes],
        }

    @classmethod
    def of(cls, number: int, saved: dict[str, Any]) -> Batch:
        """
        From its JSON.

        Raises:
            StoreError: it is damaged.
        """
        try:
            outcomes = saved["outcomes"]
            ranges = saved["places"]
            places = array("q", (p for first, end in ranges for p in range(first, end)))
            batch = cls(
                number,
                saved["wave"],
                saved["act"],
                saved["writer"],
                places,
                saved["at"],
                saved["bulk_job"],
                saved.get("is_lost") is True,
                None if outcomes is None else tuple(_outcome(one) for one in outcomes),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise StoreError(f"the restore's journal {number}.json is damaged.") from err
        if batch.outcomes is not None and len(batch.outcomes) != len(places):
            raise StoreError(f"the restore's journal {number}.json is damaged.")
        return batch


class Journal:
    """
    The journal of one job. One thread writes it.

    Args:
        folder: the job's.
    """

    def __init__(self, folder: RestoreFolder) -> None:
        self._files = folder.files
        self._path = folder.journal_path
        self._next = max(self._numbers(), default=0) + 1
        self._began_at = ""

    def _numbers(self) -> list[int]:
        names = self._files.names(self._path)
        return sorted(int(n[:-5]) for n in names if n.endswith(".json") and n[:-5].isdigit())

    def batches(self) -> Iterator[Batch]:
        """All batches, oldest first."""
        for number in self._numbers():
            saved = self._files.read_json(f"{self._path}/{number}.json")
            if saved is not None:
                yield Batch.of(number, saved)

    def intend(
        self, wave: int, act: Act, writer: WriterName, places: Sequence[int], at: str
    ) -> Batch:
        """Note what is about to be sent; on disk when this returns."""
        batch = Batch(self._next, wave, act, writer, array("q", places), at)
        self._next += 1
        return self._put(batch)

    def note_job(self, batch: Batch, bulk_job: str) -> Batch:
        """Note the Bulk job that will carry the batch."""
        return self._put(replace(batch, bulk_job=bulk_job))

    def close(self, batch: Batch, outcomes: Sequence[Outcome], *, is_lost: bool = False) -> Batch:
        """Note what came of each row."""
        if len(outcomes) != len(batch.places):
            raise ValueError("one outcome for each row")
        return self._put(replace(batch, outcomes=tuple(outcomes), is_lost=is_lost))

    @property
    def began_at(self) -> str:
        """The org's time before the job's first call that wrote; empty: nothing was written."""
        if not self._began_at:
            self._began_at = next((batch.at for batch in self.batches()), "")
        return self._began_at

    def note(
        self, wave: int, act: Act, writer: WriterName, found: Sequence[tuple[int, Outcome]], at: str
    ) -> Batch:
        """Note what was found of rows that are not sent."""
        places = array("q", (place for place, _ in found))
        batch = Batch(self._next, wave, act, writer, places, at)
        self._next += 1
        return self.close(batch, [outcome for _, outcome in found])

    def _put(self, batch: Batch) -> Batch:
        self._files.put_json(f"{self._path}/{batch.number}.json", batch.as_json())
        return batch


def _ranges(places: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = end = -1
    for place in places:
        if place != end:
            if end > first:
                yield first, end
            first = place
        end = place + 1
    if end > first:
        yield first, end


def _saved(outcome: Outcome) -> Any:
    """An Id, a refusal as a list, or null for a row that goes again."""
    if isinstance(outcome, Done):
        return outcome.record_id
    if isinstance(outcome, Refused):
        return [outcome.code, outcome.message, *outcome.fields]
    return None


def _outcome(saved: Any) -> Outcome:
    if saved is None:
        return AGAIN
    if isinstance(saved, str):
        return Done(saved)
    code, message, *fields = saved
    return Refused(str(code), str(message), tuple(map(str, fields)))
