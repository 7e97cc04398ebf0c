"""The records that a restore has written, for its proof. Pure, but for reading the job's folder."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sfnb.restore.comparison import Mode, Written
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.id_map import IdMap
from sfnb.restore.outcomes import Outcomes
from sfnb.restore.plan import PlannedRow, RestorePlan, Wave


def written_records(
    folder: RestoreFolder,
    plan: RestorePlan,
    outcomes: Outcomes,
    ids: IdMap,
    proven: Collection[str] = (),
) -> dict[str, dict[str, Written]]:
    """
    By object and Id in the snapshot, the records of which something was written.

    One of which only a part was refused is among them; one that was not written at all is not: the
    rejects name it.

    Args:
        proven: records that the run itself has read back and compared, and not written since.
    """
    found: dict[str, dict[str, Written]] = {}
    for wave in plan.waves:
        records = found.setdefault(wave.object_name, {})
        for place, row in enumerate(folder.wave_rows(wave.number, wave.object_name)):
            mode = _mode(outcomes, wave, place)
            if mode is not None:
                earlier = records.get(row.old_id)
                records[row.old_id] = _written(row, mode, outcomes, wave, place, ids, earlier)
    for records in found.values():
        for old_id in proven:
            if (one := records.get(old_id)) is not None and not one.is_twice:
                records[old_id] = replace(one, is_proven=True)
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
