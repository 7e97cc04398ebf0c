"""Locks by name: what only one process may do at a time, on whatever host."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from sfnb.errors import StateUnavailable
from sfnb.state import schema
from sfnb.state.database import Database, insert_into
from sfnb.state.owner import Owner, is_alive, this_process

HOLD_S = 60.0
"""How long a lock lasts unless renewed, where nobody can look whether its process lives."""

RENEW_S = HOLD_S / 3


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody else's lock."""

    owner: Owner
    taken_at: datetime


class Locks:
    """The locks of one state database. Safe for threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def held(self, name: str) -> Iterator[Held | None]:
        """
        Hold the lock within the block, renewed by a thread; it is given back at the end, and is
        free when its process is gone. Gives whoever has it instead, and then holds nothing.
        """
        token = secrets.token_hex(8)
        if (other := self._take(name, token)) is not None:
            yield other
            return
        over = threading.Event()
        keeper = threading.Thread(
            target=self._keep, args=(token, over), name="sfnb-lock", daemon=True
        )
        keeper.start()
        try:
            yield None
        finally:
            over.set()
            keeper.join()
            # Where the database is away, the lock is free as soon as this process has ended.
            with suppress(StateUnavailable), self._database.write() as connection:
                table = schema.locks
                connection.execute(table.delete().where(table.c.token == token))

    def _take(self, name: str, token: str) -> Held | None:
        table, now, owner = schema.locks, self._database.clock.now(), this_process()
        mine = {
            "token": token,
            "host": owner.host,
            "pid": owner.pid,
            "pid_started_s": owner.pid_started_s,
            "taken_at": now,
            "until": now + timedelta(seconds=HOLD_S),
        }
        with self._database.write() as connection:
            new = insert_into(self._database.dialect, table).values(name=name, **mine)
            added = connection.execute(new.on_conflict_do_nothing().returning(table.c.name))
            if added.first() is not None:
                return None
            query = select(table).where(table.c.name == name).with_for_update()
            row = connection.execute(query).first()
            if row is not None:
                holder = Owner(row.host, row.pid, row.pid_started_s)
                alive = is_alive(holder)
                if alive or (alive is None and row.until > now):
                    return Held(holder, row.taken_at)
                connection.execute(update(table).where(table.c.name == name).values(**mine))
                return None
        return self._take(name, token)  # given back in between

    def _keep(self, token: str, over: threading.Event) -> None:
        table, clock = schema.locks, self._database.clock
        # Real time, whatever the clock: this thread only tells that its process lives.
        while not over.wait(RENEW_S):
            until = clock.now() + timedelta(seconds=HOLD_S)
            change = update(table).where(table.c.token == token).values(until=until)
            with suppress(StateUnavailable), self._database.write() as connection:
                connection.execute(change)
