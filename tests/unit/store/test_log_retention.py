"""Delta tidies its log after 30 days by default; a snapshot is read whenever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from deltalake import DeltaTable

from sfnb.clock import FakeClock
from sfnb.store import delta
from sfnb.store.compaction.compact import compact_object
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from tests.store_samples import BEGAN, a_store
from tests.unit.store.history.test_diff import a_state, record

MONTHS_S = 90 * 86_400


def tidied(store: OrgStore) -> list[str]:
    """Make the log a quarter of a year older, let Delta tidy it; which of its files are left."""
    log = Path(store.root, "records", "Account", "_delta_log")
    table = DeltaTable(log.parent)
    table.create_checkpoint()
    for file in log.iterdir():
        stat = file.stat()
        os.utime(file, (stat.st_atime - MONTHS_S, stat.st_mtime - MONTHS_S))
    DeltaTable(log.parent).cleanup_metadata()
    return sorted(file.name for file in log.glob("*.json"))


def a_quarter(store: OrgStore) -> list[str]:
    states = [[record(n, Name=f"v{k}") for n in range(1 + k, 9)] for k in range(4)]
    return [a_state(store, 1 + k, records) for k, records in enumerate(states)]


def test_a_snapshot_older_than_the_retention_is_exported(tmp_path: Path) -> None:
    """Nothing of the log goes, and each old state reads as before, compacted or not."""
    store = a_store(tmp_path / "store")
    snapshots = a_quarter(store)
    before = [store.snapshots[s].table("Account").sort_by("Id") for s in snapshots]
    count = len(tidied(store))
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    assert len(tidied(store)) == count + 1
    for number, snapshot in enumerate(snapshots):
        path = tmp_path / f"{number}.csv"
        assert store.snapshots[snapshot].export("Account", path) == before[number].num_rows
        assert store.snapshots[snapshot].table("Account").sort_by("Id").equals(before[number])
    assert not [finding for finding in verify(store) if finding.is_damage]


def test_without_the_tables_own_retention_delta_takes_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the property is for: the same with Delta's default loses commits, so the test above can fail."""
    properties = {
        name: value
        for name, value in delta.TABLE_PROPERTIES.items()
        if "Retention" not in name and "Cleanup" not in name
    }
    monkeypatch.setattr(delta, "TABLE_PROPERTIES", properties)
    store = a_store(tmp_path / "store")
    count = len(a_quarter(store))
    assert len(tidied(store)) < count
