"""A demo org in a process of its own, started from Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class NoAnswer(Exception):
    """The process ended before it answered, or took too long."""


def start(
    folder: Path, *options: str, ready_s: float, log: Path | None = None
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """
    Run ``python -m sfnb_demo serve`` and wait until it answers.

    Args:
        folder: exists; gets the org's files.
        options: of ``serve``.
        ready_s: how long to wait, in seconds.
        log: what the process prints; None: nowhere.

    Returns:
        The process, and what its ready file says.

    Raises:
        NoAnswer: no process is left.
    """
    ready_file = folder / "ready.json"
    command = [sys.executable, "-m", "sfnb_demo", "serve", "--folder", str(folder)]
    with (log or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*command, "--ready-file", str(ready_file), *options],
            stdout=output,
            stderr=output if log else None,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONUTF8": "1"},
        )
    ends_s = time.monotonic() + ready_s
    try:
        while time.monotonic() < ends_s:
            if ready_file.exists():
                return process, dict(json.loads(ready_file.read_text("utf-8")))
            if process.poll() is not None:
                raise NoAnswer(f"the demo org ended with {process.returncode} before it answered")
            time.sleep(0.05)
        raise NoAnswer(f"the demo org did not answer within {ready_s:.0f} s")
    except BaseException:
        process.kill()
        process.wait()
        raise
