# ruff: noqa: E501 - the cases read best as a table
"""
The demo org's writing half: each way to write, and what is refused by it with Salesforce's codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.contracts.demo_writes import (
    KINDS,
    NOWHERE,
    V,
    collection,
    create,
    ended,
    ingest,
    records,
    refusal,
    row,
    soap,
)


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    """One org for all tests here; each makes records of its own, and puts switches back."""
    options = Options(
        size="tiny", competitors="off", minutes_per_second=0.0, bulk_job_s=0.0, header_lag_s=0.0,
        max_calls=100_000,
    )  # fmt: skip
    with DemoServer(options, tmp_path_factory.mktemp("writing")) as server:
        yield RunningOrg(**server.ready(), server=server)


@pytest.fixture
def switches(org: RunningOrg) -> Iterator[Any]:
    """Sets ``/control/writes``, and puts everything back after the test."""
    before = org.control("writes")["rules"]
    yield lambda **given: org.control("writes", given)
    saver = org.server.org.database.saver  # type: ignore[union-attr]
    saver.hindrances.locked.clear()
    saver.hindrances.most_rows.clear()
    rules = {name: rule["active"] for name, rule in before.items()}
    org.control("writes", {"free_rows": None, "audit_fields": False, "rules": rules})


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("Contact", {"FirstName": "A"}, "REQUIRED_FIELD_MISSING"),
        ("Account", {"Name": "A", "Nope__c": 1}, "INVALID_FIELD"),
        ("Account", {"Name": "A", "SystemModstamp": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Account", {"Name": "A", "CreatedDate": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Account", {"Name": "A", "Is_Large__c": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Account", {"Name": "A", "Id": NOWHERE}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ("Contact", {"LastName": "A", "AccountId": NOWHERE}, "INVALID_CROSS_REFERENCE_KEY"),
        ("Contact", {"LastName": "A", "AccountId": "003000000000000AAA"}, "FIELD_INTEGRITY_EXCEPTION"),
        ("Contact", {"LastName": "A", "Account": {"External_Id__c": "none"}}, "INVALID_FIELD"),
        ("Account", {"Name": "A", "RecordTypeId": "012000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ("Project__c", {"Name": "A", "Phase__c": "Nowhen"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ("Milestone__c", {"Comment__c": "no master"}, "REQUIRED_FIELD_MISSING"),
        ("Account", {"Name": "x" * 256}, "STRING_TOO_LONG"),
        ("Account", {"Name": "A", "AnnualRevenue": "much"}, "JSON_PARSER_ERROR"),
        ("Opportunity", {"Name": "A", "StageName": "Closed Won", "CloseDate": "2026-01-01", "Amount": -1}, "FIELD_CUSTOM_VALIDATION_EXCEPTION"),
        ("Contract", {"AccountId": "*Account", "Status": "Activated"}, "FAILED_ACTIVATION"),
        ("CampaignMember", {"CampaignId": "*Campaign", "Status": "Sent"}, "REQUIRED_FIELD_MISSING"),
        ("AccountHistory", {"AccountId": "*Account"}, "INVALID_TYPE_FOR_OPERATION"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_code(
    org: RunningOrg, name: str, values: dict[str, Any], code: str
) -> None:
    """A wrong record is refused with the code that clients look for, and nothing is written."""
    count = f"SELECT COUNT() FROM {name}"
    total = org.get(f"{V}/query?q={quote(count)}").json()["totalSize"]
    for key, value in values.items():
        if str(value).startswith("*"):
            values = {**values, key: records(org, f"SELECT Id FROM {value[1:]} LIMIT 1")[0]["Id"]}
    assert refusal(org, name, **values)[0] == code
    assert org.get(f"{V}/query?q={quote(count)}").json()["totalSize"] == total


def test_parents_that_are_gone_or_inactive(org: RunningOrg) -> None:
    """A deleted parent, an inactive owner and a public group are no parents."""
    parent = create(org, "Account", Name="Gone")
    org.send("DELETE", f"{V}/sobjects/Account/{parent}")
    assert refusal(org, "Contact", LastName="A", AccountId=parent) == (
        "ENTITY_IS_DELETED",
        ["AccountId"],
    )
    inactive = records(org, "SELECT Id FROM User WHERE Username LIKE 'user9@%'")[0]["Id"]
    left = {
        "do": "change",
        "object": "User",
        "ids": [inactive],
        "field": "IsActive",
        "value": False,
    }
    org.control("rows", left)
    assert refusal(org, "Account", Name="A", OwnerId=inactive)[0] == "INACTIVE_OWNER_OR_USER"
    group = records(org, "SELECT Id FROM Group WHERE Type != 'Queue' LIMIT 1")[0]["Id"]
    assert refusal(org, "Account", Name="A", OwnerId=group)[0] == "INVALID_CROSS_REFERENCE_KEY"
    other = records(org, "SELECT Id FROM RecordType WHERE SobjectType = 'Case' LIMIT 1")[0]["Id"]
    assert refusal(org, "Account", Name="A", RecordTypeId=other)[0] == "INVALID_CROSS_REFERENCE_KEY"


def test_unique_values_and_duplicate_rules(org: RunningOrg) -> None:
    """
    One external id in one living record, in any case; a duplicate rule alerts unless allowSave.
    """
    first = create(org, "Account", Name="A", External_Id__c="uni-1")
    assert refusal(org, "Account", Name="B", External_Id__c="UNI-1") == (
        "DUPLICATE_VALUE",
        ["External_Id__c"],
    )
    twice = [row("Account", Name="C", External_Id__c="uni-2")] * 2
    assert [r["success"] for r in collection(org, "POST", "", twice)] == [True, False]
    org.send("DELETE", f"{V}/sobjects/Account/{first}")
    create(org, "Account", Name="B", External_Id__c="uni-1")
    lead = {"LastName": "Twin", "Email": "twin@example.com", "Company": "C", "Status": "Open"}
    create(org, "Lead", **lead)
    assert refusal(org, "Lead", **lead)[0] == "DUPLICATES_DETECTED"
    allow = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert org.send("POST", f"{V}/sobjects/Lead", json=lead, headers=allow).status_code == 201


def test_automation_changes_and_makes_records(org: RunningOrg, switches: Any) -> None:
    """A flow writes into a record, another makes a second one; switched off, neither does."""
    switches(rules={"Account_region": True, "Welcome_task": True, "Case_to_queue": True})
    account = create(org, "Account", Name="A", Region__c="APAC")
    assert (
        records(org, f"SELECT Region__c FROM Account WHERE Id = '{account}'")[0]["Region__c"]
        == "EMEA"
    )
    contact = create(org, "Contact", LastName="A")
    assert len(records(org, f"SELECT Id FROM Task WHERE WhoId = '{contact}'")) == 1
    owners = []
    for header in ({}, {"Sforce-Auto-Assign": "FALSE"}):
        made = org.send(
            "POST", f"{V}/sobjects/Case", json={"Subject": "S", "Status": "New"}, headers=header
        )
        case = records(org, f"SELECT OwnerId FROM Case WHERE Id = '{made.json()['id']}'")[0]
        owners.append(case["OwnerId"][:3])
    assert owners == ["00G", "005"]
    switches(rules={"Account_region": False, "Email_or_phone": True})
    assert refusal(org, "Contact", LastName="A")[0] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    account = create(org, "Account", Name="A", Region__c="APAC")
    assert (
        records(org, f"SELECT Region__c FROM Account WHERE Id = '{account}'")[0]["Region__c"]
        == "APAC"
    )


def test_locks_limits_and_a_full_org(org: RunningOrg, switches: Any) -> None:
    """A locked parent refuses its children so often; too many rows fail together; no room is said."""
    parent = create(org, "Account", Name="Locked")
    switches(lock={parent: 2})
    three = [row("Contact", LastName=f"L{n}", AccountId=parent) for n in range(3)]
    saved = collection(org, "POST", "", three)
    assert [r["success"] for r in saved] == [False, False, True]
    assert saved[0]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    switches(most_rows={"Contact": 2})
    assert not any(r["success"] for r in collection(org, "POST", "", three))
    assert all(r["success"] for r in collection(org, "POST", "", three[:2]))
    switches(free_rows=1, most_rows={"Contact": 200})
    saved = collection(org, "POST", "", three)
    assert [r["success"] for r in saved] == [True, False, False]
    assert saved[1]["errors"][0]["statusCode"] == "STORAGE_LIMIT_EXCEEDED"


def test_audit_fields_where_they_are_enabled(org: RunningOrg, switches: Any) -> None:
    """On insert only, never by an upsert or update; describe says so."""
    switches(audit_fields=True)
    fields = {f["name"]: f for f in org.get(f"{V}/sobjects/Contact/describe").json()["fields"]}
    assert (fields["CreatedDate"]["createable"], fields["SystemModstamp"]["createable"]) == (
        True,
        False,
    )
    old = {"LastName": "Old", "CreatedDate": "2019-05-06T07:08:09Z"}
    made = create(org, "Contact", **old)
    found = records(org, f"SELECT CreatedDate FROM Contact WHERE Id = '{made}'")[0]
    assert found["CreatedDate"] == "2019-05-06T07:08:09.000+0000"
    for method, path in (("PATCH", f"/{made}"), ("PATCH", "/External_Id__c/audit-1")):
        answer = org.send(method, f"{V}/sobjects/Contact{path}", json=old)
        assert answer.json()[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert (
        refusal(org, "Product2", Name="P", CreatedDate="2019-05-06T07:08:09Z")[0]
        == "INVALID_FIELD_FOR_INSERT_UPDATE"
    )


def test_standard_objects_have_rules_of_their_own(org: RunningOrg) -> None:
    """Price books, lines, orders and campaigns, as people met them who restored."""
    product = create(org, "Product2", Name="P")
    standard = records(org, "SELECT Id FROM Pricebook2 WHERE IsStandard = true ORDER BY Id")[0][
        "Id"
    ]
    other = create(org, "Pricebook2", Name="Mine")
    price = {"Product2Id": product, "UnitPrice": 5}
    assert (
        refusal(org, "PricebookEntry", Pricebook2Id=other, **price)[0]
        == "STANDARD_PRICE_NOT_DEFINED"
    )
    create(org, "PricebookEntry", Pricebook2Id=standard, **price)
    entry = create(org, "PricebookEntry", Pricebook2Id=other, **price)
    assert refusal(org, "PricebookEntry", Pricebook2Id=other, **price)[0] == "DUPLICATE_VALUE"
    deal = create(
        org,
        "Opportunity",
        Name="D",
        StageName="Prospecting",
        CloseDate="2026-12-01",
        Pricebook2Id=standard,
    )
    line = {
        "OpportunityId": deal,
        "PricebookEntryId": entry,
        "Product2Id": product,
        "Quantity": 1,
        "UnitPrice": 5,
    }
    assert refusal(org, "OpportunityLineItem", **line)[0] == "FIELD_INTEGRITY_EXCEPTION"
    order = create(org, "Order", EffectiveDate="2026-01-01", Status="Draft")
    item = {"OrderId": order, "Product2Id": product, "Quantity": 1, "UnitPrice": 5}
    create(org, "OrderItem", **item)
    org.send("PATCH", f"{V}/sobjects/Order/{order}", json={"Status": "Activated"})
    assert refusal(org, "OrderItem", **item)[0] == "ENTITY_IS_LOCKED"
    campaign, contact = create(org, "Campaign", Name="C"), create(org, "Contact", LastName="M")
    member = {"CampaignId": campaign, "ContactId": contact, "Status": "Sent"}
    create(org, "CampaignMember", **member)
    assert refusal(org, "CampaignMember", **member)[0] == "DUPLICATE_VALUE"


# --- collections, trees, graphs -------------------------------------------------------------------


def test_collections_all_or_none(org: RunningOrg) -> None:
    """One refused record rolls back all, those of other objects too, and each says so."""
    mixed = [row("Account", Name="Never"), row("Contact", FirstName="No last name")]
    saved = collection(org, "POST", "", mixed, allOrNone=True)
    codes = [r["errors"][0]["statusCode"] for r in saved]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert not records(org, "SELECT Id FROM Account WHERE Name = 'Never'")
    keep = create(org, "Account", Name="Keep")
    gone = org.send("DELETE", f"{V}/composite/sobjects?ids={keep},{NOWHERE}&allOrNone=true").json()
    assert [r["success"] for r in gone] == [False, False]
    assert records(org, f"SELECT Id FROM Account WHERE Id = '{keep}'")


def test_collections_upsert_by_an_external_id(org: RunningOrg) -> None:
    """Created, then updated; the key decides; the same key twice is refused the second time."""
    rows = [row("Contact", External_Id__c=f"ups-{n}", LastName="One") for n in (1, 2, 2)]
    first = collection(org, "PATCH", "/Contact/External_Id__c", rows)
    assert [(r["success"], r.get("created")) for r in first] == [
        (True, True),
        (True, True),
        (False, None),
    ]
    again = [
        row("Contact", External_Id__c="UPS-1", LastName="Two"),
        row("Contact", LastName="No key"),
    ]
    second = collection(org, "PATCH", "/Contact/External_Id__c", again)
    assert (second[0]["created"], second[0]["id"]) == (False, first[0]["id"])
    assert second[1]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    found = records(
        org,
        "SELECT LastName FROM Contact WHERE External_Id__c LIKE 'ups-%' ORDER BY External_Id__c",
    )
    assert [r["LastName"] for r in found] == ["Two", "One"]
    by_id = collection(org, "PATCH", "/Account/Id", [row("Account", Id="", Name="New by Id")])
    assert by_id[0]["created"] is True


def test_parents_by_external_id_in_every_form(org: RunningOrg) -> None:
    """A parent named by its external id, in JSON and as a CSV column."""
    parent = create(org, "Account", Name="P", External_Id__c="par-1")
    child = create(org, "Contact", LastName="J", Account={"External_Id__c": "par-1"})
    assert (
        records(org, f"SELECT AccountId FROM Contact WHERE Id = '{child}'")[0]["AccountId"]
        == parent
    )
    done = ingest(org, "insert", "Contact", "LastName,Account.External_Id__c\nA,par-1\nB,nope\n")
    assert [len(done[kind]) for kind in KINDS] == [1, 1, 0]
    assert (
        "INVALID_FIELD:Foreign key external ID: nope not found"
        in done["failedResults"][0]["sf__Error"]
    )
    made = done["successfulResults"][0]["sf__Id"]
    assert (
        records(org, f"SELECT AccountId FROM Contact WHERE Id = '{made}'")[0]["AccountId"] == parent
    )


def test_a_tree(org: RunningOrg) -> None:
    """Parents with children in one call; one refused child, and nothing is written."""

    def tree(last: str) -> requests.Response:
        child = {"attributes": {"type": "Contact", "referenceId": "c1"}, "LastName": last}
        parent = {
            "attributes": {"type": "Account", "referenceId": "a1"},
            "Name": f"Tree {last}",
            "Contacts": {"records": [child]},
        }
        return org.send("POST", f"{V}/composite/tree/Account", json={"records": [parent]})

    made = tree("Leaf")
    ids = {r["referenceId"]: r["id"] for r in made.json()["results"]}
    assert (made.status_code, made.json()["hasErrors"]) == (201, False)
    assert (
        records(org, f"SELECT AccountId FROM Contact WHERE Id = '{ids['c1']}'")[0]["AccountId"]
        == ids["a1"]
    )
    refused = tree("")
    assert (refused.status_code, refused.json()["results"][0]["referenceId"]) == (400, "c1")
    assert not records(org, "SELECT Id FROM Account WHERE Name = 'Tree '")


def test_graphs_stand_or_fall_alone(org: RunningOrg) -> None:
    """Each graph is a transaction: the good one is written, the bad one is not."""

    def graph(name: str, last: str) -> dict[str, Any]:
        return {"graphId": name, "compositeRequest": [
            {"method": "POST", "url": f"{V}/sobjects/Account", "referenceId": "acc", "body": {"Name": name}},
            {"method": "POST", "url": f"{V}/sobjects/Contact", "referenceId": "con", "body": {"LastName": last, "AccountId": "@{acc.id}"}},
        ]}  # fmt: skip

    answer = org.send(
        "POST", f"{V}/composite/graph", json={"graphs": [graph("G1", "A"), graph("G2", "")]}
    )
    assert [g["isSuccessful"] for g in answer.json()["graphs"]] == [True, False]
    assert [
        r["Name"] for r in records(org, "SELECT Name FROM Account WHERE Name IN ('G1', 'G2')")
    ] == ["G1"]


def test_composite_rolls_back_a_refused_collection(org: RunningOrg) -> None:
    """allOrNone of the whole call holds for the records of a collection in it."""
    create_one = {
        "method": "POST",
        "url": f"{V}/sobjects/Account",
        "referenceId": "a",
        "body": {"Name": "Rolled"},
    }
    many = {"method": "POST", "url": f"{V}/composite/sobjects", "referenceId": "b",
            "body": {"records": [row("Contact", LastName="Ok"), row("Contact")]}}  # fmt: skip
    org.send(
        "POST", f"{V}/composite", json={"allOrNone": True, "compositeRequest": [create_one, many]}
    )
    assert not records(org, "SELECT Id FROM Account WHERE Name = 'Rolled'")


# --- Bulk -----------------------------------------------------------------------------------------


def test_bulk_2_writes_by_each_operation(org: RunningOrg) -> None:
    """
    insert, update, upsert, delete, hardDelete: counters and files agree, a refused row keeps its
    columns.
    """
    text = 'External_Id__c,LastName,Description\nb2-1,One,"line\nbreak, ""quoted"""\nb2-2,Two,\nb2-3,,bad\n'
    done = ingest(org, "insert", "Contact", text)
    assert (done["info"]["numberRecordsProcessed"], done["info"]["numberRecordsFailed"]) == (3, 1)
    assert [r["sf__Created"] for r in done["successfulResults"]] == ["true", "true"]
    (bad,) = done["failedResults"]
    assert (bad["sf__Id"], bad["External_Id__c"]) == ("", "b2-3")
    assert (
        bad["sf__Error"]
        == "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
    )
    ids = [r["sf__Id"] for r in done["successfulResults"]]
    found = records(org, f"SELECT Description FROM Contact WHERE Id = '{ids[0]}'")[0]
    assert found["Description"] == 'line\nbreak, "quoted"'
    done = ingest(
        org,
        "update",
        "Contact",
        f"Id,Description,Title\n{ids[0]},#N/A,\n{NOWHERE.replace('001', '003')},x,\n",
    )
    assert [len(done[k]) for k in KINDS] == [1, 1, 0]
    assert (
        records(org, f"SELECT Description FROM Contact WHERE Id = '{ids[0]}'")[0]["Description"]
        is None
    )
    upsert = "External_Id__c,LastName\nb2-1,Uno\nb2-9,Nine\n"
    done = ingest(org, "upsert", "Contact", upsert, externalIdFieldName="External_Id__c")
    assert [r["sf__Created"] for r in done["successfulResults"]] == ["false", "true"]
    done = ingest(org, "delete", "Contact", f"Id\n{ids[0]}\n")
    assert records(org, f"SELECT IsDeleted FROM Contact WHERE Id = '{ids[0]}'", "queryAll")[0][
        "IsDeleted"
    ]
    done = ingest(org, "hardDelete", "Contact", f"Id\n{ids[1]}\n")
    assert not records(org, f"SELECT Id FROM Contact WHERE Id = '{ids[1]}'", "queryAll")


def test_bulk_2_jobs_that_fail(org: RunningOrg, switches: Any) -> None:
    """
    An unknown column fails the job with all rows unprocessed; one that stops leaves the rest so;
    wrong line ends are told.
    """
    done = ingest(org, "insert", "Contact", "LastName,Foo\nA,1\n")
    assert (done["info"]["state"], done["info"]["errorMessage"]) == (
        "Failed",
        "InvalidBatch : Field name not found : Foo",
    )
    assert done["unprocessedrecords"] == [{"LastName": "A", "Foo": "1"}]
    switches(job_stops_after=2)
    done = ingest(org, "insert", "Contact", "LastName\nA\nB\nC\nD\n")
    assert (done["info"]["state"], [len(done[k]) for k in KINDS]) == ("Failed", [2, 0, 2])
    done = ingest(org, "insert", "Contact", "LastName\r\nA\r\n")
    assert "LineEnding is invalid" in done["info"]["errorMessage"]
    for given, code in (
        ({"operation": "explode", "object": "Contact"}, "INVALIDJOB"),
        ({"operation": "insert", "object": "Nope"}, "INVALIDJOB"),
        (
            {"operation": "upsert", "object": "Contact", "externalIdFieldName": "Title"},
            "INVALIDJOB",
        ),
    ):
        assert org.send("POST", f"{V}/jobs/ingest", json=given).json()[0]["errorCode"] == code
    org.control("access", {"permission": "BulkApiHardDelete", "has": False})
    refused = org.send(
        "POST", f"{V}/jobs/ingest", json={"operation": "hardDelete", "object": "Contact"}
    )
    org.control("access", {"permission": "BulkApiHardDelete", "has": True})
    assert refused.json()[0]["errorCode"] == "FEATURENOTENABLED"


def test_bulk_2_by_one_multipart_call(org: RunningOrg) -> None:
    """Job and data in one request; the job closes itself."""
    parts = {
        "job": (None, json.dumps({"object": "Account", "operation": "insert"}), "application/json"),
        "content": ("content", "Name\nMultipart\n", "text/csv"),
    }
    job = org.send("POST", f"{V}/jobs/ingest", files=parts).json()
    assert ended(org, f"{V}/jobs/ingest/{job['id']}")["state"] == "JobComplete"
    assert len(records(org, "SELECT Id FROM Account WHERE Name = 'Multipart'")) == 1
    assert org.send("DELETE", f"{V}/jobs/ingest/{job['id']}").status_code == 204


def test_bulk_1_writes_in_three_formats(org: RunningOrg) -> None:
    """Results come in the order of the rows, in the job's format; a refused row has no Id."""
    base = f"{org.url}/services/async/60.0/job"
    session = {"X-SFDC-Session": org.access_token}
    bodies = {
        "CSV": ("text/csv", b'LastName\nA\n""\n'),
        "JSON": ("application/json", b'[{"LastName":"A"},{"FirstName":"B"}]'),
        "XML": (
            "application/xml",
            b'<sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload"><sObject><LastName>A</LastName></sObject><sObject><FirstName>B</FirstName></sObject></sObjects>',
        ),
    }
    for kind, (content_type, body) in bodies.items():
        info = {"operation": "insert", "object": "Contact", "contentType": kind}
        job = requests.post(base, json=info, headers=session, timeout=60).json()
        head = session | {"Content-Type": content_type}
        made = requests.post(f"{base}/{job['id']}/batch", data=body, headers=head, timeout=60)
        batch = made.text.partition("<id>")[2][:18] or made.json()["id"]
        url = f"{base}/{job['id']}/batch/{batch}"
        states = (requests.get(url, headers=session, timeout=60).text for _ in range(5000))
        over = next(s for s in states if "Completed" in s or ">Failed<" in s or '"Failed"' in s)
        assert "Completed" in over, over
        result = requests.get(url + "/result", headers=session, timeout=60).text
        assert result.count("003") == 1 and "REQUIRED_FIELD_MISSING" in result, result
        assert result.index("003") < result.index("REQUIRED_FIELD_MISSING")


def test_a_file_is_uploaded_as_bytes(org: RunningOrg) -> None:
    """One multipart request makes version, document and link, and gives the same bytes back."""
    account, data = create(org, "Account", Name="With a file"), bytes(range(256)) * 50
    meta = {"Title": "Bytes", "PathOnClient": "bytes.bin", "FirstPublishLocationId": account}
    parts = {
        "entity_content": (None, json.dumps(meta), "application/json"),
        "VersionData": ("bytes.bin", data, "application/octet-stream"),
    }
    made = org.send("POST", f"{V}/sobjects/ContentVersion", files=parts)
    assert made.status_code == 201, made.text
    path = f"{V}/sobjects/ContentVersion/{made.json()['id']}"
    assert org.get(f"{path}/VersionData").content == data
    assert org.get(path).json()["ContentSize"] == len(data)
    links = records(
        org, f"SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '{account}'"
    )
    assert [link["ContentDocumentId"] for link in links] == [
        org.get(path).json()["ContentDocumentId"]
    ]


# --- the recycle bin ------------------------------------------------------------------------------


def test_undelete_brings_back_what_can_come_back(org: RunningOrg) -> None:
    """
    By SOAP alone: a master with its details; a detail alone not; one deleted before it never; what
    left the bin not; and it counts as a call.
    """
    project = create(org, "Project__c", Name="P")
    early, late = (create(org, "Milestone__c", Project__c=project) for _ in range(2))
    for path in (f"Milestone__c/{early}", f"Project__c/{project}"):
        assert org.send("DELETE", f"{V}/sobjects/{path}").status_code == 204
    assert soap(org, "undelete", late) == [("false", "UNDELETE_FAILED")]
    mark = org.mark()
    assert soap(org, "undelete", project) == [("true", "")]
    assert org.ledger(after=mark, calls=True)["calls"][0]["spent"] == {"api": 1}
    alive = records(org, f"SELECT Id FROM Milestone__c WHERE Project__c = '{project}'")
    assert [r["Id"] for r in alive] == [late]
    assert soap(org, "undelete", early, project) == [("false", "UNDELETE_FAILED")] * 2
    org.send("DELETE", f"{V}/sobjects/Project__c/{project}")
    assert soap(org, "emptyRecycleBin", project) == [("true", "")]
    assert soap(org, "undelete", project)[0][0] == "false"
    assert not records(org, f"SELECT Id FROM Project__c WHERE Id = '{project}'", "queryAll")
