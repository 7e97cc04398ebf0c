"""The databases that state may live in: each test that takes ``state_url`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from sfnb.clock import FakeClock
from sfnb.memory import State, open_state


def _initdb() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path)
    return max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return ["runuser", "-u", "postgres", "--"] if is_root else []


def postgres_control(data: str) -> Callable[..., None]:
    """``pg_ctl`` for a server of ours by its data folder, to restart it."""
    initdb = _initdb()
    if initdb is None or os.environ.get("SFNB_TEST_POSTGRES"):
        pytest.skip("only a server that the tests have started is stopped by them")

    def run(*arguments: str) -> None:
        log = str(Path(data).with_name("log"))
        command = [str(initdb.with_name("pg_ctl")), "-D", data, "-l", log, "-w"]
        subprocess.run(
            [*_as_postgres(), *command, *arguments],
            check=True,
            cwd=Path(data).parent,
            stdout=subprocess.DEVNULL,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server: the one that SFNB_TEST_POSTGRES names, else a throw-away one."""
    if named := os.environ.get("SFNB_TEST_POSTGRES"):
        yield named
        return
    initdb = _initdb()
    if initdb is None:
        pytest.skip(
            "PostgreSQL is not tested: there is no initdb here, and SFNB_TEST_POSTGRES names no server"
        )
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and not (shutil.which("runuser") and _has_user("postgres")):
        pytest.skip(
            "PostgreSQL is not tested: it does not run as root, and there is no user postgres to run it as"
        )
    prefix = _as_postgres()
    folder = Path(tempfile.mkdtemp(prefix="sfnb-pg-"))
    if is_root:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")

    def run(*command: str) -> None:
        subprocess.run(
            [*prefix, *command], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120
        )

    run(str(initdb), "-D", data, "-U", "sfnb", "-A", "trust", "-N", "-E", "UTF8")
    options = f"-h 127.0.0.1 -p {port} -k {folder} -F -c full_page_writes=off"
    control = str(initdb.with_name("pg_ctl"))
    run(control, "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield f"postgresql://sfnb@127.0.0.1:{port}/postgres"
    finally:
        run(control, "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def _has_user(name: str) -> bool:
    import pwd

    return any(user.pw_name == name for user in pwd.getpwall())


@pytest.fixture(params=["sqlite", "postgresql"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.db'}"
        return
    url = make_url(request.getfixturevalue("postgres_url")).set(drivername="postgresql+psycopg")
    name = f"sfnb_test_{uuid.uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield url.set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def state(state_url: str, clock: FakeClock) -> Iterator[State]:
    """An empty state on a clock that the test moves."""
    with open_state(state_url, clock=clock) as opened:
        yield opened
