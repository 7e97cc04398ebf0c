"""A store and a state of the second format: its paused job is resumed by today's sfnb."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sfnb import engine
from sfnb.engine import backup
from sfnb.store.verify import verify
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector
from tests.faults.old_rows import check_resumed, stored

FIXTURE = Path(__file__).parents[1] / "fixtures" / "format2.zip"
PAUSED = "4618a816"
COMPLETE = "20261127T105819Z-940e48"


def test_the_paused_job_of_the_second_format_ends_equal_to_an_undisturbed_backup(
    fresh_org: Callable[..., RunningOrg], connected: Connector, tmp_path: Path
) -> None:
    """
    P2: the snapshot goes on in the tables that it began in, each record exactly once. The next backup
    is of today's format and reads everything; then old and new snapshots read as they were made.
    """
    org = fresh_org(
        size="small", start_at=datetime(2026, 11, 27, 6, 3, tzinfo=UTC), has_oddities=False
    )
    with zipfile.ZipFile(FIXTURE) as archive:
        archive.extractall(tmp_path / "old")
    there = connected(org, home="old")
    job = there.state.jobs.get(PAUSED)
    assert job.state == "paused" and org.org_id == job.org_id
    paused = stored(there.snapshots[job.snapshot or ""], job.objects or ())
    before = there.snapshots[COMPLETE].table("Account").sort_by("Id")
    assert before.num_rows > 0
    summary = engine.resume(there, PAUSED)
    assert summary["state"] == "completed" and summary["snapshot"] == job.snapshot
    assert not Path(there.store.root, "records").exists()
    planned = engine.plan(there, backup(objects=job.objects)).plan.objects.values()
    assert all("`sfnb store upgrade`" in one.why for one in planned)
    new = there.snapshots[engine.run(there, backup(objects=job.objects))["snapshot"]]
    assert Path(there.store.root, "records", "Account").is_dir()
    check_resumed(job.objects or (), paused, there.snapshots[summary["snapshot"]], new)
    assert there.snapshots[COMPLETE].table("Account").sort_by("Id").equals(before)
    assert [finding for finding in verify(there.store) if finding.kind != "note"] == []
