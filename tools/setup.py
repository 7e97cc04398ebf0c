"""
Creates the virtual environment: ``python3 tools/setup.py .venv``. Needs only Python 3.11 to 3.13.

Installs exactly the versions in requirements.lock, then sfnb itself, editable.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(venv: Path) -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(
            f"sfnb needs Python 3.11, 3.12 or 3.13, this is {sys.version.split()[0]}; say make PYTHON=python3.12 …"
        )
    if find_spec("ensurepip") is None:
        install_debian(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")
    if not (venv / "pyvenv.cfg").exists():
        run(sys.executable, "-m", "venv", str(venv))
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    print("installing the locked versions; the first time this takes some minutes", flush=True)
    run(*pip, "-r", str(ROOT / "requirements.lock"))
    run(*pip, "--no-deps", "--editable", str(ROOT))
    (venv / "installed").touch()


def install_debian(*packages: str) -> None:
    """Debian keeps some of Python in packages of its own."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if not (is_root and shutil.which("apt-get")):
        sys.exit(
            f"this needs the package {' '.join(packages)}: sudo apt-get install {' '.join(packages)}"
        )
    run("apt-get", "update", "--quiet")
    run("apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages)


def run(*command: str) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} … failed; see its output above.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".venv").absolute())
