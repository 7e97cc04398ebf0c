"""A store that sfnb 0.1 wrote, and copies of samples."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from sfnb.store.tables import OrgStore
from tests.store_forger import damage
from tests.store_samples import a_store
from tests.unit.store.metadata import Metadata, metadata_servers

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


@cache
def _sample(folder: Path, make: Callable[[Path], OrgStore]) -> Path:
    root = folder / f"sample-of-{make.__name__}"
    assert damage(make(root)) == []
    return root


@pytest.fixture
def copied(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Callable[[Path], OrgStore]], OrgStore]:
    """Gives a copy of the store that a function makes, to be harmed; nothing is wrong with it."""

    def copy(make: Callable[[Path], OrgStore]) -> OrgStore:
        shutil.copytree(_sample(tmp_path_factory.getbasetemp(), make), tmp_path / "store")
        return a_store(tmp_path / "store")

    return copy


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    """A factory of metadata servers, as clouds have them."""
    with metadata_servers() as start:
        yield start
