"""The people of a shared state, and their roles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from sfnb.errors import CallerError, NotAllowed
from sfnb.state import audit, schema
from sfnb.state.database import Database
from sfnb.state.roles import (
    ROLES,
    Actor,
    Role,
    acting,
    check,
    given_roles,
    refusal,
    refused,
    role_of,
)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who was given a role."""

    user: str
    role: Role
    since: datetime


class Team:
    """Who may do what. Safe for threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def members(self) -> list[Member]:
        """Those who were given a role, by name; nobody: all are admins."""
        table = schema.team
        query = select(table.c.user, table.c.role, table.c.since).order_by(table.c.user)
        with self._database.read() as connection:
            return [Member(*row) for row in connection.execute(query)]

    def me(self) -> tuple[Actor, Role]:
        """Who acts here, and their role."""
        with self._database.read() as connection:
            actor = acting(connection)
            return actor, role_of(actor, given_roles(connection))

    def refused(self, deeds: Iterable[str]) -> tuple[tuple[str, ...], str]:
        """
        Those of the deeds that whoever acts here may not do, and why in a sentence; for screens, which
        ask before anybody has tried. Nothing is written.
        """
        actor, role = self.me()
        found = refused(role, deeds)
        return found, refusal(actor, role, found) if found else ""

    def require(self, deed: str, *, org: str = "", org_id: str = "") -> None:
        """
        Refuse what is not written in the state, such as a rewriting of the store.

        Raises:
            NotAllowed: see `roles.check`.
        """
        with self._database.write() as connection:
            check(connection, deed, org=org, org_id=org_id)

    def give(self, user: str, role: str, *, reason: str = "") -> Member:
        """
        Give a role. Whoever gives the first one is an admin from then on.

        Raises:
            CallerError: no such role, no name; nobody would be an admin any more.
            NotAllowed: whoever asks is no admin.
        """
        user = user.strip()
        chosen = next((one for one in ROLES if one == role), None)
        if chosen is None or not user or len(user) > 255:
            raise CallerError(
                f"give a user of at most 255 characters and one of the roles {', '.join(ROLES)}."
            )
        now = self._database.clock.now()
        with self._database.write() as connection:
            # The head of the log is what everybody who changes something locks first.
            connection.execute(select(schema.audit_head).with_for_update())
            before = given_roles(connection)
            actor = acting(connection)
            after: dict[str, Role] = before or dict.fromkeys(actor.names, "admin")
            after = {**after, user: chosen}
            check(connection, "role")
            if "admin" not in after.values():
                raise CallerError(
                    f"{user} is the last admin; give somebody else that role first, "
                    "or nobody could give any."
                )
            for name in sorted(after):
                if after[name] == before.get(name):
                    continue
                audit.append(
                    connection,
                    at=now,
                    org="",
                    org_id="",
                    kind="role",
                    action="given",
                    subject=name,
                    reason=reason if name == user else "gives the first role",
                    details={"role": after[name], "before": before.get(name)},
                )
            changed = [
                {"user": name, "role": one, "since": now}
                for name, one in after.items()
                if one != before.get(name)
            ]
            self._database.upsert(connection, schema.team, changed)
        return next(member for member in self.members() if member.user == user)


def note_refusal(database: Database, refused: NotAllowed) -> None:
    """Write in the audit log what was refused to whom."""
    audit.AuditLog(database).record(
        "role",
        "refused",
        org=refused.org,
        org_id=refused.org_id,
        subject=refused.deed,
        details={"role": refused.role},
    )
