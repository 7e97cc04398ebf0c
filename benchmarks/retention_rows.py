"""A year of snapshots, and an erasure of it; see retention_year.py, which starts this."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from store_year import BEGAN, ORG_ID, Year

from sfnb.clock import FakeClock, SystemClock
from sfnb.store.erasing.run import census, erase, left
from sfnb.store.tables import open_store


def make(root: Path, rows: int, days: int, share: float) -> None:
    """Snapshots a day apart, each with some changed records; compacted as backups do."""
    draw, clock = np.random.default_rng(1), FakeClock(BEGAN)
    numbers, version = np.arange(rows), np.zeros(rows, np.int64)
    year = Year(open_store(root, clock=clock).org(ORG_ID), clock, 0)
    year.back_up(0, numbers, version)
    for day in range(1, days):
        changed = np.sort(draw.choice(rows, max(1, int(rows * share)), replace=False))
        version[changed] += 1
        year.back_up(day, changed, version[changed])


def take_out(root: Path, numbers: list[int]) -> None:
    """Plan, erase and look again, as the job does."""
    files = open_store(root).org(ORG_ID).files
    ids = {"Account": [f"001{n:012d}AAA" for n in numbers]}
    found = census(files, ids)
    print(len(found.records["Account"]), len(found.snapshots))
    erase(files, ids, SystemClock(), may_touch=lambda _: True)
    if wrong := left(files, ids):
        sys.exit(f"left in {wrong}")


def main() -> None:
    what, root, *given = sys.argv[1:]
    if what == "make":
        make(Path(root), int(given[0]), int(given[1]), float(given[2]))
    else:
        take_out(Path(root), [int(one) for one in given])


if __name__ == "__main__":
    main()
