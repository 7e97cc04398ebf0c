"""
The values of planned records, in a temporary file and found by number.

They are what is wide of a planned record. In DuckDB's tables they took its memory: 200,000 contacts
did not fit into 96 MB, and their order is another one in each wave.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from sfnb.errors import StoreError

AT_A_TIME = 200
"""Records whose values are in memory at a time."""

CACHE_KB = 4_000


class RowValues:
    """
    Values by number. A context manager: the file is gone when the block ends.

    Raises:
        StoreError: the disk of the temporary folder is full.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="sfnb-values-")
        self._database = sqlite3.connect(
            Path(self._folder.name) / "values.db", isolation_level=None
        )
        # Nothing here outlives the process, so nothing has to be safe from its end.
        for pragma in ("journal_mode = off", "synchronous = off", f"cache_size = -{CACHE_KB}"):
            self._database.execute(f"pragma {pragma}")
        self._database.execute("create table vals (number integer primary key, content text)")
        self._database.execute("begin")
        self._count = 0

    def add(self, values: Mapping[str, Any]) -> int:
        """Keep a record's values; their number."""
        self._count += 1
        with self._translated():
            self._database.execute(
                "insert into vals values (?, ?)", (self._count, json.dumps(dict(values)))
            )
        return self._count

    def of(self, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The values of these numbers, in their order."""
        for start in range(0, len(numbers), AT_A_TIME):
            some = numbers[start : start + AT_A_TIME]
            with self._translated():
                found = dict(
                    self._database.execute(
                        "select number, content from vals "
                        "where number in (select value from json_each(?))",
                        (json.dumps(list(some)),),
                    )
                )
            for number in some:
                yield json.loads(found[number])

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as err:
            raise StoreError(
                f"could not plan the restore: {err}. The temporary folder is {self._folder.name}."
            ) from err

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self._database.close()
        self._folder.cleanup()
