"""`sfnb verify` knows from the jobs what must be in the store. On the state and store that sfnb 0.1 left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from sfnb.cli.context import App
from sfnb.cli.snapshots import COMMANDS

ORG = "00D7Q00000A0000UAB"
SEALED, PAUSED = "20261127T060309Z-8b9a6d", "20261127T060313Z-b76a48"


@pytest.fixture
def org(format1_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The org's folder in an installation whose jobs have made one sealed and one unfinished snapshot."""
    monkeypatch.setenv("SFNB_HOME", str(format1_store.parent))
    return format1_store / ORG


def verified() -> tuple[int, list[dict[str, Any]]]:
    app = App()
    group = click.Group(commands=COMMANDS)
    result = CliRunner().invoke(group, ["verify", "demo", "--json"], obj=app, standalone_mode=False)
    app.close()
    if result.exception is not None:
        raise result.exception
    return result.return_value or 0, json.loads(result.output)


def test_an_old_store_is_whole(org: Path) -> None:
    """What sfnb 0.1 wrote has no damage; that a paused job's snapshot is not sealed is none."""
    assert org.is_dir()
    code, found = verified()
    assert (code, found) == (0, [])


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (lambda org: (org / "snapshots" / SEALED / "manifest.json").unlink(), "missing"),
        (lambda org: shutil.rmtree(org / "snapshots" / SEALED), "missing"),
        (lambda org: shutil.rmtree(org / "snapshots" / PAUSED), "missing"),
        (lambda org: shutil.rmtree(org / "snapshots"), "missing"),
        (lambda org: shutil.rmtree(org / "tables" / "Account"), "missing"),
        (shutil.rmtree, "missing"),
        (lambda org: shutil.rmtree(org.parent), "missing"),
        (lambda org: swap(org, "manifest.json", "plan.json"), "damaged"),
    ],
)
def test_what_the_jobs_know_is_missed(org: Path, harm: Callable[[Path], None], kind: str) -> None:
    """A manifest, a snapshot, a table, the org, the store: gone without a trace, and found all the same."""
    harm(org)
    code, found = verified()
    assert code == 1
    assert kind in {f["kind"] for f in found}


def swap(org: Path, one: str, other: str) -> None:
    folder = org / "snapshots" / SEALED
    (folder / one).write_bytes((folder / other).read_bytes())
