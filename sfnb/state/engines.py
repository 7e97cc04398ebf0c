"""
How the state database is reached: its address, the driver, and the options of each session.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sfnb.errors import StoreError

BUSY_WAIT_S = 60
"""How long a transaction waits for another process's; the gate's take about a millisecond each."""


SESSION = (
    f"-c lock_timeout={BUSY_WAIT_S}s -c idle_in_transaction_session_timeout={BUSY_WAIT_S}s "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
"""
What PostgreSQL does for a session of ours: nobody waits for ever for a row that a stopped process
holds, and what a vanished host has locked is free after a minute.
"""

ON_SERVER: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""So that a server that vanished is noticed within a minute, not after hours."""

POOL = "sfnb"
"""The name under which SQLAlchemy logs what becomes of our connections."""


def parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # The text may hold a password, so it is not repeated.
        raise StoreError(
            "The address of the state database is no URL such as sqlite:////path/state.db or "
            "postgresql://user@host/database; correct state_url or SFNB_STATE_URL."
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def engine_of(url: URL) -> Engine:
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise StoreError(
            f"The state database can be SQLite or PostgreSQL, not {kind}; correct state_url."
        )
    connected: dict[str, Any] = {}
    if kind == "postgresql":
        connected = {**ON_SERVER, "options": f"{SESSION} {url.query.get('options', '')}".strip()}
    try:
        engine = create_engine(
            url, hide_parameters=True, connect_args=connected, pool_logging_name=POOL
        )
    except NoSuchModuleError as err:
        raise StoreError(f"The state database's driver is unknown: {err}.") from err
    except ModuleNotFoundError as err:
        raise StoreError("PostgreSQL needs its driver: pip install 'sfnb[postgres]'.") from err
    _hush()
    if kind == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _hush() -> None:
    """
    A server that goes away makes the libraries log tracebacks about connections that they could not
    end well. It is said in a sentence, as StateUnavailable, by whoever needed the connection.
    """
    for name in (f"sqlalchemy.pool.impl.QueuePool.{POOL}", "psycopg"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _on_sqlite_connect(connection: Any, _: object) -> None:
    # We begin transactions ourselves: Python's driver would begin them later than we decide.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_WAIT_S * 1000}")
    # In WAL mode a lost power supply may cost the last moments, never the database.
    connection.execute("PRAGMA synchronous = NORMAL")


def can_pipe(engine: Engine) -> bool:
    """PostgreSQL's client library has pipelines from version 14 on."""
    if engine.dialect.driver != "psycopg":
        return False
    import psycopg

    return psycopg.Pipeline.is_supported()


def _on_sqlite_begin(connection: Connection) -> None:
    # Past SQLAlchemy's own execute, which would cost ten times the statement.
    driver: Any = connection.connection.driver_connection
    driver.execute(connection.get_execution_options().get("sfnb_begin", "BEGIN"))
