"""
Reading all objects of one snapshot: which unit starts next, and the steps that follow from what it
brought.

One thread decides and commits (`Scheduler.run`); units run on an executor. What must survive a kill
is in the store:
a new scheduler over the same snapshot continues from there, which is also how a job resumes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sfnb.backup import units
from sfnb.backup.flights import Broken, Died, Flight, Flights, Landed, Opened
from sfnb.backup.object_run import ObjectRun, RunState
from sfnb.backup.patience import FAILURES_LIMIT, RESTARTS_LIMIT, RETRY_AFTER_S
from sfnb.backup.proving import proof_notes
from sfnb.backup.readers.bulk2 import Bulk2Reader
from sfnb.backup.readers.by_parent import ByParentReader
from sfnb.backup.readers.keyset import KeysetReader
from sfnb.backup.readers.locator import LocatorReader
from sfnb.backup.readers.steps import (
    Ask,
    Commit,
    Fail,
    LeaveOut,
    Reader,
    Restart,
    Step,
    Switch,
    answer_to,
    moment_cursor,
)
from sfnb.backup.ready import ReadyQueue
from sfnb.backup.units import Query, Unit
from sfnb.backup.worker import Executor
from sfnb.clock import Clock
from sfnb.errors import (
    JobError,
    ObjectError,
    OrgUnavailable,
    QuotaSignal,
    ResultsGone,
    SfnbError,
    StopSignal,
    TransientError,
)
from sfnb.model import ReaderName
from sfnb.org.retry import TriesSpent
from sfnb.store.tables import Writer

TICK_S = 0.5
"""At least so often the loop looks whether somebody wants the job to pause or end."""


@dataclass
class Scheduler:
    """
    The reading of one snapshot's objects.

    Args:
        runs: every object of the plan, where the store says it is.
        changed: called after each change of an object.
        counted: called with the calls that a unit spent, by object.
        is_away: asked when a call found nobody: whether the org is away, or only this object does
            not answer.
        tick: called every half second; raises StopSignal when somebody wants the job to stop.
        hurry: called when units in flight should end at once.
    """

    writer: Writer
    runs: Mapping[str, ObjectRun]
    executor: Executor
    clock: Clock
    changed: Callable[[ObjectRun], None]
    counted: Callable[[Mapping[str, int]], None]
    is_away: Callable[[], bool]
    tick: Callable[[], None]
    hurry: Callable[[], None]
    _readers: Mapping[ReaderName, Reader] = field(init=False)
    _ready: ReadyQueue = field(default_factory=ReadyQueue)
    _flights: Flights = field(init=False)
    _waiting: set[str] = field(default_factory=set)
    _stopped_by: BaseException | None = None

    def __post_init__(self) -> None:
        self._flights = Flights(self.executor)
        self._readers = {
            "keyset": KeysetReader(),
            "bulk2": Bulk2Reader(self.clock),
            "by_parent": ByParentReader(self.runs, self.writer.ids),
            "locator": LocatorReader(),
        }

    def run(self) -> None:
        """
        Read until every object is complete, failed or left out.

        Raises:
            QuotaSignal, StopSignal, OrgUnavailable: the job has to pause or stop. What was read is
                committed, nothing is in flight.
            JobError: the job cannot go on, likewise.
        """
        for run in self.runs.values():
            self._ready.push(units.AbortJob(run.name, job) for job in run.leftovers)
        largest_first = sorted(self.runs.values(), key=lambda run: -(run.expected_rows or 0))
        self._ask(run for run in largest_first if run.is_open)
        try:
            while self._stopped_by is None and (self._flights or self._ready or self._waiting):
                self.tick()
                self._start_units()
                self._receive(self._timeout_s())
                self._wake()
        except (StopSignal, KeyboardInterrupt) as stop:
            self._stopped_by = stop
            if isinstance(stop, KeyboardInterrupt) or stop.wanted != "pause":
                self.hurry()
        while self._flights:
            with contextlib.suppress(KeyboardInterrupt):
                self._receive(None)
        if self._stopped_by is not None:
            raise self._stopped_by

    # what starts next

    def _ask(self, runs: Iterable[ObjectRun]) -> None:
        """Have the readers say which units may start now."""
        for run in list(runs):
            self._waiting.discard(run.name)
            if not run.is_open:
                continue
            asked = self._units_of(run)
            self._ready.push(asked, is_alone=run.is_alone)
            if not asked and run.is_open and not self._flights.has(run.name, run.generation):
                self._waiting.add(run.name)

    def _units_of(self, run: ObjectRun) -> Sequence[Unit]:
        now_s = self.clock.monotonic()
        if run.not_before_s > now_s:
            run.wake_at_s = run.not_before_s
            return ()
        run.wake_at_s = None
        run.begin(self.clock.now())
        try:
            run.query = run.query or Query.of(run.schema, self.writer.target(run.name), run.way)
            return self._readers[run.reader].next_units(run)
        except SfnbError as err:
            self._unit_failed([run], err)
            run.wake_at_s = now_s
            return ()

    def _wake(self) -> None:
        """
        Ask again for objects whose time has come; for all that wait when nothing else happens.
        """
        now_s = self.clock.monotonic()
        waiting = [self.runs[name] for name in self._waiting]
        due = [run for run in waiting if run.wake_at_s is not None and run.wake_at_s <= now_s]
        if not due and not self._flights and not self._ready:
            due = [run for run in waiting if run.wake_at_s is None]
        self._ask(due)

    def _timeout_s(self) -> float:
        now_s = self.clock.monotonic()
        wakes = [self.runs[name].wake_at_s for name in self._waiting]
        return max(0.0, min([TICK_S, *(at - now_s for at in wakes if at is not None)]))

    def _start_units(self) -> None:
        while len(self._flights) < self.executor.slots:
            unit = self._ready.take(self._flights.pages)
            if unit is None:
                return
            self._start(unit)

    def _start(self, unit: Unit) -> None:
        # Whoever is asked to abort a job has gone on without it.
        names = () if isinstance(unit, units.AbortJob) else unit.names
        self._flights.start(unit, {name: self.runs[name].generation for name in names})

    # what came back

    def _receive(self, timeout_s: float | None) -> None:
        """Take what has arrived; wait for the first."""
        if not self._flights:
            self.clock.wait(timeout_s or 0.0)
            return
        for landed in self._flights.landed(timeout_s):
            match landed:
                case Opened():
                    self._opened(landed)
                case Died():
                    self._run_again(landed.flight)
                case Broken():
                    self._stopped_by = self._stopped_by or landed.err
                case Landed():
                    self._settle(landed.flight, landed.result)

    def _opened(self, mail: Opened) -> None:
        unit = mail.flight.unit
        reader = self._readers["bulk2"]
        assert isinstance(unit, units.ResultPage) and isinstance(reader, Bulk2Reader)  # noqa: S101
        if runs := self._current(mail.flight):
            reader.opened(runs[0], unit, mail.locator)
            self._ask(runs)

    def _run_again(self, flight: Flight) -> None:
        """The worker died, not the unit: it committed nothing, so it runs again as it was."""
        if self._flights.keep_dying:
            self._stopped_by = self._stopped_by or JobError(
                "worker processes end again and again before they finish. Check the machine's memory; "
                "the job can be resumed."
            )
        elif self._current(flight):
            self._ready.push([flight.unit])

    def _current(self, flight: Flight) -> list[ObjectRun]:
        """
        The unit's objects that have not started again meanwhile: for the others it belongs to
        nothing.
        """
        runs = [self.runs[name] for name in flight.generations]
        return [r for r in runs if r.is_open and flight.generations[r.name] == r.generation]

    def _settle(self, flight: Flight, result: units.Result) -> None:
        self.counted(result.calls)
        if isinstance(flight.unit, units.AbortJob):
            self._aborted(flight.unit, result.error)
            return
        runs = self._current(flight)
        if result.error is not None:
            self._unit_failed(runs, result.error)
        for run in runs if result.error is None else ():
            self._object_came(run, flight.unit, result.outcomes[run.name])
        self._ask(runs)

    def _aborted(self, unit: units.AbortJob, err: BaseException | None) -> None:
        """Nobody waits for it. Where the call did not get through, the next run of the job asks again."""
        run = self.runs[unit.object_name]
        got_through = err is None or isinstance(err, ObjectError)
        if got_through and unit.job in run.leftovers:
            run.leftovers.remove(unit.job)

    def _object_came(self, run: ObjectRun, unit: Unit, outcome: units.Outcome | SfnbError) -> None:
        try:
            if isinstance(outcome, SfnbError):
                raise outcome
            if isinstance(outcome, units.RowsRead | units.ResultRead):
                run.note(*outcome.notes)
            self._take(run, self._readers[run.reader].outcome(run, unit, outcome))
        except (SfnbError, QuotaSignal) as err:
            self._unit_failed([run], err)

    def _unit_failed(
        self, runs: list[ObjectRun], err: SfnbError | QuotaSignal | StopSignal
    ) -> None:
        match err:
            case StopSignal():
                self._stopped_by = self._stopped_by or err
            case QuotaSignal():
                self._over(runs, err)
            case ResultsGone():
                for run in runs:
                    self._take(run, [Restart(str(err))])
            case ObjectError():
                for run in runs:
                    self._take(run, [answer_to(run, self._readers[run.reader], err)])
            case OrgUnavailable() if self._stopped_by is None and self.is_away():
                self._stopped_by = err
            case TransientError():
                self._try_later(runs, err)
            case _:
                self._stopped_by = self._stopped_by or err

    def _over(self, runs: list[ObjectRun], signal: QuotaSignal) -> None:
        """
        The gate is closed. But an org that has no such Bulk budget at all gives nothing to wait
        for.
        """
        is_bulk = signal.api in ("bulk2", "bulk2_mb") and signal.maximum < 0
        if is_bulk and runs and all(run.reader == "bulk2" for run in runs):
            self._unit_failed(runs, ObjectError(signal.reason, code="NO_BUDGET"))
        else:
            self._stopped_by = self._stopped_by or signal

    def _try_later(self, runs: list[ObjectRun], err: TransientError) -> None:
        """The org answers, but not for these objects. One object's trouble is its own (P9)."""
        is_shared = len(runs) > 1
        for run in runs:
            self._readers[run.reader].forget(run)
            self._begin_again(run)
            run.is_alone = True
            if is_shared:
                continue  # each alone shows whose trouble it is
            # A unit that has been repeated for half a minute needs less patience than one that has
            # not.
            run.failures += 2 if isinstance(err, TriesSpent) else 1
            run.not_before_s = self.clock.monotonic() + RETRY_AFTER_S * run.failures
            if run.failures > FAILURES_LIMIT:
                self._take(run, [Fail(f"{err} It was tried again.")])

    # taking steps

    def _take(self, run: ObjectRun, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Commit():
                    self._commit(run, step)
                case Switch():
                    self._leave_reader(run)
                    run.reader = step.reader
                    self._begin_again(run, is_restart=step.is_restart)
                case Restart():
                    self._restart(run, step.why)
                case Ask():
                    self._ask_anew(run, step)
                case LeaveOut():
                    self._end(run, RunState.LEFT_OUT, step.reason.removeprefix(f"{run.name}: "))
                case Fail():
                    why = step.reason
                    why = why if why.startswith(run.name) else f"{run.name}: {why}"
                    self._end(run, RunState.FAILED, why)

    def _commit(self, run: ObjectRun, step: Commit) -> None:
        if step.is_done:
            ended = self.writer.settle(run.name, step.parts, step.cursor, org_count=step.org_count)
            if ended.proof.problem:
                self._doubt(run, step, ended.proof.problem)
                return
            run.note(*proof_notes(ended.proof))
            run.progress = ended.progress
        else:
            run.progress = self.writer.commit(run.name, step.parts, step.cursor, is_done=False)
        run.failures = 0
        if step.is_done:
            self._end(run, RunState.COMPLETE)
        else:
            self.changed(run)

    def _doubt(self, run: ObjectRun, step: Commit, problem: str) -> None:
        """
        What is stored is not what the org has: read it again, at last keep it as it is and say so.
        """
        if run.restarts >= RESTARTS_LIMIT:
            run.progress = self.writer.commit(run.name, step.parts, step.cursor, is_done=False)
        self._restart(run, f"{run.name}: {problem}.")

    def _restart(self, run: ObjectRun, why: str) -> None:
        run.restarts += 1
        if run.restarts > RESTARTS_LIMIT:
            self._take(run, [Fail(f"{why} Started again {RESTARTS_LIMIT} times.")])
            return
        self._leave_reader(run)
        self._begin_again(run, is_restart=True)
        self.changed(run)

    def _ask_anew(self, run: ObjectRun, step: Ask) -> None:
        is_same_query = replace(step.way, wider=run.way.wider) == run.way
        # The store takes wider values beside the others, but a Bulk job has its query for good.
        is_restart = not is_same_query and bool(run.cursor.get("job"))
        if is_same_query:
            self._readers[run.reader].forget(run)
        else:
            self._leave_reader(run)
        run.way, run.query = step.way, None
        run.reader = step.reader or run.reader
        run.note(*step.way.notes())
        self._begin_again(run, is_restart=is_restart)

    def _leave_reader(self, run: ObjectRun) -> None:
        """The object does not go on from its cursor: what is left of it in the org is tidied up."""
        reader = self._readers[run.reader]
        leftovers = reader.leftovers(run)
        reader.forget(run)
        self._ready.drop(run.name)
        self._ready.push(leftovers)
        run.leftovers += [unit.job for unit in leftovers]

    def _begin_again(self, run: ObjectRun, *, is_restart: bool = False) -> None:
        """What is queued or in flight for the object belongs to nothing from now on."""
        self._ready.drop(run.name)
        run.generation += 1
        if is_restart:
            run.started_at = ""
            cursor = moment_cursor(run, run.reader)
            run.progress = self.writer.restart(run.name, cursor)

    def _end(self, run: ObjectRun, state: RunState, reason: str = "") -> None:
        self._leave_reader(run)
        run.generation += 1
        run.is_alone = False
        run.end(state, reason)
        self.changed(run)
        # Objects may wait for this one: for its place among the Bulk jobs, or for its Ids.
        self._ask([self.runs[name] for name in self._waiting if self.runs[name].wake_at_s is None])
