"""
All Ids of an object, compared with the store's; the fields that are refreshed come along.

The reading is an object run of its own, by the reader that the object's size wants. What a plain
sweep brings lies beside the table until it is compared; a refresh commits its pages, so that a
pause costs none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sfnb.backup.change_run import ChangeRun, is_small, is_witnessed, out_of_sight
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.plan import choose_reader, plan_object
from sfnb.backup.readers.steps import (
    Commit,
    Fail,
    GoOn,
    Reader,
    ReadInFull,
    Step,
    Switch,
    moment_cursor,
)
from sfnb.backup.unit_outcomes import Outcome
from sfnb.backup.units import AbortJob, Query, Unit
from sfnb.errors import ObjectError, StoreError
from sfnb.model import ObjectSchema, ReaderName, reader_of
from sfnb.store.progress import NOTHING
from sfnb.store.settling.sweeps import SWEPT

if TYPE_CHECKING:
    from sfnb.store.writer import Writer

MOST_REPAIRS = 20_000
"""Rows that are read by Id after a sweep; with more of them the object is read in full."""


class Sweeping:
    """The sweeps of all objects. The object's schema has to be stored before its sweep begins."""

    def __init__(self, readers: Mapping[ReaderName, Reader], writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def next_units(self, run: ObjectRun, change: ChangeRun) -> Sequence[Unit]:
        """Units that may start now, see ``Reader``."""
        sweep = self._sweep(run, change)
        units = self._readers[sweep.reader].next_units(sweep)
        run.wake_at_s = sweep.wake_at_s
        return units

    def _sweep(self, run: ObjectRun, change: ChangeRun) -> ObjectRun:
        if change.sweep is None:
            change.sweep = self._begin(run, change, run.cursor.get("refresh") or {})
        return change.sweep

    def _begin(self, run: ObjectRun, change: ChangeRun, kept: Mapping[str, Any]) -> ObjectRun:
        """
        Args:
            kept: the cursor of a refresh that has begun; empty: from the first page.
        """
        wanted = SWEPT.union(change.refresh)
        fields = tuple(f for f in run.way.fields(run.schema) if f.name in wanted)
        schema = ObjectSchema(run.name, fields, run.schema.raw)
        rows = change.alive + change.binned
        reader = "keyset" if run.bulk_refusal else choose_reader(schema, rows)
        progress = replace(NOTHING, cursor=dict(kept), rows=int(kept.get("read", 0)))
        mb = plan_object(schema, rows).mb
        sweep = ObjectRun(schema, reader_of(kept) or reader, rows, mb, None, progress)
        sweep.started_at = run.started_at
        sweep.bulk_refusal = run.bulk_refusal
        names = [f.name for f in fields]
        target = (
            self._writer.target(run.name, names)
            if change.refresh
            else self._writer.comparisons.sweep_target(run.name)
        )
        wider = {name: kind for name, kind in run.way.wider.items() if name in names}
        sweep.query = Query(run.name, fields, target, run.way.where, tuple(sorted(wider.items())))
        return sweep

    def outcome(
        self, run: ObjectRun, change: ChangeRun, unit: Unit, outcome: Outcome
    ) -> list[Step]:
        """What to do with what a unit brought; after the last one, what differs is known."""
        sweep = self._sweep(run, change)
        steps: list[Step] = []
        for step in self._readers[sweep.reader].outcome(sweep, unit, outcome):
            match step:
                case Commit():
                    self._take(change, sweep, step)
                    if change.refresh:
                        cursor = self._cursor(run, sweep)
                        steps.append(Commit(step.parts, cursor, is_done=False))
                    if step.is_done:
                        return [*steps, *self._compared(run, change, step.org_count)]
                case Switch() if not sweep.progress.rows:
                    self._readers[sweep.reader].forget(sweep)
                    sweep.reader = step.reader
                case _:
                    return [ReadInFull("its Ids cannot be swept")]
        return steps

    @staticmethod
    def _take(change: ChangeRun, sweep: ObjectRun, step: Commit) -> None:
        before = sweep.progress
        change.sweep_parts += step.parts
        rows = sum(part.rows + part.deleted for part in step.parts)
        sweep.progress = replace(before, rows=before.rows + rows, cursor=dict(step.cursor))

    @staticmethod
    def _cursor(run: ObjectRun, sweep: ObjectRun) -> dict[str, Any]:
        before = run.cursor or moment_cursor(run, run.reader)
        kept = {**sweep.cursor, "read": sweep.progress.rows}
        if run.change is not None:
            kept |= {"fields": list(run.change.refresh), "drifted": list(run.change.drifted)}
        return {**before, "rows_done": True, "refresh": kept}

    def _compared(self, run: ObjectRun, change: ChangeRun, org_count: int | None) -> list[Step]:
        """All Ids are here: what the store lacks is read, what the org lacks is gone if proven."""
        self._readers[self._sweep(run, change).reader].forget(self._sweep(run, change))
        try:
            found = self._writer.comparisons.compare_ids(run.name, change.sweep_parts)
        except StoreError as err:
            return [ReadInFull(f"what is stored of it cannot be read ({err})")]
        if org_count is not None and found.rows != org_count:
            return [ReadInFull(f"the org counts {org_count:,} Ids and sent {found.rows:,}")]
        ended = len(set(found.gone) - set(change.gone))
        is_proven = is_witnessed(ended, change.alive, run.record_count)
        if not is_small(ended, change.alive) and not is_proven:
            run.warnings["partial_visibility"] = out_of_sight(ended, change.alive)
            return [Fail(run.warnings["partial_visibility"])]
        change.digest, change.org_count, change.is_counted = found.digest, found.rows, True
        change.gone = sorted({*change.gone, *found.gone})
        change.repairs = [*found.missing, *found.stale]
        if len(change.repairs) > MOST_REPAIRS:
            return [ReadInFull(f"{len(change.repairs):,} rows differ from the org's")]
        return []

    def refused(self, run: ObjectRun, change: ChangeRun, err: ObjectError) -> Step:
        """What to do when the org refuses to tell the Ids: another reader, or all rows."""
        sweep = self._sweep(run, change)
        step = self._readers[sweep.reader].refused(sweep, err)
        is_switch = isinstance(step, Switch)
        if not (isinstance(step, GoOn) or (is_switch and not sweep.progress.rows)):
            return ReadInFull(f"its Ids cannot be swept ({err})")
        if isinstance(step, Switch):
            self.forget(change)
            change.sweep = self._begin(run, change, {})
            change.sweep.reader = step.reader
        return GoOn()

    def forget(self, change: ChangeRun) -> None:
        """Drop what is known of a sweep that is not compared: it goes on from its cursor, if any."""
        if change.sweep is not None and not change.is_swept:
            self._readers[change.sweep.reader].forget(change.sweep)
            change.forget_sweep()

    def leftovers(self, change: ChangeRun | None) -> Sequence[AbortJob]:
        """See ``Reader``."""
        sweep = change.sweep if change else None
        return self._readers[sweep.reader].leftovers(sweep) if sweep else ()
