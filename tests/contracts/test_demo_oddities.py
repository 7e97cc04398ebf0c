"""
The demo org is as odd as real orgs are: an old header, small pages, shared Ids, typed values,
hidden rows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sfnb_demo.data.oddities import BIG_INTEGER, SHARED_ID
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.contracts.test_demo_faults import JOBS, V, job_state

Orgs = Callable[..., RunningOrg]


@pytest.fixture(scope="module")
def odd_org(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An org with all oddities, for reading."""
    options = Options(
        size="tiny", competitors="off", has_oddities=True, bulk_job_s=0, minutes_per_second=0
    )
    with DemoServer(options, tmp_path_factory.mktemp("odd-org")) as server:
        yield RunningOrg(**server.ready(), server=server)


def ask(org: RunningOrg, soql: str, path: str = "query", **options: Any) -> requests.Response:
    return org.get(f"{V}/{path}", params={"q": soql}, **options)


def rows(org: RunningOrg, soql: str, **options: Any) -> list[dict[str, Any]]:
    answer = ask(org, soql, **options)
    assert answer.ok, answer.text
    return [{k: v for k, v in row.items() if k != "attributes"} for row in answer.json()["records"]]


def bulk_rows(
    org: RunningOrg, soql: str, headers: dict[str, str] | None = None
) -> list[dict[str, str]]:
    body = {"operation": "query", "query": soql}
    made = org.send("POST", JOBS, json=body, headers=headers or {})
    assert made.ok, made.text
    assert job_state(org, made.json()["id"]) == "JobComplete"
    page = org.get(f"{JOBS}/{made.json()['id']}/results", headers=headers or {})
    return list(csv.DictReader(io.StringIO(page.content.decode())))


def field_of(org: RunningOrg, object_name: str, name: str) -> dict[str, Any]:
    fields = org.get(f"{V}/sobjects/{object_name}/describe").json()["fields"]
    return next(dict(field) for field in fields if field["name"] == name)


# -- the header, pages, transfer ----------------------------------------------------------


def test_the_header_is_old_on_the_orgs_clock(fresh_org: Orgs) -> None:
    """A call shows in the header when the org's clock has moved on by the lag, not before."""
    org = fresh_org(header_lag_s=60, has_header_wobble=False)

    def told() -> str:
        return org.get(f"{V}/limits").headers["Sforce-Limit-Info"]

    assert told() == "api-usage=0/15000"
    org.control("clock", {"advance_minutes": 0.9})
    assert told() == "api-usage=0/15000"
    org.control("clock", {"advance_minutes": 0.2})
    assert told() == "api-usage=1/15000"
    org.control("quota", {"header_lag_s": 0})
    assert told() == "api-usage=4/15000"


def test_a_wide_query_has_smaller_pages(fresh_org: Orgs) -> None:
    """From 20 fields on, a page has 1,000 rows; ``wide_page_rows`` says otherwise."""
    org = fresh_org(objects={"Contact": 1_500})
    names = [f["name"] for f in org.get(f"{V}/sobjects/Contact/describe").json()["fields"]]
    narrow, wide = ", ".join(names[:19]), ", ".join(names[:20])
    first = ask(org, f"SELECT {wide} FROM Contact").json()
    assert (len(first["records"]), first["done"]) == (1000, False)
    assert first["nextRecordsUrl"].endswith("-1000")
    second = org.get(first["nextRecordsUrl"]).json()
    assert len(second["records"]) == first["totalSize"] - 1000
    assert ask(org, f"SELECT {narrow} FROM Contact").json()["done"]
    assert org.server is not None
    org.server.org.options.wide_page_rows = 2000
    assert ask(org, f"SELECT {wide} FROM Contact").json()["done"]


def test_bodies_come_in_chunks(odd_org: RunningOrg) -> None:
    """No body has a length but to clients of HTTP/1.0; what has no body has neither."""
    answer = ask(odd_org, "SELECT Id FROM Organization")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in answer.headers
    refused = odd_org.get(f"{V}/sobjects/Nothing__c")
    assert refused.headers["Transfer-Encoding"] == "chunked"


# -- objects ----------------------------------------------------------


@pytest.mark.parametrize("name", ["AppDefinition", "FormulaFunctionAllowedType"])
def test_rows_that_share_one_id(odd_org: RunningOrg, name: str) -> None:
    """All rows have the same Id; DurableId tells them apart; describe says nothing of it."""
    found = rows(odd_org, f"SELECT Id, DurableId FROM {name}")
    assert {row["Id"] for row in found} == {SHARED_ID}
    assert len({row["DurableId"] for row in found}) == len(found) > 1
    described = field_of(odd_org, name, "Id")
    assert (described["filterable"], described["sortable"]) == (True, True)


def test_values_of_any_type_in_one_column(odd_org: RunningOrg) -> None:
    """By REST true, 50000.5, a text and null; by Bulk the same as text."""
    by_rest = rows(odd_org, "SELECT Id, OldValue FROM CaseHistory")
    kinds = {type(row["OldValue"]) for row in by_rest}
    assert kinds == {bool, float, int, str, type(None)}
    by_bulk = {row["Id"]: row for row in bulk_rows(odd_org, "SELECT Id, OldValue FROM CaseHistory")}
    words = {True: "true", False: "false", None: ""}
    for row in by_rest:
        value = row["OldValue"]
        is_word = value is None or isinstance(value, bool)
        assert by_bulk[row["Id"]]["OldValue"] == (words[value] if is_word else str(value))
    assert field_of(odd_org, "CaseHistory", "OldValue")["type"] == "anyType"


def test_an_id_that_can_be_neither_sorted_nor_filtered(odd_org: RunningOrg) -> None:
    """
    Describe says so, and queries that sort or filter by it are refused; without, all rows come.
    """
    described = field_of(odd_org, "PermissionSetEventStore", "Id")
    assert (described["filterable"], described["sortable"]) == (False, False)
    found = rows(odd_org, "SELECT Id, PermissionList FROM PermissionSetEventStore")
    assert len({row["Id"] for row in found}) == 60
    assert any(row["PermissionList"] == '["ViewAllData","Ünï"]' for row in found)
    assert field_of(odd_org, "PermissionSetEventStore", "PermissionList")["type"] == "json"
    for clause in ("ORDER BY Id", f"WHERE Id > '{found[0]['Id']}'"):
        refused = ask(odd_org, f"SELECT Id FROM PermissionSetEventStore {clause}")
        assert refused.status_code == 400


@pytest.mark.parametrize(
    ("name", "field", "parent"),
    [
        ("CollaborationGroupRecord", "CollaborationGroupId", "CollaborationGroup"),
        ("ContentFolderItem", "ParentContentFolderId", "ContentFolder"),
        ("Vote", "ParentId", "Case"),
    ],
)
def test_objects_that_want_one_parent(
    odd_org: RunningOrg, name: str, field: str, parent: str
) -> None:
    """
    Only ``= one Id`` is answered, one parent after the other gives every row; a list is refused.
    """
    parents = [row["Id"] for row in rows(odd_org, f"SELECT Id FROM {parent}")]
    found = [
        row["Id"]
        for one in parents
        for row in rows(odd_org, f"SELECT Id FROM {name} WHERE {field} = '{one}'")
    ]
    assert len(set(found)) == len(found) > 0
    listed = ", ".join(f"'{one}'" for one in parents[:2])
    for clause in ("", f" WHERE {field} IN ({listed})", f" WHERE {field} > '{parents[0]}'"):
        refused = ask(odd_org, f"SELECT Id FROM {name}{clause}")
        assert refused.json()[0]["errorCode"] == "MALFORMED_QUERY"
        assert "Implementation restriction" in refused.json()[0]["message"]
    assert (
        len(rows(odd_org, f"SELECT Id FROM {name} WHERE Id IN ('{found[0]}', '{found[1]}')")) == 2
    )


def test_an_object_that_takes_a_list_of_parents(odd_org: RunningOrg) -> None:
    """IdeaComment answers to a list of Ideas as well, as its refusal says."""
    listed = ", ".join(f"'{row['Id']}'" for row in rows(odd_org, "SELECT Id FROM Idea"))
    assert rows(odd_org, f"SELECT Id FROM IdeaComment WHERE IdeaId IN ({listed})")
    refused = ask(odd_org, "SELECT Id FROM IdeaComment").json()[0]
    assert "IdeaId IN [list of IDs]" in refused["message"]


def test_older_versions_hide(odd_org: RunningOrg) -> None:
    """
    A plain query, queryAll too, gives the latest versions; the others come when asked for by name.
    """
    plain = rows(odd_org, "SELECT Id FROM Knowledge__kav")
    older = rows(odd_org, "SELECT Id FROM Knowledge__kav WHERE IsLatestVersion = false")
    everything = ask(odd_org, "SELECT Id FROM Knowledge__kav", "queryAll").json()["totalSize"]
    counted = odd_org.get(f"{V}/limits/recordCount", params={"sObjects": "Knowledge__kav"}).json()
    assert (len(plain), len(older), everything) == (10, 20, 10)
    assert counted["sObjects"][0]["count"] == 30


def test_numbers_that_columns_of_their_type_do_not_hold(odd_org: RunningOrg) -> None:
    """A long beyond 2⁵³ is exact by REST and Bulk; an int has fractions."""
    soql = "SELECT Id, Value, UsageType FROM PlatformEventUsageMetric"
    by_rest = rows(odd_org, soql)
    assert {BIG_INTEGER, -BIG_INTEGER, 2**63 - 1} <= {row["Value"] for row in by_rest}
    assert {12.5, -0.25} <= {row["UsageType"] for row in by_rest}
    assert field_of(odd_org, "PlatformEventUsageMetric", "Value")["type"] == "long"
    assert field_of(odd_org, "PlatformEventUsageMetric", "UsageType")["type"] == "int"
    by_bulk = bulk_rows(odd_org, soql)
    assert str(BIG_INTEGER) in {row["Value"] for row in by_bulk}
    assert "12.5" in {row["UsageType"] for row in by_bulk}


def test_a_value_that_is_an_object(odd_org: RunningOrg) -> None:
    """A complexvalue comes as a JSON object or null."""
    found = rows(odd_org, "SELECT DurableId, RecordTypesSupported FROM EntityDefinition")
    values = [row["RecordTypesSupported"] for row in found]
    assert {"recordTypeInfos": []} in values
    assert None in values


# -- users and options ----------------------------------------------------------


def test_a_user_without_view_all_data_sees_less(odd_org: RunningOrg) -> None:
    """Own records and their details alone, by REST and Bulk; /limits/recordCount counts all."""
    headers = odd_org.headers_of(odd_org.limited_username)
    for name in ("Account", "Case", "CaseComment"):
        all_ids = {row["Id"] for row in rows(odd_org, f"SELECT Id FROM {name}")}
        own = {row["Id"] for row in rows(odd_org, f"SELECT Id FROM {name}", headers=headers)}
        assert own < all_ids
        by_bulk = bulk_rows(odd_org, f"SELECT Id FROM {name}", headers)
        assert {row["Id"] for row in by_bulk} == own
    counted = odd_org.get(
        f"{V}/limits/recordCount", params={"sObjects": "Account"}, headers=headers
    ).json()
    assert counted["sObjects"][0]["count"] == len(rows(odd_org, "SELECT Id FROM Account"))
    soql = "SELECT PermissionsViewAllData FROM UserPermissionAccess"
    assert rows(odd_org, soql, headers=headers) == [{"PermissionsViewAllData": False}]


def test_an_org_without_hourly_logs(fresh_org: Orgs) -> None:
    """EventLogFile has no field Interval, and there are daily files only."""
    org = fresh_org(has_hourly_logs=False, competitors="curve")
    fields = org.get(f"{V}/sobjects/EventLogFile/describe").json()["fields"]
    assert "Interval" not in {field["name"] for field in fields}
    assert (
        ask(org, "SELECT Id, Interval FROM EventLogFile").json()[0]["errorCode"] == "INVALID_FIELD"
    )
    assert {row["Sequence"] for row in rows(org, "SELECT Sequence FROM EventLogFile")} == {0}


def test_faults_from_the_start(fresh_org: Orgs) -> None:
    """An option scripts faults: here a permission field that describe lists and queries refuse."""
    rule = {"field": "PermissionsQueryAllFiles", "fault": "error", "code": "INVALID_FIELD"}
    org = fresh_org(faults=[rule])
    assert field_of(org, "UserPermissionAccess", "PermissionsQueryAllFiles")
    refused = ask(org, "SELECT PermissionsQueryAllFiles FROM UserPermissionAccess").json()[0]
    assert refused["errorCode"] == "INVALID_FIELD"
    assert ask(org, "SELECT PermissionsViewAllData FROM UserPermissionAccess").ok


def test_versions_that_are_served(fresh_org: Orgs) -> None:
    """Older versions answer 410, newer ones 404, and the list names the others."""
    org = fresh_org(first_version=60, last_version=65)
    listed = [entry["version"] for entry in org.get("/services/data").json()]
    assert (listed[0], listed[-1]) == ("60.0", "65.0")
    statuses = [org.get(f"/services/data/v{v}.0/limits").status_code for v in (59, 60, 65, 66)]
    assert statuses == [410, 200, 200, 404]
