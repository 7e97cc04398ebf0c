"""`sfnb store upgrade`: old snapshots read as before, whatever they hold and wherever it is killed."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from sfnb.clock import FakeClock
from sfnb.errors import CallerError
from sfnb.store import delta
from sfnb.store.compaction.compact import compact_object
from sfnb.store.files import Files
from sfnb.store.history.record import record_history
from sfnb.store.tables import OrgStore, open_store
from sfnb.store.upgrade.upgrade import Upgraded, upgrade
from sfnb.store.verify import verify
from tests.store_samples import BEGAN, a_plan, a_store, record_id
from tests.unit.store.history.test_diff import FIELDS, a_state, record

FIXTURES = Path(__file__).parents[3] / "fixtures"


def an_old_store(tmp_path: Path, number: int) -> OrgStore:
    """A store that an older sfnb wrote."""
    with zipfile.ZipFile(FIXTURES / f"format{number}.zip") as archive:
        archive.extractall(tmp_path / "old")
    store = open_store(tmp_path / "old" / "store", clock=FakeClock(BEGAN))
    return store.org(store.orgs()[0].org_id)


def upgraded(store: OrgStore) -> Upgraded:
    return upgrade(store, FakeClock(BEGAN), has_ended=lambda _job: True)


def exported(store: OrgStore) -> dict[tuple[str, str], Any]:
    """What each snapshot says of each of its objects."""
    found: dict[tuple[str, str], Any] = {}
    for snapshot in store.snapshots.values():
        for name in snapshot.objects:
            state = str(snapshot.state_of(name))
            if state == "untouched":
                found[snapshot.id, name] = state
                continue
            rows = snapshot.rows(name)
            table = pa.Table.from_batches(rows.batches(), rows.columns)
            gone = [row for b in rows.recycle_bin(rows.columns.names) for row in b.to_pylist()]
            found[snapshot.id, name] = (
                state,
                rows.columns,
                sorted(map(repr, table.to_pylist())),
                sorted(map(repr, gone)),
                snapshot.describe(name),
            )
    return found


@pytest.mark.parametrize("number", [1, 2])
def test_old_snapshots_read_as_before(tmp_path: Path, number: int) -> None:
    """Records, bin, fields, types and states of every snapshot; the old tables are gone, the store verifies."""
    store = an_old_store(tmp_path, number)
    before = exported(store)
    assert len(before) > 3 and any(isinstance(said, tuple) and said[2] for said in before.values())
    done = upgraded(store)
    assert done.snapshots == len(store.snapshots) and done.objects > 0
    assert exported(store) == before
    assert store.files.names("tables", folders=True) == []
    assert [f for f in verify(store) if f.is_damage] == []
    again = upgraded(store)
    assert (again.snapshots, again.objects) == (0, 0)


def an_old_state(
    store: OrgStore, number: int, records: list[dict[str, Any]], **options: Any
) -> str:
    """A sealed snapshot as format 2 has it."""
    return a_state(store, number, records, number_of_format=2, **options)


def a_small_old_store(store: OrgStore) -> None:
    """Changes, the bin, a hard deletion, a moved stamp, an unfinished snapshot, a retyped field, no key."""
    later = BEGAN.replace(hour=11)
    an_old_state(store, 1, [record(n) for n in range(1, 9)])
    moved = [record(1, SystemModstamp=later), record(2, IsDeleted=True), record(4, Name="x")]
    an_old_state(store, 2, [*moved, *(record(n) for n in range(5, 9))])
    an_old_state(store, 3, [record(1, Name="part"), record(9)], is_done=False)
    retyped = {**FIELDS, "Amount": pa.string()}
    an_old_state(store, 4, [record(n, Amount=f"a{n}") for n in (1, 2, 5, 9)], fields=retyped)
    loose = {"Name": pa.string()}
    an_old_state(store, 5, [{"Name": "a"}, {"Name": "a"}], name="Loose", fields=loose)
    an_old_state(store, 6, [{"Name": "a"}, {"Name": "b"}], name="Loose", fields=loose)


def test_whatever_old_snapshots_hold(tmp_path: Path) -> None:
    """Each kind of state reads as before, also after a compaction of what was upgraded."""
    store = a_store(tmp_path)
    a_small_old_store(store)
    before = exported(store)
    assert {snapshot.format for snapshot in store.snapshots.values()} == {2}
    done = upgraded(store)
    assert (done.snapshots, done.objects) == (6, 2)
    assert exported(store) == before
    for name in ("Account", "Loose"):
        assert compact_object(store.files, name, FakeClock(BEGAN), force=True)
    assert exported(store) == before
    versions = record_history(store.files, store.snapshots, "Account", record_id(3))
    assert [v.op for v in versions] == ["upsert", "hard_delete"]


def test_backups_of_the_new_format_may_be_there_already(tmp_path: Path) -> None:
    """Old versions go below those that a new backup has written, before, in the middle of and after an upgrade."""
    store = a_store(tmp_path)
    a_small_old_store(store)
    a_state(store, 10, [record(n, Name="new") for n in (1, 2, 7)])
    a_state(store, 11, [record(n, Name="new") for n in (1, 7)])
    before = exported(store)
    with pytest.MonkeyPatch.context() as patch:
        blade = Blade(patch, at=25)
        with pytest.raises(Killed):
            upgraded(store)
    assert blade.is_down and exported(store) == before
    a_state(store, 12, [record(n, Name="newer") for n in (1, 8)])
    a_state(store, 13, [{"Name": "a"}], name="Loose", fields={"Name": pa.string()})
    before = exported(store)
    upgraded(store)
    a_state(store, 14, [record(n, Name="newer") for n in (1, 2, 8)])
    after = exported(store)
    assert {key: said for key, said in after.items() if key in before} == before
    assert len(after) == len(before) + 1
    assert sorted(store.snapshots["latest"].table("Account").column("Id").to_pylist()) == [
        record_id(n) for n in (1, 2, 8)
    ]


@pytest.mark.parametrize("at", [16, 30, 37])
def test_a_backup_in_the_middle_of_an_upgrade_builds_upon_nothing_half(
    tmp_path: Path, at: int
) -> None:
    """The upgrade is killed, a backup is made, the upgrade goes on: each of them reads as it was."""
    store = a_store(tmp_path)
    for number in range(1, 6):
        an_old_state(store, number, [record(n, Name=f"v{number}") for n in range(number, 9)])
    with pytest.MonkeyPatch.context() as patch:
        Blade(patch, at=at)
        with pytest.raises(Killed):
            upgraded(store)
    # As the third of the old ones was: its values are in the half of the replay that is there.
    a_state(store, 10, [record(n, Name="v3") for n in range(1, 9)])
    before = exported(store)
    upgraded(store)
    assert exported(store) == before
    a_state(store, 11, [record(n, Name="v3") for n in range(2, 9)])
    assert len(store.snapshots["latest"].table("Account")) == 7


def test_the_next_backup_goes_on_from_what_was_upgraded(tmp_path: Path) -> None:
    """After an upgrade a reading is compared with the newest old state: only what changed is stored."""
    store = a_store(tmp_path)
    an_old_state(store, 1, [record(n) for n in range(1, 30)])
    an_old_state(store, 2, [record(n) for n in range(1, 31)])
    upgraded(store)
    new = a_state(store, 3, [record(n) for n in range(1, 30)] + [record(30, Name="x")])
    entry = store.snapshots[new].manifest.objects["Account"]
    assert (entry.rows, entry.parts, entry.changed) == (30, 1, 1)


class Killed(BaseException):
    """The process is gone: nothing that runs afterwards may touch the disk."""


class Blade:
    """Dies instead of the k-th step that reaches the disk; from then on no step works any more."""

    def __init__(self, patch: pytest.MonkeyPatch, *, at: int) -> None:
        self.steps, self._at, self.is_down = 0, at, False
        for owner, name in (
            (Path, "replace"),
            (os, "fsync"),
            (Files, "delete"),
            (Files, "delete_folder"),
            (DeltaTable, "create_write_transaction"),
            (delta, "create_table_with_add_actions"),
        ):
            patch.setattr(owner, name, self._guarded(getattr(owner, name)))

    def _guarded(self, real: Any) -> Any:
        def step(*args: Any, **options: Any) -> Any:
            self.steps += 1
            if self.is_down or self.steps == self._at:
                self.is_down = True
                raise Killed
            return real(*args, **options)

        return step


EVERY = 1 if os.environ.get("SFNB_CAMPAIGN") == "full" else 18


@pytest.mark.campaign
def test_killed_anywhere_it_reads_as_before_and_goes_on(tmp_path: Path) -> None:
    """Upgrade and compaction: dead at any step (each eighteenth outside of the campaign), all states read as before."""
    whole = a_store(tmp_path / "whole")
    a_small_old_store(whole)
    before = exported(whole)

    def everything(store: OrgStore) -> None:
        upgraded(store)
        compact_object(store.files, "Account", FakeClock(BEGAN), force=True)

    with pytest.MonkeyPatch.context() as patch:
        count = Blade(patch, at=-1)
        everything(a_copy(whole, tmp_path / "counted"))
    for at in range(1, count.steps + 1, EVERY):
        store = a_copy(whole, tmp_path / f"killed{at}")
        with pytest.MonkeyPatch.context() as patch:
            Blade(patch, at=at)
            with pytest.raises(Killed):
                everything(store)
        assert exported(store) == before, at
        everything(store)
        assert exported(store) == before, at
        assert not [f for f in verify(store) if f.is_damage], at
        shutil.rmtree(tmp_path / f"killed{at}")


def a_copy(store: OrgStore, folder: Path) -> OrgStore:
    shutil.copytree(Path(store.root).parent, folder)
    return a_store(folder)


def test_an_unfinished_snapshot_is_finished_first(tmp_path: Path) -> None:
    """A paused job of an older format goes on in it, so the upgrade waits, and says for what."""
    store = a_store(tmp_path)
    an_old_state(store, 1, [record(1)])
    plan = replace(a_plan("Account", number=2), format=2)
    store.begin(plan)
    with pytest.raises(CallerError, match=f"{plan.job_id}, then upgrade again"):
        upgrade(store, FakeClock(BEGAN))
    assert upgraded(store).snapshots == 2
