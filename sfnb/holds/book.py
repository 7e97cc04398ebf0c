"""The holds of all orgs, in the state database; adding and removing one is audited (P6)."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from sfnb.errors import CallerError
from sfnb.state import audit, schema
from sfnb.state.database import Database
from sfnb.text import count


@dataclass(frozen=True, slots=True)
class Hold:
    """
    One hold.

    Args:
        object_name: whose records.
        condition: an SQL condition over the object's fields; None: the hold is on Ids, or on all.
        is_whole: on all records of the object.
        records: how many it held when it was added.
        who: added it.
    """

    hold_id: str
    org: str
    org_id: str
    object_name: str
    condition: str | None
    is_whole: bool
    reason: str
    records: int
    who: str
    created_at: datetime

    def as_json(self) -> dict[str, Any]:
        """What `sfnb hold` prints."""
        return {
            "hold_id": self.hold_id,
            "org": self.org,
            "object": self.object_name,
            "where": self.condition,
            "is_whole": self.is_whole,
            "reason": self.reason,
            "records": self.records,
            "who": self.who,
            "created_at": self.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }


class HoldBook:
    """All holds of a state database. Safe for threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        org: str,
        org_id: str,
        object_name: str,
        reason: str,
        records: int,
        ids: Collection[str] = (),
        condition: str | None = None,
    ) -> Hold:
        """
        A new hold; from now on it is obeyed.

        Args:
            ids: 18-character Ids; none and no ``condition``: all records of the object.

        Raises:
            CallerError: no reason.
        """
        if not reason.strip():
            raise CallerError("give a reason: whoever wants to remove the hold later needs it.")
        hold = Hold(
            hold_id=f"hold-{secrets.token_hex(4)}",
            org=org,
            org_id=org_id,
            object_name=object_name,
            condition=condition,
            is_whole=not ids and condition is None,
            reason=reason.strip(),
            records=records,
            who=audit.current_user(),
            created_at=self._database.clock.now(),
        )
        with self._database.write() as connection:
            row = {name: getattr(hold, name) for name in Hold.__slots__}
            row["object"] = row.pop("object_name")
            connection.execute(insert(schema.holds), row)
            if ids:
                rows = [{"hold_id": hold.hold_id, "record_id": one} for one in dict.fromkeys(ids)]
                connection.execute(insert(schema.hold_records), rows)
            self._audit(connection, hold, "added", hold.reason)
        return hold

    def remove(self, org_id: str, hold_id: str, reason: str) -> Hold:
        """
        Forget a hold, with its Ids; the one removed.

        Raises:
            CallerError: the org has no such hold; no reason.
        """
        if not reason.strip():
            raise CallerError("give a reason; it is kept in the audit log.")
        with self._database.write() as connection:
            found = [hold for hold in _holds(connection, org_id) if hold.hold_id == hold_id]
            if not found:
                raise CallerError(f"there is no hold {hold_id!r}; `sfnb hold list` shows them.")
            table, ids = schema.holds, schema.hold_records
            connection.execute(delete(ids).where(ids.c.hold_id == hold_id))
            connection.execute(delete(table).where(table.c.hold_id == hold_id))
            self._audit(connection, found[0], "removed", reason.strip())
        return found[0]

    def holds(self, org_id: str, object_name: str | None = None) -> list[Hold]:
        """The holds of an org, oldest first; those on one object."""
        with self._database.read() as connection:
            found = _holds(connection, org_id)
        return [h for h in found if object_name in (None, h.object_name)]

    def ids(self, hold_id: str) -> frozenset[str]:
        """The Ids of a hold on records; none of another kind."""
        table = schema.hold_records
        query = select(table.c.record_id).where(table.c.hold_id == hold_id)
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def _audit(self, connection: Connection, hold: Hold, action: str, reason: str) -> None:
        # The condition may name a value, so it is not repeated here.
        audit.append(
            connection,
            at=self._database.clock.now(),
            org=hold.org,
            org_id=hold.org_id,
            kind="hold",
            action=action,
            subject=hold.hold_id,
            reason=reason,
            details={"object": hold.object_name, "records": hold.records},
        )


def _holds(connection: Connection, org_id: str) -> list[Hold]:
    table = schema.holds
    query = select(table).where(table.c.org_id == org_id).order_by(table.c.created_at)
    return [
        Hold(
            row.hold_id,
            row.org,
            row.org_id,
            row.object,
            row.condition,
            row.is_whole,
            row.reason,
            row.records,
            row.who,
            row.created_at,
        )
        for row in connection.execute(query)
    ]


def held_by(hold: Hold) -> str:
    """Who holds it and why, in words."""
    what = count(hold.records, "record") if not hold.is_whole else "all records"
    return f"{hold.hold_id} ({what} of {hold.object_name}: {hold.reason})"
