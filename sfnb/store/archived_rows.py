# ruff: noqa: S608 - SQL over columns of the store, names quoted
"""One object's records in some archives as one table: what left the org, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from sfnb.errors import StoreError
from sfnb.store.archives import ArchiveRecord
from sfnb.store.columns import MOMENT, OP, TYPES, UPSERT
from sfnb.store.history.scratch import NO_BAR
from sfnb.store.layout import FieldSource
from sfnb.store.parts import text_array
from sfnb.store.paths import records_path
from sfnb.store.row_stream import RowStream
from sfnb.store.snapshots import Snapshot
from sfnb.store.translating import translated
from sfnb.store.views import quoted

if TYPE_CHECKING:
    # One record by its Id needs neither: they cost a third of a second to load.
    import duckdb
    import pyarrow.dataset as pads

ARCHIVE, ARCHIVED_AT = "_archive", "_archived_at"
"""Columns beside the fields. No field's API name begins with an underscore."""

BATCH_ROWS = 32_768

SQL_TYPES: Mapping[str, str] = {
    **{"string": "varchar", "double": "double", "int64": "bigint", "bool": "boolean"},
    **{"date": "date", "timestamp": "timestamptz"},
}
"""What DuckDB calls the types of ``columns.TYPES``."""


def parts_dataset(snapshot: Snapshot, name: str) -> pads.Dataset:
    """
    The object's parts. An archive's records are each there once and alive, so its parts are its
    state.
    """
    import pyarrow.dataset as pads

    folder = records_path(name)
    paths = [f"{folder}/{part.path}" for part in snapshot.parts(name)]
    with translated(f"open {name}"):
        return pads.dataset(paths, format="parquet", filesystem=snapshot.files.filesystem)


def select_fields(
    dataset: pads.Dataset, sources: Sequence[FieldSource], table: str, also: Sequence[str] = ()
) -> str:
    """
    A SELECT of the records' fields by their names; a query reads only the columns that it needs.

    Args:
        sources: in their order. One without columns is absent.
        table: what the connection calls the dataset.
        also: more columns, as SQL.
    """
    there = set(dataset.schema.names)
    selected = []
    for source in sources:
        kind = SQL_TYPES[source.kind]
        held = [f"{quoted(c)}::{kind}" for c, _ in source.columns if c in there]
        value = f"coalesce({', '.join(held)})" if len(held) > 1 else (held or [f"null::{kind}"])[0]
        selected.append(f"{value} as {quoted(source.field)}")
    columns = ", ".join([*selected, *also])
    return f"select {columns} from {quoted(table)} where {quoted(OP)} = '{UPSERT}'"


def united(layouts: Iterable[Sequence[FieldSource]]) -> list[tuple[str, str]]:
    """
    The fields of several layouts, the first one's first, with types that hold every value. Pure.
    """
    names: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for layout in layouts:
        for source in layout:
            key = source.field.lower()
            names.setdefault(key, source.field)
            kinds[key] = _wider(kinds.get(key, source.kind), source.kind)
    return [(names[key], kind) for key, kind in kinds.items()]


def _wider(one: str, other: str) -> str:
    if one == other:
        return one
    return "double" if {one, other} == {"int64", "double"} else "string"


@dataclass(frozen=True)
class ArchivedRows:
    """
    The records of one object that archives have taken out of the org; those that stayed after all
    are left out. Has what ``views.select`` and ``Pages`` use of ``views.Rows``.

    Args:
        archives: each with its snapshot, oldest first; all have the object.

    A record that was restored and archived again is there once for each archive.
    """

    name: str
    archives: Sequence[tuple[ArchiveRecord, Snapshot]]

    @cached_property
    def _fields(self) -> list[tuple[str, str]]:
        return united(snapshot.sources(self.name) for _, snapshot in reversed(self.archives))

    @cached_property
    def columns(self) -> pa.Schema:
        """The fields, the newest archive's first; then which archive, and when."""
        fields = [pa.field(name, TYPES[kind]) for name, kind in self._fields]
        own = (pa.field(ARCHIVE, pa.string()), pa.field(ARCHIVED_AT, MOMENT))
        return pa.schema([*fields, *own])

    def add_view(self, connection: duckdb.DuckDBPyConnection, quoted_name: str) -> RowStream | None:
        """See ``views.Rows``. A field that an archive does not have is null there."""
        # What stands where all records of each archive were erased: the columns.
        types = {name: SQL_TYPES[kind] for name, kind in self._fields}
        types |= {ARCHIVE: "varchar", ARCHIVED_AT: "timestamptz"}
        nulls = ", ".join(f"null::{kind} as {quoted(name)}" for name, kind in types.items())
        selects = [f"select {nulls} where false"]
        for number, (record, snapshot) in enumerate(self.archives):
            if not record.objects[self.name].rows:
                continue
            table, dataset = f"_sfnb_{self.name}_{number}", parts_dataset(snapshot, self.name)
            connection.register(table, dataset)
            held = {s.field.lower(): s.columns for s in snapshot.sources(self.name)}
            sources = [
                FieldSource(name, kind, held.get(name.lower(), ())) for name, kind in self._fields
            ]
            also = (
                f"'{record.snapshot}' as {ARCHIVE}",
                f"timestamptz '{record.archived_at}' as {ARCHIVED_AT}",
            )
            query = select_fields(dataset, sources, table, also)
            if stayed := record.stayed.get(self.name):
                left = f"_sfnb_stayed_{self.name}_{number}"
                connection.register(left, pa.table({"id": text_array(stayed)}))
                query += f' and "Id" not in (select id from {quoted(left)})'
            selects.append(query)
        connection.execute(f"create view {quoted_name} as {' union all '.join(selects)}")
        return None

    def batches(self, fields: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """
        The records, streamed, with some columns or all; in no order to rely on.

        Raises:
            StoreError: an archive is damaged.
        """
        import duckdb

        schema = self.columns
        names = list(fields) if fields is not None else schema.names
        wanted = pa.schema([schema.field(name) for name in names])
        connection = duckdb.connect(config={"enable_external_access": "false", "threads": "2"})
        try:
            connection.execute(NO_BAR)
            connection.execute("set TimeZone = 'UTC'")
            self.add_view(connection, quoted(self.name))
            query = f"select {', '.join(map(quoted, names))} from {quoted(self.name)}"
            with translated(f"read {self.name}"):
                for batch in connection.sql(query).to_arrow_reader(BATCH_ROWS):
                    yield batch.cast(wanted)
        except duckdb.Error as err:
            raise StoreError(f"could not read the archived {self.name}: {err}") from err
        finally:
            connection.close()
