"""Rows that another library reads as often as it needs them, a few batches in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa


class RowStream:
    """
    What DuckDB takes for a table: each scan of a query reads the rows anew (Arrow PyCapsule
    interface).

    Attributes:
        error: why a scan broke off. DuckDB makes an error of its own of it.
    """

    def __init__(self, columns: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        self._columns = columns
        self._batches = batches
        self.error: Exception | None = None

    def __arrow_c_schema__(self) -> Any:
        return self._columns.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        reader = pa.RecordBatchReader.from_batches(self._columns, self._noting())
        return reader.__arrow_c_stream__(requested_schema)

    def _noting(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._batches()
        except Exception as err:
            self.error = err
            raise
