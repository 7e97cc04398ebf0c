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

from sfnb.backup.change_run import (
    ChangeRun,
    Stage,
    is_small,
    is_witnessed,
    out_of_sight,
    refusals,
)
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.plan import PARENTS_PER_QUERY, QUERIES_PER_CALL, choose_reader
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
    ParentsPage,
    Query,
    RowsRead,
    Unit,
)
from sfnb.errors import ObjectError, StoreError
from sfnb.model import ObjectSchema, ReaderName
from sfnb.org.arrow import arrow_schema
from sfnb.store.progress import NOTHING
from sfnb.store.settling.sweeps import SWEPT

if TYPE_CHECKING:
    from sfnb.store.writer import Writer

MOST_REPAIRS = 20_000
"""Rows that are read by Id after a sweep; with more of them the object is read in full."""

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

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:  # noqa: PLR0911 - one for each stage
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
            case Stage.SWEEP:
                sweep = self._sweep(run, change)
                units = self._readers[sweep.reader].next_units(sweep)
                run.wake_at_s = sweep.wake_at_s
                return units
            case Stage.REPAIR:
                self._prepare(run, change)
                by_id = replace(run.asks, where=run.way.where)
                return [ParentsPage(run.name, by_id, "Id", _slices(change))]
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

    def _stage(self, run: ObjectRun, change: ChangeRun) -> Stage:  # noqa: PLR0911 - each once
        if change.lists is None and change.queries(run.name, self._org_now()):
            return Stage.LISTS
        if not change.rows_done and change.must_ask_touched:
            return Stage.TOUCHED
        if not change.rows_done and change.has_changes:
            return Stage.ROWS
        if change.unproven:
            return Stage.GONE
        if change.repairs:
            return Stage.REPAIR
        if change.wants_sweep and not change.is_swept:
            return Stage.SWEEP
        if not change.is_counted and change.must_count(run.record_count):
            return Stage.COUNT
        return Stage.END

    def _sweep(self, run: ObjectRun, change: ChangeRun) -> ObjectRun:
        """The reading of all Ids, as an object run of its own whose rows nobody sees."""
        if change.sweep is None:
            self._put_schema(run)
            fields = tuple(f for f in run.schema.fields if f.name in SWEPT)
            schema = ObjectSchema(run.name, fields, run.schema.raw)
            rows = change.alive + change.binned
            reader = "keyset" if run.bulk_refusal else choose_reader(schema, rows)
            change.sweep = ObjectRun(schema, reader, rows, 0.0, None, NOTHING)
            change.sweep.started_at = run.started_at
            change.sweep.bulk_refusal = run.bulk_refusal
            target = self._writer.sweep_target(run.name)
            change.sweep.query = Query(run.name, fields, target, run.way.where)
        return change.sweep

    # what an outcome means

    def outcome(  # noqa: PLR0911 - one for each stage
        self, run: ObjectRun, unit: Unit, outcome: Outcome
    ) -> Sequence[Step]:
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
        if change.stage is Stage.SWEEP:
            return self._swept(run, change, unit, outcome)
        assert isinstance(outcome, RowsRead) and isinstance(unit, ParentsPage)  # noqa: S101
        change.repairs = change.repairs[sum(map(len, unit.slices)) :]
        change.rows_read += outcome.rows
        return self._next(run, change, [Commit(outcome.parts, run.cursor, is_done=False)])

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
        change.binned_read += sum(part.deleted for part in step.parts)
        change.rows_done = change.rows_done or step.is_done
        if change.rows_done and change.binned_read >= len(change.unproven):
            # As many came from the recycle bin as `/deleted` names: none of them is looked for. If
            # one is gone all the same, the count does not agree.
            change.unproven = []
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
        is_news = has_rows or change.gone or change.has_new_schema or change.is_swept
        if not is_news and is_same:
            return Unchanged(covered, stored if change.org_count is None else change.org_count)
        self._put_schema(run)
        return Settle(tuple(change.gone), change.org_count, covered, change.digest)

    def _swept(
        self, run: ObjectRun, change: ChangeRun, unit: Unit, outcome: Outcome
    ) -> Sequence[Step]:
        """The steps of the sweep's reader: what it commits stands in memory and in staged parts."""
        sweep = self._sweep(run, change)
        for step in self._readers[sweep.reader].outcome(sweep, unit, outcome):
            match step:
                case Commit():
                    change.sweep_parts += step.parts
                    before = sweep.progress
                    sweep.progress = replace(
                        before,
                        rows=before.rows + sum(part.rows for part in step.parts),
                        deleted=before.deleted + sum(part.deleted for part in step.parts),
                        cursor=dict(step.cursor),
                    )
                    if step.is_done:
                        return self._compared(run, change, step.org_count)
                case Switch():
                    self._readers[sweep.reader].forget(sweep)
                    sweep.reader = step.reader
                case _:
                    return [ReadInFull("its Ids cannot be swept")]
        return []

    def _compared(self, run: ObjectRun, change: ChangeRun, org_count: int | None) -> Sequence[Step]:
        """All Ids are here: what the store lacks is read, what the org lacks is gone if proven."""
        self._readers[self._sweep(run, change).reader].forget(self._sweep(run, change))
        try:
            found = self._writer.compare_ids(run.name, change.sweep_parts)
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
        return self._next(run, change, [])

    def mismatch(self, run: ObjectRun, problem: str) -> Step:
        """What to do when the counts do not agree: compare all Ids, once; then read in full."""
        change = _change(run)
        if change.is_swept:
            return ReadInFull(problem)
        change.wants_sweep = problem
        run.note(f"All Ids were compared: {problem}.")
        return GoOn()

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
            case Stage.SWEEP:
                sweep = self._sweep(run, change)
                step = self._readers[sweep.reader].refused(sweep, err)
                if not isinstance(step, Switch | GoOn):
                    return ReadInFull(f"its Ids cannot be swept ({err})")
                if isinstance(step, Switch):
                    self._forget_sweep(change)
                    self._sweep(run, change).reader = step.reader
            case _:
                return ReadInFull(str(err))
        return self._end(run, change) if self._stage(run, change) is Stage.END else GoOn()

    def forget(self, run: ObjectRun) -> None:
        self._readers[run.reader].forget(run)
        if run.change is not None:
            self._forget_sweep(run.change)

    def _forget_sweep(self, change: ChangeRun) -> None:
        if change.sweep is not None and not change.is_swept:
            self._readers[change.sweep.reader].forget(change.sweep)
            change.forget_sweep()

    def leftovers(self, run: ObjectRun) -> Sequence[AbortJob]:
        sweep = run.change.sweep if run.change else None
        of_sweep = self._readers[sweep.reader].leftovers(sweep) if sweep else ()
        return [*self._readers[run.reader].leftovers(run), *of_sweep]


def _change(run: ObjectRun) -> ChangeRun:
    if run.change is None:
        raise ValueError(f"{run.name} is read in full")
    return run.change


def _slices(change: ChangeRun) -> tuple[tuple[str, ...], ...]:
    ids = change.repairs[: PARENTS_PER_QUERY * QUERIES_PER_CALL]
    return tuple(
        tuple(ids[at : at + PARENTS_PER_QUERY]) for at in range(0, len(ids), PARENTS_PER_QUERY)
    )
