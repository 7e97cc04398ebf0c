"""
Parts: pieces of an object's rows as Parquet, streamed from Arrow batches.

A part holds the object's fields, ``_sfnb_op`` (``delete`` where IsDeleted is true, else ``upsert``),
``_sfnb_extracted_at`` (UTC, the moment its rows were read) and the constants of its place. The
partition is in the path.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sfnb.errors import StoreError
from sfnb.store.columns import DELETE, EXTRACTED_AT, HARD_DELETE, MOMENT, OP, TYPES, UPSERT
from sfnb.store.keys import KeyDigest
from sfnb.store.layout import Layout, StoredField
from sfnb.store.sinks import HashingSink

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ROW_GROUP_ROWS = 1 << 16
ROW_GROUP_BYTES = 16 << 20
"""A row group is closed at whichever comes first: it bounds what a writer holds in memory (measured: 32 MB cost 40 MB
more at the peak, and saved half a percent of the file)."""

SAMPLE_ROWS = 4096
DISTINCT_SHARE = 0.4
"""
A column with more distinct values than this share of a sample is written plain: a dictionary would
not pay.
"""


# Arrow's array(), scalar() and repeat() load pandas (50 MB) to recognise its values, so a writer's
# own columns are made of bare buffers.


def text_array(texts: Sequence[str]) -> pa.Array:
    """Texts as Arrow has them."""
    if all(map(str.isascii, texts)):
        lengths, content = map(len, texts), "".join(texts).encode()
    else:  # each by itself: one odd character would make all of them four bytes wide
        raw = [text.encode() for text in texts]
        lengths, content = map(len, raw), b"".join(raw)
    places = array("i", accumulate(lengths, initial=0))
    buffers = [None, pa.py_buffer(places), pa.py_buffer(content)]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def known_true(flags: pa.Array) -> pa.Array:
    """Flags, an absent one as false. Arrow's own ``fill_null`` loads pandas (50 MB)."""
    return pc.and_kleene(pc.is_valid(flags), flags)


OPS = text_array([UPSERT, DELETE, HARD_DELETE])
IS_UPSERT, IS_DELETE, IS_HARD_DELETE = range(3)
"""Their places in ``OPS``."""


@dataclass(frozen=True, slots=True)
class Part:
    """
    One piece of an object's rows on disk.

    Args:
        path: from the table's folder, with ``/``; empty when there were no rows, then there is no
            file.
        rows: live records.
        deleted: records in the recycle bin.
        size_bytes, sha256: of the file.
        min_id, max_id: of all its records; None without rows or without an Id column.
        gone: keys of records that are gone for good.
        ids_digest: of the Ids of all its rows, see ``keys``. None in parts of format 1.
        is_ordered: their Ids rise from row to row. None in parts of format 1.
        widened: fields whose values did not fit their column, and the columns that hold them in
            this part.
        max_modstamp: the newest SystemModstamp (ISO, UTC); None without one.
    """

    path: str
    rows: int
    deleted: int
    size_bytes: int
    sha256: str
    min_id: str | None = None
    max_id: str | None = None
    max_modstamp: str | None = None
    min_modstamp: str | None = None
    ids_digest: str | None = None
    is_ordered: bool | None = None
    widened: Layout = ()
    gone: int = 0

    def as_json(self) -> dict[str, Any]:
        content = asdict(self)
        if not self.gone:
            del content["gone"]
        return content

    @property
    def records(self) -> int:
        """Rows of the file, of every kind."""
        return self.rows + self.deleted + self.gone

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Part:
        widened = tuple(StoredField(**stored) for stored in content.get("widened", ()))
        return cls(**{**content, "widened": widened})

    def delta_stats(self) -> dict[str, Any]:
        """Delta's statistics, as they stand in the commit."""
        low = {"Id": self.min_id, "SystemModstamp": self.min_modstamp}
        high = {"Id": self.max_id, "SystemModstamp": self.max_modstamp}
        return {
            "numRecords": self.records,
            "minValues": {k: v for k, v in low.items() if v is not None},
            "maxValues": {k: v for k, v in high.items() if v is not None},
            "nullCount": {},
        }


NO_ROWS = Part(path="", rows=0, deleted=0, size_bytes=0, sha256="")
"""What stands for no rows: there is no file, and committing it only moves the cursor."""


def iso(moment: datetime) -> str:
    """``2026-11-09T05:12:03.118Z``; microseconds only if there are any."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return (
        utc.isoformat(timespec="microseconds" if utc.microsecond % 1000 else "milliseconds") + "Z"
    )


CODED = pa.dictionary(pa.int8(), pa.string())


def part_schema(columns: pa.Schema, constants: Sequence[tuple[str, str]] = ()) -> pa.Schema:
    """The schema of a part's file for these columns."""
    own = [pa.field(OP, CODED), pa.field(EXTRACTED_AT, MOMENT)]
    return pa.schema([*columns, *own, *(pa.field(name, CODED) for name, _ in constants)])


def _codes(code: int, count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.int8(), count, [None, pa.py_buffer(bytes([code]) * count)])


def regrouped(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in the same order, as tables of a row group's size. Copies nothing."""
    held: list[pa.RecordBatch] = []
    rows = size_bytes = 0
    for batch in batches:
        if batch.num_rows == 0:
            continue
        if held and not batch.schema.equals(held[0].schema):
            yield pa.Table.from_batches(held)
            held, rows, size_bytes = [], 0, 0
        held.append(batch)
        rows += batch.num_rows
        size_bytes += batch.nbytes
        if rows >= ROW_GROUP_ROWS or size_bytes >= ROW_GROUP_BYTES:
            table = pa.Table.from_batches(held)
            held, rows, size_bytes = [], 0, 0
            del batch
            yield table
            del table
    if held:
        yield pa.Table.from_batches(held)


def conformed(table: pa.Table, columns: pa.Schema, object_name: str) -> pa.Table:
    """
    The table with exactly these columns: by name, cast without loss, absent ones null.

    Raises:
        StoreError: a column is unknown, or a value would change.
    """
    if table.schema.equals(columns):
        return table
    if unknown := set(table.column_names) - set(columns.names):
        raise StoreError(
            f"{object_name}: the rows have columns that the table lacks: {', '.join(sorted(unknown))}."
        )
    arrays = []
    for field in columns:
        if field.name not in table.column_names:
            arrays.append(pa.nulls(table.num_rows, field.type))
            continue
        column = table.column(field.name)
        try:
            arrays.append(
                column if column.type == field.type else column.cast(field.type, safe=True)
            )
        except pa.ArrowException as err:
            raise StoreError(
                f"{object_name}: a value of {field.name} ({column.type}) does not fit the table's {field.type} "
                "without loss; exclude the object, or start a new store."
            ) from err
    return pa.Table.from_arrays(arrays, schema=columns)


def plain_columns(sample: pa.Table) -> set[str]:
    """Columns whose values hardly ever repeat."""
    head = sample.slice(0, SAMPLE_ROWS)
    found = set()
    for name in head.column_names:
        column = head.column(name)
        present = len(column) - column.null_count
        if present and pc.count_distinct(column).as_py() > DISTINCT_SHARE * present:
            found.add(name)
    return found


def record_ids(source: Any) -> list[str]:
    """
    Ids of the records in one part's file (an Arrow input), those in the recycle bin too. Reads two
    columns; loads no pandas.
    """
    found: list[str] = []
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(columns=["Id", OP]):
            is_there = pc.not_equal(batch.column(1), HARD_DELETE)
            found += batch.column(0).filter(is_there).to_pylist()
    return found


def _is_text(kind: pa.DataType) -> bool:
    """
    Text, whose least and greatest value in a row group would cost a sixth of a writer's CPU time.
    """
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


class RowGroupWriter:
    """
    Writes one part into a sink, row group by row group. For one thread: each part has its own.

    Args:
        constants: text columns of sfnb's and the value that all rows have in them.
        op: of all rows, by its place in ``OPS``; None: as IsDeleted says.
    """

    def __init__(
        self,
        sink: HashingSink,
        layout: Layout,
        *,
        object_name: str,
        extracted_at: datetime,
        constants: Sequence[tuple[str, str]] = (),
        op: int | None = None,
    ) -> None:
        self._sink = sink
        self._columns = pa.schema([pa.field(f.field, TYPES[f.kind]) for f in layout])
        self._names = [f.column for f in layout]
        self._object = object_name
        self._extracted_at = struct.pack("<q", (extracted_at - EPOCH) // timedelta(microseconds=1))
        self._constants = constants
        self._op = op
        physical = pa.schema([pa.field(f.column, TYPES[f.kind]) for f in layout])
        self._schema = part_schema(physical, constants)
        self._writer: pq.ParquetWriter | None = None
        self.content = PartContent()

    def write(self, table: pa.Table, extracted: pa.ChunkedArray | None = None) -> None:
        """
        One row group (more, if the table is very large).

        Args:
            extracted: when each row was read; None: when the part was begun.
        """
        rows = conformed(table, self._columns, self._object)
        count = rows.num_rows
        group_rows = count if count <= 2 * ROW_GROUP_ROWS else ROW_GROUP_ROWS
        stored = self._with_own_columns(rows, extracted)
        self._open(rows.rename_columns(self._names)).write_table(stored, row_group_size=group_rows)
        self.content.add(rows)
        # Arrow's allocator would keep a row group's worth of free pages for every thread that ever
        # wrote one.
        pa.default_memory_pool().release_unused()

    def _open(self, sample: pa.Table) -> pq.ParquetWriter:
        if self._writer is None:
            plain = plain_columns(sample)
            self._writer = pq.ParquetWriter(
                self._sink,
                self._schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[name for name in self._schema.names if name not in plain],
                write_statistics=[
                    f.name for f in self._schema if f.name == "Id" or not _is_text(f.type)
                ],
                # Plain Parquet for everybody: the Arrow schema would make readers see dictionaries.
                store_schema=False,
            )
        return self._writer

    def _with_own_columns(self, rows: pa.Table, extracted: pa.ChunkedArray | None) -> pa.Table:
        count = rows.num_rows
        if extracted is None:
            extracted = pa.Array.from_buffers(
                MOMENT, count, [None, pa.py_buffer(self._extracted_at * count)]
            )
        own = [pa.DictionaryArray.from_arrays(self._ops(rows), OPS), extracted]
        for _, value in self._constants:
            own.append(pa.DictionaryArray.from_arrays(_codes(0, count), text_array([value])))
        return pa.Table.from_arrays([*rows.columns, *own], schema=self._schema)

    def _ops(self, rows: pa.Table) -> pa.Array:
        count = rows.num_rows
        if self._op is not None:
            self.content.deleted += count * (self._op == IS_DELETE)
            self.content.gone += count * (self._op == IS_HARD_DELETE)
            return _codes(self._op, count)
        if "IsDeleted" in rows.column_names and pa.types.is_boolean(
            rows.schema.field("IsDeleted").type
        ):
            flags = rows.column("IsDeleted")
            is_deleted = pc.and_kleene(flags, pc.is_valid(flags))  # null is false
            if deleted := pc.sum(is_deleted).as_py():
                self.content.deleted += deleted
                return is_deleted.combine_chunks().cast(pa.int8())
        return _codes(IS_UPSERT, count)

    def close(self) -> None:
        """Write Parquet's footer; after an error, release the file."""
        if self._writer is not None:
            self._writer.close()

    def part(self, path: str) -> Part:
        """The part that was written, after ``close``."""
        if self._writer is None:
            return NO_ROWS
        return self.content.part(path, self._sink.size_bytes, self._sink.sha256)


class PartContent:
    """What a part's entry says of its rows, summed while they are written."""

    def __init__(self) -> None:
        self.records = self.deleted = self.gone = 0
        self._ids, self._stamps, self._keys = Range(), Range(), KeyDigest()

    def add(self, rows: pa.Table, *, deleted: int = 0, gone: int = 0) -> None:
        """Rows, and how many of them are of records in the bin and of records that are gone."""
        self.records += rows.num_rows
        self.deleted += deleted
        self.gone += gone
        self._ids.widen(rows, "Id")
        self._stamps.widen(rows, "SystemModstamp")
        if "Id" in rows.column_names:
            self._keys.add(rows.column("Id"))

    def part(self, path: str, size_bytes: int, sha256: str) -> Part:
        """The entry of a file of this size and digest."""
        low, high = self._stamps.low, self._stamps.high
        return Part(
            path=path,
            rows=self.records - self.deleted - self.gone,
            deleted=self.deleted,
            gone=self.gone,
            size_bytes=size_bytes,
            sha256=sha256,
            min_id=self._ids.low,
            max_id=self._ids.high,
            min_modstamp=iso(low) if isinstance(low, datetime) else None,
            max_modstamp=iso(high) if isinstance(high, datetime) else None,
            ids_digest=self._keys.hex,
            is_ordered=self._keys.is_ordered,
        )


class Range:
    """Smallest and largest value of a column so far."""

    def __init__(self) -> None:
        self.low: Any = None
        self.high: Any = None

    def widen(self, rows: pa.Table, column: str) -> None:
        if column not in rows.column_names:
            return
        values = rows.column(column)
        is_moment = pa.types.is_timestamp(values.type)
        # A moment's as_py loads pandas; its microseconds' does not.
        found: Mapping[str, Any] = pc.min_max(
            values.cast(MOMENT).cast(pa.int64()) if is_moment else values
        ).as_py()
        if is_moment and found["min"] is not None:
            found = {key: EPOCH + timedelta(microseconds=value) for key, value in found.items()}
        if found["min"] is not None:
            self.low = found["min"] if self.low is None else min(self.low, found["min"])
            self.high = found["max"] if self.high is None else max(self.high, found["max"])
