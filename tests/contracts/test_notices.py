"""Notices, as a real receiver gets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import JobError
from sfnb.jobs import events
from sfnb.memory import State
from sfnb.model import JobState, Pause
from sfnb.notice_settings import NoticeSettings, parse_notices
from sfnb.notices.collect import collect
from sfnb.notices.sending import Notifier, deliver
from sfnb.settings import OrgConfig, Settings, load_settings
from tests.command_line import CommandLine

ORG = "00D000000000001AAA"
SECRET = "00D000000000001!AQ0AQFakeSessionIdFakeSessionId"


@dataclass
class Receiver:
    """A server that takes notices as JSON, and may be told to refuse."""

    address: str = ""
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)

    @property
    def bodies(self) -> list[str]:
        return [str(one["message"]) for one in self.got]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    made = Receiver()

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if made.status == 200:
                made.got.append(body)
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The test's output stays its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.address = f"json://user:hidden@127.0.0.1:{server.server_address[1]}/notices"
    monkeypatch.setenv("SFNB_NOTICE_URL", made.address)
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    org = OrgConfig("acme", "token", org_id=ORG)
    return Settings(home, "", "", orgs={"acme": org})


def told(state: State, settings: Settings, **notices: Any) -> int:
    """Collect and deliver; how many notices went."""
    chosen = replace(settings, notices=parse_notices(notices) if notices else NoticeSettings())
    collect(state, chosen)
    return deliver(state, chosen)


def job_of(state: State) -> str:
    number = len(state.jobs.find())
    return state.jobs.create("backup", "acme", ORG, {}, [f"Object{number}__c"], "snap-1").job_id


def tell(state: State, event: events.Event) -> None:
    payload = events.payload_of(event)
    state.jobs.add_event(event.job_id, event.at, type(event).__name__, payload)


def paused(job_id: str, at: datetime, reason: str = "") -> events.JobPaused:
    pause = Pause("api", at, None, 7500, 15000, reason)
    return events.JobPaused(job_id, at, pause, 7500, None)


def test_a_job_is_told_of_once_and_in_numbers(
    state: State, clock: FakeClock, settings: Settings, receiver: Receiver
) -> None:
    """Paused, resumed and ended each come once; what the org said and what records hold never does."""
    told(state, settings)
    job_id = job_of(state)
    tell(state, events.JobStateChanged(job_id, clock.now(), JobState.RUNNING))
    tell(state, paused(job_id, clock.now(), f"Bearer {SECRET}"))
    assert told(state, settings) == 1 and told(state, settings) == 0
    assert receiver.bodies == [
        f"acme: backup {job_id} paused: 7,500 of 15,000 API calls used (50 %)."
    ]
    # Looked at after half an hour: still over the limit. That is no news.
    clock.advance(1800)
    tell(state, events.JobStateChanged(job_id, clock.now(), JobState.RUNNING))
    tell(state, paused(job_id, clock.now()))
    assert told(state, settings) == 0
    clock.advance(1800)
    tell(state, events.JobStateChanged(job_id, clock.now(), JobState.RUNNING))
    assert told(state, settings) == 0, "it may pause at its first call"
    clock.advance(61)
    assert told(state, settings) == 1 and receiver.bodies[-1] == f"acme: backup {job_id} resumed."
    secret = f"duplicate value found: Ada Lovelace {SECRET}"
    tell(state, events.ObjectFailed(job_id, clock.now(), "Contact", secret))
    tell(state, events.JobStateChanged(job_id, clock.now(), JobState.FAILED, secret))
    assert told(state, settings) == 1
    assert receiver.bodies[-1] == f"acme: backup {job_id} failed. `sfnb jobs acme` says more."
    assert "Ada" not in json.dumps(receiver.got) and SECRET not in json.dumps(receiver.got)
    assert all(sent for _, sent in state.notices.all())


def test_what_was_before_notices_is_not_told(
    state: State, clock: FakeClock, settings: Settings, receiver: Receiver
) -> None:
    """Who switches notices on gets no flood of old ones."""
    job_id = job_of(state)
    tell(state, events.JobStateChanged(job_id, clock.now(), JobState.COMPLETED))
    state.ledger.set_limits(ORG, 40, org="acme")
    assert told(state, settings) == 0
    tell(state, events.JobStateChanged(job_of(state), clock.now(), JobState.COMPLETED))
    assert told(state, settings) == 1 and len(receiver.got) == 1


def test_limits_usage_and_mass_changes_are_told(
    state: State, clock: FakeClock, settings: Settings, receiver: Receiver
) -> None:
    """One message has all that happened; usage comes once a day and level; kinds can be left out."""
    told(state, settings)
    state.ledger.set_limits(ORG, 60, org="acme", reason="Ada's import")
    warned = "Contact: 300 of 1,000 records were changed and 10 deleted since the last backup."
    tell(state, events.JobWarned(job_of(state), clock.now(), "mass_change", "Contact", warned))
    tell(state, events.JobWarned(job_of(state), clock.now(), "count_mismatch", "Contact", "x"))
    assert told(state, settings, kinds=["limit"]) == 1
    assert "changed the limit for all budgets: 50 % → 60 %." in receiver.bodies[-1]
    assert "import" not in receiver.bodies[-1]
    assert told(state, settings) == 1 and receiver.bodies[-1] == f"acme: {warned}"


def test_usage_is_told_once_a_day_and_level(settings: Settings) -> None:
    """The highest level that is reached, of each budget."""
    from sfnb.notices.texts import usage_notices

    at = datetime(2026, 11, 3, tzinfo=UTC)
    gauges = [(ORG, "api", 6800, 15000, at), (ORG, "bulk", 10, 15000, at)]
    found = usage_notices(gauges, {ORG: "acme"}, [40, 45, 90])
    assert [one.text for one in found] == [
        "acme: 6,800 of 15,000 API calls used (45 %, warning at 45 %)."
    ]
    assert found[0].source == f"usage:{ORG}:api:45:2026-11-03"


def test_quiet_hours_end_with_one_message(
    state: State, clock: FakeClock, settings: Settings, receiver: Receiver
) -> None:
    """
    Nothing comes in quiet hours; afterwards it comes together, once. The day's summary and what
    failed stand first: what a long message leaves out is what matters least.
    """
    rules = {"quiet": "07:00-09:00", "summary_at": "09:00"}
    told(state, settings, **rules)
    for _ in range(24):
        tell(state, events.JobStateChanged(job_of(state), clock.now(), JobState.COMPLETED))
        clock.advance(1)
    failed = job_of(state)
    tell(state, events.JobStateChanged(failed, clock.now(), JobState.FAILED))
    assert told(state, settings, **rules) == 0 and receiver.got == []
    clock.advance(3600)
    assert told(state, settings, **rules) == 26 and told(state, settings, **rules) == 0
    (message,) = receiver.got
    assert message["title"] == "sfnb: 26 notices, something failed"
    lines = message["message"].splitlines()
    assert lines[0] == "The last day:" and lines[1].startswith("acme: 25 ")
    assert lines[2] == f"acme: backup {failed} failed. `sfnb jobs acme` says more."
    assert lines[-1] == "and 6 more: `sfnb notices list`"


def test_what_is_urgent_is_sent_in_quiet_hours(
    state: State, clock: FakeClock, settings: Settings, receiver: Receiver
) -> None:
    """Only kinds that the settings call urgent wake people; each notice comes once all the same."""
    rules = {"quiet": "07:00-09:00", "urgent": ["failed", "usage"]}
    told(state, settings, **rules)
    good, bad = job_of(state), job_of(state)
    tell(state, events.JobStateChanged(good, clock.now(), JobState.COMPLETED))
    tell(state, events.JobStateChanged(bad, clock.now(), JobState.FAILED))
    state.ledger.set_limits(ORG, 40, org="acme")
    assert told(state, settings, **rules) == 1 and told(state, settings, **rules) == 0
    assert receiver.bodies == [f"acme: backup {bad} failed. `sfnb jobs acme` says more."]
    clock.advance(3600)
    assert told(state, settings, **rules) == 2
    assert good in receiver.bodies[1] and bad not in receiver.bodies[1]
    assert told(state, settings, **rules) == 0 and len(receiver.got) == 2


def test_a_summary_a_day_may_be_all(
    state: State, clock: FakeClock, settings: Settings, receiver: Receiver
) -> None:
    """Who wants one message a day gets that alone; it counts what ended that day, begun when it may."""
    rules: dict[str, Any] = {"kinds": [], "summary_at": "09:00"}
    told(state, settings, **rules)
    old, long = job_of(state), job_of(state)
    state.jobs.update(old, state=JobState.FAILED)
    for _ in range(2):
        clock.advance(24 * 3600)
        assert told(state, settings, **rules) == 0, "it is eight in the morning"
    with state.jobs.lease(long):
        state.jobs.update(long, state=JobState.RUNNING)
        state.jobs.update(long, state=JobState.COMPLETED)
    clock.advance(3600)
    assert told(state, settings, **rules) == 1 and told(state, settings, **rules) == 0
    assert receiver.bodies == ["The last day:\nacme: 1 completed"]


def test_what_did_not_arrive_is_sent_again(
    state: State, clock: FakeClock, settings: Settings, receiver: Receiver
) -> None:
    """A receiver that is away gets it ten minutes later; what failed is said without the address."""
    told(state, settings)
    tell(state, events.JobStateChanged(job_of(state), clock.now(), JobState.FAILED))
    receiver.status = 503
    with pytest.raises(JobError) as failed:
        told(state, settings)
    assert "hidden" not in str(failed.value) and "127.0.0.1" not in str(failed.value)
    said: list[str] = []
    notifier = Notifier(state, settings, said.append)
    clock.advance(601)
    notifier.look()
    clock.advance(601)
    notifier.look()
    assert said == [str(failed.value)], "once"
    receiver.status = 200
    clock.advance(601)
    notifier.look()
    assert len(receiver.got) == 1 and told(state, settings) == 0


def test_a_scheduled_command_without_a_job_is_told(
    state: State, clock: FakeClock, settings: Settings, receiver: Receiver
) -> None:
    """A usage sample that fails has no job to tell of it."""
    told(state, settings)
    entry = state.schedule.add("usage", cron="*/15 * * * *", tz="UTC", command=["usage", "sample"])
    from sfnb.state.schedule_values import Due

    clock.advance(900)
    token = state.schedule.claim(entry, Due(clock.now()))
    assert token and state.schedule.take(token) and state.schedule.finish(token, 1)
    assert told(state, settings) == 1 and told(state, settings) == 0
    assert "usage, due 2026-11-02T08:15:00Z, ended with exit code 1." in receiver.bodies[0]


def test_settings_name_where_the_address_is(tmp_path: Any) -> None:
    """The address itself in the settings is refused, and not repeated."""
    (tmp_path / "sfnb.toml").write_text('[notices]\nurl = "slack://token"\n')
    with pytest.raises(JobError, match=r"line 2: notices\.url must be env:VARIABLE") as refused:
        load_settings({"SFNB_HOME": str(tmp_path)})
    assert "slack" not in str(refused.value)


def test_the_address_in_the_keyring_is_nowhere_else(tmp_path: Path, receiver: Receiver) -> None:
    """P7: typed once, it is used from there; no file of the home and no output has it."""
    (tmp_path / "ring.py").write_text(RING, "utf-8")
    home = CommandLine(
        tmp_path / "home",
        PYTHONPATH=os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        PYTHON_KEYRING_BACKEND="ring.Ring",
        RING=str(tmp_path / "ring.txt"),
    )
    home.home.mkdir()
    (home.home / "sfnb.toml").write_text('[notices]\nurl = "keyring"\n', "utf-8")
    empty = home.apart("notices", "test")
    assert empty.code == 1 and empty.is_one_sentence() and "`sfnb notices address`" in empty.err
    words = [sys.executable, "-m", "sfnb", "notices", "address"]
    kept = subprocess.run(
        words, env=home.environ, input=receiver.address, capture_output=True, text=True, check=True
    )
    sent = home.apart("notices", "test")
    assert sent.code == 0 and receiver.bodies == [
        "This is a test. Notices of jobs and limits will come here."
    ]
    home("notices", "list")  # makes the state
    said = kept.stdout + kept.stderr + sent.out + sent.err
    files = [path.read_bytes() for path in home.home.rglob("*") if path.is_file()]
    assert len(files) >= 2 and not any(b"hidden" in content for content in [*files, said.encode()])


RING = """
import os, pathlib, keyring.backend
class Ring(keyring.backend.KeyringBackend):
    priority = 1
    def get_password(self, service, name):
        path = pathlib.Path(os.environ["RING"])
        return path.read_text() if path.exists() else None
    def set_password(self, service, name, password):
        pathlib.Path(os.environ["RING"]).write_text(password)
"""
"""A keyring in a file outside the home, for machines that have none."""
