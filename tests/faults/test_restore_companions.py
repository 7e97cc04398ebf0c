"""Records that are there already when a restore comes to make them: found, put right, never made twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfnb.clock import FakeClock
from sfnb.installation import connect
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for
from tests.faults.restore_world import DATA, World

OBJECTS = (
    "Account", "Contact", "AccountContactRelation", "Case", "Campaign", "CampaignMember",
    "Pricebook2", "Product2", "PricebookEntry",
)  # fmt: skip


@pytest.fixture
def world(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Iterator[World]:
    org = fresh_org(features=("all",), has_oddities=False, has_event_log=False)
    with connect("demo", settings=settings_for(org, tmp_path / "home"), clock=FakeClock()) as mine:
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
