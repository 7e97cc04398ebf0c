"""Each scripted fault of the demo org once, seen from a client."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import requests

from tests.conftest import RunningOrg

V = "/services/data/v66.0"
QUERY = f"{V}/query?q=SELECT+Id,Name+FROM+Account"
JOBS = f"{V}/jobs/query"


def job_state(org: RunningOrg, job_id: str) -> str:
    tick = threading.Event()
    for _ in range(600):
        state = str(org.get(f"{JOBS}/{job_id}").json()["state"])
        if state in ("JobComplete", "Failed"):
            return state
        tick.wait(0.02)
    pytest.fail("the job does not end")


def create(org: RunningOrg) -> str:
    body = {"operation": "query", "query": "SELECT Id, Name FROM Account"}
    return str(org.send("POST", JOBS, json=body).json()["id"])


def test_answers_instead_of_the_answer(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    503, HTML, an empty 406, the concurrency refusal and any error come once, and are charged like
    any call.
    """
    org = fresh_org()
    expected = [
        ({"fault": "status503"}, 503, "application/json;charset=UTF-8", "SERVER_UNAVAILABLE"),
        ({"fault": "html"}, 503, "text/html", "<html>"),
        ({"fault": "html", "status": 200}, 200, "text/html", "<html>"),
        ({"fault": "empty406"}, 406, None, ""),
        (
            {"fault": "concurrent_limit"},
            403,
            "application/json;charset=UTF-8",
            "ConcurrentRequests",
        ),
        (
            {
                "fault": "error",
                "code": "QUERY_TIMEOUT",
                "message": "Your query request was running for too long.",
            },
            400,
            "application/json;charset=UTF-8",
            "QUERY_TIMEOUT",
        ),
    ]
    for rule, status, content_type, text in expected:
        org.fail(match="GET .*/query", times=1, **rule)
        answer = org.get(QUERY)
        assert (answer.status_code, answer.headers.get("Content-Type")) == (status, content_type)
        assert text in answer.text
    assert org.get(QUERY).status_code == 200
    assert org.ledger()["spent"] == {"api": len(expected) + 1}


def test_uncounted_faults(fresh_org: Callable[..., RunningOrg]) -> None:
    """A fault of the edge may be free, if the rule says so."""
    org = fresh_org()
    org.fail(match="query", fault="html", times=1, counted=False)
    org.get(QUERY)
    assert org.ledger()["spent"] == {}


@pytest.mark.parametrize("base", ["url", "https_url"])
def test_broken_connections(fresh_org: Callable[..., RunningOrg], base: str) -> None:
    """
    A cut connection has no answer, half a body ends too early, both over HTTP and HTTPS; the next
    call is fine.
    """
    org = fresh_org()
    url = getattr(org, base) + QUERY
    for fault in ("cut", "half_body"):
        org.fail(match="query", fault=fault, times=1)
        with pytest.raises(
            (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
        ):
            requests.get(url, headers=org.headers, verify=org.ca_file, timeout=30)
        assert requests.get(url, headers=org.headers, verify=org.ca_file, timeout=30).ok
    assert org.ledger()["spent"] == {"api": 4}


def test_stall(fresh_org: Callable[..., RunningOrg]) -> None:
    """A stalled call runs into the client's timeout; the org has counted it."""
    org = fresh_org()
    org.fail(match="query", fault="stall", seconds=5, times=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(org.url + QUERY, headers=org.headers, timeout=0.2)
    assert org.control("status")["budgets"]["api"]["used"] == 1


def test_expired_session(fresh_org: Callable[..., RunningOrg]) -> None:
    """The session ends before the call and stays dead; a new login works."""
    org = fresh_org()
    org.fail(match="query", fault="expire_session", times=1)
    assert org.get(QUERY).json()[0]["errorCode"] == "INVALID_SESSION_ID"
    assert org.get(QUERY).status_code == 401
    form = {
        "grant_type": "client_credentials",
        "client_id": org.client_id,
        "client_secret": org.client_secret,
    }
    token = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=30).json()[
        "access_token"
    ]
    assert org.get(QUERY, headers={"Authorization": f"Bearer {token}"}).ok
    assert org.control("sessions", {"expire": True}) == {"ended": 1}
    assert org.get(QUERY, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_limit_header_gone_extended_garbled(fresh_org: Callable[..., RunningOrg]) -> None:
    """The header is missing, longer, or no number, for one call or, by control, for all."""
    org = fresh_org()
    forms = {
        "gone": None,
        "extended": "api-usage=2/15000; per-app-api-usage=17/250(appName=sfnb)",
        "garbled": "api-usage=3//15000??",
    }
    for form, value in forms.items():
        org.fail(match="query", fault="limit_header", form=form, times=1)
        assert org.get(QUERY).headers.get("Sforce-Limit-Info") == value
    assert org.get(QUERY).headers["Sforce-Limit-Info"] == "api-usage=4/15000"
    org.control("quota", {"limit_header": "gone"})
    assert "Sforce-Limit-Info" not in org.get(QUERY).headers


def test_locator_expired(fresh_org: Callable[..., RunningOrg]) -> None:
    """A cursor that is gone stays gone."""
    org = fresh_org()
    first = org.get(
        f"{V}/query?q=SELECT+Id+FROM+Contact", headers={"Sforce-Query-Options": "batchSize=200"}
    ).json()
    org.fail(match="query/01g", fault="locator_expired", times=1)
    for _ in range(2):
        assert org.get(first["nextRecordsUrl"]).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_bulk_job_failed_and_results_expired(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    A job ends Failed with a message; results of another are gone although the job is complete.
    """
    org = fresh_org()
    org.fail(match=f"POST {JOBS}", body="Account", fault="bulk_job_failed", times=1)
    failed = create(org)
    assert job_state(org, failed) == "Failed"
    assert org.get(f"{JOBS}/{failed}").json()["errorMessage"].startswith("InvalidBatch : ")
    good = create(org)
    assert job_state(org, good) == "JobComplete"
    org.fail(match=f"{good}/results", fault="bulk_results_expired", nth=2, times=1)
    statuses = [org.get(f"{JOBS}/{good}/results?maxRecords=5").status_code for _ in range(3)]
    assert statuses == [200, 404, 404]


def test_truncated_csv(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    The body ends in the middle of a record with a length that fits it; only the count of records
    betrays it.
    """
    org = fresh_org()
    job_id = create(org)
    job_state(org, job_id)
    whole = org.get(f"{JOBS}/{job_id}/results")
    org.fail(match="results", fault="truncated_csv", times=1)
    short = org.get(f"{JOBS}/{job_id}/results")
    assert short.status_code == 200
    assert whole.content.startswith(short.content)
    assert not short.content.endswith(b"\n")
    assert len(short.content) < len(whole.content)
    assert short.headers["Sforce-NumberOfRecords"] == whole.headers["Sforce-NumberOfRecords"]


def test_fault_inside_a_composite_call(fresh_org: Callable[..., RunningOrg]) -> None:
    """One subrequest fails, the others and the call itself are well."""
    org = fresh_org()
    org.fail(
        match="sobjects/Contact/describe",
        fault="error",
        code="UNKNOWN_EXCEPTION",
        status=500,
        inside=True,
    )
    subrequests = [
        {"method": "GET", "url": f"{V}/sobjects/{name}/describe", "referenceId": name}
        for name in ("Account", "Contact")
    ]
    answer = org.send("POST", f"{V}/composite", json={"compositeRequest": subrequests})
    assert [part["httpStatusCode"] for part in answer.json()["compositeResponse"]] == [200, 500]


def test_wrong_rules_are_refused(fresh_org: Callable[..., RunningOrg]) -> None:
    """Control answers 400 with a sentence, and nothing is added."""
    org = fresh_org()
    answer = requests.post(
        f"{org.url}/control/faults",
        json={"fault": "explode"},
        headers={"X-Demo-Control": org.control_token},
        timeout=30,
    )
    assert (answer.status_code, "there is no fault 'explode'" in answer.json()["error"]) == (
        400,
        True,
    )
    assert org.control("faults") == {"rules": []}
