"""The demo org as a process: its ready file, its end, its bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.conftest import RunningOrg, run_process


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sfnb_demo", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_ready_file_appears_whole_and_goes_with_the_process(tmp_path: Path) -> None:
    """
    The file is complete JSON from the start, names the process, and is gone after a shutdown by
    control.
    """
    process, org = run_process(
        tmp_path, "--size", "tiny", "--competitors", "off", "--soft", "--max-calls", "7"
    )
    assert json.loads((tmp_path / "ready.json").read_text())["pid"] == process.pid
    if sys.platform != "win32":
        assert (tmp_path / "ready.json").stat().st_mode & 0o077 == 0
    answer = org.get("/services/data/v66.0/limits")
    # By default the number in the header is a minute old, as a real org's.
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=0/7"
    assert org.control("shutdown", {}) == {"stopping": True}
    assert process.wait(timeout=30) == 0
    assert not (tmp_path / "ready.json").exists()
    with pytest.raises(requests.exceptions.ConnectionError):
        org.get("/services/data/v66.0/limits")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fault", '{"fault": "explode"}'), "there is no fault 'explode'"),
        (["--objects", "Contact"], "'Contact' is not like Contact=1000000"),
        (["--objects", "Nope=5", "--size", "tiny"], "there is no object Nope"),
        (["--size", "huge"], "invalid choice"),
        (["--start-at", "yesterday"], "is not like 2026-11-02"),
    ],
)
def test_bad_options_are_a_sentence(arguments: list[str], said: str) -> None:
    """A wrong option ends with 2 and says what is wrong, without a traceback."""
    ended = serve(*arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_taken_port_is_a_sentence(demo_org: RunningOrg) -> None:
    """A port in use is reported, with what to do."""
    port = demo_org.url.rpartition(":")[2]
    ended = serve("--size", "tiny", "--port", port)
    assert ended.returncode == 1
    assert "Choose another --port" in ended.stderr
