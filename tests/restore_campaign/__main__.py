"""``python -m tests.restore_campaign SEED…``: replay seeds; the last line of each is its outcome."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.restore_campaign.campaign import run_seed


def main() -> int:
    is_good = True
    for seed in map(int, sys.argv[1:] or ["1"]):
        with tempfile.TemporaryDirectory(prefix="sfnb-campaign-") as folder:
            outcome = run_seed(seed, Path(folder))
        for line in outcome.findings:
            print(line)
        print(outcome.line, flush=True)
        is_good = is_good and outcome.is_good
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
