"""An org that answers nobody when a command starts: a pause that ends by itself (P4)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.errors import LoginError
from sfnb.installation import connect
from sfnb.settings import Settings, put_org
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for

OBJECTS = ["Account", "Product2"]


class Door:
    """An address of the org that nobody answers until it is opened."""

    def __init__(self, org: RunningOrg) -> None:
        self._there = urlsplit(org.url)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Once, or again after ``close``."""
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", self._port)))
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):  # closed at the end of the test
            while True:
                here, _ = listener.accept()
                there = socket.create_connection((self._there.hostname or "", self._there.port))
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while data := source.recv(1 << 16):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._stack.close()


class ClockThat(FakeClock):
    """Waiting takes no time; after an hour of it, something happens once."""

    def __init__(self, happens: Callable[[], None]) -> None:
        super().__init__()
        self._happens: Callable[[], None] | None = happens
        self.waited_s = 0.0

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        self.waited_s += seconds
        if self.waited_s > 3600 and (happens := self._happens):
            self._happens = None
            happens()
        return super().wait(seconds, stop)


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg]) -> RunningOrg:
    return fresh_org()


@pytest.fixture
def door(org: RunningOrg) -> Iterator[Door]:
    door = Door(org)
    yield door
    door.close()


def known(org: RunningOrg, home: Path, url: str) -> Settings:
    """An installation that has logged in to the org before, at this address."""
    settings = settings_for(org, home)
    config = replace(settings.orgs["demo"], instance_url=url)
    return replace(settings, orgs={"demo": config})


@pytest.fixture
def there(
    org: RunningOrg, door: Door, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Connection]:
    happens = getattr(request, "param", door.open)
    settings = known(org, tmp_path / "home", door.url)
    with connect("demo", settings=settings, clock=ClockThat(happens)) as connection:
        yield connection


def test_the_job_waits_for_an_org_that_refuses_connections(there: Connection) -> None:
    """The job starts, says why it waits, and goes on when the org answers."""
    summary = engine.start(there, backup(objects=OBJECTS)).wait(60)
    assert summary["state"] == "completed", summary
    assert summary["pauses"][0]["reason"].startswith("org unavailable: ")
    assert all(pause["resumed_at"] for pause in summary["pauses"])


def test_a_login_that_is_refused_later_ends_the_job_with_a_sentence(
    there: Connection, org: RunningOrg, tmp_path: Path
) -> None:
    """Waiting is for an org that is away; a refused login is a person's to mend."""
    (tmp_path / "home" / "token").write_text("00D000000000001!of-nobody")
    with pytest.raises(LoginError, match="refuses the access token"):
        engine.run(there, backup(objects=OBJECTS))
    (job,) = there.state.jobs.find()
    assert job.state == "failed" and "refuses the access token" in (job.error or "")
    assert there.state.jobs.pauses(job.job_id)


def test_commands_pause_with_75_and_resume(org: RunningOrg, door: Door, tmp_path: Path) -> None:
    """`backup`, `restore`, `archive` and `resume --on-pause exit` leave a paused job while nobody answers."""
    command = CommandLine(tmp_path / "home", X_TOKEN=org.access_token)
    settings = known(org, command.home, door.url)
    config = replace(settings.orgs["demo"], secrets={"token": "env:X_TOKEN"})
    put_org(replace(settings, orgs={}), config)
    choice = ("--on-pause", "exit", "--json")
    paused = command("backup", "demo", "--objects", ",".join(OBJECTS), *choice)
    assert paused.code == 75, paused.err
    assert paused.json["pauses"][-1]["reason"].startswith("org unavailable: ")
    job = paused.json["job_id"]
    assert command("resume", job, *choice).code == 75
    refused = command("backup", "demo", *choice, X_TOKEN="bad token")
    assert refused.code == 1 and refused.is_one_sentence(), refused.err
    door.open()
    done = command("resume", job, *choice)
    assert done.code == 0 and done.json["snapshot"], done.err
    door.close()
    restore = ("restore", "demo", "latest", "--objects", "Account")
    archive = ("archive", "demo", "--object", "Task", "--where", "Status = 'None such'", "--yes")
    for words in (restore, archive):
        paused = command(*words, *choice)
        assert paused.code == 75, paused.err
        assert paused.json["pauses"][-1]["reason"].startswith("org unavailable: ")
    door.open()
    again = command("resume", "--all", *choice)
    assert again.code == 0, again.err
    assert {done["kind"]: done["state"] for done in again.json} == {
        "restore": "completed",
        "archive": "completed",
    }


@pytest.mark.parametrize("answer", ["503", "no name"])
def test_other_ways_to_be_away(org: RunningOrg, tmp_path: Path, answer: str) -> None:
    """A maintenance page and a name that DNS does not know pause the job as well."""
    if answer == "503":
        org.fail(fault="status503", nth=1)
    url = org.url if answer == "503" else "https://nobody.invalid"
    settings = known(org, tmp_path / "home", url)
    with connect("demo", settings=settings, clock=FakeClock()) as there:
        summary = engine.run(there, backup(objects=OBJECTS), on_pause="exit")
    assert summary["state"] == "paused"
    assert summary["pauses"][-1]["reason"].startswith("org unavailable: ")
