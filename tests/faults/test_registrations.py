"""Several processes that change one SFNB_HOME at once, and who may read what they wrote."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sfnb.errors import CallerError, JobError
from sfnb.file_lock import file_lock
from sfnb.private import private_folder
from sfnb.settings import OrgConfig, load_settings, put_org
from tests.command_line import CommandLine

REGISTER = """
import sys
from sfnb.settings import OrgConfig, load_settings, put_org
for number in range(5):
    put_org(load_settings(), OrgConfig(f"org-{sys.argv[1]}-{number}", "sf", alias="x"))
"""


def test_no_registration_is_lost(tmp_path: Path) -> None:
    """Four processes that register five orgs each leave twenty, and a file that is whole at any moment."""
    environ = os.environ | {"SFNB_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", REGISTER]
    processes = [subprocess.Popen([*command, str(n)], env=environ) for n in range(4)]
    while any(process.poll() is None for process in processes):
        load_settings(environ)
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    names = {f"org-{process}-{number}" for process in range(4) for number in range(5)}
    assert set(load_settings(environ).orgs) == names


def test_a_name_taken_meanwhile_is_refused(tmp_path: Path) -> None:
    """Who registers a new org does not replace what another process registered a moment ago."""
    before = load_settings({"SFNB_HOME": str(tmp_path)})
    put_org(before, OrgConfig("acme", "sf", alias="mine"))
    with pytest.raises(CallerError, match="already registered"):
        put_org(before, OrgConfig("acme", "sf", alias="theirs"), replaces=False)
    assert load_settings({"SFNB_HOME": str(tmp_path)}).org("acme").alias == "mine"


def test_a_lock_waits_only_so_long(tmp_path: Path) -> None:
    """A process that hangs with the lock is reported, not waited for without end."""
    path = tmp_path / "a.lock"
    with (
        file_lock(path, patience_s=0),
        pytest.raises(JobError, match=r"a\.lock"),
        file_lock(path, patience_s=0.05),
    ):
        pass
    with file_lock(path, patience_s=0):
        pass


def test_two_demo_orgs_that_start_at_once_are_one(tmp_path: Path) -> None:
    """The second `sfnb demo start` waits, finds the first one's server, and says that it is running."""
    home = CommandLine(tmp_path / "home")
    try:
        starting = [home.start("demo", "start", "--size", "tiny") for _ in range(2)]
        ended = [one.ended() for one in starting]
        assert sorted(one.code for one in ended) == [0, 2], ended
        assert "already running" in next(one.err for one in ended if one.code == 2)
        folder = str(home.home / "demo")
        servers = [
            process.pid
            # A zombie of somebody else's has no command line any more.
            for process in psutil.process_iter(["cmdline"])
            if "serve" in (words := process.info["cmdline"] or []) and folder in words
        ]
        assert servers == [home("demo", "status", "--json").json["pid"]]
    finally:
        assert home("demo", "stop").code == 0


def test_a_demo_org_that_cannot_be_registered_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its registration nobody would find the server, and the next start would be refused."""
    home = CommandLine(tmp_path / "home")

    def full(*_: object) -> None:
        raise JobError("sfnb.toml cannot be written (No space left on device).")

    try:
        with monkeypatch.context() as patch:
            patch.setattr("sfnb.cli.demo.put_org", full)
            assert home("demo", "start", "--size", "tiny").code == 1
        assert home("demo", "status", "--json").json == {"running": False}
        assert home("demo", "start", "--size", "tiny").code == 0
    finally:
        assert home("demo", "stop").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes; the profile protects it")
@pytest.mark.parametrize("is_there", [False, True])
def test_only_its_user_may_read_a_home(tmp_path: Path, is_there: bool) -> None:
    """SFNB_HOME has mode 0700, also when it was an empty folder; its files have 0600."""
    folder = tmp_path / "home"
    if is_there:
        folder.mkdir(mode=0o755)
    home = CommandLine(folder)
    assert home("jobs").code == 0
    added = home("org", "add", "x", "--sf-cli", "x", "--no-check")
    assert added.code == 0, added.err
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert {"sfnb.toml", "state.db"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


@pytest.mark.skipif(sys.platform == "win32", reason="likewise")
def test_a_folder_that_was_opened_on_purpose_stays_so(tmp_path: Path) -> None:
    """A home that a group shares keeps its mode."""
    (tmp_path / "something").touch()
    tmp_path.chmod(0o750)
    assert stat.S_IMODE(private_folder(tmp_path).stat().st_mode) == 0o750
