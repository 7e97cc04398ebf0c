"""Records as people want them: batches, pandas frames, SQL, CSV and Parquet files."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sfnb.errors import CallerError
from sfnb.store.columns import EXTRACTED_AT, OP, TYPES
from sfnb.store.files import TEMPORARY, translated
from sfnb.store.layout import FieldSource
from sfnb.store.proof import EMPTY
from sfnb.store.text import csv_lines

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.dataset as pads

BATCH_ROWS = 1 << 16


class Rows:
    """
    An object's committed rows in one snapshot, read lazily, a few batches in memory at a time.

    Args:
        dataset: the parts, with the table's columns.
        key: the field by which rows may be versions of one record; None where each row is a record
            of its own.
        sources: the columns that hold each field; empty: one of the same name.
    """

    def __init__(
        self,
        name: str,
        columns: pa.Schema,
        dataset: pads.Dataset,
        key: str | None = "Id",
        sources: Sequence[FieldSource] = (),
    ) -> None:
        self.name = name
        self.columns = columns
        self.dataset = dataset
        self.key = key
        self.sources = tuple(source for source in sources if not source.is_plain)
        renamed = {source.field: _value_of(source) for source in self.sources}
        self._fields = {n: renamed.get(n, pc.field(n)) for n in columns.names}

    @cached_property
    def repeated_keys(self) -> pa.Array:
        """
        Keys that have more than one row, normally none: one snapshot reads each record once, but
        Salesforce may answer with a record twice that is changed while it is read. An empty key
        tells no rows apart.
        """
        if self.key is None or self.key not in self.columns.names:
            return pa.array([], pa.string())
        with translated(f"read {self.name}"):
            keys = self.dataset.to_table(columns={"key": self._fields[self.key]}).column("key")
            if pc.count_distinct(keys, mode="all").as_py() == len(keys):
                return pa.array([], pa.string())
            counts = pc.value_counts(keys)
            repeated = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
            return repeated.filter(
                pc.invert(pc.is_in(repeated.cast(pa.string()), value_set=pa.array(EMPTY)))
            )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The live records: of each key the newest version, unless that one is deleted."""
        live = pc.field(OP) == "upsert"
        repeated = self.repeated_keys
        if len(repeated):
            live = live & ~self._fields[self.key or ""].isin(repeated)
        with translated(f"read {self.name}"):
            yield from self.dataset.to_batches(
                columns=self._fields,
                filter=live,
                batch_size=BATCH_ROWS,
                batch_readahead=2,
                fragment_readahead=1,
            )
        if len(repeated):
            yield from self._newest(repeated).to_batches()

    def recycle_bin(self, fields: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """These fields of the records that were in the recycle bin."""
        with translated(f"read {self.name}"):
            yield from self.dataset.to_batches(
                columns={name: self._fields[name] for name in fields},
                filter=pc.field(OP) == "delete",
                batch_size=BATCH_ROWS,
                batch_readahead=2,
                fragment_readahead=1,
            )

    def one(self, record_id: str) -> tuple[str, dict[str, Any]] | None:
        """The newest row with an Id: its op and its fields. Row groups without it are skipped."""
        if "Id" not in self.columns.names:
            return None
        found = self._newest_rows(pa.array([record_id]), "Id").to_pylist()
        if not found:
            return None
        return found[0][OP], {name: found[0][name] for name in self.columns.names}

    def _newest(self, keys: pa.Array) -> pa.Table:
        """The newest version of each of these records, without the deleted ones."""
        newest = self._newest_rows(keys, self.key or "")
        return newest.filter(pc.equal(newest.column(OP), "upsert")).select(self.columns.names)

    def _newest_rows(self, keys: pa.Array, key: str) -> pa.Table:
        with translated(f"read {self.name}"):
            fields = self._fields | {name: pc.field(name) for name in (OP, EXTRACTED_AT)}
            repeated = self._fields[key].isin(keys)
            table = self.dataset.to_table(columns=fields, filter=repeated)
        order = [(EXTRACTED_AT, "descending")]
        if "SystemModstamp" in self.columns.names:
            order.insert(0, ("SystemModstamp", "descending"))
        table = table.sort_by(order)
        places = pa.table(
            {"key": table.column(key), "place": pa.array(range(table.num_rows), pa.int64())}
        )
        first = places.group_by("key").aggregate([("place", "min")]).column("place_min")
        return table.take(first)


def _value_of(source: FieldSource) -> pc.Expression:
    """A field from the columns that hold it."""
    held = [pc.field(column) for column, _ in source.columns]
    if any(kind != source.kind for _, kind in source.columns):
        # A widened field: ints beside doubles, or numbers beside text.
        held = [value.cast(TYPES[source.kind], safe=False) for value in held]
    return held[0] if len(held) == 1 else pc.Expression._call("coalesce", held)


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


def select(query: str, known: Sequence[str], rows_of: Callable[[str], Rows]) -> pa.Table:
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
                    _add_view(connection, rows_of(name))
                except CallerError as err:
                    absent = err  # it may be a column or an alias only
        result: pa.Table = connection.sql(query).to_arrow_table()
    except duckdb.CatalogException as err:
        raise absent or CallerError(f"the query failed: {str(err).strip()}") from err
    except duckdb.Error as err:
        raise CallerError(f"the query failed: {str(err).strip()}") from err
    finally:
        connection.close()
    return result


def _add_view(connection: Any, rows: Rows) -> None:
    source = f"_sfnb_rows_of_{rows.name}"
    if rows.sources:
        # Some fields are in columns of other names: Arrow puts them together, as for a frame.
        connection.register(source, pa.Table.from_batches(rows.batches(), schema=rows.columns))
        connection.execute(f"create view {quoted(rows.name)} as from {quoted(source)}")
        return
    connection.register(source, rows.dataset)
    fields = ", ".join(quoted(name) for name in rows.columns.names)
    live = f"select {fields} from {quoted(source)} where {OP} = 'upsert'"  # noqa: S608 (names are quoted)
    if len(rows.repeated_keys):
        newest = f"_sfnb_newest_of_{rows.name}"
        repeated = f"_sfnb_repeated_of_{rows.name}"
        connection.register(newest, rows._newest(rows.repeated_keys))
        connection.register(repeated, pa.table({"key": rows.repeated_keys}))
        key = quoted(rows.key or "")
        # Not NOT IN, which is never true for an absent key.
        live += f" and not exists (select 1 from {quoted(repeated)} r where r.key = {key})"  # noqa: S608
        live += f" union all select {fields} from {quoted(newest)}"  # noqa: S608
    connection.execute(f"create view {quoted(rows.name)} as {live}")


# -- files -------------------------------------------------------------------------------------------------------------


@contextmanager
def whole_file(
    path: str | os.PathLike[str], endings: Sequence[str], *, overwrite: bool
) -> Iterator[io.BufferedWriter]:
    """
    A file to write that takes its name when the block ends well; otherwise nothing is left.

    Raises:
        CallerError: the path is a folder, has another ending, or exists and ``overwrite`` is not
            given.
        StoreError: it cannot be written.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending not in endings:
        raise CallerError(f"{target} must end in {' or '.join(endings)}.")
    if target.is_dir():
        raise CallerError(f"{target} is a folder. Name a file in it.")
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


def export(rows: Rows, path: str | os.PathLike[str], *, overwrite: bool) -> int:
    """Write the records into a file; see ``Snapshot.export``."""
    with whole_file(path, (".parquet", ".csv"), overwrite=overwrite) as file:
        is_csv = Path(path).suffix.lower() == ".csv"
        return (_write_csv if is_csv else _write_parquet)(rows, file)


def _write_parquet(rows: Rows, file: io.BufferedWriter) -> int:
    count = 0
    with pq.ParquetWriter(file, rows.columns, compression="zstd") as writer:
        for batch in rows.batches():
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _write_csv(rows: Rows, file: io.BufferedWriter) -> int:
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(rows.columns.names)
    file.write(header.getvalue().encode())
    count = 0
    for batch in rows.batches():
        file.write(csv_lines(batch))
        count += batch.num_rows
    return count
