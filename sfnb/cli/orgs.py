"""`sfnb org`: the orgs that sfnb knows, and whether they let it do its work."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from sfnb.cli.context import App, pass_app
from sfnb.errors import CallerError
from sfnb.org.secrets import forget_secrets, read_secret
from sfnb.org.secrets import store_secret as put_secret
from sfnb.settings import OrgConfig, parse_url, put_org, remove_org

SECRET_OPTIONS = {
    "token": "access_token_env",
    "password": "password_env",
    "security_token": "token_env",
    "client_secret": "client_secret_env",
    "refresh_token": "refresh_token_env",
}
"""Which option names the variable of each secret."""

SECRETS_OF = {
    "token": ("token",),
    "password": ("password", "security_token", "client_secret"),
    "client": ("client_secret",),
    "jwt": (),
    "refresh": ("refresh_token", "client_secret"),
    "sf": (),
}
"""The secrets that each way in knows; the first is needed, the others are taken where they are given."""


VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@click.group()
def org() -> None:
    """Register Salesforce orgs, list and check them."""


@org.command()
@click.argument("name")
@click.option(
    "--instance-url", default="", help="The org's address, such as https://acme.my.salesforce.com."
)
@click.option(
    "--access-token-env",
    metavar="VAR",
    help="The variable that holds a session id or access token.",
)
@click.option("--username", default="", help="Of a user who may read everything.")
@click.option("--password-env", metavar="VAR", help="The variable that holds the password.")
@click.option(
    "--token-env", metavar="VAR", help="The variable that holds the user's security token."
)
@click.option(
    "--domain", default="", help="login, test, or the My Domain host; where the login starts."
)
@click.option("--client-id", default="", help="The consumer key of the app, for OAuth.")
@click.option(
    "--client-secret-env", metavar="VAR", help="The variable that holds the app's consumer secret."
)
@click.option(
    "--jwt-key", default="", help="File of the private key (PEM) whose certificate the app trusts."
)
@click.option("--audience", default="", help="Who the JWT is for; default: the login server.")
@click.option(
    "--refresh-token-env", metavar="VAR", help="The variable that holds an OAuth refresh token."
)
@click.option(
    "--sf-cli",
    "alias",
    default="",
    metavar="ALIAS",
    help="Use the login of the sf command line tool.",
)
@click.option("--ca-file", default="", help="PEM file of the authorities to trust for this org.")
@click.option(
    "--store-secret",
    is_flag=True,
    help="Keep the secrets in the keyring; ask for those not in a variable.",
)
@click.option("--no-check", is_flag=True, help="Do not try the login now.")
@click.option("--replace", is_flag=True, help="Register anew under a name that is taken.")
@pass_app
def add(
    app: App, /, name: str, store_secret: bool, no_check: bool, replace: bool, **given: Any
) -> None:
    """
    Register an org as NAME, and try its login.

    \b
    One of:
      --instance-url URL --access-token-env VAR
      --username USER --password-env VAR [--token-env VAR] [--domain HOST]
      --instance-url URL --client-id ID --client-secret-env VAR
      --username USER --client-id ID --jwt-key FILE [--domain HOST]
      --client-id ID --refresh-token-env VAR [--client-secret-env VAR]
      --sf-cli ALIAS

    The secrets stay in the variables you name, or go to the keyring with --store-secret.
    """
    if name in app.settings.orgs and not replace:
        raise CallerError(
            f"org {name} is registered already; give --replace, or choose another name."
        )
    config = plan_org(name, given, store_secret=store_secret)
    if store_secret:
        config = _store_secrets(config, given)
    if not no_check:
        try:
            config = _try_login(app, config)
        except BaseException:
            # What did not let us in is not to be kept.
            forget_secrets(name, _kept_in_keyring(config))
            raise
    app.settings = put_org(app.settings, config)
    where = (
        f" ({config.org_id} at {config.instance_url}, API {config.api_version})"
        if config.org_id
        else ""
    )
    click.echo(f"org {name} is registered{where}.")
    click.echo(f"Next: sfnb org check {name}, sfnb plan {name}, sfnb backup {name}.")


def plan_org(name: str, given: dict[str, Any], *, store_secret: bool) -> OrgConfig:
    """
    The registration that the options ask for; a pure function of them.

    Raises:
        CallerError: the options fit no way in, or more than one.
    """
    login = _way_in(given)
    if login == "client" and not (given["instance_url"] or given["domain"]):
        raise CallerError(
            "the client credentials flow needs --instance-url: Salesforce serves it on My Domain only."
        )
    secrets: dict[str, str] = {}
    for option in SECRET_OPTIONS.values():
        # What was given is not repeated: it may be the secret itself.
        if given[option] and not VARIABLE.fullmatch(given[option]):
            raise CallerError(
                f"--{option.replace('_', '-')} wants the name of a variable, never the secret itself."
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
                "or give --store-secret to type it in and keep it in the keyring."
            )
        secrets.setdefault(role, "keyring")
    unused = [
        option for role, option in SECRET_OPTIONS.items() if given[option] and role not in secrets
    ]
    if unused:
        raise CallerError(
            f"--{unused[0].replace('_', '-')} does not go with this way of logging in ({login})."
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


def _way_in(given: dict[str, Any]) -> str:
    ways = {
        "sf": given["alias"],
        "token": given["access_token_env"],
        "jwt": given["jwt_key"],
        "refresh": given["refresh_token_env"],
    }
    chosen = [way for way, value in ways.items() if value]
    if len(chosen) > 1:
        raise CallerError(
            f"these options are for different ways of logging in: {', '.join(chosen)}. Choose one."
        )
    way = (
        chosen[0]
        if chosen
        else "password"
        if given["username"]
        else "client"
        if given["client_id"]
        else ""
    )
    if not way and given["instance_url"]:
        way = "token"
    needs = {
        "jwt": ("username", "client_id"),
        "refresh": ("client_id",),
        "token": ("instance_url",),
    }
    for option in needs.get(way, ()):
        if not given[option]:
            raise CallerError(
                f"--{option.replace('_', '-')} is missing for this way of logging in ({way})."
            )
    if not way:
        raise CallerError("say how to log in; `sfnb org add --help` lists the ways.")
    return way


def _absolute(path: str) -> str:
    """The file's own path: the settings are read from other folders too."""
    if path and not Path(path).expanduser().is_file():
        raise CallerError(f"there is no file {path}.")
    return str(Path(path).expanduser().absolute()) if path else ""


def _store_secrets(config: OrgConfig, given: dict[str, Any]) -> OrgConfig:
    """The registration, its secrets put into the keyring: from the variables named, else typed in."""
    for role in config.secrets:
        variable = given[SECRET_OPTIONS[role]]
        if variable:
            secret = read_secret(config.name, role, f"env:{variable}")
        elif sys.stdin.isatty():
            secret = click.prompt(role.replace("_", " ").capitalize(), hide_input=True)
        else:
            option = SECRET_OPTIONS[role].replace("_", "-")
            raise CallerError(
                f"nobody is here to type the {role.replace('_', ' ')}; name a variable with --{option}."
            )
        put_secret(config.name, role, secret)
    return config


def _kept_in_keyring(config: OrgConfig) -> list[str]:
    return [role for role, reference in config.secrets.items() if reference == "keyring"]


def _try_login(app: App, config: OrgConfig) -> OrgConfig:
    """The registration with what the org told: its id, address and API version."""
    from sfnb.org.opening import open_client

    settings = dataclasses.replace(app.settings, orgs={**app.settings.orgs, config.name: config})
    opened = open_client(settings, config.name, state=app.state, clock=app.clock)
    try:
        return dataclasses.replace(
            config,
            # Where the login starts must not move when the org tells another address than the one given.
            domain=config.domain or (config.instance_url if config.login != "token" else ""),
            instance_url=opened.instance_url,
            org_id=opened.org_id,
            api_version=opened.api_version,
        )
    finally:
        opened.close()


@org.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List the registered orgs. Asks no org anything."""
    rows = [
        {
            "name": config.name,
            "org_id": config.org_id,
            "instance_url": config.instance_url,
            "login": config.login,
            "username": config.username,
            "api_version": config.api_version,
            "secrets": dict(config.secrets),
        }
        for _, config in sorted(app.settings.orgs.items())
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo(
            "no org is registered yet; `sfnb org add NAME …` adds one, `sfnb demo start` a demo."
        )
    else:
        _table(
            ["name", "org id", "address", "login", "user"],
            rows,
            ["name", "org_id", "instance_url", "login", "username"],
        )


@org.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@pass_app
@click.pass_context
def check(ctx: click.Context, app: App, name: str, as_json: bool) -> None:
    """
    Say what stands in the way of backing NAME up: permissions, limits, clock.

    Exit code 1 when a permission is missing. Costs 2 API calls.
    """
    from sfnb.org.check import PERMISSIONS
    from sfnb.org.check import check as check_org

    report = check_org(app.open_client(name))
    if as_json:
        shown = {
            "name": report.name,
            "org_id": report.org_id,
            "org_name": report.org_name,
            "org_type": report.org_type,
            "is_sandbox": report.is_sandbox,
            "instance_url": report.instance_url,
            "api_version": report.api_version,
            "permissions": {PERMISSIONS[key][0]: has for key, has in report.permissions.items()},
            "missing": report.missing,
            "limits": {api: {"used": r.used, "max": r.maximum} for api, r in report.limits.items()},
            "clock_skew_s": report.clock_skew_s,
            "calls": report.calls,
            "notes": list(report.notes),
        }
        click.echo(json.dumps(shown, indent=2))
    else:
        kind = " sandbox" if report.is_sandbox else ""
        click.echo(
            f"{report.name}: {report.org_name or 'org'} {report.org_id}, {report.org_type or 'edition unknown'}{kind}"
        )
        click.echo(f"  {report.instance_url}, API {report.api_version}")
        for key, has in report.permissions.items():
            label, without = PERMISSIONS[key]
            told = "yes" if has else "not known" if has is None else f"MISSING: {without}"
            click.echo(f"  {label:<30} {told}")
        for api, reading in report.limits.items():
            click.echo(f"  {api:<30} {reading.used:,} of {reading.maximum:,} used in 24 hours")
        for note in report.notes:
            click.echo(f"  {note}")
        click.echo(f"  (this check cost {report.calls} API calls)")
    if report.missing:
        ctx.exit(1)


@org.command()
@click.argument("name")
@pass_app
def remove(app: App, name: str) -> None:
    """Forget how to log in to NAME, its secrets in the keyring too. What is backed up stays."""
    config = app.settings.org(name)
    forget_secrets(name, _kept_in_keyring(config))
    app.settings = remove_org(app.settings, name)
    click.echo(
        f"org {name} is forgotten; what is backed up of it stays in {app.settings.store_root}."
    )


def _table(titles: list[str], rows: list[dict[str, Any]], keys: list[str]) -> None:
    lines = [titles, *([str(row[key]) for key in keys] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(titles))]
    for line in lines:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


COMMANDS: list[click.Command] = [org]
