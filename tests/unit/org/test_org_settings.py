from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sfnb.addresses import login_url, parse_url
from sfnb.errors import CallerError, JobError
from sfnb.settings import OrgConfig, load_settings, put_org, remove_org


def home_with(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "sfnb.toml").write_text(text, "utf-8")
    return {"SFNB_HOME": str(tmp_path)}


def test_defaults_need_no_file(tmp_path: Path) -> None:
    """Without any file everything lies in SFNB_HOME, with an interval of 30 minutes (P4)."""
    settings = load_settings({"SFNB_HOME": str(tmp_path)})
    assert settings.home == tmp_path
    assert settings.state_url == f"sqlite:///{(tmp_path / 'state.db').as_posix()}"
    assert settings.store_root == str(tmp_path / "store")
    assert settings.poll_s == 1800
    assert dict(settings.orgs) == {}


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    """SFNB_STATE_URL and SFNB_STORE override what the file says."""
    environ = home_with(tmp_path, 'state_url = "sqlite:///a.db"\nstore = "s3://one"\npoll_s = 60\n')
    assert load_settings(environ).store_root == "s3://one"
    settings = load_settings(
        environ | {"SFNB_STATE_URL": "postgresql://db", "SFNB_STORE": "s3://two"}
    )
    assert (settings.state_url, settings.store_root, settings.poll_s) == (
        "postgresql://db",
        "s3://two",
        60,
    )


def test_orgs_come_back_as_they_were_put(tmp_path: Path) -> None:
    """A registered org is read again unchanged, and what a person wrote into the file stays."""
    environ = home_with(tmp_path, "# my own note\npoll_s = 900  # fifteen minutes\n")
    one = OrgConfig(
        "acme.prod-1",
        "password",
        domain="login",
        username="ü@x",
        secrets={"password": "env:PW"},
        org_id="00D",
    )
    two = OrgConfig("two", "sf", alias="dev")
    put_org(put_org(load_settings(environ), one), two)
    settings = load_settings(environ)
    assert settings.orgs == {"acme.prod-1": one, "two": two}
    text = (tmp_path / "sfnb.toml").read_text("utf-8")
    assert "# my own note" in text
    assert "# fifteen minutes" in text
    remove_org(settings, "two")
    assert list(load_settings(environ).orgs) == ["acme.prod-1"]
    assert {path.name for path in tmp_path.iterdir()} == {"sfnb.toml", ".sfnb.toml.lock"}, (
        "no temporary file stays behind"
    )


def test_a_secret_never_gets_into_the_settings(tmp_path: Path) -> None:
    """P7: a secret given where its place is expected is refused, and is not in the message."""
    settings = load_settings({"SFNB_HOME": str(tmp_path)})
    with pytest.raises(CallerError) as caught:
        put_org(settings, OrgConfig("a", "password", secrets={"password": "hunter2!"}))
    assert "hunter2!" not in str(caught.value)
    environ = home_with(
        tmp_path, '[orgs.a]\nlogin = "token"\n[orgs.a.secrets]\ntoken = "hunter2!"\n'
    )
    with pytest.raises(JobError, match="env:VARIABLE") as bad:
        load_settings(environ)
    assert "hunter2!" not in str(bad.value)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("poll_s = 60\nworkers = \n", 2, "Invalid value"),
        ('poll_s = "soon"\n', 1, "poll_s must be a number"),
        ("# x\nworkers = 0\n", 2, "workers must be a number of at least 1"),
        ('api_version = "66"\n', 1, "api_version must be a text"),
        ('[orgs.a]\nlogin = "magic"\n', 1, "orgs.a.login must be one of token"),
        ('[orgs.a]\nlogin = "sf"\nalais = "x"\n', 3, "no setting 'alais'"),
        ("orgs = 3\n", 1, "orgs must be tables"),
        ('[orgs.a]\nlogin = "sf"\nalias = 4\n', 3, "orgs.a.alias must be text"),
    ],
)
def test_an_unreadable_file_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    """Bad settings give one sentence with file, line and what to do."""
    with pytest.raises(JobError) as caught:
        load_settings(home_with(tmp_path, text))
    assert f"{tmp_path / 'sfnb.toml'}, line {line}: " in str(caught.value)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 give the line they stand in."""
    (tmp_path / "sfnb.toml").write_bytes(b"poll_s = 60\nstore = '\xff'\n")
    with pytest.raises(JobError, match="line 2: not UTF-8"):
        load_settings({"SFNB_HOME": str(tmp_path)})


@pytest.mark.skipif(
    sys.platform == "win32", reason="a folder in place of the file reads differently on Windows"
)
def test_an_unwritable_home_is_told(tmp_path: Path) -> None:
    """A home that cannot be made is one clear sentence."""
    (tmp_path / "file").write_text("")
    settings = load_settings({"SFNB_HOME": str(tmp_path)})
    (tmp_path / "sfnb.toml").mkdir()
    with pytest.raises(JobError, match="SFNB_HOME"):
        put_org(settings, OrgConfig("a", "sf", alias="x"))


def test_unknown_org_names_the_known_ones(tmp_path: Path) -> None:
    """An unknown org is the caller's error and lists what is registered."""
    settings = put_org(load_settings({"SFNB_HOME": str(tmp_path)}), OrgConfig("a", "sf", alias="x"))
    with pytest.raises(CallerError, match=r"'b' is not registered \(registered: a\)"):
        settings.org("b")
    with pytest.raises(CallerError, match="cannot be the name"):
        put_org(settings, OrgConfig("a b", "sf"))


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("https://Acme.my.salesforce.com/home?x=1", "https://acme.my.salesforce.com"),
        ("https://acme.example:8443/", "https://acme.example:8443"),
        ("https://acme.example:443", "https://acme.example"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_addresses_become_origins(text: str, origin: str) -> None:
    """What people paste becomes scheme, host and port."""
    assert parse_url(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://acme.my.salesforce.com",
        "ftp://x",
        "https://u:p@x",
        "https://acme.lightning.force.com",
        "x:notaport",
    ],
)
def test_addresses_that_cannot_be_are_refused(text: str) -> None:
    """Plain http beyond this machine, web pages' hosts and nonsense are the caller's errors (P7)."""
    with pytest.raises(CallerError):
        parse_url(text)


def test_domains_are_those_of_salesforce() -> None:
    """login, test, a My Domain and whole hosts all name where a login starts."""
    assert login_url("") == login_url("login") == "https://login.salesforce.com"
    assert login_url("test") == "https://test.salesforce.com"
    assert login_url("acme.my") == "https://acme.my.salesforce.com"
    assert login_url("acme--dev.sandbox.my") == "https://acme--dev.sandbox.my.salesforce.com"
    assert login_url("acme.my.salesforce.com") == "https://acme.my.salesforce.com"
    assert login_url("http://127.0.0.1:5000") == "http://127.0.0.1:5000"
