"""What became of each row of each wave, as the journal has it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sfnb.restore.compact import IdColumn
from sfnb.restore.journal import Act, Done, Outcome, Refused

Standing = Literal["open", "done", "refused"]

_OPEN, _DONE, _REFUSED = 0, 1, 2


@dataclass
class ActOutcomes:
    """
    One act on one wave's rows.

    Attributes:
        refusals: by place.
        ids: of created records, by place; empty until one is created.
    """

    rows: int
    refusals: dict[int, Refused] = field(default_factory=dict)
    ids: IdColumn = field(default_factory=IdColumn)
    _states: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self._states = bytearray(self.rows)

    def put(self, place: int, outcome: Outcome, *, keeps_id: bool) -> None:
        if isinstance(outcome, Done):
            self._states[place] = _DONE
            self.refusals.pop(place, None)
            if keeps_id:
                if not len(self.ids):
                    self.ids = IdColumn(rows=self.rows)
                self.ids[place] = outcome.record_id
        elif isinstance(outcome, Refused):
            self._states[place] = _REFUSED
            self.refusals[place] = outcome

    def is_open(self, place: int) -> bool:
        return self._states[place] == _OPEN

    def is_done(self, place: int) -> bool:
        return self._states[place] == _DONE

    def open_places(self) -> array[int]:
        return array("q", (place for place, state in enumerate(self._states) if state == _OPEN))

    def done_places(self) -> Iterator[int]:
        return (place for place, state in enumerate(self._states) if state == _DONE)

    @property
    def done(self) -> int:
        return self._states.count(_DONE)


class Outcomes:
    """All acts of a job."""

    def __init__(self) -> None:
        self._acts: dict[tuple[int, Act], ActOutcomes] = {}

    def of(self, wave: int, act: Act, rows: int) -> ActOutcomes:
        """One act on a wave of so many rows."""
        return self._acts.setdefault((wave, act), ActOutcomes(rows))

    def has(self, wave: int, act: Act) -> ActOutcomes | None:
        return self._acts.get((wave, act))

    def put(
        self, wave: int, act: Act, rows: int, places: Sequence[int], outcomes: Sequence[Outcome]
    ) -> None:
        found = self.of(wave, act, rows)
        for place, outcome in zip(places, outcomes, strict=True):
            found.put(place, outcome, keeps_id=act == "create")
