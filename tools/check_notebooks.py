"""Runs every notebook against a demo org with nbval: no cell may fail, tagged cells print the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SFNB = [sys.executable, "-c", "from sfnb.cli import main; main()"]


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "SFNB_HOME": home}
        started = subprocess.run([*SFNB, "demo", "start", "--size", "tiny"], env=env, check=False)
        if started.returncode:
            return started.returncode
        try:
            # Jupyter's own warnings are ignored here; those of our tests are errors in the step tests.
            pytest = [
                sys.executable,
                "-m",
                "pytest",
                "--nbval-lax",
                "-W",
                "ignore",
                "-p",
                "no:cacheprovider",
            ]
            # The backup first: the others show and restore what it has stored.
            found = (ROOT / "notebooks").glob("*.ipynb")
            notebooks = [str(p) for p in sorted(found, key=lambda p: (p.stem != "run_backup", p))]
            return subprocess.run([*pytest, *notebooks], env=env, cwd=ROOT, check=False).returncode
        finally:
            subprocess.run([*SFNB, "demo", "stop"], env=env, check=False, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
