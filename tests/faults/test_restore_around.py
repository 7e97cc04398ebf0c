"""Around a restore: automation off and on again whatever becomes of the job, and the proof at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.errors import SfnbError
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.model import JobState
from sfnb.restore import wave_run
from sfnb.restore.automation.of_job import JobAutomation
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for
from tests.faults.restore_world import World

RULES = {"Email_or_phone": True, "ContactTrigger": True, "Welcome_task": True}
FREE = "Id NOT IN (SELECT ContactId FROM Case)"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One org with a backup of its contacts for all tests here; each restores records of its own."""
    folder = tmp_path_factory.mktemp("around")
    options = Options(
        size="tiny", competitors="off", minutes_per_second=0.0, bulk_job_s=0.0, header_lag_s=0.0,
        max_calls=1_000_000,
    )  # fmt: skip
    with DemoServer(options, folder / "org") as server:
        org = RunningOrg(**server.ready(), server=server)
        with connect(
            "demo", settings=settings_for(org, folder / "home"), clock=FakeClock()
        ) as mine:
            world = World(org, mine)
            world.backup("Account", "Contact")
            yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    shared.org.control("writes", {"rules": RULES})
    yield shared
    shared.org.control("faults", method="DELETE")
    shared.org.control("writes", {"rules": dict.fromkeys(RULES, False)})


def active(world: World) -> dict[str, bool]:
    """Of the org's own rules, which are on."""
    return {n: r["active"] for n, r in world.org.control("writes")["rules"].items()}


def contacts(world: World, count: int, skip: int) -> list[str]:
    return [row["Id"] for row in world.rows(f"SELECT Id FROM Contact WHERE {FREE} ORDER BY Id")][
        skip : skip + count
    ]


def test_records_come_back_unchanged_by_triggers_flows_and_rules(world: World) -> None:
    """With --automation off nothing acts on the restored records; afterwards all acts again; proof 0."""
    ids, before = contacts(world, 3, 0), active(world)
    was = {r["Id"]: r for r in world.rows("SELECT Id, LastName, Department, Email FROM Contact")}
    tasks = len(world.rows("SELECT Id FROM Task"))
    world.delete(ids, hard=True)
    summary = world.restore(ids=ids, automation="off")
    assert summary["state"] == "completed", summary
    assert summary["restored"]["created"] == 3
    assert summary["proof"]["compared"] >= 3
    assert summary["proof"]["different"] == 0
    listed = {
        (a["kind"], a["name"]): a["active"]
        for a in summary["automation"]
        if a["object"] == "Contact"
    }
    assert listed["trigger", "ContactTrigger"] is True
    assert listed["flow", "Welcome_task"] is True
    assert listed["validation_rule", "Email_or_phone"] is True
    switched = {s["name"]: s["state"] for s in summary["switched"]}
    assert (
        switched["ContactTrigger"] == switched["Welcome_task"] == switched["Email_or_phone"] == "on"
    )
    assert switched["pkg__SyncTrigger"] == "left"
    assert active(world) == before
    assert len(world.rows("SELECT Id FROM Task")) <= tasks, "no flow made a task"
    back = world.rows("SELECT LastName, Department, Email FROM Contact")
    for one in ids:
        assert {k: was[one][k] for k in ("LastName", "Department", "Email")} in back
    codes = {w["code"] for w in summary["warnings"]}
    assert "automation_active" in codes


def test_what_automation_changed_is_in_the_proof(world: World) -> None:
    """With automation kept, a trigger changes the restored record: the proof says which field, not 'all good'."""
    (one,) = contacts(world, 1, 10)
    world.delete([one], hard=True)
    summary = world.restore(ids=[one])
    assert summary["proof"]["different"] == 1
    saved = world.mine.store.files.read_json(f"restores/{summary['job_id']}/proof.json")
    assert saved is not None
    assert saved["objects"]["Contact"]["fields"].get("Department") == 1
    assert "switched" not in summary


class Killed(BaseException):
    """The process is gone."""


def killed_after_the_first_batch(
    world: World, monkeypatch: pytest.MonkeyPatch, ids: list[str]
) -> str:
    job_id = engine.create(world.mine, engine.restore(ids=ids, automation="off"))

    def dead(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(wave_run.WaveRun, "run", dead)
        with pytest.raises(Killed):
            engine.run_job(world.mine, job_id)
    assert not active(world)["ContactTrigger"], "off while the restore runs"
    return job_id


def test_a_killed_restore_switches_on_when_it_is_resumed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead in mid-run, everything is off; the resume finishes the records and switches on."""
    ids, before = contacts(world, 2, 20), active(world)
    world.delete(ids)
    job_id = killed_after_the_first_batch(world, monkeypatch, ids)
    summary = engine.resume(world.mine, job_id)
    assert summary["state"] == "completed", summary
    assert active(world) == before


def test_a_restore_that_cannot_go_on_switches_on_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resume fails for good, before its first record: automation is on, and the error is its own."""
    ids, before = contacts(world, 2, 30), active(world)
    world.delete(ids)
    job_id = killed_after_the_first_batch(world, monkeypatch, ids)
    files = world.mine.store.files
    files.put(f"restores/{job_id}/plan.json", b"no plan any more")
    with pytest.raises(SfnbError, match="damaged"):
        engine.resume(world.mine, job_id)
    assert active(world) == before
    assert world.mine.state.jobs.get(job_id).state is JobState.FAILED


def test_a_cancelled_restore_switches_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while no process runs it: automation is on again, nothing else is sent."""
    ids, before = contacts(world, 2, 40), active(world)
    world.delete(ids)
    job_id = killed_after_the_first_batch(world, monkeypatch, ids)
    answer = engine.control(world.mine).cancel(job_id)
    assert "still off" not in answer.says.lower()
    assert active(world) == before


def test_what_stays_off_is_said_and_the_job_is_not_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The org refuses at the end: the job ends with errors, the journal stays open, JSON names it."""
    (one,) = contacts(world, 1, 50)
    world.delete([one])
    off = JobAutomation.off

    def then_refused(self: JobAutomation, objects: Any) -> Any:
        journal = off(self, objects)
        world.org.fail(
            inside=True, fault="error", match="^PATCH .*/ValidationRule", times=2,
            code="INSUFFICIENT_ACCESS", status=403,
        )  # fmt: skip
        return journal

    monkeypatch.setattr(JobAutomation, "off", then_refused)
    summary = world.restore(ids=[one], automation="off")
    assert summary["state"] == "completed_with_errors"
    (rule,) = [s for s in summary["switched"] if s["name"] == "Email_or_phone"]
    assert rule["state"] != "on"
    assert any(
        "Email_or_phone" in w["message"]
        for w in summary["warnings"]
        if w["code"] == "automation_off"
    )
    # A resume has nothing to restore, and tries again.
    assert engine.resume(world.mine, summary["job_id"])["state"] == "completed_with_errors"
    assert active(world)["Email_or_phone"]


def test_what_is_off_is_in_the_jobs_json_from_the_first_moment_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in mid-run, nobody is left to say it: the job's JSON names what is off."""
    ids = contacts(world, 2, 60)
    world.delete(ids)
    job_id = killed_after_the_first_batch(world, monkeypatch, ids)
    said = world.mine.state.jobs.get(job_id).outcome["switched"]
    assert {one["state"] for one in said if one["name"] == "ContactTrigger"} == {"off"}
    warnings = world.mine.state.jobs.get(job_id).outcome["warnings"]
    assert any("ContactTrigger" in w["message"] for w in warnings if w["code"] == "automation_off")
    summary = engine.resume(world.mine, job_id)
    assert {one["state"] for one in summary["switched"]} <= {"on", "left"}
    assert not [w for w in summary["warnings"] if w["code"] == "automation_off"]


@pytest.mark.parametrize("is_damaged", [False, True])
def test_an_org_that_is_away_gets_its_automation_back_when_it_answers(
    world: World, monkeypatch: pytest.MonkeyPatch, *, is_damaged: bool
) -> None:
    """
    The resume meets no org: the job pauses and names what is off. When the org answers, all is on
    again, even where the restore itself cannot go on.
    """
    skip = 70 + 10 * is_damaged
    ids, before = contacts(world, 2, skip), active(world)
    world.delete(ids)
    job_id = killed_after_the_first_batch(world, monkeypatch, ids)
    if is_damaged:
        world.mine.store.files.put(f"restores/{job_id}/plan.json", b"no plan any more")
    world.org.fail(fault="status503", match="/services/")
    summary = engine.resume(world.mine, job_id, on_pause="exit")
    assert summary["state"] == "paused"
    assert any(
        "ContactTrigger" in w["message"]
        for w in summary["warnings"]
        if w["code"] == "automation_off"
    )
    said: list[str] = []

    def back(event: events.Event) -> None:
        if isinstance(event, events.JobPaused):
            said.append(event.pause.reason)
            world.org.control("faults", method="DELETE")

    if is_damaged:
        with pytest.raises(SfnbError, match="damaged"):
            engine.resume(world.mine, job_id, emit=back)
    else:
        assert engine.resume(world.mine, job_id, emit=back)["state"] == "completed"
    assert said, "it waited for the org"
    assert active(world) == before
    outcome = world.mine.state.jobs.get(job_id).outcome
    assert not [one for one in outcome["warnings"] if one["code"] == "automation_off"]
    assert {one["state"] for one in outcome["switched"]} <= {"on", "left"}
