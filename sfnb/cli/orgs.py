"""`sfnb org`: register orgs, list them, and check whether a backup can read everything."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from sfnb.cli.context import App, Group, pass_app
from sfnb.cli.names import ORG
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.cli.registration import SECRET_OPTIONS, plan_org
from sfnb.errors import CallerError
from sfnb.org.secrets import forget_secrets, read_secret
from sfnb.org.secrets import store_secret as put_secret
from sfnb.settings import OrgConfig, Settings, put_org, remove_org
from sfnb.text import count

if TYPE_CHECKING:
    from sfnb.org.check import CheckReport


@click.group(cls=Group)
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
@click.option("--username", default="", help="A user who may read everything.")
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
@click.option(
    "--ca-file", default="", help="PEM file of the only authorities to trust for this org."
)
@click.option(
    "--store-secret",
    is_flag=True,
    help="Keep the secrets in the keyring; prompt for those not in a variable.",
)
@click.option("--no-check", is_flag=True, help="Do not try the login now.")
@click.option("--replace", is_flag=True, help="Replace the registration of this name.")
@as_json_option
@pass_app
def add(
    app: App,
    /,
    *,
    name: str,
    store_secret: bool,
    no_check: bool,
    replace: bool,
    as_json: bool,
    **given: Any,
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
            f"org {name} is already registered; give --replace, or choose another name."
        )
    config = plan_org(name, given, store_secret=store_secret)
    if store_secret:
        config = _store_secrets(config, given)
    try:
        if not no_check:
            config = _try_login(app, config)
        with app.state.audit.recorded("org", **_audited(config, "added")):
            app.settings = put_org(app.settings, config, replaces=replace)
    except BaseException:
        # A secret that did not lead to a registration is not kept.
        forget_secrets(name, _kept_in_keyring(config))
        raise
    twins = _twins(app.settings, config)
    if as_json:
        print_json(_org_json(config) | {"same_org": twins})
        return
    where = f" ({config.org_id} at {config.instance_url}, API {config.api_version})"
    say(f"Org {name} is registered{where if config.org_id else ''}.")
    if twins:
        say(
            f"Note: {', '.join(twins)} and {name} are names of the same org. They share its limits, "
            "its jobs and its snapshots."
        )
    say(f"Next: sfnb org check {name}, sfnb plan {name}, sfnb backup {name}.")


def _audited(config: OrgConfig, action: str) -> dict[str, Any]:
    """The line of the audit log; where secrets are kept is no part of it."""
    details = {"login": config.login, "address": config.instance_url, "user": config.username}
    return {
        "action": action,
        "org": config.name,
        "org_id": config.org_id,
        "subject": config.name,
        "details": {key: value for key, value in details.items() if value},
    }


def _twins(settings: Settings, config: OrgConfig) -> list[str]:
    """Other names under which the same Organization Id is registered."""
    return sorted(
        name
        for name, other in settings.orgs.items()
        if config.org_id and other.org_id == config.org_id and name != config.name
    )


def _store_secrets(config: OrgConfig, given: dict[str, Any]) -> OrgConfig:
    """The registration, its secrets in the keyring: from the named variables, else prompted for."""
    for role in config.secrets:
        variable = given[SECRET_OPTIONS[role]]
        if variable:
            secret = read_secret(config.name, role, f"env:{variable}")
        elif sys.stdin.isatty():
            secret = click.prompt(role.replace("_", " ").capitalize(), hide_input=True)
        else:
            option = SECRET_OPTIONS[role].replace("_", "-")
            raise CallerError(
                f"no terminal to enter the {role.replace('_', ' ')}; name a variable with --{option}."
            )
        put_secret(config.name, role, secret)
    return config


def _kept_in_keyring(config: OrgConfig) -> list[str]:
    return [role for role, reference in config.secrets.items() if reference == "keyring"]


def _try_login(app: App, config: OrgConfig) -> OrgConfig:
    """The registration with what the org reports: its id, address and API version."""
    from sfnb.org.opening import open_client

    settings = dataclasses.replace(app.settings, orgs={**app.settings.orgs, config.name: config})
    opened = open_client(settings, config.name, state=app.state, clock=app.clock)
    try:
        return dataclasses.replace(
            config,
            # The next login starts where this one did, even if the org names another address.
            domain=config.domain or (config.instance_url if config.login != "token" else ""),
            instance_url=opened.instance_url,
            org_id=opened.org_id,
            api_version=opened.api_version,
        )
    finally:
        opened.close()


@org.command("list")
@as_json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List the registered orgs. Sends no call."""
    configs = [config for _, config in sorted(app.settings.orgs.items())]
    if as_json:
        print_json([_org_json(config) for config in configs])
    elif not configs:
        say("No org is registered yet. Add one with `sfnb org add NAME …`, or `sfnb demo start`.")
    else:
        rows = [(c.name, c.org_id, c.instance_url, c.login, c.username) for c in configs]
        print_table(("NAME", "ORG ID", "ADDRESS", "LOGIN", "USER"), rows)


def _org_json(config: OrgConfig) -> dict[str, Any]:
    return {
        "name": config.name,
        "org_id": config.org_id,
        "instance_url": config.instance_url,
        "login": config.login,
        "username": config.username,
        "api_version": config.api_version,
        "secrets": dict(config.secrets),
    }


@org.command()
@click.argument("name", type=ORG)
@as_json_option
@pass_app
def check(app: App, name: str, as_json: bool) -> int:
    """
    Check whether NAME can be backed up: permissions, limits, clock.

    Exit code 1 when a permission is missing. Costs 2 API calls; over the limit it checks what it can.
    """
    from sfnb.org.check import check as check_org

    report = check_org(app.open_client(name))
    if as_json:
        print_json(_check_json(report))
    else:
        _print_check(report)
    return 1 if report.missing else 0


def _check_json(report: CheckReport) -> dict[str, Any]:
    from sfnb.org.permissions import PERMISSIONS, visibility_warnings

    return {
        "name": report.name,
        "org_id": report.org_id,
        "org_name": report.org_name,
        "org_type": report.org_type,
        "is_sandbox": report.is_sandbox,
        "instance_url": report.instance_url,
        "api_version": report.api_version,
        "permissions": {PERMISSIONS[key][0]: has for key, has in report.permissions.items()},
        "missing": report.missing,
        "warnings": [one.as_json() for one in visibility_warnings(report.permissions)],
        "limits": {api: {"used": r.used, "max": r.maximum} for api, r in report.limits.items()},
        "clock_skew_s": report.clock_skew_s,
        "calls": report.calls,
        "notes": list(report.notes),
    }


def _print_check(report: CheckReport) -> None:
    from sfnb.org.permissions import PERMISSIONS, visibility_warnings

    kind = " sandbox" if report.is_sandbox else ""
    edition = report.org_type or "edition unknown"
    say(f"{report.name}: {report.org_name or 'org'} {report.org_id}, {edition}{kind}")
    say(f"  {report.instance_url}, API {report.api_version}")
    for key, has in report.permissions.items():
        label, without = PERMISSIONS[key]
        state = "yes" if has else "unknown" if has is None else f"MISSING: {without}"
        say(f"  {label:<30} {state}", colour="red" if has is False else None)
    for api, reading in report.limits.items():
        say(f"  {api:<30} {reading.used:,} of {reading.maximum:,} used in 24 hours")
    for warning in visibility_warnings(report.permissions):
        say(f"  Warning: {warning.message}", colour="yellow")
    for note in report.notes:
        say(f"  {note}")
    say(f"  (this check cost {count(report.calls, 'API call')})")


@org.command()
@click.argument("name", type=ORG)
@as_json_option
@pass_app
def remove(app: App, name: str, as_json: bool) -> None:
    """Forget how to log in to NAME, with its secrets in the keyring. Backups stay."""
    config = app.settings.org(name)
    with app.state.audit.recorded("org", **_audited(config, "removed")):
        forget_secrets(name, _kept_in_keyring(config))
        app.settings = remove_org(app.settings, name)
    if as_json:
        print_json(_org_json(config))
    else:
        say(f"Org {name} is removed. Its backups stay in {app.settings.store_root}.")


COMMANDS: list[click.Command] = [org]
