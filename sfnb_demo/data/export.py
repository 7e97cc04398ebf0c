# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""
Query results as Bulk CSV: one file written by DuckDB, and an index of where each record begins.

A page of any size is then a header and one range of bytes: nothing is formatted per request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.errors import ApiError
from sfnb_demo.soql import tree
from sfnb_demo.soql.functions import AGGREGATES
from sfnb_demo.soql.names import Scope, literal
from sfnb_demo.soql.plan import Plan

DELIMITERS = {
    "COMMA": ",",
    "TAB": "\t",
    "PIPE": "|",
    "SEMICOLON": ";",
    "CARET": "^",
    "BACKQUOTE": "`",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
_BLOCK_BYTES = 1 << 24
_QUOTE, _NEWLINE = 34, 10


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of whole records: ``length`` bytes of the file from ``offset``, without a header."""

    path: Path
    offset: int
    length: int
    rows: int


@dataclass(frozen=True)
class CsvExport:
    """
    A finished export.

    Args:
        header: the first line of every page, with its line ending.
        starts: where each record begins in the file, and at the end the file's length.
    """

    object: str
    path: Path
    header: bytes
    starts: npt.NDArray[np.int64]
    rows_per_chunk: int

    @property
    def rows(self) -> int:
        return len(self.starts) - 1

    @property
    def size(self) -> int:
        """Bytes of the file, header not counted."""
        return int(self.starts[-1])

    def span(self, first_row: int, rows: int) -> Chunk:
        """
        The place of the records ``first_row`` to ``first_row + rows``; fewer at the end of the
        export.
        """
        first = min(first_row, self.rows)
        last = min(first + rows, self.rows)
        return Chunk(
            self.path,
            int(self.starts[first]),
            int(self.starts[last] - self.starts[first]),
            last - first,
        )

    @cached_property
    def chunks(self) -> list[Chunk]:
        """The whole export in chunks of ``rows_per_chunk``."""
        return [
            self.span(first, self.rows_per_chunk)
            for first in range(0, self.rows, self.rows_per_chunk)
        ]

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


def check_bulk(query: tree.Query, obj: ObjectDef, scope: Scope) -> None:
    """
    Refuse what the Bulk API refuses and REST does not.

    Raises:
        ApiError: INVALIDENTITY, FEATURENOTENABLED or INVALID_FIELD (Bulk API 2.0 guide, limits of
            queries).
    """
    if not obj.has_bulk:
        raise ApiError("INVALIDENTITY", f"Entity '{obj.name}' is not supported by the Bulk API.")
    if query.group_by or query.having:
        raise _unsupported("GROUP BY")
    if query.offset is not None:
        raise _unsupported("OFFSET")
    for item in query.items:
        if item.what is None:
            raise _unsupported("TYPEOF")
        if isinstance(item.what, tree.Query):
            raise _unsupported("Aggregate Relationships")
        if isinstance(item.what, tree.Call):
            if item.what.name in AGGREGATES:
                raise _unsupported(f"{item.what.name}()")
        else:
            kind = scope.resolve(item.what).field.type
            if kind in ("address", "location"):
                raise ApiError(
                    "INVALID_FIELD", "Selecting compound data not supported in Bulk Query"
                )
            if kind == "base64":
                raise ApiError("FEATURENOTENABLED", "Binary field not supported")


def _unsupported(what: str) -> ApiError:
    return ApiError("FEATURENOTENABLED", f"{what} not supported in Bulk Query")


def write(
    plan: Plan,
    storage: Storage,
    path: Path,
    *,
    delimiter: str,
    line_ending: str,
    rows_per_chunk: int,
    is_sorted: bool,
) -> CsvExport:
    """
    Run the plan into a file.

    Args:
        is_sorted: columns in alphabetical order, as up to version 49.
    """
    columns = plan.header
    sql = plan.sql
    if is_sorted:
        order = sorted(range(len(columns)), key=lambda i: columns[i].lower())
        columns = [columns[i] for i in order]
        names = ", ".join(f"c{i}" for i in range(len(order)))
        sql = f"SELECT {', '.join(f'c{i}' for i in order)} FROM ({sql}) AS q({names})"
    dialect = f"DELIMITER {literal(delimiter)}, NEW_LINE {literal(line_ending)}"
    options = f"FORMAT csv, HEADER false, FORCE_QUOTE *, QUOTE '\"', ESCAPE '\"', {dialect}"
    storage.rows(f"COPY ({sql}) TO {literal(str(path))} ({options})")
    if not path.exists():
        path.touch()
    with path.open("rb") as file:
        starts = record_starts(file)
    return CsvExport(
        plan.object.name, path, header_line(columns, delimiter, line_ending), starts, rows_per_chunk
    )


def header_line(columns: Sequence[str], delimiter: str, line_ending: str) -> bytes:
    return (
        delimiter.join('"' + c.replace('"', '""') + '"' for c in columns) + line_ending
    ).encode()


def record_starts(file: BinaryIO) -> npt.NDArray[np.int64]:
    """
    Where each record of a CSV file begins, and the file's length.

    Every value is quoted, and a quote inside a value is doubled. So a line feed ends a record
    exactly where the number of quotes before it is even.
    """
    found = [np.zeros(1, dtype=np.int64)]
    offset, quotes = 0, 0
    while block := file.read(_BLOCK_BYTES):
        data = np.frombuffer(block, dtype=np.uint8)
        at = np.flatnonzero(data == _QUOTE)
        ends = np.flatnonzero(data == _NEWLINE)
        is_end = (np.searchsorted(at, ends) + quotes) % 2 == 0
        found.append(ends[is_end] + offset + 1)
        quotes += len(at)
        offset += len(block)
    return np.concatenate(found)
