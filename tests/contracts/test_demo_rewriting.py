"""
Rules that choose calls by what they ask for, and answers that are untrue: each once, seen from a
client.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conftest import RunningOrg
from tests.contracts.test_demo_faults import JOBS, QUERY, V, create, job_state


def query(org: RunningOrg, soql: str) -> requests.Response:
    return org.get(f"{V}/query", params={"q": soql})


def finished_job(org: RunningOrg) -> str:
    job_id = create(org)
    assert job_state(org, job_id) == "JobComplete"
    return job_id


def results(org: RunningOrg, job_id: str, **params: Any) -> requests.Response:
    return org.get(f"{JOBS}/{job_id}/results", params=params)


def ids_of(page: requests.Response) -> list[str]:
    if "csv" in page.headers["Content-Type"]:
        return [row["Id"] for row in csv.DictReader(io.StringIO(page.text))]
    return [row["Id"] for row in page.json()["records"]]


@pytest.mark.parametrize("reader", ["rest", "bulk"])
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"drop": [0, -1]}, lambda ids: ids[1:-1]),
        ({"keep": 3}, lambda ids: ids[:3]),
        ({"repeat": [1]}, lambda ids: [*ids[:2], *ids[1:]]),
        ({"add": [{"Id": "001zzzzzzzzzzzzAAA"}]}, lambda ids: [*ids, "001zzzzzzzzzzzzAAA"]),
        ({"repeat": [0], "drop": [-1]}, lambda ids: [ids[0], *ids[:-1]]),
    ],
)
def test_rows_of_a_page_are_changed(
    fresh_org: Callable[..., RunningOrg],
    reader: str,
    rule: dict[str, Any],
    expected: Callable[[list[str]], list[str]],
) -> None:
    """Rows are dropped, repeated or added alike in JSON and CSV; all else of the page stays."""
    org = fresh_org()
    if reader == "rest":
        pages = lambda: query(org, "SELECT Id, Name FROM Account")  # noqa: E731
    else:
        job_id = finished_job(org)
        pages = lambda: results(org, job_id)  # noqa: E731
    true = pages()
    org.fail(match="query", object="Account", fault="rewrite", times=1, **rule)
    untrue = pages()
    assert ids_of(untrue) == expected(ids_of(true))
    if reader == "rest":
        assert untrue.json()["totalSize"] == true.json()["totalSize"]
    else:
        name = "Sforce-NumberOfRecords"
        assert untrue.headers[name] == true.headers[name]


def test_values_and_headers_are_changed(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    JSON values are set or removed by path, headers set or removed, each only as the rule says.
    """
    org = fresh_org()
    org.fail(
        match="query",
        fault="rewrite",
        times=1,
        set={"totalSize": 7, "done": False, "records.0.Name": "not so"},
        remove=["records.1"],
        headers={"Sforce-Limit-Info": None, "X-More": "1"},
    )
    true, untrue = org.get(QUERY), org.get(QUERY)
    true, untrue = untrue, true
    assert (untrue.json()["totalSize"], untrue.json()["done"]) == (7, False)
    assert untrue.json()["records"][0]["Name"] == "not so"
    assert untrue.json()["records"][1] == true.json()["records"][2]
    assert "Sforce-Limit-Info" not in untrue.headers
    assert untrue.headers["X-More"] == "1"


def test_counts_of_bulk_are_wrong(fresh_org: Callable[..., RunningOrg]) -> None:
    """``numberRecordsProcessed`` is a text, ``Sforce-NumberOfRecords`` is wrong."""
    org = fresh_org()
    job_id = finished_job(org)
    org.fail(match=f"{job_id}$", fault="rewrite", set={"numberRecordsProcessed": "many"})
    org.fail(match="results", fault="rewrite", headers={"Sforce-NumberOfRecords": "1"})
    assert org.get(f"{JOBS}/{job_id}").json()["numberRecordsProcessed"] == "many"
    assert results(org, job_id).headers["Sforce-NumberOfRecords"] == "1"


def test_a_locator_is_repeated(fresh_org: Callable[..., RunningOrg]) -> None:
    """The second page names itself as the next one: a reader that trusts it never ends."""
    org = fresh_org()
    job_id = finished_job(org)
    locator = "{last:Sforce-Locator}"
    org.fail(match="results", fault="rewrite", times=1)
    first = results(org, job_id, maxRecords=5)
    org.fail(match="results", fault="rewrite", headers={"Sforce-Locator": "NQ"})
    second = results(org, job_id, maxRecords=5, locator=first.headers["Sforce-Locator"])
    assert second.headers["Sforce-Locator"] == first.headers["Sforce-Locator"] == "NQ"
    org.control("faults", method="DELETE")
    org.fail(match="results", fault="rewrite", headers={"Sforce-Locator": locator})
    seen = [results(org, job_id, maxRecords=5).headers["Sforce-Locator"] for _ in range(2)]
    assert seen == ["", "NQ"]


@pytest.mark.parametrize("has_own_headers", [False, True])
def test_a_page_is_served_again(
    fresh_org: Callable[..., RunningOrg], has_own_headers: bool
) -> None:
    """A cache that ignores the query string gives the first page in place of the second."""
    org = fresh_org()
    job_id = finished_job(org)
    org.fail(match="results", fault="replay", times=2, own_headers=has_own_headers)
    first = results(org, job_id, maxRecords=5)
    again = results(org, job_id, maxRecords=5, locator=first.headers["Sforce-Locator"])
    true = results(org, job_id, maxRecords=5, locator=first.headers["Sforce-Locator"])
    assert again.content == first.content != true.content
    wanted = true if has_own_headers else first
    assert again.headers["Sforce-Locator"] == wanted.headers["Sforce-Locator"]


def test_rewriting_inside_a_composite_call(fresh_org: Callable[..., RunningOrg]) -> None:
    """A rule for both hits a subrequest as it hits a call."""
    org = fresh_org()
    org.fail(object="Account", fault="rewrite", keep=2, inside="both")
    parts = [
        {"method": "GET", "url": f"{V}/query?q=SELECT+Id+FROM+{name}", "referenceId": name}
        for name in ("Account", "Contact")
    ]
    answer = org.send("POST", f"{V}/composite", json={"compositeRequest": parts}).json()
    account, contact = (part["body"] for part in answer["compositeResponse"])
    assert len(account["records"]) == 2 < account["totalSize"]
    assert len(contact["records"]) == contact["totalSize"]
    assert len(org.get(QUERY).json()["records"]) == 2


def test_impossible_names_in_the_list_of_objects(fresh_org: Callable[..., RunningOrg]) -> None:
    """The global describe lists what no object can be named."""
    org = fresh_org()
    names = ["../x", "a\x00b", "quote'", "L" * 300]
    added = [{"name": name} for name in names]
    org.fail(match=r"sobjects/?$", fault="rewrite", add=added)
    listed = org.get(f"{V}/sobjects").json()["sobjects"]
    assert [entry["name"] for entry in listed[-4:]] == names
    assert listed[-1]["queryable"] is listed[-5]["queryable"]


def test_a_rule_chooses_by_object(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    One object's describe, rows, queries and Bulk jobs fail, whoever asks; no other object's do.
    """
    org = fresh_org()
    org.fail(object="account", fault="error", code="UNKNOWN_EXCEPTION")
    assert query(org, "SELECT Id FROM Account").status_code == 500
    assert org.get(f"{V}/sobjects/Account/describe").status_code == 500
    body = {"operation": "query", "query": "SELECT Id FROM Account"}
    assert org.send("POST", JOBS, json=body).status_code == 500
    assert query(org, "SELECT Id FROM Contact").ok
    assert query(org, "SELECT Id FROM Contact WHERE AccountId IN (SELECT Id FROM Account)").ok


def test_a_field_that_describe_lists_is_refused(fresh_org: Callable[..., RunningOrg]) -> None:
    """INVALID_FIELD with Salesforce's frame where the query names the field, and only there."""
    org = fresh_org()
    org.fail(object="Account", field="Industry", fault="error", code="INVALID_FIELD")
    refused = query(org, "SELECT Id, Industry FROM Account")
    assert refused.status_code == 400
    assert refused.json()[0]["errorCode"] == "INVALID_FIELD"
    assert "No such column 'Industry' on entity 'Account'" in refused.json()[0]["message"]
    assert query(org, "SELECT Id, Name FROM Account").ok
    assert query(org, "SELECT Id FROM Account WHERE Industry = null").ok


def test_too_many_formula_fields(fresh_org: Callable[..., RunningOrg]) -> None:
    """QUERY_TOO_COMPLICATED above so many formula fields of a query, or above so many fields."""
    org = fresh_org()
    fields = org.get(f"{V}/sobjects/Contact/describe").json()["fields"]
    formulas = [field["name"] for field in fields if field["calculated"]]
    others = [field["name"] for field in fields if not field["calculated"]]
    org.fail(object="Contact", formulas_over=0, fault="error", code="QUERY_TOO_COMPLICATED")
    refused = query(org, f"SELECT Id, {formulas[0]} FROM Contact")
    assert refused.json()[0]["errorCode"] == "QUERY_TOO_COMPLICATED"
    assert query(org, "SELECT Id, Name FROM Contact").ok
    org.fail(object="Contact", fields_over=3, fault="error", code="QUERY_TOO_COMPLICATED")
    assert query(org, f"SELECT {', '.join(others[:3])} FROM Contact").ok
    assert query(org, f"SELECT {', '.join(others[:4])} FROM Contact").status_code == 400


def test_a_rule_ends_by_the_orgs_clock(fresh_org: Callable[..., RunningOrg]) -> None:
    """Maintenance lasts so many seconds of simulated time from its first hit on."""
    org = fresh_org()
    org.fail(fault="status503", for_s=90)
    assert org.get(QUERY).status_code == 503
    org.control("clock", {"advance_minutes": 1.4})
    assert org.get(QUERY).status_code == 503
    org.control("clock", {"advance_minutes": 0.2})
    assert org.get(QUERY).ok


def test_known_codes_have_salesforces_words(fresh_org: Callable[..., RunningOrg]) -> None:
    """A code alone is answered with the status and the sentence that Salesforce gives it."""
    org = fresh_org()
    expected = {
        "API_CURRENTLY_DISABLED": (403, "API is currently disabled for this User"),
        "QUERY_TIMEOUT": (400, "Your query request was running for too long."),
        "UNSUPPORTED_API_VERSION": (410, "The requested resource is no longer available."),
    }
    for code, (status, words) in expected.items():
        org.fail(match="v66.0/query", fault="error", code=code, times=1)
        answer = org.get(QUERY)
        assert answer.status_code == status
        assert answer.json() == [{"message": words, "errorCode": code}]


def test_any_fault_may_set_headers(fresh_org: Callable[..., RunningOrg]) -> None:
    """A 503 of maintenance names the moment when the org is back, as an HTTP date."""
    org = fresh_org()
    date = "Fri, 27 Nov 2026 12:00:00 GMT"
    org.fail(match="query", fault="status503", headers={"Retry-After": date}, times=1)
    answer = org.get(QUERY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, date)
    assert answer.json()[0]["errorCode"] == "SERVER_UNAVAILABLE"


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("https://elsewhere.example.com{target}", "https://elsewhere.example.com" + QUERY),
        ("file:///etc/hosts", "file:///etc/hosts"),
        ("{target}", QUERY),
        ("{https_url}{path}", "{https_url}" + QUERY.partition("?")[0]),
    ],
)
def test_redirects(fresh_org: Callable[..., RunningOrg], to: str, location: str) -> None:
    """To another host, to a file, to itself without end, to the org's other address."""
    org = fresh_org()
    org.fail(match="query", fault="redirect", to=to)
    answer = org.get(QUERY, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"] == location.replace("{https_url}", org.https_url)


def test_huge_answers(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    Megabytes in one line, a packed answer a thousand times its size, deep JSON, a long header.
    """
    org = fresh_org()
    job_id = finished_job(org)
    org.fail(match="results", fault="huge", form="line", size=3, times=1)
    line = results(org, job_id).content
    assert (len(line) > 3 << 20, line.count(b"\n")) == (True, 2)
    org.fail(match="query", fault="huge", form="gzip", size=64, times=1)
    packed = org.get(QUERY, stream=True).raw.read(decode_content=False)
    assert len(packed) < 1 << 20
    assert len(gzip.decompress(packed)) > 64 << 20
    assert zlib.decompressobj(31).decompress(packed).startswith(b'{"records"')
    org.fail(match="query", fault="huge", form="deep", size=100_000, times=1)
    assert org.get(QUERY).text == "[" * 100_000 + "]" * 100_000
    org.fail(match="query", fault="huge", form="header", size=50, times=1)
    assert len(org.get(QUERY).headers["X-Long"]) == 50 * 1024


def test_a_body_is_changed_whatever_its_type(fresh_org: Callable[..., RunningOrg]) -> None:
    """A regular expression replaces in the body: here an OAuth answer names another address."""
    org = fresh_org()
    org.fail(
        match="oauth2/token",
        fault="rewrite",
        replace=[["http://127.0.0.1:[0-9]+", "{https_url}"]],
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": org.client_id,
        "client_secret": org.client_secret,
    }
    answer = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=30)
    assert answer.json()["instance_url"] == org.https_url


def test_connections_are_refused_for_a_time(fresh_org: Callable[..., RunningOrg]) -> None:
    """Nobody listens until the ports open again, at the same addresses, with all sessions alive."""
    org = fresh_org()
    assert org.server is not None
    org.server.refuse_connections()
    with pytest.raises(requests.exceptions.ConnectionError):
        org.get(QUERY)
    org.server.accept_connections()
    assert org.get(QUERY).ok
