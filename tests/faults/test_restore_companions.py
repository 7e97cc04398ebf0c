"""Records that are there already when a restore comes to make them: found, put right, never made twice."""

from __future__ import annotations

import base64
import re
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


def test_emails_come_back_with_relations_files_and_one_task(world: World) -> None:
    """
    An e-mail is a draft until its relations and files are there; the task that the org makes for it
    stands for the old one; of one that is alive nobody tries what the org allows nobody.
    """
    account, contact = world.ids("Account", limit=1)[0], made(world, "Contact", LastName="Reader")
    case = made(world, "Case", Subject="with mail")
    call = made(world, "Task", Subject="answer", Status="Completed", Priority="High")
    texts = {
        "Status": "5", "Subject": "Offer", "FromAddress": "a@x.example", "TextBody": "Hello",
        "MessageDate": "2026-05-04T10:00:00Z",
    }  # fmt: skip
    mails = [
        made(world, "EmailMessage", RelatedToId=account, **texts),
        made(world, "EmailMessage", ParentId=case, ActivityId=call, **texts),
    ]
    version = made(
        world, "ContentVersion", Title="Offer", PathOnClient="o.txt", VersionData="aGVsbG8="
    )
    (document,) = world.rows(f"SELECT ContentDocumentId FROM ContentVersion WHERE Id = '{version}'")
    for mail in mails:
        to = {"RelationType": "ToAddress", "RelationAddress": "r@x.example"}
        made(world, "EmailMessageRelation", EmailMessageId=mail, RelationId=contact, **to)
        link = {"ContentDocumentId": document["ContentDocumentId"], "ShareType": "V"}
        made(world, "ContentDocumentLink", LinkedEntityId=mail, Visibility="AllUsers", **link)
        world.update("EmailMessage", mail, Status="3")
    (task,) = world.rows(f"SELECT ActivityId FROM EmailMessage WHERE Id = '{mails[0]}'")
    world.update("Task", task["ActivityId"], Description="note of a person")
    world.org.control("clock", {"advance_minutes": 30})
    names = ("EmailMessage", "EmailMessageRelation", "Task", "Case", "Contact")
    files = ("ContentDocument", "ContentVersion", "ContentDocumentLink")
    engine.run(world.mine, engine.backup(objects=[*names, *files], metadata=False))
    world.org.control("clock", {"advance_minutes": 30})
    for name, ids in (
        ("EmailMessage", mails), ("Task", [task["ActivityId"], call]), ("Contact", [contact]),
        ("ContentDocument", [document["ContentDocumentId"]]),
    ):  # fmt: skip
        world.org.control("rows", {"do": "hard_delete", "object": name, "ids": ids})
    summary = world.restore(objects=[*names, "ContentDocument"], files=True)
    assert summary["state"] == "completed", summary
    assert summary["restored"]["refused"] == 0
    assert summary["proof"]["different"] == 0, Path(summary["proof"]["details"]).read_text("utf-8")
    back = world.rows(
        "SELECT Id, ActivityId, ParentId, Status FROM EmailMessage WHERE Subject = 'Offer' "
        "ORDER BY ParentId NULLS FIRST"
    )
    assert [(row["ParentId"], row["Status"]) for row in back] == [(None, "3"), (case, "3")]
    tasks = world.rows(
        "SELECT Id, Subject, Description FROM Task WHERE Subject IN ('Email: Offer', 'answer') "
        "ORDER BY Subject DESC"
    )
    assert [(t["Id"], t["Description"]) for t in tasks] == [
        (back[0]["ActivityId"], "note of a person"),
        (back[1]["ActivityId"], None),
    ]
    for mail in back:
        found = world.rows(
            "SELECT RelationType, Relation.LastName FROM EmailMessageRelation "
            f"WHERE EmailMessageId = '{mail['Id']}' ORDER BY RelationType"
        )
        assert [row["RelationType"] for row in found] == ["FromAddress", "ToAddress"]
        links = world.rows(
            f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{mail['Id']}'"
        )
        assert len(links) == 1
    # Alive and no draft: the plan says what cannot be changed.
    (old,) = world.ids("EmailMessage", limit=1, where=f"Id = '{back[1]['Id']}'")
    world.org.control("rows", {"do": "change", "object": "EmailMessage", "ids": [old],
                               "field": "Subject", "value": "other"})  # fmt: skip
    plan = engine.plan(world.mine, engine.restore(objects=["EmailMessage"])).plan
    assert [(r.object_name, r.field, r.reason) for r in plan.refusals] == [
        ("EmailMessage", "Subject", "no_permission")
    ]


PNG, GIF = b"\x89PNG\r\n\x1a\n" + b"p" * 900, b"GIF89a" + b"g" * 900
REFID = re.compile(r"refid=(\w+)")


def pictures(world: World, name: str, record_id: str, field: str) -> list[bytes]:
    """The bytes of the pictures that a rich text shows, in its order."""
    (row,) = world.rows(f"SELECT {field} FROM {name} WHERE Id = '{record_id}'")
    path = f"{DATA}/sobjects/{name}/{record_id}/richTextImageFields/{field}"
    return [world.org.get(f"{path}/{refid}").content for refid in REFID.findall(row[field])]


def test_pictures_and_documents_come_back_with_their_bytes(world: World) -> None:
    """
    A record that is made anew shows its pictures again, under addresses of its own; without --files
    the plan says that it will not. A Document is made with its file, or not at all.
    """
    shown = "".join(
        f'<img src="data:image/{kind};base64,{base64.b64encode(body).decode()}" alt="A &amp; B">'
        for kind, body in (("png", PNG), ("gif", GIF))
    )
    project = made(world, "Project__c", Name="P", Rich_Notes__c=f"<p>{shown}</p>")
    assert pictures(world, "Project__c", project, "Rich_Notes__c") == [PNG, GIF]
    body = base64.b64encode(b"logo").decode()
    document = made(
        world, "Document", Name="Logo", DeveloperName="Logo_1", Body=body,
        AuthorId=world.ids("User", limit=1)[0],
    )  # fmt: skip
    world.org.control("clock", {"advance_minutes": 30})
    names = ["Project__c", "Document"]
    engine.run(world.mine, engine.backup(objects=names, metadata=False))
    for name, one in (("Project__c", project), ("Document", document)):
        world.org.control("rows", {"do": "hard_delete", "object": name, "ids": [one]})
    ids = [project, document]
    plan = engine.plan(world.mine, engine.restore(ids=ids)).plan
    assert ("pictures", "Project__c") in {(w.code, w.object_name) for w in plan.warnings}
    assert (plan.counts.create, plan.counts.skip) == (1, 1)
    # The first answer to the pictures is lost after the org has taken them.
    world.org.fail(match=r"^PATCH .*/composite/sobjects", times=1, fault="cut")
    summary = world.restore(ids=ids, files=True, on_pause="wait")
    assert summary["state"] == "completed", summary
    assert (summary["files"]["pictures"], summary["files"]["folder_documents"]) == (2, 1)
    assert summary["proof"]["different"] == 0
    (back,) = world.ids("Project__c", limit=2, where="Name = 'P'")
    assert back != project
    assert pictures(world, "Project__c", back, "Rich_Notes__c") == [PNG, GIF]
    (row,) = world.rows("SELECT Rich_Notes__c FROM Project__c WHERE Name = 'P'")
    assert 'alt="A &amp; B"' in row["Rich_Notes__c"]
    (found,) = world.ids("Document", limit=2, where="DeveloperName = 'Logo_1'")
    assert world.org.get(f"{DATA}/sobjects/Document/{found}/Body").content == b"logo"
    # A second restore finds what is there.
    again = world.restore(ids=ids, files=True)
    assert (again["files"]["pictures"], again["files"]["folder_documents"]) == (0, 0)


def test_what_automation_makes_meanwhile_is_named(world: World) -> None:
    """A flow's task for each new contact stands beside the restored one, and a warning says so."""
    contact = made(world, "Contact", LastName="Welcome")
    made(world, "Task", Subject="Welcome", Status="Not Started", Priority="Normal", WhoId=contact)
    world.org.control("clock", {"advance_minutes": 30})
    world.backup("Contact", "Task")
    world.org.control("clock", {"advance_minutes": 30})
    world.org.control("rows", {"do": "hard_delete", "object": "Contact", "ids": [contact]})
    world.org.control("writes", {"rules": {"Welcome_task": True}})
    try:
        summary = world.restore(objects=("Contact", "Task"))
    finally:
        world.org.control("writes", {"rules": {"Welcome_task": False}})
    (found,) = [w for w in summary["warnings"] if w["code"] == "made_meanwhile"]
    (back,) = world.ids("Contact", limit=2, where="LastName = 'Welcome'")
    tasks = world.ids("Task", limit=9, where=f"WhoId = '{back}'")
    assert found["object"] == "Task" and found["message"].startswith("1 records of Task")
    assert [one for one in tasks if one in found["message"]] == [min(tasks)] and len(tasks) == 2


def test_a_living_task_of_an_email_that_is_made_anew_is_named(world: World) -> None:
    """
    The org makes a task for each e-mail, and lets nobody give it one: where the old task is still
    alive there are two afterwards. The plan says so; nothing is deleted on trust.
    """
    (account,) = world.ids("Account", limit=1)
    texts = {
        "Status": "5", "FromAddress": "a@x.example", "RelatedToId": account,
        "MessageDate": "2026-05-04T10:00:00Z",
    }  # fmt: skip
    mails = [made(world, "EmailMessage", Subject=f"Twice {n}", **texts) for n in range(2)]
    rows = world.rows("SELECT Id, ActivityId FROM EmailMessage WHERE Subject LIKE 'Twice %'")
    task = {row["Id"]: row["ActivityId"] for row in rows}
    world.org.control("clock", {"advance_minutes": 30})
    world.backup("EmailMessage", "EmailMessageRelation", "Task")
    world.org.control("clock", {"advance_minutes": 30})
    entry = {"do": "hard_delete", "object": "EmailMessage", "ids": mails}
    world.org.control("rows", entry)
    world.org.control("rows", {"do": "hard_delete", "object": "Task", "ids": [task[mails[0]]]})
    alive = world.ids("Task", limit=9, where=f"Id = '{task[mails[1]]}'")
    assert alive, "the task outlives its e-mail"
    for objects in (["EmailMessage", "Task"], ["EmailMessage"]):
        plan = engine.plan(world.mine, engine.restore(objects=objects)).plan
        (warning,) = [w for w in plan.warnings if w.code == "email_task"]
        assert warning.message.startswith("1 e-mails")
    summary = world.restore(objects=["EmailMessage", "EmailMessageRelation", "Task"])
    assert "email_task" in {w["code"] for w in summary["warnings"]}
    tasks = world.rows("SELECT Subject FROM Task WHERE Subject LIKE 'Email: Twice %'")
    assert sorted(row["Subject"] for row in tasks) == [
        "Email: Twice 0", "Email: Twice 1", "Email: Twice 1",
    ]  # fmt: skip
