"""Which files hold an object's versions, and reading them row group by row group."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from sfnb.errors import StoreError
from sfnb.store.columns import COLUMNS_ONLY, FROM, GENERATION, NEW, OP, STAMPS, UNTIL
from sfnb.store.files import Files
from sfnb.store.translating import translated

BATCH_ROWS = 1 << 14

_BROUGHT_BY = re.compile(r"-(\d{8}T\d{6}Z-[0-9a-f]{6})-[0-9a-f]+\.parquet$")


@dataclass(frozen=True, slots=True)
class VersionFile:
    """
    A live file of a table.

    Args:
        path: from the table's folder.
        generation: ``new``, ``columns``, ``stamps``, or that of a compaction.
        snapshot: the one that brought all of its rows; empty where rows of several are in it.
    """

    path: str
    generation: str
    snapshot: str


def version_file(path: str) -> VersionFile:
    """The file at a path of the table."""
    generation = path.partition("/")[0].removeprefix(f"{GENERATION}=")
    found = _BROUGHT_BY.search(path)
    is_new = generation in (NEW, COLUMNS_ONLY, STAMPS)
    return VersionFile(path, generation, found[1] if is_new and found else "")


def live_files(uris: Iterable[str]) -> list[VersionFile]:
    """
    The files that hold versions, of all files of a table: those of several snapshots first, then by
    snapshot.
    """
    return [f for f in _files(uris) if f.generation not in (COLUMNS_ONLY, STAMPS)]


def stamp_files(uris: Iterable[str]) -> list[VersionFile]:
    """The files that say which stamps moved although the content stayed, by snapshot."""
    return [file for file in _files(uris) if file.generation == STAMPS]


def _files(uris: Iterable[str]) -> list[VersionFile]:
    paths = [uri.replace("\\", "/") for uri in uris]
    files = [version_file(path[path.rindex(f"{GENERATION}=") :]) for path in paths]
    return sorted(files, key=lambda file: file.snapshot)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file, from a row number on."""

    first: int
    batch: pa.RecordBatch


def read_pieces(
    table: Files, path: str, columns: Collection[str], *, groups: Sequence[int] | None = None
) -> Iterator[Piece]:
    """
    Columns of a file that it has, piece by piece.

    Args:
        groups: the row groups to read; None: all.

    Raises:
        StoreError: it is missing or damaged.
    """
    with (
        translated(f"read {table.uri(path)}"),
        table.open_input(path) as source,
        _opened(source) as file,
    ):
        have = [name for name in file.schema_arrow.names if name in columns]
        if OP in columns:  # the parts of a sweep or a sample have no other column of ours
            check_column(OP, have, table.uri(path))
        starts = _starts(file)
        for number in range(len(starts)) if groups is None else groups:
            first = starts[number]
            for batch in file.iter_batches(
                BATCH_ROWS, row_groups=[number], columns=have, use_threads=False
            ):
                yield Piece(first, batch)
                first += batch.num_rows
                del batch
            # Arrow's allocator keeps what it once had; see ``RowGroupWriter``.
            pa.default_memory_pool().release_unused()


def check_column(name: str, names: Collection[str], what: str) -> None:
    """
    Raises:
        StoreError: a column that each file of a part has is not among these.
    """
    if name not in names:
        raise StoreError(f"{what} is damaged: it has no column {name}.")


def _opened(source: pa.NativeFile) -> pq.ParquetFile:
    """A part's file; sfnb's own text columns come as dictionaries."""
    metadata = pq.read_metadata(source)
    coded = [name for name in (OP, FROM, UNTIL) if name in metadata.schema.names]
    return pq.ParquetFile(source, metadata=metadata, read_dictionary=coded)


def group_starts(table: Files, path: str) -> list[int]:
    """The number of each row group's first row, and the number of rows."""
    with (
        translated(f"read {table.uri(path)}"),
        table.open_input(path) as source,
        pq.ParquetFile(source) as file,
    ):
        return [*_starts(file), file.metadata.num_rows]


def groups_with(table: Files, path: str, column: str, value: str) -> list[int]:
    """The row groups of a file that may have a value in a column, by their least and greatest."""
    return _groups(table, path, column, lambda least, greatest: least <= value <= greatest)


def groups_up_to(table: Files, path: str, snapshot: str) -> list[int]:
    """The row groups of a compacted file that may have versions up to a snapshot."""
    return _groups(table, path, FROM, lambda least, _: least <= snapshot)


def _groups(
    table: Files, path: str, column: str, may_be_in: Callable[[str, str], bool]
) -> list[int]:
    with (
        translated(f"read {table.uri(path)}"),
        table.open_input(path) as source,
        pq.ParquetFile(source) as file,
    ):
        at = file.schema_arrow.names.index(column)
        return [
            number
            for number in range(file.metadata.num_row_groups)
            if (found := file.metadata.row_group(number).column(at).statistics) is None
            or not found.has_min_max
            or may_be_in(found.min, found.max)
        ]


def _starts(file: pq.ParquetFile) -> list[int]:
    starts, rows = [], 0
    for number in range(file.metadata.num_row_groups):
        starts.append(rows)
        rows += file.metadata.row_group(number).num_rows
    return starts
