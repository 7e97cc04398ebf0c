"""The messages where the clients from npm cannot be installed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tools import clients


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing installed and nothing on the PATH; its folder of node modules."""
    monkeypatch.setattr(clients, "MODULES", tmp_path / "node_modules")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "node_modules"


def pretend_installed(modules: Path) -> None:
    pinned = json.loads((clients.HOME / "package.json").read_text())["dependencies"]
    for name, version in pinned.items():
        (modules / name).mkdir(parents=True)
        (modules / name / "package.json").write_text(json.dumps({"version": version}))


def test_not_installed(bare: Path) -> None:
    """
    Clients that are not installed, or in another version, are missing, and the text names the
    command.
    """
    with pytest.raises(clients.Missing, match=r"not installed.*python tools/clients\.py"):
        clients.find_clients()
    pretend_installed(bare)
    (bare / "jsforce" / "package.json").write_text('{"version": "1.0.0"}')
    with pytest.raises(clients.Missing, match=r"jsforce .* is wanted, found: 1\.0\.0"):
        clients.find_clients()


def test_no_npm_is_said_and_fails_nothing(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without npm the step of CI says so in one line and continues."""
    assert clients.main() == 0
    said = capsys.readouterr().out
    assert "left out" in said
    assert "npm is not on the PATH" in said


def test_no_node(bare: Path) -> None:
    """Installed clients without any Node are missing too."""
    pretend_installed(bare)
    with pytest.raises(
        clients.Missing, match=r"Node is not on the PATH. Install Node.js 22\.19 or newer"
    ):
        clients.find_clients()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for node is a shell script")
def test_an_old_node(bare: Path) -> None:
    """
    A Node older than sf wants is not used, and its version is named; one that is new enough is.
    """
    pretend_installed(bare)
    node = bare.parent / "node"
    for version in ("v20.20.2", "v22.18.9"):
        node.write_text(f"#!/bin/sh\necho {version}\n")
        node.chmod(0o755)
        with pytest.raises(clients.Missing, match=f"Node {version} is too old"):
            clients.find_clients()
    node.write_text("#!/bin/sh\necho v22.19.0\n")
    assert clients.find_clients().node == Path(str(shutil.which("node")))


@pytest.mark.parametrize(
    ("line", "is_network"),
    [
        ("npm error code ENOTFOUND", True),
        ("npm ERR! code EAI_AGAIN", True),
        ("npm error code ETARGET", False),
        ("npm error code EUSAGE", False),
    ],
)
def test_only_the_network_excuses(line: str, is_network: bool) -> None:
    """npm that cannot reach the registry is no failure of ours; npm that refuses the lock is."""
    assert bool(clients.NETWORK_ERRORS.search(line)) is is_network
