"""DuckDB in a temporary file: tables larger than memory, gone when the block ends."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfnb.errors import StoreError

if TYPE_CHECKING:
    import duckdb

MEMORY = "64MB"
"""What DuckDB may hold in memory; the rest is in its temporary file."""


NO_BAR = "set enable_progress_bar = false"
"""
In a notebook DuckDB would print a bar into the cell, and under ``python -c`` into a command's JSON.
"""


@contextmanager
def scratch(memory: str = MEMORY, doing: str = "compare") -> Iterator[duckdb.DuckDBPyConnection]:
    """
    A connection to an empty database.

    Args:
        memory: what it may hold in memory.
        doing: what a failure kept from being done, for its message.

    Raises:
        StoreError: a query failed inside the block, most often because the disk of the temporary
            folder is full.
    """
    import duckdb

    folder = tempfile.mkdtemp(prefix="sfnb-scratch-")
    config: dict[str, Any] = {
        "memory_limit": memory,
        "threads": "2",
        "preserve_insertion_order": "false",
        "enable_external_access": "false",
    }
    connection = None
    try:
        connection = duckdb.connect(str(Path(folder) / "scratch.duckdb"), config=config)
        connection.execute(NO_BAR)
        yield connection
    except duckdb.Error as err:
        words = " ".join(str(err).split())[:300]
        raise StoreError(f"could not {doing}: {words}. The temporary folder is {folder}.") from err
    finally:
        if connection is not None:
            connection.close()
        shutil.rmtree(folder, ignore_errors=True)
