"""A store that sfnb 0.1 wrote."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

FORMAT1 = Path(__file__).parents[2] / "fixtures" / "format1.zip"


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of the store's commands sees this machine's own installation."""
    monkeypatch.setenv("SFNB_HOME", str(tmp_path / "home"))


@pytest.fixture
def format1_store(tmp_path: Path) -> Path:
    """The folder of a store of format 1: one complete and one partial snapshot of the small demo org."""
    with zipfile.ZipFile(FORMAT1) as archive:
        archive.extractall(tmp_path / "format1")
    return tmp_path / "format1" / "store"
