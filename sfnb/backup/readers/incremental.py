"""
Changes only: what the change lists and the stamps tell, counted, and swept where that is not enough.

Rows are read by the reader that a full backup would take, with a window as condition. What comes
after decides whether the object is complete: its count, and where counts differ the comparison of
all Ids in the same run. Absence alone deletes nothing: a record is gone when ``/deleted`` names it
and no query finds it, or when a sweep does not find it and a second witness agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from sfnb.backup.change_run import ChangeRun, Stage, refusals
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.plan import PARENTS_PER_QUERY, choose_reader
from sfnb.backup.readers.steps import (
    Commit,
    Fail,
    GoOn,
    LeaveOut,
    Reader,
    ReadInFull,
    Restart,
    Settle,
    Step,
    Switch,
    Unchanged,
)
from sfnb.backup.units import (
    AbortJob,
    ChangeLists,
    Counted,
    CountRows,
    FindIds,
    IdsFound,
    KeysetPages,
    ListsRead,
    Outcome,
    Query,
    Unit,
)
from sfnb.errors import ObjectError
from sfnb.model import ReaderName
from sfnb.org.arrow import arrow_schema

if TYPE_CHECKING:
    from sfnb.store.tables import Writer

MOST_LOOKED_FOR = 10_000
"""Ids of ``/deleted`` that are looked for one by one; with more of them all Ids are swept."""


class IncrementalReader:
    """
    Passes the stages of `ChangeRun`, each by its own units.

    Args:
        readers: read the rows and the Ids.
        org_now: the org's time.
    """

    def __init__(
        self,
        readers: Mapping[ReaderName, Reader],
        writer: Writer,
        org_now: Callable[[], datetime],
    ) -> None:
        self._readers = readers
        self._writer = writer
        self._org_now = org_now

    # which unit comes next

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:
        change = _change(run)
        change.stage = self._stage(run, change)
        match change.stage:
            case Stage.LISTS:
                return [ChangeLists(change.queries(run.name, self._org_now()))]
            case Stage.TOUCHED:
                where = Query.both(run.way.where, change.where)
                return [KeysetPages((CountRows(run.name, where),))]
            case Stage.ROWS:
                self._prepare(run, change)
                return self._readers[run.reader].next_units(run)
            case Stage.GONE:
                return [FindIds(run.name, tuple(change.unproven[: 5 * PARENTS_PER_QUERY]))]
            case Stage.COUNT:
                return [KeysetPages((CountRows(run.name, run.way.where),))]
        raise AssertionError(f"{run.name}: nothing is left to ask")

    def _prepare(self, run: ObjectRun, change: ChangeRun) -> None:
        """Rows come: only now the snapshot gets the object's schema, and the table its columns."""
        if run.query is None:
            self._put_schema(run)
            query = Query.of(run.schema, self._writer.target(run.name), run.way)
            run.query = replace(query, where=Query.both(query.where, change.where))

    def _put_schema(self, run: ObjectRun) -> None:
        if self._writer.schema(run.name) is None:
            self._writer.put_schema(run.name, arrow_schema(run.schema), run.schema.raw)

    def _stage(self, run: ObjectRun, change: ChangeRun) -> Stage:
        if change.lists is None and change.queries(run.name, self._org_now()):
            return Stage.LISTS
        if not change.rows_done and change.must_ask_touched:
            return Stage.TOUCHED
        if not change.rows_done and change.has_changes:
            return Stage.ROWS
        if change.unproven:
            return Stage.GONE
        if not change.is_counted and change.must_count(run.record_count):
            return Stage.COUNT
        return Stage.END

    # what an outcome means

    def outcome(self, run: ObjectRun, unit: Unit, outcome: Outcome) -> Sequence[Step]:
        change = _change(run)
        if isinstance(outcome, ListsRead):
            change.take_lists(outcome)
            for refusal in refusals(outcome):
                run.note(f"A change list was refused: {refusal}")
            if change.touched is not None and not run.progress.number:
                run.reader = choose_reader(run.schema, change.touched)
            if len(change.unproven) > MOST_LOOKED_FOR:
                change.unproven = []
                change.wants_sweep = change.wants_sweep or "very many records were deleted"
            if change.has_changes and not change.mark.field:
                return [ReadInFull("its changed rows cannot be asked for")]
            return self._next(run, change, [])
        if change.stage is Stage.TOUCHED:
            assert isinstance(outcome, Counted)  # noqa: S101 - what counts rows
            self._touched(run, change, outcome.rows)
            return self._next(run, change, [])
        if change.stage is Stage.ROWS:
            steps = self._readers[run.reader].outcome(run, unit, outcome)
            return self._next(run, change, [self._row_step(change, step) for step in steps])
        if isinstance(outcome, IdsFound):
            assert isinstance(unit, FindIds)  # noqa: S101 - what finds Ids
            change.gone += [one for one in unit.ids if one not in outcome.ids]
            change.unproven = change.unproven[len(unit.ids) :]
            return self._next(run, change, [])
        if change.stage is Stage.COUNT and isinstance(outcome, Counted):
            change.org_count, change.is_counted = outcome.rows, True
            return self._next(run, change, [])
        raise AssertionError(f"{run.name}: nobody asked for {type(outcome).__name__}")

    def _touched(self, run: ObjectRun, change: ChangeRun, rows: int) -> None:
        """How many rows there are to read chooses the reader, if nothing was read yet."""
        change.touched = change.announced = rows
        if not run.progress.number and not run.bulk_refusal:
            run.reader = choose_reader(run.schema, rows)

    def _row_step(self, change: ChangeRun, step: Step) -> Step:
        """A step of the reader of rows; its end is not the object's."""
        if not isinstance(step, Commit):
            return step
        change.rows_read += sum(part.rows + part.deleted for part in step.parts)
        change.rows_done = change.rows_done or step.is_done
        if step.is_done and change.rows_read < (change.announced or 0):
            change.wants_sweep = (
                f"{change.announced:,} changed rows were announced and {change.rows_read:,} came"
            )
        cursor = {**step.cursor, "rows_done": change.rows_done}
        return Commit(step.parts, cursor, is_done=False)

    def _next(self, run: ObjectRun, change: ChangeRun, steps: list[Step]) -> Sequence[Step]:
        """These steps, less commits that say nothing; and the end, if nothing is left to ask."""
        is_untouched = not run.progress.number
        steps = [
            step
            for step in steps
            if not (
                isinstance(step, Commit) and not step.parts and change.rows_done and is_untouched
            )
        ]
        if change.wants_sweep:
            return [*steps, ReadInFull(f"all Ids are compared ({change.wants_sweep})")]
        is_switch = any(not isinstance(step, Commit) for step in steps)
        if is_switch or self._stage(run, change) is not Stage.END:
            return steps
        return [*steps, self._end(run, change)]

    def _end(self, run: ObjectRun, change: ChangeRun) -> Step:
        began = datetime.fromisoformat(run.started_at)
        covered = change.covered_at(began).isoformat(timespec="seconds").replace("+00:00", "Z")
        has_rows = bool(change.rows_read or run.progress.number)
        stored = change.alive + change.binned
        is_same = change.org_count is None or change.org_count == stored
        is_news = has_rows or change.gone or change.has_new_schema
        if not is_news and is_same:
            return Unchanged(covered, stored if change.org_count is None else change.org_count)
        self._put_schema(run)
        return Settle(tuple(change.gone), change.org_count, covered)

    # refusals and endings

    def refused(self, run: ObjectRun, err: ObjectError) -> Step:
        change = _change(run)
        match change.stage:
            case Stage.TOUCHED:
                return ReadInFull(f"the org refuses to count its changed rows ({err})")
            case Stage.ROWS:
                step = self._readers[run.reader].refused(run, err)
                if isinstance(step, Fail | LeaveOut | Restart) or (
                    isinstance(step, Switch) and step.reader not in ("keyset", "bulk2")
                ):
                    return ReadInFull(f"the org refuses to tell its changed rows ({err})")
                return step
            case Stage.COUNT:
                change.is_counted = True
            case _:
                return ReadInFull(str(err))
        return self._end(run, change) if self._stage(run, change) is Stage.END else GoOn()

    def forget(self, run: ObjectRun) -> None:
        self._readers[run.reader].forget(run)

    def leftovers(self, run: ObjectRun) -> Sequence[AbortJob]:
        return self._readers[run.reader].leftovers(run)


def _change(run: ObjectRun) -> ChangeRun:
    if run.change is None:
        raise ValueError(f"{run.name} is read in full")
    return run.change
