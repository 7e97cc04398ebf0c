"""kill -9 amid the bodies of files and amid the metadata: a real process ends, the next one goes on (P2)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.backup.bodies import reading as bodies
from sfnb.backup.metadata import listing, reading
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.settings import Settings
from sfnb.store.bodies.listing import list_bodies
from sfnb.store.metadata.view import contents, metadata_of
from sfnb.store.verify import verify
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")

OBJECTS = ["ContentVersion", "Attachment", "Document"]
PLACES: list[tuple[Any, str, int]] = [
    (bodies, "receive", 3),
    (bodies, "receive", 8),
    (listing, "list_components", 2),
    (reading, "retrieve", 1),
    (reading, "put_record", 1),
]
"""Where the process dies: before the n-th call of what fetches a body, lists, retrieves, ends."""


def die_at(module: Any, name: str, count: int) -> None:
    """Have this process killed when the function is called for the ``count``-th time."""
    original, calls = getattr(module, name), iter(range(1, 1_000_000))

    def counted(*args: Any, **options: Any) -> Any:
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **options)

    setattr(module, name, counted)


def work(settings: Settings, place: int | None) -> None:
    """The victim: goes on with the job if there is one, else starts it."""
    if place is not None:
        die_at(*PLACES[place])
    with connect("demo", settings=settings) as org:
        jobs = org.state.jobs.find()
        if jobs:
            engine.resume(org, jobs[-1].job_id)
        else:
            engine.run(org, backup(objects=OBJECTS, metadata=True))


def held(there: Any) -> tuple[Any, Any]:
    """What the newest snapshot has of files and of metadata."""
    snapshot = there.snapshots["latest"]
    found = {(b.body.object_name, b.body.id, b.body.field): b.sha256 for b in list_bodies(snapshot)}
    record = metadata_of(there.snapshots, snapshot)
    return found, sorted(path for path, _ in contents(snapshot, record))


def test_killed_amid_bodies_and_metadata_the_job_ends_equal_to_an_undisturbed_one(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> None:
    """P2: each of five kills costs at most what was in flight; nothing is lost, nothing is damaged."""
    org = fresh_org(max_calls=100_000)
    whole, home = settings_for(org, tmp_path / "whole"), settings_for(org, tmp_path / "killed")
    with connect("demo", settings=whole) as undisturbed:
        summary = engine.run(undisturbed, backup(objects=OBJECTS, metadata=True))
        assert summary["state"] == "completed" and summary["files"]["fetched"] > 8
        expected = held(undisturbed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    for place in [*range(len(PLACES)), None]:
        victim = context.Process(target=work, args=(home, place))
        victim.start()
        victim.join(120)
        assert victim.exitcode == (0 if place is None else -signal.SIGKILL), PLACES[place or 0]
    with connect("demo", settings=home) as there:
        job = there.state.jobs.find()[-1]
        assert job.state == "completed" and len(there.state.jobs.find()) == 1
        assert held(there) == expected
        assert [f for f in verify(there.store) if f.is_damage] == []
