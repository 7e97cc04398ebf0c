from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import keyring
import keyring.backend
import keyring.errors
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sfnb.cli.orgs import plan_org
from sfnb.clock import FakeClock
from sfnb.errors import CallerError, LoginError, OrgUnavailable, QuotaSignal, TransientError
from sfnb.memory import State
from sfnb.org.credentials import (
    ClientCredentials,
    Credentials,
    JwtCredentials,
    PasswordCredentials,
    RefreshCredentials,
    SfCredentials,
    TokenCredentials,
    credentials_of,
)
from sfnb.org.login import login
from sfnb.org.opening import open_client
from sfnb.org.secrets import forget_secrets, mask, read_secret, store_secret
from sfnb.org.session import Session
from sfnb.settings import OrgConfig, Settings
from tests.unit.org.scripted import ORG_ID, TOKEN, Answer, ScriptedOrg

SOAP = "/services/Soap/u/64.0"
OAUTH = "/services/oauth2/token"
USERINFO = "/services/oauth2/userinfo"


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.auth = lambda request: request
        yield session


def enter(credentials: Credentials, http: requests.Session) -> Session:
    return login(credentials, http, clock=FakeClock())


def soap_answer(url: str) -> Answer:
    return Answer(
        body=(
            '<?xml version="1.0"?><soapenv:Envelope><soapenv:Body><loginResponse><result>'
            f"<passwordExpired>false</passwordExpired><serverUrl>{url}/services/Soap/u/64.0/00D</serverUrl>"
            f"<sessionId>{TOKEN}</sessionId><userId>005x</userId><userInfo>"
            f"<organizationId>{ORG_ID}</organizationId></userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>"
        ).encode(),
        headers={"Content-Type": "text/xml"},
    )


def fault(code: str, message: str) -> Answer:
    body = (
        f"<s:Fault><faultstring>{code}: {message}</faultstring><sf:exceptionCode>{code}</sf:exceptionCode>"
        + (f"<sf:exceptionMessage>{message}</sf:exceptionMessage></s:Fault>")
    )
    return Answer(500, body.encode(), {"Content-Type": "text/xml"})


def test_soap_login_sends_password_and_token_as_one(
    scripted: ScriptedOrg, http: requests.Session
) -> None:
    """What XML gives a meaning to is escaped, and the security token follows the password."""
    scripted.script(SOAP, soap_answer(scripted.url))
    session = enter(PasswordCredentials(scripted.url, "a&b@x", "p<w>", "TKN"), http)
    assert session == Session(scripted.url, TOKEN, ORG_ID, "005x")
    body = scripted.asked[-1].body.decode()
    assert "<urn:username>a&amp;b@x</urn:username>" in body
    assert "<urn:password>p&lt;w&gt;TKN</urn:password>" in body
    assert "Authorization" not in scripted.asked[-1].headers


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (
            fault("INVALID_LOGIN", "Invalid username or TKN"),
            LoginError,
            "Check username, password and security token",
        ),
        (fault("sf:LOGIN_MUST_USE_SECURITY_TOKEN", "x"), LoginError, "--token-env"),
        (fault("UNSUPPORTED_API_VERSION", "x"), LoginError, "--client-id"),
        (fault("TOTP_REQUIRED", "x"), LoginError, "multi-factor authentication"),
        (fault("RESTRICTED_IP", "x"), LoginError, "IP ranges"),
        (fault("PASSWORD_LOCKOUT", "x"), LoginError, "unlock the user"),
        (fault("API_CURRENTLY_DISABLED", "x"), LoginError, "API Enabled"),
        (fault("A_LATER_CODE\x1b[2J", "\x1b[31mx"), LoginError, "Login History"),
        (soap_answer("http://[::1"), OrgUnavailable, "as no Salesforce org does"),
        (soap_answer("file:///x"), OrgUnavailable, "as no Salesforce org does"),
        (soap_answer("https://acme.example:99999"), OrgUnavailable, "as no Salesforce org does"),
        (fault("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), QuotaSignal, "used up"),
        (fault("SERVER_UNAVAILABLE", "x"), TransientError, "now"),
        (
            Answer(200, b"<html>hi</html>", {"Content-Type": "text/html"}),
            OrgUnavailable,
            "as no Salesforce org does",
        ),
        (Answer(200, b"", {}), OrgUnavailable, "as no Salesforce org does"),
        (Answer(503, b"<html>", {"Content-Type": "text/html"}), TransientError, "HTTP 503"),
        (
            Answer(302, None, {"Location": "https://acme.my.salesforce.com/x"}),
            LoginError,
            "acme.my.salesforce.com",
        ),
        (Answer(cut=0), TransientError, "was not reached"),
        (
            Answer(200, b"<result><passwordExpired>true</passwordExpired></result>"),
            LoginError,
            "new password",
        ),
    ],
)
def test_soap_refusals_say_what_to_do(
    scripted: ScriptedOrg,
    http: requests.Session,
    answer: Answer,
    error: type[BaseException],
    says: str,
) -> None:
    """Each refusal of a login is one sentence; what may pass is told apart; no secret is in it (P7)."""
    scripted.script(SOAP, answer)
    with pytest.raises(error) as caught:
        enter(PasswordCredentials(scripted.url, "u", "pppp", "TKN"), http)
    assert says in str(caught.value)
    assert "pppp" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_oauth_flows_send_what_salesforce_asks_for(
    scripted: ScriptedOrg, http: requests.Session, tmp_path: Path
) -> None:
    """Each flow sends its own fields, and a JWT that the certificate's key has signed for three minutes."""
    answer = {
        "access_token": TOKEN,
        "instance_url": scripted.url,
        "id": f"https://login.salesforce.com/id/{ORG_ID}/005x",
        "refresh_token": "5AepNew",
    }
    scripted.script(OAUTH, Answer(body=answer))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    def sent(credentials: Credentials) -> dict[str, str]:
        session = enter(credentials, http)
        assert (session.org_id, session.user_id) == (ORG_ID, "005x")
        assert session.refresh_token == (
            "5AepNew" if isinstance(credentials, RefreshCredentials) else ""
        )
        return {
            name: values[0] for name, values in parse_qs(scripted.asked[-1].body.decode()).items()
        }

    url = scripted.url
    assert sent(PasswordCredentials(url, "u", "p", "T", "app", "sec"))["password"] == "pT"
    assert sent(ClientCredentials(url, "app", "sec")) == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "sec",
    }
    assert sent(RefreshCredentials(url, "app", "5AepOld")) == {
        "grant_type": "refresh_token",
        "client_id": "app",
        "refresh_token": "5AepOld",
    }
    form = sent(JwtCredentials(url, "u@x", "app", "https://login.salesforce.com", pem))
    options: Any = {"verify_exp": False}
    claims = jwt.decode(
        form["assertion"],
        key.public_key(),
        ["RS256"],
        audience="https://login.salesforce.com",
        options=options,
    )
    assert (claims["iss"], claims["sub"]) == ("app", "u@x")
    assert claims["exp"] == int(FakeClock().now().timestamp()) + 180


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (
            Answer(400, {"error": "invalid_grant", "error_description": "authentication failure"}),
            LoginError,
            "this app",
        ),
        (Answer(400, {"error": "invalid_client_id"}), LoginError, "--client-id"),
        (
            Answer(400, {"error": "brand_new", "error_description": "x"}),
            LoginError,
            "Login History",
        ),
        (Answer(400, {"error": "rate_limit_exceeded"}), TransientError, "now"),
        (Answer(200, {"token": 3}), OrgUnavailable, "no Salesforce org"),
        (Answer(200, [1]), OrgUnavailable, "no Salesforce org"),
        (Answer(404, b"<html>", {"Content-Type": "text/html"}), TransientError, "text/html"),
    ],
)
def test_oauth_refusals_say_what_to_do(
    scripted: ScriptedOrg,
    http: requests.Session,
    answer: Answer,
    error: type[BaseException],
    says: str,
) -> None:
    """Each refusal of the token endpoint is one sentence."""
    scripted.script(OAUTH, answer)
    with pytest.raises(error) as caught:
        enter(ClientCredentials(scripted.url, "app", "very-secret"), http)
    assert says in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_a_key_that_is_none_is_told(http: requests.Session) -> None:
    """P7: a broken private key is told without quoting it."""
    with pytest.raises(LoginError, match="no RSA key") as caught:
        enter(
            JwtCredentials("https://x.example", "u", "app", "aud", "-----BEGIN secretstuff"), http
        )
    assert "secretstuff" not in str(caught.value)


def test_a_token_tells_its_org(scripted: ScriptedOrg, http: requests.Session) -> None:
    """userinfo tells org and user; where it does not, the session id itself starts with the org's id."""
    scripted.script(USERINFO, Answer(body={"organization_id": ORG_ID, "user_id": "005x"}))
    assert enter(TokenCredentials(scripted.url, "opaque"), http).org_id == ORG_ID
    scripted.script(USERINFO, Answer(404, None))
    assert enter(TokenCredentials(scripted.url, TOKEN), http).org_id == ORG_ID
    assert enter(TokenCredentials(scripted.url, "opaque"), http).org_id == ""
    scripted.script(USERINFO, Answer(403, b"Bad_OAuth_Token", {"Content-Type": "text/plain"}))
    with pytest.raises(LoginError, match="Get a new one") as caught:
        enter(TokenCredentials(scripted.url, TOKEN), http)
    assert TOKEN not in str(caught.value)


def test_an_org_that_nobody_names_is_asked(
    scripted: ScriptedOrg, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an opaque token and no userinfo the id comes by a query, through the gate (P1)."""
    monkeypatch.setenv("OPAQUE", "opaque-token")
    limit = {"Sforce-Limit-Info": "api-usage=1/100"}
    scripted.script(
        "/services/data",
        Answer(body=[{"version": "58.0"}, {"version": "61.0"}, {"version": "99.0"}]),
    )
    scripted.script("/services/data/v61.0/limits", Answer(body={}, headers=limit))
    scripted.script(
        "/services/data/v61.0/query", Answer(body={"records": [{"Id": ORG_ID}]}, headers=limit)
    )
    config = OrgConfig("a", "token", instance_url=scripted.url, secrets={"token": "env:OPAQUE"})
    settings = Settings(tmp_path, "", "", orgs={"a": config})
    org = open_client(settings, "a", state=state, clock=FakeClock())
    org.close()
    assert (org.org_id, org.api_version) == (ORG_ID, "61.0")
    assert scripted.paths()[-2:] == ["/services/data/v61.0/limits", "/services/data/v61.0/query"]


def test_an_org_that_is_none_is_told(
    scripted: ScriptedOrg, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that answers HTML is one sentence that says what to check."""
    monkeypatch.setenv("TOKEN", TOKEN)
    html = Answer(200, b"<html>hello</html>", {"Content-Type": "text/html"})
    scripted.script("/services/data", html)
    scripted.script(USERINFO, html)
    config = OrgConfig("a", "token", instance_url=scripted.url, secrets={"token": "env:TOKEN"})
    with pytest.raises(LoginError, match="as no Salesforce org does"):
        open_client(
            Settings(tmp_path, "", "", orgs={"a": config}), "a", state=state, clock=FakeClock()
        )


SF = """#!{python}
import json, sys
args = sys.argv[1:]
alias = args[args.index("--target-org") + 1]
if alias == "broken":
    print("not json")
elif alias == "gone":
    print(json.dumps({{"status": 1, "message": "No authorization information found for gone."}}))
elif args[:2] == ["org", "display"]:
    token = "{token}" if alias == "old" else "[REDACTED] Use 'sf org auth show-access-token' to view"
    print(json.dumps({{"status": 0, "result": {{"id": "{org}", "accessToken": token, "instanceUrl": "{url}"}}}}))
else:
    shown = "{token}" if alias != "mute" else "hidden"
    print(json.dumps({{"status": 0, "result": {{"accessToken": shown}}}}))
"""


@pytest.mark.skipif(
    sys.platform == "win32", reason="the stand-in for sf is a script with a #! line"
)
def test_the_sf_tool_lends_its_login(
    scripted: ScriptedOrg, http: requests.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old and new versions of sf give their token; what goes wrong is told, an absent sf too."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoginError, match="not on the PATH"):
        enter(SfCredentials("old"), http)
    program = tmp_path / "sf"
    program.write_text(SF.format(python=sys.executable, token=TOKEN, org=ORG_ID, url=scripted.url))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    scripted.script(USERINFO, Answer(body={"organization_id": ORG_ID, "user_id": "005x"}))
    for alias in ("old", "new"):
        assert enter(SfCredentials(alias), http) == Session(scripted.url, TOKEN, ORG_ID, "005x")
    for alias, says in {
        "broken": "gave no JSON",
        "gone": "No authorization",
        "mute": "shows no access token",
    }.items():
        with pytest.raises(LoginError, match=says):
            enter(SfCredentials(alias), http)


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not there")


@pytest.fixture
def ring() -> Iterator[Ring]:
    before = keyring.get_keyring()
    made = Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_secrets_are_kept_in_the_keyring(ring: Ring) -> None:
    """A stored secret comes back, and forgetting it twice is no failure."""
    store_secret("acme", "password", "pw")
    assert read_secret("acme", "password", "keyring") == "pw"
    forget_secrets("acme", ["password"])
    forget_secrets("acme", ["password"])
    with pytest.raises(LoginError, match="--store-secret"):
        read_secret("acme", "password", "keyring")


def test_a_rotated_refresh_token_replaces_the_old_one(
    ring: Ring, scripted: ScriptedOrg, state: State, tmp_path: Path
) -> None:
    """An org that rotates refresh tokens is let in again tomorrow: the new one is kept where the old one was."""
    store_secret("a", "refresh_token", "5AepOld")
    answer = {
        "access_token": TOKEN,
        "instance_url": scripted.url,
        "id": f"https://x/id/{ORG_ID}/005",
    }
    scripted.script(OAUTH, Answer(body=answer | {"refresh_token": "5AepNew"}))
    scripted.script("/services/data", Answer(body=[{"version": "66.0"}]))
    config = OrgConfig(
        "a", "refresh", domain=scripted.url, client_id="app", secrets={"refresh_token": "keyring"}
    )
    open_client(
        Settings(tmp_path, "", "", orgs={"a": config}), "a", state=state, clock=FakeClock()
    ).close()
    assert read_secret("a", "refresh_token", "keyring") == "5AepNew"


def test_without_a_keyring_the_way_out_is_told() -> None:
    """A machine without a keyring is one sentence that names the option to use instead."""
    before = keyring.get_keyring()
    from keyring.backends.fail import Keyring

    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(LoginError, match="--client-secret-env"):
            store_secret("acme", "client_secret", "x")
        with pytest.raises(LoginError, match="no usable keyring"):
            read_secret("acme", "password", "keyring")
    finally:
        keyring.set_keyring(before)


def test_secrets_come_from_variables_and_files(tmp_path: Path) -> None:
    """A variable or file that is not there, or empty, is named."""
    assert read_secret("a", "password", "env:PW", {"PW": "x"}) == "x"
    with pytest.raises(LoginError, match="environment variable PW"):
        read_secret("a", "password", "env:PW", {"PW": ""})
    (tmp_path / "pw").write_text("y\n")
    assert read_secret("a", "password", f"file:{tmp_path / 'pw'}") == "y"
    with pytest.raises(LoginError, match="nowhere"):
        read_secret("a", "password", f"file:{tmp_path / 'nowhere'}")


def test_what_looks_like_a_token_is_masked() -> None:
    """P7: session ids, JWTs, refresh tokens, bearer headers and known secrets do not get through."""
    text = f"{TOKEN} Bearer abcdefghijklmnop eyJhbGciOiJS.eyJpc3Mi.c2ln 5Aep861xyz pw1 the JWT bearer flow"
    masked = mask(text, ["pw1"])
    for secret in (TOKEN.split("!")[1], "abcdefghijklmnop", "eyJpc3Mi", "861xyz", "pw1"):
        assert secret not in masked
    assert "the JWT bearer flow" in masked


def test_credentials_show_no_secret(tmp_path: Path) -> None:
    """P7: no way in has its secret in its repr."""
    environ = {"S": "topsecret"}
    key = tmp_path / "key.pem"
    key.write_text("topsecret")
    secrets = dict.fromkeys(
        ("token", "password", "security_token", "client_secret", "refresh_token"), "env:S"
    )
    for way in ("token", "password", "client", "jwt", "refresh", "sf"):
        config = OrgConfig(
            "a",
            way,
            instance_url="https://x.example",
            username="u",
            alias="al",
            jwt_key=str(key),
            secrets=secrets,
        )  # type: ignore[arg-type]
        made = credentials_of(config, environ)
        assert "topsecret" not in repr(made) + repr(config)
    with pytest.raises(LoginError, match=r"nokey\.pem is not there"):
        credentials_of(OrgConfig("a", "jwt", jwt_key=os.fspath(tmp_path / "nokey.pem")), environ)
    with pytest.raises(CallerError, match="no password is registered"):
        credentials_of(OrgConfig("a", "password"), environ)


NOTHING: dict[str, Any] = dict.fromkeys(
    ("instance_url", "username", "domain", "client_id", "jwt_key", "audience", "alias", "ca_file"),
    "",
) | dict.fromkeys(
    ("access_token_env", "password_env", "token_env", "client_secret_env", "refresh_token_env")
)


@pytest.mark.parametrize(
    ("given", "login", "secrets"),
    [
        ({"instance_url": "x.example", "access_token_env": "T"}, "token", {"token": "env:T"}),
        ({"username": "u", "password_env": "P"}, "password", {"password": "env:P"}),
        (
            {
                "username": "u",
                "password_env": "P",
                "token_env": "T",
                "client_id": "a",
                "client_secret_env": "C",
            },
            "password",
            {"password": "env:P", "security_token": "env:T", "client_secret": "env:C"},
        ),
        (
            {"instance_url": "x.example", "client_id": "a", "client_secret_env": "C"},
            "client",
            {"client_secret": "env:C"},
        ),
        ({"client_id": "a", "refresh_token_env": "R"}, "refresh", {"refresh_token": "env:R"}),
        ({"alias": "dev"}, "sf", {}),
    ],
)
def test_options_choose_the_way_in(
    given: dict[str, Any], login: str, secrets: dict[str, str]
) -> None:
    """The options of `sfnb org add` say how to log in, and where the secrets are."""
    config = plan_org("a", NOTHING | given, store_secret=False)
    assert (config.login, config.secrets) == (login, secrets)
    kept = plan_org("a", NOTHING | given, store_secret=True)
    assert set(kept.secrets.values()) <= {"keyring"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "say how to log in"),
        ({"instance_url": "x.example"}, "--access-token-env"),
        ({"username": "u"}, "--password-env"),
        ({"alias": "a", "access_token_env": "T"}, "Choose one"),
        ({"client_id": "a", "client_secret_env": "C"}, "needs --instance-url"),
        ({"alias": "a", "password_env": "P"}, "--password-env does not belong"),
        ({"refresh_token_env": "R"}, "--client-id is required"),
        ({"access_token_env": "T"}, "--instance-url is required"),
        ({"jwt_key": "/no/such", "username": "u", "client_id": "a"}, "does not exist"),
    ],
)
def test_options_that_do_not_fit_are_the_callers(given: dict[str, Any], says: str) -> None:
    """Each wrong combination is one sentence naming the option (exit code 2)."""
    with pytest.raises(CallerError, match=says):
        plan_org("a", NOTHING | given, store_secret=False)
