"""Whatever a server sends, it drives no more than an org would: bytes, depth, numbers, waits, hosts."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import urllib3

from sfnb.clock import FakeClock
from sfnb.errors import (
    CallerError,
    LoginError,
    ObjectError,
    OrgUnavailable,
    QuotaSignal,
    SfnbError,
    TransientError,
)
from sfnb.memory import State
from sfnb.model import Reading
from sfnb.org import bodies, bulk2
from sfnb.org.answers import count_of, retry_after_s
from sfnb.org.bodies import BodyTooLarge
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, fetch_composite
from sfnb.org.opening import open_client
from sfnb.org.retry import GaugeUnreadable, TriesSpent
from sfnb.org.secrets import clean, mask
from sfnb.org.session import Session
from sfnb.quota.gate import Gate, Ticket
from sfnb.settings import OrgConfig, Settings, load_settings
from tests.unit.org.scripted import DATA, LIMITS, ORG_ID, TOKEN, Answer, ScriptedOrg

QUERY = f"{DATA}/query"
JOB = "7507Q00000JoB01QAF"
RESULTS = f"{DATA}/jobs/query/{JOB}/results"
OK = {"Sforce-Limit-Info": "api-usage=11/1000"}
ROWS = {"totalSize": 0, "done": True, "records": []}
SOAP = "/services/Soap/u/64.0"
SLACK = 16 << 20
"""What the sockets of both sides hold without anybody reading it."""


@pytest.fixture
def other() -> Iterator[ScriptedOrg]:
    """Another host, which would answer anything."""
    server = ScriptedOrg()
    server.script(QUERY, Answer(body=ROWS, headers={"Sforce-Limit-Info": "api-usage=1/999999"}))
    yield server
    server.close()


@pytest.fixture(autouse=True)
def limits(scripted: ScriptedOrg) -> None:
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=OK))


# sizes


def test_an_answer_without_an_end_is_cut_off(
    org: OrgClient, scripted: ScriptedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is read up to the bound and never whole first; the limit header still counts."""
    monkeypatch.setattr(bodies, "MAX_JSON_BYTES", 1 << 20)
    endless = Answer(pieces=itertools.repeat(b"[" * 65536), headers=OK)
    scripted.script(QUERY, endless)
    with pytest.raises(BodyTooLarge, match="larger than any that an org sends"):
        org.fetch_json("GET", "query")
    assert endless.sent < (1 << 20) + SLACK
    assert org.gate.standing()["api"].is_known


def test_a_length_that_no_org_sends_is_refused_unread(
    org: OrgClient, scripted: ScriptedOrg
) -> None:
    """The length that an answer announces is enough to refuse it."""
    scripted.script(QUERY, Answer(pieces=[b"x"], headers=OK | {"Content-Length": str(1 << 40)}))
    with pytest.raises(BodyTooLarge):
        org.fetch_json("GET", "query")


def bomb(mb: int) -> bytes:
    return gzip.compress(b"[" * (mb << 20))


def test_a_gzip_bomb_is_noticed_while_it_unfolds(
    org: OrgClient, scripted: ScriptedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 times its size is allowed once an answer is large: real answers compress less."""
    monkeypatch.setattr(bodies, "RATIO_FROM_BYTES", 1 << 20)
    headers = OK | {"Content-Encoding": "gzip"}
    scripted.script(QUERY, Answer(body=bomb(64), headers=headers))
    with pytest.raises(BodyTooLarge):
        org.fetch_json("GET", "query")
    scripted.script(RESULTS, Answer(body=bomb(64), headers=headers))
    with bulk2.open_page(org, JOB) as page, pytest.raises(BodyTooLarge):
        while page.stream.read(1 << 16):
            pass
    assert page.stream.bytes_read < 16 << 20


def test_a_page_has_a_bound_too(
    org: OrgClient, scripted: ScriptedOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result page may be large, but not endless."""
    endless = Answer(pieces=itertools.repeat(b'"x"\n' * 1000), headers=OK)
    scripted.script(RESULTS, endless)
    with bulk2.open_page(org, JOB) as page:
        monkeypatch.setattr(page.stream, "_max_bytes", 1 << 20)
        with pytest.raises(BodyTooLarge):
            while page.stream.read(1 << 16):
                pass
    assert endless.sent < (1 << 20) + SLACK


def test_of_a_refusal_only_the_beginning_is_read(org: OrgClient, scripted: ScriptedOrg) -> None:
    """An endless refusal is a refusal."""
    endless = Answer(400, pieces=itertools.repeat(b"x" * 65536), headers=OK)
    scripted.script(QUERY, endless)
    with pytest.raises(ObjectError, match="HTTP 400"):
        org.request("GET", "query")
    assert endless.sent < bodies.MAX_REFUSAL_BYTES + SLACK


class Dripping(io.BytesIO):
    """A body of which each read takes a minute."""

    def __init__(self, clock: FakeClock, body: bytes) -> None:
        super().__init__(body)
        self._clock = clock

    def read(self, size: int | None = -1) -> bytes:
        self._clock.advance(60)
        return super().read(size)


@pytest.mark.parametrize(("bytes_a_minute", "is_slow"), [(70_000, False), (50_000, True)])
def test_a_body_that_drips_is_given_up(
    clock: FakeClock, bytes_a_minute: int, is_slow: bool
) -> None:
    """A byte a minute keeps no worker: from ten minutes on a body must have come at 1 KB/s."""
    response = requests.Response()
    body = Dripping(clock, b"x" * bytes_a_minute * 20)
    response.raw = urllib3.HTTPResponse(body, preload_content=False)
    stream = bodies.BodyStream(response, what="a page", clock=clock)
    if is_slow:
        with pytest.raises(TransientError, match="too slowly"):
            while stream.read(bytes_a_minute):
                pass
        assert stream.bytes_read == 11 * bytes_a_minute
    else:
        assert sum(iter(lambda: len(stream.read(bytes_a_minute)), 0)) == 20 * bytes_a_minute


def test_a_header_of_a_megabyte_is_refused(org: OrgClient, scripted: ScriptedOrg) -> None:
    """The library's own bound on headers becomes an error of ours."""
    scripted.script(QUERY, Answer(body=ROWS, headers=OK | {"X-Long": "x" * (1 << 20)}))
    with pytest.raises(TransientError, match="connection broke"):
        org.request("GET", "query")


# depth and numbers


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"1" * 5000])
def test_json_that_no_org_sends_is_no_answer(
    org: OrgClient, scripted: ScriptedOrg, body: bytes
) -> None:
    """Depth and numbers that Python refuses are an answer that cannot be read."""
    scripted.script(QUERY, Answer(body=body, headers=OK))
    with pytest.raises(TriesSpent, match="expected JSON"):
        org.fetch_json("GET", "query")


@pytest.mark.parametrize(
    "entry",
    [
        {"Max": 2**63, "Remaining": 5},
        {"Max": 10**40, "Remaining": 10**40},
        {"Max": 1000, "Remaining": -(2**70)},
        {"Max": 1e300, "Remaining": 5},
        {"Max": True, "Remaining": False},
        {"Max": "1000", "Remaining": 5},
    ],
)
def test_limits_that_cannot_be_are_not_known(
    org: OrgClient, scripted: ScriptedOrg, entry: dict[str, object]
) -> None:
    """P1: a maximum that no org has is no reading, so the call is not sent."""
    scripted.script(f"{DATA}/limits", Answer(body={"DailyApiRequests": entry}))
    with pytest.raises(QuotaSignal):
        org.request("GET", "query")
    assert QUERY not in scripted.paths()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30.0),
        ({"Retry-After": " 1.5 "}, 1.5),
        ({"Retry-After": "86400"}, 600.0),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "²"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
        (
            {
                "Retry-After": "Fri, 27 Nov 2026 08:02:00 GMT",
                "Date": "Fri, 27 Nov 2026 08:00:30 GMT",
            },
            90.0,
        ),
        (
            {
                "Retry-After": "Fri, 27 Nov 2026 08:00:00 GMT",
                "Date": "Fri, 27 Nov 2026 08:00:30 GMT",
            },
            0.0,
        ),
        (
            {
                "Retry-After": "Mon, 31 Dec 9999 08:00:00 GMT",
                "Date": "Fri, 27 Nov 2026 08:00:30 GMT",
            },
            600.0,
        ),
        ({"Retry-After": "Fri, 27 Nov 2026 08:02:00 GMT"}, None),
    ],
)
def test_how_long_a_server_lets_us_wait(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds or a date by the server's own clock, at most ten minutes; nonsense is no wish."""
    assert retry_after_s(headers) == seconds


@pytest.mark.parametrize("value", [True, -1, 1.5, "²", "1" * 30, 10**16, None, [], "", " 5"])
def test_what_is_no_count_is_none(value: object) -> None:
    """A number of rows is a number of rows or not known."""
    assert count_of(value) is None


def test_a_job_with_many_rows_is_told(org: OrgClient, scripted: ScriptedOrg) -> None:
    """``numberRecordsProcessed: "many"`` fails the object, with a sentence."""
    answer = {"id": JOB, "state": "JobComplete", "numberRecordsProcessed": "many"}
    scripted.script(f"{DATA}/jobs/query/{JOB}", Answer(body=answer, headers=OK))
    with pytest.raises(ObjectError, match="no number of rows"):
        bulk2.fetch_job(org, JOB)


# redirects and other addresses


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_to_another_host_goes_nowhere(
    org: OrgClient, scripted: ScriptedOrg, other: ScriptedOrg, status: int, method: str
) -> None:
    """Neither query nor token nor belief goes to another host, ours or an analyst's."""
    scripted.script("/services/oauth2/userinfo", Answer(404))
    scripted.script(QUERY, Answer(status, headers=OK | {"Location": f"{other.url}{QUERY}"}))
    for _ in range(2):
        with pytest.raises(OrgUnavailable, match="not the org's address"):
            org.request(method, "query", params={"q": "SELECT Id FROM Account"})
    assert other.asked == []
    assert org.gate.standing()["api"].maximum == 1000
    assert scripted.paths().count("/services/oauth2/userinfo") == 1


def test_an_analysts_call_is_not_redirected_either(
    org: OrgClient, scripted: ScriptedOrg, other: ScriptedOrg
) -> None:
    """simple-salesforce would follow; our session does not."""
    scripted.script(f"{DATA}/query/", Answer(302, headers=OK | {"Location": f"{other.url}/x"}))
    with pytest.raises(Exception, match=r"302|Error"):
        org.sf.query("SELECT Id FROM Account")
    assert other.asked == []


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://[::1",
        "//",
        "javascript:1",
        "\x1b[2J",
        "é",
    ],
)
def test_a_redirect_to_no_web_address_is_refused(
    org: OrgClient, scripted: ScriptedOrg, location: str
) -> None:
    """Whatever a redirect names, the error is ours and safe to print."""
    scripted.script("/services/oauth2/userinfo", Answer(404))
    scripted.script(
        QUERY, Answer(302, headers=OK | {"Location": location.encode().decode("latin1")})
    )
    with pytest.raises(SfnbError) as caught:
        org.request("GET", "query")
    assert "\x1b" not in str(caught.value)


def test_redirects_at_the_org_are_followed_but_not_without_end(
    org: OrgClient, scripted: ScriptedOrg
) -> None:
    """A path that moved is found; a circle is an error of the one call."""
    scripted.script(QUERY, Answer(301, headers=OK | {"Location": f"{QUERY}/"}))
    scripted.script(f"{QUERY}/", Answer(body=ROWS, headers=OK))
    assert org.fetch_json("GET", "query") == ROWS
    scripted.script(f"{QUERY}/", Answer(302, headers=OK | {"Location": QUERY}))
    with pytest.raises(ObjectError, match="without end"):
        org.fetch_json("GET", "query")


@pytest.mark.parametrize(
    "address", ["https://evil.example/services/data/v66.0/query/01g", "//evil.example/x"]
)
def test_an_address_in_an_answer_does_not_lead_away(
    org: OrgClient, scripted: ScriptedOrg, address: str
) -> None:
    """nextRecordsUrl of another host is not followed; of this org it is, whole or as a path."""
    with pytest.raises(ObjectError, match="outside of the org"):
        org.fetch_json("GET", address)
    scripted.script(f"{QUERY}/01g", Answer(body=ROWS, headers=OK))
    assert org.fetch_json("GET", f"{QUERY}/01g") == org.fetch_json(
        "GET", f"{org.instance_url}{QUERY}/01g"
    )


def soap_answer(url: str, token: str = TOKEN, org_id: str = ORG_ID) -> Answer:
    body = (
        f"<result><serverUrl>{url}/services/Soap/u/64.0/00D</serverUrl><sessionId>{token}</sessionId>"
        f"<userId>005x</userId><organizationId>{org_id}</organizationId></result>"
    )
    return Answer(body=body.encode(), headers={"Content-Type": "text/xml"})


@pytest.fixture
def moving(
    scripted: ScriptedOrg,
    state: State,
    clock: FakeClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[OrgClient]:
    """An org that is logged in to by password, so that a login can say where it is."""
    monkeypatch.setenv("SFNB_HOME", str(tmp_path))
    monkeypatch.setenv("PASSWORD", "pass-word")
    config = OrgConfig(
        "acme",
        "password",
        instance_url=scripted.url,
        username="u",
        secrets={"password": "env:PASSWORD"},
        org_id=ORG_ID,
        api_version="66.0",
    )
    scripted.script(SOAP, soap_answer(scripted.url))
    settings = Settings(tmp_path, "", "", orgs={"acme": config})
    opened = open_client(settings, "acme", state=state, clock=clock)
    yield opened
    opened.close()


@pytest.mark.parametrize("status", [401, 302])
def test_an_org_that_has_moved_is_found_by_its_login(
    moving: OrgClient, scripted: ScriptedOrg, other: ScriptedOrg, status: int
) -> None:
    """A login that names another address of the same org moves the client there, and is kept."""
    before = moving.sf
    scripted.script(SOAP, soap_answer(other.url, token="00D7Q00000DemoX!NewToken"))
    gone = [{"errorCode": "INVALID_SESSION_ID", "message": "x"}]
    scripted.script(QUERY, Answer(status, gone, OK | {"Location": f"{other.url}{QUERY}"}))
    other.script(f"{DATA}/query/", Answer(body=ROWS, headers=OK))
    assert moving.fetch_json("GET", "query") == ROWS
    assert moving.instance_url == other.url
    assert [asked.headers.get("Authorization") for asked in other.asked] == [
        "Bearer 00D7Q00000DemoX!NewToken"
    ]
    assert load_settings().org("acme").instance_url == other.url
    assert before.query("SELECT Id FROM Account")["done"] is True
    assert scripted.paths().count(f"{DATA}/query/") == 0


def test_a_login_into_another_org_is_never_used(
    moving: OrgClient, scripted: ScriptedOrg, other: ScriptedOrg
) -> None:
    """The org's id decides, not the address."""
    scripted.script(SOAP, soap_answer(other.url, org_id="00D000000000062EAA"))
    scripted.script(QUERY, Answer(401, None, OK))
    with pytest.raises(LoginError, match="its login leads to"):
        moving.fetch_json("GET", "query")
    assert other.asked == []
    assert moving.instance_url == scripted.url


# API versions and permissions


def test_an_api_version_that_is_gone_is_replaced(moving: OrgClient, scripted: ScriptedOrg) -> None:
    """410 on the registered version: the newest that both know, for composite parts too, and kept."""
    gone = [{"errorCode": "UNSUPPORTED_API_VERSION", "message": "API version is retired"}]
    for path in (f"{DATA}/limits", QUERY, f"{DATA}/composite"):
        scripted.script(path, Answer(410, gone))  # without a limit header: it says nothing of usage
    scripted.script("/services/data", Answer(body=[{"version": "64.0"}, {"version": "99.0"}]))
    new = "/services/data/v64.0"
    scripted.script(f"{new}/limits", Answer(body=LIMITS, headers=OK))
    part = {"referenceId": "a", "httpStatusCode": 200, "body": ROWS}
    scripted.script(f"{new}/composite", Answer(body={"compositeResponse": [part]}, headers=OK))
    fetch_composite(moving, [SubRequest("a", moving.data_path("query?q=x"))])
    assert json.loads(scripted.asked[-1].body)["compositeRequest"][0]["url"] == f"{new}/query?q=x"
    scripted.script(f"{new}/query/01g", Answer(body=ROWS, headers=OK))
    assert moving.fetch_json("GET", f"{QUERY}/01g") == ROWS
    assert load_settings().org("acme").api_version == "64.0"


def test_no_common_api_version_is_one_sentence(moving: OrgClient, scripted: ScriptedOrg) -> None:
    """An org that serves newer versions only says so; the job does not pause for a permission."""
    for path in (f"{DATA}/limits", QUERY):
        scripted.script(path, Answer(410, [{"errorCode": "NOT_FOUND", "message": "x"}], OK))
    scripted.script("/services/data", Answer(body=[{"version": "abc"}, {"version": "99.0"}]))
    with pytest.raises(LoginError, match=r"serves API versions 99\.0, none up to 66\.0"):
        moving.fetch_json("GET", "query")
    scripted.script("/services/data", Answer(body=[{"version": "abc"}, {"version": 66}, "x"]))
    with pytest.raises(LoginError, match="does not list its API versions"):
        moving.fetch_json("GET", "query")


@pytest.mark.parametrize("code", ["API_CURRENTLY_DISABLED", "API_DISABLED_FOR_ORG"])
def test_a_user_without_the_api_is_a_login_error(
    org: OrgClient, scripted: ScriptedOrg, code: str
) -> None:
    """The missing permission is named at the first call, and no job pauses for it."""
    refused = Answer(403, [{"errorCode": code, "message": "API is disabled for this User"}])
    scripted.script(f"{DATA}/limits", refused)
    scripted.script(QUERY, refused)
    with pytest.raises(LoginError, match="API Enabled"):
        org.fetch_json("GET", "query")


# secrets and messages


@pytest.mark.parametrize(
    "token", ["00D!abc\n", "00D!a\r\nX: y", "“00D!abc”", "00D!a b", "", "\x00"]
)
def test_a_token_that_cannot_be_sent_is_refused_unquoted(token: str) -> None:
    """P7: the libraries would raise with the token in their message; we say what is wrong with it."""
    with pytest.raises(LoginError, match="no token has") as caught:
        Session("https://acme.my.salesforce.com", token)
    assert "abc" not in str(caught.value)


def test_messages_obey_no_terminal() -> None:
    """Escape sequences and letters that turn a line around are stripped where messages are masked."""
    said = "\x1b[31mred\x1b[0m \x1b]0;title\x07a\x9b2Jb\u202egnp.exe\x00\tc\r\nd\x1b"
    assert clean(said) == "red a2Jbgnp.exe\tc\nd"
    assert "!" not in mask(said + TOKEN) + mask(TOKEN[:5] + "\x1b[1m" + TOKEN[5:])
    assert clean("Zoë 日本 👍 1…2") == "Zoë 日本 👍 1…2"


def test_an_orgs_message_obeys_no_terminal(org: OrgClient, scripted: ScriptedOrg) -> None:
    """Refusals of calls and of Bulk jobs are stripped."""
    scripted.script(
        QUERY, Answer(400, [{"errorCode": "X\x1b[1m", "message": "\x1b]2;x\x07bad\x1b[2J"}], OK)
    )
    with pytest.raises(ObjectError) as caught:
        org.request("GET", "query")
    assert "\x1b" not in str(caught.value)
    assert "bad" in str(caught.value)
    job = bulk2.parse_job(JOB, {"state": "Failed", "errorMessage": f"\x1b[2Jno {TOKEN}"})
    assert job.error == "no 00D***"


# the gauge


class Disturbed(Gate):
    """A gate of which another thread makes the gauge unknown, right after each of so many looks."""

    times = 0

    def settle(
        self,
        ticket: Ticket,
        readings: object = (),
        *,
        was_sent: bool = True,
        is_silent: bool = False,
    ) -> None:
        told: list[Reading] = list(readings)  # type: ignore[call-overload]
        super().settle(ticket, told, was_sent=was_sent, is_silent=is_silent)
        if len(told) > 1 and self.times > 0:
            self.times -= 1
            super().settle(super().ask({"api": 1}), ())


@pytest.mark.parametrize(("times", "error"), [(1, None), (2, None), (9, GaugeUnreadable)])
def test_another_threads_lost_answer_is_no_quota_pause(  # noqa: PLR0917 - fixtures
    org: OrgClient,
    scripted: ScriptedOrg,
    state: State,
    clock: FakeClock,
    times: int,
    error: type[BaseException] | None,
) -> None:
    """P1, P4: where /limits tells the numbers, the gauge is read again; no permission is blamed."""
    gate = Disturbed(state.ledger, ORG_ID, clock=clock)
    gate.times = times
    adapter = org.session.get_adapter(org.instance_url)
    adapter.gate = gate  # type: ignore[attr-defined]
    scripted.script(QUERY, Answer(body=ROWS, headers=OK))
    if error is None:
        assert org.request("GET", "query").status_code == 200
        return
    with pytest.raises(error):
        org.request("GET", "query")
    assert scripted.paths().count(f"{DATA}/limits") <= 3


def test_an_address_that_is_none_is_a_callers_error(org: OrgClient) -> None:
    """Plain http beyond this machine is refused before anything is sent."""
    org.address.instance_url = "http://acme.example"
    with pytest.raises(CallerError):
        org.request("GET", "query")
