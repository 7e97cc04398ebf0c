"""A PostgreSQL server that lasts as long as the tests, or a benchmark."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class NoPostgres(Exception):
    """There is no PostgreSQL here, and why."""


def initdb_path() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path)
    return max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if _is_root() else []


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _has_user(name: str) -> bool:
    import pwd

    return any(user.pw_name == name for user in pwd.getpwall())


def control(data: str) -> Callable[..., None]:
    """``pg_ctl`` for a server of ours by its data folder, to restart it."""
    initdb = initdb_path()
    if initdb is None or os.environ.get("SFNB_TEST_POSTGRES"):
        raise NoPostgres("only a server that the tests have started is stopped by them")

    def run(*arguments: str) -> None:
        log = str(Path(data).with_name("log"))
        command = [str(initdb.with_name("pg_ctl")), "-D", data, "-l", log, "-w"]
        _run(*command, *arguments, folder=Path(data).parent)

    return run


def _run(*command: str, folder: Path) -> None:
    subprocess.run(
        [*_as_postgres(), *command], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120
    )


@contextmanager
def running_postgres() -> Iterator[str]:
    """
    The URL of a PostgreSQL server: the one that SFNB_TEST_POSTGRES names, else a throw-away one.

    Raises:
        NoPostgres: there is none here.
    """
    if named := os.environ.get("SFNB_TEST_POSTGRES"):
        yield named
        return
    initdb = initdb_path()
    if initdb is None:
        raise NoPostgres("there is no initdb here, and SFNB_TEST_POSTGRES names no server")
    if _is_root() and not (shutil.which("runuser") and _has_user("postgres")):
        raise NoPostgres("it does not run as root, and there is no user postgres to run it as")
    folder = Path(tempfile.mkdtemp(prefix="sfnb-pg-"))
    if _is_root():
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")
    options = f"-h 127.0.0.1 -p {port} -k {folder} -F -c full_page_writes=off"
    pg_ctl = str(initdb.with_name("pg_ctl"))
    _run(str(initdb), "-D", data, "-U", "sfnb", "-A", "trust", "-N", "-E", "UTF8", folder=folder)
    _run(pg_ctl, "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start", folder=folder)
    try:
        yield f"postgresql://sfnb@127.0.0.1:{port}/postgres"
    finally:
        _run(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop", folder=folder)
        shutil.rmtree(folder)
