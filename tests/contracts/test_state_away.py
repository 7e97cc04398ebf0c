"""A state database that goes away in mid-run: the job says so, waits, and goes on (issue 8, P2)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import Engine, create_engine, event, make_url, text

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.errors import PausedForState, StateUnavailable
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.memory import open_state
from sfnb.state.database import Database
from sfnb.state.jobs import Jobs
from sfnb.state.trips import Statement
from sfnb.store.verify import verify
from sfnb.store.writer import Writer
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.contracts.conftest import postgres_control
from tests.faults.conftest import settings_for

OBJECTS = ["Account", "Product2", "Contact"]


class Away:
    """A database that can be taken away and brought back."""

    def __init__(self, url: str) -> None:
        self._file = Path(make_url(url).database or "") if url.startswith("sqlite") else None
        self._control: Callable[..., None] | None = None
        if self._file is None:
            server = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
            with server.connect() as connection:
                folder = connection.execute(text("show data_directory")).scalar_one()
            server.dispose()
            self._control = postgres_control(folder)
        self.is_away = False

    def take(self) -> None:
        if self._control is not None:
            # All its connections break; by the next try it runs again.
            self._control("restart", "-m", "immediate")
        elif self._file is not None:
            self.is_away = True
            self._file.rename(self._file.with_suffix(".away"))

    def bring_back(self) -> None:
        if self.is_away and self._file is not None:
            self.is_away = False
            self._file.with_suffix(".away").rename(self._file)


class Refusing(Away):
    """
    A PostgreSQL that is there, and takes no change.

    Args:
        how: ``locked``: another session holds the gates' table; ``read-only``: as a standby is.
    """

    def __init__(self, url: str, how: str) -> None:
        super().__init__(url)
        self._how = how
        self._url = make_url(url)
        # Not from within the database: it takes no change.
        self._engine = create_engine(
            self._url.set(database="postgres"), isolation_level="AUTOCOMMIT"
        )
        self._there = create_engine(self._url)
        self._holding: SqlConnection | None = None

    def take(self) -> None:
        self.is_away = True
        if self._how == "locked":
            self._holding = self._there.connect()
            self._holding.execute(text("LOCK TABLE gates, jobs IN ACCESS EXCLUSIVE MODE"))
            return
        self._set("on")
        with self._engine.connect() as connection:
            ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(text(ours), {"name": self._url.database})

    def bring_back(self) -> None:
        if self.is_away and self._holding is not None:
            self._holding.close()
        elif self.is_away:
            self._set("off")
        self.is_away = False

    def _set(self, value: str) -> None:
        with self._engine.connect() as connection:
            change = (
                f"ALTER DATABASE {self._url.database} SET default_transaction_read_only = {value}"
            )
            connection.execute(text(change))

    def close(self) -> None:
        self.bring_back()
        self._engine.dispose()
        self._there.dispose()


class ClockThatBrings(FakeClock):
    """Waiting takes no time; the third wait without the database brings it back."""

    def __init__(self, away: Away) -> None:
        super().__init__()
        self._away = away
        self._waits = 0

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        is_job = threading.current_thread() is threading.main_thread()
        self._waits += self._away.is_away and is_job
        if self._waits == 3 and self._away.is_away:
            self._away.bring_back()
        return super().wait(seconds, stop)


@pytest.fixture
def away(state_url: str) -> Iterator[Away]:
    away = Away(state_url)
    yield away
    away.bring_back()


@pytest.fixture
def there(
    fresh_org: Callable[..., RunningOrg], state_url: str, away: Away, tmp_path: Path
) -> Iterator[Connection]:
    settings = replace(settings_for(fresh_org(), tmp_path / "home"), state_url=state_url)
    with connect("demo", settings=settings, clock=ClockThatBrings(away)) as connection:
        yield connection


def taking(away: Away, seen: list[events.Event]) -> events.Sink:
    """Takes the database away when the first object is complete."""

    def emit(event: events.Event) -> None:
        is_first = not any(
            isinstance(e, events.ObjectProgress) and e.state == "complete" for e in seen
        )
        seen.append(event)
        if isinstance(event, events.ObjectProgress) and event.state == "complete" and is_first:
            away.take()

    return emit


def test_a_job_waits_for_its_state_database(there: Connection, away: Away) -> None:
    """It is complete in the end, its pause is in its history, and screens heard of it at once."""
    seen: list[events.Event] = []
    summary = engine.run(there, backup(objects=OBJECTS), emit=taking(away, seen))
    assert summary["state"] == "completed", summary
    assert {entry["state"] for entry in summary["objects"].values()} == {"complete"}
    (pause,) = summary["pauses"]
    assert pause["api"] == "state" and "cannot be used" in pause["reason"] and pause["resumed_at"]
    assert any(isinstance(event, events.JobPaused) for event in seen)
    assert verify(there.store) == []


@pytest.mark.parametrize("how", ["locked", "read-only"])
@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_job_waits_for_a_database_that_takes_no_change(
    fresh_org: Callable[..., RunningOrg], state_url: str, how: str, tmp_path: Path
) -> None:
    """Locked by another session, or read-only as after a failover: paused, said, and resumed."""
    away = Refusing(state_url, how)
    soon = f"{state_url}?options=-c%20lock_timeout%3D200"
    settings = settings_for(fresh_org(), tmp_path / "home")
    try:
        with connect(
            "demo", settings=replace(settings, state_url=soon), clock=ClockThatBrings(away)
        ) as there:
            summary = engine.run(there, backup(objects=OBJECTS), emit=taking(away, []))
            assert summary["state"] == "completed", summary
            (pause,) = summary["pauses"]
            # Read-only sessions are new ones: the failover has ended those before.
            said = {"locked": "lock timeout", "read-only": "terminating connection"}[how]
            assert said in pause["reason"] and pause["resumed_at"]
            assert verify(there.store) == []
    finally:
        away.close()


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_lost_connection_is_no_traceback(
    state_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    The server ends a session between two statements of the gate: one error in words, nothing in the
    libraries' logs, which a command shows; the next try is a new session.
    """
    ours = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = :name AND pid <> pg_backend_pid()"
    )
    now = Statement(text("SELECT 1"), ({},))
    with open_state(state_url, clock=FakeClock()) as state:
        other = create_engine(state_url)
        with (
            pytest.raises(StateUnavailable, match="cannot be used"),
            state.database.trips() as trips,
        ):
            assert trips.run([now]) == [[(1,)]]
            with other.connect() as connection:
                connection.execute(text(ours), {"name": make_url(state_url).database})
            trips.run([now])
        other.dispose()
        with state.database.trips() as trips:
            assert trips.run([now]) == [[(1,)]]
            trips.end()
    assert caplog.records == []


def test_a_job_that_does_not_wait_can_be_resumed(there: Connection, away: Away) -> None:
    """With `exit` it ends with the reason; the same snapshot is finished later."""
    with pytest.raises(PausedForState, match=r"cannot be used.*sfnb resume"):
        engine.run(there, backup(objects=OBJECTS), on_pause="exit", emit=taking(away, []))
    away.bring_back()
    (job,) = there.state.jobs.find()
    done = engine.resume(there, job.job_id)
    assert done["state"] == "completed" and done["snapshot"] == job.snapshot


class Held(Away):
    """A SQLite database that another program holds: nobody else may write it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._there = sqlite3.connect(make_url(url).database or "", isolation_level=None)

    def take(self) -> None:
        self.is_away = True
        self._there.execute("BEGIN IMMEDIATE")

    def bring_back(self) -> None:
        self.is_away = False
        self._there.close()


class ReadOnly(Away):
    """A SQLite database that may be read and not written: its disk is mounted so."""

    def take(self) -> None:
        self.is_away = True
        event.listen(Engine, "before_cursor_execute", self._refuse)

    def bring_back(self) -> None:
        if self.is_away:
            event.remove(Engine, "before_cursor_execute", self._refuse)
        self.is_away = False

    @staticmethod
    def _refuse(_connection: object, cursor: sqlite3.Cursor, *_: object) -> None:
        cursor.execute("PRAGMA query_only = on")  # SQLite's own words for it follow


@pytest.mark.parametrize("kind", [Away, Held, ReadOnly], ids=["gone", "locked", "read-only"])
@pytest.mark.parametrize("when", ["in mid-run", "at the start", "before the start"])
def test_the_command_ends_with_75(
    kind: type[Away],
    when: str,
    fresh_org: Callable[..., RunningOrg],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    P4: a job that does not wait for its state database is paused: one sentence, and `resume` ends
    it. Nothing says that it still runs.
    """
    monkeypatch.setattr("sfnb.state.engines.BUSY_WAIT_S", 1)
    monkeypatch.setitem(Database.write.__wrapped__.__kwdefaults__, "patience_s", 1)  # type: ignore[attr-defined]
    home = CommandLine.with_org(tmp_path / "home", fresh_org())
    home("limit", "x", "60")  # the database is there
    away = kind(f"sqlite:///{tmp_path / 'home' / 'state.db'}")
    owner: type[Any] = Writer if when == "in mid-run" else Jobs
    name = "settle" if when == "in mid-run" else "lease"
    before = getattr(owner, name)

    def and_take(*arguments: Any, **options: Any) -> Any:
        if when == "before the start":
            away.take()
        found = before(*arguments, **options)
        if not away.is_away:
            away.take()
        return found

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, and_take)
        ran = home("backup", "x", "--objects", ",".join(OBJECTS), "--on-pause", "exit")
    away.bring_back()
    assert ran.code == 75, ran.err
    assert "sfnb resume" in ran.sentence and "Traceback" not in ran.err
    (job,) = home("jobs", "--json").json
    assert job["state"] in ("paused", "queued") or job["interrupted"], job
    again = home("resume", job["job_id"], "--json")
    assert again.code == 0, again.err
    assert again.json["state"] == "completed"


def test_a_sqlite_file_that_is_no_longer_there_is_not_written_on(tmp_path: Path) -> None:
    """A deleted file could be written to without an error, and everything would be lost."""
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", clock=FakeClock()) as state:
        state.ledger.set_limits("00D", 60)
        (tmp_path / "state.db").unlink()
        for attempt in (lambda: state.ledger.set_limits("00D", 70), state.jobs.find):
            with pytest.raises(StateUnavailable, match="moved, deleted or replaced"):
                attempt()
