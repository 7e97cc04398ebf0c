"""A scheduled command as a process of its own. It outlives the service that started it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfnb.errors import JobError
from sfnb.private import private_file, private_folder
from sfnb.state.schedule_values import Entry, ScheduledRun

MODULE = "sfnb.cli.scheduled"
"""What the process runs: it takes the run by its token, and writes how it ended."""

KEPT_LOGS = 200


class Process:
    """
    `sfnb …` of one attempt.

    Args:
        token: of the attempt.
        folder: where its output is kept, a file for each attempt.
    """

    def __init__(self, what: Entry | ScheduledRun, token: str, folder: Path) -> None:
        try:
            _tidy(private_folder(folder))
            log = private_file(folder / f"{what.name}-{token}.log")
            with log.open("ab") as out:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, "-m", MODULE, token],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=os.environ | {"PYTHONUTF8": "1"},
                    **_detached(),
                )
        except OSError as err:
            raise JobError(f"its process could not be started ({err.strerror}).") from err

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ask it to end: its job pauses. On Windows it is ended, and its job resumed later."""
        if not self.is_over():
            self._process.terminate()


def _tidy(folder: Path) -> None:
    logs = sorted(folder.glob("*.log"), key=lambda log: log.stat().st_mtime)
    for old in logs[:-KEPT_LOGS]:
        # Windows keeps a file that a running command still writes; it goes the next time.
        with suppress(PermissionError):
            old.unlink(missing_ok=True)


def _detached() -> dict[str, Any]:
    """Ctrl-C at the service's terminal does not reach it: the service passes on what it means."""
    if os.name == "nt":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW  # type: ignore[attr-defined]
        return {"creationflags": flags}
    return {"start_new_session": True}
