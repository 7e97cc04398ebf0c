"""The loop runs any kind of work: a toy that counts to ten lives as a backup does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sfnb.connection import Connection
from sfnb.errors import JobError, ObjectError, QuotaSignal, StopSignal
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.jobs.loop import JobLoop
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import JobState
from tests.conftest import RunningOrg
from tests.faults.conftest import SharedClock, settings_for

GOAL = 10


@dataclass
class Counting:
    """
    Counts on paper: ``paper`` is what is on disk, ``surprises`` happen before a number is written.
    """

    context: JobContext
    paper: list[int]
    surprises: dict[int, list[BaseException]]
    done: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        self.done.append("prepare")

    def run(self, tick: Tick) -> None:
        while len(self.paper) < GOAL:
            tick()
            if waiting := self.surprises.get(len(self.paper)):
                raise waiting.pop(0)
            self.paper.append(len(self.paper))

    def finish(self) -> JobState:
        self.done.append("finish")
        return JobState.COMPLETED

    def abandon(self) -> str:
        self.done.append("abandon")
        return "A pencil was left."


@pytest.fixture
def place(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Iterator[Connection]:
    org = fresh_org()
    with connect("demo", settings=settings_for(org, tmp_path), clock=SharedClock(org)) as there:
        yield there


def counted(
    there: Connection, paper: list[int], **surprises: list[BaseException]
) -> tuple[Callable[[str], dict[str, object]], str, list[events.Event], list[Counting]]:
    """How to run the job, its id, what it tells, and the works made."""
    job = there.state.jobs.create("count", "demo", there.org_id, {}, ["Paper"])
    told: list[events.Event] = []
    works: list[Counting] = []
    at = {int(number.removeprefix("at_")): errs for number, errs in surprises.items()}

    def make(context: JobContext) -> Counting:
        works.append(Counting(context, paper, at))
        return works[-1]

    loop = JobLoop(there.client, there.state, there.clock, make, told.append, poll_s=60.0)
    return loop.run, job.job_id, told, works


def spent() -> QuotaSignal:
    return QuotaSignal("api", used=9, in_flight=0, maximum=10, threshold=5, reason="used up")


def test_any_work_pauses_and_goes_on_from_its_bookmark(place: Connection) -> None:
    """P4: the quota pauses the work twice; each number is on the paper once, in order."""
    paper: list[int] = []
    run, job_id, told, works = counted(place, paper, at_3=[spent(), spent()], at_7=[spent()])
    assert run(job_id)["state"] == "completed"
    assert paper == list(range(GOAL)) and len(works) == 1
    assert works[0].done == ["prepare"] * 4 + ["finish"]
    assert sum(isinstance(event, events.JobResumed) for event in told) == 3
    assert len(place.state.jobs.pauses(job_id)) == 3


def test_any_work_that_fails_is_resumed_from_its_bookmark(place: Connection) -> None:
    """P2: what is on the paper stays when the work fails, and the next run writes the rest."""
    paper: list[int] = []
    run, job_id, _, _ = counted(place, paper, at_4=[ObjectError("the pencil broke")])
    with pytest.raises(JobError, match="the pencil broke"):
        run(job_id)
    job = place.state.jobs.get(job_id)
    assert (job.state, job.error, paper) == ("failed", "the pencil broke", [0, 1, 2, 3])
    assert run(job_id)["state"] == "completed" and paper == list(range(GOAL))
    assert place.state.jobs.get(job_id).error is None


def test_any_work_is_abandoned_when_a_person_cancels(place: Connection) -> None:
    """Cancelling seals the work, once, and the event says what was left."""
    paper: list[int] = []
    run, job_id, told, works = counted(place, paper, at_5=[StopSignal("cancel")])
    assert run(job_id)["state"] == "cancelled"
    assert works[0].done == ["prepare", "abandon"] and paper == [0, 1, 2, 3, 4]
    last = told[-1]
    assert isinstance(last, events.JobStateChanged) and "A pencil was left" in last.message


def test_a_fault_of_ours_does_not_leave_a_job_that_looks_alive(place: Connection) -> None:
    """An exception nobody foresaw fails the job in words, comes out, and the job can be resumed."""
    paper: list[int] = []
    run, job_id, _, _ = counted(place, paper, at_2=[ZeroDivisionError()])
    with pytest.raises(ZeroDivisionError):
        run(job_id)
    job = place.state.jobs.get(job_id)
    assert job.state == "failed" and "ZeroDivisionError" in (job.error or "") and not job.is_held
    assert run(job_id)["state"] == "completed"
