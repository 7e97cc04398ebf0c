# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""
The demo org's rows in a DuckDB file of its own, deleted with the org.

Each thread reads through its own cursor and never waits. Writers work inside ``writing``, one at a
time.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.soql.names import quote


class Storage:
    """
    Tables named after the objects, columns after the fields.

    Args:
        folder: for the file and large query results. None: a temporary folder, deleted with this
            object.
        template: a file to begin with; None: an empty one.
    """

    def __init__(self, folder: Path | None = None, template: Path | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory(
            prefix="sfnb-demo-", ignore_cleanup_errors=True
        )
        self.folder = folder or Path(self._temporary.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "org.duckdb"
        self.file.unlink(missing_ok=True)
        if template is not None:
            shutil.copyfile(template, self.file)
        self._connection = duckdb.connect(str(self.file))
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET memory_limit = '1GB'")
        self._connection.execute("SET checkpoint_threshold = '256MB'")
        # The file is deleted with the org, so nothing is tidied up at its end.
        self._connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        self._local = threading.local()
        self.write_lock = threading.RLock()
        self._finalizer = weakref.finalize(self, self._release, self._connection, self._temporary)

    @staticmethod
    def _release(
        connection: duckdb.DuckDBPyConnection, temporary: tempfile.TemporaryDirectory[str]
    ) -> None:
        connection.close()
        temporary.cleanup()

    def close(self) -> None:
        self._finalizer()

    @property
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's own cursor."""
        found: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if found is None:
            found = self._connection.cursor()
            found.execute("SET TimeZone = 'UTC'")
            self._local.cursor = found
        return found

    def create(self, obj: ObjectDef) -> None:
        columns = ", ".join(f"{quote(f.name)} {f.column_type}" for f in obj.stored)
        self.cursor.execute(f"CREATE TABLE {quote(obj.name)} ({columns})")

    def load(self, obj: ObjectDef, tables: Iterable[Any]) -> None:
        """Append Arrow tables whose columns stand in the table's order."""
        for table in tables:
            view = self.cursor.from_arrow(table)
            view.insert_into(quote(obj.name))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """
        One transaction, one writer at a time. Entered again by the same thread, it is the same
        transaction.
        """
        with self.write_lock:
            if getattr(self._local, "is_writing", False):
                yield
                return
            self.cursor.begin()
            self._local.is_writing = True
            self._local.touched = {}
            try:
                yield
            except BaseException:
                self.cursor.rollback()
                raise
            else:
                self.cursor.commit()
            finally:
                self._local.is_writing = False

    @property
    def touched(self) -> dict[bool, str]:
        """
        The first setup object (True) and the first other one (False) that this thread's transaction
        has written.
        """
        found: dict[bool, str] = self._local.touched
        return found

    def replace(self, obj: ObjectDef, table: Any) -> None:
        """Replace all rows of a table."""
        with self.writing():
            self.rows(f"DELETE FROM {quote(obj.name)}")
            self.load(obj, [table])

    def join(self, table: Any, sql: str) -> None:
        """Run a statement that reads an Arrow table; ``{}`` stands for its name."""
        name = f"_given_{threading.get_ident()}"
        self.cursor.register(name, table)
        try:
            self.cursor.execute(sql.format(name))
        finally:
            self.cursor.unregister(name)

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return self.cursor.execute(sql, parameters or []).fetchall()

    def arrow(self, sql: str, parameters: list[Any] | None = None) -> Any:
        """The result as an Arrow table."""
        return self.cursor.sql(sql, params=parameters or []).to_arrow_table()
