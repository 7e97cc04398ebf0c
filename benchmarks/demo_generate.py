"""
How fast the demo org is born and exports: seconds and rows, for a given number of contacts.

    python benchmarks/demo_generate.py [ROWS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from sfnb_demo.data.database import Database


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        database = Database(
            size="tiny", clock=lambda: datetime.now(UTC), overrides={"Contact": rows}
        )
        _line("generate", time.perf_counter() - start, rows)
        fields = [
            f["name"]
            for f in database.describe("Contact", "66.0")["fields"]
            if f["type"] not in ("address", "base64")
        ]
        start = time.perf_counter()
        soql = f"SELECT {', '.join(fields)} FROM Contact"
        export = database.export_csv(soql, Path(folder), all_rows=True, version="66.0")
        _line(
            f"export {len(fields)} columns, {export.size / 1e6:.0f} MB",
            time.perf_counter() - start,
            export.rows,
        )
        start = time.perf_counter()
        result = database.query(soql, all_rows=True, version="66.0")
        _line("query, all columns", time.perf_counter() - start, result.total_size)
        start = time.perf_counter()
        for offset in range(0, 20_000, 2_000):
            result.rows(offset, 2_000)
        _line("ten pages of JSON records", time.perf_counter() - start, 20_000)
        print(f"memory now {process.memory_info().rss / 1e6:.0f} MB")
        export.delete()
        database.close()


def _line(what: str, seconds: float, rows: int) -> None:
    print(f"{what:<40} {seconds:8.2f} s {rows:>10,} rows {rows / seconds:>12,.0f} rows/s")


if __name__ == "__main__":
    main()
