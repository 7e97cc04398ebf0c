"""The state database, one transaction at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Table, case, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sfnb.clock import Clock
from sfnb.errors import NotAllowed, StateUnavailable
from sfnb.state.advice import advice
from sfnb.state.engines import BUSY_WAIT_S, can_pipe, engine_of, parse_url
from sfnb.state.trips import Statement, Trips


class Database:
    """
    Transactions on one database.

    Safe for threads. Not to be carried over a fork: open the state again in the child.
    """

    def __init__(self, url: str, *, clock: Clock) -> None:
        self.url = parse_url(url)
        self.clock = clock
        """Of all that is written here: by it several hosts' tickets and leases are compared."""
        self._engine = engine_of(self.url)
        # PostgreSQL's default, READ COMMITTED, shows each statement a moment of its own.
        # SQLite shows one moment anyway (WAL mode).
        self._reader = (
            self._engine
            if self.is_sqlite
            else self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        )
        # Where statements can leave together, we begin and end the transaction ourselves.
        self._piping = (
            self._engine.execution_options(isolation_level="AUTOCOMMIT")
            if can_pipe(self._engine)
            else None
        )
        # SQLite lets one writer in and makes the others sleep and try again. Threads queue here
        # instead, which is fair.
        self._turn = threading.Lock()
        self._file: tuple[int, int] | None = None
        self.note_refusal: Callable[[NotAllowed], None] = lambda _: None
        """Keeps what was refused to whom."""

    @property
    def is_sqlite(self) -> bool:
        return self.dialect == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """
        A transaction that sees one moment and changes nothing; a statement that would is refused.

        Raises:
            StateUnavailable: the database cannot be read.
        """
        with (
            self._translated(),
            self._same_file(),
            self._reader.connect() as connection,
            _query_only(connection, is_on=self.is_sqlite),
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write(self, *, patience_s: float = BUSY_WAIT_S) -> Iterator[Connection]:
        """
        A transaction that decides and changes; what it raises undoes it.

        On SQLite nobody else writes meanwhile. On PostgreSQL lock the row that the decision hangs
        on first.

        Args:
            patience_s: how long to wait for others; less where a person waits for the answer.
        """
        try:
            with self._write(patience_s) as connection:
                yield connection
        except NotAllowed as err:
            # Undone is undone: that somebody tried is kept in a transaction of its own.
            with suppress(StateUnavailable):
                self.note_refusal(err)
            raise

    @contextmanager
    def _write(self, patience_s: float) -> Iterator[Connection]:
        if not self.is_sqlite:
            with self._translated(patience_s), self._engine.begin() as connection:
                if patience_s != BUSY_WAIT_S:
                    connection.execute(text(f"SET LOCAL lock_timeout = {int(patience_s * 1000)}"))
                yield connection
            return
        with (
            self._translated(patience_s),
            self._my_turn(patience_s),
            self._same_file(),
            self._engine.connect() as connection,
        ):
            connection.execution_options(sfnb_begin="BEGIN IMMEDIATE")
            with _patience(connection, patience_s), connection.begin():
                yield connection

    @contextmanager
    def trips(self) -> Iterator[Trips]:
        """
        As ``write``, for what every call waits for: statements leave together. The first one has to
        lock the row that the decision hangs on. Nothing may run after ``Trips.end``.
        """
        if self._piping is None:
            with self.write() as connection:
                yield Trips(connection, is_piped=False)
            return
        with self._translated(), self._piping.connect() as connection:
            try:
                yield Trips(connection, is_piped=True)
            except BaseException:
                try:
                    connection.connection.rollback()
                except self._engine.dialect.loaded_dbapi.Error:
                    connection.invalidate()  # it is lost: the pool would try to roll back again
                raise

    @contextmanager
    def _my_turn(self, patience_s: float) -> Iterator[None]:
        if not self._turn.acquire(timeout=patience_s):
            raise sqlite3.OperationalError("database is locked")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _same_file(self) -> Iterator[None]:
        """
        Refuse a SQLite file that is no longer at its place.

        The operating system would let us write on into a deleted file, and all of it would be lost.
        """
        here = self._identity()
        self._file = self._file or here
        if here != self._file:
            raise sqlite3.OperationalError("the file was moved, deleted or replaced")
        yield

    def _identity(self) -> tuple[int, int] | None:
        if not self.is_sqlite or self.url.database in (None, "", ":memory:"):
            return None
        try:
            found = Path(self.url.database or "").stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def upsert(
        self,
        connection: Connection,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        add: tuple[str, ...] = (),
        highest: tuple[str, ...] = (),
    ) -> None:
        """
        Insert rows. Where the primary key exists, change that row: columns in ``add`` are added up,
        of those in ``highest`` the larger value stays, all others are replaced.
        """
        if rows:
            statement = self.upsertion(table, rows, add=add, highest=highest)
            connection.execute(statement.executable, [dict(values) for values in statement.values])

    def upsertion(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        *,
        add: tuple[str, ...] = (),
        highest: tuple[str, ...] = (),
    ) -> Statement:
        """The statement of ``upsert``. Without rows it does nothing."""
        if not rows:
            return Statement(table.insert(), ())
        executable = _upsert_statement(self.dialect, table, tuple(rows[0]), add, highest)
        return Statement(executable, tuple(rows))

    def server_time(self) -> datetime:
        """What the PostgreSQL server's clock says. Cost: one round trip."""
        with self._translated(), self._engine.connect() as connection:
            at: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return at.astimezone(UTC)

    def rewrite(self) -> None:
        """
        Write an SQLite file anew, so that it has no bytes any more of what was deleted; nothing
        elsewhere, where the server does that.
        """
        if not self.is_sqlite:
            return
        with self._translated(), self._my_turn(BUSY_WAIT_S), self._engine.connect() as connection:
            raw = connection.connection.driver_connection
            if raw is not None:
                raw.execute("VACUUM")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _translated(self, patience_s: float = BUSY_WAIT_S) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error, self._engine.dialect.loaded_dbapi.Error) as err:
            origin = (err.orig or err) if isinstance(err, DBAPIError) else err
            if "read-only transaction" in str(origin):
                self._engine.dispose()  # the next try is a new session: it may write again
            cause = next(iter(str(origin).strip().splitlines()), type(origin).__name__)
            raise StateUnavailable(
                f"The state database {self} cannot be used: {cause}. {advice(cause, patience_s)}"
            ) from err
        except SQLAlchemyError as err:
            raise StateUnavailable(f"The state database {self} cannot be used: {err}.") from err

    def __str__(self) -> str:
        return (
            self.url.database or ""
            if self.is_sqlite
            else self.url.render_as_string(hide_password=True)
        )

    def __repr__(self) -> str:
        return f"Database({str(self)!r})"


def insert_into(dialect: str, table: Table) -> Any:
    """
    The dialect's own INSERT, which knows ON CONFLICT. Only that dialect is loaded: PostgreSQL's
    takes 0.1 s.
    """
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table)
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert(table)


@lru_cache(maxsize=64)
def _upsert_statement(
    dialect: str,
    table: Table,
    columns: tuple[str, ...],
    add: tuple[str, ...],
    highest: tuple[str, ...],
) -> Executable:
    statement = insert_into(dialect, table)
    new = statement.excluded

    def changed_to(name: str) -> Any:
        old = table.c[name]
        if name in add:
            return old + new[name]
        return case((old > new[name], old), else_=new[name]) if name in highest else new[name]

    changed = {name: changed_to(name) for name in columns if not table.c[name].primary_key}
    executable: Executable = statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=changed
    )
    return executable


@contextmanager
def _query_only(connection: Connection, *, is_on: bool) -> Iterator[None]:
    """
    Refuse changes on this SQLite connection for now. It then goes back to the pool for others.
    """
    if not is_on:
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        driver.execute("PRAGMA query_only = OFF")


@contextmanager
def _patience(connection: Connection, patience_s: float) -> Iterator[None]:
    """
    How long this transaction waits for other processes. The connection then goes back to the pool
    for others.
    """
    driver: Any = connection.connection.driver_connection
    if patience_s == BUSY_WAIT_S:
        yield
        return
    driver.execute(f"PRAGMA busy_timeout = {int(patience_s * 1000)}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_WAIT_S * 1000}")
