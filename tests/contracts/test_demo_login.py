"""The demo org's doors: OAuth, SOAP login, sessions, TLS."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.dom import minidom

import jwt
import pytest
import requests

from tests.conftest import RunningOrg

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def token(org: RunningOrg, **form: str) -> requests.Response:
    return requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=30)


def app(org: RunningOrg) -> dict[str, str]:
    return {"client_id": org.client_id, "client_secret": org.client_secret}


def claims(org: RunningOrg, **changes: Any) -> dict[str, Any]:
    exp = str(int((datetime.now(UTC) + timedelta(minutes=3)).timestamp()))
    return {
        "iss": org.client_id,
        "sub": org.username,
        "aud": "https://login.salesforce.com",
        "exp": exp,
    } | changes


def assertion(org: RunningOrg, **changes: Any) -> str:
    return jwt.encode(claims(org, **changes), Path(org.jwt_private_key_file).read_text(), "RS256")


def opens(org: RunningOrg, answer: requests.Response) -> bool:
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return requests.get(f"{org.url}/services/data/v66.0/limits", headers=headers, timeout=30).ok


def test_password_flow_answers_as_every_client_wants_it(demo_org: RunningOrg) -> None:
    """
    A token is shaped 00D…!…, issued_at is text in milliseconds, instance_url has no slash at its
    end.
    """
    password = demo_org.password + demo_org.security_token
    answer = token(
        demo_org,
        grant_type="password",
        username=demo_org.username,
        password=password,
        **app(demo_org),
    )
    body = answer.json()
    assert re.fullmatch(r"00D\w{12}![.\w]+", body["access_token"])
    assert re.fullmatch(r"\d{13}", body["issued_at"])
    assert body["instance_url"] == demo_org.url
    assert body["id"].split("/")[-2] == demo_org.org_id
    assert body["token_type"] == "Bearer"
    assert "expires_in" not in body
    assert "Sforce-Limit-Info" not in answer.headers
    assert opens(demo_org, answer)


def test_other_flows_open_sessions(demo_org: RunningOrg) -> None:
    """
    Client credentials (in the form or as Basic), refresh token and a signed JWT each give a token
    that works.
    """
    basic = base64.b64encode(f"{demo_org.client_id}:{demo_org.client_secret}".encode()).decode()
    answers = [
        token(demo_org, grant_type="client_credentials", **app(demo_org)),
        requests.post(
            f"{demo_org.url}/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": f"Basic {basic}"},
            timeout=30,
        ),
        token(
            demo_org,
            grant_type="refresh_token",
            refresh_token=demo_org.refresh_token,
            **app(demo_org),
        ),
        token(demo_org, grant_type=JWT_GRANT, assertion=assertion(demo_org)),
        token(
            demo_org,
            grant_type=JWT_GRANT,
            assertion=assertion(demo_org, aud=demo_org.url, exp=1893456000000),
        ),
    ]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert all(opens(demo_org, answer) for answer in answers)


def test_refused_logins_carry_salesforces_words(demo_org: RunningOrg) -> None:
    """Wrong secrets are 400 with ``error`` and ``error_description``, never a token."""
    good = {"username": demo_org.username, "password": demo_org.password}
    forged = jwt.encode(
        claims(demo_org), "not the key of the org, but long enough for HMAC", "HS256"
    )
    cases = {
        ("invalid_grant", "authentication failure"): {
            "grant_type": "password", **app(demo_org), **good, "password": "x",
        },
        ("invalid_client_id", "client identifier invalid"): {
            "grant_type": "password", **app(demo_org), **good, "client_id": "x",
        },
        ("invalid_client", "invalid client credentials"): {
            "grant_type": "password", **app(demo_org), **good, "client_secret": "x",
        },
        ("unsupported_grant_type", "grant type not supported"): {"grant_type": "device"},
        ("invalid_grant", "expired access/refresh token"): {
            "grant_type": "refresh_token", "refresh_token": "x", **app(demo_org),
        },
        ("invalid_grant", "invalid assertion"): {"grant_type": JWT_GRANT, "assertion": forged},
        ("invalid_grant", "user hasn't approved this consumer"): {
            "grant_type": JWT_GRANT, "assertion": assertion(demo_org, sub="nobody@example.com"),
        },
        ("invalid_grant", "audience is invalid"): {
            "grant_type": JWT_GRANT, "assertion": assertion(demo_org, aud="https://example.com"),
        },
    }  # fmt: skip
    for (error, description), form in cases.items():
        answer = token(demo_org, **form)
        assert (answer.status_code, answer.json()) == (
            400,
            {"error": error, "error_description": description},
        )


def test_revoked_token_is_dead(fresh_org: Callable[..., RunningOrg]) -> None:
    """After a revoke the token is a 401 with INVALID_SESSION_ID as JSON."""
    org = fresh_org()
    body = token(org, grant_type="client_credentials", **app(org)).json()
    assert requests.post(
        f"{org.url}/services/oauth2/revoke", data={"token": body["access_token"]}, timeout=30
    ).ok
    dead = requests.get(
        f"{org.url}/services/data/v66.0/limits",
        headers={"Authorization": f"Bearer {body['access_token']}"},
        timeout=30,
    )
    assert dead.status_code == 401
    assert dead.json() == [
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
    ]


def test_malformed_header_is_another_401(demo_org: RunningOrg) -> None:
    """A header that is no Bearer is INVALID_AUTH_HEADER."""
    answer = requests.get(
        f"{demo_org.url}/services/data/v66.0/limits", headers={"Authorization": "x y"}, timeout=30
    )
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_AUTH_HEADER")


def test_userinfo_and_identity_are_free(fresh_org: Callable[..., RunningOrg]) -> None:
    """Userinfo and the identity URL name the user, are not counted and have no limit header."""
    org = fresh_org()
    info = org.get("/services/oauth2/userinfo")
    assert (info.json()["organization_id"], info.json()["preferred_username"]) == (
        org.org_id,
        org.username,
    )
    who = org.get(info.json()["sub"].removeprefix(org.url))
    assert who.json()["username"] == org.username
    assert "Sforce-Limit-Info" not in info.headers
    assert org.ledger()["spent"] == {}


ENVELOPE = """<?xml version="1.0" encoding="utf-8" ?>
<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header/><env:Body>
<n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>{}</n1:username><n1:password>{}</n1:password></n1:login>
</env:Body></env:Envelope>"""


def soap(org: RunningOrg, password: str, version: str = "59.0") -> requests.Response:
    return requests.post(
        f"{org.url}/services/Soap/u/{version}",
        data=ENVELOPE.format(org.username, password),
        headers={"Content-Type": "text/xml", "SOAPAction": "login"},
        timeout=30,
    )


def test_soap_login_has_bare_tags_and_faults_have_prefixed_ones(
    fresh_org: Callable[..., RunningOrg],
) -> None:
    """
    Clients grep ``<sessionId>`` in the answer and ``sf:exceptionCode`` in a fault, which is HTTP
    500.
    """
    org = fresh_org()
    good = soap(org, org.password + org.security_token)
    assert good.status_code == 200
    minidom.parseString(good.content)  # noqa: S318 - our own server wrote it
    session = re.search(r"<sessionId>(.*?)</sessionId>", good.text)
    assert session is not None
    assert f"<serverUrl>{org.url}/services/Soap/u/59.0/{org.org_id[:15]}</serverUrl>" in good.text
    assert requests.get(
        f"{org.url}/services/data/v59.0/limits",
        headers={"Authorization": f"Bearer {session[1]}"},
        timeout=30,
    ).ok
    bad = soap(org, "wrong")
    assert bad.status_code == 500
    assert "<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>" in bad.text
    assert "<faultstring>INVALID_LOGIN: Invalid username" in bad.text


def test_soap_login_is_gone_from_version_65(demo_org: RunningOrg) -> None:
    """
    login() is absent from API version 65.0 on, and retired versions are UNSUPPORTED_API_VERSION.
    """
    for version in ("65.0", "30.0"):
        answer = soap(demo_org, demo_org.password, version)
        assert answer.status_code == 500
        assert "<sf:exceptionCode>UNSUPPORTED_API_VERSION</sf:exceptionCode>" in answer.text


def test_soap_refuses_document_types(demo_org: RunningOrg) -> None:
    """No entity is ever expanded."""
    answer = requests.post(
        f"{demo_org.url}/services/Soap/u/59.0",
        data='<!DOCTYPE x [<!ENTITY a "b">]>' + ENVELOPE.format("&a;", "x"),
        timeout=30,
    )
    assert "INVALID_XML" in answer.text


def test_idle_sessions_end(fresh_org: Callable[..., RunningOrg]) -> None:
    """
    A session lives while it is used, and ends when it was idle for its lifetime of simulated time.
    """
    org = fresh_org(session_minutes=120)
    for _ in range(3):
        org.control("clock", {"advance_minutes": 119})
        assert org.get("/services/data/v66.0/limits").ok
    org.control("clock", {"advance_minutes": 121})
    assert org.get("/services/data/v66.0/limits").status_code == 401


def test_both_ports_speak_tls_that_the_generated_ca_vouches_for(demo_org: RunningOrg) -> None:
    """
    HTTPS verifies with the CA file under 127.0.0.1 and localhost, also on the plain port; without
    it, it fails.
    """
    port = demo_org.url.rpartition(":")[2]
    for base in (demo_org.https_url, f"https://127.0.0.1:{port}", f"https://localhost:{port}"):
        assert requests.get(f"{base}/services/data", verify=demo_org.ca_file, timeout=30).ok
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{demo_org.https_url}/services/data", timeout=30)


def test_other_host_names_are_refused(demo_org: RunningOrg) -> None:
    """A web page that points its own name at the loopback address gets nothing."""
    answer = requests.get(
        f"{demo_org.url}/services/data", headers={"Host": "evil.example:80"}, timeout=30
    )
    assert answer.status_code == 421


def test_control_wants_its_token(demo_org: RunningOrg) -> None:
    """Without the token of the ready file nobody steers the org."""
    assert requests.post(f"{demo_org.url}/control/shutdown", timeout=30).status_code == 401
    assert (
        requests.get(
            f"{demo_org.url}/control/status", headers=demo_org.headers, timeout=30
        ).status_code
        == 401
    )


def test_fixed_credentials(fresh_org: Callable[..., RunningOrg]) -> None:
    """Credentials may be given, for tools that bring their own."""
    org = fresh_org(client_id="x", client_secret="y", refresh_token="z", password="p")
    assert token(
        org, grant_type="refresh_token", refresh_token="z", client_id="x", client_secret="y"
    ).ok
    assert token(org, grant_type="password", username=org.username, password="p", **app(org)).ok
