"""Taking the steps that readers decide on: what is committed, begun again, ended. One thread does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from sfnb.backup.ends import Ends
from sfnb.backup.object_run import ObjectRun, RunState
from sfnb.backup.patience import RESTARTS_LIMIT
from sfnb.backup.plan import choose_reader
from sfnb.backup.readers.incremental import IncrementalReader
from sfnb.backup.readers.steps import (
    Ask,
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
    moment_cursor,
)
from sfnb.backup.ready import ReadyQueue
from sfnb.errors import CallerError, StoreError
from sfnb.org.arrow import arrow_schema
from sfnb.store.writer import Writer


class StepTaker:
    """
    Takes steps.

    Args:
        reader_of: the reader of an object now.
        changed: called after each change of an object.
        ended: called after an object has ended: others may wait for it.
    """

    def __init__(  # noqa: PLR0917 - what it takes steps with
        self,
        writer: Writer,
        ready: ReadyQueue,
        reader_of: Callable[[ObjectRun], Reader],
        incremental: IncrementalReader,
        changed: Callable[[ObjectRun], None],
        ended: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._ready = ready
        self._reader_of = reader_of
        self._incremental = incremental
        self._changed = changed
        self._ended = ended
        self._ends = Ends(writer)
        self._unchanged: list[ObjectRun] = []

    def flush(self) -> None:
        """Write down what turned out to be unchanged since the last time; only then it has ended."""
        self._ends.flush()
        runs, self._unchanged = self._unchanged, []
        for run in runs:
            self._end(run, RunState.COMPLETE)

    def take(self, run: ObjectRun, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Commit():
                    self._commit(run, step)
                case Switch():
                    self._leave_reader(run)
                    run.reader = step.reader
                    self.begin_again(run, is_restart=step.is_restart)
                case Restart():
                    self._restart(run, step.why)
                case Ask():
                    self._ask_anew(run, step)
                case LeaveOut():
                    self._end(run, RunState.LEFT_OUT, step.reason.removeprefix(f"{run.name}: "))
                case Settle():
                    self._settle_changes(run, step)
                case Unchanged():
                    self._ends.unchanged(run, step)
                    self._unchanged.append(run)
                case ReadInFull():
                    self._read_in_full(run, step.why)
                case GoOn():
                    pass
                case Fail():
                    why = step.reason
                    why = why if why.startswith(run.name) else f"{run.name}: {why}"
                    self._end(run, RunState.FAILED, why)

    def _commit(self, run: ObjectRun, step: Commit) -> None:
        if step.is_done:
            if problem := self._ends.full(run, step):
                self._doubt(run, step, problem)
            else:
                self._end(run, RunState.COMPLETE)
            return
        run.progress = self._writer.commit(run.name, step.parts, step.cursor, is_done=False)
        run.failures = 0
        self._changed(run)

    def _settle_changes(self, run: ObjectRun, step: Settle) -> None:
        try:
            problem = self._ends.changes(run, step)
        except (StoreError, CallerError) as err:  # damaged, or nothing to compare with
            self._read_in_full(run, f"what is stored of it cannot be read ({err})")
            return
        if problem:
            self.take(run, [self._incremental.mismatch(run, problem)])
        else:
            self._end(run, RunState.COMPLETE)

    def _read_in_full(self, run: ObjectRun, why: str) -> None:
        """Changes are not enough: from now on the object is read as in a full backup."""
        run.note(f"All rows were read: {why.rstrip('.')}.")
        self._leave_reader(run)
        run.change, run.query, run.is_full_after_all = None, None, True
        run.reader = choose_reader(run.schema, run.expected_rows)
        self._writer.put_schema(run.name, arrow_schema(run.schema), run.schema.raw)
        self.begin_again(run, is_restart=True)

    def _doubt(self, run: ObjectRun, step: Commit, problem: str) -> None:
        """
        What is stored is not what the org has: read it again, at last keep it as it is and say so.
        """
        run.warnings["count_mismatch"] = f"{problem[:1].upper()}{problem[1:]}."
        if run.restarts >= RESTARTS_LIMIT:
            run.progress = self._writer.commit(run.name, step.parts, step.cursor, is_done=False)
        self._restart(run, f"{run.name}: {problem}.")

    def _restart(self, run: ObjectRun, why: str) -> None:
        run.restarts += 1
        if run.restarts > RESTARTS_LIMIT:
            self.take(run, [Fail(f"{why} Started again {RESTARTS_LIMIT} times.")])
            return
        self._leave_reader(run)
        self.begin_again(run, is_restart=True)
        self._changed(run)

    def _ask_anew(self, run: ObjectRun, step: Ask) -> None:
        is_same_query = replace(step.way, wider=run.way.wider) == run.way
        # The store takes wider values beside the others, but a Bulk job has its query for good.
        # A column that is refused in mid-reading is empty in all rows of the snapshot, not in some.
        is_emptied = bool(run.progress.parts) and step.way.without != run.way.without
        # A query cursor has its query for good, too.
        is_bound = bool(run.cursor.get("job") or run.cursor.get("next"))
        is_restart = is_emptied or (not is_same_query and is_bound)
        if is_same_query:
            self._reader_of(run).forget(run)
        else:
            self._leave_reader(run)
        run.way, run.query = step.way, None
        run.reader = step.reader or run.reader
        run.note(*step.way.notes())
        self.begin_again(run, is_restart=is_restart)

    def _leave_reader(self, run: ObjectRun) -> None:
        """The object does not go on from its cursor: what is left of it in the org is tidied up."""
        reader = self._reader_of(run)
        leftovers = reader.leftovers(run)
        reader.forget(run)
        self._ready.drop(run.name)
        self._ready.push(leftovers)
        run.leftovers += [unit.job for unit in leftovers]

    def begin_again(self, run: ObjectRun, *, is_restart: bool = False) -> None:
        """What is queued or in flight for the object belongs to nothing from now on."""
        self._ready.drop(run.name)
        run.generation += 1
        if is_restart:
            run.started_at = ""
            run.with_nul.clear()
            if run.change is not None:
                run.change.start_again()
            run.progress = self._writer.restart(run.name, moment_cursor(run, run.reader))

    def _end(self, run: ObjectRun, state: RunState, reason: str = "") -> None:
        self._leave_reader(run)
        run.generation += 1
        run.is_alone = False
        run.end(state, reason)
        self._changed(run)
        self._ended()
