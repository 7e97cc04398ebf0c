"""
Who acts, and what their role allows: checked in the transaction of the change, whoever wants it.

Command, notebook, widget, dashboard and schedule all end here: what is written in the audit log is
checked by ``audit.append``, jobs by ``Jobs``.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select, text

from sfnb.errors import NotAllowed
from sfnb.model import JobState
from sfnb.state import schema

Role = Literal["viewer", "operator", "admin"]

ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""From the least on; each may do all that those before it may."""

USER_VARIABLE = "SFNB_USER"

NEEDS: Mapping[str, tuple[Role, str]] = {
    "limit": ("operator", "change a limit"),
    "backup": ("operator", "back up"),
    "job": ("operator", "run, pause, resume or cancel a job"),
    "restore": ("operator", "restore"),
    "archive": ("operator", "archive"),
    "hold": ("operator", "put records on hold"),
    "hold removed": ("admin", "end a hold"),
    "erase": ("admin", "erase records"),
    "prune": ("admin", "remove snapshots"),
    "org": ("operator", "register or remove an org"),
    "schedule": ("operator", "change the schedule"),
    "store": ("operator", "rewrite what is stored"),
    "role": ("admin", "give roles"),
}
"""
What each deed needs, and what it is called. Kinds of lines in the audit log and kinds of jobs are
deeds; a kind that is not here needs an admin.
"""

AFTERWARDS = frozenset({"refused", *(state.value for state in JobState)})
"""Lines of the audit log that only tell what became of a deed."""


@dataclass(frozen=True, slots=True)
class Actor:
    """
    Who acts on a state.

    Args:
        names: the database's own user first, where it has users, then the one that
            SFNB_USER names; else the latter, or the user of the operating system.
    """

    names: tuple[str, ...]

    @property
    def shown(self) -> str:
        """For the audit log and people. What only SFNB_USER says stands in brackets."""
        return self.names[0] if len(self.names) == 1 else f"{self.names[0]} ({self.names[1]})"

    @property
    def named(self) -> str:
        """The one to whom a role would be given."""
        return self.names[-1]


def acting(connection: Connection) -> Actor:
    """
    Who acts. PostgreSQL says who has logged in; several people may share one login, and SFNB_USER
    then says which of them it is. SQLite knows nobody.
    """
    said = os.environ.get(USER_VARIABLE, "").strip()[:255]
    if connection.dialect.name == "sqlite":
        return Actor((said or system_user(),))
    login = str(connection.execute(text("SELECT session_user")).scalar_one())
    return Actor((login, said) if said and said != login else (login,))


def system_user() -> str:
    """The user of the operating system."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's uid without a name
        return "unknown"


def role_of(actor: Actor, given: Mapping[str, Role]) -> Role:
    """
    Until a role has been given, everybody is an admin. From then on whoever has none is a viewer,
    and of two names the one that may less counts: SFNB_USER never allows more than the login.
    """
    if not given:
        return "admin"
    return min((given.get(name, "viewer") for name in actor.names), key=ROLES.index)


def need_of(deed: str) -> tuple[Role, str]:
    """The least role that a deed needs, and what it is called."""
    return NEEDS.get(deed, ("admin", f"do this ({deed})"))


def refused(role: Role, deeds: Iterable[str]) -> tuple[str, ...]:
    """Those of the deeds that a role does not allow."""
    return tuple(one for one in deeds if ROLES.index(role) < ROLES.index(need_of(one)[0]))


def refusal(actor: Actor, role: Role, deeds: Sequence[str]) -> str:
    """Why somebody may not do these, and who can allow it, in a sentence."""
    needs = max((need_of(one)[0] for one in deeds), key=ROLES.index)
    *first, last = dict.fromkeys(need_of(one)[1] for one in deeds)
    doing = f"{', '.join(first)} or {last}" if first else last
    return (
        f"{actor.shown} is {_a(role)} on this state and may not {doing}; an admin can allow it: "
        f"sfnb team role {actor.named} {needs}."
    )


def given_roles(connection: Connection) -> dict[str, Role]:
    """The roles by user."""
    table = schema.team
    found = connection.execute(select(table.c.user, table.c.role)).all()
    return {row.user: row.role for row in found}


def check(
    connection: Connection, kind: str, action: str = "", *, org: str = "", org_id: str = ""
) -> None:
    """
    Refuse what the role of whoever acts does not allow. Cost: two short statements.

    Args:
        kind: a deed, one of ``NEEDS``.
        action: of a line of the audit log; one that is ``AFTERWARDS`` is always allowed.
        org, org_id: for the audit log.

    Raises:
        NotAllowed: the transaction is undone, and the refusal is in the audit log.
    """
    if action in AFTERWARDS:
        return
    deed = f"{kind} {action}" if f"{kind} {action}" in NEEDS else kind
    actor = acting(connection)
    role = role_of(actor, given_roles(connection))
    if refused(role, [deed]):
        says = refusal(actor, role, [deed])
        raise NotAllowed(says, deed=kind, role=role, org=org, org_id=org_id)


def _a(role: Role) -> str:
    return f"a {role}" if role == "viewer" else f"an {role}"
