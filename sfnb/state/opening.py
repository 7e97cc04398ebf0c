"""
Opens the state database: creates its folder, switches SQLite to WAL mode, runs missing migrations.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from sfnb.clock import Clock, SystemClock
from sfnb.errors import NotAllowed, StoreError
from sfnb.private import private_file, private_folder
from sfnb.state.database import Database
from sfnb.state.migration import migrate
from sfnb.state.server_clock import ServerClock


def open_database(url: str, *, clock: Clock) -> Database:
    """
    The database at an SQLAlchemy URL, created and migrated if necessary.

    Its clock is the server's, where there is one and ``clock`` is this machine's.

    Raises:
        StoreError: it cannot be opened, or a newer sfnb made it.
    """
    database = Database(url, clock=clock)
    try:
        if database.is_sqlite:
            _prepare_sqlite(database)
        migrate(database)
        if not database.is_sqlite and isinstance(clock, SystemClock):
            database.clock = ServerClock(database.server_time, clock)
        database.note_refusal = partial(_note_refusal, database)
    except BaseException:
        database.close()
        raise
    return database


def _note_refusal(database: Database, refused: NotAllowed) -> None:
    from sfnb.state.team import note_refusal

    note_refusal(database, refused)


def _prepare_sqlite(database: Database) -> None:
    """
    The folder, and WAL mode, which stays with the file: readers then never wait for the writer.
    """
    path = Path(database.url.database or "")
    if not database.url.database or path.name == ":memory:":
        raise StoreError(
            "The state must be a file, because several processes share it; correct state_url."
        )
    try:
        private_folder(path.parent)
        private_file(path)  # SQLite gives its other files the same mode
    except OSError as err:
        raise StoreError(
            f"The folder of the state database, {path.parent}, cannot be made: {err.strerror}."
        ) from err
    with database._translated():
        engine = database._engine
        raw = engine.raw_connection()
        try:
            cursor = raw.cursor()
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                _switch_to_wal(cursor)
        finally:
            raw.close()


def _switch_to_wal(cursor: Any) -> None:
    clock = SystemClock()
    for attempt in range(100):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as err:
            # Two processes that open a new file at once: this one statement does not wait for its
            # turn by itself.
            if "locked" not in str(err) or attempt == 99:
                raise
            clock.wait(0.05)
