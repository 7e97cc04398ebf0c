"""Our connection against the demo org: a real HTTP server that knows nothing of our beliefs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sfnb.cli.context import App
from sfnb.cli.orgs import org as org_commands
from sfnb.clock import FakeClock, SystemClock
from sfnb.errors import LoginError, ObjectError, QuotaSignal, ResultsGone, TransientError
from sfnb.memory import State, open_state
from sfnb.model import ObjectSchema
from sfnb.org import bulk2, describe
from sfnb.org.check import check
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, fetch_composite
from sfnb.org.opening import open_client
from sfnb.settings import OrgConfig, Settings, load_settings, put_org
from tests.conftest import RunningOrg

WAYS = ("token", "password", "oauth", "client", "jwt", "refresh")


def config_of(demo: RunningOrg, way: str, *, is_https: bool = False) -> OrgConfig:
    """The demo org registered in one of the ways; its secrets in variables, as ``secrets_in_variables`` puts them."""
    url = demo.https_url if is_https else demo.url
    ca_file = demo.ca_file if is_https else ""
    password = {"password": "env:T_PASSWORD", "security_token": "env:T_SECURITY"}
    client = {"client_secret": "env:T_CLIENT"}
    refresh = {"refresh_token": "env:T_REFRESH"} | client
    app, user = demo.client_id, demo.username
    made = {
        "token": OrgConfig("demo", "token", instance_url=url, secrets={"token": "env:T_TOKEN"}),
        "password": OrgConfig(
            "demo", "password", instance_url=url, username=user, secrets=password
        ),
        "oauth": OrgConfig(
            "demo", "password", domain=url, username=user, client_id=app, secrets=password | client
        ),
        "client": OrgConfig("demo", "client", instance_url=url, client_id=app, secrets=client),
        "jwt": OrgConfig(
            "demo",
            "jwt",
            domain=url,
            username=user,
            client_id=app,
            jwt_key=demo.jwt_private_key_file,
        ),
        "refresh": OrgConfig("demo", "refresh", domain=url, client_id=app, secrets=refresh),
    }[way]
    return OrgConfig(
        **{name: getattr(made, name) for name in made.__slots__}
        | {"ca_file": ca_file, "header_lag_s": 0.0}
    )


def query(org: OrgClient, soql: str) -> bytes:
    """The first page of an answer, tried again as jobs do."""
    return org.retrying(lambda: org.request("GET", "query", params={"q": soql})).content


class Bench:
    """Connects to demo orgs with a state and a home of the test's own."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = tmp_path / "home"
        self.clock = SystemClock()
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("SFNB_HOME", str(self.home))
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        self.settings: Settings = load_settings()
        self.state: State = open_state(
            f"sqlite:///{(tmp_path / 'state.db').as_posix()}", clock=self.clock
        )
        self._open: list[OrgClient] = []

    def connect(
        self, demo: RunningOrg, way: str = "password", *, is_https: bool = False
    ) -> OrgClient:
        self.secrets_in_variables(demo)
        self.settings = put_org(self.settings, config_of(demo, way, is_https=is_https))
        opened = open_client(
            self.settings, "demo", state=self.state, clock=FakeClock(self.clock.now())
        )
        self._open.append(opened)
        return opened

    def secrets_in_variables(self, demo: RunningOrg) -> None:
        for variable, value in {
            "T_TOKEN": demo.access_token,
            "T_PASSWORD": demo.password,
            "T_SECURITY": demo.security_token,
            "T_CLIENT": demo.client_secret,
            "T_REFRESH": demo.refresh_token,
        }.items():
            self._monkeypatch.setenv(variable, value)

    def close(self) -> None:
        for opened in self._open:
            opened.close()
        self.state.close()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.close()


@pytest.mark.parametrize("is_https", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_leads_into_the_org(
    demo_org: RunningOrg, bench: Bench, way: str, is_https: bool
) -> None:
    """Each login ends in the same org with the same rights, costs no API call, and shows no secret (P7)."""
    before = demo_org.mark()
    org = bench.connect(demo_org, way, is_https=is_https)
    assert demo_org.ledger(after=before)["spent"] == {}
    assert org.org_id == demo_org.org_id
    assert org.api_version == "66.0"
    assert json.loads(query(org, "SELECT Id FROM Organization"))["totalSize"] == 1
    opener = org.address.renewal
    shown = (
        repr(org)
        + repr(org.address.access.session)
        + str(vars(org))
        + str(vars(org.address))
        + str(vars(opener))
    )
    for secret in (
        demo_org.password,
        demo_org.client_secret,
        demo_org.refresh_token,
        org.address.access.session.token,
    ):
        assert secret not in shown


@pytest.mark.parametrize("way", ["password", "oauth", "client", "refresh", "token"])
def test_a_wrong_secret_is_one_sentence(
    demo_org: RunningOrg, bench: Bench, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """P7: a refused login says where and what to do, and holds no secret."""
    bench.secrets_in_variables(demo_org)
    for variable in ("T_TOKEN", "T_PASSWORD", "T_CLIENT", "T_REFRESH"):
        monkeypatch.setenv(variable, "00D000000000062!not.the.Secret")
    settings = put_org(bench.settings, config_of(demo_org, way))
    with pytest.raises(LoginError) as caught:
        open_client(settings, "demo", state=bench.state, clock=FakeClock(bench.clock.now()))
    assert "127.0.0.1" in str(caught.value)
    assert "not.the.Secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_untrusted_certificate_is_told(demo_org: RunningOrg, bench: Bench) -> None:
    """A server whose authority is not trusted gets no secret, and the sentence names --ca-file."""
    bench.secrets_in_variables(demo_org)
    config = OrgConfig(
        "demo", "token", instance_url=demo_org.https_url, secrets={"token": "env:T_TOKEN"}
    )
    with pytest.raises(LoginError, match="--ca-file"):
        open_client(
            put_org(bench.settings, config),
            "demo",
            state=bench.state,
            clock=FakeClock(bench.clock.now()),
        )


def test_what_we_count_is_what_the_org_counts(
    fresh_org: Callable[..., RunningOrg], bench: Bench
) -> None:
    """P1: logins, describes, composites, queries, Bulk and an analyst's calls: both ledgers agree on every budget."""
    demo = fresh_org()
    org = bench.connect(demo)
    names = [info.name for info in describe.fetch_objects(org)]
    schemas = describe.fetch_schemas(org, names)
    assert all(isinstance(schema, ObjectSchema) for schema in schemas.values())
    describe.fetch_counts(org, names)
    fetch_composite(
        org,
        [SubRequest(f"q{n}", org.data_path("query?q=SELECT+Id+FROM+Account")) for n in range(5)],
    )
    job = bulk2.create_query(org, "SELECT Id FROM Contact", all_rows=True)
    while not bulk2.fetch_job(org, job).is_over:
        demo.control("clock", {"advance_minutes": 1})
    with bulk2.open_page(org, job) as page:
        assert page.stream.read().count(b"\n") == (page.rows or 0) + 1
    org.sf.query("SELECT Id FROM Account")
    batch = {"batchRequests": [{"method": "GET", "url": "v66.0/sobjects/Account/describe"}] * 3}
    org.request("POST", "composite/batch", json=batch)
    truth = demo.ledger()["spent"]
    ours = bench.state.usage.job_calls("")
    assert ours["api"] == truth["api"] == org.gate.standing()["api"].used
    assert ours["bulk2"] == org.limits()["bulk2"].used == 1


def test_an_expired_session_is_renewed_for_all_threads_by_one_login(
    fresh_org: Callable[..., RunningOrg], bench: Bench
) -> None:
    """Eight threads meet a dead session; all calls succeed after one login."""
    demo = fresh_org()
    org = bench.connect(demo)
    org.limits()
    demo.fail(match="GET .*/query", fault="expire_session", times=1)
    before = demo.mark()
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: query(org, "SELECT Id FROM Account"), range(16)))
    assert len(set(pages)) == 1
    calls = demo.ledger(after=before, calls=True)["calls"]
    assert sum("/services/Soap/u" in str(call) for call in calls) == 1


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"fault": "status503"}, TransientError),
        ({"fault": "html"}, TransientError),
        ({"fault": "html", "status": 200}, TransientError),
        ({"fault": "empty406"}, TransientError),
        ({"fault": "cut"}, TransientError),
        ({"fault": "half_body"}, TransientError),
        ({"fault": "concurrent_limit"}, TransientError),
        ({"fault": "error", "code": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}, ResultsGone),
        ({"fault": "error", "code": "QUERY_TIMEOUT", "message": "too long"}, TransientError),
        ({"fault": "error", "code": "INVALID_TYPE", "message": "no such"}, ObjectError),
        ({"fault": "error", "code": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}, QuotaSignal),
    ],
    ids=lambda value: value.get("code", value["fault"]) if isinstance(value, dict) else "",
)  # fmt: skip
def test_each_fault_is_told_as_what_it_is(
    fresh_org: Callable[..., RunningOrg],
    bench: Bench,
    rule: dict[str, Any],
    error: type[BaseException],
) -> None:
    """A single try meets the fault as the right error; what may pass is got over by trying again."""
    demo = fresh_org()
    org = bench.connect(demo)
    demo.fail(match="GET .*/query", times=1, **rule)
    with pytest.raises(error):
        org.request("GET", "query", params={"q": "SELECT Id FROM Account"}).json()
    if error is TransientError:
        demo.fail(match="GET .*/query", times=3, **rule)
        assert query(org, "SELECT Id FROM Account").startswith(b'{"totalSize"')


@pytest.mark.parametrize("form", ["gone", "garbled", "extended"])
def test_no_form_of_the_header_opens_the_gate(
    fresh_org: Callable[..., RunningOrg], bench: Bench, form: str
) -> None:
    """P1: with the header gone, garbled or extended, calls stop at the threshold just the same."""
    demo = fresh_org(max_calls=60, limit_header=form)
    org = bench.connect(demo)
    with pytest.raises(QuotaSignal):
        for _ in range(60):
            org.sf.query("SELECT Id FROM Account LIMIT 1")
    assert demo.ledger()["spent"]["api"] <= 30
    assert org.gate.standing()["api"].threshold == 30


def test_threads_stop_at_the_threshold_together(
    fresh_org: Callable[..., RunningOrg], bench: Bench
) -> None:
    """
    P1: eight threads and an analyst's client never pass the threshold, as the org counts it. A call that ends while
    another's answer is read may count twice, so threads that give up at the first refusal leave some unused.
    """
    demo = fresh_org(max_calls=100)
    org = bench.connect(demo)

    def spend(n: int) -> int:
        try:
            for _ in range(40):
                if n % 2:
                    org.sf.query("SELECT Id FROM Account LIMIT 1")
                else:
                    org.request("GET", "query", params={"q": "SELECT Id FROM Account LIMIT 1"})
        except QuotaSignal:
            return 1
        return 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(8))) == 8
    assert 20 <= demo.ledger()["spent"]["api"] <= 50


def test_a_check_of_the_demo_org_finds_nothing_missing(demo_org: RunningOrg, bench: Bench) -> None:
    """The demo's user may do all that a backup needs, and the check costs two calls."""
    report = check(bench.connect(demo_org))
    assert report.missing == []
    assert set(report.permissions.values()) == {True}
    assert report.calls == 2
    # The demo's clock runs sixty times as fast as ours, and its answers say so.
    assert [note for note in report.notes if "clock" not in note] == []


def test_the_commands_register_list_check_and_forget(
    demo_org: RunningOrg, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sfnb org add / list / check / remove`: the settings hold names of variables, never a secret (P7)."""
    bench.secrets_in_variables(demo_org)
    runner = CliRunner()

    def run(*arguments: str) -> str:
        app = App()
        result = runner.invoke(org_commands, arguments, obj=app, catch_exceptions=False)
        app.close()
        assert result.exit_code == 0, result.output
        return result.output

    given = ("--instance-url", demo_org.url, "--username", demo_org.username)
    assert demo_org.org_id in run(
        "add", "a", *given, "--password-env", "T_PASSWORD", "--token-env", "T_SECURITY"
    )
    text = (bench.home / "sfnb.toml").read_text("utf-8")
    assert "env:T_PASSWORD" in text
    assert demo_org.password not in text
    (listed,) = json.loads(run("list", "--json"))
    assert (listed["name"], listed["org_id"], listed["api_version"]) == (
        "a",
        demo_org.org_id,
        "66.0",
    )
    checked = json.loads(run("check", "a", "--json"))
    assert checked["permissions"]["View All Data"] is True
    assert checked["missing"] == []
    run("remove", "a")
    assert json.loads(run("list", "--json")) == []
    monkeypatch.setenv("T_PASSWORD", "wrong")
    with pytest.raises(LoginError, match="password"):
        run("add", "a", *given, "--password-env", "T_PASSWORD")
    assert "a" not in load_settings(os.environ).orgs
