"""Where a command's words go: terminals of any kind, streams that end early, texts that an org made up."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from sfnb.cli.main import cli, run
from sfnb.cli.output import plain
from sfnb.cli.progress import Bars
from sfnb.jobs import events
from sfnb.model import JobState, ObjectState, Pause
from sfnb.text import second
from tests.command_line import CommandLine
from tests.conftest import RunningOrg

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="streams are closed otherwise there")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, demo_org: RunningOrg) -> CommandLine:
    """A home in which the demo org is known as x, with one backup."""
    home = CommandLine.with_org(tmp_path_factory.mktemp("home"), demo_org)
    assert home("backup", "x", "--objects", "Account").code == 0
    return home


@contextmanager
def broken_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sfnb", *arguments]


BACKUP = ("backup", "x", "--objects", "Account")


@POSIX
@pytest.mark.parametrize("arguments", [("jobs",), ("snapshots", "x"), ("plan", "x")])
def test_a_reader_that_goes_away_is_no_accident(home: CommandLine, arguments: tuple[str]) -> None:
    """`sfnb jobs | head -1` ends quietly, however early the reader closes the pipe."""
    with broken_pipe() as pipe:
        ran = subprocess.run(
            command(*arguments), stdout=pipe, stderr=subprocess.PIPE, env=home.environ, check=False
        )
    assert ran.stderr == b"" and ran.returncode != 0


@POSIX
def test_a_reader_that_goes_away_does_not_end_a_job(home: CommandLine) -> None:
    """`sfnb backup x | head -1` finishes the backup, and its exit code is the job's."""
    with broken_pipe() as pipe:
        ran = subprocess.run(
            command(*BACKUP), stdout=pipe, stderr=subprocess.PIPE, env=home.environ, check=False
        )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert home("jobs", "--json").json[-1]["state"] == "completed"


@POSIX
@pytest.mark.parametrize("end", [">&-", "2>&-", "2>&1 >/dev/full", "2>/dev/full"])
def test_a_stream_that_takes_nothing_does_not_end_a_job(home: CommandLine, end: str) -> None:
    """Closed from the start, or full: the backup is finished, and an open stream has its part."""
    if "/dev/full" in end and not Path("/dev/full").exists():
        pytest.skip("only Linux has a device that is always full")
    # exec: the streams that the shell made are the command's
    shell = ["/bin/sh", "-c", f'exec "$@" {end}', "sh", *command(*BACKUP, "--json")]
    ran = subprocess.run(shell, capture_output=True, env=home.environ, check=False)
    assert ran.returncode == 0, ran.stderr
    assert home("jobs", "--json").json[-1]["state"] == "completed"
    if end.startswith("2>&-") or end == "2>/dev/full":
        assert json.loads(ran.stdout)["state"] == "completed"


def test_with_json_standard_output_is_one_value_also_of_a_failure(home: CommandLine) -> None:
    """Refused, misspelt, or nothing to be found: the sentence is JSON, too, with the exit code."""
    for words in (
        ("backup", "nobody", "--json"),
        ("backup", "x", "--workers", "many", "--json"),
        ("restore", "x", "20200101T000000Z-000000", "--json"),
        ("resume", "nonsense", "--json"),
        ("prune", "x", "--json"),
        ("erase", "x", "--object", "Account", "--json"),
    ):
        ran = home(*words)
        assert ran.code == 2 and ran.json["exit_code"] == 2 and ran.json["error"] in ran.err, words
    plain = home("backup", "nobody")
    assert plain.out == ""
    not_ours = home("schedule", "add", "x1", "--cron", "none", "--", "backup", "x", "--json")
    assert not_ours.code == 2 and not_ours.out == ""


def test_a_letter_that_the_terminal_lacks_does_not_end_a_job(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> None:
    """A message in Japanese on a Western terminal is printed with replacements; JSON loses nothing."""
    org = fresh_org()
    home = CommandLine.with_org(tmp_path / "home", org)
    western = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252", "LC_ALL": "C"}
    message = "接続できません"
    org.fail(object="Contact", inside=True, fault="error", code="INVALID_TYPE", message=message)
    arguments = ("backup", "x", "--objects", "Account,Contact")
    lines, as_json = (
        subprocess.run(
            command(*arguments, *more),
            capture_output=True,
            env=home.environ | western,
            check=False,
        )
        for more in ((), ("--json",))
    )
    assert lines.returncode == 3, lines.stderr
    assert (
        b"Account" in lines.stdout and b"???" in lines.stdout and b"Traceback" not in lines.stderr
    )
    assert as_json.returncode == 3
    assert message in json.loads(as_json.stdout)["objects"]["Contact"]["message"]


@POSIX
@pytest.mark.parametrize(
    ("folder", "arguments", "code"), [("hüme", ("jobs",), 1), ("home", ("show", "ü"), 2)]
)
def test_what_a_locale_cannot_read_is_said_before_anything_is_done(
    tmp_path: Path, folder: str, arguments: tuple[str, ...], code: int
) -> None:
    """A folder or a word with letters beyond the locale's: a sentence with the variable to set."""
    environ = CommandLine(tmp_path / folder).environ | {"PYTHONUTF8": "0", "LC_ALL": "C"}
    ran = subprocess.run(command(*arguments), capture_output=True, env=environ, check=False)
    assert ran.returncode == code
    assert b"in this locale. Set LC_ALL=C.UTF-8 or PYTHONUTF8=1" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1 and not (tmp_path / folder).exists()


def test_an_org_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    """Colours, titles, movements and marks of direction in a name are taken out before it is printed."""
    home = CommandLine(tmp_path / "home")
    home.home.mkdir()
    (home.home / "sfnb.toml").write_text(
        '[orgs.x]\nlogin = "sf"\nalias = "a"\nusername = "\\u001b[2J\\u001b]0;title\\u0007me\\u202e"\n'
    )
    listed = home("org", "list")
    assert listed.code == 0 and "me" in listed.out
    assert not {"\x1b", "\x07", "\u202e", "title"} & set(listed.out) and "title" not in listed.out
    assert plain("one\ntwo\tthree") == "one\ntwo\tthree"


@pytest.mark.parametrize(
    ("typed", "meant"), [("bakup", "backup"), ("org ad", "add"), ("demo strat", "start")]
)
def test_a_mistyped_command_is_guessed(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and what the command was probably meant to be."""
    assert run(typed.split()) == 2
    assert f"Did you mean {meant!r}?" in capsys.readouterr().err


@POSIX
@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_are_the_terminals_and_the_users_choice(home: CommandLine, no_color: str) -> None:
    """A terminal gets colours, unless NO_COLOR is set: https://no-color.org."""
    import pty

    leader, follower = pty.openpty()
    environ = home.environ | {"NO_COLOR": no_color, "TERM": "xterm"}
    process = subprocess.Popen(command(*BACKUP), stdout=follower, stderr=follower, env=environ)
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.wait() == 0
    assert b"1 of 1 object," in shown and (b"\x1b[32m" in shown) == (not no_color)


def test_the_bar_says_that_it_waits(tmp_path: Path) -> None:
    """While a job is paused, the bar names the next check, and what of the budget is used."""
    out, now = io.StringIO(), datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    bars = Bars(out)
    bars(events.JobPlanned("1", now, "s", {"Account": 10}, {}))
    bars(events.ObjectProgress("1", now, "Account", ObjectState.PARTIAL, 5, 10, 1))
    bars(events.JobPaused("1", now, Pause("api", now, None, 59, 120, "why"), 60, now))
    assert f"paused until {second(now)}, 59 of 120 calls" in out.getvalue()
    bars(events.QuotaChecked("1", now, "api", 51, 120, 54, now))
    assert f"paused until {second(now)}, 51 of 120 calls" in out.getvalue()
    bars(events.JobResumed("1", now, Pause("api", now, now, 59, 120, "why")))
    bars(events.JobStateChanged("1", now, JobState.RUNNING))
    bars(events.ObjectProgress("1", now, "Account", ObjectState.COMPLETE, 10, 10, 1))
    bars.close()
    assert (
        "1/1 objects: 100%" in out.getvalue().splitlines()[-1].replace("\r", "\n").splitlines()[-1]
    )


def test_the_bar_counts_objects_as_the_outcome_does() -> None:
    """An object that fails before it is planned is one of those asked for: 1 of 2, not 1 of 1."""
    out, now = io.StringIO(), datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    bars = Bars(out)
    bars(events.JobPlanned("1", now, "s", {"Account": 10}, {"Vote": "wants a filter"}))
    bars(events.ObjectFailed("1", now, "Case", "describe failed"))
    bars(events.ObjectProgress("1", now, "Account", ObjectState.COMPLETE, 10, 10, 1))
    bars.close()
    assert "1/2 objects" in out.getvalue()


@pytest.mark.parametrize(
    ("typed", "incomplete", "found"),
    [
        ("", "ba", {"backup"}),
        ("show", "", {"x"}),
        ("show x", "la", {"latest"}),
        ("export x", "Acc", {"Account"}),
        ("backup x --objects", "Contact,Acc", {"Contact,Account"}),
        ("resume", "nothing", set()),
        ("show nobody", "", set()),
    ],
)
def test_names_are_completed_without_a_call(
    home: CommandLine,
    demo_org: RunningOrg,
    monkeypatch: pytest.MonkeyPatch,
    *,
    typed: str,
    incomplete: str,
    found: set[str],
) -> None:
    """A shell's tab key offers commands, orgs, snapshots and objects; the org is not asked."""
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    before = demo_org.mark()
    completion = ShellComplete(cli, {}, "sfnb", "_SFNB_COMPLETE")
    items = completion.get_completions(typed.split(), incomplete)
    assert {item.value for item in items} == found
    assert demo_org.ledger(after=before)["spent"] == {}


def test_every_command_takes_json() -> None:
    """`--json` is the same flag everywhere; what serves pages until it is stopped has no result to print."""
    without = {
        name
        for name, command in commands(cli, "sfnb").items()
        if not any("--json" in option.opts for option in command.params)
    }
    assert without == {"sfnb lab", "sfnb dashboard", "sfnb schedule serve"}


def commands(group: click.Group, path: str) -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
        else:
            found[f"{path} {name}"] = command
    return found
