"""Jobs, leases and their summary, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError, JobError, LeaseLost
from sfnb.jobs import states
from sfnb.jobs.control import Control
from sfnb.jobs.summary import job_summary
from sfnb.memory import State
from sfnb.model import JobState, ObjectState, Pause
from sfnb.quota.gate import Gate
from sfnb.state import jobs as jobs_module
from sfnb.state import lease as lease_module
from sfnb.state.job_values import Job
from sfnb.state.owner import Owner, this_process

ORG = "00D000000000001EAA"
ELSEWHERE = Owner("elsewhere", 4711, 1)


def create(state: State, objects: list[str] | None = None, org_id: str = ORG) -> Job:
    return state.jobs.create(
        "backup", "demo", org_id, {"full": True}, objects, "20261122T043812Z-1a2b3c"
    )


def become(patch: pytest.MonkeyPatch, owner: Owner) -> None:
    """From here on this test's process is another one."""
    patch.setattr(lease_module, "this_process", lambda: owner)
    patch.setattr(jobs_module, "this_process", lambda: owner)


def dead() -> Owner:
    """A process of this host that is gone: its pid belongs to another one now."""
    here = this_process()
    return Owner(here.host, here.pid, here.pid_started_s - 1000)


def test_a_job_is_what_was_asked(state: State, clock: FakeClock) -> None:
    """A new job is queued, and comes back as it was created."""
    job = create(state, ["Account", "Contact", "Account"])
    assert (job.state, job.objects, job.started_at, job.ended_at) == (
        "queued",
        ("Account", "Contact"),
        clock.now(),
        None,
    )
    assert state.jobs.get(job.job_id) == job
    assert state.jobs.find("demo") == state.jobs.find(ORG) == [job]
    assert state.jobs.find("other") == []


def test_an_unknown_job_is_a_clear_sentence(state: State) -> None:
    """Asking for a job that is not there tells where to look."""
    with pytest.raises(CallerError, match="no job 'nope'; `sfnb jobs` lists them"):
        state.jobs.get("nope")
    with pytest.raises(CallerError, match="no job"):
        state.jobs.update("nope", rows=1)


@pytest.mark.parametrize(
    ("running", "asked", "common"),
    [
        (["Account", "Contact"], ["Contact", "Lead", "Account"], "Contact, Account"),
        (None, ["Lead"], "Lead"),
        (["Lead"], None, "Lead"),
        (None, None, "all objects"),
    ],
)
def test_two_jobs_on_one_object_are_refused(
    state: State, running: list[str] | None, asked: list[str] | None, common: str
) -> None:
    """A live job of the org with an object in common is named, and what to do."""
    job = create(state, running)
    with state.jobs.lease(job.job_id), pytest.raises(CallerError) as refusal:
        create(state, asked)
    assert str(refusal.value) == (
        f"org demo: job {job.job_id} is already backing up {common}; wait for it, pause or cancel it, "
        "or choose other objects."
    )


def test_jobs_that_share_nothing_run_side_by_side(state: State) -> None:
    """Other objects or another org: no refusal."""
    first = create(state, ["Account"])
    with state.jobs.lease(first.job_id):
        second = create(state, ["Contact"])
        create(state, None, "00D000000000002EAA")
        with state.jobs.lease(second.job_id):
            pass


def test_a_dead_or_ended_job_is_in_nobodys_way(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2: the job of a killed process stays resumable and does not block a new one."""
    with monkeypatch.context() as patch:
        become(patch, dead())
        killed = create(state)
        state.jobs.lease(killed.job_id)
        state.jobs.update(killed.job_id, state=JobState.RUNNING)
    assert not state.jobs.get(killed.job_id).is_held
    new = create(state)
    with state.jobs.lease(new.job_id):
        # Two of them at once would still read the same objects twice.
        with pytest.raises(CallerError, match="already backing up all objects"):
            state.jobs.lease(killed.job_id)
        state.jobs.update(new.job_id, state=JobState.RUNNING)
        state.jobs.update(new.job_id, state=JobState.COMPLETED)
        with state.jobs.lease(killed.job_id):
            assert state.jobs.get(killed.job_id).is_held


def test_a_lease_is_held_by_one(state: State) -> None:
    """
    Neither another process nor another thread of the same one runs a job twice; a given-back lease
    is free.
    """
    job = create(state)
    with state.jobs.lease(job.job_id) as lease:
        lease.renew()
        with pytest.raises(CallerError, match="already running"):
            state.jobs.lease(job.job_id)
    with state.jobs.lease(job.job_id):
        pass
    assert not state.jobs.get(job.job_id).is_held


def test_another_hosts_lease_lasts_a_minute(
    state: State, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Where nobody can look whether the process lives, its lease is taken over when it expired, and it
    is told so.
    """
    with monkeypatch.context() as patch:
        become(patch, ELSEWHERE)
        job = create(state)
        far = state.jobs.lease(job.job_id)
    clock.advance(59)
    with pytest.raises(CallerError, match="already running"):
        state.jobs.lease(job.job_id)
    far.renew()
    clock.advance(59)
    with pytest.raises(CallerError, match="already running"):
        state.jobs.lease(job.job_id)
    clock.advance(1)
    with state.jobs.lease(job.job_id):
        with pytest.raises(JobError, match="another process has taken it over"):
            far.renew()
        far.release()  # and cannot give back what is not its own
        assert state.jobs.get(job.job_id).is_held


def test_a_lost_lease_writes_nothing(
    state: State, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a process writes for a job that another has taken over is refused, whole."""
    with monkeypatch.context() as patch:
        become(patch, ELSEWHERE)
        job = create(state)
        mine = state.under(state.jobs.lease(job.job_id)).jobs
    now = clock.now()
    mine.update(job.job_id, state="running")
    clock.advance(61)
    with state.jobs.lease(job.job_id):
        before = state.jobs.get(job.job_id)
        attempts: list[Callable[[], None]] = [
            lambda: mine.update(job.job_id, state="failed", error="x"),
            lambda: mine.add_event(job.job_id, now, "JobStateChanged", {}),
            lambda: mine.add_pause(job.job_id, Pause("api", now, None, 1, 2, "x")),
            lambda: mine.end_pause(job.job_id, now),
            lambda: mine.set_object(job.job_id, "Account", ObjectState.COMPLETE, 1, 1),
            lambda: mine.add_outcome(job.job_id, files={}),
            lambda: mine.want(job.job_id, None),
        ]
        for attempt in attempts:
            with pytest.raises(LeaseLost, match="another process has taken it over"):
                attempt()
        assert state.jobs.get(job.job_id) == before
        assert not state.jobs.events(job.job_id) and not state.jobs.pauses(job.job_id)
        assert not state.jobs.objects(job.job_id)


def test_a_living_process_on_this_host_keeps_its_lease(state: State, clock: FakeClock) -> None:
    """A laptop that slept for an hour does not lose its job."""
    job = create(state)
    with state.jobs.lease(job.job_id) as lease:
        clock.advance(3600)
        with pytest.raises(CallerError, match="already running"):
            state.jobs.lease(job.job_id)
        lease.renew()


def test_a_job_that_never_started_is_not_kept_for_ever(state: State, clock: FakeClock) -> None:
    """A job that was created and not run blocks others for a minute only."""
    create(state)
    with pytest.raises(CallerError, match="already backing up"):
        create(state)
    clock.advance(61)
    create(state)


def test_cancelling_a_job_that_nobody_runs_ends_it(state: State, clock: FakeClock) -> None:
    """
    A running job is asked; one that nobody runs is sealed and cancelled at once; an ended one is
    refused.
    """
    sealed: list[str] = []

    def seal(job: Job) -> str:
        sealed.append(job.job_id)
        assert state.jobs.get(job.job_id).is_held, "nobody may start it meanwhile"
        return "Its Bulk jobs were left."

    control = Control(state, seal)
    job = create(state)
    with state.jobs.lease(job.job_id):
        asked = control.cancel(job.job_id)
        assert asked.is_asked and asked.job.state == "queued" and sealed == []
        assert state.jobs.wanted(job.job_id) == "cancel"
    clock.advance(5)
    done = control.cancel(job.job_id)
    after = done.job
    assert (after.state, after.ended_at, after.wanted) == ("cancelled", clock.now(), None)
    assert sealed == [job.job_id] and not done.is_asked and "Bulk jobs were left" in done.says
    assert not after.is_held
    (event,) = state.jobs.events(job.job_id)
    assert event.kind == "JobStateChanged" and event.payload["state"] == "cancelled"
    with pytest.raises(CallerError, match="is cancelled; there is nothing to cancel"):
        control.cancel(job.job_id)


def test_a_job_in_the_way_does_not_hinder_cancelling(state: State) -> None:
    """A paused job can be cancelled while another job reads the same objects."""
    paused = create(state, ["Account"])
    with state.jobs.lease(paused.job_id):
        state.jobs.update(paused.job_id, state=JobState.RUNNING)
        state.jobs.update(paused.job_id, state=JobState.PAUSED)
    other = create(state, ["Account"])
    with state.jobs.lease(other.job_id):
        assert Control(state, lambda _: "").cancel(paused.job_id).job.state == "cancelled"


def test_an_ended_job_stays_as_it_is(state: State) -> None:
    """No writer of states, whoever it is, can bring back a job whose snapshot is sealed."""
    job = create(state)
    with pytest.raises(CallerError, match="is queued; it cannot become completed"):
        state.jobs.update(job.job_id, state=JobState.COMPLETED)
    state.jobs.update(job.job_id, state=JobState.CANCELLED)
    for then in JobState:
        with pytest.raises(CallerError, match="is cancelled; it cannot become"):
            state.jobs.update(job.job_id, state=then)
    assert state.jobs.get(job.job_id).state == "cancelled"


def test_a_failed_job_can_be_resumed_or_given_up(state: State) -> None:
    """What a failed job has stored is good: resume, pause and cancel answer as for a paused one."""
    control = Control(state, lambda _: "")
    job = create(state)
    with state.jobs.lease(job.job_id):
        state.jobs.update(job.job_id, state=JobState.FAILED, error="disk full")
    with pytest.raises(CallerError, match="is failed; there is nothing to pause"):
        control.pause(job.job_id)
    assert not control.resume(job.job_id).is_asked
    with pytest.raises(CallerError, match="belongs to the org demo"):
        control.resume(job.job_id, org_id="00D000000000002EAA")
    assert control.cancel(job.job_id).job.state == "cancelled"
    with pytest.raises(CallerError, match="is cancelled; there is nothing to resume"):
        control.resume(job.job_id)


def test_want_is_told_and_taken_back(state: State) -> None:
    """A person asks, the runner reads, and clears it."""
    job = create(state)
    assert state.jobs.wanted(job.job_id) is None
    state.jobs.want(job.job_id, "pause")
    assert state.jobs.wanted(job.job_id) == "pause"
    state.jobs.want(job.job_id, None)
    assert state.jobs.wanted(job.job_id) is None


def test_the_end_is_dated_once_and_a_resumed_job_has_none(state: State, clock: FakeClock) -> None:
    """ended_at belongs to final states."""
    job = create(state)
    clock.advance(10)
    state.jobs.update(job.job_id, state=JobState.FAILED, error="disk full")
    assert state.jobs.get(job.job_id).ended_at == clock.now()
    state.jobs.update(job.job_id, state=JobState.RUNNING, error=None)
    assert (state.jobs.get(job.job_id).ended_at, state.jobs.get(job.job_id).error) == (None, None)


def test_the_summary_is_the_contract(state: State, clock: FakeClock) -> None:
    """
    Other programs read these keys; moments are ISO 8601 with Z, and the calls are those that passed
    the gate.
    """
    job = create(state, ["Account", "Contact"])
    gate = Gate(state.ledger, ORG, clock=clock)
    gate.settle(gate.ask({"api": 1}, is_probe=True, job_id=job.job_id))
    state.jobs.set_object(job.job_id, "Contact", ObjectState.PARTIAL, 2, 1, "no permission")
    state.jobs.set_object(job.job_id, "Account", ObjectState.PARTIAL, 3, 1)
    counted = {"mode": "incremental", "added": 1, "changed": 2, "deleted": 0}
    state.jobs.set_object(job.job_id, "Account", ObjectState.COMPLETE, 5, 2, outcome=counted)
    warning = {"code": "mass_change", "object": "Account", "message": "half of it"}
    state.jobs.add_outcome(job.job_id, warnings=[warning])
    for at in (clock.now(), clock.now() + timedelta(hours=1)):
        state.jobs.end_pause(job.job_id, at)
        state.jobs.add_pause(job.job_id, Pause("api", at, None, 50, 100, "used up"))
    clock.advance(7200)
    state.jobs.update(job.job_id, state=JobState.RUNNING)
    state.jobs.update(job.job_id, state=JobState.COMPLETED_WITH_ERRORS)
    summary = json.loads(json.dumps(job_summary(state, job.job_id)))
    assert summary == {
        "job_id": job.job_id,
        "kind": "backup",
        "org": "demo",
        "org_id": ORG,
        "state": "completed_with_errors",
        "interrupted": False,
        "snapshot": "20261122T043812Z-1a2b3c",
        "started_at": "2026-11-02T08:00:00.000Z",
        "ended_at": "2026-11-02T10:00:00.000Z",
        "calls": {"api": 1, "bulk": 0, "bulk2": 0, "bulk2_mb": 0},
        "rows": 7,
        "error": None,
        "objects": {
            "Account": {
                "state": "complete",
                "rows": 5,
                "calls": 2,
                "message": None,
                "mode": "incremental",
                "added": 1,
                "changed": 2,
                "deleted": 0,
            },
            "Contact": {"state": "partial", "rows": 2, "calls": 1, "message": "no permission"},
        },
        "schema": [],
        "warnings": [warning],
        "pauses": [
            {
                "api": "api",
                "at": "2026-11-02T08:00:00.000Z",
                "resumed_at": "2026-11-02T09:00:00.000Z",
                "used": 50,
                "max": 100,
                "reason": "used up",
            },
            {
                "api": "api",
                "at": "2026-11-02T09:00:00.000Z",
                "resumed_at": None,
                "used": 50,
                "max": 100,
                "reason": "used up",
            },
        ],
    }


def test_a_killed_job_is_running_and_interrupted_for_programs(state: State) -> None:
    """Programs that know the stored states need no new one; people read `interrupted`."""
    job = create(state)
    state.jobs.update(job.job_id, state=JobState.RUNNING)
    with state.jobs.lease(job.job_id):
        assert not job_summary(state, job.job_id)["interrupted"]
    killed = job_summary(state, job.job_id)
    assert (killed["state"], killed["interrupted"]) == ("running", True)
    assert states.shown_of(killed) == "interrupted"
    state.jobs.update(job.job_id, state=JobState.PAUSED)
    assert not job_summary(state, job.job_id)["interrupted"]
