"""
How much of a backup's CPU time proves that it is complete (P9): digests of the Ids, distinct keys.

    python benchmarks/proof_share.py --rows 1000000

The proving functions are timed by their threads' CPU clock, within one real backup of an object; the aim is 3 %. Counts
of pages are compared once a page and cost nothing to speak of.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from demo_process import DemoProcess, sfnb_home
from measured import measure

TIMED = """
import atexit, functools, json, os, threading, time

spent = {}
depth = threading.local()

def timed(owner, name):
    real = getattr(owner, name)
    key = f"{owner.__name__}.{name}"

    @functools.wraps(real)
    def call(*args, **more):
        outer = getattr(depth, "n", 0)
        depth.n = outer + 1
        began = time.thread_time()
        try:
            return real(*args, **more)
        finally:
            depth.n = outer
            if not outer:
                spent[key] = spent.get(key, 0.0) + time.thread_time() - began

    setattr(owner, name, call)

from sfnb.store import keys, objects
timed(keys.KeyDigest, "add")
timed(objects, "prove")

@atexit.register
def written():
    with open(os.environ["SFNB_SPENT"], "w") as file:
        json.dump({"spent": spent, "cpu_s": time.process_time()}, file)

from sfnb.cli import main
main()
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sfnb-benchmark-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        demo = ["--size", "tiny", "--objects", f"Contact={options.rows}", "--no-gzip"]
        with DemoProcess(
            work / "org", *demo, "--competitors", "off", "--max-calls", "1000000", "--no-event-log"
        ) as org:
            spent = work / "spent.json"
            took = measure(
                [sys.executable, "-c", TIMED, "backup", "bench", "--objects", "Contact", "--json"],
                environment={**sfnb_home(work / "home", org), "SFNB_SPENT": str(spent)},
                folder=work / "run",
            )
        if took.exit_code:
            said = (work / "run" / "errors.txt").read_text("utf-8", errors="replace")
            sys.exit(f"sfnb backup ended with {took.exit_code}: {said.strip()}")
        found = json.loads(spent.read_text("utf-8"))
    rows = json.loads(took.output)["rows"]
    for function, seconds in found["spent"].items():
        print(f"{function}: {seconds:.3f} CPU s")
    total, proof = found["cpu_s"], sum(found["spent"].values())
    print(
        f"{rows:,} rows: {proof:.2f} of {total:.2f} CPU s prove them: "
        f"{100 * proof / (total - proof):.1f} % more than without"
    )


if __name__ == "__main__":
    main()
