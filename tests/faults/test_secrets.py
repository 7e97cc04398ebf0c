"""P7: secrets stay secret. Everything is run with known secrets, and they are looked for in all that it leaves."""

from __future__ import annotations

import gzip
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.engine import backup
from sfnb.errors import SfnbError
from sfnb.installation import connect
from sfnb.settings import load_settings
from sfnb_demo.server.sessions import Session, Sessions
from tests.command_line import CommandLine, Ran
from tests.conftest import RunningOrg


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every session id that the org hands out from now on."""
    handed_out: list[str] = []
    really_open = Sessions.open

    def opened(self: Sessions, *arguments: Any) -> Session:
        session = really_open(self, *arguments)
        handed_out.append(session.token)
        return session

    monkeypatch.setattr(Sessions, "open", opened)
    return handed_out


def secrets_of(org: RunningOrg, tokens: list[str]) -> dict[str, str]:
    return {
        "password": org.password,
        "security token": org.security_token,
        "client secret": org.client_secret,
        "refresh token": org.refresh_token,
        "first session": org.access_token,
        **{f"session {number}": token for number, token in enumerate(tokens)},
    }


def looked_through(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Each file below a folder as it is, and unpacked where that can be read."""
    for path in folder.rglob("*"):
        if path.is_file():
            body = path.read_bytes()
            yield path, body
            if body.startswith(b"\x1f\x8b"):
                yield path, gzip.decompress(body)


def found_in(text: str | bytes, secrets: dict[str, str]) -> list[str]:
    """Which secrets are there, whole or by their last, telling part."""
    body = text.encode() if isinstance(text, str) else text
    return [
        name
        for name, secret in secrets.items()
        if secret.encode() in body or secret[-20:].encode() in body
    ]


WAYS = {
    "password": "--username {username} --domain {url} --password-env S_PASSWORD --token-env S_TOKEN",
    "oauth": "--username {username} --domain {url} --password-env S_PASSWORD --client-id {client_id} "
    "--client-secret-env S_CLIENT",
    "client": "--instance-url {url} --client-id {client_id} --client-secret-env S_CLIENT",
    "refresh": "--domain {url} --client-id {client_id} --refresh-token-env S_REFRESH --client-secret-env S_CLIENT",
    "jwt": "--username {username} --domain {url} --client-id {client_id} --jwt-key {jwt_private_key_file}",
    "token": "--instance-url {url} --access-token-env S_SESSION",
}


def add(home: CommandLine, org: RunningOrg, way: str, *more: str, **environ: str) -> Ran:
    said = WAYS[way].format(**{name: getattr(org, name) for name in org.__dataclass_fields__})
    return home("org", "add", way, *said.split(), *more, **environ)


def variables(org: RunningOrg) -> dict[str, str]:
    return {
        "S_PASSWORD": org.password,
        "S_TOKEN": org.security_token,
        "S_CLIENT": org.client_secret,
        "S_REFRESH": org.refresh_token,
        "S_SESSION": org.access_token,
    }


def test_no_secret_is_in_what_the_commands_say_or_leave(
    fresh_org: Callable[..., RunningOrg],
    tmp_path: Path,
    tokens: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """P7: every way in, a backup with faults, pauses and a failure, the report and a notebook: no secret anywhere."""
    caplog.set_level(logging.DEBUG)
    org = fresh_org()
    home = CommandLine(tmp_path / "home", **variables(org))
    said: list[Ran] = []

    def do(*arguments: object) -> Ran:
        said.append(home(*arguments))
        return said[-1]

    for way in WAYS:
        said.append(add(home, org, way))
        assert said[-1].code == 0, said[-1].err
        assert do("org", "check", way, "--json").code == 0
    do("org", "list", "--json")
    do("org", "list")
    do("plan", "password")
    do("limit", "password", 60, "--reason", "because")
    # What the org says may quote a token; it is kept with the object and shown.
    said_by_org = f"insufficient access rights, session {tokens[0]} of {org.access_token}"
    refusal = {"code": "INSUFFICIENT_ACCESS", "message": said_by_org, "status": 403}
    org.fail(fault="error", inside=True, match="FROM(%20|\\+)Case\\b", **refusal)
    org.fail(fault="expire_session", match="/composite", nth=2, times=1)
    assert do("backup", "password", "--objects", "Account,Case,Contact", "--json").code == 3
    org.control("faults", method="DELETE")
    org.fail(fault="error", match="/composite", **(refusal | {"status": 400}))
    assert do("backup", "client", "--objects", "Account").code in (0, 1, 3)
    org.control("faults", method="DELETE")
    org.control("sessions", {"expire": True})
    assert do("backup", "token", "--objects", "Account").code == 1
    do("jobs")
    do("jobs", "--json")
    do("audit", "--json")
    do("show", "password", "latest", "--json")
    do(
        "report",
        "password",
        "--html",
        tmp_path / "home" / "report.html",
        "--json",
        tmp_path / "home" / "report.json",
    )
    ran = home.apart("run", "run_backup", "-p", "org", "jwt", "-p", "objects", '["Account"]')
    assert ran.code == 0, ran.err
    said.append(ran)

    secrets = secrets_of(org, tokens)
    assert len(tokens) >= len(WAYS)
    for one in said:
        assert found_in(one.out + one.err, secrets) == [], one
    assert found_in(caplog.text, secrets) == []
    leaks = {
        str(path): found
        for path, body in looked_through(home.home)
        if (found := found_in(body, secrets))
    }
    assert leaks == {}
    # The search finds what is there.
    kinds = {
        path.suffix
        for path, body in looked_through(home.home)
        if found_in(body, {"org": org.org_id})
    }
    assert {".db", ".toml", ".json"} <= kinds
    assert [path for path, _ in looked_through(home.home) if path.suffix == ".ipynb"]


def test_no_secret_is_in_a_refused_login(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, tokens: list[str]
) -> None:
    """P7: a wrong secret is not repeated to the one who typed it, nor is the right one beside it."""
    org = fresh_org()
    home = CommandLine(tmp_path / "home", **variables(org))
    wrong = {
        "S_PASSWORD": "Wr0ng&<Secret>'\"-of-a-person",
        "S_CLIENT": "wrong-client-secret-of-an-app-0123456789",
    }
    wrong |= {
        "S_REFRESH": "5Aep861wrongrefreshtoken0123456789",
        "S_SESSION": org.org_id[:15] + "!wrongsession0123456789",
    }
    for way in WAYS:
        if way == "jwt":
            continue
        refused = add(home, org, way, **wrong)
        assert refused.code == 1 and refused.is_one_sentence(), refused
        assert found_in(refused.err, secrets_of(org, tokens) | wrong) == []
    # With a good password and a bad security token, and the other way round.
    refused = add(home, org, "password", S_TOKEN="not-the-security-token-012345")
    assert refused.code == 1 and found_in(refused.err, secrets_of(org, tokens)) == []
    assert home("org", "list", "--json").json == []


def test_a_secret_in_place_of_a_variable_is_not_kept(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, tokens: list[str]
) -> None:
    """P7: who gives the password itself where the variable's name belongs is refused, and it is written nowhere."""
    org = fresh_org()
    home = CommandLine(tmp_path / "home")
    address = ("--username", org.username, "--domain", org.url)
    for given in (org.password, org.security_token, "Sup3r-Secret!With(Signs)"):
        refused = home("org", "add", "y", *address, "--password-env", given)
        assert refused.code in (1, 2) and refused.is_one_sentence()
        assert given.isalnum() or given not in refused.err, (
            "it cannot be a variable's name, so it is not repeated"
        )
        assert [path for path, body in looked_through(home.home) if given.encode() in body] == []


@pytest.mark.parametrize("way", ["password", "oauth", "client", "refresh", "token"])
def test_no_secret_is_in_a_repr_or_an_exception(
    fresh_org: Callable[..., RunningOrg],
    tmp_path: Path,
    tokens: list[str],
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    """P7: what a notebook shows of our values, and the traceback of what goes wrong, hold no secret."""
    org = fresh_org()
    home = CommandLine(tmp_path / "home", **variables(org))
    assert add(home, org, way).code == 0
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    with connect(way) as there:
        shown = [
            there,
            there.client,
            there.client.gate,
            there.client.session,
            there.settings,
            there.settings.orgs,
            there.state,
        ]
        shown += [
            there.client.address.access.session,
            there.sf,
            there.store,
            there.snapshots,
        ]
        shown += [
            vars(there),
            vars(there.client),
            vars(there.client.address),
            vars(there.client.address.renewal),
        ]
        text = "\n".join(f"{one!r}\n{one}" for one in shown)
        org.fail(
            fault="error",
            match="/composite|/query",
            code="INVALID_FIELD",
            message=f"token {tokens[-1]}",
        )
        org.control("sessions", {"expire": True})
        org.server and monkeypatch.setattr(
            org.server.org.sessions, "is_password", lambda _given: False
        )
        try:
            summary = engine.run(there, backup(objects=["Account"]))
            text += str(summary)
        except SfnbError as err:
            text += "".join(traceback.format_exception(err)) + repr(err)
        text += repr(load_settings())
    assert found_in(text, secrets_of(org, tokens)) == []
    assert way in text
