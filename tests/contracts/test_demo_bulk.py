"""The demo org's Bulk APIs over raw HTTP: query jobs, result pages, PK chunking, quotas."""

from __future__ import annotations

import csv
import gzip
import io
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.conftest import RunningOrg

V = "/services/data/v66.0"
JOBS = f"{V}/jobs/query"
ASYNC = "/services/async/66.0/job"
SOQL = "SELECT Id, FirstName, LastName, Description, Account.Name FROM Contact"


def create(org: RunningOrg, soql: str = SOQL, **more: str) -> requests.Response:
    body = {"operation": "query", "query": soql} | more
    return org.send("POST", JOBS, json=body, headers={"Accept": "text/csv"})


def finished(org: RunningOrg, path: str, states: tuple[str, ...]) -> dict[str, Any]:
    """
    Poll until the job or batch is in one of the states; real work in the background ends soon.
    """
    tick = threading.Event()
    for _ in range(600):
        answer = org.get(path).json()
        if answer["state"] in states:
            return dict(answer)
        tick.wait(0.02)
    pytest.fail(f"{path} is still {answer['state']}")


def done_job(org: RunningOrg, soql: str = SOQL, **more: str) -> str:
    job_id = str(create(org, soql, **more).json()["id"])
    finished(org, f"{JOBS}/{job_id}", ("JobComplete", "Failed"))
    return job_id


def rows(body: bytes) -> list[list[str]]:
    """UTF-8, although Salesforce names no charset for CSV."""
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


def test_job_is_created_with_200_and_a_number_for_its_version(demo_org: RunningOrg) -> None:
    """
    Create answers 200 as JSON even if only text/csv is accepted; ids are 750… with 18 characters.
    """
    answer = create(demo_org)
    job = answer.json()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert re.fullmatch(r"750\w{15}", job["id"])
    assert (job["state"], job["apiVersion"], job["object"]) == ("UploadComplete", 66.0, "Contact")
    assert "jobType" not in job
    info = finished(demo_org, f"{JOBS}/{job['id']}", ("JobComplete",))
    assert (info["jobType"], info["numberRecordsProcessed"] > 0) == ("V2Query", True)


@pytest.mark.parametrize("page_rows", [1, 7, 100, 10**9])
def test_pages_of_any_size_hold_each_row_once(demo_org: RunningOrg, page_rows: int) -> None:
    """
    Pages by maxRecords and locator, the last one's locator the text null, make up the single page
    exactly.
    """
    soql = SOQL + " WHERE Id != null ORDER BY Id LIMIT 40"
    base = f"{JOBS}/{done_job(demo_org, soql)}/results"
    whole = demo_org.get(base)
    assert whole.headers["Sforce-Locator"] == "null"
    expected = rows(whole.content)
    assert int(whole.headers["Sforce-NumberOfRecords"]) == len(expected) - 1 == 40
    got: list[list[str]] = []
    locator, pages = "", 0
    while locator != "null":
        page = demo_org.get(
            f"{base}?maxRecords={page_rows}" + (f"&locator={locator}" if locator else "")
        )
        header, *found = rows(page.content)
        assert header == expected[0]
        assert len(found) == int(page.headers["Sforce-NumberOfRecords"]) <= page_rows
        got += found
        locator, pages = page.headers["Sforce-Locator"], pages + 1
        assert re.fullmatch(r"[\w-]+", locator)
    assert got == expected[1:]
    assert pages == -(-40 // page_rows)


def test_results_equal_rest(demo_org: RunningOrg) -> None:
    """What Bulk says of a row is what REST says of it, text character for character."""
    bulk = rows(demo_org.get(f"{JOBS}/{done_job(demo_org, SOQL + ' ORDER BY Id')}/results").content)
    rest: list[dict[str, Any]] = []
    url = f"{V}/query?q={quote(SOQL + ' ORDER BY Id')}"
    while url:
        page = demo_org.get(url).json()
        rest += page["records"]
        url = page.get("nextRecordsUrl", "")
    assert len(bulk) - 1 == len(rest)
    for row, record in zip(bulk[1:], rest, strict=True):
        parent = record["Account"]["Name"] if record["Account"] else None
        values = [record[name] for name in ("Id", "FirstName", "LastName", "Description")]
        assert row == [value or "" for value in [*values, parent]]


def test_pages_are_packed_for_those_who_ask(demo_org: RunningOrg) -> None:
    """A compressed page unpacks to the same bytes, and its length is the packed one."""
    url = f"{demo_org.url}{JOBS}/{done_job(demo_org)}/results"
    plain = requests.get(
        url, headers=demo_org.headers | {"Accept-Encoding": "identity"}, timeout=30
    )
    with requests.get(
        url, headers=demo_org.headers | {"Accept-Encoding": "gzip"}, stream=True, timeout=30
    ) as answer:
        raw = answer.raw.read(decode_content=False)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert len(raw) < len(plain.content)
    assert gzip.decompress(raw) == plain.content


def test_formats(demo_org: RunningOrg) -> None:
    """
    Delimiter and line ending are the job's; up to version 49.0 columns are in the order of their
    names.
    """
    semicolon = demo_org.get(
        f"{JOBS}/{done_job(demo_org, SOQL + ' LIMIT 5', columnDelimiter='SEMICOLON', lineEnding='CRLF')}/results"
    )
    assert semicolon.text.startswith('"Id";"FirstName";"LastName";"Description";"Account.Name"\r\n')
    old = "/services/data/v49.0/jobs/query"
    job_id = demo_org.send(
        "POST", old, json={"operation": "query", "query": SOQL + " LIMIT 1"}
    ).json()["id"]
    finished(demo_org, f"{old}/{job_id}", ("JobComplete",))
    header = rows(demo_org.get(f"{old}/{job_id}/results").content)[0]
    assert header == sorted(header, key=str.lower)


def test_zero_rows_are_a_header(demo_org: RunningOrg) -> None:
    """A query without matches completes, with no records and locator null."""
    answer = demo_org.get(
        f"{JOBS}/{done_job(demo_org, SOQL + ' WHERE LastName = null AND LastName != null')}/results"
    )
    assert (answer.headers["Sforce-NumberOfRecords"], answer.headers["Sforce-Locator"]) == (
        "0",
        "null",
    )
    assert len(rows(answer.content)) == 1


def test_parallel_result_pages(demo_org: RunningOrg) -> None:
    """
    resultPages, in any case, lists addresses that together hold all rows; before version 58.0 there
    is none.
    """
    job_id = done_job(demo_org)
    pages = demo_org.get(f"{JOBS}/{job_id}/resultpages")
    assert pages.json() == demo_org.get(f"{JOBS}/{job_id}/resultPages").json()
    found = sum(
        int(demo_org.get(p["resultUrl"]).headers["Sforce-NumberOfRecords"])
        for p in pages.json()["resultPages"]
    )
    assert found == int(demo_org.get(f"{JOBS}/{job_id}/results").headers["Sforce-NumberOfRecords"])
    assert pages.json()["done"] is True
    assert demo_org.get(f"/services/data/v57.0/jobs/query/{job_id}/resultPages").status_code == 404


def test_results_want_the_jobs_version(demo_org: RunningOrg) -> None:
    """A request for results in another API version is 409."""
    job_id = done_job(demo_org, SOQL + " LIMIT 1")
    assert demo_org.get(f"/services/data/v65.0/jobs/query/{job_id}/results").status_code == 409


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT COUNT(Id) FROM Account", "FEATURENOTENABLED"),
        ("SELECT Id FROM Account OFFSET 5", "FEATURENOTENABLED"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "FEATURENOTENABLED"),
        ("SELECT MailingAddress FROM Contact", "INVALID_FIELD"),
        ("SELECT VersionData FROM ContentVersion", "FEATURENOTENABLED"),
        ("SELECT Id FROM Attachment", "INVALIDENTITY"),
        ("SELECT Id FROM CaseStatus", "INVALIDENTITY"),
        ("SELECT Naem FROM Account", "INVALID_FIELD"),
        ("", "INVALIDJOB"),
    ],
)
def test_refused_at_create(demo_org: RunningOrg, soql: str, code: str) -> None:
    """What Bulk cannot do is refused when the job is made, as an array with Salesforce's code."""
    answer = create(demo_org, soql)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_states_take_simulated_time(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    A job goes from UploadComplete over InProgress to JobComplete as simulated time passes, and not
    before.
    """
    org = fresh_org(bulk_job_s=120)
    job_id = create(org).json()["id"]
    path = f"{JOBS}/{job_id}"
    assert org.get(path).json()["state"] == "UploadComplete"
    assert org.get(f"{path}/results").json()[0]["errorCode"] == "INVALIDJOBSTATE"
    org.control("clock", {"advance_minutes": 1})
    assert finished(org, path, ("InProgress",))
    assert org.send("DELETE", path).json()[0]["errorCode"] == "API_ERROR"
    org.control("clock", {"advance_minutes": 2})
    assert finished(org, path, ("JobComplete",))


def test_abort_delete_and_list(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    A running job can be aborted once; a finished one cannot; deleted ones are 404 and off the list.
    """
    org = fresh_org(bulk_job_s=120)
    path = f"{JOBS}/{create(org).json()['id']}"
    assert org.send("PATCH", path, json={"state": "Aborted"}).json()["state"] == "Aborted"
    again = org.send("PATCH", path, json={"state": "Aborted"})
    assert (again.status_code, again.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")
    assert len(org.get(f"{JOBS}?jobType=V2Query").json()["records"]) == 1
    gone = org.send("DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert org.get(path).status_code == 404
    assert org.get(JOBS).json() == {"done": True, "records": [], "nextRecordsUrl": None}


def test_results_are_gone_after_seven_days(fresh_org: Callable[..., RunningOrg]) -> None:
    """Results can be read, in any order and again, for seven simulated days."""
    org = fresh_org()
    path = f"{JOBS}/{done_job(org)}/results"
    org.control("clock", {"advance_minutes": 7 * 1440})
    assert org.get(path).status_code == 200
    org.control("clock", {"advance_minutes": 1})
    assert (org.get(path).status_code, org.get(path).json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_each_http_call_counts_and_jobs_have_their_own_budget(
    fresh_org: Callable[..., RunningOrg],
) -> None:
    """
    Create, poll and page are a call each; the job is one of bulk2, its CSV so many KB; over that
    LIMIT_EXCEEDED.
    """
    org = fresh_org()
    org.control("quota", {"max": {"bulk2": 1}})
    job_id = done_job(org)
    size = len(org.get(f"{JOBS}/{job_id}/results").content)
    ledger = org.ledger()
    assert ledger["spent"] == {"api": ledger["received"]}
    budgets = org.control("status")["budgets"]
    assert (budgets["bulk2"]["used"], budgets["bulk2_kb"]["used"]) == (1, -(-size // 1024))
    limits = org.get(f"{V}/limits").json()
    assert limits["DailyBulkV2QueryJobs"] == {"Max": 1, "Remaining": 0}
    assert limits["DailyBulkV2QueryFileStorageMB"]["Remaining"] == 976562 - 1
    refused = create(org)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    org.control("quota", {"max": {"bulk2": 10, "bulk2_kb": 1}})
    assert "result size" in create(org).json()[0]["message"]


# -- Bulk API 1 ------------------------------------------------------------------------------------


def async_call(org: RunningOrg, method: str, path: str, **options: Any) -> requests.Response:
    headers = {"X-SFDC-Session": org.access_token} | options.pop("headers", {})
    return requests.request(method, org.url + ASYNC + path, headers=headers, timeout=30, **options)


JOB_XML = (
    '<?xml version="1.0"?><jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload">'
    "<operation>query</operation><object>Contact</object><contentType>{}</contentType></jobInfo>"
)


def xml_job(org: RunningOrg, content_type: str, **headers: str) -> str:
    made = async_call(
        org,
        "POST",
        "",
        data=JOB_XML.format(content_type),
        headers={"Content-Type": "application/xml"} | headers,
    )
    assert made.status_code == 201
    assert "<state>Open</state>" in made.text
    found = re.search(r"<id>(750\w{15})</id>", made.text)
    assert found is not None
    return found[1]


def batch_states(org: RunningOrg, job_id: str) -> list[tuple[str, str]]:
    """Ids and states of the batches, once none is waiting or running."""
    tick = threading.Event()
    for _ in range(600):
        text = async_call(org, "GET", f"/{job_id}/batch").text
        found = re.findall(r"<id>(751\w{15})</id>.*?<state>(\w+)</state>", text)
        if not {"Queued", "InProgress"} & {state for _, state in found}:
            return found
        tick.wait(0.02)
    pytest.fail("the batches do not end")


def async_result(org: RunningOrg, job_id: str, batch_id: str) -> requests.Response:
    listed = async_call(org, "GET", f"/{job_id}/batch/{batch_id}/result").text
    found = re.search(r"<result>(752\w{15})</result>", listed)
    assert found is not None
    return async_call(org, "GET", f"/{job_id}/batch/{batch_id}/result/{found[1]}")


def test_v1_csv_and_xml(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    CSV and XML jobs speak XML about themselves and give the rows in their own form; a batch is of
    its own budget.
    """
    org = fresh_org()
    for content_type, has in (("CSV", '"Id","LastName"\n'), ("XML", "<records ")):
        job_id = xml_job(org, content_type)
        added = async_call(org, "POST", f"/{job_id}/batch", data="SELECT Id, LastName FROM Contact")
        assert added.status_code == 201
        closed = async_call(
            org, "POST", f"/{job_id}", data="<jobInfo><state>Closed</state></jobInfo>"
        )
        assert "<state>Closed</state>" in closed.text
        ((batch_id, state),) = batch_states(org, job_id)
        assert state == "Completed"
        result = async_result(org, job_id, batch_id)
        assert has in result.text
        assert (
            result.headers["Content-Type"]
            == {"CSV": "text/csv", "XML": "application/xml"}[content_type]
        )
        assert "SELECT Id" in async_call(org, "GET", f"/{job_id}/batch/{batch_id}/request").text
    assert org.control("status")["budgets"]["bulk"]["used"] == 2


def test_v1_pk_chunking(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    The first batch is NotProcessed, one batch for each id range follows and is charged, no row is
    lost or twice.
    """
    org = fresh_org()
    job_id = xml_job(org, "CSV", **{"Sforce-Enable-PKChunking": "chunkSize=100"})
    async_call(
        org, "POST", f"/{job_id}/batch", data="SELECT Id FROM Contact WHERE LastName != 'where'"
    )
    (_, first), *chunks = batch_states(org, job_id)
    assert first == "NotProcessed"
    assert len(chunks) > 1
    found = [
        row
        for batch_id, _ in chunks
        for row in rows(async_result(org, job_id, batch_id).content)[1:]
    ]
    total = org.get(f"{V}/query?q={quote('SELECT COUNT() FROM Contact')}").json()["totalSize"]
    assert len({row[0] for row in found}) == len(found) == total
    assert org.control("status")["budgets"]["bulk"]["used"] == len(chunks) + 1


def test_v1_errors(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    A dead session is 400 with InvalidSessionId, in XML or JSON; a closed job refuses batches that
    still count.
    """
    org = fresh_org()
    dead = async_call(org, "GET", "/7507Q00000A0000AAA", headers={"X-SFDC-Session": "x"})
    assert dead.status_code == 400
    assert "<exceptionCode>InvalidSessionId</exceptionCode>" in dead.text
    as_json = async_call(
        org,
        "GET",
        "/7507Q00000A0000AAA",
        headers={"X-SFDC-Session": "x", "Content-Type": "application/json"},
    )
    assert as_json.json()["exceptionCode"] == "InvalidSessionId"
    assert (
        "<exceptionCode>InvalidJob</exceptionCode>"
        in async_call(org, "GET", "/7507Q00000A0000AAA").text
    )
    job_id = xml_job(org, "CSV")
    async_call(org, "POST", f"/{job_id}", data="<jobInfo><state>Closed</state></jobInfo>")
    refused = async_call(org, "POST", f"/{job_id}/batch", data="SELECT Id FROM Contact")
    assert "<exceptionCode>InvalidJobState</exceptionCode>" in refused.text
    org.control("quota", {"max": {"bulk": 1}})
    quota = async_call(org, "POST", f"/{xml_job(org, 'CSV')}/batch", data="SELECT Id FROM Contact")
    assert "<exceptionCode>ExceededQuota</exceptionCode>" in quota.text


def test_v1_wrong_query_fails_the_batch(demo_org: RunningOrg) -> None:
    """A wrong field is found when the batch runs: state Failed with a message that says so."""
    job_id = xml_job(demo_org, "CSV")
    async_call(demo_org, "POST", f"/{job_id}/batch", data="SELECT Naem FROM Contact")
    ((batch_id, state),) = batch_states(demo_org, job_id)
    assert state == "Failed"
    info = async_call(demo_org, "GET", f"/{job_id}/batch/{batch_id}").text
    assert "<stateMessage>InvalidBatch : Failed to process query: INVALID_FIELD" in info
