"""
Whether an object is complete (P9): the org's count against the stored rows, and the stored rows
distinct by their key.

Counts alone prove nothing: a page served twice in place of the next one keeps them right.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sfnb.errors import StoreError
from sfnb.store.columns import OWN_COLUMNS
from sfnb.store.files import Files
from sfnb.store.keys import NO_KEYS, KeyDigest, Words, add_digests, key_hashes, repeated
from sfnb.store.parts import Part
from sfnb.store.translating import translated

ID, DURABLE_ID = "Id", "DurableId"

EMPTY = (None, "", "000000000000000", "000000000000000AAA")
"""
No Id, and Salesforce's empty one: AppDefinition and others have it in every row (recorded answers
of real orgs).
"""

STAMP = "SystemModstamp"

KEYS_AT_ONCE = 1 << 22
"""
Keys compared in memory at a time (8 bytes each); more are sorted into files of about this size
first.
"""

LOOKED_AT = 10_000
"""Repeated rows that are compared field by field; with more, the repetition stands as it is."""


@dataclass(frozen=True, slots=True)
class Proof:
    """
    What is known of an object's completeness when its reading ends.

    Args:
        rows: stored rows, those in the recycle bin included.
        distinct: how many different values of ``key`` they have; without a key, of Id.
        key: the field that tells the rows apart: ``Id`` or ``DurableId``; None: no field does.
        digest: of the rows' Ids, see ``keys``.
        org_count: how many rows the org said there are; None: it gave no number.
    """

    rows: int
    distinct: int
    key: str | None
    digest: str
    org_count: int | None = None
    erased: int = 0

    @property
    def problem(self) -> str:
        """Why the object is not complete; empty when nothing speaks against it."""
        if self.org_count is not None and self.org_count != self.rows + self.erased:
            return f"the org counts {self.org_count:,} rows, {self.rows + self.erased:,} are stored"
        if self.key is not None and self.distinct != self.rows:
            return f"{self.rows - self.distinct:,} of {self.rows:,} stored rows are repetitions"
        return ""

    @property
    def basis(self) -> str:
        """How it was proven, for people and ``--json``."""
        gaps = ["no count given"] * (self.org_count is None) + ["no key"] * (self.key is None)
        return ", ".join(gaps) or "counts and distinct"

    def as_json(self) -> dict[str, Any]:
        content = asdict(self)
        if not self.erased:
            del content["erased"]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Proof:
        return cls(**content)


def prove(
    table: Files, parts: Sequence[Part], fields: Sequence[str], *, org_count: int | None = None
) -> Proof:
    """
    The proof for these parts.

    Args:
        table: the table's folder.
        fields: the object's fields in this snapshot.

    Cost: nothing where the parts' Ids rise and do not overlap, as keyset pages do. Otherwise one
        column of each part is
    read, once; memory is bounded whatever the number of rows.

    Raises:
        StoreError: a part cannot be read.
    """
    rows = sum(part.rows + part.deleted for part in parts)
    if ID not in fields:
        return Proof(rows, rows, None, NO_KEYS, org_count)
    digest = _digest(table, parts)
    distinct, again = (rows, None) if _is_ordered(parts) else _distinct(table, parts, ID)
    if distinct == rows or again is None:
        return Proof(rows, rows, ID, digest, org_count)
    names = _distinct(table, parts, DURABLE_ID) if DURABLE_ID in fields else None
    if names is not None and names[0] == rows:
        return Proof(rows, rows, DURABLE_ID, digest, org_count)
    if not _are_different_records(table, parts, again):
        return Proof(rows, distinct, ID, digest, org_count)
    if names is not None and _has_copies(table, parts, names[1]):
        return Proof(rows, names[0], DURABLE_ID, digest, org_count)
    return Proof(rows, distinct, None, digest, org_count)


def _digest(table: Files, parts: Sequence[Part]) -> str:
    digests = []
    for part in parts:
        if part.ids_digest is None:  # written by sfnb 0.1
            found = KeyDigest()
            for batch in column(table, part, ID):
                found.add(batch)
            digests.append(found.hex)
        else:
            digests.append(part.ids_digest)
    return add_digests(digests)


def _is_ordered(parts: Sequence[Part]) -> bool:
    """Whether the parts' Ids rise within each and do not overlap: then all of them are distinct."""
    spans = sorted((part.min_id or "", part.max_id or "") for part in parts)
    return all(part.is_ordered for part in parts) and all(
        before[1] < after[0] for before, after in pairwise(spans)
    )


def _batches(table: Files, part: Part, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    with (
        translated(f"read {table.uri(part.path)}"),
        table.open_input(part.path) as source,
        pq.ParquetFile(source) as file,
    ):
        yield from file.iter_batches(columns=columns)


def column(table: Files, part: Part, name: str) -> Iterator[pa.Array]:
    """
    One column of a part, batch by batch.

    Raises:
        StoreError: the file cannot be read, or has no such column.
    """
    for batch in _batches(table, part, [name]):
        if not batch.num_columns:
            raise StoreError(f"{table.uri(part.path)} is damaged: it has no column {name}.")
        yield batch.column(0)


def _distinct(table: Files, parts: Sequence[Part], name: str) -> tuple[int, Words]:
    """How many different values a column has, and the hashes of those that come more than once."""
    rows = sum(part.rows + part.deleted for part in parts)
    shares = -(-rows // KEYS_AT_ONCE)
    hashes = (key_hashes(piece, 0) for part in parts for piece in column(table, part, name))
    if shares <= 1:
        return repeated(np.concatenate([np.empty(0, np.uint64), *hashes]))
    with ExitStack() as files:
        spill = [files.enter_context(tempfile.TemporaryFile()) for _ in range(shares)]
        for found in hashes:
            _spread(found, spill)
        return _collected(spill)


def _spread(hashes: Words, spill: Sequence[IO[bytes]]) -> None:
    """Sort hashes into files so that equal ones meet in the same file."""
    shares = hashes % np.uint64(len(spill))
    for number, file in enumerate(spill):
        file.write(hashes[shares == number].tobytes())


def _collected(spill: Sequence[IO[bytes]]) -> tuple[int, Words]:
    distinct = 0
    again: list[Words] = [np.empty(0, np.uint64)]
    for file in spill:
        file.seek(0)
        count, found = repeated(np.frombuffer(file.read(), np.uint64).copy())
        distinct += count
        again.append(found)
    return distinct, np.concatenate(again)


# -- rows that share an Id ---------------------------------------------------------------------------------------------


def _are_different_records(table: Files, parts: Sequence[Part], again: Words) -> bool:
    """
    Whether rows that share an Id are records of their own: the Id is Salesforce's empty one, or
    they differ though none is a newer version of another. Anything else is a repetition: a page
    served twice, or a record that changed between two pages.
    """
    groups = _rows_of(table, parts, again, ID)
    if groups is None:
        return False
    for rows in groups.values():
        stamps = {row.get(STAMP) for row in rows}
        different = {repr(sorted(row.items())) for row in rows}
        if len(stamps) > 1 or len(different) < len(rows):
            return False
    return True


def _has_copies(table: Files, parts: Sequence[Part], again: Words) -> bool:
    """
    Whether rows of one DurableId are the same in every field: a row came twice, in place of another
    one, where all of them share an Id.
    """
    groups = _rows_of(table, parts, again, DURABLE_ID) or {}
    return any(
        len({repr(sorted(row.items())) for row in rows}) < len(rows) for rows in groups.values()
    )


def _rows_of(
    table: Files, parts: Sequence[Part], again: Words, key: str
) -> dict[str, list[dict[str, Any]]] | None:
    """
    By key, the rows whose keys have these hashes, but for empty ones; None if they are too many to
    compare.
    """
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    looked_at = 0
    for part in parts:
        for batch in _batches(table, part, None):
            found = _named_again(batch, again, key)
            looked_at += found.num_rows
            if looked_at > LOOKED_AT:
                return None
            for row in found.to_pylist():
                groups[row[key]].append(row)
    return groups


def _named_again(batch: pa.RecordBatch, again: Words, key: str) -> pa.RecordBatch:
    """The rows of a batch whose keys are repeated and not empty, without sfnb's own columns."""
    ids = batch.column(key)
    is_empty = np.asarray(pc.is_in(ids.cast(pa.string()), value_set=pa.array(EMPTY)))
    is_again = np.isin(key_hashes(ids, 0), again) & ~is_empty
    fields = [name for name in batch.schema.names if name not in OWN_COLUMNS]
    return batch.select(fields).filter(pa.array(is_again))
