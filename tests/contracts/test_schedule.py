"""The schedule on both databases: one line per due time, whoever looks and whatever happens to the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError, JobError, NotAllowed
from sfnb.memory import State, open_state
from sfnb.model import JobState, Pause
from sfnb.schedule.service import Service
from sfnb.state.schedule import RUN_TOKEN
from sfnb.state.schedule_values import Due, Entry, ScheduledRun, is_lost

POLL_S = 1800.0


class Machine:
    """Where commands run: each takes its run as a process would, and ends when the test says so."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.code: int | None = 0
        self.started: list[ScheduledRun] = []
        self.children: list[Running] = []

    def start(self, what: Entry | ScheduledRun, token: str) -> Running:
        child = Running(self.state, token)
        self.children.append(child)
        run = self.state.schedule.take(token)
        assert run is not None and run.name == what.name
        self.started.append(run)
        if self.code is not None:
            child.end(self.code)
        return child

    @property
    def due(self) -> list[str]:
        """The due times that were run, of all entries."""
        return [f"{run.due_at:%d %H:%M}" for run in self.started]


class Running:
    """A command's process."""

    def __init__(self, state: State, token: str) -> None:
        self.state, self.token, self.over = state, token, False

    def end(self, code: int) -> None:
        at = self.state.database.clock.now() + timedelta(seconds=POLL_S)
        assert self.state.schedule.finish(self.token, code, again_at=at if code == 75 else None)
        self.over = True

    def is_over(self) -> bool:
        return self.over

    def stop(self) -> None:
        """Nothing here asks."""


@pytest.fixture
def machine(state: State) -> Machine:
    return Machine(state)


@pytest.fixture
def service(state: State, machine: Machine) -> Service:
    return Service(state, machine.start, poll_s=POLL_S)


@pytest.fixture
def pass_time(clock: FakeClock, service: Service) -> Callable[[float], None]:
    """Let minutes pass; the service looks in each."""

    def passing(minutes: float) -> None:
        for _ in range(int(minutes)):
            clock.advance(60)
            service.look()

    return passing


def add(state: State, name: str = "sample", cron: str = "*/15 * * * *") -> Entry:
    return state.schedule.add(name, cron=cron, tz="UTC", command=["usage", "sample"])


def lines(state: State) -> list[tuple[str, int | None]]:
    return [(f"{run.due_at:%d %H:%M}", run.exit_code) for run in state.schedule.runs()]


def test_two_services_run_each_due_time_once(
    state: State, state_url: str, clock: FakeClock, machine: Machine, service: Service
) -> None:
    """Each due time has one line and runs once, also where two services look at the same moment."""
    add(state)
    add(state, "hourly", "0 * * * *")
    with open_state(state_url, clock=clock) as other:
        elsewhere = Machine(other)
        second = Service(other, elsewhere.start, poll_s=POLL_S)
        for _ in range(180):
            clock.advance(60)
            # Both have read the entries before either claims: each decides on what it saw.
            seen = other.schedule.entries()
            service.look()
            for entry in seen:
                if (due := second._due(entry)) and (token := other.schedule.claim(entry, due)):
                    elsewhere.start(entry, token)
            second.look()
    ran = sorted((run.name, run.due_at) for run in machine.started + elsewhere.started)
    assert len(ran) == len(set(ran)) == 12 + 3
    assert sorted((run.name, run.due_at) for run in state.schedule.runs()) == ran
    assert all(run.exit_code == 0 for run in state.schedule.runs())


def test_missed_runs_are_caught_up_once(
    state: State, clock: FakeClock, machine: Machine, service: Service
) -> None:
    """A service that was down runs once for all that it missed; each due time still has its line."""
    add(state)
    clock.advance(3 * 3600 + 60)
    service.look()
    assert machine.due == ["02 11:00"]
    runs = state.schedule.runs()
    assert len(runs) == 12 and {run.exit_code for run in runs} == {0}
    assert {run.covered_by for run in runs[:-1]} == {runs[-1].due_at} and not runs[-1].covered_by
    assert all(run.started_at == runs[-1].started_at for run in runs)
    service.look()
    assert len(machine.started) == 1


def test_an_open_run_refuses_the_next(
    state: State, machine: Machine, service: Service, pass_time: Callable[[float], None]
) -> None:
    """A command that still runs when it is due again is not run twice, and the line says so."""
    machine.code = None
    add(state)
    pass_time(31)
    assert machine.due == ["02 08:15"]
    assert lines(state) == [("02 08:15", None), ("02 08:30", 75)]
    assert (
        "refused: the run due at 2026-11-02T08:15:00Z still runs" in state.schedule.runs()[1].note
    )
    machine.children[0].end(3)
    pass_time(15)
    assert machine.due == ["02 08:15", "02 08:45"]
    assert lines(state)[:2] == [("02 08:15", 3), ("02 08:30", 75)]


def test_what_is_paused_is_tried_again_every_half_hour(
    state: State, machine: Machine, pass_time: Callable[[float], None]
) -> None:
    """75 is no failure: the same line runs again after 30 minutes, until it is through."""
    add(state, "nightly", "0 9 * * *")
    machine.code = 75
    pass_time(61)
    assert lines(state) == [("02 09:00", 75)] and len(machine.started) == 1
    pass_time(28)
    assert len(machine.started) == 1
    pass_time(32)
    assert len(machine.started) == 3 and state.schedule.runs()[0].attempts == 3
    machine.code = 0
    pass_time(31)
    assert lines(state) == [("02 09:00", 0)] and len(machine.started) == 4
    pass_time(60)
    assert len(machine.started) == 4


def test_the_job_of_a_run_is_known_and_ended_elsewhere(
    state: State, machine: Machine, pass_time: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch, clock: FakeClock,
) -> None:  # fmt: skip
    """A job knows the run that it is of; what a person does to it meanwhile counts."""
    add(state, "nightly", "0 9 * * *")
    machine.code = None
    pass_time(61)
    token = machine.children[0].token
    with monkeypatch.context() as patch:
        patch.setenv(RUN_TOKEN, token)
        job = state.jobs.create("backup", "x", "00D000000000001AAA", {}, None)
    with state.jobs.lease(job.job_id):
        state.jobs.update(job.job_id, state=JobState.RUNNING)
        state.jobs.update(job.job_id, state=JobState.PAUSED)
        state.jobs.add_pause(
            job.job_id,
            Pause(api="api", at=clock.now(), resumed_at=None, used=50, maximum=100, reason=""),
        )
    machine.children[0].end(75)
    assert state.schedule.runs()[0].job_id == job.job_id
    state.jobs.want(job.job_id, "pause")
    pass_time(40)
    assert len(machine.started) == 1, "a person has paused it"
    assert "paused by a person" in state.schedule.runs()[0].note
    state.jobs.update(job.job_id, state=JobState.CANCELLED)
    pass_time(3)
    assert len(machine.started) == 1 and lines(state) == [("02 09:00", 130)]


def test_a_job_that_a_person_resumed_refuses_nothing_more(
    state: State, machine: Machine, pass_time: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Its run ends with it, also where that was to be tried again later: what is due next runs."""
    add(state, "quarterly", "*/15 * * * *")
    machine.code = None
    pass_time(16)
    with monkeypatch.context() as patch:
        patch.setenv(RUN_TOKEN, machine.children[0].token)
        job = state.jobs.create("backup", "x", "00D000000000001AAA", {}, None)
    with state.jobs.lease(job.job_id):
        state.jobs.update(job.job_id, state=JobState.RUNNING)
        state.jobs.update(job.job_id, state=JobState.PAUSED)
    machine.children[0].end(75)
    pass_time(2)
    assert lines(state) == [("02 08:15", 75)]
    with state.jobs.lease(job.job_id):
        state.jobs.update(job.job_id, state=JobState.RUNNING)
        state.jobs.update(job.job_id, state=JobState.COMPLETED)
    pass_time(13)
    assert lines(state) == [("02 08:15", 0), ("02 08:30", None)]


def test_a_lost_process_is_started_again_in_its_line(
    state: State, machine: Machine, service: Service, pass_time: Callable[[float], None]
) -> None:
    """An attempt whose process is gone is followed by one more; what comes back of the old one runs nothing."""
    add(state, "nightly", "0 9 * * *")
    machine.code = None
    pass_time(61)
    machine.children[0].over = True  # gone without a word
    service.look()
    assert len(machine.started) == 2 and lines(state) == [("02 09:00", None)]
    old, new = (child.token for child in machine.children)
    assert state.schedule.take(old) is None and not state.schedule.renew(old)
    assert not state.schedule.finish(old, 0)
    machine.children[1].end(0)
    assert lines(state) == [("02 09:00", 0)] and new != old
    assert "interrupted" in machine.started[1].note and state.schedule.runs()[0].attempts == 2


def test_a_command_that_is_lost_each_time_is_given_up(
    state: State, clock: FakeClock, machine: Machine, service: Service
) -> None:
    """Something that kills a command each time does not keep it starting for ever."""
    add(state, "nightly", "0 9 * * *")
    machine.code = None
    clock.advance(3600)
    for _ in range(20):
        service.look()
        machine.children[-1].over = True
    assert len(machine.started) == 11, "then every half hour"
    for _ in range(30):
        clock.advance(POLL_S)
        service.look()
        machine.children[-1].over = True
    assert len(machine.started) == 21
    assert lines(state)[0] == ("02 09:00", 1) and "given up" in state.schedule.runs()[0].note


def test_a_claim_whose_service_died_is_taken_up(state_url: str, clock: FakeClock) -> None:
    """Killed between the claim and the start: the next service starts that run, no due time is lost."""
    with open_state(state_url, clock=clock) as state:
        add(state)
        clock.advance(901)

        def fails(_what: object, _token: str) -> Running:
            raise KeyboardInterrupt  # the service dies

        with pytest.raises(KeyboardInterrupt):
            Service(state, fails, poll_s=POLL_S).look()
        run = state.schedule.open_runs()[0]
        assert run.started_at is None and run.owner is not None
        dead = state.schedule._as_seen(run).values(pid_started_s=1)
        with state.database.write() as connection:
            connection.execute(dead)  # this process does not die here
        machine = Machine(state)
        Service(state, machine.start, poll_s=POLL_S).look()
        assert machine.due == ["02 08:15"] and lines(state) == [("02 08:15", 0)]


def test_a_command_that_cannot_be_started_is_a_failed_run(state: State, clock: FakeClock) -> None:
    """No memory, no interpreter: the line says so, and the next due time is tried."""
    add(state)

    def fails(_what: object, _token: str) -> Running:
        raise JobError("its process could not be started (out of memory).")

    service = Service(state, fails, poll_s=POLL_S)
    for _ in range(2):
        clock.advance(900)
        service.look()
    assert lines(state) == [("02 08:15", 1), ("02 08:30", 1)]
    assert "out of memory" in state.schedule.runs()[0].note


class JumpingClock(FakeClock):
    """One that somebody sets."""

    def __init__(self) -> None:
        super().__init__()
        self.off = timedelta()

    def now(self) -> datetime:
        return super().now() + self.off


@pytest.fixture
def jumping(state_url: str) -> Iterator[tuple[State, JumpingClock]]:
    clock = JumpingClock()
    with open_state(state_url, clock=clock) as state:
        yield state, clock


def test_a_clock_that_is_put_back_runs_nothing_twice(jumping: tuple[State, JumpingClock]) -> None:
    """Two hours back: what was run is not run again, and what comes after is."""
    state, clock = jumping
    machine = Machine(state)
    service = Service(state, machine.start, poll_s=POLL_S)
    add(state, "hourly", "0 * * * *")

    def pass_hours(hours: int) -> None:
        for _ in range(hours * 4):
            clock.advance(900)
            service.look()

    pass_hours(3)
    clock.off = -timedelta(hours=2)
    pass_hours(4)
    assert machine.due == ["02 09:00", "02 10:00", "02 11:00", "02 12:00", "02 13:00"]


def test_a_year_ahead_for_a_minute_does_not_silence_the_schedule(
    jumping: tuple[State, JumpingClock],
) -> None:
    """A wrong clock is caught up with once; the right one then goes on, day by day."""
    state, clock = jumping
    machine = Machine(state)
    service = Service(state, machine.start, poll_s=POLL_S)
    add(state, "nightly", "0 2 * * *")
    clock.off = timedelta(days=365)
    service.look()
    assert machine.due == ["02 02:00"] and machine.started[0].due_at.year == 2027
    clock.off = timedelta()
    for _ in range(3 * 24):
        clock.advance(3600)
        service.look()
    assert machine.due[1:] == ["03 02:00", "04 02:00", "05 02:00"]
    days = [run.due_at for run in state.schedule.runs()]
    assert len(days) == len(set(days))


def test_removed_entries_end_and_all_is_audited(
    state: State, machine: Machine, pass_time: Callable[[float], None]
) -> None:
    """Nothing of a removed entry is started again; who added, removed and what ran is in the log."""
    add(state)
    machine.code = 75
    pass_time(16)
    with pytest.raises(CallerError, match="scheduled already"):
        add(state)
    state.schedule.remove("sample")
    pass_time(60)
    assert lines(state) == [("02 08:15", 75)] and len(machine.started) == 1
    assert state.schedule.open_runs() == []
    assert [(e.kind, e.action, e.subject) for e in state.audit.entries()] == [
        ("schedule", "added", "sample"),
        ("schedule", "removed", "sample"),
        ("schedule", "paused", "sample"),
    ]
    assert state.audit.verify() == []
    state.schedule.forget(datetime(2027, 1, 1, tzinfo=UTC))
    assert state.schedule.runs() == []


def test_nobody_schedules_what_they_may_not_do(
    state: State, machine: Machine, service: Service, clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A viewer changes nothing, an operator schedules no prune; a service run by a viewer runs what is due."""
    state.team.give("vera", "viewer")
    state.team.give("otto", "operator")
    for user, command in (("vera", ["backup", "x"]), ("otto", ["prune", "x", "--yes"])):
        monkeypatch.setenv("SFNB_USER", user)
        with pytest.raises(NotAllowed):
            state.schedule.add("x", cron="0 9 * * *", tz="UTC", command=command)
    monkeypatch.setenv("SFNB_USER", "otto")
    add(state)
    monkeypatch.setenv("SFNB_USER", "vera")
    with pytest.raises(NotAllowed):
        state.schedule.remove("sample")
    clock.advance(900)
    service.look()
    assert lines(state) == [("02 08:15", 0)] and machine.due
    assert state.audit.entries()[-1].action == "completed"


def test_a_process_that_takes_its_run_at_the_last_moment_keeps_it(
    state: State, clock: FakeClock
) -> None:
    """Its service died, and the next one saw that; before it acts, the command's process begins after all."""
    entry = add(state)
    clock.advance(900)
    token = state.schedule.claim(entry, Due(clock.now()))
    assert token
    (run,) = state.schedule.open_runs()
    dead = state.schedule._as_seen(run).values(pid=1_000_000_000)
    with state.database.write() as connection:
        connection.execute(dead)
    (seen,) = state.schedule.open_runs()
    assert is_lost(seen, clock.now())
    assert state.schedule.take(token) is not None
    assert state.schedule.try_again(seen, is_lost=True) is None
    assert state.schedule.finish(token, 0)
