"""The demo org's REST half over raw HTTP: formats, paging, quota, composite, change lists."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.conftest import RunningOrg

V = "/services/data/v66.0"
JSON_TYPE = "application/json;charset=UTF-8"


def query(org: RunningOrg, soql: str, *, path: str = "query", **options: Any) -> requests.Response:
    return org.get(f"{V}/{path}?q={quote(soql)}", **options)


def test_versions_are_open_and_free(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    ``/services/data`` needs no session, is not counted, carries no limit header, and lists 31.0 to
    68.0.
    """
    org = fresh_org()
    answer = requests.get(f"{org.url}/services/data", timeout=30)
    versions = {entry["version"]: entry for entry in answer.json()}
    assert versions["66.0"] == {
        "label": "Spring '26",
        "url": "/services/data/v66.0",
        "version": "66.0",
    }
    assert {"31.0", "51.0", "68.0"} <= set(versions)
    assert "Sforce-Limit-Info" not in answer.headers
    assert org.ledger()["spent"] == {}


@pytest.mark.parametrize(
    "path", ["", "/limits", "/sobjects", "/sobjects/Account", "/sobjects/Account/describe"]
)
@pytest.mark.parametrize("version", ["31.0", "59.0", "68.0"])
def test_any_version_is_served_with_and_without_slash(
    demo_org: RunningOrg, path: str, version: str
) -> None:
    """
    Every version of the list works, a trailing slash changes nothing, and addresses echo the
    version.
    """
    bare, slashed = (demo_org.get(f"/services/data/v{version}{path}{end}") for end in ("", "/"))
    assert bare.status_code == slashed.status_code == 200
    assert bare.headers["Content-Type"] == JSON_TYPE
    if path != "/limits":
        assert bare.json() == slashed.json()
        assert f"/services/data/v{version}/" in bare.text


def test_retired_version_is_410_and_unknown_one_404(demo_org: RunningOrg) -> None:
    """30.0 and older are gone, 99.0 never was."""
    assert demo_org.get("/services/data/v30.0/sobjects").status_code == 410
    assert demo_org.get("/services/data/v99.0/sobjects").json()[0]["errorCode"] == "NOT_FOUND"


def test_wrong_paths_and_methods_are_json_errors(demo_org: RunningOrg) -> None:
    """404 and 405 in Salesforce's array form."""
    assert demo_org.get(f"{V}/nothing").json()[0]["errorCode"] == "NOT_FOUND"
    assert demo_org.get(f"{V}/sobjects/Nothing/describe").status_code == 404
    wrong = demo_org.send("DELETE", f"{V}/limits")
    assert (wrong.status_code, wrong.json()[0]["errorCode"]) == (405, "METHOD_NOT_ALLOWED")


def test_paging_reads_every_row_once(demo_org: RunningOrg) -> None:
    """
    Pages of batchSize rows, nextRecordsUrl on all but the last, totalSize on each; queryAll's too
    says /query/.
    """
    everything = query(demo_org, "SELECT Id FROM Contact ORDER BY Id", path="queryAll/").json()
    url = f"{V}/queryAll?q={quote('SELECT Id FROM Contact ORDER BY Id')}"
    seen: list[str] = []
    pages = 0
    while url:
        page = demo_org.get(url, headers={"Sforce-Query-Options": "batchSize=200"}).json()
        assert list(page)[:2] == ["totalSize", "done"]
        assert page["totalSize"] == everything["totalSize"]
        seen += [record["Id"] for record in page["records"]]
        url = page.get("nextRecordsUrl", "")
        assert page["done"] is (not url)
        assert not url or url.startswith(f"{V}/query/01g")
        pages += 1
    assert pages == -(-everything["totalSize"] // 200) > 1
    assert seen == [record["Id"] for record in everything["records"]]
    assert len(set(seen)) == len(seen)


def test_locator_belongs_to_its_session_and_lives_two_days(
    fresh_org: Callable[..., RunningOrg],
) -> None:
    """
    Another session, a locator never given, and one older than two days are INVALID_QUERY_LOCATOR.
    """
    org = fresh_org()
    headers = {"Sforce-Query-Options": "batchSize=200"}
    url = query(org, "SELECT Id FROM Contact", headers=headers).json()["nextRecordsUrl"]
    assert org.get(url).status_code == 200
    assert (
        org.get(f"{V}/query/{url}").status_code == 200
    )  # a whole address behind /query/, as one client sends it
    form = {
        "grant_type": "client_credentials",
        "client_id": org.client_id,
        "client_secret": org.client_secret,
    }
    other = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=30).json()[
        "access_token"
    ]
    refused = org.get(url, headers={"Authorization": f"Bearer {other}"})
    assert refused.json() == [
        {"message": "invalid query locator", "errorCode": "INVALID_QUERY_LOCATOR"}
    ]
    assert org.get(url.replace("01g", "01gz")).status_code == 400
    org.control("clock", {"advance_minutes": 2 * 1440 + 1})
    assert org.get(url).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_count_and_explain(demo_org: RunningOrg) -> None:
    """COUNT() alone has no records; explain has plans."""
    counted = query(demo_org, "SELECT COUNT() FROM Account").json()
    assert counted == {"totalSize": counted["totalSize"], "done": True, "records": []}
    assert counted["totalSize"] > 0
    plans = demo_org.get(f"{V}/query?explain={quote('SELECT Id FROM Account')}").json()["plans"]
    assert plans[0]["sobjectType"] == "Account"


def test_query_errors_are_arrays(demo_org: RunningOrg) -> None:
    """An unknown object, an unknown field and an empty query are 400 with Salesforce's codes."""
    for soql, code in {
        "SELECT Id FROM ScratchOrgInfo limit 1": "INVALID_TYPE",
        "SELECT Naem FROM Account": "INVALID_FIELD",
        "SELECT FROM": "MALFORMED_QUERY",
        "": "MALFORMED_QUERY",
    }.items():
        answer = query(demo_org, soql)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
        assert "Sforce-Limit-Info" in answer.headers


def test_describes_have_all_keys_and_304(demo_org: RunningOrg) -> None:
    """
    Each field has all 57 attributes; If-Modified-Since after the org's start answers 304 without a
    body.
    """
    answer = demo_org.get(f"{V}/sobjects/contact/describe")
    assert all(len(field) >= 57 for field in answer.json()["fields"])
    for path in ("/sobjects", "/sobjects/Contact/describe"):
        last = demo_org.get(V + path).headers["Last-Modified"]
        unchanged = demo_org.get(V + path, headers={"If-Modified-Since": last})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        old = demo_org.get(V + path, headers={"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"})
        assert old.status_code == 200


def test_limits_agree_with_the_header(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    ``/limits`` counts itself, its Remaining fits the header, and its keys follow the API version.
    """
    org = fresh_org()
    answer = org.get(f"{V}/limits")
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/15000"
    daily = answer.json()["DailyApiRequests"]
    assert (daily["Max"], daily["Remaining"]) == (15000, 14999)
    assert {"Max", "Remaining"} < set(daily)  # per-app entries sit inside
    for version, there, missing in (
        ("49.0", "DailyBulkApiBatches", "DailyBulkApiRequests"),
        ("48.0", "DailyBulkApiRequests", "DailyBulkApiBatches"),
        ("46.0", "MonthlyPlatformEvents", "DailyBulkV2QueryJobs"),
    ):
        keys = org.get(f"/services/data/v{version}/limits").json()
        assert there in keys
        assert missing not in keys


def test_limits_may_lag_behind_the_header(fresh_org: Callable[..., RunningOrg]) -> None:
    """With a lag ``/limits`` shows older figures, while the header is exact."""
    org = fresh_org(limits_lag_minutes=5)
    for _ in range(3):
        answer = org.get(f"{V}/limits")
    assert answer.json()["DailyApiRequests"]["Remaining"] == 15000
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=3/15000"
    org.control("clock", {"advance_minutes": 6})
    assert org.get(f"{V}/limits").json()["DailyApiRequests"]["Remaining"] == 14997


def test_hard_limit_refuses_with_403_and_gives_back_after_a_day(
    fresh_org: Callable[..., RunningOrg],
) -> None:
    """
    Beyond a hard maximum each call is 403 REQUEST_LIMIT_EXCEEDED, not charged, until calls leave
    the window.
    """
    org = fresh_org(max_calls=3)
    answers = [org.get(f"{V}/limits") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 403, 403]
    assert answers[4].json() == [
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    ]  # fmt: skip
    assert "Retry-After" not in answers[4].headers
    assert answers[4].headers["Sforce-Limit-Info"] == "api-usage=3/3"
    org.control("clock", {"advance_minutes": 24 * 60 - 1})
    assert org.get(f"{V}/limits").status_code == 403
    org.control("clock", {"advance_minutes": 1})
    assert org.get(f"{V}/limits").status_code == 200


def test_soft_limit_goes_over(fresh_org: Callable[..., RunningOrg]) -> None:
    """A soft org goes over its maximum; Remaining is 0, or negative when that is switched on."""
    org = fresh_org(max_calls=2, is_hard=False)
    answers = [org.get(f"{V}/limits") for _ in range(4)]
    assert answers[3].headers["Sforce-Limit-Info"] == "api-usage=4/2"
    assert answers[3].json()["DailyApiRequests"]["Remaining"] == 0
    org.control("quota", {"negative_remaining": True})
    assert org.get(f"{V}/limits").json()["DailyApiRequests"]["Remaining"] == -3


def test_others_spend_and_the_maximum_changes(fresh_org: Callable[..., RunningOrg]) -> None:
    """Control lets others spend now and moves the maximum; the next header shows both."""
    org = fresh_org()
    org.control("quota", {"spend": {"api": 100}, "max": {"api": 500}})
    assert org.get(f"{V}/limits").headers["Sforce-Limit-Info"] == "api-usage=101/500"


def test_batch_costs_each_subrequest_and_composite_one(
    fresh_org: Callable[..., RunningOrg],
) -> None:
    """
    composite/batch is charged per subrequest, with either form of address; composite costs one
    call.
    """
    org = fresh_org()
    urls = [
        f"{V}/sobjects/Account/describe",
        "v66.0/sobjects/Contact/describe",
        "v66.0/sobjects/Nope",
    ]
    batch = org.send(
        "POST",
        f"{V}/composite/batch",
        json={"batchRequests": [{"method": "GET", "url": u} for u in urls]},
    )
    assert [result["statusCode"] for result in batch.json()["results"]] == [200, 200, 404]
    assert batch.json()["hasErrors"] is True
    assert batch.headers["Sforce-Limit-Info"] == "api-usage=3/15000"
    subrequests = [
        {"method": "GET", "url": f"{V}/sobjects/Account/describe", "referenceId": f"r{n}"} for n in range(25)
    ]  # fmt: skip
    composite = org.send("POST", f"{V}/composite", json={"compositeRequest": subrequests})
    assert len(composite.json()["compositeResponse"]) == 25
    assert composite.headers["Sforce-Limit-Info"] == "api-usage=4/15000"
    halted = org.send(
        "POST",
        f"{V}/composite/batch",
        json={
            "haltOnError": True,
            "batchRequests": [{"method": "GET", "url": u} for u in reversed(urls)],
        },
    ).json()["results"]
    assert [result["statusCode"] for result in halted] == [404, 412, 412]


def composite(org: RunningOrg, *subrequests: dict[str, Any], **options: Any) -> requests.Response:
    numbered = [
        {"referenceId": f"r{n}", "method": "GET"} | sub for n, sub in enumerate(subrequests)
    ]
    return org.send("POST", f"{V}/composite/", json={"compositeRequest": numbered} | options)


def test_composite_refuses_what_salesforce_refuses(demo_org: RunningOrg) -> None:
    """
    More than 25 subrequests, more than 5 queries, a bad or repeated reference and own auth headers
    are 400.
    """
    describe = {"url": f"{V}/sobjects/Account/describe"}
    a_query = {"url": f"{V}/query?q=SELECT+Id+FROM+Account+LIMIT+1"}
    assert composite(demo_org, *[describe] * 26).status_code == 400
    assert composite(demo_org, *[a_query] * 6).status_code == 400
    assert composite(demo_org, *[a_query] * 5).status_code == 200
    assert (
        composite(demo_org, describe | {"referenceId": "a-b"}).json()[0]["errorCode"]
        == "JSON_PARSER_ERROR"
    )
    assert composite(demo_org, *[describe | {"referenceId": "a"}] * 2).status_code == 400
    assert (
        composite(demo_org, describe | {"httpHeaders": {"Authorization": "x"}}).status_code == 400
    )
    assert (
        demo_org.send("POST", f"{V}/composite", data="{").json()[0]["errorCode"]
        == "JSON_PARSER_ERROR"
    )


def test_composite_references_reach_into_earlier_answers(demo_org: RunningOrg) -> None:
    """
    ``@{ref.records[0].Id}`` is filled in; what depends on a failure is PROCESSING_HALTED, the outer
    status 200.
    """
    answer = composite(
        demo_org,
        {"url": f"{V}/query?q=SELECT Id, Name FROM Account ORDER BY Id LIMIT 1"},
        {"url": f"{V}/sobjects/Account/@{{r0.records[0].Id}}?fields=Name"},
        {"url": f"{V}/sobjects/Account/0017Q00000ZZZZZ"},
        {"url": f"{V}/sobjects/Account/@{{r2.Id}}"},
        {"url": f"{V}/sobjects/Attachment/00P000000000001/Body"},
        {"url": f"{V}/limits"},
    )
    assert answer.status_code == 200
    parts = answer.json()["compositeResponse"]
    assert [part["httpStatusCode"] for part in parts[:4]] == [200, 200, 404, 400]
    assert parts[1]["body"]["Name"] == parts[0]["body"]["records"][0]["Name"]
    assert parts[3]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert [part["httpStatusCode"] for part in parts[4:]] == [
        400,
        400,
    ]  # no blobs, no other resources


def test_composite_all_or_none_takes_back(fresh_org: Callable[..., RunningOrg]) -> None:
    """With allOrNone a failure undoes what was created and halts the rest."""
    org = fresh_org(own_data=True)
    create = {"method": "POST", "url": f"{V}/sobjects/Account", "body": {"Name": "Never there"}}
    parts = composite(org, create, create | {"body": {"Naem": "x"}}, create, allOrNone=True).json()[
        "compositeResponse"
    ]
    codes = [part["body"][0]["errorCode"] for part in parts]
    assert codes[0] == codes[2] == "PROCESSING_HALTED" != codes[1]
    assert (
        query(org, "SELECT COUNT() FROM Account WHERE Name = 'Never there'").json()["totalSize"]
        == 0
    )


def test_rows_live(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    A row is created (201, Location), read, changed (204, no body), found by /updated, deleted,
    found by /deleted.
    """
    org = fresh_org(own_data=True)
    made = org.send("POST", f"{V}/sobjects/Account/", json={"Name": "Nörd & Söhne"})
    record_id = made.json()["id"]
    assert (made.status_code, made.json()) == (
        201,
        {"id": record_id, "success": True, "errors": []},
    )
    assert made.headers["Location"] == f"{V}/sobjects/Account/{record_id}"
    changed = org.send("PATCH", f"{V}/sobjects/Account/{record_id}", json={"Name": "Nord"})
    assert (changed.status_code, changed.content) == (204, b"")
    assert org.get(f"{V}/sobjects/Account/{record_id[:15]}?fields=Name").json()["Name"] == "Nord"
    org.control("clock", {"advance_minutes": 5})
    now = datetime.fromisoformat(org.control("status")["now"])
    span = f"start={quote((now - timedelta(hours=1)).isoformat())}&end={quote(now.isoformat())}"
    assert record_id in org.get(f"{V}/sobjects/Account/updated/?{span}").json()["ids"]
    assert org.send("DELETE", f"{V}/sobjects/Account/{record_id}").status_code == 204
    assert org.get(f"{V}/sobjects/Account/{record_id}").status_code == 404
    org.control("clock", {"advance_minutes": 5})
    start, end = now - timedelta(hours=1), now + timedelta(minutes=9)
    span = f"start={quote(start.isoformat())}&end={quote(end.isoformat())}"
    deleted = org.get(f"{V}/sobjects/Account/deleted/?{span}").json()
    assert record_id in [record["id"] for record in deleted["deletedRecords"]]
    assert deleted["earliestDateAvailable"] < deleted["latestDateCovered"]


def test_change_lists_refuse_wrong_spans(demo_org: RunningOrg) -> None:
    """Start after end, and start before the log reaches back, are INVALID_REPLICATION_DATE."""
    now = datetime.now(UTC)

    def ask(kind: str, start: datetime, end: datetime) -> list[dict[str, str]]:
        span = f"start={quote(start.isoformat())}&end={quote(end.isoformat())}"
        return list(demo_org.get(f"{V}/sobjects/Account/{kind}/?{span}").json())

    hour = timedelta(hours=1)
    assert ask("updated", now, now - hour)[0]["errorCode"] == "INVALID_REPLICATION_DATE"
    assert (
        ask("updated", now - timedelta(days=31), now)[0]["errorCode"] == "INVALID_REPLICATION_DATE"
    )
    assert (
        ask("deleted", now - timedelta(days=16), now)[0]["errorCode"] == "INVALID_REPLICATION_DATE"
    )


def test_record_counts(demo_org: RunningOrg) -> None:
    """Named objects with their rows; unknown names are left out without a word; none named: all."""
    some = demo_org.get(f"{V}/limits/recordCount?sObjects=Account,Nope,contact").json()["sObjects"]
    assert [entry["name"] for entry in some] == ["Account", "Contact"]
    assert some[0]["count"] == query(demo_org, "SELECT COUNT() FROM Account").json()["totalSize"]
    assert len(demo_org.get(f"{V}/limits/recordCount?sObjects").json()["sObjects"]) > 2


def test_collections_retrieve_with_gaps(demo_org: RunningOrg) -> None:
    """Retrieve by ids answers null where there is no such row, by GET and by POST."""
    record_id = query(demo_org, "SELECT Id FROM Account LIMIT 1").json()["records"][0]["Id"]
    ids = [record_id, "0017Q00000ZZZZZ"]
    got = demo_org.get(f"{V}/composite/sobjects/Account?ids={','.join(ids)}&fields=Id,Name").json()
    posted = demo_org.send(
        "POST", f"{V}/composite/sobjects/Account", json={"ids": ids, "fields": ["Id", "Name"]}
    ).json()
    assert got == posted
    assert (got[0]["Id"], got[1]) == (record_id, None)


def test_collections_save_row_by_row(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    A refused row is ``statusCode`` in its place, HTTP stays 200; rows can be changed and deleted
    together.
    """
    org = fresh_org(own_data=True)
    records = [
        {"attributes": {"type": "Account"}, "Name": "One"},
        {"attributes": {"type": "Nope"}, "Name": "Two"},
    ]
    made = org.send(
        "POST", f"{V}/composite/sobjects", json={"allOrNone": False, "records": records}
    )
    assert made.status_code == 200
    good, bad = made.json()
    assert good["success"]
    assert (bad["success"], bad["errors"][0]["statusCode"]) == (False, "INVALID_TYPE")
    change = {"attributes": {"type": "Account"}, "Id": good["id"], "Name": "Uno"}
    assert org.send("PATCH", f"{V}/composite/sobjects", json={"records": [change]}).json()[0][
        "success"
    ]
    assert org.get(f"{V}/sobjects/Account/{good['id']}").json()["Name"] == "Uno"
    gone = org.send("DELETE", f"{V}/composite/sobjects?ids={good['id']},xyz").json()
    assert [entry["success"] for entry in gone] == [True, False]


def test_gzip_only_for_those_who_ask(demo_org: RunningOrg) -> None:
    """
    The same bytes, compressed if and only if the client accepts gzip; always in chunks, without a
    length.
    """
    url = f"{demo_org.url}{V}/sobjects/Contact/describe"
    bodies = {}
    for accepted in ("gzip, deflate", "identity", "gzip;q=0"):
        headers = demo_org.headers | {"Accept-Encoding": accepted}
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            raw = answer.raw.read(decode_content=False)
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert "Content-Length" not in answer.headers
            is_packed = answer.headers.get("Content-Encoding") == "gzip"
            bodies[accepted] = (is_packed, gzip.decompress(raw) if is_packed else raw)
    assert [packed for packed, _ in bodies.values()] == [True, False, False]
    assert len({body for _, body in bodies.values()}) == 1
    assert json.loads(bodies["identity"][1])["name"] == "Contact"


def test_too_long_addresses_are_html_from_the_edge(demo_org: RunningOrg) -> None:
    """A URI over 16,384 bytes is 414, more headers than that 431, both HTML."""
    long = demo_org.get(f"{V}/query?q={'x' * 17_000}")
    assert (long.status_code, long.headers["Content-Type"]) == (414, "text/html")
    assert demo_org.get(f"{V}/limits", headers={"X-Long": "x" * 17_000}).status_code == 431


def test_one_connection_serves_many_calls(demo_org: RunningOrg) -> None:
    """HTTP/1.1 keep-alive: also after an error, a 304 and a HEAD the connection is good."""
    connection = http.client.HTTPConnection(demo_org.url.removeprefix("http://"), timeout=30)
    connection.connect()
    connection.auto_open = 0  # a second connection would be an error
    modified = {
        "If-Modified-Since": format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    }
    for method, path, status in (
        ("GET", "/limits", 200), ("GET", "/nothing", 404), ("GET", "/sobjects", 304), ("HEAD", "/limits", 200),
        ("GET", "/limits", 200),
    ):  # fmt: skip
        connection.request(method, V + path, headers=demo_org.headers | modified)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_ledger_tells_every_call(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    The ledger has each call with path, status, price and who sent it, and counts those over a
    threshold (P1).
    """
    org = fresh_org()
    headers = {"Sforce-Call-Options": "client=sfnb/1.0, defaultNamespace=x"}
    for _ in range(3):
        org.get(f"{V}/sobjects/Account/describe", headers=headers)
    requests.get(f"{org.url}/services/data", timeout=30)
    ledger = org.ledger(threshold=2, calls=True)
    assert (ledger["received"], ledger["spent"], ledger["over_threshold"]) == (4, {"api": 3}, 1)
    first = ledger["calls"][0]
    assert (first["client"], first["app"], first["username"], first["entity"]) == (
        "sfnb/1.0", "sfnb", org.username, "Account",
    )  # fmt: skip
    assert [call["reading"] for call in ledger["calls"][:3]] == [-1, 1, 2]
    assert org.ledger(after=ledger["last_call"])["received"] == 0


def test_usage_history(fresh_org: Callable[..., RunningOrg]) -> None:
    """Control shows the org's usage minute by minute, and the part of other apps."""
    org = fresh_org(competitors="on")
    org.get(f"{V}/limits")
    org.control("clock", {"advance_minutes": 2})
    usage = org.control("usage?minutes=30")
    assert len(usage["minutes"]) == 30
    assert usage["minutes"][-1]["used"] > 1
    assert sum(minute["others"] for minute in usage["minutes"]) > 0


def test_external_ids(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    Upsert by external id creates (201), updates (200, or 204 up to version 45); other fields cannot
    be used so.
    """
    org = fresh_org(own_data=True)
    path = f"/sobjects/Account/External_Id__c/{quote('K/1 ä', safe='')}"
    created = org.send("PATCH", V + path, json={"Name": "First"})
    assert (created.status_code, created.json()["created"]) == (201, True)
    again = org.send("PATCH", V + path, json={"Name": "Second"})
    assert (again.status_code, again.json()["created"], again.json()["id"]) == (
        200,
        False,
        created.json()["id"],
    )
    row = org.get(V + path).json()
    assert (row["External_Id__c"], row["Name"]) == ("K/1 ä", "Second")
    assert (
        org.send("PATCH", "/services/data/v45.0" + path, json={"Name": "Third"}).status_code == 204
    )
    twice = org.send("PATCH", V + path, json={"External_Id__c": "other"})
    assert (twice.status_code, twice.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert org.send("DELETE", V + path).status_code == 204
    assert org.get(V + path).status_code == 404
    assert org.send("PATCH", f"{V}/sobjects/Account/Site/x", json={"Name": "x"}).status_code in (
        400,
        404,
    )


def test_bodies_are_bytes(demo_org: RunningOrg) -> None:
    """
    A file's content is its bytes, as long as the record says, from the address that the record
    gives.
    """
    record = query(demo_org, "SELECT Id, Body, BodyLength FROM Attachment LIMIT 1").json()[
        "records"
    ][0]
    answer = demo_org.get(record["Body"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert len(answer.content) == record["BodyLength"]
    assert demo_org.get(f"{V}/sobjects/Attachment/00P000000000001/Body").status_code == 404
