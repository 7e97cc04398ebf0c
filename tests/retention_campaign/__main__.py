"""``python -m tests.retention_campaign SEED [KILLS [PLACE]]``; the last line is the outcome."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.contracts.s3_server import running_s3
from tests.retention_campaign.campaign import run_seed


def main() -> int:
    given = sys.argv[1:]
    seed, kills, place = [*given, *("1", "100", "folder")[len(given) :]][:3]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sfnb-campaign-"))
        address = stack.enter_context(running_s3()) if "bucket" in place else ""
        outcome = run_seed(
            int(seed), int(kills), Path(folder), address=address, is_sealed="sealed" in place
        )
    for line in outcome.findings:
        print(line)
    print(outcome.line, flush=True)
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
