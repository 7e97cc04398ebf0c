"""
The audit log: who changed which limit when, from what to what, why (P6).

Each line carries the SHA-256 of itself and of the line before, and a head beside the log tells its
last line, so a line changed, missing, put in, moved or cut off the end is found by ``verify``. What
a hash chain cannot do: whoever can write the whole database can also compute a whole new chain.
Note the head that ``sfnb audit verify`` prints somewhere else, and such a rewrite shows as well.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from sfnb.errors import StoreError
from sfnb.model import APIS, RESTORE
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT
from sfnb.state import schema
from sfnb.state.database import Database

GENESIS = "0" * 64
"""What the first line has for the hash of the line before."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """
    One line.

    Args:
        at: ISO 8601 UTC, to the letter as hashed.
        api: ``all`` when all budgets changed alike.
        old, new: limit percents; of a limit of restores, 0 means none of its own.
        kind: whose limit: empty: the org's; ``restore``: that of restores.
    """

    seq: int
    at: str
    org: str
    org_id: str
    api: str
    who: str
    old: int
    new: int
    reason: str
    previous_hash: str
    hash: str
    kind: str = ""

    @property
    def change(self) -> str:
        """What changed, for people: ``50 % → 60 %``."""
        return f"{_percent(self.old)} → {_percent(self.new)}"


def _percent(value: int) -> str:
    return f"{value} %" if value else "as for all jobs"


def current_user() -> str:
    """The user of the operating system."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's uid without a name
        return "unknown"


def digest(entry: AuditEntry) -> str:
    """
    The hash a line must have: SHA-256 of its canonical JSON, the previous line's hash included, its
    own not.
    """
    values = asdict(entry)
    del values["hash"]
    if not entry.kind:
        del values["kind"]  # lines from before there were kinds keep their hash
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def append(
    connection: Connection,
    *,
    at: datetime,
    org: str,
    org_id: str,
    api: str,
    who: str,
    old: int,
    new: int,
    reason: str,
    kind: str = "",
) -> AuditEntry:
    """Write one line, in the transaction of the change that it names."""
    head = connection.execute(select(schema.audit_head).with_for_update()).one_or_none()
    if head is None:
        raise StoreError(
            "The audit log has lost its head, so somebody edited it; see `sfnb audit verify`."
        )
    seq, previous_hash = head.seq + 1, head.hash
    moment = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    entry = AuditEntry(
        seq, moment, org, org_id, api, who, old, new, reason, previous_hash, "", kind
    )
    entry = AuditEntry(**{**asdict(entry), "hash": digest(entry)})
    connection.execute(insert(schema.audit), asdict(entry))
    connection.execute(update(schema.audit_head).values(seq=seq, hash=entry.hash))
    return entry


class AuditLog:
    """Reading and checking the log; only ``Ledger.change_limits`` writes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, org: str | None = None) -> list[AuditEntry]:
        """The lines, oldest first; those of one org by its name or Organization Id."""
        with self._database.read() as connection:
            entries = _entries(connection)
        return [entry for entry in entries if org is None or org in (entry.org, entry.org_id)]

    def head(self) -> tuple[int, str]:
        """Number and hash of the last line; ``(0, …)`` when there is none."""
        with self._database.read() as connection:
            return _head(connection)

    def verify(self) -> list[str]:
        """What is wrong, one sentence each; empty: good."""
        with self._database.read() as connection:
            entries, head = _entries(connection), _head(connection)
            limits = {
                (row.org_id, kind, row.api): row.percent
                for kind, table in (("", schema.limits), (RESTORE, schema.reserves))
                for row in connection.execute(select(table))
            }
        return [*find_damage(entries, head), *find_unlogged(entries, limits)]


def find_damage(entries: Sequence[AuditEntry], head: tuple[int, str]) -> list[str]:
    """
    Breaks of the chain; ``entries`` by ``seq``, ``head`` the number and hash that the last line
    must have.
    """
    found = []
    seq, previous_hash = 0, GENESIS
    for entry in entries:
        if entry.seq != seq + 1:
            gap = (
                f"line {seq + 1} is"
                if entry.seq == seq + 2
                else f"lines {seq + 1} to {entry.seq - 1} are"
            )
            found.append(f"Audit log: {gap} missing.")
        elif entry.previous_hash != previous_hash:
            found.append(
                f"Audit log: line {entry.seq} does not follow line {seq}; one of them was replaced or moved."
            )
        if entry.hash != digest(entry):
            found.append(f"Audit log: line {entry.seq} was changed after it was written.")
        seq, previous_hash = entry.seq, entry.hash
    if (seq, previous_hash) != head:
        if seq < head[0]:
            found.append(
                f"Audit log: the end is missing; the last line is {seq} and should be {head[0]}."
            )
        else:
            found.append(
                f"Audit log: line {seq} is not the last line that was written ({head[0]})."
            )
    return found


def find_unlogged(
    entries: Sequence[AuditEntry], limits: dict[tuple[str, str, str], int]
) -> list[str]:
    """
    Limits in force that are not what the log's last line on them says.

    Args:
        limits: by Organization Id, kind of work (empty: the org's limit) and budget.
    """
    logged: dict[tuple[str, str, str], int] = {}
    for entry in entries:
        for api in APIS if entry.api == "all" else (entry.api,):
            logged[entry.org_id, entry.kind, api] = entry.new
    found = []
    for key in sorted({*limits, *logged}):
        org_id, kind, api = key
        unset = 0 if kind else DEFAULT_LIMIT_PERCENT
        here, there = limits.get(key, unset), logged.get(key, unset)
        if here != there:
            found.append(
                f"Limit of org {org_id}, {api}{f' for {kind}' if kind else ''}: {_percent(here)} is "
                f"in force, but the log's last word is {_percent(there)}."
            )
    return found


def _entries(connection: Connection) -> list[AuditEntry]:
    names = [field.name for field in fields(AuditEntry)]
    query = select(*(schema.audit.c[name] for name in names)).order_by(schema.audit.c.seq)
    return [AuditEntry(*row) for row in connection.execute(query)]


def _head(connection: Connection) -> tuple[int, str]:
    row = connection.execute(
        select(schema.audit_head.c.seq, schema.audit_head.c.hash)
    ).one_or_none()
    return (row.seq, row.hash) if row else (0, GENESIS)
