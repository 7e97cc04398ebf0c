"""A process that was stopped, lost its job to another and wakes again writes nothing more (P2)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from sfnb import engine
from sfnb.installation import connect
from sfnb.memory import open_state
from sfnb.settings import load_settings
from sfnb.state import schema
from sfnb.store.verify import verify
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.faults.conftest import SharedClock

OBJECTS = "Account,Contact"


def expire(home: Path) -> None:
    """The lease as another host sees it after a minute: nobody can tell whether its process lives."""
    past = datetime(2020, 1, 1, tzinfo=UTC)
    with (
        open_state(f"sqlite:///{home / 'state.db'}") as state,
        state.database.write() as connection,
    ):
        connection.execute(update(schema.jobs).values(lease_host="elsewhere", lease_until=past))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that stops a process")
def test_a_process_that_lost_its_job_writes_nothing(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its successor finishes; state, events, pauses and store are the successor's when it has ended, too."""
    org = fresh_org(objects={"Contact": 12_000}, bulk_job_s=3600.0, max_calls=100_000)
    command = CommandLine.with_org(tmp_path / "home", org)
    stopped = command.start("backup", "x", "--objects", OBJECTS, "--json")
    stopped.wait_for("Account")
    os.kill(stopped.process.pid, signal.SIGSTOP)
    try:
        expire(command.home)
        for name, value in command.environ.items():
            monkeypatch.setenv(name, value)
        with connect("x", settings=load_settings(), clock=SharedClock(org)) as there:
            (job,) = there.state.jobs.find()
            done = engine.resume(there, job.job_id)
            assert done["state"] == "completed"
            jobs = there.state.jobs
            before = (jobs.get(job.job_id), jobs.events(job.job_id), jobs.objects(job.job_id))
            os.kill(stopped.process.pid, signal.SIGCONT)
            ended = stopped.ended()
            assert ended.code == 1 and "another process has taken it over" in ended.sentence
            assert before == (
                jobs.get(job.job_id),
                jobs.events(job.job_id),
                jobs.objects(job.job_id),
            )
            assert (
                there.snapshots["latest"].table("Contact").num_rows
                == done["objects"]["Contact"]["rows"]
            )
            assert [found for found in verify(there.store) if found.kind != "orphan"] == []
    finally:
        if stopped.process.poll() is None:
            stopped.process.kill()
