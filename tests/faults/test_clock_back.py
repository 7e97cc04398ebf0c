"""A clock that is put back while a job is paused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from sfnb import engine
from sfnb.clock import FakeClock, SystemClock
from sfnb.engine import backup
from sfnb.store.verify import verify
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector


@pytest.mark.parametrize("days", [2])
def test_a_job_paused_by_a_later_clock_is_resumed(
    fresh_org: Callable[..., RunningOrg], connected: Connector, days: int
) -> None:
    """P2, P4: what was written in what is the future now holds nobody up, and each record is there once."""
    small_org = fresh_org(max_calls=1000)
    small_org.control("quota", {"spend": {"api": 496}})
    ahead = FakeClock(SystemClock().now() + timedelta(days=days))
    first = engine.run(
        connected(small_org, clock=ahead),
        backup(objects=["Account", "Contact", "Case"]),
        on_pause="exit",
    )
    assert first["state"] == "paused" and first["snapshot"], first
    small_org.control("clock", {"advance_minutes": 25 * 60})
    there = connected(small_org)
    engine.set_limit(there, 100)
    done = engine.resume(there, first["job_id"], on_pause="exit")
    assert done["state"] in ("completed", "completed_with_errors") and not done["error"]
    assert done["snapshot"] == first["snapshot"]
    assert [finding for finding in verify(there.store) if finding.kind != "orphan"] == []
