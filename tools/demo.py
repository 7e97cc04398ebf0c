"""
``make demo``: the demo org, and run_backup.ipynb through papermill, with a pause on the way.

One real second is an hour and a half in the demo org, so calls spent come back within seconds. Its limit is set so low
that the backup meets it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HOME = Path(os.environ.get("SFNB_HOME") or Path(__file__).resolve().parent.parent / ".demo")
SFNB = [sys.executable, "-c", "from sfnb.cli import main; main()"]


def sfnb(*args: str) -> subprocess.CompletedProcess[str]:
    print(f"\n$ sfnb {' '.join(args)}", flush=True)
    return subprocess.run(
        [*SFNB, *args], env={**os.environ, "SFNB_HOME": str(HOME)}, text=True, check=False
    )


def read(*args: str) -> str:
    return subprocess.run(
        [*SFNB, *args],
        env={**os.environ, "SFNB_HOME": str(HOME)},
        text=True,
        check=True,
        capture_output=True,
    ).stdout


def main() -> int:
    read("demo", "stop")
    started = sfnb(
        "demo", "start", "--size", "small", "--max-calls", "120", "--minutes-per-second", "90"
    )
    if started.returncode:
        return started.returncode
    try:
        parameters = {"org": "demo", "limit_percent": "50", "poll_minutes": "0.05"}
        ran = sfnb(
            "run", "run_backup", *(word for pair in parameters.items() for word in ("-p", *pair))
        )
        job = json.loads(read("jobs", "--json"))[-1]
        sfnb("show", "demo", "latest")
        print(f"\neverything is under {HOME}: the store, the executed notebook, the state.")
        pauses = len(job["pauses"])
        print(
            f"exit code {ran.returncode}; the job paused {pauses} times for its quota and went on by itself."
        )
        return ran.returncode or (0 if pauses else 1)
    finally:
        read("demo", "stop")


if __name__ == "__main__":
    sys.exit(main())
