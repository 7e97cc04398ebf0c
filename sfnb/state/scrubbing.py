"""Takes texts out of what the state database has of jobs, down to the bytes of its file."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Table, select, update

from sfnb.state import schema
from sfnb.state.database import Database

ERASED = "[erased]"
"""What stands where a text was."""

SPOKEN = (
    (schema.jobs, ("options", "error", "outcome")),
    (schema.job_objects, ("message", "outcome")),
    (schema.job_pauses, ("reason",)),
    (schema.job_events, ("told",)),
)
"""Where a message of Salesforce's, or an Id that somebody chose, may stand."""


def scrub(database: Database, texts: Collection[str]) -> int:
    """
    Replace these texts wherever a job says one; in how many rows. The audit log has none.

    SQLite keeps what was deleted in its file until the page is used again, so the file is written
    anew where something was found.
    """
    if not texts:
        return 0
    found = 0
    with database.write() as connection:
        for table, names in SPOKEN:
            found += _scrub_table(connection, table, names, texts)
    if found and database.is_sqlite:
        database.rewrite()
    return found


def _scrub_table(
    connection: Connection, table: Table, names: Collection[str], texts: Collection[str]
) -> int:
    keys = list(table.primary_key.columns)
    found = 0
    for row in connection.execute(select(*keys, *(table.c[name] for name in names))).all():
        values = {name: getattr(row, name) for name in names}
        new = {name: replaced(value, texts) for name, value in values.items()}
        changed = {name: new[name] for name in names if new[name] != values[name]}
        if changed:
            where = [key == getattr(row, key.name) for key in keys]
            connection.execute(update(table).where(*where).values(changed))
            found += 1
    return found


def replaced(value: Any, texts: Collection[str]) -> Any:
    """A JSON value without these texts in its strings and keys."""
    if isinstance(value, str):
        for one in texts:
            value = value.replace(one, ERASED)
        return value
    if value is None or not any(one in json.dumps(value, ensure_ascii=False) for one in texts):
        return value
    if isinstance(value, dict):
        return {replaced(key, texts): replaced(one, texts) for key, one in value.items()}
    return [replaced(one, texts) for one in value] if isinstance(value, list) else value
