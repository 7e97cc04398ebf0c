"""Erasing records from a store: no byte of them is left, and everything else is as it was and proven."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sfnb.clock import FakeClock
from sfnb.store.compaction.compact import compact_object
from sfnb.store.erasing.run import census, erase, left
from sfnb.store.files import Files
from sfnb.store.tables import OrgStore
from sfnb.store.verify import Expected, verify
from tests.store_samples import BEGAN, a_store, a_writer, record_id, rows
from tests.unit.store.compaction.test_compaction import exported
from tests.unit.store.erasing.byte_search import found_in
from tests.unit.store.history.test_diff import a_state, record

ADA = record_id(1)
SECRETS = ("Ada Löwenzahn-Quist", "Ada Tausendschön", "Ada \U0001f33b “quoted” \\ back", ADA[:15])


def a_past(store: OrgStore, *, is_compacted: bool) -> None:
    """Five snapshots: Ada is there, changes twice, is in the bin, and is gone."""
    for day in range(5):
        records = [record(n, Name=f"v{day // (1 + n % 2)}") for n in range(2, 9)]
        if day < 4:
            records.append(record(1, Name=SECRETS[min(day, 2)], IsDeleted=day == 3))
        a_state(store, 1 + 24 * day, records)
        if is_compacted and day == 2:
            compact_object(store.files, "Account", FakeClock(BEGAN), force=True)


def without_ada(states: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        s: [[row for row in rows if ADA not in row] for rows in both] for s, both in states.items()
    }


def erase_ada(store: OrgStore, **more: Any) -> None:
    erase(store.files, {"Account": [ADA]}, FakeClock(BEGAN), may_touch=lambda _: True, **more)


def damage(store: OrgStore, *expected: Expected) -> list[str]:
    return [f"{f.path}: {f.message}" for f in verify(store, expected) if f.is_damage]


@pytest.mark.parametrize("is_compacted", [False, True])
def test_no_byte_is_left_and_the_rest_is_as_it_was(tmp_path: Path, is_compacted: bool) -> None:
    """Values in three spellings, in pages, statistics, commits and checkpoints; verify passes, also
    against what the state database counted then; the manifests say how many were erased."""
    store = a_store(tmp_path)
    a_past(store, is_compacted=is_compacted)
    before = exported(store)
    assert len(found_in(tmp_path, SECRETS)) > 4
    expected = [
        Expected(s.id, is_sealed=True, complete={"Account": s.manifest.objects["Account"].rows})
        for s in store.snapshots.values()
    ]
    there = census(store.files, {"account": [ADA]})
    assert there.records == {"Account": frozenset([ADA])}
    assert there.snapshots == set(list(before)[:4])
    erase_ada(store)
    assert found_in(tmp_path, SECRETS) == [] and left(store.files, {"Account": [ADA]}) == []
    assert exported(store) == without_ada(before)
    assert damage(store, *expected) == []
    assert [f for f in verify(store) if f.kind == "orphan"] == []
    entries = [s.manifest.objects["Account"] for s in store.snapshots.values()]
    assert [entry.erased for entry in entries] == [1, 1, 1, 1, 0]
    assert [entry.state for entry in entries] == ["complete"] * 5
    for snapshot, entry in zip(store.snapshots.values(), entries, strict=True):
        assert entry.rows == snapshot.table("Account").num_rows == snapshot.summary.rows


def test_backups_go_on_and_bring_back_what_the_org_still_has(tmp_path: Path) -> None:
    """The next reading is compared with the erased state: only what the org has is new."""
    store = a_store(tmp_path)
    a_past(store, is_compacted=True)
    erase_ada(store)
    everyone = [record(n, Name="later") for n in range(1, 9)]
    latest = a_state(store, 24 * 6, everyone)
    assert damage(store) == []
    assert store.snapshots[latest].table("Account").num_rows == 8
    erase_ada(store)
    assert store.snapshots[latest].table("Account").num_rows == 7
    assert damage(store) == [] and found_in(tmp_path, SECRETS) == []


def test_a_growing_snapshot_goes_on(tmp_path: Path) -> None:
    """What it has read already is without the record, and it settles."""
    store = a_store(tmp_path)
    a_past(store, is_compacted=False)
    writer = a_writer(store, "Account", number=24 * 7)
    part = writer.write_part("Account", [rows(1, 10)])
    writer.commit("Account", [part], {"page": 1}, is_done=False)
    erase_ada(store)
    assert ADA not in store.snapshots[writer.snapshot].table("Account").column("Id").to_pylist()
    again = store.reopen(writer.snapshot)
    more = again.write_part("Account", [rows(11, 10)])
    again.commit("Account", [more], {"page": 2}, is_done=True)
    again.seal()
    assert damage(store) == []
    assert store.snapshots[writer.snapshot].table("Account").num_rows == 19


class Killed(BaseException):
    """The process is gone."""


def test_killed_at_any_step_the_next_run_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each change of the disk: everyone else reads as before, and repeated it is as
    undisturbed: nothing left, no damage."""
    master = a_store(tmp_path / "master")
    a_past(master, is_compacted=True)
    rest = without_ada(exported(master))
    step = 0
    while True:
        folder = tmp_path / f"killed-{step}"
        shutil.copytree(tmp_path / "master", folder)
        store, left_steps, is_killed = a_store(folder), [step], False

        def dying(real: Any, left_steps: list[int] = left_steps) -> Any:
            def call(*args: Any, **more: Any) -> Any:
                left_steps[0] -= 1
                if left_steps[0] < 0:
                    raise Killed
                return real(*args, **more)

            return call

        with monkeypatch.context() as patch:
            for name in ("open_new", "delete", "sync"):
                patch.setattr(Files, name, dying(getattr(Files, name)))
            try:
                erase_ada(store)
            except Killed:
                is_killed = True
        assert without_ada(exported(store)) == rest, step
        erase_ada(store)
        assert exported(store) == rest and damage(store) == [], step
        assert found_in(folder, SECRETS) == [], step
        shutil.rmtree(folder)
        if not is_killed:
            break
        step += 1 + step // 6
    assert step > 8


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """A search that cannot find proves nothing: each spelling, and a page of a Parquet file."""
    store = a_store(tmp_path)
    a_past(store, is_compacted=False)
    files = found_in(tmp_path, [SECRETS[0]])
    assert files and all(re.search(r"\.parquet: ", one) for one in files)
    for number, raw in enumerate(
        ("Ada Löwenzahn-Quist".encode("utf-16-le"), b'"Ada L\\u00f6wenzahn-Quist"')
    ):
        (tmp_path / f"note{number}").write_bytes(raw)
        assert f"note{number}: {SECRETS[0]}" in found_in(tmp_path, [SECRETS[0]])
