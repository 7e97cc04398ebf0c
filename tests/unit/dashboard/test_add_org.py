"""The form that registers an org."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from sfnb.cli.orgs import org as org_commands
from sfnb.dashboard.add_org import WAYS, _arguments
from sfnb.errors import CallerError


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


def test_an_address_needs_no_scheme_and_what_is_required_is_asked_for() -> None:
    """`acme.my.salesforce.com` will do; an empty field is one sentence that names it."""
    fields = {"address": "acme.my.salesforce.com", "token": "x"}
    _, arguments, _ = _arguments({"name": "acme", "way": "token", "fields": fields})
    assert "--instance-url=https://acme.my.salesforce.com" in arguments
    with pytest.raises(CallerError, match="“Password” is empty"):
        _arguments({"name": "acme", "way": "user", "fields": {"username": "u"}})
    with pytest.raises(CallerError, match="name"):
        _arguments({"name": "", "way": "user", "fields": {}})
