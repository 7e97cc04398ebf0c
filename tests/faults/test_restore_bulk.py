"""Restores by Bulk API 2.0: every call of a job may lose its answer, fail, or be this process's last."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.errors import LeaseLost
from sfnb.state import schema
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector
from tests.faults.restore_world import World

ROWS = 3_600
"""So many that those who report to nobody, which are made first, are enough for a Bulk job."""
FIELDS = "LastName,FirstName,Email,Phone,External_Id__c,Birthdate,HasOptedOutOfEmail,Description"
CREATE, UPLOAD = r"^POST .*/jobs/ingest/?$", r"^PUT .*/jobs/ingest/"
CLOSE, LOOK = r"^PATCH .*/jobs/ingest/", r"^GET .*/jobs/ingest/\w+/?$"
RESULTS = r"^GET .*/jobs/ingest/\w+/\w+"
CALLS = (CREATE, UPLOAD, CLOSE, LOOK, RESULTS)
IS_WHOLE = os.environ.get("SFNB_CAMPAIGN") == "full"


@pytest.fixture
def world(fresh_org: Callable[..., RunningOrg], connected: Connector) -> World:
    """Contacts enough for a Bulk job, backed up and gone for good."""
    org = fresh_org(own_data=True, has_oddities=False, objects={"Contact": ROWS + 100})
    here = World(org, connected(org, clock=FakeClock()))
    here.backup("Contact")
    return here


def contacts(world: World) -> list[dict[str, Any]]:
    return world.rows(f"SELECT {FIELDS} FROM Contact ORDER BY External_Id__c")


def damage(world: World) -> int:
    """Delete most contacts for good; how many."""
    before = len(contacts(world))
    world.org.control("rows", {"do": "hard_delete", "object": "Contact", "rows": ROWS})
    return before - len(contacts(world))


def test_every_lost_answer_of_a_job_is_found_out(world: World) -> None:
    """The org did what it was sent, each time, and nobody heard: no row twice, none lost."""
    before = contacts(world)
    gone = damage(world)
    for match in CALLS:
        world.org.fail(match=match, fault="cut", times=1)
    summary = world.restore()
    assert summary["calls"]["bulk"] >= 1, "a Bulk job carried them"
    assert summary["restored"]["created"] == gone
    assert contacts(world) == before


@pytest.mark.campaign
@pytest.mark.parametrize("match", CALLS if IS_WHOLE else (UPLOAD, CLOSE, RESULTS))
def test_another_process_goes_on_with_the_job(
    world: World, connected: Connector, match: str
) -> None:
    """The process ends at this call, whose answer it never noted; another one resumes."""
    before = contacts(world)
    gone = damage(world)
    job_id = engine.create(world.mine, engine.restore())
    world.org.fail(match=match, fault="cut", times=1)
    world.org.fail(match="/(jobs/ingest|queryAll|composite)", fault="status503", nth=9)
    summary = engine.run_job(world.mine, job_id, on_pause="exit")
    assert summary["state"] == "paused"
    world.org.control("faults", method="DELETE")
    again = connected(world.org, clock=FakeClock())
    summary = engine.resume(again, job_id)
    assert summary["restored"]["created"] == gone
    assert contacts(world) == before


def test_a_job_that_fails_halfway_goes_on_with_the_rest(world: World) -> None:
    """Failed: some rows are done, some refused, the rest unprocessed; only that goes again."""
    before = contacts(world)
    gone = damage(world)
    world.org.control("writes", {"job_stops_after": 900})
    summary = world.restore()
    assert summary["calls"]["bulk"] >= 1, "a Bulk job carried them"
    assert summary["restored"]["created"] == gone
    assert contacts(world) == before


def test_results_in_any_order_belong_to_their_rows(world: World) -> None:
    """Salesforce promises no order: each new Id is that of its own old one."""
    before = {
        row["External_Id__c"]: row["Id"] for row in world.rows(f"SELECT Id,{FIELDS} FROM Contact")
    }
    gone = damage(world)
    summary = world.restore()
    after = {
        row["External_Id__c"]: row["Id"] for row in world.rows(f"SELECT Id,{FIELDS} FROM Contact")
    }
    lines = Path(summary["id_map"]).read_text(encoding="utf-8").splitlines()
    mapped = dict(line.split(",")[1:] for line in lines)
    changed = {before[key]: after[key] for key in before if before[key] != after[key]}
    assert len(changed) == gone
    assert {old: mapped[old] for old in changed} == changed


@pytest.mark.parametrize(
    "answer",
    [
        {"drop": [0, 1, 700, -1], "replace": [["(?<=003\\w{12})\\w{3}\\b", ""]]},
        {"replace": [["003\\w{15}", "003"]]},
        {"replace": [[".+", "no file"]]},
    ],
    ids=["rows miss, short Ids", "no Ids", "nonsense"],
)
def test_results_that_are_not_as_they_should_be(world: World, answer: dict[str, Any]) -> None:
    """Rows without a line, short Ids, no file at all, each time: every row is found in the org."""
    before = contacts(world)
    gone = damage(world)
    world.org.fail(match=RESULTS, fault="rewrite", **answer)
    summary = world.restore()
    assert summary["calls"]["bulk"] >= 1, "a Bulk job carried them"
    assert summary["restored"]["created"] == gone
    assert contacts(world) == before
    lines = Path(summary["id_map"]).read_text(encoding="utf-8").splitlines()[1:]
    assert len(lines) == gone
    assert {len(line.split(",")[2]) for line in lines} == {18}


def test_who_lost_the_lease_sends_nothing_more(world: World) -> None:
    """Another process took the job over: this one writes no further row."""
    damage(world)
    job_id = engine.create(world.mine, engine.restore())
    world.org.control("writes", {"job_stops_after": 300})
    marks: list[int] = []

    def steal(event: object) -> None:
        if type(event).__name__ == "ObjectProgress" and not marks:
            with world.mine.state.database.write() as connection:
                stolen = update(schema.jobs).where(schema.jobs.c.job_id == job_id)
                connection.execute(stolen.values(lease_token="another"))
            marks.append(world.org.mark())

    with pytest.raises(LeaseLost):
        engine.run_job(world.mine, job_id, emit=steal)
    calls = world.org.ledger(after=marks[0], calls=True)["calls"]
    assert [call for call in calls if call["method"] != "GET"] == []
