"""A Dask cluster in processes of its own, as `dask scheduler` and `dask worker` start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from distributed import Client

ROOT = Path(__file__).parents[2]

READY_S = 60

DIES_AT_AN_ANSWER = """
from sfnb.org import transport

class Dying(transport.GateAdapter):
    answers = []

    def _read(self, response, **options):
        self.answers.append(response)
        if len(self.answers) == 2:
            import os, signal
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return super()._read(response, **options)

from sfnb.org import http
http.GateAdapter = Dying
"""
"""The org has answered, the ticket is not settled."""

DIES_WITH_A_PART = """
from sfnb.backup import unit_context
from sfnb.store.part_writer import PartWriter

class Dying(PartWriter):
    def write(self, batches):
        super().write(batches)
        import os, signal
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

unit_context.PartWriter = Dying
"""
"""The part is whole in the store, and nobody knows of it."""


class DaskCluster:
    """
    A scheduler, and workers without a nanny: one that is killed stays dead. Their logs, their files
    and their temporary files are below ``folder``.

    Args:
        environ: what workers and scheduler see besides; of this process's own they see nothing of sfnb.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environ = dict(environ or {})
        folder.mkdir(parents=True, exist_ok=True)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        known = folder / "scheduler.json"
        self._start("scheduler", "dask_scheduler", "--port", "0", "--scheduler-file", str(known))
        # Dask's own client waits for that file.
        with Client(scheduler_file=str(known), set_as_default=False, timeout=READY_S) as client:
            self.address = str(client.scheduler.address)

    def _start(self, name: str, module: str, *arguments: str, cwd: Path | None = None) -> None:
        temporary = self.folder / f"{name}-tmp"
        temporary.mkdir(exist_ok=True)
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SFNB_")},
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(temporary),
            "HOME": str(temporary),
            **self._environ,
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", "--no-dashboard",
                 "--host", "127.0.0.1", *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ,
                cwd=cwd or temporary,
            )  # fmt: skip

    def start(
        self, name: str, *, threads: int = 1, preload: str = "", cwd: Path | None = None
    ) -> None:
        """Start a worker of this name, without waiting for it."""
        arguments = ["--no-nanny", "--nthreads", str(threads), "--name", name]
        if preload:
            path = self.folder / f"{name}_preload.py"
            path.write_text(preload)
            arguments += ["--preload", str(path)]
        local = str(self.folder / f"{name}-files")
        arguments += ["--local-directory", local]
        self._start(name, "dask_worker", self.address, *arguments, cwd=cwd)

    def add(self, *names: str, threads: int = 1, preload: str = "") -> None:
        """Start workers of these names, and wait for them."""
        for name in names:
            self.start(name, threads=threads, preload=preload)
        self.wait_for(lambda there: set(names) <= there)

    def wait_for(self, is_so: Callable[[set[str]], bool]) -> None:
        """Until the scheduler knows workers of such names."""
        with Client(self.address, set_as_default=False, timeout=READY_S) as client:

            async def look() -> None:
                import asyncio

                while True:
                    known = await client.scheduler.identity(n_workers=-1)
                    if is_so({str(one["name"]) for one in known["workers"].values()}):
                        return
                    await asyncio.sleep(0.05)

            client.sync(look, callback_timeout=READY_S)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
