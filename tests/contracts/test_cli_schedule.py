"""`sfnb schedule`, as other programs drive it: words, exit codes, the service and its kills."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from sfnb.clock import SystemClock
from tests.command_line import CommandLine, Running
from tests.conftest import RunningOrg

LOOKS = 600


@pytest.fixture
def home(tmp_path: Path, demo_org: RunningOrg) -> CommandLine:
    return CommandLine.with_org(tmp_path / "home", demo_org)


def until(found: Callable[[], Any]) -> Any:
    """What is found once there is something, within a minute and more."""
    nap = threading.Event()
    for _ in range(LOOKS):
        if value := found():
            return value
        nap.wait(0.2)
    raise AssertionError("it did not happen")


def soon(seconds: float = 2.0) -> str:
    """A cron line that is due once, in a moment."""
    due = SystemClock().now().astimezone(UTC) + timedelta(seconds=seconds)
    return f"{due:%-S %-M %-H} * * *" if sys.platform != "win32" else f"{due:%S %M %H} * * *"


def test_entries_are_added_listed_and_removed(home: CommandLine) -> None:
    """The contract's words and keys; a cron line, a command or a name that is none is 2 and a sentence."""
    added = home(
        "schedule", "add", "nightly", "--cron", "30 2 * * *", "--tz", "Europe/Paris", "--json",
        "--", "backup", "x", "--on-pause", "exit",
    )  # fmt: skip
    keys = {"name", "cron", "tz", "command", "next_at"}
    assert added.code == 0 and added.json.keys() == keys, added.err
    assert added.json["command"] == ["backup", "x", "--on-pause", "exit"]
    assert added.json["tz"] == "Europe/Paris"
    due = datetime.fromisoformat(added.json["next_at"])
    assert (due.hour, due.minute) in ((0, 30), (1, 30))
    plain = home("schedule", "add", "sample", "--cron", "*/15 * * * *", "--", "usage", "sample")
    assert plain.code == 0 and "is due next at" in plain.out
    listed = home("schedule", "list", "--json").json
    assert [one["name"] for one in listed] == ["nightly", "sample"]
    assert listed[0].keys() == keys | {"last_due_at", "last_exit", "last_job"}
    assert listed[1]["tz"] == "UTC" and listed[1]["last_due_at"] is None
    assert home("schedule", "runs", "--json").json == []
    for words, says in {
        ("x1", "--cron", "2 * * *", "--", "jobs"): "is no cron line",
        ("x1", "--cron", "99 2 * * *", "--", "jobs"): "is no cron line",
        ("x1", "--cron", "0 2 * * *", "--tz", "Mars", "--", "jobs"): "is no time zone",
        ("x1", "--cron", "0 2 * * *", "--", "nothing"): "No such command 'nothing'",
        ("x1", "--cron", "0 2 * * *", "--", "backup"): "Missing argument 'NAME'",
        ("x1", "--cron", "0 2 * * *", "--", "backup", "x", "--nope"): "No such option",
        ("x1", "--cron", "0 2 * * *", "--", "org"): "not a whole command",
        ("x1", "--cron", "0 2 * * *", "--", "jobs", "--help"): "only explains itself",
        ("x1", "--cron", "0 2 * * *", "--", "schedule", "serve"): "does not end",
        ("../x", "--cron", "0 2 * * *", "--", "jobs"): "cannot be the name",
        ("nightly", "--cron", "0 2 * * *", "--", "jobs"): "scheduled already",
    }.items():
        ran = home("schedule", "add", *words)
        assert ran.code == 2 and says in ran.err and ran.out == "", (words, ran.err)
    assert home("schedule", "add", "x1", "--cron", "0 2 * * *").code == 2
    removed = home("schedule", "remove", "sample", "--json")
    assert removed.code == 0 and removed.json["name"] == "sample"
    for words in (("remove", "sample"), ("runs", "sample"), ("init", "nobody")):
        assert home("schedule", *words).code == 2
    lines = home("audit", "--kind", "schedule", "--json").json
    assert [(line["action"], line["subject"]) for line in lines] == [
        ("added", "nightly"), ("added", "sample"), ("removed", "sample"),
    ]  # fmt: skip


def test_an_org_that_is_not_registered_here_is_said(home: CommandLine) -> None:
    """Nobody notices a mistyped name before the night; another home may know it, so it is no error."""
    typo = home("schedule", "add", "typo", "--cron", "0 2 * * *", "--", "backup", "nope")
    assert typo.code == 0 and "No org 'nope' is registered here" in typo.err
    known = home("schedule", "add", "known", "--cron", "0 2 * * *", "--", "backup", "x")
    assert known.code == 0 and "registered" not in known.err


def test_what_an_org_usually_needs_is_one_command(home: CommandLine) -> None:
    """Nightly backup, weekly sweep, usage, report, retention; a second time changes nothing."""
    made = home("schedule", "init", "x", "--tz", "Europe/Paris", "--json")
    assert made.code == 0, made.err
    commands = {one["name"]: " ".join(one["command"][:2]) for one in made.json}
    assert commands == {
        "x-backup": "backup x", "x-sweep": "backup x", "x-usage": "usage sample",
        "x-report": "report x", "x-retention": "prune x",
    }  # fmt: skip
    again = home("schedule", "init", "x", "--json")
    assert again.code == 0 and again.json == [] and "stays as it is" in again.err


def test_the_service_survives_what_a_night_brings(
    tmp_path: Path, fresh_org: Callable[..., RunningOrg]
) -> None:
    """
    Paused at the limit, the service killed, the state away, resumed by the next service, ended by
    SIGTERM with 0: one due time, one line, one job.
    """
    org = fresh_org()
    home = CommandLine.with_org(tmp_path / "home", org)
    (home.home / "sfnb.toml").write_text(
        "poll_s = 1\n" + (home.home / "sfnb.toml").read_text("utf-8"), "utf-8"
    )
    assert home("limit", "x", "1").code == 0
    org.control("quota", {"spend": {"api": 300}})
    words = ("backup", "x", "--objects", "Account", "--on-pause", "exit")
    service = serve(home)
    try:
        assert home("schedule", "add", "nightly", "--cron", soon(), "--", *words).code == 0
        waiting = until(lambda: [run for run in runs_of(home) if run["attempts"] >= 2])
        assert len(waiting) == 1 and waiting[0]["job_id"]
        service.process.kill()
        service.ended()
        service = serve(home)
        url = service.address  # type: ignore[attr-defined]
        assert health(url) == (
            200,
            {"ok": True, "entries": 1, "running": health(url)[1]["running"]},
        )
        _state_away(home, url)
        assert home("limit", "x", "50").code == 0
        done = until(lambda: [run for run in runs_of(home) if run["exit_code"] == 0])
    finally:
        service.process.send_signal(signal.SIGTERM)
        ended = service.ended()
    assert sys.platform == "win32" or ended.code == 0, ended.err
    (run,) = done
    assert run["job_id"] == waiting[0]["job_id"] and run["due_at"] == waiting[0]["due_at"]
    assert [(job["job_id"], job["state"]) for job in home("jobs", "--json").json] == [
        (run["job_id"], "completed")
    ]
    (entry,) = home("schedule", "list", "--json").json
    assert (entry["last_due_at"], entry["last_exit"], entry["last_job"]) == (
        run["due_at"], 0, run["job_id"],
    )  # fmt: skip
    assert home("audit", "verify").code == 0


def test_a_port_that_is_taken_is_wrong_usage(home: CommandLine) -> None:
    """Two services on one port are one too many, in a sentence."""
    service = serve(home)
    try:
        port = service.address.rsplit(":", 1)[1].split("/")[0]  # type: ignore[attr-defined]
        second = home.apart("schedule", "serve", "--port", port)
        assert second.code == 2 and second.is_one_sentence() and "--port" in second.err
    finally:
        service.process.send_signal(signal.SIGTERM)
        assert service.ended().code == 0 or sys.platform == "win32"


def serve(home: CommandLine) -> Running:
    service = home.start("schedule", "serve", "--port", "0")
    line = service.wait_for("Serving the schedule")
    service.address = line.split()[-1]  # type: ignore[attr-defined]
    return service


def runs_of(home: CommandLine) -> list[dict[str, Any]]:
    ran = home("schedule", "runs", "nightly", "--json")
    return list(ran.json) if ran.code == 0 else []


def health(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(url, timeout=60) as answer:  # noqa: S310 - our own page
            return answer.status, json.load(answer)
    except HTTPError as err:
        with err:
            return err.code, json.load(err)


def _state_away(home: CommandLine, url: str) -> None:
    """While the database is away the page says so; then it is well again."""
    state, away = home.home / "state.db", home.home / "away.db"
    state.rename(away)
    try:
        status, said = until(lambda: found if (found := health(url))[0] == 503 else None)
        assert status == 503 and said["ok"] is False and said["error"]
    finally:
        away.replace(state)
    until(lambda: health(url)[0] == 200)
