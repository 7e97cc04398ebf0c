"""
Several statements in one round trip to the server.

A PostgreSQL server in another building answers in milliseconds, and a transaction of nine
statements would wait for each of them. In a pipeline they leave together. Each is still a
statement of its own: in READ COMMITTED it sees what was committed when it begins, so those behind
the one that locks a row see the state under that lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Executable

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the values of each time that it runs."""

    executable: Executable
    values: tuple[Mapping[str, Any], ...]


class Trips:
    """
    A transaction that goes in round trips.

    Args:
        is_piped: send the statements of a trip together. Else one after the other: where there is
            no network between, that is as fast.
    """

    def __init__(self, connection: Connection, *, is_piped: bool) -> None:
        self._connection = connection
        self._is_piped = is_piped
        self._is_begun = not is_piped

    def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of each statement (none for one that gives none): one round trip."""
        if not self._is_piped:
            return [self._run_one(statement) for statement in statements]
        return self._pipe(statements)

    def end(self, statements: Sequence[Statement] = ()) -> None:
        """Run these and commit: one round trip."""
        if not self._is_piped:
            self.run(statements)  # the transaction's owner commits
            return
        self._pipe(statements, commits=True)

    def _run_one(self, statement: Statement) -> list[Row]:
        found: list[Row] = []
        for values in statement.values:
            result = self._connection.execute(statement.executable, dict(values))
            if result.returns_rows:
                found += [tuple(row) for row in result]
        return found

    def _pipe(self, statements: Sequence[Statement], *, commits: bool = False) -> list[list[Row]]:
        driver: Any = self._connection.connection.driver_connection
        dialect = self._connection.dialect
        cursors: list[list[Any]] = []
        with driver.pipeline():
            # The driver's own BEGIN and COMMIT wait for their answers, even in a pipeline.
            if not self._is_begun:
                driver.execute("BEGIN")
                self._is_begun = True
            for statement in statements:
                cursors.append([
                    driver.execute(*_as_sent(statement.executable, dialect, values))
                    for values in statement.values
                ])  # fmt: skip
            if commits:
                driver.execute("COMMIT")
        return [
            [_in_utc(row) for cursor in some if cursor.description for row in cursor.fetchall()]
            for some in cursors
        ]


def _as_sent(
    executable: Executable, dialect: Dialect, values: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    compiled = _compiled(executable, dialect, tuple(values))
    # The gate's tables have texts, numbers and aware moments, which the driver takes as they are.
    return str(compiled), compiled.construct_params(dict(values))


@lru_cache(maxsize=256)
def _compiled(executable: Executable, dialect: Dialect, columns: tuple[str, ...]) -> Any:
    return executable.compile(dialect=dialect, column_keys=list(columns))  # type: ignore[attr-defined]


def _in_utc(row: Row) -> Row:
    return tuple(v.astimezone(UTC) if isinstance(v, datetime) else v for v in row)
