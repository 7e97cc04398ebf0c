"""Records whose parents come back under new Ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfnb.clock import FakeClock
from sfnb.installation import connect
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for
from tests.faults.restore_world import World
from tests.restore_campaign.records import save

Reference = dict[str, Any]


@pytest.fixture
def org(tmp_path: Path) -> Iterator[RunningOrg]:
    options = Options(size="tiny", competitors="off", minutes_per_second=0.0, header_lag_s=0.0)
    with DemoServer(options, tmp_path / "org") as server:
        yield RunningOrg(**server.ready(), server=server)


@pytest.fixture
def world(org: RunningOrg, tmp_path: Path) -> Iterator[World]:
    with connect("demo", settings=settings_for(org, tmp_path / "home"), clock=FakeClock()) as mine:
        yield World(org, mine)


def have(org: RunningOrg, name: str, field: str = "", **reference: Any) -> None:
    """The org has an object of this name, with a lookup."""
    org.control("schema", {"do": "add_object", "object": name, "fields": []})
    if field:
        what = {"do": "add_field", "object": name, "field": field, "type": "reference"}
        org.control("schema", what | reference)


def made(org: RunningOrg, name: str, *rows: dict[str, Any]) -> list[str]:
    return [row["id"] for row in save(org, "POST", name, list(rows))]


def test_what_cannot_be_set_again_is_named_and_not_sent(org: RunningOrg, world: World) -> None:
    """The plan names the fields, in the living and in the undeleted record; the org refuses nothing."""
    have(org, "Alpha__c", "Parent__c", refs=["Alpha__c"], is_updateable=False)
    (parent,) = made(org, "Alpha__c", {"Name": "parent"})
    children = ({"Name": name, "Parent__c": parent} for name in ("in the bin", "alive"))
    buried, alive = made(org, "Alpha__c", *children)
    world.backup("Alpha__c")
    world.delete([buried])
    world.delete([parent], hard=True)
    summary = world.restore()
    assert summary["state"] == "completed", summary
    wanted = {"created": 1, "updated": 0, "undeleted": 1, "skipped": 1, "refused": 0}
    assert summary["restored"] == wanted
    named = [(r["object"], r["field"], r["reason"], r["rows"]) for r in summary["refusals"]]
    assert {one[:3] for one in named} == {("Alpha__c", "Parent__c", "field_not_writable")}
    assert sum(rows for *_, rows in named) == 2
    assert {r["Id"] for r in world.rows("SELECT Id FROM Alpha__c")} >= {buried, alive}


def test_details_of_a_master_that_is_made_anew_are_made_anew(org: RunningOrg, world: World) -> None:
    """The bin has them, and gives them back to nobody: their master is gone for good."""
    have(org, "Alpha__c")
    have(org, "Beta__c", "Master__c", refs=["Alpha__c"], is_detail=True)
    (master,) = made(org, "Alpha__c", {"Name": "master"})
    made(org, "Beta__c", *({"Name": name, "Master__c": master} for name in ("one", "two")))
    world.backup("Alpha__c", "Beta__c")
    world.delete([master])
    org.control("rows", {"do": "purge", "object": "Alpha__c"})
    summary = world.restore()
    assert summary["state"] == "completed", summary["refusals"]
    assert summary["restored"]["created"] == 3 and summary["restored"]["refused"] == 0
    (again,) = world.ids("Alpha__c", limit=2)
    details = world.rows(f"SELECT Name FROM Beta__c WHERE Master__c = '{again}' ORDER BY Name")
    assert [row["Name"] for row in details] == ["one", "two"]
    assert summary["proof"]["different"] == 0


def test_what_came_back_waits_for_what_did_not(org: RunningOrg, world: World) -> None:
    """A lookup to a record that the bin does not give back is filled once that one is made anew."""
    have(org, "Alpha__c")
    have(org, "Beta__c")
    have(org, "Gamma__c", "Pulled__c", refs=["Alpha__c"], on_delete="cascade")
    reference = {"do": "add_field", "type": "reference"}
    org.control(
        "schema", {**reference, "object": "Beta__c", "field": "Friend__c", "refs": ["Gamma__c"]}
    )
    org.control(
        "schema", {**reference, "object": "Gamma__c", "field": "Peer__c", "refs": ["Beta__c"]}
    )
    (top,), (beta,) = made(org, "Alpha__c", {"Name": "top"}), made(org, "Beta__c", {"Name": "b"})
    lost, peer = made(
        org, "Gamma__c", {"Name": "lost", "Pulled__c": top}, {"Name": "peer", "Peer__c": beta}
    )
    save(org, "PATCH", "Beta__c", [{"id": beta, "Friend__c": lost}])
    world.backup("Alpha__c", "Beta__c", "Gamma__c")
    world.delete([beta])
    world.delete([peer])
    world.delete([top])
    org.control("rows", {"do": "purge", "object": "Alpha__c"})
    summary = world.restore()
    assert summary["restored"]["refused"] == 0, summary["refusals"]
    (again,) = world.rows("SELECT Id FROM Gamma__c WHERE Name = 'lost'")
    (found,) = world.rows(f"SELECT Friend__c FROM Beta__c WHERE Id = '{beta}'")
    assert again["Id"] != lost and found["Friend__c"] == again["Id"]
    assert summary["proof"]["different"] == 0
