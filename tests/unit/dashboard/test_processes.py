"""Commands that outlive the dashboard."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from sfnb.dashboard.processes import KEPT_LOGS, Command

WAIT_S = 60


def ended(command: Command) -> int:
    """Its exit code, when it has ended."""
    return command._process.wait(WAIT_S)


@pytest.mark.skipif(os.name == "nt", reason="sessions are POSIX's; Windows has DETACHED_PROCESS")
def test_a_job_has_a_session_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the dashboard's terminal, or closing it, does not reach a job that was started there."""
    monkeypatch.setenv("SFNB_HOME", str(tmp_path / "home"))
    command = Command(["jobs"], tmp_path / "jobs")
    try:
        child = psutil.Process(command._process.pid)
        assert os.getsid(child.pid) == child.pid
    finally:
        ended(command)


def test_the_last_words_say_why_it_did_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the command says at its end is what the page shows."""
    monkeypatch.setenv("SFNB_HOME", str(tmp_path / "home"))
    command = Command(["backup", "gone", "--json"], tmp_path / "jobs")
    assert ended(command) == 2
    assert command.exit_code == 2
    assert "gone" in command.last_words
    assert not command.last_words.startswith("sfnb:")


def test_old_logs_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest logs stay, and a new one never takes the name of one that is there."""
    monkeypatch.setenv("SFNB_HOME", str(tmp_path / "home"))
    folder = tmp_path / "jobs"
    folder.mkdir()
    for number in range(7, 7 + KEPT_LOGS + 5):
        (folder / f"{number:05}-backup.log").touch()
    command = Command(["jobs"], folder)
    assert ended(command) == 0
    names = sorted(path.name for path in folder.iterdir())
    assert names[0] == "00012-backup.log" and len(names) == KEPT_LOGS + 1
    assert command.log.name == f"{7 + KEPT_LOGS + 5:05}-jobs.log" == names[-1]
