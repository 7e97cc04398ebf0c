"""Records that are there already when a restore comes to make them: found, put right, never made twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.installation import connect
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for
from tests.faults.restore_world import DATA, World

OBJECTS = (
    "Account", "Contact", "AccountContactRelation", "Case", "Campaign", "CampaignMember",
    "Pricebook2", "Product2", "PricebookEntry",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An org in which everything is switched on; each test has objects of its own."""
    folder = tmp_path_factory.mktemp("companions")
    options = Options(
        size="tiny", competitors="off", minutes_per_second=0.0, bulk_job_s=0.0, header_lag_s=0.0,
        max_calls=1_000_000, features=("all",), has_oddities=False,
    )  # fmt: skip
    with DemoServer(options, folder / "org") as server:
        org = RunningOrg(**server.ready(), server=server)
        with connect(
            "demo", settings=settings_for(org, folder / "home"), clock=FakeClock()
        ) as mine:
            yield World(org, mine)


def made(world: World, name: str, **values: Any) -> str:
    answer = world.org.send("POST", f"{DATA}/sobjects/{name}", json=values)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_what_the_org_makes_by_itself_is_found_and_put_right(world: World) -> None:
    """
    A person's contact, direct relations, a campaign member that somebody added again, prices: each is
    there once, as it was, and what referred to them refers to them again.
    """
    (person,) = world.rows(
        "SELECT Id, PersonContactId FROM Account WHERE IsPersonAccount = true LIMIT 1"
    )
    case = made(world, "Case", Subject="of a person", ContactId=person["PersonContactId"])
    account, other = world.ids("Account", limit=2, where="IsPersonAccount = false")
    contact = made(world, "Contact", LastName="Two", AccountId=account)
    (direct,) = world.ids("AccountContactRelation", limit=1, where=f"ContactId = '{contact}'")
    world.update("AccountContactRelation", direct, Roles="Decision Maker")
    made(world, "AccountContactRelation", ContactId=contact, AccountId=other, Roles="Evaluator")
    (campaign,) = world.ids("Campaign", limit=1)
    made(world, "CampaignMember", CampaignId=campaign, ContactId=contact, Status="Sent")
    again = made(world, "Contact", LastName="Again")
    made(world, "CampaignMember", CampaignId=campaign, ContactId=again, Status="Responded")
    (standard,) = world.ids("Pricebook2", limit=1, where="IsStandard = true")
    (book,) = world.ids("Pricebook2", limit=1, where="IsStandard = false")
    product = made(world, "Product2", Name="Thing")
    price = {"Product2Id": product, "UnitPrice": 5, "IsActive": True}
    first = made(world, "PricebookEntry", Pricebook2Id=standard, **price)
    made(world, "PricebookEntry", Pricebook2Id=book, **price)
    world.delete([first])
    made(world, "PricebookEntry", Pricebook2Id=standard, **price)  # after the other one, by its Id
    world.org.control("clock", {"advance_minutes": 30})
    world.backup(*OBJECTS)
    world.org.control("clock", {"advance_minutes": 30})

    (old,) = world.ids("CampaignMember", limit=1, where=f"ContactId = '{again}'")
    world.delete([old])
    made(world, "CampaignMember", CampaignId=campaign, ContactId=again, Status="Sent")
    for name, one in (
        ("Case", case), ("Account", person["Id"]), ("Contact", contact), ("Product2", product),
    ):  # fmt: skip
        world.org.control("rows", {"do": "hard_delete", "object": name, "ids": [one]})
    summary = world.restore(objects=OBJECTS)
    assert summary["restored"]["refused"] == 0, summary
    assert summary["proof"]["different"] == 0, Path(summary["proof"]["path"]).read_text("utf-8")

    (now,) = world.rows("SELECT ContactId FROM Case WHERE Subject = 'of a person'")
    (back,) = world.rows(
        f"SELECT Id, AccountId FROM Contact WHERE Id = '{now['ContactId']}' AND IsPersonAccount = true"
    )
    assert world.ids("Contact", limit=9, where=f"AccountId = '{back['AccountId']}'") == [back["Id"]]
    (two,) = world.ids("Contact", limit=9, where="LastName = 'Two'")
    relations = world.rows(
        "SELECT AccountId, IsDirect, Roles FROM AccountContactRelation "
        f"WHERE ContactId = '{two}' ORDER BY IsDirect DESC"
    )
    assert [(r["AccountId"], r["IsDirect"], r["Roles"]) for r in relations] == [
        (account, True, "Decision Maker"),
        (other, False, "Evaluator"),
    ]
    members = world.rows(
        "SELECT ContactId, Status FROM CampaignMember "
        f"WHERE CampaignId = '{campaign}' AND ContactId IN ('{two}', '{again}')"
    )
    assert sorted((m["ContactId"], m["Status"]) for m in members) == sorted(
        [(two, "Sent"), (again, "Responded")]
    )
    prices = world.rows("SELECT Pricebook2Id FROM PricebookEntry WHERE Product2.Name = 'Thing'")
    assert {p["Pricebook2Id"] for p in prices} == {standard, book}


def test_a_value_that_the_record_type_does_not_allow_is_named_beforehand(world: World) -> None:
    """A restricted picklist is checked against the record's own type, and costs no call more."""
    types = world.rows("SELECT Id, DeveloperName FROM RecordType WHERE SobjectType = 'Project__c'")
    kinds = {row["DeveloperName"]: row["Id"] for row in types}
    run = made(world, "Project__c", Name="R", RecordTypeId=kinds["Internal"], Phase__c="Run")
    idea = made(world, "Project__c", Name="I", RecordTypeId=kinds["Internal"], Phase__c="Idea")
    other = made(world, "Project__c", Name="C", RecordTypeId=kinds["Client_Work"], Phase__c="Run")
    ids = [run, idea, other]
    world.org.control("clock", {"advance_minutes": 30})
    world.backup("Project__c", "RecordType")
    world.org.control("rows", {"do": "hard_delete", "object": "Project__c", "ids": ids})
    before = engine.plan(world.mine, engine.restore(ids=ids)).plan
    assert before.counts.create == 3
    entry = {"do": "picklist", "object": "Project__c", "field": "Phase__c"}
    world.org.control("schema", entry | {"by_record_type": {"Internal": ["Idea", "Build"]}})
    plan = engine.plan(world.mine, engine.restore(ids=ids)).plan
    assert (plan.counts.create, plan.counts.refuse) == (2, 1)
    (refusal,) = plan.refusals
    assert (refusal.field, refusal.reason, refusal.rows) == (
        "Phase__c",
        "picklist_value_retired",
        1,
    )
    assert "record type" in refusal.message
    assert plan.preparation_calls == before.preparation_calls
    assert world.restore(ids=ids)["restored"]["created"] == 2


def test_a_lookup_leads_again_to_what_came_back_with_another_record(world: World) -> None:
    """
    An asset that nobody has backed up comes back with its contact, and cases refer to it again; a
    reference to one that is gone for good is named, and its record is not written for nothing.
    """
    kept, lost = (made(world, "Contact", LastName="Owner") for _ in range(2))
    assets = [made(world, "Asset", Name="Pump", ContactId=contact) for contact in (kept, lost)]
    cases = [made(world, "Case", Subject="Broken", AssetId=asset) for asset in assets]
    world.org.control("clock", {"advance_minutes": 30})
    world.backup("Contact", "Case")
    world.org.control("clock", {"advance_minutes": 30})
    world.delete([kept])
    world.org.control("rows", {"do": "hard_delete", "object": "Contact", "ids": [lost]})
    summary = world.restore(objects=("Contact", "Case"))
    assert summary["plan"] == {"create": 1, "update": 1, "undelete": 1, "skip": 1, "refuse": 0}
    assert [(r["object"], r["field"], r["reason"], r["rows"]) for r in summary["refusals"]] == [
        ("Case", "AssetId", "parent_missing", 1)
    ]
    found = world.rows(f"SELECT AssetId FROM Case WHERE Id IN {tuple(cases)} ORDER BY Id")
    assert [row["AssetId"] for row in found] == [assets[0], None]
    assert summary["proof"]["different"] == 0
