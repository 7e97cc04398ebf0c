# ruff: noqa: S608 - SQL over tables that are made here
"""Rows as they were read become the archive's snapshot, each object sorted by Id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sfnb.errors import StoreError
from sfnb.model import ObjectSchema
from sfnb.org.arrow import arrow_schema
from sfnb.restore.rows_files import read_parquet
from sfnb.store.files import Files
from sfnb.store.history.scratch import scratch
from sfnb.store.parts import text_array
from sfnb.store.translating import translated
from sfnb.store.writer import Writer

CHUNK_ROWS = 20_000
"""Whole rows that are sorted at a time."""


def store_object(
    writer: Writer,
    schema: ObjectSchema,
    files: Files,
    paths: Sequence[str],
    ids: Collection[str],
    *,
    tick: Callable[[], None],
) -> int:
    """
    Store these records of an object; complete in the snapshot when this returns. Killed anywhere,
    it can be called again.

    Returns:
        How many they are.

    Raises:
        StoreError: a record that was read is not among the rows, or the store cannot be written.
    """
    name = schema.name
    if (known := writer.progress(name)).is_done:
        return known.rows
    writer.put_schema(name, arrow_schema(schema), schema.raw)
    parts = writer.write_parts(name, sorted_rows(files, paths, ids, tick))
    rows = sum(part.rows for part in parts)
    if rows != len(ids):
        raise StoreError(f"{name}: {rows:,} of {len(ids):,} records that were read are there.")
    settled = writer.settle(name, parts, {"reader": "archive"}, org_count=rows)
    if settled.proof.problem:
        raise StoreError(f"{name}: {settled.proof.problem}")
    return rows


def sorted_rows(
    files: Files, paths: Sequence[str], ids: Collection[str], tick: Callable[[], None]
) -> Iterator[pa.RecordBatch]:
    """The rows of these records, each once, in the order of their Ids. Memory is bounded."""
    columns = _widest([_columns(files, path) for path in paths])
    wanted = text_array(sorted(ids))
    with scratch(doing="sort what was read") as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("piece", columns.empty_table())
        connection.execute("create table found as from piece")
        connection.unregister("piece")
        for batch in read_parquet(files, paths):
            tick()
            some = batch.filter(pc.is_in(batch.column("Id"), value_set=wanted))
            table = pa.Table.from_batches([some]).cast(columns)
            connection.register("piece", table)
            connection.execute("insert into found from piece")
            connection.unregister("piece")
        ranges = connection.execute(
            "select min(id), max(id) from (select id, (row_number() over (order by id) - 1) "
            f"// {CHUNK_ROWS} as part from (select distinct Id as id from found)) "
            "group by part order by 1"
        ).fetchall()
        for low, high in ranges:
            tick()
            relation = connection.sql(
                "select * from found where Id between ? and ? "
                "qualify row_number() over (partition by Id) = 1 order by Id",
                params=[low, high],
            )
            chunk: pa.Table = relation.to_arrow_table()
            yield from chunk.cast(columns).to_batches()


def _columns(files: Files, path: str) -> pa.Schema:
    with translated(f"read {files.uri(path)}"), files.open_input(path) as source:
        return pq.read_schema(source)


def _widest(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Columns whose types hold the values of all files; see ``org.arrow.Misfit``."""
    kinds: dict[str, set[pa.DataType]] = {}
    for schema in schemas:
        for column in schema:
            kinds.setdefault(column.name, set()).add(column.type)
    return pa.schema([pa.field(name, _widest_type(found)) for name, found in kinds.items()])


def _widest_type(kinds: set[pa.DataType]) -> pa.DataType:
    if len(kinds) == 1:
        return next(iter(kinds))
    is_number = all(pa.types.is_integer(k) or pa.types.is_floating(k) for k in kinds)
    return pa.float64() if is_number else pa.string()
