"""The databases that state may live in: each test that takes ``state_url`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from sfnb.clock import FakeClock
from sfnb.memory import State, open_state
from tests.conftest import left_out
from tests.contracts import postgres
from tests.contracts.postgres import NoPostgres, running_postgres
from tests.contracts.s3_server import NoS3, running_s3


def postgres_control(data: str) -> Callable[..., None]:
    """``pg_ctl`` for a server of ours by its data folder, to restart it."""
    try:
        return postgres.control(data)
    except NoPostgres as err:
        left_out(str(err))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server: the one that SFNB_TEST_POSTGRES names, else a throw-away one."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(running_postgres())
        except NoPostgres as err:
            left_out(f"PostgreSQL is not tested: {err}")
        yield url


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """An S3 server: the one that SFNB_TEST_S3 names, else a throw-away one."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(running_s3())
        except NoS3 as err:
            left_out(f"S3 is not tested: {err}")
        yield address


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
