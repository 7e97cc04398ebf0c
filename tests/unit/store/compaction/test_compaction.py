"""Compaction: every snapshot reads as before, nothing is lost, and readings go first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from sfnb.clock import FakeClock
from sfnb.errors import StoreError
from sfnb.file_lock import file_lock
from sfnb.store.compaction import compact
from sfnb.store.compaction.catalog import read_catalog
from sfnb.store.compaction.compact import LOCK_NAME, compact_object
from sfnb.store.compaction.count import count_versions
from sfnb.store.compaction.ends import OPEN, Era, ended_by, eras_of, generation_of
from sfnb.store.compaction.policy import Tail, is_worth
from sfnb.store.delta import Table
from sfnb.store.states.versions import Keys
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from sfnb.store.writer import Writer
from tests.store_samples import BEGAN, a_plan, a_store
from tests.unit.store.history.test_diff import FIELDS, a_state, record


def exported(store: OrgStore, name: str = "Account") -> dict[str, list[object]]:
    """What every snapshot has of an object: the records alive, and the Ids in the bin."""
    found: dict[str, list[object]] = {}
    for snapshot in store.snapshots.values():
        rows = snapshot.rows(name)
        alive = pa.Table.from_batches(rows.batches(), rows.columns).to_pylist()
        gone = [b.to_pylist() for b in rows.recycle_bin([rows.columns.names[0]])]
        found[snapshot.id] = [sorted(map(repr, alive)), sorted(map(repr, gone))]
    return found


def a_year(store: OrgStore, days: int = 12) -> None:
    """Snapshots a month apart in which records come, change, go to the bin, come back and vanish."""
    for day in range(days):
        records = []
        for n in range(1, 30):
            if n > 20 + day or (n % 7 == 0 and day % 4 == 3):
                continue  # not yet there, or gone for a while
            values = {"Name": f"v{day // (1 + n % 3)}", "IsDeleted": n % 5 == day % 5}
            records.append(record(n, **values))
        a_state(store, 1 + day * 24 * 20, records)


def test_every_snapshot_reads_as_before(tmp_path: Path) -> None:
    """All states, bin included, are the same after one compaction, and after another upon it."""
    store = a_store(tmp_path)
    a_year(store)
    before = exported(store)
    clock = FakeClock(BEGAN)
    done = compact_object(store.files, "Account", clock, force=True)
    assert done is not None and done.files_after < done.files_before
    assert exported(store) == before
    a_state(store, 24 * 20 * 13, [record(n, Name="late") for n in range(3, 12)])
    before = exported(store)
    assert compact_object(store.files, "Account", clock, force=True) is not None
    assert exported(store) == before
    assert compact_object(store.files, "Account", clock, force=True) is None
    assert not [finding for finding in verify(store) if finding.is_damage]


def test_versions_in_are_versions_out(tmp_path: Path) -> None:
    """All rows and only they are in the new files: by number, by digest, and as they were."""
    store = a_store(tmp_path)
    a_year(store)
    table = store.files.below("records/Account")
    before = versions(store)
    done = compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    after = versions(store)
    assert done is not None and done.versions == len(before) == len(after)
    strip = [tuple(v for k, v in row.items() if k != "_sfnb_until") for row in after]
    assert sorted(map(repr, strip)) == sorted(
        repr(tuple(v for k, v in row.items() if k != "_sfnb_until")) for row in before
    )
    generations = {path.split("/")[0].partition("=")[2] for path in live(store)}
    assert "current" in generations and "2026-11" in generations and "new" not in generations
    for row in after:
        ended = row["_sfnb_until"]
        assert ended is None or ended >= row["_sfnb_from"]
    count = count_versions(table, live(store))
    assert (count.rows, len(count.digest)) == (len(before), 32)


def live(store: OrgStore, name: str = "Account") -> list[str]:
    return list(read_catalog(store.files.below(f"records/{name}")).live)


def versions(store: OrgStore, name: str = "Account") -> list[dict[str, object]]:
    table = DeltaTable(Path(store.root, "records", name)).to_pyarrow_table()
    return list(table.drop_columns(["_sfnb_generation"]).to_pylist())


def test_the_where_of_other_tools_gives_the_latest_state(tmp_path: Path) -> None:
    """After a compaction `until is null` and `op = upsert` is the latest state, a span that of the past."""
    store = a_store(tmp_path)
    a_year(store)
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    rows = versions(store)
    for snapshot in store.snapshots.values():
        expected = sorted(snapshot.table("Account").column("Id").to_pylist())
        found = [
            row["Id"]
            for row in rows
            if str(row["_sfnb_from"]) <= snapshot.id
            and (row["_sfnb_until"] is None or str(row["_sfnb_until"]) > snapshot.id)
            and row["_sfnb_op"] == "upsert"
        ]
        assert sorted(found) == expected


def test_parts_of_an_unfinished_snapshot_and_what_follows_stay(tmp_path: Path) -> None:
    """A paused job's parts are left alone, and nothing newer is put below them."""
    store = a_store(tmp_path)
    a_year(store, days=4)
    writer = a_writer_of(store, 24 * 20 * 5)
    part = writer.write_part("Account", [batch_of([record(1, Name="paused")])])
    writer.commit("Account", [part], {"page": 1}, is_done=False)
    before = exported(store)
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    assert part.path in live(store) and exported(store) == before
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True) is None
    rest = writer.write_part("Account", [batch_of([record(n) for n in range(2, 8)])])
    writer.commit("Account", [rest], {"page": 2}, is_done=True)
    writer.seal()
    before = exported(store)
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    assert exported(store) == before and part.path not in live(store)


def test_what_is_newer_than_an_unfinished_snapshot_waits(tmp_path: Path) -> None:
    """Compacted, it would lie below the parts of the unfinished one, and those would hide it."""
    store = a_store(tmp_path)
    a_year(store, days=4)
    writer = a_writer_of(store, 24 * 20 * 5)
    part = writer.write_part("Account", [batch_of([record(1, Name="paused")])])
    writer.commit("Account", [part], {"page": 1}, is_done=False)
    newer = a_state(store, 24 * 20 * 6, [record(1, Name="newer"), record(2)])
    before = exported(store)
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    assert exported(store) == before
    assert any(newer in path for path in live(store))
    assert store.snapshots[newer].frame("Account").set_index("Id")["Name"].iloc[0] == "newer"


def a_writer_of(store: OrgStore, number: int) -> Writer:
    writer = store.begin(a_plan("Account", number=number))
    writer.put_schema("Account", pa.schema(list(FIELDS.items())), {"name": "Account"})
    return writer


def batch_of(records: Sequence[dict[str, object]]) -> pa.RecordBatch:
    rows = [{field: r.get(field) for field in FIELDS} for r in records]
    return pa.RecordBatch.from_pylist(rows, pa.schema(list(FIELDS.items())))


def test_a_reading_that_commits_meanwhile_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compaction gives way: the backup's commit succeeds, the compaction is repeated upon it."""
    store = a_store(tmp_path)
    a_year(store, days=4)
    real, times = Table.append, iter([1])

    def append(self: Table, *args: object, **options: object) -> None:
        if not options.get("is_change", True) and next(times, None):
            a_state(store, 24 * 20 * 6, [record(n, Name="meanwhile") for n in range(1, 9)])
        real(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Table, "append", append)
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    assert store.snapshots["latest"].rows("Account")
    assert len(store.snapshots["latest"].table("Account")) == 8
    generations = [path.split("/")[0] for path in live(store)]
    assert any("new" in g for g in generations) and any("current" in g for g in generations)


def test_two_compactions_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds the parts gone at its commit gives up, and removes what it has written."""
    store = a_store(tmp_path)
    a_year(store, days=4)
    before = exported(store)
    with file_lock(store.files.local / LOCK_NAME, patience_s=0):  # type: ignore[operator]
        assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True) is None
    real, other = compact._Compaction._commit, iter([1])

    def commit(self: compact._Compaction, *args: object) -> bool:
        if next(other, None):
            twin = compact._Compaction(store.files, "Account", FakeClock(BEGAN))
            assert twin.run(force=True) is not None
        return real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(compact._Compaction, "_commit", commit)
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True) is None
    assert exported(store) == before
    assert sorted(current_files(store)) == [p for p in sorted(live(store)) if "=current" in p]


def current_files(store: OrgStore) -> list[str]:
    folder = store.files.below("records/Account")
    return [path for path in folder.walk("") if "=current/" in path]


def test_replaced_files_stay_an_hour(tmp_path: Path) -> None:
    """A reader that has opened the table before still finds its files; then the next compaction removes them."""
    store = a_store(tmp_path)
    a_year(store, days=4)
    clock = FakeClock(BEGAN)
    folder = store.files.below("records/Account")
    replaced = set(live(store))
    assert compact_object(store.files, "Account", clock, force=True)
    orphan = "_sfnb_generation=current/Account-0000000000000000.parquet"
    folder.put(orphan, b"left by a kill")
    compact_object(store.files, "Account", clock, force=True)
    assert replaced <= set(folder.walk("")) and orphan not in folder.walk("")
    clock.advance(61 * 60)
    compact_object(store.files, "Account", clock, force=True)
    assert not replaced & set(folder.walk(""))


def test_a_compaction_that_lost_a_row_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is read back before the exchange; a difference is an error, and nothing is left."""
    store = a_store(tmp_path)
    a_year(store, days=4)
    before, files = exported(store), set(store.files.walk(""))
    real = compact.rows_of

    def rows(*args: object) -> object:
        for number, batch in enumerate(real(*args)):  # type: ignore[arg-type]
            yield batch.slice(1) if number == 0 else batch

    monkeypatch.setattr(compact, "rows_of", rows)
    with pytest.raises(StoreError, match="Nothing was changed"):
        compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    assert exported(store) == before
    assert set(store.files.walk("")) - files <= {LOCK_NAME}


def test_ends_follow_keys_and_eras() -> None:
    """A version ends with the record's next one; the last with its era; a repetition as it begins."""
    hashes = np.array([7, 8, 7, 7, 9], np.uint64)
    keys = Keys(np.arange(5), hashes, hashes, np.zeros(5, np.uint8), np.zeros(5, np.int64))
    begun = np.array([0, 0, 1, 1, 2], np.int32)
    none = np.zeros(5, np.int64)
    assert ended_by(keys, begun, OPEN, none).tolist() == [1, OPEN, 1, OPEN, OPEN]
    assert ended_by(keys, begun, 3, none).tolist() == [1, 3, 1, 3, 3]
    older_last = np.array([0, 0, 5, 4, 0], np.int64)
    assert ended_by(keys, begun, OPEN, older_last).tolist() == [1, OPEN, OPEN, 1, OPEN]
    settled = [("a", "", "Id"), ("c", "c", None), ("d", "c", None), ("f", "f", "Id")]
    assert eras_of(settled, "Id") == [
        Era("", "c", "Id"),
        Era("c", "f", None),
        Era("f", None, "Id"),
    ]
    assert generation_of("20261122T043812Z-1a2b3c") == "2026-11"


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (Tail(snapshots=1, files=40, versions=0, stored=100), False),
        (Tail(snapshots=25, files=24, versions=24, stored=100), False),
        (Tail(snapshots=26, files=25, versions=25, stored=100), True),
        (Tail(snapshots=3, files=2, versions=200, stored=100), False),
        (Tail(snapshots=33, files=32, versions=1, stored=100), False),
        (Tail(snapshots=33, files=32, versions=2, stored=100), True),
        (Tail(snapshots=300, files=256, versions=1, stored=10**9), True),
    ],
)
def test_when_it_is_worth_it(tail: Tail, expected: bool) -> None:
    """A quarter of what is stored, or many files; never before something was replaced."""
    assert is_worth(tail) is expected
