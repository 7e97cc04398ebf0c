"""Which versions some snapshots need. Pure, but for the batches."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sfnb.store.columns import FROM, UNTIL
from sfnb.store.states.contents import Flags


def is_needed(points: Sequence[str], begun: str, ended: str | None) -> bool:
    """
    Whether a version is in the state of one of some snapshots.

    Args:
        points: the snapshots, oldest first.
        begun: the snapshot that brought the version.
        ended: the snapshot that ended it; None: none has.
    """
    at = bisect_left(points, begun)
    return at < len(points) and (ended is None or points[at] < ended)


def needed_rows(batch: pa.RecordBatch, points: Sequence[str]) -> Flags:
    """Of each version of a batch, with its ``_sfnb_from`` and ``_sfnb_until``, whether it is needed."""
    begun, begun_texts = _coded(batch.column(FROM))
    ended, ended_texts = _coded(batch.column(UNTIL))
    table = np.array(
        [[is_needed(points, str(b), e) for e in [*ended_texts, None]] for b in begun_texts], bool
    ).reshape(len(begun_texts), len(ended_texts) + 1)
    found: Flags = table[begun, ended]
    return found


def _coded(column: pa.Array) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], list[str]]:
    """Of each row the place of its text; absent ones have the place behind the last."""
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = coded.dictionary.to_pylist()
    places = np.array(
        [len(texts) if at is None else at for at in coded.indices.to_pylist()], np.int64
    )
    return places, texts
