"""What is stored is its user's alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.store_samples import a_snapshot, a_store, a_writer, rows


@pytest.mark.skipif(os.name == "nt", reason="Windows has rights of its own")
def test_folders_are_0700_and_files_0600(tmp_path: Path) -> None:
    """Every folder and file of a store, those that Delta makes (log, checkpoints) included, whatever the umask is."""
    before = os.umask(0o022)
    try:
        store = a_store(tmp_path / "new" / "store")
        a_snapshot(store, "Account", "Contact")
        writer = a_writer(store, number=2)
        for k in range(102):
            writer.commit("Account", [], {"k": k}, is_done=False)
        writer.commit("Account", writer.write_parts("Account", [rows(0, 1)]), {}, is_done=True)
        writer.seal()
    finally:
        os.umask(before)
    found = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert any(".checkpoint." in path.name for path in found)
    open_to_others = {path for path in found if path.stat().st_mode & 0o077}
    assert open_to_others == set()
