"""
Reading all objects of one snapshot: which unit starts next, and the steps that follow from what it brought.

One thread decides and commits (`Scheduler.run`); units run on an executor. What must survive a kill is in the store:
a new scheduler over the same snapshot goes on from there, which is also how a pause resumes.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from sfnb.backup.object_run import ObjectRun, RunState
from sfnb.backup.readers.bulk2 import Bulk2Reader
from sfnb.backup.readers.by_parent import ByParentReader
from sfnb.backup.readers.keyset import KeysetReader
from sfnb.backup.readers.locator import LocatorReader
from sfnb.backup.readers.steps import Commit, Fail, LeaveOut, Reader, Restart, Step, Switch
from sfnb.backup.ready import ReadyQueue
from sfnb.backup.units import AbortJob, KeysetPages, Outcome, Query, Result, ResultPage, Unit
from sfnb.backup.worker import Executor, WorkerDied
from sfnb.clock import Clock
from sfnb.errors import (
    JobError,
    ObjectError,
    QuotaSignal,
    ResultsGone,
    SfnbError,
    StopSignal,
    TransientError,
)
from sfnb.model import ReaderName
from sfnb.store.tables import Writer

EXHAUSTED_LIMIT = 3
"""Units in a row that failed after all their retries: then it is not the object, the org is away."""

RESTARTS_LIMIT = 2
"""How often one object starts again because its results are gone or its rows do not agree."""

DEATHS_LIMIT = 5
"""Worker processes that may die in a row before the job gives up: then the machine kills them, not chance."""

TICK_S = 0.5
"""At least so often the loop looks whether somebody wants the job to pause or end."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """A unit in flight, and the generation of each of its objects when it started."""

    unit: Unit
    generations: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Opened:
    """The head of a result page is here, with the next locator."""

    flight: _Flight
    locator: str | None


@dataclass
class Scheduler:
    """
    The reading of one snapshot's objects.

    Args:
        runs: every object of the plan, where the store says it is.
        changed: called after each change of an object.
        counted: called with the calls that a unit spent, by object.
        tick: called every half second; raises StopSignal when somebody wants the job to stop.
        hurry: called when units in flight should end at once.
    """

    writer: Writer
    runs: Mapping[str, ObjectRun]
    executor: Executor
    clock: Clock
    changed: Callable[[ObjectRun], None]
    counted: Callable[[Mapping[str, int]], None]
    tick: Callable[[], None]
    hurry: Callable[[], None]
    _readers: Mapping[ReaderName, Reader] = field(init=False)
    _ready: ReadyQueue = field(default_factory=ReadyQueue)
    _flights: dict[Future[Result], _Flight] = field(default_factory=dict)
    _mail: queue.SimpleQueue[Future[Result] | _Opened] = field(default_factory=queue.SimpleQueue)
    _waiting: set[str] = field(default_factory=set)
    _stopped_by: BaseException | None = None
    _exhausted: int = 0
    _deaths: int = 0

    def __post_init__(self) -> None:
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
            QuotaSignal, StopSignal: the job has to pause or stop. What was read is committed, nothing is in flight.
            JobError: the job cannot go on, likewise.
        """
        largest_first = sorted(self.runs.values(), key=lambda run: -(run.expected_rows or 0))
        self._ask(run for run in largest_first if run.is_open)
        try:
            while self._stopped_by is None and self._has_work():
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

    def _has_work(self) -> bool:
        return bool(self._flights or self._ready or self._waiting)

    def _ask(self, runs: Iterable[ObjectRun]) -> None:
        """Have the readers say which units may start now."""
        for run in list(runs):
            self._waiting.discard(run.name)
            if not run.is_open:
                continue
            run.wake_at_s = None
            run.started_at = run.started_at or self._moment()
            run.query = run.query or Query.of(run.schema, self.writer.target(run.name))
            units = self._readers[run.reader].next_units(run)
            self._ready.push(units)
            if not units and not self._is_in_flight(run):
                self._waiting.add(run.name)

    def _moment(self) -> str:
        return self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _is_in_flight(self, run: ObjectRun) -> bool:
        return any(
            flight.generations.get(run.name) == run.generation for flight in self._flights.values()
        )

    def _wake(self) -> None:
        """Ask again for objects whose time has come; for all that wait when nothing else happens."""
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
            unit = self._ready.take(self._pages_in_flight)
            if unit is None:
                return
            self._start(unit)

    def _pages_in_flight(self) -> int:
        return sum(isinstance(flight.unit, KeysetPages) for flight in self._flights.values())

    def _start(self, unit: Unit) -> None:
        # Whoever is asked to abort a job has gone on without it.
        names = () if isinstance(unit, AbortJob) else unit.names
        flight = _Flight(unit, {name: self.runs[name].generation for name in names})
        future = self.executor.submit(
            unit, lambda locator: self._mail.put(_Opened(flight, locator))
        )
        self._flights[future] = flight
        future.add_done_callback(self._mail.put)

    # what came back

    def _receive(self, timeout_s: float | None) -> None:
        """Take what has arrived; wait for the first."""
        if not self._flights:
            self.clock.wait(timeout_s or 0.0)
            return
        with contextlib.suppress(queue.Empty):
            self._open_mail(self._mail.get(timeout=timeout_s))
            while True:
                self._open_mail(self._mail.get_nowait())

    def _open_mail(self, mail: Future[Result] | _Opened) -> None:
        if isinstance(mail, _Opened):
            self._opened(mail)
            return
        flight = self._flights.pop(mail)
        err = mail.exception()
        if isinstance(err, WorkerDied):
            self._run_again(flight)
        elif err is not None:
            self._stopped_by = self._stopped_by or err
        else:
            self._deaths = 0
            self._settle(flight, mail.result())

    def _opened(self, mail: _Opened) -> None:
        unit = mail.flight.unit
        reader = self._readers["bulk2"]
        assert isinstance(unit, ResultPage) and isinstance(reader, Bulk2Reader)  # noqa: S101
        if runs := self._current(mail.flight):
            reader.opened(runs[0], unit, mail.locator)
            self._ask(runs)

    def _run_again(self, flight: _Flight) -> None:
        """The worker died, not the unit: it committed nothing, so it runs again as it was."""
        self._deaths += 1
        if self._deaths > DEATHS_LIMIT * self.executor.slots:
            self._stopped_by = self._stopped_by or JobError(
                "worker processes end again and again before they finish. Check the machine's memory; "
                "the job can be resumed."
            )
        elif self._current(flight):
            self._ready.push([flight.unit])

    def _current(self, flight: _Flight) -> list[ObjectRun]:
        """The unit's objects that have not started again meanwhile: for the others it belongs to nothing."""
        runs = [self.runs[name] for name in flight.generations]
        return [r for r in runs if r.is_open and flight.generations[r.name] == r.generation]

    def _settle(self, flight: _Flight, result: Result) -> None:
        self.counted(result.calls)
        if isinstance(flight.unit, AbortJob):
            return  # nobody waits for it; an org that does not abort it forgets it in a week
        runs = self._current(flight)
        if result.error is not None:
            self._unit_failed(runs, result.error)
        for run in runs if result.error is None else ():
            self._object_came(run, flight.unit, result.outcomes[run.name])
        self._ask(runs)

    def _object_came(self, run: ObjectRun, unit: Unit, outcome: Outcome | SfnbError) -> None:
        try:
            if isinstance(outcome, SfnbError):
                raise outcome
            self._exhausted = 0
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
                    self._take(run, [self._readers[run.reader].refused(run, err)])
            case TransientError():
                self._give_way(runs, err)
            case _:
                self._stopped_by = self._stopped_by or err

    def _over(self, runs: list[ObjectRun], signal: QuotaSignal) -> None:
        """The gate is closed. But an org that has no such Bulk budget at all gives nothing to wait for."""
        is_bulk = signal.api in ("bulk2", "bulk2_mb") and signal.maximum < 0
        if is_bulk and runs and all(run.reader == "bulk2" for run in runs):
            self._unit_failed(runs, ObjectError(signal.reason, code="NO_BUDGET"))
        else:
            self._stopped_by = self._stopped_by or signal

    def _give_way(self, runs: list[ObjectRun], err: TransientError) -> None:
        self._exhausted += 1
        if self._exhausted >= EXHAUSTED_LIMIT:
            text = f"The org failed to respond properly several times in a row: {err} Resume later."
            self._stopped_by = self._stopped_by or JobError(text)
        for run in runs:
            run.restarts += 1
            if run.restarts > RESTARTS_LIMIT:
                self._take(run, [Fail(f"{err} Tried again {RESTARTS_LIMIT} times.")])
            else:
                self._readers[run.reader].forget(run)
                self._begin_again(run)

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
                case LeaveOut():
                    self._end(run, RunState.LEFT_OUT, step.reason.removeprefix(f"{run.name}: "))
                case Fail():
                    why = step.reason
                    why = why if why.startswith(run.name) else f"{run.name}: {why}"
                    self._end(run, RunState.FAILED, why)

    def _commit(self, run: ObjectRun, step: Commit) -> None:
        run.progress = self.writer.commit(run.name, step.parts, step.cursor, is_done=step.is_done)
        if step.is_done:
            self._end(run, RunState.COMPLETE)
        else:
            self.changed(run)

    def _restart(self, run: ObjectRun, why: str) -> None:
        run.restarts += 1
        if run.restarts > RESTARTS_LIMIT:
            self._take(run, [Fail(f"{why} Started again {RESTARTS_LIMIT} times.")])
            return
        self._leave_reader(run)
        self._begin_again(run, is_restart=True)
        self.changed(run)

    def _leave_reader(self, run: ObjectRun) -> None:
        """The object does not go on from its cursor: what is left of it in the org is tidied up."""
        reader = self._readers[run.reader]
        leftovers = reader.leftovers(run)
        reader.forget(run)
        self._ready.drop(run.name)
        self._ready.push(leftovers)

    def _begin_again(self, run: ObjectRun, *, is_restart: bool = False) -> None:
        """What is queued or in flight for the object belongs to nothing from now on."""
        self._ready.drop(run.name)
        run.generation += 1
        if is_restart:
            run.started_at = ""
            run.progress = self.writer.restart(run.name, {"reader": run.reader})

    def _end(self, run: ObjectRun, state: RunState, reason: str = "") -> None:
        self._leave_reader(run)
        run.generation += 1
        run.end(state, reason)
        self.changed(run)
        # Objects may wait for this one: for its place among the Bulk jobs, or for its Ids.
        self._ask([self.runs[name] for name in self._waiting if self.runs[name].wake_at_s is None])
