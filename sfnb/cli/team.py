"""`sfnb team`: who may do what on a shared state."""

from __future__ import annotations

import click

from sfnb.cli.context import App, Group, pass_app
from sfnb.cli.output import as_json_option, print_json, print_table, say
from sfnb.jobs.summary import iso
from sfnb.state.roles import ROLES


@click.group(cls=Group)
def team() -> None:
    """
    Say who may do what on a state that several people share.

    \b
    viewer    reads: usage, plans, snapshots, exports, reports.
    operator  also backs up, restores, archives, changes limits and the schedule.
    admin     also erases, prunes, ends holds and gives roles.

    Until a role has been given, everybody is an admin.
    """


@team.command()
@click.argument("user")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--reason", default="", help="Why; kept in the audit log.")
@as_json_option
@pass_app
def role(app: App, user: str, role: str, reason: str, as_json: bool) -> None:
    """
    Give USER a role.

    USER is the login of the PostgreSQL state, or what SFNB_USER says; on SQLite SFNB_USER, else the
    user of the operating system. Whoever gives the first role becomes an admin.
    """
    member = app.state.team.give(user, role, reason=reason)
    if as_json:
        print_json({"user": member.user, "role": member.role, "since": iso(member.since)})
    else:
        say(f"{member.user} is {member.role} on {app.state.database}.")


@team.command("list")
@as_json_option
@pass_app
def list_(app: App, as_json: bool) -> None:
    """List who has which role, and who you are."""
    members = app.state.team.members()
    actor, mine = app.state.team.me()
    if as_json:
        listed = [{"user": m.user, "role": m.role, "since": iso(m.since)} for m in members]
        print_json(listed)
        return
    if members:
        print_table(
            ("USER", "ROLE", "SINCE"), [(m.user, m.role, iso(m.since) or "") for m in members]
        )
    else:
        say("Nobody has been given a role, so everybody is an admin.")
    say(f"You are {actor.shown}: {mine}.")


COMMANDS: list[click.Command] = [team]
