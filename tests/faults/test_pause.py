"""Pausing on the quota and going on, against a demo org whose clock the test pushes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sfnb import engine
from sfnb.engine import backup
from sfnb.jobs import events
from sfnb.model import JobState, ObjectState
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector, SharedClock

OBJECTS = [
    "Account",
    "Contact",
    "Opportunity",
    "Case",
    "Lead",
    "Task",
    "Event",
    "ContentDocumentLink",
]


@pytest.fixture
def small_org(fresh_org: Callable[..., RunningOrg]) -> RunningOrg:
    return fresh_org(max_calls=1000)


def test_a_pause_of_many_hours_ends_by_itself_in_the_same_snapshot(
    small_org: RunningOrg, connected: Connector
) -> None:
    """
    P4: at the threshold the job pauses, asks every 30 minutes, and finishes when calls have come
    back.
    """
    small_org.control("quota", {"spend": {"api": 496}})
    clock = SharedClock(small_org)
    org = connected(small_org, clock=clock)
    seen: list[events.Event] = []
    mark = small_org.mark()
    summary = engine.run(org, backup(objects=OBJECTS), emit=seen.append)
    assert summary["state"] == "completed"
    assert len(summary["pauses"]) >= 1
    pause = summary["pauses"][0]
    assert pause["api"] == "api" and pause["resumed_at"] and pause["max"] == 1000
    checks = [e for e in seen if isinstance(e, events.QuotaChecked)]
    assert len(checks) >= 40, "the window is 24 hours, the org is asked every half hour"
    ledger = small_org.ledger(after=mark, threshold=500, calls=True)
    assert ledger["over_threshold"] == 0, "P1: only the probe may exceed the threshold"
    over = [call for call in ledger["calls"] if call["used"] > 500]
    assert over and all(call["target"].endswith("/limits") for call in over)
    assert org.snapshots[summary["snapshot"]].manifest.state == "complete"


def test_what_a_paused_backup_has_stored_can_be_read(
    small_org: RunningOrg, connected: Connector
) -> None:
    """P3: with exit, the job ends paused; its manifest says what is there, and that can be read."""
    small_org.control("quota", {"spend": {"api": 490}})
    org = connected(small_org)
    summary = engine.run(org, backup(), on_pause="exit")
    assert summary["state"] == "paused"
    snapshot = org.snapshots[summary["snapshot"]]
    states = {name: entry.state for name, entry in snapshot.manifest.objects.items()}
    assert snapshot.manifest.state == "partial"
    assert ObjectState.COMPLETE in states.values() and ObjectState.UNTOUCHED in states.values()
    for name, state in states.items():
        if state is ObjectState.COMPLETE:
            assert len(snapshot.frame(name)) == snapshot.manifest.objects[name].rows


def test_a_resumed_backup_equals_an_undisturbed_one(
    small_org: RunningOrg, connected: Connector
) -> None:
    """
    P2: paused and resumed in other processes as often as it takes, each record is there exactly
    once.
    """
    whole = connected(small_org, home="whole")
    engine.set_limit(whole, 100)
    expected = engine.run(whole, backup(objects=OBJECTS))
    small_org.control("clock", {"advance_minutes": 25 * 60})
    small_org.control("quota", {"spend": {"api": 496}})
    summary = engine.run(connected(small_org), backup(objects=OBJECTS), on_pause="exit")
    rounds = 0
    while summary["state"] == "paused" and rounds < 20:
        rounds += 1
        small_org.control("clock", {"advance_minutes": 25 * 60})
        summary = engine.resume(connected(small_org), summary["job_id"], on_pause="exit")
    assert rounds >= 1 and summary["state"] == "completed"
    one, other = (
        whole.snapshots[expected["snapshot"]],
        connected(small_org).snapshots[summary["snapshot"]],
    )
    for name in OBJECTS:
        first, second = one.frame(name).sort_values("Id"), other.frame(name).sort_values("Id")
        assert first.reset_index(drop=True).equals(second.reset_index(drop=True)), name


def test_a_raised_limit_ends_the_pause_without_asking_the_org(
    small_org: RunningOrg, connected: Connector
) -> None:
    """A saved change of the limit is obeyed by a paused job within a second, at no call."""
    small_org.control("quota", {"spend": {"api": 498}})
    clock = SharedClock(small_org)
    org = connected(small_org, clock=clock)

    def raise_limit(event: events.Event) -> None:
        if isinstance(event, events.JobPaused):
            engine.set_limit(org, 100, reason="first full backup")

    summary = engine.run(org, backup(objects=OBJECTS), emit=raise_limit)
    assert summary["state"] == "completed" and len(summary["pauses"]) == 1
    assert [entry.new for entry in org.state.audit.entries()]
    assert org.state.audit.verify() == []


def test_cancelling_leaves_a_snapshot_that_can_be_read(
    small_org: RunningOrg, connected: Connector
) -> None:
    """A cancelled job is sealed as partial, and cannot be resumed."""
    small_org.control("quota", {"spend": {"api": 490}})
    org = connected(small_org, clock=SharedClock(small_org))

    def cancel(event: events.Event) -> None:
        if isinstance(event, events.JobPaused):
            engine.control(org).cancel(event.job_id)

    summary = engine.run(org, backup(), emit=cancel)
    assert summary["state"] == JobState.CANCELLED
    assert org.snapshots[summary["snapshot"]].manifest.sealed_at is not None
    with pytest.raises(Exception, match="nothing to resume"):
        engine.resume(org, summary["job_id"])
