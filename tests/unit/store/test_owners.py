"""A process that was stopped, lost its job to another and wakes again can no longer write; the new owner goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sfnb.errors import ResultsGone
from sfnb.store.ownership import Ownership, SnapshotGone, StaleWriter
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from sfnb.store.writer import Writer
from tests.store_samples import a_store, a_writer, record_id, rows


def page(writer: Writer, number: int, *, is_done: bool = False) -> None:
    parts = writer.write_parts("Account", [rows(10 * number, 10)])
    writer.commit("Account", parts, {"page": number}, is_done=is_done)


def two_owners(tmp_path: Path) -> tuple[OrgStore, Writer, Writer]:
    """A writer that stood still after its first page, and the one that took the snapshot over."""
    store = a_store(tmp_path)
    stale = a_writer(store)
    stale.take_over()
    page(stale, 0)
    owner = store.reopen(stale.snapshot)
    owner.take_over()
    return store, stale, owner


def test_a_stale_writer_is_refused_and_the_owner_goes_on(tmp_path: Path) -> None:
    """Neither rows, nor a restart, nor a seal of the old process come through; the snapshot is the new one's."""
    store, stale, owner = two_owners(tmp_path)
    page(owner, 1)
    for attempt in (
        lambda: page(stale, 1),
        lambda: stale.restart("Account"),
        stale.seal,
    ):
        with pytest.raises(StaleWriter, match="another process has taken this job over"):
            attempt()
    page(owner, 2, is_done=True)
    assert owner.seal().state == "complete"
    ids = store.snapshots["latest"].table("Account").column("Id").to_pylist()
    assert sorted(ids) == [record_id(n) for n in range(30)]
    assert [f for f in verify(store) if f.kind != "orphan"] == []
    assert not list(Path(store.root).rglob("owners/*"))


def test_a_commit_that_slipped_in_starts_the_object_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the old process committed between the new one's look and its first commit costs one restart, no failure."""
    store, stale, owner = two_owners(tmp_path)
    assert owner.progress("Account").rows == 10
    with monkeypatch.context() as patch:
        patch.setattr(Ownership, "check_owner", lambda _self: None)
        page(stale, 1)
    with pytest.raises(ResultsGone, match="Account: a stopped process still wrote rows"):
        page(owner, 1)
    owner.restart("Account")
    page(owner, 0, is_done=True)
    owner.seal()
    ids = store.snapshots["latest"].table("Account").column("Id").to_pylist()
    assert sorted(ids) == [record_id(n) for n in range(10)]


def test_a_store_that_is_gone_in_mid_run_is_not_begun_anew(tmp_path: Path) -> None:
    """
    Folders are made where they are missing: without a look, the next rows would be committed to a
    store of their own, on the disk below a drive that is not there any more.
    """
    store = a_store(tmp_path)
    writer = a_writer(store)
    writer.take_over()
    page(writer, 0)
    away = tmp_path / "away"
    Path(store.root).rename(away)
    for attempt in (lambda: page(writer, 1), lambda: writer.restart("Account"), writer.seal):
        with pytest.raises(SnapshotGone, match=r"is no longer in .* Bring it back"):
            attempt()
    assert not list(Path(store.root).rglob("*.json"))
    with pytest.raises(SnapshotGone):
        store.reopen(writer.snapshot)
    shutil.rmtree(store.root)
    away.rename(store.root)
    page(writer, 1, is_done=True)
    assert writer.seal().state == "complete"
