"""Records of snapshots that were begun in format 1 or 2: each snapshot has all its rows itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.store.columns import EXTRACTED_AT, MOMENT, OP, TYPES
from sfnb.store.files import Files
from sfnb.store.layout import FieldSource
from sfnb.store.parts import Part
from sfnb.store.paths import table_path
from sfnb.store.progress import Progress
from sfnb.store.proof import DURABLE_ID, EMPTY, ID
from sfnb.store.row_stream import RowStream
from sfnb.store.translating import translated

if TYPE_CHECKING:
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

    def everything(self) -> Iterator[pa.RecordBatch]:
        """The newest version of each record, those in the recycle bin included."""
        repeated = self.repeated_keys
        with translated(f"read {self.name}"):
            yield from self.dataset.to_batches(
                columns=self._fields,
                filter=~self._fields[self.key or ""].isin(repeated) if len(repeated) else None,
                batch_size=BATCH_ROWS,
                batch_readahead=2,
                fragment_readahead=1,
            )
        if len(repeated):
            newest = self._newest_rows(repeated, self.key or "")
            yield from newest.select(self.columns.names).to_batches()

    def batches(self, fields: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The live records: of each key the newest version, unless that one is deleted."""
        live = pc.field(OP) == "upsert"
        names = list(self.columns.names if fields is None else fields)
        repeated = self.repeated_keys
        if len(repeated):
            live = live & ~self._fields[self.key or ""].isin(repeated)
        with translated(f"read {self.name}"):
            yield from self.dataset.to_batches(
                columns={name: self._fields[name] for name in names},
                filter=live,
                batch_size=BATCH_ROWS,
                batch_readahead=2,
                fragment_readahead=1,
            )
        if len(repeated):
            yield from self._newest(repeated).select(names).to_batches()

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

    def add_view(self, connection: Any, quoted: str) -> RowStream | None:
        """See ``views.Rows``."""
        source = f"_sfnb_rows_of_{self.name}"
        if self.sources:
            # Some fields are in columns of other names: Arrow puts them together, as for a frame.
            rows = RowStream(self.columns, self.batches)
            connection.register(source, rows)
            connection.execute(f"create view {quoted} as from {_quoted(source)}")
            return rows
        connection.register(source, self.dataset)
        fields = ", ".join(_quoted(name) for name in self.columns.names)
        live = f"select {fields} from {_quoted(source)} where {OP} = 'upsert'"  # noqa: S608 (names are quoted)
        if len(self.repeated_keys):
            newest = f"_sfnb_newest_of_{self.name}"
            repeated = f"_sfnb_repeated_of_{self.name}"
            connection.register(newest, self._newest(self.repeated_keys))
            connection.register(repeated, pa.table({"key": self.repeated_keys}))
            key = _quoted(self.key or "")
            # Not NOT IN, which is never true for an absent key.
            live += f" and not exists (select 1 from {_quoted(repeated)} r where r.key = {key})"  # noqa: S608
            live += f" union all select {fields} from {_quoted(newest)}"  # noqa: S608
        connection.execute(f"create view {quoted} as {live}")
        return None


def _value_of(source: FieldSource) -> pc.Expression:
    """A field from the columns that hold it."""
    held = [pc.field(column) for column, _ in source.columns]
    if any(kind != source.kind for _, kind in source.columns):
        # A widened field: ints beside doubles, or numbers beside text.
        held = [value.cast(TYPES[source.kind], safe=False) for value in held]
    return held[0] if len(held) == 1 else pc.Expression._call("coalesce", held)


def rows_of(
    files: Files,
    snapshot: str,
    name: str,
    sources: Sequence[FieldSource],
    committed: tuple[Progress, Sequence[Part]],
) -> Rows:
    """An object's records in a snapshot of format 1 or 2, not yet read."""
    import pyarrow.dataset as pads  # loads pandas, which a backup does without

    progress, parts = committed
    columns = pa.schema([pa.field(source.field, TYPES[source.kind]) for source in sources])
    table = files.below(table_path(name))
    held = {column: TYPES[kind] for source in sources for column, kind in source.columns}
    physical = pa.schema({**held, OP: pa.string(), EXTRACTED_AT: MOMENT})
    with translated(f"open {name} of snapshot {snapshot}"):
        dataset = pads.dataset(
            [part.path for part in parts],
            schema=physical,
            format="parquet",
            filesystem=table.filesystem,
        )
    return Rows(name, columns, dataset, _key_to_compare(progress, columns), sources)


def _key_to_compare(progress: Progress, columns: pa.Schema) -> str | None:
    """
    The field by which rows may be versions of one record; None where they are proven not to be.
    """
    proof = progress.proof
    if proof is None:  # unfinished, or of format 1
        return DURABLE_ID if DURABLE_ID in columns.names else ID
    return proof.key if proof.distinct < proof.rows else None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
