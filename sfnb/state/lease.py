"""The right to run a job: one process and thread at a time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from sfnb.errors import LeaseLost, StateUnavailable
from sfnb.state import schema
from sfnb.state.database import Database
from sfnb.state.owner import Owner, is_alive, this_process

LEASE_S = 60.0
"""How long a lease lasts unless renewed, where nobody can look whether its process lives."""

FREE: Mapping[str, None] = dict.fromkeys(
    ("lease_token", "lease_host", "lease_pid", "lease_pid_started_s", "lease_until")
)


_live: set[str] = set()
"""Tokens of the leases that this process holds, whatever the database still says."""


class Lease:
    """
    A held lease, to be used as a context manager; leaving it gives it back.

    Call ``renew`` at least every ``LEASE_S / 2`` seconds. On one host a living process keeps its
    lease even when late.
    """

    def __init__(self, database: Database, job_id: str, token: str) -> None:
        self._database = database
        self.job_id = job_id
        self._token = token
        _live.add(token)

    def renew(self) -> None:
        """
        Hold it for another ``LEASE_S`` seconds.

        Raises:
            LeaseLost: it had expired, and another process took the job over.
        """
        until = self._database.clock.now() + timedelta(seconds=LEASE_S)
        with self._database.write() as connection:
            if connection.execute(self._mine().values(lease_until=until)).rowcount == 1:
                return
        raise self._lost()

    def is_renewed(self) -> bool:
        """Renew it; False: the database still does not answer. Raises LeaseLost."""
        try:
            self.renew()
        except StateUnavailable:
            return False
        return True

    def check(self, connection: Connection) -> None:
        """
        Let this transaction write for the job only while the lease is held (fencing): a process
        that was stopped and wakes again changes nothing that its successor has written.

        Raises:
            LeaseLost: another process has taken the job over.
        """
        table = schema.jobs
        # On PostgreSQL the row stays locked for a successor until this transaction has ended.
        mine = (
            select(table.c.job_id)
            .where(table.c.job_id == self.job_id, table.c.lease_token == self._token)
            .with_for_update(read=True)
        )
        if connection.execute(mine).first() is None:
            raise self._lost()

    def _lost(self) -> LeaseLost:
        return LeaseLost(
            f"Job {self.job_id}: another process has taken it over, because this one had not been "
            f"heard of for {LEASE_S:.0f} seconds. This one stops; what it has stored stays good."
        )

    def release(self) -> None:
        """Give it back; does nothing if it is no longer held."""
        _live.discard(self._token)
        with self._database.write() as connection:
            connection.execute(self._mine().values(**FREE))

    def _mine(self) -> Any:
        table = schema.jobs
        return update(table).where(
            table.c.job_id == self.job_id, table.c.lease_token == self._token
        )

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        # Where the database is away, others see the lease until this process ends.
        with suppress(StateUnavailable):
            self.release()


def new_columns(now: datetime, *, is_running: bool) -> dict[str, object]:
    """
    A lease of this process, as columns of ``jobs``; not ``is_running``: kept for it until it starts
    running.
    """
    owner = this_process()
    return {
        "lease_token": secrets.token_hex(8) if is_running else "",
        "lease_host": owner.host,
        "lease_pid": owner.pid,
        "lease_pid_started_s": owner.pid_started_s,
        "lease_until": now + timedelta(seconds=LEASE_S),
    }


def holder(row: Any, now: datetime) -> Owner | None:
    """
    The living owner of the lease in a row of ``jobs``; None when it is free, its owner is gone, or
    it expired.
    """
    if row.lease_token is None:
        return None
    owner = Owner(row.lease_host, row.lease_pid, row.lease_pid_started_s)
    if owner == this_process() and row.lease_token and row.lease_token not in _live:
        return None  # given back while the database was away
    alive = is_alive(owner)
    # A job that was only created is kept for its process, but not for ever: that may never run it.
    if alive is False or ((alive is None or row.lease_token == "") and row.lease_until <= now):
        return None
    return owner
