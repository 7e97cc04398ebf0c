"""
Undeleting: the tops are sent, the others come back with them; then everything that was to come back is
read, and mended, or inserted where it did not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sfnb.errors import ObjectError, OrgUnavailable, TransientError
from sfnb.restore.changes import created, mending
from sfnb.restore.compact import IdSet
from sfnb.restore.describes import WriteObject
from sfnb.restore.journal import Done, Outcome, Refused
from sfnb.restore.lookup import UNKNOWN_OUTCOME
from sfnb.restore.plan import PlannedRow, Wave
from sfnb.restore.sending import Item
from sfnb.restore.wave_rows import WaveRows

if TYPE_CHECKING:
    from sfnb.restore.wave_run import WaveRun

READ_ROWS = 1_000
"""Rows that are read back in one call: five queries of 200 Ids."""


@dataclass
class Undeleting:
    """
    The undeletes of one run.

    Attributes:
        to_insert: old Ids of records that did not come back and are still to be inserted.
    """

    run: WaveRun
    to_insert: IdSet = field(default_factory=IdSet)

    def send(self, wave: Wave) -> None:
        """Undelete the tops; the others come back with them."""
        found = self.run.outcomes.of(wave.number, "undelete", wave.rows)
        tops = (
            Item(place, row, row.target_id or row.old_id, {})
            for place, row in WaveRows(self.run.folder, wave)
            if not row.with_parent and found.is_open(place)
        )
        self.run.collections.send(wave, "undelete", tops)

    def mend(self, waves: Sequence[Wave]) -> None:
        """
        Read back what was to come back: mend it, or let it be inserted.

        All waves are read before any is mended: a lookup may point at a later wave's record, and
        that one may not have come back.
        """
        mends: list[tuple[Wave, list[Item]]] = []
        for wave in waves:
            mended = self.run.outcomes.of(wave.number, "update", wave.rows)
            made = self.run.outcomes.of(wave.number, "create", wave.rows)
            places = [p for p in mended.open_places() if made.is_open(p)]
            with self.run.sender.booked(wave.object_name):
                mends.append((wave, self._read(wave, places)))
        for wave, items in mends:
            with self.run.sender.booked(wave.object_name):
                self._send(wave, items)

    def read_back(self, wave: Wave, places: Sequence[int]) -> None:
        """Read rows after an undelete. Cost: 1 API call for 1,000, and what is sent to mend them."""
        self._send(wave, self._read(wave, places))

    def _send(self, wave: Wave, items: Sequence[Item]) -> None:
        waiting = [item for item in items if self._waits(wave, item.row)]
        if waiting:
            late = self.run.late.setdefault((wave.number, "update"), [])
            late += [item.place for item in waiting]
        known = {item.place for item in waiting}
        self.run.collections.send(wave, "update", [i for i in items if i.place not in known])

    def _waits(self, wave: Wave, row: PlannedRow) -> bool:
        """Whether it refers to a record that is still to be inserted."""
        return any(row.values.get(name) in self.to_insert for name in wave.links)

    def _read(self, wave: Wave, places: Sequence[int]) -> list[Item]:
        """The rows that are back and differ, with what differs; the others are noted, or wait."""
        rows = WaveRows(self.run.folder, wave).at(places)
        numbered = groupby(enumerate(rows), key=lambda pair: pair[0] // READ_ROWS)
        mends: list[Item] = []
        for _, group in numbered:
            some = [pair for _, pair in group]
            ids = [row.target_id or row.old_id for _, row in some]
            columns = ("IsDeleted", *wave.columns)
            try:
                present = self.run.sender.lookup.by_id(wave.object_name, ids, columns)
            except OrgUnavailable:
                raise
            except (TransientError, ObjectError) as err:
                message = f"whether it came back cannot be read: {err}"
                unknown = Refused(UNKNOWN_OUTCOME, message)
                self.run.note(wave, "update", [(place, unknown) for place, _ in some])
                continue
            mends += self._came_back(wave, some, present)
        return mends

    def _came_back(
        self,
        wave: Wave,
        some: Sequence[tuple[int, PlannedRow]],
        present: Mapping[str, Mapping[str, Any]],
    ) -> list[Item]:
        """Sort rows by whether they are back; the rows to mend, with what differs."""
        back: list[tuple[int, Outcome]] = []
        gone: list[tuple[int, Outcome]] = []
        same: list[tuple[int, Outcome]] = []
        mends: list[Item] = []
        found = self.run.outcomes.of(wave.number, "undelete", wave.rows)
        for place, row in some:
            target_id = row.target_id or row.old_id
            record = present.get(target_id)
            if record is None or record.get("IsDeleted") is not False:
                if found.is_open(place):
                    why = Refused("UNDELETE_FAILED", "it did not come back from the recycle bin.")
                    gone.append((place, why))
                self.run.ids.pending.add(row.old_id)
                self.to_insert.add(row.old_id)
                self.run.late.setdefault((wave.number, "create"), []).append(place)
                continue
            if not found.is_done(place):
                back.append((place, Done(target_id)))
            if self._waits(wave, row):
                self.run.late.setdefault((wave.number, "update"), []).append(place)
                continue
            values = self.run.ids.known(row, wave.links)
            policy = self.run.plan.options.get("on_conflict", "overwrite")
            target = self.run.target_of(wave.object_name)
            differing = dict(mending(values, record, target, policy))
            if differing:
                mends.append(Item(place, row, target_id, differing))
            else:
                same.append((place, Done(target_id)))
                if policy == "overwrite" and len(values) == len(row.values):
                    self.run.proven.add(row.old_id)
        self.run.note(wave, "undelete", [*back, *gone])
        self.run.note(wave, "update", same)
        return mends


def creatable(values: Mapping[str, Any], target: WriteObject) -> dict[str, Any]:
    """What of an undelete's values a new record can be given."""
    able = {n: v for n, v in values.items() if (f := target.fields.get(n)) and f.is_createable}
    return dict(created(able, target))
