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

from sfnb.backup.change_run import ChangeRun, Stage, drift_text, refusals
from sfnb.backup.marks import OF_THE_VIEWER, computed_fields
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.plan import PARENTS_PER_QUERY, QUERIES_PER_CALL, choose_reader
from sfnb.backup.policy import SAMPLED_ROWS
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
from sfnb.backup.readers.sweeping import Sweeping
from sfnb.backup.unit_outcomes import Counted, IdsFound, ListsRead, Outcome, RowsRead
from sfnb.backup.units import (
    AbortJob,
    ChangeLists,
    CountRows,
    FindIds,
    KeysetPage,
    KeysetPages,
    ParentsPage,
    Query,
    Unit,
)
from sfnb.errors import ObjectError, StoreError
from sfnb.model import ReaderName
from sfnb.org.arrow import arrow_schema

if TYPE_CHECKING:
    from sfnb.store.writer import Writer

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
        self._sweeps = Sweeping(readers, writer)

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
                self._put_schema(run)
                return self._sweeps.next_units(run, change)
            case Stage.SAMPLE:
                return [self._sample(run, change)]
            case Stage.REPAIR:
                self._prepare(run, change)
                by_id = replace(run.asks, where=run.way.where)
                groups = run.way.spread(by_id.fields)
                return [ParentsPage(run.name, by_id, "Id", _slices(change), groups)]
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
        if change.sample_seed is not None and change.sampled is None:
            return Stage.SAMPLE
        if change.must_sweep:
            return Stage.SWEEP
        if not change.is_counted and change.must_count(run.record_count):
            return Stage.COUNT
        return Stage.END

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
            return self._next(run, change, self._sweeps.outcome(run, change, unit, outcome))
        if change.stage is Stage.SAMPLE:
            assert isinstance(outcome, RowsRead)  # noqa: S101 - what reads a page
            return self._next(run, change, self._compare_sample(run, change, outcome))
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
                isinstance(step, Commit)
                and not step.parts
                and change.rows_done
                and is_untouched
                and change.stage is not Stage.SWEEP
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
        gone, refresh = tuple(change.gone), change.refresh if change.is_swept else ()
        return Settle(gone, change.org_count, covered, change.digest, refresh)

    # a sample

    def _sample(self, run: ObjectRun, change: ChangeRun) -> Unit:
        """Some records from anywhere: their page shares a call with other objects' counts."""
        query = Query.of(run.schema, self._writer.comparisons.sample_target(run.name), run.way)
        try:
            after = self._writer.comparisons.an_id(run.name, change.sample_seed or 0)
        except StoreError:
            after = ""  # damaged: the comparison will say so
        return KeysetPages((KeysetPage(query, after, most=SAMPLED_ROWS),))

    def _compare_sample(self, run: ObjectRun, change: ChangeRun, page: RowsRead) -> list[Step]:
        """
        A field that differs while its record's stamp is the one that is stored moves without it:
        from now on it is refreshed as a formula is, in this run, too.
        """
        try:
            found = self._writer.comparisons.compare_sample(run.name, page.parts)
        except StoreError as err:
            return [ReadInFull(f"what is stored of it cannot be read ({err})")]
        change.sampled = found.rows
        known = {*computed_fields(run.schema.raw), *change.drifting, *OF_THE_VIEWER}
        change.drifted = tuple(name for name in found.fields if name not in known)
        if change.drifted:
            run.warnings["field_drift"] = drift_text(change.drifted)
            moving = (*computed_fields(run.schema.raw), *change.drifting)
            readable = {f.name for f in run.way.fields(run.schema)}
            fields = dict.fromkeys([*change.refresh, *change.drifted, *moving])
            change.refresh = tuple(name for name in fields if name in readable)
        return []

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
            case Stage.SAMPLE:
                change.sampled = 0
            case Stage.SWEEP:
                return self._sweeps.refused(run, change, err)
            case _:
                return ReadInFull(str(err))
        return self._end(run, change) if self._stage(run, change) is Stage.END else GoOn()

    def forget(self, run: ObjectRun) -> None:
        self._readers[run.reader].forget(run)
        if run.change is not None:
            self._sweeps.forget(run.change)

    def leftovers(self, run: ObjectRun) -> Sequence[AbortJob]:
        of_rows = self._readers[run.reader].leftovers(run)
        return [*of_rows, *self._sweeps.leftovers(run.change)]


def _change(run: ObjectRun) -> ChangeRun:
    if run.change is None:
        raise ValueError(f"{run.name} is read in full")
    return run.change


def _slices(change: ChangeRun) -> tuple[tuple[str, ...], ...]:
    ids = change.repairs[: PARENTS_PER_QUERY * QUERIES_PER_CALL]
    return tuple(
        tuple(ids[at : at + PARENTS_PER_QUERY]) for at in range(0, len(ids), PARENTS_PER_QUERY)
    )
