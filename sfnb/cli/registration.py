"""What the options of `sfnb org add` mean: a way to log in, and where its secrets are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sfnb.addresses import parse_url
from sfnb.errors import CallerError
from sfnb.settings import OrgConfig

SECRET_OPTIONS = {
    "token": "access_token_env",
    "password": "password_env",
    "security_token": "token_env",
    "client_secret": "client_secret_env",
    "refresh_token": "refresh_token_env",
}
"""The option that names the variable of each secret."""

SECRETS_OF = {
    "token": ("token",),
    "password": ("password", "security_token", "client_secret"),
    "client": ("client_secret",),
    "jwt": (),
    "refresh": ("refresh_token", "client_secret"),
    "sf": (),
}
"""The secrets of each login. The first is required, the others are optional."""


VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def plan_org(name: str, given: dict[str, Any], *, store_secret: bool) -> OrgConfig:
    """
    The registration that the options describe.

    Raises:
        CallerError: the options fit no login, or more than one.
    """
    login = _login_of(given)
    # The flow's token endpoint is served by My Domain hosts alone: Salesforce Help, "OAuth 2.0 Client
    # Credentials Flow".
    if login == "client" and not (given["instance_url"] or given["domain"]):
        raise CallerError(
            "the client credentials flow needs --instance-url: Salesforce offers it on My Domain only."
        )
    secrets: dict[str, str] = {}
    for option in SECRET_OPTIONS.values():
        # The value is not repeated: it may be the secret itself.
        if given[option] and not VARIABLE.fullmatch(given[option]):
            raise CallerError(
                f"--{option.replace('_', '-')} takes the name of a variable, never the secret itself."
            )
    for role in SECRETS_OF[login]:
        if given[SECRET_OPTIONS[role]]:
            secrets[role] = "keyring" if store_secret else f"env:{given[SECRET_OPTIONS[role]]}"
    if needed := SECRETS_OF[login][:1]:
        role = needed[0]
        if role not in secrets and not store_secret:
            option = SECRET_OPTIONS[role].replace("_", "-")
            raise CallerError(
                f"name the variable that holds the {role.replace('_', ' ')} with --{option}, "
                "or give --store-secret to enter it now and keep it in the keyring."
            )
        secrets.setdefault(role, "keyring")
    unused = [
        option for role, option in SECRET_OPTIONS.items() if given[option] and role not in secrets
    ]
    if unused:
        raise CallerError(
            f"--{unused[0].replace('_', '-')} does not belong to this login ({login})."
        )
    return OrgConfig(
        name=name,
        login=login,  # type: ignore[arg-type]  # one of SECRETS_OF
        instance_url=parse_url(given["instance_url"]) if given["instance_url"] else "",
        domain=given["domain"],
        username=given["username"],
        client_id=given["client_id"],
        jwt_key=_absolute(given["jwt_key"]),
        audience=given["audience"],
        alias=given["alias"],
        ca_file=_absolute(given["ca_file"]),
        secrets=secrets,
    )


def _login_of(given: dict[str, Any]) -> str:
    logins = {
        "sf": given["alias"],
        "token": given["access_token_env"],
        "jwt": given["jwt_key"],
        "refresh": given["refresh_token_env"],
    }
    chosen = [login for login, value in logins.items() if value]
    if len(chosen) > 1:
        raise CallerError(
            f"these options belong to different logins: {', '.join(chosen)}. Choose one."
        )
    if chosen:
        login = chosen[0]
    elif given["username"]:
        login = "password"
    elif given["client_id"]:
        login = "client"
    elif given["instance_url"]:
        login = "token"
    else:
        raise CallerError("say how to log in; `sfnb org add --help` lists the ways.")
    needs = {
        "jwt": ("username", "client_id"),
        "refresh": ("client_id",),
        "token": ("instance_url",),
    }
    for option in needs.get(login, ()):
        if not given[option]:
            raise CallerError(f"--{option.replace('_', '-')} is required for this login ({login}).")
    return login


def _absolute(path: str) -> str:
    """The file's absolute path: the settings are read from other folders too."""
    if path and not Path(path).expanduser().is_file():
        raise CallerError(f"file {path} does not exist.")
    return str(Path(path).expanduser().absolute()) if path else ""
