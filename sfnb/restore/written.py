"""The records that a restore has written, for its proof. Pure, but for reading the job's folder."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pyarrow as pa

from sfnb.restore.compact import IdColumn, IdTable
from sfnb.restore.comparison import Mode, Written
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.id_map import IdMap
from sfnb.restore.outcomes import Outcomes
from sfnb.restore.plan import PlannedRow, RestorePlan, Wave


class WrittenRows(Mapping[str, Written]):
    """
    The written records of one object by their Ids in the snapshot, in little memory: beside its new
    Id, a record has the number of its sort, and there are a few sorts only.
    """

    def __init__(self, records: Mapping[str, Written] | None = None) -> None:
        self._old = IdTable()
        self._new = IdColumn()
        self._sort_of = array("i")
        self._sorts: dict[tuple[Mode, tuple[str, ...], bool, bool], int] = {}
        self._by_number: list[Written] = []
        for old_id, written in (records or {}).items():
            self.put(old_id, written)

    def __len__(self) -> int:
        return len(self._old)

    def __iter__(self) -> Iterator[str]:
        return iter(self._old)

    def __getitem__(self, old_id: str) -> Written:
        if (number := self._old.find(old_id)) < 0:
            raise KeyError(old_id)
        one = self._by_number[self._sort_of[number]]
        return Written(self._new[number], one.mode, one.fields, one.is_twice, one.is_proven)

    def put(self, old_id: str, written: Written) -> None:
        """A record, in place of what was known of it."""
        sort = (written.mode, written.fields, written.is_twice, written.is_proven)
        if (at := self._sorts.get(sort)) is None:
            at = self._sorts[sort] = len(self._by_number)
            self._by_number.append(replace(written, new_id=""))
        number = self._old.add(old_id)
        if number == len(self._new):
            self._new.append(written.new_id)
            self._sort_of.append(at)
        else:
            self._new[number] = written.new_id
            self._sort_of[number] = at

    def new_id(self, old_id: str) -> str:
        """The Id in the target of a record that is here."""
        return self._new[self._old.find(old_id)]

    @property
    def sorts(self) -> list[Written]:
        """The records' sorts, without Ids."""
        return [self._by_number[at] for at in sorted(set(self._sort_of))]

    @property
    def old_ids(self) -> pa.Array:
        """All Ids in the snapshot."""
        return self._old.keys.arrow()

    @property
    def new_ids(self) -> pa.Array:
        """All Ids in the target, in the same order."""
        return self._new.arrow()


def written_records(
    folder: RestoreFolder,
    plan: RestorePlan,
    outcomes: Outcomes,
    ids: IdMap,
    proven: Iterable[str] = (),
) -> dict[str, WrittenRows]:
    """
    By object and Id in the snapshot, the records of which something was written.

    One of which only a part was refused is among them; one that was not written at all is not: the
    rejects name it.

    Args:
        proven: records that the run itself has read back and compared, and not written since.
    """
    found: dict[str, WrittenRows] = {}
    for wave in plan.waves:
        records = found.setdefault(wave.object_name, WrittenRows())
        for place, row in enumerate(folder.wave_rows(wave.number, wave.object_name)):
            mode = _mode(outcomes, wave, place)
            if mode is not None:
                earlier = records.get(row.old_id)
                written = _written(row, mode, outcomes, wave, place, ids, earlier)
                records.put(row.old_id, written)
    for old_id in proven:
        for records in found.values():
            if (one := records.get(old_id)) is not None and not one.is_twice:
                records.put(old_id, replace(one, is_proven=True))
    return {name: records for name, records in found.items() if records}


def _mode(outcomes: Outcomes, wave: Wave, place: int) -> Mode | None:
    modes: tuple[Mode, ...] = ("create", "undelete", "update")
    for mode in modes:
        act = outcomes.has(wave.number, mode)
        if act is not None and act.is_done(place):
            return mode
    return None


def _written(  # noqa: PLR0917 - what one row of one wave is
    row: PlannedRow,
    mode: Mode,
    outcomes: Outcomes,
    wave: Wave,
    place: int,
    ids: IdMap,
    earlier: Written | None,
) -> Written:
    if earlier is not None:
        fields = tuple(dict.fromkeys((*earlier.fields, *row.values)))
        kept = () if earlier.mode != "update" else fields
        return Written(earlier.new_id, earlier.mode, kept, is_twice=True)
    if mode == "create":
        made = outcomes.has(wave.number, "create")
        return Written(made.ids[place] if made else ids.of(row.old_id), mode)
    if mode == "undelete" or wave.kind == "undelete":
        return Written(row.target_id or row.old_id, "undelete")
    return Written(row.target_id or ids.of(row.old_id), mode, tuple(row.values))
