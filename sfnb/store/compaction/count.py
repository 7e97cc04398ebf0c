"""Versions counted: how many, and a digest of which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sfnb.store.columns import FROM
from sfnb.store.compaction.ends import Codes
from sfnb.store.files import Files
from sfnb.store.keys import MASK, key_hashes
from sfnb.store.log import VersionCount
from sfnb.store.proof import ID
from sfnb.store.states.contents import mixed
from sfnb.store.states.files import read_pieces


def indices_of(column: pa.DictionaryArray) -> Codes:
    """The places in its dictionary; no value is absent. A bare buffer, as conversions load pandas."""
    indices = column.indices
    return np.frombuffer(indices.buffers()[1], np.int32, len(indices), indices.offset * 4)


def count_versions(table: Files, paths: Sequence[str]) -> VersionCount:
    """
    How many versions some files have, and a digest of their Ids and the snapshots that brought
    them, whatever their order. Rows without an Id count by their snapshot.
    """
    rows, sums = 0, [0, 0]
    for path in paths:
        for piece in read_pieces(table, path, {ID, FROM}):
            batch = piece.batch
            rows += batch.num_rows
            brought = batch.column(FROM)
            for lane in (0, 1):
                begun = key_hashes(brought.dictionary, lane)[indices_of(brought)]
                hashes = mixed(begun)
                if ID in batch.schema.names:
                    hashes = mixed(hashes ^ key_hashes(batch.column(ID), lane))
                sums[lane] = (sums[lane] + int(hashes.sum(dtype=np.uint64))) & MASK
    return VersionCount(rows, f"{sums[0]:016x}{sums[1]:016x}")
