# ruff: noqa: E501 - the cases read best as a table
"""
What a Salesforce org does by itself when records are written or deleted, and the rules of standard
objects: as the field met them (SOAP, REST and Bulk guides, Salesforce help).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.contracts.demo_writes import V, collection, create, ingest, records, refusal, row, soap


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    """One org with all features for all tests here; each makes records of its own."""
    options = Options(
        size="tiny", competitors="off", minutes_per_second=0.0, bulk_job_s=0.0, header_lag_s=0.0,
        max_calls=100_000, features=("all",),
    )  # fmt: skip
    with DemoServer(options, tmp_path_factory.mktemp("rules")) as server:
        yield RunningOrg(**server.ready(), server=server)


def one(org: RunningOrg, name: str, record_id: str, *fields: str) -> dict[str, Any]:
    """Fields of one record, deleted or not."""
    soql = f"SELECT {', '.join(fields)} FROM {name} WHERE Id = '{record_id}'"
    (found,) = records(org, soql, "queryAll")
    return {field: found[field] for field in fields}


def patch(org: RunningOrg, name: str, record_id: str, **values: Any) -> str:
    """The code of the refusal of an update; empty: it was taken."""
    answer = org.send("PATCH", f"{V}/sobjects/{name}/{record_id}", json=values)
    return "" if answer.ok else str(answer.json()[0]["errorCode"])


def delete(org: RunningOrg, name: str, record_id: str) -> str:
    answer = org.send("DELETE", f"{V}/sobjects/{name}/{record_id}")
    return "" if answer.ok else str(answer.json()[0]["errorCode"])


def described(org: RunningOrg, name: str, field: str) -> dict[str, Any]:
    fields = org.get(f"{V}/sobjects/{name}/describe").json()["fields"]
    return dict(next(f for f in fields if f["name"] == field))


# --- deleting -------------------------------------------------------------------------------------


def test_a_lookup_is_emptied_and_filled_again(org: RunningOrg) -> None:
    """
    Deleting the parent empties lookups, and moves SystemModstamp alone. Undelete fills custom ones
    and some standard ones again, but not where somebody has put another parent meanwhile.
    """
    account, other = create(org, "Account", Name="A"), create(org, "Account", Name="B")
    child = create(org, "Account", Name="Child", ParentId=account)
    taken = create(org, "Account", Name="Taken", ParentId=account)
    project = create(org, "Project__c", Name="P", Account__c=account)
    campaign = create(org, "Campaign", Name="C")
    deal = create(org, "Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-12-01", CampaignId=campaign)  # fmt: skip
    stamps = ("SystemModstamp", "LastModifiedDate")
    before = one(org, "Project__c", project, *stamps)
    org.control("clock", {"advance_minutes": 2})
    assert delete(org, "Account", account) == delete(org, "Campaign", campaign) == ""
    assert one(org, "Account", child, "ParentId") == {"ParentId": None}
    assert one(org, "Project__c", project, "Account__c") == {"Account__c": None}
    after = one(org, "Project__c", project, *stamps)
    assert after["SystemModstamp"] > before["SystemModstamp"]
    assert after["LastModifiedDate"] == before["LastModifiedDate"]
    assert patch(org, "Account", taken, ParentId=other) == ""
    assert soap(org, "undelete", account, campaign) == [("true", "")] * 2
    assert one(org, "Account", child, "ParentId") == {"ParentId": account}
    assert one(org, "Account", taken, "ParentId") == {"ParentId": other}
    assert one(org, "Project__c", project, "Account__c") == {"Account__c": account}
    assert one(org, "Opportunity", deal, "CampaignId") == {"CampaignId": None}


def test_what_cascades_comes_back_with_its_parent(org: RunningOrg) -> None:
    """Contacts, deals and their tasks go with an account, alone they cannot be undeleted."""
    account = create(org, "Account", Name="A")
    contact = create(org, "Contact", LastName="C", AccountId=account)
    task = create(org, "Task", Subject="T", Status="Completed", Priority="Low", WhoId=contact)
    assert delete(org, "Account", account) == ""
    assert one(org, "Task", task, "IsDeleted", "WhoId") == {"IsDeleted": True, "WhoId": contact}
    assert soap(org, "undelete", task, contact) == [("false", "UNDELETE_FAILED")] * 2
    assert soap(org, "undelete", account) == [("true", "")]
    assert one(org, "Task", task, "IsDeleted", "WhoId") == {"IsDeleted": False, "WhoId": contact}
    relations = {
        (r["childSObject"], r["field"]): (r["cascadeDelete"], r["restrictedDelete"])
        for r in org.get(f"{V}/sobjects/Account/describe").json()["childRelationships"]
    }
    assert relations["Contact", "AccountId"] == (True, False)
    assert relations["Case", "AccountId"] == (False, True)
    assert relations["Account", "ParentId"] == (False, False)


def test_what_left_the_bin_fills_no_lookup_again(org: RunningOrg) -> None:
    """A child that was purged does not come back with its parent, nor do lookups to it."""
    account = create(org, "Account", Name="A")
    contact = create(org, "Contact", LastName="C", AccountId=account)
    report = create(org, "Contact", LastName="R", ReportsToId=contact)
    assert delete(org, "Account", account) == ""
    org.control("rows", {"do": "purge", "object": "Contact"})
    assert soap(org, "undelete", account) == [("true", "")]
    assert not records(org, f"SELECT Id FROM Contact WHERE Id = '{contact}'", "queryAll")
    assert one(org, "Contact", report, "ReportsToId") == {"ReportsToId": None}


def test_some_children_keep_their_parent_alive(org: RunningOrg) -> None:
    """Cases, required lookups, activated orders and contracts, won deals: DELETE_FAILED, nothing gone."""
    account = create(org, "Account", Name="A")
    contact = create(org, "Contact", LastName="C", AccountId=account)
    case = create(org, "Case", Subject="S", Status="New", Priority="Low", ContactId=contact)
    assert delete(org, "Account", account) == delete(org, "Contact", contact) == "DELETE_FAILED"
    assert one(org, "Contact", contact, "IsDeleted") == {"IsDeleted": False}
    assert delete(org, "Case", case) == ""
    deal = create(org, "Opportunity", Name="O", StageName="Closed Won", CloseDate="2026-12-01", AccountId=account)  # fmt: skip
    assert delete(org, "Account", account) == "DELETE_FAILED"
    assert patch(org, "Opportunity", deal, StageName="Closed Lost") == ""
    order = create(org, "Order", AccountId=account, EffectiveDate="2026-01-01", Status="Draft")
    assert patch(org, "Order", order, Status="Activated") == ""
    done = ingest(org, "delete", "Account", f"Id\n{account}\n")
    assert done["failedResults"][0]["sf__Error"].startswith("DELETE_FAILED:")
    assert delete(org, "Order", order) == "DELETE_FAILED"
    assert patch(org, "Order", order, Status="Draft") == ""
    invoice = create(org, "Invoice__c", Account__c=account, Date__c="2026-01-01", State__c="Open")
    assert delete(org, "Account", account) == "DELETE_FAILED"
    assert delete(org, "Invoice__c", invoice) == delete(org, "Account", account) == ""
    assert one(org, "Order", order, "IsDeleted") == {"IsDeleted": True}


def test_a_circle_of_cascades_ends(org: RunningOrg) -> None:
    """Two records that take each other along go both, and come back both."""
    org.control("schema", [
        {"do": "add_object", "object": "Ring_A__c"},
        {"do": "add_object", "object": "Ring_B__c", "fields": [{"field": "A__c", "type": "reference", "refs": ["Ring_A__c"], "on_delete": "cascade"}]},
        {"do": "add_field", "object": "Ring_A__c", "field": "B__c", "type": "reference", "refs": ["Ring_B__c"], "on_delete": "cascade"},
    ])  # fmt: skip
    a = create(org, "Ring_A__c", Name="a")
    b = create(org, "Ring_B__c", Name="b", A__c=a)
    assert patch(org, "Ring_A__c", a, B__c=b) == ""
    assert delete(org, "Ring_B__c", b) == ""
    assert one(org, "Ring_A__c", a, "IsDeleted") == {"IsDeleted": True}
    assert soap(org, "undelete", b) == [("true", "")]
    assert one(org, "Ring_A__c", a, "IsDeleted", "B__c") == {"IsDeleted": False, "B__c": b}


def test_what_others_delete_follows_the_same_rules(org: RunningOrg) -> None:
    """``/control/rows`` takes rows that may go, and says why one may not."""
    account = create(org, "Account", Name="A")
    case = create(org, "Case", Subject="S", Status="New", Priority="Low", AccountId=account)
    done = org.control("rows", {"do": "delete", "object": "Account", "rows": 3})
    gone = done["done"][0]["ids"] if "done" in done else done["ids"]
    assert len(gone) == 3
    assert account not in gone
    answer = requests.post(
        f"{org.url}/control/rows",
        json={"do": "delete", "object": "Account", "ids": [account]},
        headers={"X-Demo-Control": org.control_token},
        timeout=60,
    )
    assert (answer.status_code, case in answer.text) == (400, True)


# --- standard objects -----------------------------------------------------------------------------


def test_direct_relations_come_by_themselves(org: RunningOrg) -> None:
    """One for each contact with an account; another account makes the old one indirect."""
    first, second = create(org, "Account", Name="A"), create(org, "Account", Name="B")
    contact = create(org, "Contact", LastName="C", AccountId=first)

    def relations() -> dict[str, bool]:
        soql = (
            f"SELECT AccountId, IsDirect FROM AccountContactRelation WHERE ContactId = '{contact}'"
        )
        return {r["AccountId"]: r["IsDirect"] for r in records(org, soql)}

    assert relations() == {first: True}
    again = {"AccountId": first, "ContactId": contact}
    assert refusal(org, "AccountContactRelation", **again)[0] == "DUPLICATE_VALUE"
    create(org, "AccountContactRelation", AccountId=second, ContactId=contact, Roles="Influencer")
    assert relations() == {first: True, second: False}
    assert patch(org, "Contact", contact, AccountId=second) == ""
    assert relations() == {first: False, second: True}
    direct = records(org, f"SELECT Id FROM AccountContactRelation WHERE ContactId = '{contact}' AND IsDirect = true")[0]["Id"]  # fmt: skip
    assert delete(org, "AccountContactRelation", direct) == "DELETE_FAILED"


def test_person_accounts(org: RunningOrg) -> None:
    """
    Written as accounts, by LastName, FirstName and ``__pc`` fields; Name is refused; the contact
    comes by itself under an Id of its own, follows, and cannot be written.
    """
    kind = records(org, "SELECT Id FROM RecordType WHERE DeveloperName = 'PersonAccount'")[0]["Id"]
    named = {"RecordTypeId": kind, "LastName": "Ada", "Name": "Ada"}
    assert refusal(org, "Account", **named) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"])
    assert refusal(org, "Account", RecordTypeId=kind) == ("REQUIRED_FIELD_MISSING", ["LastName"])
    assert refusal(org, "Account", Name="B", PersonEmail="a@b.example")[1] == ["PersonEmail"]
    person = create(org, "Account", RecordTypeId=kind, FirstName="Ada", LastName="L", Level__pc="Primary", PersonMailingCity="Bern")  # fmt: skip
    found = one(org, "Account", person, "Name", "IsPersonAccount", "PersonContactId")
    assert (found["Name"], found["IsPersonAccount"]) == ("Ada L", True)
    contact = found["PersonContactId"]
    fields = ("Name", "Level__c", "MailingCity", "AccountId", "IsPersonAccount")
    assert list(one(org, "Contact", contact, *fields).values()) == ["Ada L", "Primary", "Bern", person, True]  # fmt: skip
    assert patch(org, "Account", person, LastName="King", Level__pc=None) == ""
    assert list(one(org, "Contact", contact, "Name", "Level__c").values()) == ["Ada King", None]
    assert patch(org, "Contact", contact, LastName="X") == "INVALID_PERSON_ACCOUNT_OPERATION"
    assert refusal(org, "Contact", LastName="X", AccountId=person)[0] == "INVALID_PERSON_ACCOUNT_OPERATION"  # fmt: skip
    assert delete(org, "Account", person) == ""
    assert one(org, "Contact", contact, "IsDeleted") == {"IsDeleted": True}
    assert soap(org, "undelete", person) == [("true", "")]
    assert one(org, "Contact", contact, "IsDeleted") == {"IsDeleted": False}
    assert len(records(org, "SELECT Id FROM Account WHERE IsPersonAccount = true")) > 3


def test_invited_users_get_child_events(org: RunningOrg) -> None:
    """An invitee who is a user gets an event of its own, which takes no invitees."""
    event = create(org, "Event", Subject="E", StartDateTime="2026-12-01T08:00:00Z", DurationInMinutes=30)  # fmt: skip
    user = records(org, "SELECT Id FROM User ORDER BY Id LIMIT 4")[3]["Id"]
    create(org, "EventRelation", EventId=event, RelationId=user, IsInvitee=True, Status="New")
    child = records(org, f"SELECT Id, Subject FROM Event WHERE IsChild = true AND OwnerId = '{user}'")[-1]  # fmt: skip
    assert child["Subject"] == "E"
    assert one(org, "Event", event, "IsGroupEvent") == {"IsGroupEvent": True}
    again = {"EventId": child["Id"], "RelationId": user, "IsInvitee": True}
    assert refusal(org, "EventRelation", **again)[0] == "FIELD_INTEGRITY_EXCEPTION"
    assert refusal(org, "Event", Subject="E", IsChild=True)[0] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_another_owner_loses_the_account_team(org: RunningOrg) -> None:
    """A new OwnerId by REST or Bulk deletes the team; another field does not."""
    account = create(org, "Account", Name="A")
    user = records(org, "SELECT Id FROM User ORDER BY Id LIMIT 4")[3]["Id"]
    create(org, "AccountTeamMember", AccountId=account, UserId=user)
    team = f"SELECT Id FROM AccountTeamMember WHERE AccountId = '{account}'"
    assert patch(org, "Account", account, Phone="1") == ""
    assert len(records(org, team)) == 1
    ingest(org, "update", "Account", f"Id,OwnerId\n{account},{user}\n")
    assert not records(org, team)


def test_converted_leads_are_history(org: RunningOrg) -> None:
    """Both dates on insert, where audit fields are enabled; otherwise unconverted; never changed."""
    lead = {"LastName": "L", "Company": "C", "Status": "Qualified", "IsConverted": True}
    account = create(org, "Account", Name="A")
    plain = create(org, "Lead", **lead)
    assert one(org, "Lead", plain, "IsConverted") == {"IsConverted": False}
    assert refusal(org, "Lead", **lead, ConvertedDate="2020-02-03")[0] == "INVALID_FIELD_FOR_INSERT_UPDATE"  # fmt: skip
    org.control("writes", {"audit_fields": True})
    assert described(org, "Lead", "ConvertedDate")["createable"]
    lead |= {"ConvertedDate": "2020-02-03", "ConvertedAccountId": account, "LastName": "M"}
    assert refusal(org, "Lead", **lead) == ("FIELD_INTEGRITY_EXCEPTION", ["ConvertedDate"])
    made = create(org, "Lead", **lead, CreatedDate="2020-01-01T00:00:00Z")
    org.control("writes", {"audit_fields": False})
    assert one(org, "Lead", made, "IsConverted", "ConvertedAccountId") == {"IsConverted": True, "ConvertedAccountId": account}  # fmt: skip
    assert patch(org, "Lead", made, Phone="1") == "CANNOT_UPDATE_CONVERTED_LEAD"


def test_setup_objects_and_others_in_one_transaction(org: RunningOrg) -> None:
    """MIXED_DML_OPERATION in a graph or an all-or-none call, all rolled back; apart they are taken."""
    group = create(org, "Group", Name="G", DeveloperName="G", Type="Regular")
    user = records(org, "SELECT Id FROM User ORDER BY Id LIMIT 4")[3]["Id"]
    member = {"GroupId": group, "UserOrGroupId": user}
    nodes = [
        {"method": "POST", "url": f"{V}/sobjects/Account", "referenceId": "a", "body": {"Name": "Mixed"}},
        {"method": "POST", "url": f"{V}/sobjects/GroupMember", "referenceId": "m", "body": member},
    ]  # fmt: skip
    graph = {"graphs": [{"graphId": "g", "compositeRequest": nodes}]}
    (answer,) = org.send("POST", f"{V}/composite/graph", json=graph).json()["graphs"]
    assert not answer["isSuccessful"]
    assert "MIXED_DML_OPERATION" in str(answer)
    both = [row("Account", Name="Mixed"), row("GroupMember", **member)]
    codes = {r["errors"][0]["statusCode"] for r in collection(org, "POST", "", both, allOrNone=True)}  # fmt: skip
    assert codes == {"ALL_OR_NONE_OPERATION_ROLLED_BACK", "MIXED_DML_OPERATION"}
    assert not records(org, "SELECT Id FROM Account WHERE Name = 'Mixed'")
    assert all(r["success"] for r in collection(org, "POST", "", both))


def test_merge_by_soap(org: RunningOrg) -> None:
    """Losers go to the bin with MasterRecordId, their children point to the winner, also after undelete."""
    winner, loser = create(org, "Account", Name="W"), create(org, "Account", Name="L")
    contact = create(org, "Contact", LastName="C", AccountId=loser)
    message = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:u="urn:partner.soap.sforce.com">'
        f"<e:Header><u:SessionHeader><u:sessionId>{org.access_token}</u:sessionId></u:SessionHeader></e:Header>"
        f"<e:Body><u:merge><u:request><u:masterRecord><u:type>Account</u:type><u:Id>{winner}</u:Id><u:Phone>5</u:Phone>"
        f"</u:masterRecord><u:recordToMergeIds>{loser}</u:recordToMergeIds></u:request></u:merge></e:Body></e:Envelope>"
    )
    answer = requests.post(f"{org.url}/services/Soap/u/66.0", data=message, timeout=60).text
    assert f"<mergedRecordIds>{loser}</mergedRecordIds><success>true</success>" in answer
    assert f"<updatedRelatedIds>{contact}</updatedRelatedIds>" in answer
    assert one(org, "Account", loser, "IsDeleted", "MasterRecordId") == {"IsDeleted": True, "MasterRecordId": winner}  # fmt: skip
    assert one(org, "Account", winner, "Phone") == {"Phone": "5"}
    assert soap(org, "undelete", loser) == [("true", "")]
    assert one(org, "Account", loser, "MasterRecordId") == {"MasterRecordId": None}
    assert one(org, "Contact", contact, "AccountId") == {"AccountId": winner}


# --- values ---------------------------------------------------------------------------------------


def test_picklists_that_depend(org: RunningOrg) -> None:
    """
    A restricted picklist takes only what fits the controlling value and the record type; describe
    tells the first as bits of ``validFor``, and the second not at all.
    """
    org.control("schema", [
        {"do": "picklist", "object": "Account", "field": "Region__c", "is_restricted": True},
        {"do": "add_field", "object": "Account", "field": "Country__c", "type": "picklist", "values": ["DE", "FR", "US"], "is_restricted": True},
        {"do": "picklist", "object": "Account", "field": "Country__c", "controller": "Region__c", "valid_for": {"DE": ["EMEA"], "FR": ["EMEA"], "US": ["AMER"]}},
        {"do": "picklist", "object": "Project__c", "field": "Phase__c", "by_record_type": {"Internal": ["Idea", "Build"]}},
    ])  # fmt: skip
    create(org, "Account", Name="A", Region__c="EMEA", Country__c="FR")
    wrong = ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Country__c"])
    assert refusal(org, "Account", Name="A", Region__c="AMER", Country__c="FR") == wrong
    field = described(org, "Account", "Country__c")
    assert (field["dependentPicklist"], field["controllerName"]) == (True, "Region__c")
    bits = {v["value"]: base64.b64decode(v["validFor"])[0] for v in field["picklistValues"]}
    assert bits == {"DE": 0b10000000, "FR": 0b10000000, "US": 0b01000000}
    kinds = {r["DeveloperName"]: r["Id"] for r in records(org, "SELECT Id, DeveloperName FROM RecordType WHERE SobjectType = 'Project__c'")}  # fmt: skip
    create(org, "Project__c", Name="P", RecordTypeId=kinds["Client_Work"], Phase__c="Run")
    refused = refusal(org, "Project__c", Name="P", RecordTypeId=kinds["Internal"], Phase__c="Run")
    assert refused == ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Phase__c"])


def test_record_types_are_given_by_profile(org: RunningOrg) -> None:
    """A type that the profile lacks is not available in describe, and refused."""
    kind = records(org, "SELECT Id FROM RecordType WHERE DeveloperName = 'Complaint'")[0]["Id"]
    org.control("access", {"record_type": "Case.Complaint", "has": False})
    case = {"Subject": "S", "Status": "New", "Priority": "Low", "RecordTypeId": kind}
    assert refusal(org, "Case", **case) == ("INVALID_CROSS_REFERENCE_KEY", ["RecordTypeId"])
    infos = org.get(f"{V}/sobjects/Case/describe").json()["recordTypeInfos"]
    assert [i["available"] for i in infos if i["recordTypeId"] == kind] == [False]
    org.control("access", {"record_type": "Case.Complaint", "has": True})
    create(org, "Case", **case)


def test_case_counts_where_the_field_says_so(org: RunningOrg) -> None:
    """Unique values differ by case only in a case-sensitive field."""
    org.control("schema", {"do": "add_field", "object": "Project__c", "field": "Code__c", "type": "string", "is_unique": True, "is_external_id": True, "is_case_sensitive": True})  # fmt: skip
    assert described(org, "Project__c", "Code__c")["caseSensitive"]
    create(org, "Project__c", Name="P", Code__c="ab")
    create(org, "Project__c", Name="P", Code__c="AB")
    assert refusal(org, "Project__c", Name="P", Code__c="ab") == ("DUPLICATE_VALUE", ["Code__c"])


def test_bulk_knows_no_header_for_duplicates(org: RunningOrg) -> None:
    """allowSave is heeded by collections, not by Bulk; assignment rules run only if a job names one."""
    lead = {"LastName": "Twin", "Email": "bulk-twin@example.com", "Company": "C", "Status": "Open"}
    create(org, "Lead", **lead)
    text = "LastName,Email,Company,Status\nTwin,bulk-twin@example.com,C,Open\n"
    done = ingest(org, "insert", "Lead", text)
    assert done["failedResults"][0]["sf__Error"].startswith("DUPLICATES_DETECTED:")
    org.control("writes", {"rules": {"Case_to_queue": True}})
    owners = []
    for more in ({}, {"assignmentRuleId": "01Q000000000001AAA"}):
        made = ingest(org, "insert", "Case", "Subject,Status,Priority\nS,New,Low\n", **more)
        owners.append(one(org, "Case", made["successfulResults"][0]["sf__Id"], "OwnerId")["OwnerId"][:3])  # fmt: skip
    org.control("writes", {"rules": {"Case_to_queue": False}})
    assert owners == ["005", "00G"]


def test_the_standard_price_book_is_there_and_stays(org: RunningOrg) -> None:
    """One, in every org; IsStandard cannot be set, it cannot be deleted; prices and lines fit each other."""
    (standard,) = records(org, "SELECT Id FROM Pricebook2 WHERE IsStandard = true")
    assert delete(org, "Pricebook2", standard["Id"]) == "DELETE_FAILED"
    assert refusal(org, "Pricebook2", Name="P", IsStandard=True)[0] == "INVALID_FIELD_FOR_INSERT_UPDATE"  # fmt: skip
    soql = "SELECT Opportunity.Pricebook2Id, PricebookEntry.Pricebook2Id, Product2Id, PricebookEntry.Product2Id FROM OpportunityLineItem"
    lines = records(org, soql)
    assert lines
    for line in lines:
        entry = line["PricebookEntry"]
        assert line["Product2Id"] == entry["Product2Id"]
        assert line["Opportunity"]["Pricebook2Id"] in (None, entry["Pricebook2Id"])


def test_two_orgs_have_ids_of_their_own(
    org: RunningOrg, fresh_org: Callable[..., RunningOrg]
) -> None:
    """Another seed is another org: its own Id and those of records differ, users keep theirs."""
    other = fresh_org(seed=2)
    assert other.org_id != org.org_id
    for name in ("Account", "Project__c"):
        mine, theirs = (
            {r["Id"] for r in records(o, f"SELECT Id FROM {name}")} for o in (org, other)
        )
        assert mine
        assert not mine & theirs
    user = "SELECT Id FROM User WHERE Username = 'admin@acme.test'"
    assert [r["Id"] for r in records(org, user)] == [r["Id"] for r in records(other, user)]
