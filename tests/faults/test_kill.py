"""Pulling the plug: kill -9 at random points, resume, compare with an undisturbed run (P2)."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.settings import Settings
from sfnb.store.verify import verify
from tests.conftest import RunningOrg, run_process
from tests.faults.conftest import settings_for

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(
        sys.platform == "win32", reason="kill -9 is POSIX; TerminateProcess is tried by hand"
    ),
]

KILLS = 1000 if os.environ.get("SFNB_CAMPAIGN") == "full" else 12
KILLS_PER_RUN = 10
OBJECTS = [
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "Case",
    "Task",
    "ContentDocument",
    "ContentDocumentLink",
]


def work(settings: Settings) -> None:
    """The victim: goes on with the job if there is one, else starts it."""
    with connect("demo", settings=settings) as org:
        jobs = org.state.jobs.find()
        if jobs and not jobs[-1].state.is_final:
            engine.resume(org, jobs[-1].job_id)
        elif not jobs:
            engine.run(org, backup(objects=OBJECTS))


def test_killed_at_random_points_a_backup_ends_equal_to_an_undisturbed_one(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """P2: killed again and again, anywhere, and resumed, no row is lost and none is there twice."""
    demo = tmp_path / "demo"
    demo.mkdir()
    process, org = run_process(
        demo, "--size", "tiny", "--objects", "Contact=15000", "--objects", "Lead=5000", "--competitors", "off",
        "--max-calls", "5000000", "--minutes-per-second", "60",
    )  # fmt: skip
    request.addfinalizer(process.wait)
    request.addfinalizer(process.terminate)
    whole = settings_for(org, tmp_path / "whole")
    began_s = time.monotonic()
    with connect("demo", settings=whole) as undisturbed:
        expected = undisturbed.snapshots[
            engine.run(undisturbed, backup(objects=OBJECTS))["snapshot"]
        ]
        takes_s = time.monotonic() - began_s
        frames = {name: expected.table(name).sort_by("Id") for name in OBJECTS}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    chance = random.Random(20261122)  # noqa: S311 - repeatable, guards nothing
    kills = 0
    for number in count():
        kills += one_run(org, tmp_path / f"run-{number}", context, chance, takes_s, frames)
        if kills >= KILLS:
            break


def one_run(  # noqa: PLR0917 - what a run needs
    org: RunningOrg,
    home: Path,
    context: Any,
    chance: random.Random,
    takes_s: float,
    frames: dict[str, Any],
) -> int:
    """One backup, killed up to ten times; how often it was."""
    settings = settings_for(org, home)
    kills = 0
    while True:
        victim = context.Process(target=work, args=(settings,))
        victim.start()
        if kills < KILLS_PER_RUN:
            victim.join(chance.uniform(0.0, takes_s * 0.6))
        else:
            victim.join()
        if victim.is_alive():
            os.kill(victim.pid, signal.SIGKILL)
            kills += 1
        victim.join()
        if victim.exitcode == 0:
            break
        assert victim.exitcode == -signal.SIGKILL
    with connect("demo", settings=settings) as there:
        job = there.state.jobs.find()[-1]
        snapshot = there.snapshots[job.snapshot]
        assert job.state == "completed" and snapshot.manifest.state == "complete"
        for name, expected in frames.items():
            assert snapshot.table(name).sort_by("Id").equals(expected), name
        assert [f for f in verify(there.store) if f.is_damage] == []
    print(f"{home.name}: {kills} kills, equal", flush=True)
    return kills
