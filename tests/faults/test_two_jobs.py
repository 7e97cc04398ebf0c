"""Two jobs on one org, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command_line import CommandLine, Running
from tests.conftest import RunningOrg

ONE, OTHER = "Account,Contact,Case,Lead", "Opportunity,Task,Event,Campaign"


def waiting(home: CommandLine, *arguments: object) -> Running:
    """A backup that waits at its limit."""
    running = home.start("backup", "x", "--json", *arguments)
    running.wait_for("paused: ")
    return running


@pytest.fixture
def spent(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> tuple[RunningOrg, CommandLine]:
    """An org whose calls are used up, so that each backup waits."""
    org = fresh_org(max_calls=1000)
    home = CommandLine.with_org(tmp_path / "home", org)
    org.control("quota", {"spend": {"api": 500}})
    return org, home


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("--objects", "Account,Case"), ("--objects", "Lead,cASE")),
        (("--objects", "Account"), ()),
        ((), ("--objects", "Account")),
    ],
    ids=["common", "one-all", "all-one"],
)
def test_a_second_job_on_the_same_objects_is_refused(
    spent: tuple[RunningOrg, CommandLine], first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    """
    Two jobs that would read one object: the second is one sentence that names the first, and costs
    no call.
    """
    org, home = spent
    running = waiting(home, *first)
    job_id = home("jobs", "--json").json[-1]["job_id"]
    mark = org.mark()
    refused = home("backup", "x", *second)
    assert (
        refused.code == 2
        and refused.is_one_sentence()
        and job_id in refused.err
        and "wait for it" in refused.err
    )
    assert org.ledger(after=mark)["spent"] == {}
    assert len(home("jobs", "--json").json) == 1
    resumed = home("resume", job_id)
    assert running.process.poll() is None, resumed
    assert home("cancel", job_id).code == 0
    assert running.ended().code == 130


def test_a_second_job_on_other_objects_runs(spent: tuple[RunningOrg, CommandLine]) -> None:
    """Jobs whose objects differ run side by side, each into its own snapshot, and both end well."""
    org, home = spent
    running = [waiting(home, "--objects", objects, "--poll-seconds", 1) for objects in (ONE, OTHER)]
    org.control("clock", {"advance_minutes": 25 * 60})
    done = [one.ended() for one in running]
    assert [one.code for one in done] == [0, 0], [one.err for one in done]
    summaries = [one.json for one in done]
    assert summaries[0]["snapshot"] != summaries[1]["snapshot"]
    assert [sorted(summary["objects"]) for summary in summaries] == [
        sorted(ONE.split(",")),
        sorted(OTHER.split(",")),
    ]
    assert home("verify", "x").code == 0


def test_two_jobs_keep_one_budget(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> None:
    """
    P1: two processes that spend at the same time never pass the threshold together, by the org's
    own ledger.
    """
    org = fresh_org(max_calls=1000)
    home = CommandLine.with_org(tmp_path / "home", org)
    org.control("quota", {"spend": {"api": 494}})
    org.fail(fault="stall", match="/composite", seconds=0.15)
    mark = org.mark()
    running = [
        home.start("backup", "x", "--objects", names, "--on-pause", "exit", "--json")
        for names in (ONE, OTHER)
    ]
    done = [one.ended() for one in running]
    rounds = 0
    while any(one.code == 75 for one in done):
        rounds += 1
        assert rounds < 10
        ledger = org.ledger(after=mark, threshold=500)
        assert ledger["over_threshold"] == 0 and ledger["over_reading"] == 0
        org.control("clock", {"advance_minutes": 25 * 60})
        org.control("quota", {"spend": {"api": 450}})
        running = [
            home.start("resume", one.json["job_id"], "--on-pause", "exit", "--json")
            for one in done
            if one.code == 75
        ]
        done = [one for one in done if one.code != 75] + [one.ended() for one in running]
    assert rounds >= 1, "there was room for a few calls only"
    assert [one.json["state"] for one in done] == ["completed"] * 2
    ledger = org.ledger(after=mark, threshold=500)
    assert ledger["over_threshold"] == 0 and ledger["refused"] == 0
    assert sum(one.json["calls"]["api"] for one in done) == ledger["spent"]["api"]


def test_two_processes_cannot_run_one_job(spent: tuple[RunningOrg, CommandLine]) -> None:
    """P2: a job has one process; a dead one's job is taken over at once."""
    org, home = spent
    running = waiting(home, "--objects", ONE)
    job = home("jobs", "--json").json[-1]
    running.process.kill()
    running.ended()
    org.control("clock", {"advance_minutes": 25 * 60})
    done = home("resume", job["job_id"], "--json")
    assert done.code == 0 and done.json["state"] == "completed"
