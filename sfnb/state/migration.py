"""Brings the state database to the present schema, once, whoever comes first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    text,
)

from sfnb.errors import StoreError
from sfnb.state import schema
from sfnb.state.database import Database

HEAD = "0014"
"""The newest revision in ``migrations/versions``; a test compares."""

# Any number will do, as long as nobody else on the server uses it; this one spells "sfnb".
POSTGRES_LOCK = 0x73666E62


def migrate(database: Database) -> None:
    """
    Make the tables, or run the revisions that are missing, in one transaction.

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
        if inspect(connection).get_table_names():
            upgrade(connection, str(database))
        else:
            _create(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _create(connection: Connection) -> None:
    """
    The newest schema in an empty database; a test compares it with what the revisions make.

    The first command in a new home would otherwise take a second longer, most of it Alembic's
    import.
    """
    schema.metadata.create_all(connection)
    connection.execute(insert(schema.audit_head).values(id=1, seq=0, hash="0" * 64))
    version = Table(
        "alembic_version", MetaData(), Column("version_num", String(32), nullable=False)
    )
    version.append_constraint(PrimaryKeyConstraint("version_num", name="alembic_version_pkc"))
    version.create(connection)
    connection.execute(insert(version).values(version_num=HEAD))


def upgrade(connection: Connection, name: str) -> None:
    """
    Run the revisions that are missing; ``name`` is the database's, for people.

    Raises:
        StoreError: a newer sfnb made this database.
    """
    # A database that is up to date does not pay for Alembic's import.
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
