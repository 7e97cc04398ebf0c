"""
``make demo``: the demo org, and run_backup.ipynb through papermill, with a pause on the way.

The demo org's allowance is too small for one backup, and its clock moves with its calls alone. So the
backup pauses on any machine, however fast or busy, and resumes after some checks of the limits.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

OWN_HOME = Path(__file__).resolve().parent.parent / ".demo"
HOME = Path(os.environ.get("SFNB_HOME") or OWN_HOME)
SFNB = [sys.executable, "-m", "sfnb"]
ENVIRON = {**os.environ, "SFNB_HOME": str(HOME)}


def sfnb(*args: str) -> int:
    """Run a command as a person would, in sight."""
    print(f"\n$ sfnb {' '.join(args)}", flush=True)
    return subprocess.run([*SFNB, *args], env=ENVIRON, check=False).returncode


def read(*args: str) -> str:
    """What a command prints."""
    done = subprocess.run([*SFNB, *args], env=ENVIRON, text=True, check=True, capture_output=True)
    return done.stdout


def main() -> int:
    read("demo", "stop")
    if HOME == OWN_HOME:
        # Each run begins anew: the gate would remember the calls that the last one spent.
        shutil.rmtree(HOME, ignore_errors=True)
    if code := sfnb("demo", "start", "--pauses"):
        return code
    try:
        parameters = {"org": "demo", "limit_percent": "50", "poll_minutes": "0.02"}
        # Each body costs a call, and every call of this org lets its clock stand for minutes.
        parameters |= {"files": "false", "metadata": "false"}
        words = [word for pair in parameters.items() for word in ("-p", *pair)]
        code = sfnb("run", "run_backup", *words)
        job = json.loads(read("jobs", "--json"))[-1]
        sfnb("show", "demo", "latest")
    finally:
        read("demo", "stop")
    pauses = len(job["pauses"])
    times = "once" if pauses == 1 else f"{pauses} times"
    print(f"\nThe job paused {times} at its limit and resumed by itself; exit code {code}.")
    print(f"Everything is in {HOME}: the store, the executed notebook, the state.")
    return code or (0 if pauses else 1)


if __name__ == "__main__":
    sys.exit(main())
