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
from dataclasses import dataclass, field
from datetime import datetime

from sfnb.backup import unit_outcomes, units
from sfnb.backup.flights import Broken, Died, Flight, Flights, Landed, Opened
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.patience import FAILURES_LIMIT, RETRY_AFTER_S
from sfnb.backup.readers.bulk2 import Bulk2Reader
from sfnb.backup.readers.by_parent import ByParentReader
from sfnb.backup.readers.incremental import IncrementalReader
from sfnb.backup.readers.keyset import KeysetReader
from sfnb.backup.readers.locator import LocatorReader
from sfnb.backup.readers.steps import (
    Fail,
    Reader,
    ReadInFull,
    Restart,
    Unchanged,
    answer_to,
)
from sfnb.backup.ready import ReadyQueue
from sfnb.backup.step_taker import StepTaker
from sfnb.backup.units import Query, Unit
from sfnb.backup.worker import Executor
from sfnb.clock import Clock
from sfnb.errors import (
    JobError,
    LeaseLost,
    ObjectError,
    OrgUnavailable,
    QuotaSignal,
    ResultsGone,
    SfnbError,
    StateUnavailable,
    StopSignal,
    StoreError,
    TransientError,
)
from sfnb.model import ReaderName
from sfnb.org.arrow import arrow_schema
from sfnb.org.retry import TriesSpent
from sfnb.store.progress import NOTHING
from sfnb.store.writer import Writer

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
        org_now: the org's time, as its answers tell it.
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
    org_now: Callable[[], datetime]
    _readers: Mapping[ReaderName, Reader] = field(init=False)
    _ready: ReadyQueue = field(default_factory=ReadyQueue)
    _flights: Flights = field(init=False)
    _incremental: IncrementalReader = field(init=False)
    _steps: StepTaker = field(init=False)
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
        self._incremental = IncrementalReader(self._readers, self.writer, self.org_now)
        self._steps = StepTaker(
            self.writer,
            self._ready,
            self._reader,
            self._incremental,
            self.changed,
            self._ask_waiting,
        )

    def _ask_waiting(self) -> None:
        """Objects may wait for one that ended: for its place among the Bulk jobs, or for its Ids."""
        self._ask([self.runs[name] for name in self._waiting if self.runs[name].wake_at_s is None])

    def _reader(self, run: ObjectRun) -> Reader:
        return self._readers[run.reader] if run.change is None else self._incremental

    def run(self) -> None:
        """
        Read until every object is complete, failed or left out.

        Raises:
            QuotaSignal, StopSignal, OrgUnavailable, StateUnavailable: the job has to pause or stop.
                What was read is committed, nothing is in flight.
            JobError: the job cannot go on, likewise.
        """
        for run in self.runs.values():
            self._ready.push(units.AbortJob(run.name, job) for job in run.leftovers)
        self._leave_empty_ones()
        largest_first = sorted(self.runs.values(), key=lambda run: -(run.expected_rows or 0))
        self._ask(run for run in largest_first if run.is_open)
        try:
            while self._stopped_by is None and (self._flights or self._ready or self._waiting):
                self.tick()
                self._start_units()
                self._receive(self._timeout_s())
                self._wake()
                self._steps.flush()
        except (StopSignal, KeyboardInterrupt) as stop:
            self._stopped_by = stop
            if isinstance(stop, KeyboardInterrupt) or stop.wanted != "pause":
                self.hurry()
        except (StateUnavailable, LeaseLost) as err:
            self._stopped_by = err
        while self._flights:
            with contextlib.suppress(KeyboardInterrupt, StateUnavailable, LeaseLost):
                self._receive(None)
        if self._stopped_by is not None:
            raise self._stopped_by

    def _leave_empty_ones(self) -> None:
        """An empty object without a change mark is as it was: the org's statistic says so."""
        for run in self.runs.values():
            if run.is_open and run.change is not None and not run.change.mark.is_known:
                covered = self.org_now().isoformat(timespec="seconds").replace("+00:00", "Z")
                self._steps.take(run, [Unchanged(covered, 0)])
        self._steps.flush()

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
        run.begin(self.org_now())
        try:
            if run.change is None and run.query is None:
                run.query = Query.of(run.schema, self.writer.target(run.name), run.way)
            return self._reader(run).next_units(run)
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
            unit = self._ready.take(self._flights.pages, self._is_busy)
            if unit is None:
                return
            self._start(unit)

    def _is_busy(self) -> bool:
        """Whether something is on its way that other objects will go on from."""
        return bool(self._flights) or any(
            self.runs[name].wake_at_s is not None for name in self._waiting
        )

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

    def _settle(self, flight: Flight, result: unit_outcomes.Result) -> None:
        self.counted(result.calls)
        if isinstance(flight.unit, units.AbortJob):
            self._aborted(flight.unit, result.error)
            return
        runs = self._current(flight)
        if result.error is not None:
            self._unit_failed(runs, result.error)
        for run in runs if result.error is None else ():
            self._object_came(run, flight.unit, result.outcomes[run.name])
        self._steps.flush()
        if self._stopped_by is None:
            self._ask(runs)

    def _aborted(self, unit: units.AbortJob, err: BaseException | None) -> None:
        """Nobody waits for it. Where the call did not get through, the next run of the job asks again."""
        run = self.runs[unit.object_name]
        got_through = err is None or isinstance(err, ObjectError)
        if got_through and unit.job in run.leftovers:
            run.leftovers.remove(unit.job)

    def _object_came(
        self, run: ObjectRun, unit: Unit, outcome: unit_outcomes.Outcome | SfnbError
    ) -> None:
        try:
            if isinstance(outcome, SfnbError):
                raise outcome
            if isinstance(outcome, unit_outcomes.RowsRead | unit_outcomes.ResultRead):
                run.note(*outcome.notes)
            self._steps.take(run, self._reader(run).outcome(run, unit, outcome))
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
                    self._steps.take(run, [Restart(str(err))])
            case ObjectError():
                for run in runs:
                    self._steps.take(run, [answer_to(run, self._reader(run), err)])
            case OrgUnavailable() if self._stopped_by is None and self.is_away():
                self._stopped_by = err
            case TransientError():
                self._try_later(runs, err)
            case StoreError() if len(runs) == 1 and self.writer.set_aside(runs[0].name):
                self._begin_anew(runs[0], err)
            case _:
                self._stopped_by = self._stopped_by or err

    def _begin_anew(self, run: ObjectRun, err: StoreError) -> None:
        """Its table cannot be read any more and was moved away: all rows are read into a new one."""
        run.is_afresh = True
        run.note(f"What older snapshots have of it cannot be read: {err}")
        self.writer.put_schema(run.name, arrow_schema(run.schema), run.schema.raw)
        run.progress, run.query = NOTHING, None
        step = ReadInFull("its table is damaged") if run.change else Restart(str(err))
        self._steps.take(run, [step])

    def _over(self, runs: list[ObjectRun], signal: QuotaSignal) -> None:
        """The gate is closed. An org without such a Bulk budget gives nothing to wait for."""
        is_bulk = signal.api in ("bulk2", "bulk2_mb") and signal.maximum < 0
        if is_bulk and runs and all(run.reader == "bulk2" for run in runs):
            self._unit_failed(runs, ObjectError(signal.reason, code="NO_BUDGET"))
        else:
            self._stopped_by = self._stopped_by or signal

    def _try_later(self, runs: list[ObjectRun], err: TransientError) -> None:
        """The org answers, but not for these objects. One object's trouble is its own (P9)."""
        is_shared = len(runs) > 1
        for run in runs:
            self._reader(run).forget(run)
            self._steps.begin_again(run)
            run.is_alone = True
            if is_shared:
                continue  # each alone shows whose trouble it is
            # A unit that has been repeated for half a minute needs less patience than one that has
            # not.
            run.failures += 2 if isinstance(err, TriesSpent) else 1
            run.not_before_s = self.clock.monotonic() + RETRY_AFTER_S * run.failures
            if run.failures > FAILURES_LIMIT:
                self._steps.take(run, [Fail(f"{err} It was tried again.")])
