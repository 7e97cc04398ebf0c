"""Versions counted: how many, and a digest of which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from sfnb.store.columns import FROM
from sfnb.store.commits import VersionCount
from sfnb.store.compaction.ends import Codes
from sfnb.store.files import Files
from sfnb.store.keys import MASK, key_hashes
from sfnb.store.proof import ID
from sfnb.store.states.contents import mixed
from sfnb.store.states.files import read_pieces


def indices_of(column: pa.DictionaryArray) -> Codes:
    """The places in its dictionary; no value is absent. A bare buffer, as conversions load pandas."""
    indices = column.indices
    return np.frombuffer(indices.buffers()[1], np.int32, len(indices), indices.offset * 4)


@dataclass
class VersionCounter:
    """
    Counts versions: how many, and a digest of their Ids and the snapshots that brought them,
    whatever their order. Rows without an Id count by their snapshot.
    """

    rows: int = 0
    _sums: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, batch: pa.RecordBatch) -> None:
        """More versions, with ``_sfnb_from`` as a dictionary, and their Ids."""
        self.rows += batch.num_rows
        brought = batch.column(FROM)
        for lane in (0, 1):
            begun = key_hashes(brought.dictionary, lane)[indices_of(brought)]
            hashes = mixed(begun)
            if ID in batch.schema.names:
                hashes = mixed(hashes ^ key_hashes(batch.column(ID), lane))
            self._sums[lane] = (self._sums[lane] + int(hashes.sum(dtype=np.uint64))) & MASK

    @property
    def count(self) -> VersionCount:
        return VersionCount(self.rows, f"{self._sums[0]:016x}{self._sums[1]:016x}")


def count_versions(table: Files, paths: Sequence[str]) -> VersionCount:
    """The versions that some files have."""
    counter = VersionCounter()
    for path in paths:
        for piece in read_pieces(table, path, {ID, FROM}):
            counter.add(piece.batch)
    return counter.count
