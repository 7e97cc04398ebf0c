"""
Cancelling a job, wherever it is: its snapshot is sealed, its Bulk jobs are aborted in the org.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.errors import CallerError
from sfnb.jobs import events
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector, SharedClock

BIG = "Contact"
OBJECTS = ["Account", BIG]
POLL = re.compile(r"/jobs/query/\w+$")


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg]) -> RunningOrg:
    """A Bulk job of this org takes an hour."""
    return fresh_org(objects={BIG: 12_000}, bulk_job_s=3600.0, max_calls=100_000)


def aborts(org: RunningOrg) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = org.ledger(calls=True)["calls"]
    return [call for call in calls if call["method"] == "PATCH"]


def pause_when_polled(org: RunningOrg) -> None:
    """The third poll of a Bulk job meets an org whose calls are used up."""
    org.fail(
        fault="error",
        match=r"^GET .*/jobs/query/\w+$",
        nth=3,
        times=1,
        code="REQUEST_LIMIT_EXCEEDED",
        message="TotalRequests Limit exceeded.",
        status=403,
    )


def paused(org: RunningOrg, there: Connection) -> dict[str, Any]:
    pause_when_polled(org)
    summary = engine.run(there, backup(objects=OBJECTS), on_pause="exit")
    assert summary["state"] == "paused"
    return summary


def check_cancelled(there: Connection, summary: dict[str, Any]) -> None:
    job = there.state.jobs.get(summary["job_id"])
    assert job.state == "cancelled" and job.ended_at and not job.is_held
    manifest = there.snapshots[summary["snapshot"]].manifest
    assert manifest.sealed_at is not None and manifest.state == "partial"
    assert manifest.objects["Account"].state == "complete"


def test_a_paused_job_that_nobody_runs_is_sealed_by_the_command(
    org: RunningOrg, connected: Connector, tmp_path: Path
) -> None:
    """`sfnb cancel` seals the snapshot of a paused job, and aborts its Bulk job in the org."""
    there = connected(org, clock=SharedClock(org))
    home = CommandLine.with_org(tmp_path / "home", org)
    pause_when_polled(org)
    done = home("backup", "x", "--objects", ",".join(OBJECTS), "--on-pause", "exit", "--json")
    assert done.code == 75
    cancelled = home("cancel", done.json["job_id"])
    assert cancelled.code == 0 and "can be read" in cancelled.out
    shown = home("show", "x", done.json["snapshot"], "--json").json
    assert shown["sealed_at"] and shown["state"] == "partial"
    assert len(aborts(org)) == 1 and aborts(org)[0]["status"] == 200
    again = home("cancel", done.json["job_id"])
    assert again.code == 2 and "is cancelled" in again.err
    assert home("resume", done.json["job_id"]).code == 2
    del there


def test_a_handle_cancels_a_job_that_has_paused_and_returned(
    org: RunningOrg, connected: Connector
) -> None:
    """`job.cancel()` ends a job whose thread is over as well."""
    there = connected(org, clock=SharedClock(org))
    pause_when_polled(org)
    job = engine.start(there, backup(objects=OBJECTS), on_pause="exit")
    summary = job.wait(60)
    assert summary["state"] == "paused" and not job.is_running
    job.cancel()
    check_cancelled(there, summary)
    with pytest.raises(CallerError, match="nothing to resume"):
        job.resume()


def test_a_handle_resumes_a_job_that_has_paused_and_returned(
    org: RunningOrg, connected: Connector
) -> None:
    """`job.resume()` runs a job whose thread is over on a new one, in the same snapshot."""
    there = connected(org, clock=SharedClock(org))
    pause_when_polled(org)
    job = engine.start(there, backup(objects=OBJECTS), on_pause="exit")
    summary = job.wait(60)
    assert summary["state"] == "paused"
    job.resume()
    done = job.wait(60)
    assert done["state"] == "completed" and done["snapshot"] == summary["snapshot"]
    assert aborts(org) == [], "its Bulk job was read on"
    polls = [call for call in org.ledger(calls=True)["calls"] if POLL.search(call["target"])]
    assert len(polls) <= 40, "a job of an hour is polled less and less often, resumed or not"


def test_a_running_job_that_is_cancelled_aborts_its_bulk_job(
    org: RunningOrg, connected: Connector
) -> None:
    """The org does not go on working for a reading that nobody wants."""
    there = connected(org, clock=SharedClock(org))

    def cancel(event: events.Event) -> None:
        if isinstance(event, events.ObjectProgress) and event.state == "complete":
            engine.control(there).cancel(event.job_id)

    summary = engine.run(there, backup(objects=OBJECTS), emit=cancel)
    check_cancelled(there, summary)
    (abort,) = aborts(org)
    assert re.search(r"/jobs/query/\w+$", abort["target"]) and abort["status"] == 200


def test_a_closed_gate_leaves_the_bulk_job_and_says_so(
    org: RunningOrg, connected: Connector
) -> None:
    """
    P1: aborting is no reason to exceed the limit: the job is cancelled, the Bulk job is left, a
    sentence says it.
    """
    there = connected(org, clock=SharedClock(org))
    summary = paused(org, there)
    org.control("quota", {"spend": {"api": 60_000}})
    there.limits()
    mark = org.mark()
    answer = engine.control(there).cancel(summary["job_id"])
    check_cancelled(there, summary)
    assert "Bulk jobs of Contact" in answer.says and "seven days" in answer.says
    assert org.ledger(after=mark)["spent"] == {}


def test_an_org_that_is_away_does_not_hinder_cancelling(
    org: RunningOrg, connected: Connector
) -> None:
    """A job is cancelled and sealed even when the org does not answer."""
    there = connected(org, clock=SharedClock(org))
    summary = paused(org, there)
    org.fail(fault="status503")
    answer = engine.control(there).cancel(summary["job_id"])
    check_cancelled(there, summary)
    assert "could not be aborted" in answer.says


def test_a_reading_that_leaves_its_bulk_job_aborts_it(
    org: RunningOrg, connected: Connector
) -> None:
    """
    An object that goes over to another reader while its Bulk job still runs aborts that job, once.
    """
    there = connected(org, clock=SharedClock(org))
    org.fail(
        fault="error",
        match=r"^GET .*/jobs/query/\w+$",
        nth=2,
        times=1,
        code="INSUFFICIENT_ACCESS",
        message="insufficient access rights on cross-reference id",
        status=403,
    )
    summary = engine.run(there, backup(objects=OBJECTS))
    assert summary["state"] == "completed" and summary["objects"][BIG]["rows"] > 11_000
    assert [call["status"] for call in aborts(org)] == [200]


REFUSED_POLL = {
    "fault": "error",
    "match": r"^GET .*/jobs/query/\w+$",
    "code": "FEATURENOTENABLED",
    "message": "No polls here.",
    "status": 400,
}


def pause_at_rows(there: Connection) -> events.Sink:
    def ask(event: events.Event) -> None:
        if isinstance(event, events.ObjectProgress) and event.object_name == BIG and event.rows:
            engine.control(there).pause(event.job_id)

    return ask


def test_a_reading_that_goes_another_way_aborts_its_bulk_job_before_it_pauses(
    org: RunningOrg, connected: Connector
) -> None:
    """The org does not go on working for it, though the job pauses after the first page of the other way."""
    there = connected(org, clock=SharedClock(org))
    org.fail(**REFUSED_POLL)
    emit = pause_at_rows(there)
    summary = engine.run(there, backup(objects=[BIG]), on_pause="exit", workers=1, emit=emit)
    assert summary["state"] == "paused" and summary["objects"][BIG]["state"] == "partial"
    assert [abort["status"] for abort in aborts(org)] == [200]


@pytest.mark.parametrize("then", ["resume", "cancel"])
def test_an_abort_that_did_not_get_through_is_sent_after_the_pause(
    org: RunningOrg, connected: Connector, then: str
) -> None:
    """Whoever resumes or cancels the job asks the org again to abort what nobody reads any more."""
    there = connected(org, clock=SharedClock(org))
    org.fail(**REFUSED_POLL)
    org.fail(fault="error", match="^PATCH ", code="SERVER_UNAVAILABLE", message="Busy.", status=500)
    emit = pause_at_rows(there)
    summary = engine.run(there, backup(objects=[BIG]), on_pause="exit", workers=2, emit=emit)
    assert summary["state"] == "paused" and aborts(org)[-1]["status"] == 500
    org.control("faults", method="DELETE")
    mark = org.mark()
    if then == "cancel":
        engine.control(there).cancel(summary["job_id"])
    else:
        assert engine.resume(there, summary["job_id"])["state"] == "completed"
    after = org.ledger(after=mark, calls=True)["calls"]
    assert [call["status"] for call in after if call["method"] == "PATCH"] == [200]


def test_an_object_left_out_is_not_asked_again_after_a_pause(
    org: RunningOrg, connected: Connector
) -> None:
    """What the job has found out that nobody can query costs no call at the resume."""
    there = connected(org, clock=SharedClock(org))
    org.fail(
        fault="error",
        object="Account",
        code="INVALID_TYPE_FOR_OPERATION",
        message="entity type Account does not support query",
        status=400,
    )
    summary = paused(org, there)
    assert summary["objects"]["Account"]["left_out"]
    mark = org.mark()
    done = engine.resume(there, summary["job_id"])
    assert done["state"] == "completed" and done["objects"]["Account"]["left_out"]
    said = done["objects"]["Account"]["message"]
    assert said == summary["objects"]["Account"]["message"] and "does not support query" in said
    asked = [c["target"] for c in org.ledger(after=mark, calls=True)["calls"]]
    assert not [target for target in asked if "Account" in target], asked
    assert "Account" in there.snapshots[done["snapshot"]].manifest.left_out
