"""
Whether two Parquet files hold the same records, value by value, in whatever order.

    python benchmarks/same_values.py FLOOR.parquet SFNB.parquet

The first may have deleted records (IsDeleted); a backup's export has only those alive. Prints the number of values
compared, or the first column that differs.
"""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def main(floor_path: str, sfnb_path: str) -> None:
    floor, sfnb = pq.ParquetFile(floor_path), pq.ParquetFile(sfnb_path)
    names = floor.schema_arrow.names
    if sorted(names) != sorted(n for n in sfnb.schema_arrow.names if not n.startswith("_sfnb_")):
        raise SystemExit("the columns differ")
    alive = pc.indices_nonzero(
        pc.invert(pc.fill_null(_column(floor, "IsDeleted"), fill_value=False))
    )
    # In the order of Ids both files are lists of the same records, if they are the same.
    floor_order = alive.take(pc.sort_indices(_column(floor, "Id").take(alive)))
    sfnb_order = pc.sort_indices(_column(sfnb, "Id"))
    if len(floor_order) != len(sfnb_order):
        raise SystemExit(
            f"{len(floor_order):,} records are alive in the one, {len(sfnb_order):,} in the other"
        )
    for name in names:
        left, right = _column(floor, name).take(floor_order), _column(sfnb, name).take(sfnb_order)
        if left.type != right.type:
            right = right.cast(left.type)
        if not left.equals(right):
            raise SystemExit(f"{name} differs")
    print(f"{len(floor_order) * len(names):,} values of {len(floor_order):,} records are the same")


def _column(file: pq.ParquetFile, name: str) -> pa.Array:
    column = file.read(columns=[name]).column(0)
    # 32-bit offsets end at 2 GB of text in one column.
    if pa.types.is_string(column.type):
        column = column.cast(pa.large_string())
    return column.combine_chunks()


if __name__ == "__main__":
    main(*sys.argv[1:])
