"""``python -m tests.archive_campaign SEED [POINTS]``; the last line is the outcome."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.archive_campaign.campaign import run_seed


def main() -> int:
    seed, points = (
        [*map(int, sys.argv[1:]), 1, 100][:2] if len(sys.argv) < 3 else map(int, sys.argv[1:3])
    )
    with tempfile.TemporaryDirectory(prefix="sfnb-campaign-") as folder:
        outcome = run_seed(seed, points, Path(folder))
    for line in outcome.findings:
        print(line)
    print(outcome.line, flush=True)
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
