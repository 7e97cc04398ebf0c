"""Brings the state database to the present schema, once, whoever comes first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from sfnb.errors import StoreError
from sfnb.state.database import Database

HEAD = "0004"
"""The newest revision in ``migrations/versions``; a test compares."""

# Any number will do, as long as nobody else on the server uses it; this one spells "sfnb".
POSTGRES_LOCK = 0x73666E62


def migrate(database: Database) -> None:
    """
    Run the revisions that are missing, in one transaction.

    Raises:
        StoreError: a newer sfnb made this database.
    """
    with database.read() as connection:
        if _revision(connection) == HEAD:
            return
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
        if _revision(connection) == HEAD:  # another process was quicker
            return
        _upgrade(connection, str(database))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, name: str) -> None:
    # Alembic takes a moment to import; a database that is up to date does not pay for it.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as err:
        raise StoreError(
            f"The state database {name} was made by a newer sfnb (revision {_revision(connection)}); "
            "update sfnb, or choose another SFNB_HOME."
        ) from err
