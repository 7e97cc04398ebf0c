"""A store and a state of sfnb 0.1: its paused job is resumed by today's sfnb."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sfnb import engine
from sfnb.engine import backup
from sfnb.model import reader_of
from sfnb.store.verify import verify
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector
from tests.faults.old_rows import check_resumed, stored

FIXTURE = Path(__file__).parents[1] / "fixtures" / "format1.zip"
PAUSED = "f3de25ba"


def test_the_paused_job_of_an_old_sfnb_ends_equal_to_an_undisturbed_backup(
    fresh_org: Callable[..., RunningOrg], connected: Connector, tmp_path: Path
) -> None:
    """P2: plan and cursors that name a `road` are resumed in the same snapshot, each record exactly once."""
    org = fresh_org(
        size="small", start_at=datetime(2026, 11, 27, 6, 3, tzinfo=UTC), has_oddities=False
    )
    home = tmp_path / "old"
    with zipfile.ZipFile(FIXTURE) as archive:
        archive.extractall(home)
    there = connected(org, home="old")
    job = there.state.jobs.get(PAUSED)
    assert job.state == "paused" and org.org_id == job.org_id
    planned = there.snapshots[job.snapshot or ""].plan.objects
    assert reader_of(planned["ContentDocumentLink"]) == "by_parent"
    assert reader_of(planned["Contact"]) == "keyset"
    before = stored(there.snapshots[job.snapshot or ""], job.objects or ())
    summary = engine.resume(there, PAUSED)
    assert summary["state"] == "completed" and summary["snapshot"] == job.snapshot
    whole = connected(org, home="whole")
    expected = whole.snapshots[engine.run(whole, backup(objects=job.objects))["snapshot"]]
    found = there.snapshots[summary["snapshot"]]
    check_resumed(job.objects or (), before, found, expected)
    assert [finding for finding in verify(there.store) if finding.kind != "note"] == []
