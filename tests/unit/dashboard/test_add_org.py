"""The form that registers an org."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from sfnb.cli.orgs import org as org_commands
from sfnb.clock import SystemClock
from sfnb.dashboard.add_org import WAYS, AddOrg, _arguments
from sfnb.errors import CallerError
from sfnb.installation import Installation
from sfnb.settings import load_settings
from tests.conftest import RunningOrg


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_in_no_argument(way: str) -> None:
    """P7: what is secret goes to the command in a variable; each argument is an option that `sfnb org add` has."""
    _, fields = WAYS[way]
    typed = {field.name: f"typed-{field.name}" for field in fields}
    name, arguments, secrets = _arguments({"name": " acme ", "way": way, "fields": typed})
    assert name == "acme" and arguments[-2:] == ["--", "acme"]
    assert set(secrets.values()) == {typed[f.name] for f in fields if f.is_secret}
    assert not [word for word in arguments for secret in secrets.values() if secret in word]
    known = CliRunner().invoke(org_commands, ["add", "--help"]).output
    assert [f.option for f in fields if f.option not in known] == []


def test_without_a_keyring_the_dashboard_keeps_the_secret_while_it_runs(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a keyring an org is added all the same, no file has its secret, and it can be added again."""
    monkeypatch.setenv("SFNB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr("sfnb.dashboard.add_org.has_keyring", lambda: False)
    running = fresh_org(objects={"Contact": 5})
    secret = running.password + running.security_token
    fields = {"address": running.url, "username": running.username, "password": secret}
    installation = Installation(load_settings(), SystemClock())
    form = AddOrg(installation)
    try:
        for _ in range(2):  # the second time as after a restart
            installation.settings = load_settings()
            monkeypatch.setenv("SFNB_SECRET_GLO_BEX_PASSWORD", "")
            form.hear({"kind": "add", "name": "glo-bex", "way": "user", "fields": fields})
            command = form._command
            assert command is not None
            command._process.wait(timeout=120)
            form._look()
            assert form.view()["says"] == ""
            assert os.environ["SFNB_SECRET_GLO_BEX_PASSWORD"] == secret
            assert load_settings().orgs["glo-bex"].org_id == running.org_id
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [path for path in files if secret.encode() in path.read_bytes()] == []
    finally:
        form.close()
        installation.close()


def test_an_address_needs_no_scheme_and_what_is_required_is_asked_for() -> None:
    """`acme.my.salesforce.com` will do; an empty field is one sentence that names it."""
    fields = {"address": "acme.my.salesforce.com", "token": "x"}
    _, arguments, _ = _arguments({"name": "acme", "way": "token", "fields": fields})
    assert "--instance-url=https://acme.my.salesforce.com" in arguments
    with pytest.raises(CallerError, match="“Password” is empty"):
        _arguments({"name": "acme", "way": "user", "fields": {"username": "u"}})
    with pytest.raises(CallerError, match="name"):
        _arguments({"name": "", "way": "user", "fields": {}})
