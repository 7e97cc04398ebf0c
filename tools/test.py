"""``make test``: everything CI runs, each step under its own headline; the first that fails ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from system import WANTED  # beside this file

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable

STEPS: dict[str, list[str]] = {
    "system": [PYTHON, "tools/system.py"],
    "lint": [PYTHON, "-m", "ruff", "check", "."],
    "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "types": [PYTHON, "-m", "mypy"],
    "clients": [PYTHON, "tools/clients.py"],
    "tests": [
        PYTHON,
        "-m",
        "pytest",
        # One more than the cores of CI: tests with processes of their own wait for them.
        "-n",
        "3",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
        "--durations=40",
    ],
    "notebooks": [PYTHON, "tools/check_notebooks.py"],
    "wheel": [PYTHON, "tools/check_wheel.py"],
}


def main(wanted: list[str]) -> int:
    env = {
        **os.environ,
        "PYTHONWARNINGS": "default",
        "PATH": f"{Path(PYTHON).parent}{os.pathsep}{os.environ['PATH']}",
    }
    if all(is_there() for _, is_there in WANTED.values()):
        env["SFNB_TEST_ALL"] = "1"  # a test that is left out all the same is a failure
    # Hundreds of processes are started: without byte code each compiles what it imports (0.6 s).
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in wanted or STEPS:
        print(f"\n=== {name}", flush=True)
        began_s = time.monotonic()
        done = subprocess.run(STEPS[name], cwd=ROOT, env=env, check=False)
        print(f"=== {name}: {time.monotonic() - began_s:.0f} s", flush=True)
        if done.returncode:
            print(f"{name} failed (exit code {done.returncode}).")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
