"""`sfnb` commands that run on when the dashboard ends: each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfnb.errors import JobError
from sfnb.private import private_file, private_folder

KEPT_LOGS = 50
"""Logs of commands that stay: what a job did is in the state database, a log tells why one did not begin."""


class Command:
    """
    `sfnb …` running detached: it outlives this process, its terminal and ctrl-C there.

    Args:
        arguments: of `sfnb`; none of them a secret.
        folder: where its output is kept, one file for each command.
        secrets: variables for the command alone.
    """

    def __init__(
        self, arguments: Sequence[str], folder: Path, secrets: Mapping[str, str] | None = None
    ) -> None:
        try:
            kept = _tidied(private_folder(folder))
            number = int(kept[-1].name[:5]) + 1 if kept else 1
            self.log = private_file(folder / f"{number:05}-{arguments[0]}.log")
            with self.log.open("wb") as out:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and command
                    [sys.executable, "-m", "sfnb", *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env=os.environ | {"PYTHONUTF8": "1"} | dict(secrets or {}),
                    **_detached(),
                )
        except OSError as err:
            raise JobError(f"The job could not be started: {err.strerror}.") from err

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def last_words(self) -> str:
        """The sentence with which it ended, without the command's name before it."""
        text = self.log.read_text("utf-8", errors="replace").strip()
        lines = text.splitlines()
        # With --json the failure is JSON on standard output, too, which shares the file.
        sentences = [line for line in lines if line.startswith("sfnb: ")]
        return (sentences or lines)[-1].removeprefix("sfnb: ") if lines else ""


def _tidied(folder: Path) -> list[Path]:
    """The logs that are kept, oldest first: the newest `KEPT_LOGS`; the others are removed."""
    logs = sorted(folder.glob("[0-9][0-9][0-9][0-9][0-9]-*.log"))
    for old in logs[:-KEPT_LOGS]:
        # Windows keeps a file that a running job still writes; it goes the next time.
        with suppress(PermissionError):
            old.unlink(missing_ok=True)
    return logs[-KEPT_LOGS:]


def _detached() -> dict[str, Any]:
    if os.name == "nt":
        # No console: closing the dashboard's window would end all that share it.
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS  # type: ignore[attr-defined]
        return {"creationflags": flags}
    return {"start_new_session": True}
