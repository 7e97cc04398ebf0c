"""Records as people want them: batches, pandas frames, SQL, CSV and Parquet files."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from sfnb.errors import CallerError
from sfnb.store.files import TEMPORARY, check_folder_of
from sfnb.store.row_stream import RowStream
from sfnb.store.text import csv_lines
from sfnb.store.translating import translated

if TYPE_CHECKING:
    import pandas as pd


class Readable(Protocol):
    """An object's records, not yet read: of one snapshot, or what archives have taken out."""

    @property
    def name(self) -> str: ...

    @property
    def columns(self) -> pa.Schema:
        """The fields, in describe's order."""

    def batches(self, fields: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The records, streamed, with some fields or all; in no order to rely on."""

    def add_view(self, connection: Any, quoted: str) -> RowStream | None:
        """
        Make the records known to a DuckDB connection under a name in quotes.

        Returns:
            What the connection reads, where Python reads for it.
        """


class Rows(Readable, Protocol):
    """An object's records in one snapshot, not yet read. Two formats have their own."""

    def recycle_bin(self, fields: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """These fields of the records that were in the recycle bin."""

    def one(self, record_id: str) -> tuple[str, dict[str, Any]] | None:
        """The newest row with an Id: its op and its fields. Row groups without it are skipped."""


# -- pandas ------------------------------------------------------------------------------------------------------------


def as_frame(table: pa.Table) -> pd.DataFrame:
    """The table as pandas, dtypes as documented at ``Snapshot.frame``."""
    import pandas as pd

    def dtype(kind: pa.DataType) -> Any:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return pd.StringDtype("pyarrow")
        if pa.types.is_integer(kind):
            return pd.Int64Dtype()
        return pd.BooleanDtype() if pa.types.is_boolean(kind) else None

    frame: pd.DataFrame = table.to_pandas(types_mapper=dtype, date_as_object=False)
    return frame


# -- SQL ---------------------------------------------------------------------------------------------------------------


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def select(query: str, known: Sequence[str], rows_of: Callable[[str], Readable]) -> pa.Table:
    """
    What one SELECT gives, with the snapshot's objects as tables. Only objects that the query names
    are opened.

    Raises:
        CallerError: see ``Snapshot.sql``.
    """
    import duckdb

    # No files, no network: the objects are all that a query may see.
    connection = duckdb.connect(config={"enable_external_access": "false"})
    absent: CallerError | None = None
    streams: list[RowStream | None] = []
    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise CallerError("sql takes one SELECT; queries do not change the store.")
        # Days and hours are UTC, as Salesforce sends them, not those of this machine.
        connection.execute("set TimeZone = 'UTC'")
        words = set(re.findall(r"\w+", query.lower()))
        for name in known:
            if name.lower() in words:
                try:
                    streams.append(rows_of(name).add_view(connection, quoted(name)))
                except CallerError as err:
                    absent = err  # it may be a column or an alias only
        result: pa.Table = connection.sql(query).to_arrow_table()
    except duckdb.CatalogException as err:
        raise absent or CallerError(f"the query failed: {str(err).strip()}") from err
    except duckdb.Error as err:
        if broken := next((one.error for one in streams if one and one.error), None):
            raise broken from err
        raise CallerError(f"the query failed: {str(err).strip()}") from err
    finally:
        connection.close()
    return result


# -- files -------------------------------------------------------------------------------------------------------------


@contextmanager
def whole_file(
    path: str | os.PathLike[str], endings: Sequence[str], *, overwrite: bool
) -> Iterator[io.BufferedWriter]:
    """
    A file to write that takes its name when the block ends well; otherwise nothing is left.

    Raises:
        CallerError: the path is a folder or in none, has another ending, or exists and
            ``overwrite`` is not given.
        StoreError: it cannot be written.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in endings:
        raise CallerError(f"{target} must end in {' or '.join(endings)}.")
    if target.is_dir():
        raise CallerError(f"{target} is a folder. Name a file in it.")
    check_folder_of(target)
    if target.exists() and not overwrite:
        raise CallerError(
            f"{target} exists already. Use --force to overwrite it, or choose another name."
        )
    temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(6)}{ending}")
    with translated(f"write {target}"):
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def export(rows: Readable, path: str | os.PathLike[str], *, overwrite: bool) -> int:
    """Write the records into a file; see ``Snapshot.export``."""
    with whole_file(path, (".parquet", ".csv"), overwrite=overwrite) as file:
        is_csv = Path(path).suffix.lower() == ".csv"
        return (_write_csv if is_csv else _write_parquet)(rows, file)


def _write_parquet(rows: Readable, file: io.BufferedWriter) -> int:
    count = 0
    with pq.ParquetWriter(file, rows.columns, compression="zstd") as writer:
        for batch in rows.batches():
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _write_csv(rows: Readable, file: io.BufferedWriter) -> int:
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(rows.columns.names)
    file.write(header.getvalue().encode())
    count = 0
    for batch in rows.batches():
        file.write(csv_lines(batch))
        count += batch.num_rows
    return count
