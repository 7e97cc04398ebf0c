from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sfnb.clock import FakeClock
from sfnb.errors import (
    CallerError,
    LoginError,
    ObjectError,
    QuotaSignal,
    StopSignal,
    TransientError,
)
from sfnb.memory import State
from sfnb.org.client import OrgClient
from sfnb.org.retry import GaugeUnreadable, TriesSpent
from sfnb.org.session import Access, Session
from sfnb.org.transport import GateAdapter, call_context
from tests.unit.org.scripted import DATA, LIMITS, ORG_ID, TOKEN, Answer, ScriptedOrg

QUERY = f"{DATA}/query"
ROWS = {"totalSize": 0, "done": True, "records": []}


def limit(used: int, most: int = 1000) -> dict[str, str]:
    return {"Sforce-Limit-Info": f"api-usage={used}/{most}"}


def test_the_gauge_is_read_before_the_first_call(
    org: OrgClient, scripted: ScriptedOrg, used: Callable[[], int]
) -> None:
    """P1: with no reading yet, /limits goes first; then the call, and its header is what counts."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(QUERY, Answer(body=ROWS, headers=limit(12)))
    org.request("GET", "query", params={"q": "SELECT Id FROM Account"})
    assert scripted.paths() == [f"{DATA}/limits", QUERY]
    assert used() == 12
    assert org.gate.standing()["bulk2"].used == 1


def test_nothing_is_sent_above_the_threshold(org: OrgClient, scripted: ScriptedOrg) -> None:
    """P1: at the threshold the call is not sent, and the signal tells where the budget stands."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(500)))
    scripted.script(QUERY, Answer(body=ROWS))
    with pytest.raises(QuotaSignal) as caught:
        org.request("GET", "query")
    assert (caught.value.api, caught.value.used, caught.value.threshold) == ("api", 500, 500)
    assert QUERY not in scripted.paths()


def test_an_analysts_call_is_gated_too(org: OrgClient, scripted: ScriptedOrg) -> None:
    """P1: simple-salesforce on the org's session cannot get around the gate, over http on this machine as well."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(499)))
    scripted.script(f"{DATA}/query/", Answer(body=ROWS, headers=limit(500)))
    assert org.sf.query("SELECT Id FROM Account")["totalSize"] == 0
    with pytest.raises(QuotaSignal):
        org.sf.query("SELECT Id FROM Account")
    assert scripted.paths() == [f"{DATA}/limits", f"{DATA}/query/"]


@pytest.mark.parametrize("headers", [{}, {"Sforce-Limit-Info": "api-usage=lots"}])
def test_a_missing_or_garbled_header_means_asking(
    org: OrgClient, scripted: ScriptedOrg, headers: Mapping[str, str]
) -> None:
    """P1: after an answer without a clear header, /limits is read before the next call."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(QUERY, Answer(body=ROWS, headers=dict(headers)))
    org.request("GET", "query")
    org.request("GET", "query")
    assert scripted.paths() == [f"{DATA}/limits", QUERY, f"{DATA}/limits", QUERY]


def test_limits_that_do_not_tell_mean_a_pause(org: OrgClient, scripted: ScriptedOrg) -> None:
    """P1: when neither header nor /limits tell what is used, the call is not sent."""
    scripted.script(f"{DATA}/limits", Answer(body={}))
    scripted.script(QUERY, Answer(body=ROWS))
    with pytest.raises(QuotaSignal) as caught:
        org.request("GET", "query")
    assert caught.value.used == -1
    assert scripted.paths() == [f"{DATA}/limits"]


def test_a_refused_look_still_tells_by_its_header(
    org: OrgClient, scripted: ScriptedOrg, used: Callable[[], int]
) -> None:
    """A user who may not see /limits gets a 403 with the header, which is all that REST calls need."""
    refusal = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]
    scripted.script(f"{DATA}/limits", Answer(403, refusal, limit(3)))
    scripted.script(QUERY, Answer(body=ROWS, headers=limit(4)))
    org.request("GET", "query")
    assert used() == 4
    scripted.script(f"{DATA}/jobs/query", Answer(body={"id": "750"}))
    with pytest.raises(QuotaSignal) as caught:
        org.request("POST", "jobs/query", json={})
    assert caught.value.api == "bulk2"
    assert "View Setup and Configuration" in caught.value.reason


def test_limits_that_fail_for_long_mean_a_pause(org: OrgClient, scripted: ScriptedOrg) -> None:
    """P1, P4: an org whose /limits stay out of order pauses the job, after tries that are spread out."""
    scripted.script(
        f"{DATA}/limits", Answer(503, b"<html>maintenance</html>", {"Content-Type": "text/html"})
    )
    with pytest.raises(GaugeUnreadable):
        org.request("GET", "query")
    with pytest.raises(QuotaSignal, match="Pausing until it can be read"):
        org.retrying(lambda: org.request("GET", "query"))
    assert QUERY not in scripted.paths()


def test_a_cut_connection_counts(
    org: OrgClient, scripted: ScriptedOrg, used: Callable[[], int]
) -> None:
    """P1: a call whose answer never came may have been counted, so it is; and the gauge is read again."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(QUERY, Answer(cut=0), Answer(body=ROWS, headers=limit(14)))
    with pytest.raises(TransientError, match="the connection broke"):
        org.request("GET", "query")
    standing = org.gate.standing()["api"]
    assert (standing.believed, standing.is_known, standing.in_flight) == (12, False, 0)
    org.request("GET", "query")
    assert scripted.paths() == [f"{DATA}/limits", QUERY, f"{DATA}/limits", QUERY]


def test_a_call_that_never_left_does_not_count(
    org: OrgClient, scripted: ScriptedOrg, used: Callable[[], int]
) -> None:
    """A refused connection leaves used and in flight as they were."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    org.limits()
    scripted.close()
    org.close()  # a kept connection would still answer
    with pytest.raises(TransientError):
        org.request("GET", "query")
    standing = org.gate.standing()["api"]
    assert (standing.used, standing.is_known, standing.in_flight) == (11, True, 0)


def test_every_answer_counts_refusals_too(
    org: OrgClient, scripted: ScriptedOrg, used: Callable[[], int]
) -> None:
    """P1: the header of an error is read as any other, and retries are calls of their own."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    busy = [{"errorCode": "SERVER_UNAVAILABLE", "message": "busy"}]
    scripted.script(
        QUERY,
        Answer(503, busy, limit(12)),
        Answer(503, busy, limit(13)),
        Answer(200, ROWS, limit(14)),
    )
    told: list[Mapping[str, int]] = []
    with call_context(job_id="j1", object_name="Account", on_call=told.append):
        org.retrying(lambda: org.request("GET", "query"))
    assert used() == 14
    assert told == [{"api": 1}] * 4


def test_calls_are_put_down_to_their_job_and_object(
    org: OrgClient, scripted: ScriptedOrg, state: State
) -> None:
    """The ledger knows who spent: contexts nest and end."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(QUERY, Answer(body=ROWS, headers=limit(12)))
    with call_context(job_id="j1"):
        org.request("GET", "query")
        with call_context(object_name="Account"):
            org.request("GET", "query")
            org.request("GET", "query")
    org.request("GET", "query")
    assert state.usage.object_calls("j1") == {"": 2, "Account": 2}
    assert state.usage.job_calls("")["api"] == 1


def test_many_threads_read_the_gauge_once(org: OrgClient, scripted: ScriptedOrg) -> None:
    """Threads that find the gauge unknown together send one /limits between them."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(QUERY, Answer(body=ROWS, headers=limit(12)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: org.request("GET", "query"), range(16)))
    assert scripted.paths().count(f"{DATA}/limits") == 1
    assert scripted.paths().count(QUERY) == 16


def test_threads_never_pass_the_threshold_together(org: OrgClient, scripted: ScriptedOrg) -> None:
    """P1: with room for five calls and a header that lags, five of twenty threads' calls are sent."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(495)))
    scripted.script(QUERY, Answer(body=ROWS, headers=limit(495)))
    barrier = threading.Barrier(20)
    scripted.hold = threading.Event()

    def one(_: int) -> bool:
        barrier.wait()
        try:
            org.request("GET", "query")
        except QuotaSignal:
            return False
        return True

    org.limits()
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(one, n) for n in range(20)]
        scripted.wait_for(QUERY, 5)
        # Fifteen are refused while five are on the way.
        refused = 0
        while refused < 15:
            refused = sum(future.done() for future in futures)
        scripted.hold.set()
        sent = sum(future.result() for future in futures)
    assert sent == 5


def test_a_dead_session_is_renewed_once_for_all(
    org: OrgClient, scripted: ScriptedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that expires under many threads is replaced by one login, and every call is repeated."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(
        "/services/oauth2/userinfo", Answer(body={"organization_id": ORG_ID, "user_id": "005"})
    )
    new = TOKEN + "2"
    monkeypatch.setenv("TOKEN", new)
    expired = Answer(
        401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]
    )
    good = Answer(body=ROWS, headers=limit(12))
    scripted.decide(
        QUERY, lambda asked: good if asked.headers["Authorization"] == f"Bearer {new}" else expired
    )
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: org.request("GET", "query").status_code, range(8)))
    assert answers == [200] * 8
    assert scripted.paths().count("/services/oauth2/userinfo") == 1
    scripted.decide(
        f"{DATA}/query/",
        lambda asked: good if asked.headers["Authorization"].endswith(new) else expired,
    )
    assert org.sf.query("SELECT Id FROM Account")["done"] is True


def test_a_session_that_ended_while_paused_is_no_pause(
    org: OrgClient, scripted: ScriptedOrg
) -> None:
    """A 401 met while reading the gauge leads to a new login, not to a pause or a failure."""
    expired = Answer(
        401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]
    )
    scripted.script(f"{DATA}/limits", expired, Answer(body=LIMITS, headers=limit(11)))
    scripted.script(
        "/services/oauth2/userinfo", Answer(body={"organization_id": ORG_ID, "user_id": "005"})
    )
    scripted.script(QUERY, Answer(body=ROWS, headers=limit(12)))
    assert org.request("GET", "query").status_code == 200


@pytest.mark.parametrize(
    "body", [b"<html>who are you</html>", b"", [{"errorCode": "INVALID_AUTH_HEADER"}], [3]]
)
def test_a_401_that_stays_is_a_login_error(
    org: OrgClient, scripted: ScriptedOrg, body: object
) -> None:
    """A 401 in whatever dress, twice, is one sentence and no crash."""
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script("/services/oauth2/userinfo", Answer(body={"organization_id": ORG_ID}))
    scripted.script(QUERY, Answer(401, body, {"Content-Type": kind}))
    with pytest.raises((LoginError, TransientError)) as caught:
        org.request("GET", "query")
    assert TOKEN not in str(caught.value)
    assert scripted.paths().count(QUERY) == 2


def test_a_login_that_leads_elsewhere_is_refused(org: OrgClient, scripted: ScriptedOrg) -> None:
    """A renewed session of another org must not be used: rows of two orgs would mix."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(
        "/services/oauth2/userinfo", Answer(body={"organization_id": "00D7Q00000OtherX"[:15]})
    )
    scripted.script(QUERY, Answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "gone"}]))
    with pytest.raises(LoginError, match="is registered as"):
        org.request("GET", "query")


def test_without_api_scope_no_login_helps(org: OrgClient, scripted: ScriptedOrg) -> None:
    """A session without the api scope is told at once, with what to do."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    text = "This session is not valid for use with the REST API"
    scripted.script(QUERY, Answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": text}]))
    with pytest.raises(LoginError, match="scope api"):
        org.request("GET", "query")
    assert scripted.paths().count(QUERY) == 1


def test_half_an_answer_is_transient(org: OrgClient, scripted: ScriptedOrg) -> None:
    """A body shorter than its length is met as a cut connection, and tried again."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(
        QUERY, Answer(body=ROWS, headers=limit(12), cut=5), Answer(body=ROWS, headers=limit(13))
    )
    assert org.fetch_json("GET", "query") == ROWS
    assert scripted.paths().count(QUERY) == 2


def test_text_in_place_of_json_is_transient(org: OrgClient, scripted: ScriptedOrg) -> None:
    """A whole answer that is no JSON is tried again, then told in one sentence."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(
        QUERY, Answer(body=b"oops", headers={**limit(12), "Content-Type": "text/plain"})
    )
    with pytest.raises(TriesSpent, match="expected JSON, received text/plain") as caught:
        org.fetch_json("GET", "query")
    assert "Tried 6 times" in str(caught.value)


def test_waiting_listens_to_the_stop(org: OrgClient, scripted: ScriptedOrg) -> None:
    """A job told to stop does not go on trying."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(QUERY, Answer(503, None, limit(12)))
    stop = threading.Event()
    stop.set()
    with call_context(stop=stop), pytest.raises(StopSignal):
        org.fetch_json("GET", "query")
    assert scripted.paths().count(QUERY) == 1


def test_our_calls_say_who_we_are(org: OrgClient, scripted: ScriptedOrg) -> None:
    """The org's event log can tell our calls from others', and nothing is compressed on loopback."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    org.limits()
    headers = scripted.asked[-1].headers
    assert headers["Sforce-Call-Options"].startswith("client=sfnb/")
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Authorization"] == f"Bearer {TOKEN}"


def test_no_secret_leaves_for_another_host(clock: FakeClock) -> None:
    """P7: a request to another host is not signed, and plain http beyond this machine is refused."""
    access = Access(Session("https://acme.my.salesforce.com", TOKEN, ORG_ID))
    with requests.Session() as http:
        http.auth = access
        other = http.prepare_request(requests.Request("GET", "https://evil.example/services/data"))
        own = http.prepare_request(requests.Request("GET", "https://acme.my.salesforce.com/x"))
        bulk1 = requests.Request(
            "GET", "https://acme.my.salesforce.com/x", headers={"X-SFDC-Session": "old"}
        )
        assert "Authorization" not in other.headers
        assert own.headers["Authorization"] == f"Bearer {TOKEN}"
        assert http.prepare_request(bulk1).headers["X-SFDC-Session"] == TOKEN
        http.mount("http://", GateAdapter(url="https://acme.my.salesforce.com", clock=clock))
        http.auth = None
        with pytest.raises(CallerError, match="unencrypted"):
            http.get("http://acme.my.salesforce.com/services/data")


def test_a_priced_call_without_a_gate_is_refused(scripted: ScriptedOrg, clock: FakeClock) -> None:
    """P1: before the org is known, only what Salesforce does not count is sent."""
    scripted.script("/services/data", Answer(body=[]))
    with requests.Session() as http:
        http.mount("http://", GateAdapter(url=scripted.url, clock=clock))
        assert http.get(f"{scripted.url}/services/data").status_code == 200
        with pytest.raises(CallerError, match="which org it is"):
            http.get(f"{scripted.url}{QUERY}")
    assert scripted.paths() == ["/services/data"]


def test_reprs_show_no_token(org: OrgClient) -> None:
    """P7: an org, its session and its parts can be shown in a notebook."""
    shown = (
        repr(org)
        + repr(org.address.access.session)
        + repr(org.address.renewal)
        + repr(vars(org))
        + repr(org.gate)
    )
    assert ORG_ID in shown
    assert TOKEN not in shown
    assert TOKEN.split("!")[1] not in shown


def test_refusals_keep_their_code(org: OrgClient, scripted: ScriptedOrg) -> None:
    """A refused object is an ObjectError with Salesforce's code."""
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=limit(11)))
    scripted.script(
        QUERY, Answer(400, [{"errorCode": "INVALID_TYPE", "message": "no X"}], limit(12))
    )
    with pytest.raises(ObjectError) as caught:
        org.request("GET", "query")
    assert caught.value.code == "INVALID_TYPE"
