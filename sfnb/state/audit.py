"""
The audit log: who changed which limit, restored, archived, pruned, held, erased, registered what,
when and why (P6). One chain for all kinds.

Each line carries the SHA-256 of itself and of the line before, and a head beside the log tells its
last line, so a line changed, missing, put in, moved or cut off the end is found by ``verify``. What
a hash chain cannot do: whoever can write the whole database can also compute a whole new chain.
Note the head that ``sfnb audit verify`` prints somewhere else, and such a rewrite shows as well.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from sfnb.errors import StoreError
from sfnb.model import APIS, AUDIT_KINDS, RESTORE
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT
from sfnb.state import roles, schema
from sfnb.state.database import Database

GENESIS = "0" * 64
"""What the first line has for the hash of the line before."""


LIMIT = "limit"
"""The kind of a line that says how a limit percent changed; the oldest one, with a hash of its own form."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """
    One line.

    Args:
        at: ISO 8601 UTC, to the letter as hashed.
        api: of a limit: its budget, ``all`` when all changed alike.
        old, new: of a limit: its percents; of restores, 0 means none of its own.
        limit_of: of a limit: whose: empty: the org's; ``restore``: that of restores.
        kind: what was done, one of `sfnb.model.AUDIT_KINDS`.
        action: of the other kinds: ``started``, ``added``, ``removed``, or the state that a job ended in.
        subject: of the other kinds: what it was done to: a job, a hold, a snapshot, an org, a user.
        details: of the other kinds: numbers and names as a JSON object; never a field's value.
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
    limit_of: str = ""
    kind: str = LIMIT
    action: str = ""
    subject: str = ""
    details: str = ""

    @property
    def change(self) -> str:
        """What changed, for people: ``50 % → 60 %``, ``added acme``."""
        if self.kind == LIMIT:
            return f"{_percent(self.old)} → {_percent(self.new)}"
        return f"{self.action} {self.subject}".strip()

    def facts(self) -> dict[str, Any]:
        """The details, read."""
        return dict(json.loads(self.details)) if self.details else {}


def _percent(value: int) -> str:
    return f"{value} %" if value else "as for all jobs"


def current_user() -> str:
    """Who acts, as far as this machine can tell: SFNB_USER, else the user of the operating system."""
    return os.environ.get(roles.USER_VARIABLE, "").strip() or roles.system_user()


def digest(entry: AuditEntry) -> str:
    """
    The hash a line must have: SHA-256 of its canonical JSON, the previous line's hash included, its
    own not.
    """
    values = asdict(entry)
    del values["hash"]
    if entry.kind == LIMIT and not (entry.action or entry.subject or entry.details):
        # Lines from before there were other kinds keep their hash. There whose limit it was is
        # called `kind`, and left out where it is the org's. A line of another kind always has
        # `action`, so neither form can be read as the other.
        for name in ("kind", "action", "subject", "details", "limit_of"):
            del values[name]
        if entry.limit_of:
            values["kind"] = entry.limit_of
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def append(
    connection: Connection,
    *,
    at: datetime,
    org: str,
    org_id: str,
    who: str = "",
    reason: str = "",
    kind: str = LIMIT,
    **columns: Any,
) -> AuditEntry:
    """
    Write one line, in the transaction of the change that it names.

    This is where roles are checked: what is audited is done only by those who may.

    Args:
        who: whoever acts, by `roles.acting`, unless given.
        columns: the others of `AuditEntry`; ``details`` as a mapping.

    Raises:
        NotAllowed: the role does not allow it; the change is undone with the transaction.
    """
    roles.check(connection, kind, columns.get("action", ""), org=org, org_id=org_id)
    head = connection.execute(select(schema.audit_head).with_for_update()).one_or_none()
    if head is None:
        raise StoreError(
            "The audit log has lost its head, so somebody edited it; see `sfnb audit verify`."
        )
    if details := columns.pop("details", None):
        columns["details"] = json.dumps(
            dict(details), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
    values: dict[str, Any] = {"api": "", "old": 0, "new": 0, **columns}
    entry = AuditEntry(
        seq=head.seq + 1,
        at=at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        org=org,
        org_id=org_id,
        who=who or roles.acting(connection).shown,
        reason=reason,
        previous_hash=head.hash,
        hash="",
        kind=kind,
        **values,
    )
    entry = replace(entry, hash=digest(entry))
    connection.execute(insert(schema.audit), asdict(entry))
    connection.execute(update(schema.audit_head).values(seq=entry.seq, hash=entry.hash))
    return entry


class AuditLog:
    """
    Reading, checking and writing the log. What changes the state database itself calls ``append`` in
    the same transaction: limits (`Ledger.change_limits`), jobs (`Jobs`), holds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, org: str | None = None, kinds: Collection[str] = ()) -> list[AuditEntry]:
        """
        The lines, oldest first.

        Args:
            org: only this org's, by its name or Organization Id.
            kinds: only these kinds; empty: all.
        """
        with self._database.read() as connection:
            entries = _entries(connection)
        return [
            entry
            for entry in entries
            if (org is None or org in (entry.org, entry.org_id))
            and (not kinds or entry.kind in kinds)
        ]

    def record(
        self,
        kind: str,
        action: str,
        *,
        org: str,
        org_id: str,
        subject: str = "",
        who: str = "",
        reason: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> AuditEntry:
        """
        Write one line on something that was done outside the state database, before it is done.

        Args:
            kind: one of `sfnb.model.AUDIT_KINDS` other than a limit.
            action, subject, details: see `AuditEntry`; JSON values, never a field's value.
            who: whoever acts, unless given.
        """
        values = {"action": action, "subject": subject, "details": details}
        with self.recorded(kind, org=org, org_id=org_id, who=who, reason=reason, **values) as entry:
            return entry

    @contextmanager
    def recorded(self, kind: str, *, org: str, org_id: str, **values: Any) -> Iterator[AuditEntry]:
        """
        Do something short within the block: the line is kept if that succeeds, and only then.

        Other writers of the state database wait meanwhile.
        """
        if kind == LIMIT or kind not in AUDIT_KINDS or not values.get("action"):
            raise ValueError(f"an audit line of kind {kind!r} needs a known kind and an action")
        with self._database.write() as connection:
            at = self._database.clock.now()
            yield append(connection, at=at, org=org, org_id=org_id, kind=kind, **values)

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
        if entry.kind == LIMIT:
            for api in APIS if entry.api == "all" else (entry.api,):
                logged[entry.org_id, entry.limit_of, api] = entry.new
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
