"""``python -m tests.archive_campaign SEED [POINTS [REAL]]``; the last line is the outcome."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.archive_campaign.campaign import run_seed


def main() -> int:
    given = sys.argv[1:]
    seed, points, real = [*given, *("1", "100", "0.2")[len(given) :]][:3]
    with tempfile.TemporaryDirectory(prefix="sfnb-campaign-") as folder:
        outcome = run_seed(int(seed), int(points), Path(folder), float(real))
    for line in outcome.findings:
        print(line)
    print(outcome.line, flush=True)
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
