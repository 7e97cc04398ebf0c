"""Driving `sfnb` as other programs do: by its commands, exit codes, standard output and standard error."""

from __future__ import annotations

import io
import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sfnb.cli.main import run
from tests.conftest import RunningOrg

READY_S = 60.0


@dataclass(frozen=True)
class Ran:
    """One command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON; nothing else may stand there."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """Standard error's last line; the only one when the command was refused before it did anything."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""

    def is_one_sentence(self) -> bool:
        """Whether standard error is one line that sfnb meant for people."""
        return len(self.err.strip().splitlines()) == 1 and self.err.startswith("sfnb: ")


class Running:
    """A command that still runs; its standard error can be waited on line by line."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        flags: dict[str, Any] = {}
        if sys.platform == "win32":
            flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environ,
            **flags,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._seen: list[str] = []
        self._out: list[str] = []
        assert self.process.stdout and self.process.stderr
        streams = self.process.stdout, self.process.stderr
        self._threads = [
            threading.Thread(target=lambda: self._out.append(streams[0].read())),
            threading.Thread(
                target=lambda: [*map(self._lines.put, streams[1]), self._lines.put(None)]
            ),
        ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, text: str) -> str:
        """The first line of standard error that has ``text``; fails when the command ends before."""
        while (line := self._lines.get(timeout=READY_S)) is not None:
            self._seen.append(line)
            if text in line:
                return line
        raise AssertionError(f"the command ended without saying {text!r}: {''.join(self._seen)}")

    def ended(self) -> Ran:
        """What it was, once it has ended."""
        try:
            code = self.process.wait(timeout=READY_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            for thread in self._threads:
                thread.join()
            for stream in (self.process.stdout, self.process.stderr):
                if stream is not None:
                    stream.close()
        rest = list(iter(self._lines.get_nowait, None)) if self._lines.qsize() else []
        return _checked(Ran(code, "".join(self._out), "".join(self._seen + rest)))


EXACT_HEADER = {"SFNB_HEADER_LAG_S": "0"}
"""The demo org's header is exact here, so a small allowance is used up to the last call; see ``docs/quota.md``."""


class CommandLine:
    """
    `sfnb` with a home of its own.

    Args:
        secrets: variables that the commands see besides this process's own.
    """

    def __init__(self, home: Path, **secrets: str) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SFNB_")}
        self.environ = (
            kept
            | {"SFNB_HOME": str(home), "PYTHONUTF8": "1", "COLUMNS": "200"}
            | EXACT_HEADER
            | secrets
        )

    @classmethod
    def with_org(cls, home: Path, org: RunningOrg, name: str = "x") -> CommandLine:
        """One that knows the org as ``name``, by an access token in a variable."""
        made = cls(home, X_TOKEN=org.access_token)
        added = made("org", "add", name, "--instance-url", org.url, "--access-token-env", "X_TOKEN")
        assert added.code == 0, added.err
        return made

    def __call__(self, *arguments: object, **environ: str) -> Ran:
        """Run one command to its end in this process, which spares a second of imports."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environ | environ, clear=True),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            code = run([*map(str, arguments)])
        return _checked(Ran(code, out.getvalue(), err.getvalue()))

    def apart(self, *arguments: object, **environ: str) -> Ran:
        """Run one command to its end in a process of its own."""
        return self.start(*arguments, **environ).ended()

    def script(self, source: str, *arguments: object) -> int:
        """Run Python of a test's own in this home, to its end; the exit code, negative for a signal."""
        words = [sys.executable, "-c", source, *map(str, arguments)]
        return subprocess.run(words, env=self.environ, check=False, capture_output=True).returncode

    def start(self, *arguments: object, **environ: str) -> Running:
        """Start one command."""
        return Running(_command(arguments), self.environ | environ)


def _command(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "sfnb", *map(str, arguments)]


def _checked(ran: Ran) -> Ran:
    assert "Traceback" not in ran.out + ran.err, ran.err
    return ran
