"""A demo org in a process of its own, what it counts, and an sfnb home that knows it. Small: see ``measured.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from sfnb_demo.process import NoAnswer, start

READY_S = 900.0
"""Five million contacts take some minutes."""

TOKEN_VARIABLE = "SFNB_BENCHMARK_TOKEN"  # noqa: S105 - the name of a variable


class DemoProcess:
    """
    ``python -m sfnb_demo serve`` with some options; a context manager that ends it.

    Attributes:
        url, token, password …: what its ready file says, in ``ready``.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        log = folder / "server.log"
        try:
            self._process, self.ready = start(
                # Figures stay comparable with those of orgs without; what oddities cost, tests say.
                folder,
                "--no-oddities",
                *options,
                ready_s=READY_S,
                log=log,
            )
        except NoAnswer as err:
            said = log.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
            raise SystemExit(f"{err}: {said[0] if said else 'it said nothing'}") from err

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def token(self) -> str:
        return str(self.ready["access_token"])

    def _control(self, path: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/control/{path}", headers={"X-Demo-Control": self.ready["control_token"]}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.load(answer))

    def mark(self) -> int:
        """The number of the last call received, for ``calls``."""
        return int(self._control("ledger")["last_call"])

    def calls(self, after: int) -> list[dict[str, Any]]:
        """What the org received after call number ``after``: method, target, spent, status of each."""
        return list(self._control(f"ledger?calls=1&after={after}")["calls"])

    def charged(self, after: int) -> int:
        """How many units of DailyApiRequests were spent after call number ``after``."""
        return sum(call["spent"].get("api", 0) for call in self.calls(after))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def sfnb_command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from sfnb.cli import main; main()", *arguments]


def sfnb_home(folder: Path, org: DemoProcess) -> dict[str, str]:
    """The environment of a fresh installation of sfnb that knows the org as ``bench``."""
    environment = {**os.environ, "SFNB_HOME": str(folder), TOKEN_VARIABLE: org.token}
    # Byte code is kept between runs, as where sfnb is installed: the first run compiles it.
    environment["PYTHONPYCACHEPREFIX"] = str(org.folder / "byte_code")
    for name in ("SFNB_STATE_URL", "SFNB_STORE", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    add = sfnb_command(
        "org", "add", "bench", "--instance-url", org.url, "--access-token-env", TOKEN_VARIABLE
    )
    ended = subprocess.run(add, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"sfnb org add: {ended.stderr.strip()}")
    return environment


def table(rows: list[Mapping[str, str]]) -> str:
    """The rows as a Markdown table, numbers to the right; every row has the columns of the first."""
    names = list(rows[0])
    width = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    first, *others = names

    def line(cells: Mapping[str, str]) -> str:
        return (
            "| "
            + " | ".join(
                [cells[first].ljust(width[first]), *(cells[n].rjust(width[n]) for n in others)]
            )
            + " |"
        )

    rule = (
        "|"
        + "|".join(["-" * (width[first] + 2), *("-" * (width[n] + 1) + ":" for n in others)])
        + "|"
    )
    return "\n".join([line({name: name for name in names}), rule, *(line(row) for row in rows)])
