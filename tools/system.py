"""
Installs what the tests need other than Python packages: on Debian, as root. Elsewhere it reports
what is missing.

Tests that lack something are skipped with that reason; nothing else depends on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def has_postgres() -> bool:
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


WANTED: dict[str, tuple[str, Callable[[], bool]]] = {
    "chromium": ("tests in a real browser", lambda: any(map(shutil.which, BROWSERS))),
    "postgresql": ("tests of the team's state database", has_postgres),
    "npm": ("tests of the demo org with jsforce and sf", lambda: bool(shutil.which("npm"))),
}
"""Debian package, what wants it, and whether it is there."""


def main() -> int:
    missing = [package for package, (_, is_there) in WANTED.items() if not is_there()]
    if not missing:
        print("browser, PostgreSQL and npm are there")
        return 0
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(
            ["apt-get", "update", "--quiet"], env=env, check=False, stdout=subprocess.DEVNULL
        )
        install = ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *missing]
        subprocess.run(install, env=env, check=False, stdout=subprocess.DEVNULL)
    for package in missing:
        why, is_there = WANTED[package]
        if not is_there():
            print(
                f"{package} is not there, so {why} are skipped; on Debian: sudo apt-get install {package}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
