"""Pages of a CSV export as byte ranges, for any first row and any number of rows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sfnb.demo.server.wire import Slice

if TYPE_CHECKING:
    from sfnb.demo.data.database import CsvExport


def page_slices(export: CsvExport, start: int, rows: int) -> list[Slice]:
    """
    The byte ranges that hold rows ``start`` to ``start + rows - 1``.

    Whole chunks cost nothing to find; a chunk that is cut is read once for its record ends.
    """
    slices: list[Slice] = []
    first = 0
    for chunk in export.chunks:
        low, high = max(start - first, 0), min(start + rows - first, chunk.rows)
        first += chunk.rows
        if low >= high:
            continue
        begin, end = 0, chunk.length
        if low > 0 or high < chunk.rows:
            ends = _record_ends(chunk.path, chunk.offset, chunk.length)
            begin = int(ends[low - 1]) if low else 0
            end = int(ends[high - 1])
        offset = chunk.offset + begin
        if slices and slices[-1].path == chunk.path and slices[-1].offset + slices[-1].length == offset:
            slices[-1] = Slice(chunk.path, slices[-1].offset, slices[-1].length + end - begin)
        else:
            slices.append(Slice(chunk.path, offset, end - begin))
    return slices


@lru_cache(maxsize=32)
def _record_ends(path: Path, offset: int, length: int) -> npt.NDArray[np.int64]:
    """
    Where each record of a chunk ends, its line end included.

    A line feed ends a record when an even number of quotes stands before it: every value is quoted, and a quote
    inside one is doubled.
    """
    data = np.fromfile(path, dtype=np.uint8, count=length, offset=offset)
    is_outside = np.cumsum(data == ord('"')) % 2 == 0
    return np.flatnonzero((data == ord("\n")) & is_outside) + 1
