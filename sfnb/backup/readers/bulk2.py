"""
Bulk API 2.0 query jobs: when to create, poll and read pages, in which order pages are committed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sfnb.backup import plan as planning
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.readers.steps import Commit, GoOn, Step, Switch, moment_cursor
from sfnb.backup.unit_outcomes import JobCreated, Outcome, ResultRead
from sfnb.backup.units import AbortJob, CreateJob, PollJob, ResultPage, Unit
from sfnb.clock import Clock
from sfnb.errors import ObjectError, ResultsGone
from sfnb.org.bulk2 import LONGEST_JOB_S, QueryJob

OPEN_JOBS = 8
"""
Bulk jobs of ours that the org works on at a time: polling one that only waits in its queue wastes a
call.
"""

FIRST_POLL_S = 0.5
"""A small job is ready by then."""

ROWS_PER_S, MAX_GUESS_S = 10_000, 30.0
"""How fast a job is taken to be, and how long its results are waited for at most on that guess."""

MOST_PATIENCE = 10.0
"""So many times as long as that guess jobs are waited for, where others took longer."""

POLL_GROWTH = 0.6
"""
The next poll comes after this share of the job's age: the calls grow with the logarithm of the time
it takes.
"""

MAX_POLL_S = 300.0

MOST_TRIES = 3
"""
So often the results of a job of changes are requested before its state is: each try may be the last
call, a poll never is. A job that has failed refuses them for ever, so its state is asked then.
"""

PAGES_AT_ONCE = 2
"""Result pages of one job in flight at a time: one is downloaded while another is parsed."""


class _Pace:
    """
    When jobs of changes are taken to be ready. A wrong guess costs a call; what one job taught,
    the others need not learn.
    """

    def __init__(self) -> None:
        self._factor = 1.0

    def ready_after_s(self, rows: int) -> float:
        """Seconds after the job's creation."""
        return self._factor * (FIRST_POLL_S + min(rows / ROWS_PER_S, MAX_GUESS_S))

    def missed(self, rows: int, age_s: float) -> None:
        """A job of so many rows was not ready at this age."""
        guess_s = FIRST_POLL_S + rows / ROWS_PER_S
        found = min(MOST_PATIENCE, age_s * (1 + POLL_GROWTH) / guess_s)
        self._factor = max(self._factor, found)


@dataclass
class _Page:
    """One result page that was asked for."""

    locator: str
    read: ResultRead | None = None


@dataclass
class _Reading:
    """
    One query job.

    Args:
        job: its id; empty until it is created.
        poll_at_s: when to ask for its state, at the earliest.
        touched: rows that a job of changes will have; None: it reads all rows, or was resumed.
        locator: the page to read next; empty: the first; None: not known yet, or there is none.
        tries: how often its results were requested before its state; ``is_trying``: they are now.
        pages: asked for and not committed, in their order.
    """

    job: str
    created_at_s: float
    poll_at_s: float
    is_asked: bool = False
    is_over: bool = False
    is_second: bool = False
    touched: int | None = None
    tries: int = 0
    is_trying: bool = False
    locator: str | None = ""
    job_rows: int | None = None
    seen: set[str] = field(default_factory=set)
    pages: deque[_Page] = field(default_factory=deque)

    def poll_later(self, now_s: float) -> None:
        """Not ready: the longer the job takes, the later the next poll."""
        age_s = now_s - self.created_at_s
        self.poll_at_s = now_s + min(MAX_POLL_S, max(FIRST_POLL_S, age_s * POLL_GROWTH))


class Bulk2Reader:
    """One job for each object, its pages read two at a time and committed in their order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._readings: dict[str, _Reading] = {}
        self._pace = _Pace()

    # which unit comes next

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:
        reading = self._readings.get(run.name)
        if reading is None:
            if len(self._readings) >= OPEN_JOBS:
                return ()
            reading = self._readings[run.name] = self._begin(run)
        if not reading.job:
            return self._once(reading, CreateJob(run.name, run.asks))
        if not reading.is_over:
            return self._poll(run, reading)
        return self._pages(run, reading)

    def _begin(self, run: ObjectRun) -> _Reading:
        """A reading from the cursor: a resumed backup finds the job that it had created."""
        job, now_s = run.cursor.get("job", ""), self._clock.monotonic()
        if not job:
            return self._fresh()
        # How old a resumed job is, the cursor does not say. Young is the safe guess: it may be
        # ready.
        return _Reading(job=job, created_at_s=now_s, poll_at_s=now_s, locator=run.cursor["locator"])

    def _fresh(self, *, is_second: bool = False) -> _Reading:
        now_s = self._clock.monotonic()
        return _Reading(job="", created_at_s=now_s, poll_at_s=now_s, is_second=is_second)

    def _once(self, reading: _Reading, unit: Unit) -> Sequence[Unit]:
        if reading.is_asked:
            return ()
        reading.is_asked = True
        return [unit]

    def _poll(self, run: ObjectRun, reading: _Reading) -> Sequence[Unit]:
        if reading.is_trying:
            return self._pages(run, reading)
        at_s = reading.poll_at_s
        if reading.touched is not None:
            wait_s = self._pace.ready_after_s(reading.touched)
            at_s = max(at_s, reading.created_at_s + wait_s)
        if not reading.is_asked and self._clock.monotonic() < at_s:
            run.wake_at_s = at_s
            return ()
        if run.change is not None and reading.tries < MOST_TRIES and not reading.is_asked:
            # Results of a job that is ready cost no poll; one that is not refuses them, which costs
            # no more. All rows of an object need the state's count as proof; changes are counted.
            reading.tries += 1
            reading.is_trying = True
            return self._pages(run, reading)
        return self._once(reading, PollJob(run.name, reading.job))

    def _pages(self, run: ObjectRun, reading: _Reading) -> Sequence[Unit]:
        if reading.locator is None or len(reading.pages) >= PAGES_AT_ONCE:
            return ()
        locator, reading.locator = reading.locator, None
        if locator in reading.seen:
            raise ResultsGone(f"{run.name}: a result page names one that was read already.")
        reading.seen.add(locator)
        reading.pages.append(_Page(locator))
        rows = planning.BULK_PAGE_ROWS
        return [ResultPage(run.name, run.asks, reading.job, locator, rows, run.page_mb)]

    def opened(self, run: ObjectRun, unit: ResultPage, locator: str | None) -> None:
        """The head of a page's answer is here, with the locator of the page after it."""
        reading = self._readings.get(run.name)
        if reading and reading.pages and reading.pages[-1].locator == unit.locator:
            reading.locator = locator
            # It has results: from now on a refusal does not mean that the job is not ready.
            reading.is_over, reading.is_trying = True, False

    # what an outcome means

    def outcome(self, run: ObjectRun, unit: Unit, outcome: Outcome) -> Sequence[Step]:
        reading = self._readings[run.name]
        reading.is_asked = False
        match outcome:
            case JobCreated():
                return [self._created(run, reading, outcome.job)]
            case QueryJob():
                self._polled(run, reading, outcome)
                return ()
            case ResultRead():
                assert isinstance(unit, ResultPage)  # noqa: S101 - what brings result pages
                return self._page_read(run, reading, unit, outcome)
        raise AssertionError(f"a Bulk reading asked for no {type(outcome).__name__}")

    def _created(self, run: ObjectRun, reading: _Reading, job: str) -> Step:
        now_s = self._clock.monotonic()
        reading.job, reading.created_at_s = job, now_s
        # Results are requested at once when the job may be ready: a wrong guess costs a call.
        if run.change is not None:
            reading.touched, reading.poll_at_s = run.change.touched or 0, now_s
        else:
            reading.poll_at_s = now_s + FIRST_POLL_S
        # Committed at once, so that a resumed backup reads this job and does not create another.
        return Commit((), moment_cursor(run, "bulk2", job=job, locator="", pages=0), is_done=False)

    def _polled(self, run: ObjectRun, reading: _Reading, job: QueryJob) -> None:
        if not job.is_over:
            self._missed(reading)
            if self._clock.monotonic() - reading.created_at_s > LONGEST_JOB_S:
                state = job.state or "waiting"
                raise ObjectError(f"{run.name}: its Bulk job is still {state} after a day.")
            return
        reading.is_over = True
        if job.is_complete:
            reading.job_rows = job.rows
            run.expected_rows = job.rows if job.rows is not None else run.expected_rows
            return
        said = f"{run.name}: its Bulk job {job.state.lower()} ({job.error or 'no reason given'})."
        if "InternalServerError" in job.error and not reading.is_second:
            # Salesforce gives this for faults of its own, which a new job does not meet again.
            self._readings[run.name] = self._fresh(is_second=True)
            return
        if run.progress.parts or run.restarts:
            raise ResultsGone(said)
        raise ObjectError(said)

    def _page_read(
        self, run: ObjectRun, reading: _Reading, unit: ResultPage, read: ResultRead
    ) -> Sequence[Step]:
        self.opened(run, unit, read.next_locator)  # where no side channel has said so before
        page = next(page for page in reading.pages if page.locator == unit.locator)
        page.read = read
        reading.is_over, reading.is_trying = True, False
        return self._commits(run, reading)

    def _commits(self, run: ObjectRun, reading: _Reading) -> list[Step]:
        """The pages that are here, in their order: a cursor is the locator of the page after."""
        steps: list[Step] = []
        number = run.cursor.get("pages", 0)
        rows = run.progress.rows + run.progress.deleted
        while reading.pages and (read := reading.pages[0].read) is not None:
            reading.pages.popleft()
            number += 1
            rows += read.rows
            is_last = read.next_locator is None
            if reading.job_rows is not None and (
                rows > reading.job_rows or (is_last and rows < reading.job_rows)
            ):
                raise ResultsGone(
                    f"{run.name}: the Bulk job announced {reading.job_rows:,} rows, "
                    f"its pages had {rows:,}."
                )
            cursor = moment_cursor(
                run, "bulk2", job=reading.job, locator=read.next_locator or "", pages=number
            )
            steps.append(Commit(read.parts, cursor, is_last, reading.job_rows))
        return steps

    # refusals and endings

    def refused(self, run: ObjectRun, err: ObjectError) -> Step:
        """
        Lists of what Bulk allows are out of date by release, so any refusal is a reason to try
        pages.
        """
        reading = self._readings.get(run.name)
        if reading is not None and reading.is_trying:
            # Not ready yet, or failed: Salesforce says INVALIDJOBSTATE, others what they like.
            reading.is_trying, reading.locator = False, reading.pages[0].locator
            reading.pages.clear()
            reading.seen.clear()
            self._missed(reading)
            return GoOn()
        run.bulk_refusal = str(err)
        return Switch("keyset", is_restart=bool(run.progress.parts))

    def _missed(self, reading: _Reading) -> None:
        now_s = self._clock.monotonic()
        if reading.touched is not None:
            self._pace.missed(reading.touched, now_s - reading.created_at_s)
        reading.poll_later(now_s)

    def forget(self, run: ObjectRun) -> None:
        self._readings.pop(run.name, None)

    def leftovers(self, run: ObjectRun) -> Sequence[AbortJob]:
        """
        A job that the org still works on is aborted, or it would use up the org's query time for
        nothing.
        """
        reading = self._readings.get(run.name)
        if reading is None or not reading.job or reading.is_over:
            return ()
        return [AbortJob(run.name, reading.job)]
