"""The end of a reading: the net change stays, in one commit, and is proven on the state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb.errors import CallerError, StoreError
from sfnb.model import ObjectState
from sfnb.store.manifest import put_unchanged
from sfnb.store.object_commits import ReadByNewer
from sfnb.store.part_writer import PartWriter
from sfnb.store.settling.base import Unchanged
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from sfnb.store.writer import Writer
from tests.store_samples import BEGAN, a_plan, a_snapshot, a_store, a_writer, record_id, rows

NAME = "Account"


def table_of(store: OrgStore, snapshot: str) -> dict[str, Any]:
    found = store.snapshots[snapshot].table(NAME).to_pylist()
    return {row["Id"]: row["Name"] for row in found}


def files_of(store: OrgStore) -> int:
    return len(list(Path(store.root, "records", NAME).rglob("*.parquet")))


def damage(store: OrgStore) -> list[str]:
    return [f.message for f in verify(store) if f.kind != "note"]


def test_what_is_the_same_is_stored_once(tmp_path: Path) -> None:
    """A second full reading of equal rows adds no file, and leaves none; its state is proven."""
    store = a_store(tmp_path)
    first = a_snapshot(store)
    before = files_of(store)
    writer = a_writer(store, number=2)
    for first_row in (0, 10):
        parts = writer.write_parts(NAME, [rows(first_row, 10, deleted=[first_row])])
        writer.commit(NAME, parts, {}, is_done=False)
    ended = writer.settle(NAME, [], {}, org_count=20)
    assert (ended.added, ended.changed, ended.deleted, ended.equal) == (0, 0, 0, 20)
    assert ended.proof.basis == "counts and distinct"
    entry = writer.seal().objects[NAME]
    assert (entry.state, entry.rows, entry.deleted, entry.parts) == ("complete", 18, 2, 0)
    assert files_of(store) == before
    assert table_of(store, writer.snapshot) == table_of(store, first)
    assert damage(store) == []


def test_an_org_that_counts_otherwise_commits_nothing(tmp_path: Path) -> None:
    """P9: the state at the snapshot has 19 rows where the org counts 20: nothing is committed."""
    store = a_store(tmp_path)
    a_snapshot(store)
    writer = a_writer(store, number=2)
    parts = writer.write_parts(NAME, [rows(5, 1, name="New")])
    ended = writer.settle(NAME, parts, {}, mode="changes", gone=[record_id(3)], org_count=20)
    assert ended.proof.problem == "the org counts 20 rows, 19 are stored"
    assert ended.progress.number == 0
    again = writer.settle(NAME, parts, {}, mode="changes", gone=[record_id(3)], org_count=19)
    assert again.proof.problem == "" and again.progress.is_done
    assert (again.changed, again.deleted) == (1, 1)


def test_settling_twice_changes_nothing(tmp_path: Path) -> None:
    """P2: a caller whose answer was lost asks again, in this process or the next."""
    store = a_store(tmp_path)
    a_snapshot(store)
    writer = a_writer(store, number=2)
    parts = writer.write_parts(NAME, [rows(5, 1, name="New")])
    ended = writer.settle(NAME, parts, {"a": 1}, mode="changes")
    again = store.reopen(writer.snapshot).settle(NAME, parts, {"a": 1}, mode="changes")
    assert again == ended
    assert again.changed == 1


def test_who_comes_out_of_the_recycle_bin_is_added(tmp_path: Path) -> None:
    """What was alive, and what was added and deleted since, gives what is alive now; as `diff` counts."""
    store = a_store(tmp_path)
    a_snapshot(store)
    writer = a_writer(store, number=2)
    page = rows(0, 2, deleted=[1])
    ended = writer.settle(NAME, writer.write_parts(NAME, [page]), {}, mode="changes")
    assert (ended.added, ended.changed, ended.deleted) == (1, 0, 1)


def test_changes_need_something_to_change(tmp_path: Path) -> None:
    """The first reading of an object has to be a full one."""
    writer = a_writer(a_store(tmp_path))
    parts = writer.write_parts(NAME, [rows(0, 1)])
    with pytest.raises(CallerError, match="nothing of it is complete yet"):
        writer.settle(NAME, parts, {}, mode="changes")
    with pytest.raises(CallerError, match="no snapshot has it complete"):
        writer.unchanged({NAME: Unchanged()})


def test_an_older_snapshot_adds_nothing_after_a_newer_one(tmp_path: Path) -> None:
    """A paused backup whose object a newer one has read ends as partial, and says so; the newer state stays."""
    store = a_store(tmp_path)
    old = a_writer(store, number=1)
    old.commit(NAME, old.write_parts(NAME, [rows(0, 5, name="Old")]), {}, is_done=False)
    new = a_snapshot(store, number=2)
    before = table_of(store, new)
    late = old.write_parts(NAME, [rows(5, 5, name="Late")])
    with pytest.raises(ReadByNewer, match=f"a newer backup \\({new}\\) has read it") as caught:
        old.settle(NAME, late, {})
    manifest = old.seal("partial", {NAME: str(caught.value)})
    assert manifest.objects[NAME].state is ObjectState.PARTIAL
    assert table_of(store, new) == before
    assert len(table_of(store, old.snapshot)) == 5


# -- unchanged ---------------------------------------------------------------------------------------------------------


def test_unchanged_is_a_line(tmp_path: Path) -> None:
    """No commit, no schema: the state and the fields are those of the snapshot that read it last."""
    store = a_store(tmp_path)
    first = a_snapshot(store)
    log = sorted(Path(store.root, "records", NAME, "_delta_log").iterdir())
    stamp = "2026-11-03T00:00:00.000Z"
    for number in (2, 3):
        writer = store.begin(a_plan(NAME, number=number))
        writer.unchanged({NAME: Unchanged(watermark=stamp, org_count=20)})
        seen = store.snapshots[writer.snapshot]
        assert seen.state_of(NAME) is ObjectState.COMPLETE
        assert store.reopen(writer.snapshot).progress(NAME).is_done, "a resume does not ask again"
        entry = writer.seal().objects[NAME]
        assert (entry.unchanged_since, entry.rows, entry.watermark) == (first, 18, stamp)
        assert table_of(store, writer.snapshot) == table_of(store, first)
        assert seen.describe(NAME) == {"name": NAME, "fields": []}
        there = Path(store.root, "snapshots", writer.snapshot).rglob("*.json")
        assert sorted(path.name for path in there) == ["manifest.json", "plan.json", "summary.json"]
    assert sorted(Path(store.root, "records", NAME, "_delta_log").iterdir()) == log
    base = a_writer(store, number=4).base(NAME)
    assert base is not None
    assert (base.snapshot, base.schema, base.watermark) == (writer.snapshot, first, stamp)
    assert damage(store) == []


def test_a_line_that_says_something_else_is_damage(tmp_path: Path) -> None:
    """A manifest whose unchanged object has other rows than the log is found out."""
    store = a_store(tmp_path)
    a_snapshot(store)
    writer = store.begin(a_plan(NAME, number=2))
    writer.unchanged({NAME: Unchanged()})
    entry = writer._noted()[NAME]
    put_unchanged(store.files, writer.snapshot, {NAME: replace(entry, rows=17)})
    writer.seal()
    assert "where the Delta log has something else" in damage(store)[0]


# -- rows that nothing tells apart -------------------------------------------------------------------------------------


def set_of(store: OrgStore, number: int, *values: str, key: str = "Id") -> Writer:
    page = pa.record_batch({key: ["000000000000000AAA"] * len(values), "Name": list(values)})
    writer = store.begin(a_plan(NAME, number=number))
    writer.put_schema(NAME, page.schema)
    ended = writer.settle(NAME, writer.write_parts(NAME, [page]), {})
    assert ended.proof.key is None
    writer.seal()
    return writer


def test_rows_without_a_key_are_replaced_as_a_whole(tmp_path: Path) -> None:
    """AppDefinition and others: an equal set is stored once, another one replaces it; old states stay."""
    store = a_store(tmp_path)
    first, same = set_of(store, 1, "a", "b", "b"), set_of(store, 2, "b", "a", "b")
    one_file = files_of(store)
    other = set_of(store, 3, "b", "c")
    names = {
        w.snapshot: sorted(store.snapshots[w.snapshot].table(NAME).column("Name").to_pylist())
        for w in (first, same, other)
    }
    assert list(names.values()) == [["a", "b", "b"], ["a", "b", "b"], ["b", "c"]]
    assert one_file == 1
    entry = store.snapshots[other.snapshot].manifest.objects[NAME]
    assert (entry.added, entry.ended, entry.rows) == (1, 2, 2)
    assert damage(store) == []


def test_a_key_that_came_starts_anew(tmp_path: Path) -> None:
    """Rows without a key, then with Ids: the versions of before do not count any more."""
    store = a_store(tmp_path)
    first = set_of(store, 1, "a", "b")
    page = pa.record_batch({"Id": [record_id(1)], "Name": ["a"]})
    writer = store.begin(a_plan(NAME, number=2))
    writer.put_schema(NAME, page.schema)
    writer.settle(NAME, writer.write_parts(NAME, [page]), {})
    writer.seal()
    assert table_of(store, writer.snapshot) == {record_id(1): "a"}
    assert store.snapshots[first.snapshot].table(NAME).num_rows == 2
    assert damage(store) == []


# -- a refresh of some columns -----------------------------------------------------------------------------------------


def a_refresh(writer: Writer, first: int, count: int, name: str) -> Any:
    target = writer.target(NAME, ["Name"])
    page = rows(first, count, name=name).select(["Id", "Name"])
    return PartWriter(target, writer._clock).write([page])


def test_a_refresh_touches_no_other_column(tmp_path: Path) -> None:
    """Only records whose refreshed field is another one get a version, with all their other fields."""
    store = a_store(tmp_path)
    first = a_snapshot(store)
    old = {row["Id"]: row for row in store.snapshots[first].table(NAME).to_pylist()}
    writer = a_writer(store, number=2)
    writer.commit(NAME, a_refresh(writer, 0, 5, "Drift"), {"page": 1}, is_done=False)
    assert table_of(store, writer.snapshot) == table_of(store, first), "in no state before its end"
    resumed = store.reopen(writer.snapshot)
    ended = resumed.settle(
        NAME, a_refresh(resumed, 5, 15, "Müller & Söhne"), {}, mode="columns", fields=["Name"]
    )
    assert (ended.changed, ended.added, ended.deleted) == (3, 0, 0)
    entry = resumed.seal().objects[NAME]
    assert (entry.rows, entry.deleted, entry.mode) == (18, 2, "columns")
    for row in store.snapshots[resumed.snapshot].table(NAME).to_pylist():
        was = old[row["Id"]]
        assert {**row, "Name": None} == {**was, "Name": None}
    assert table_of(store, resumed.snapshot)[record_id(1)] == "Drift 1"
    assert table_of(store, first)[record_id(1)] == "Müller & Söhne 1"
    assert damage(store) == []


def test_a_refresh_after_changes_is_one_state(tmp_path: Path) -> None:
    """Changes and a refresh in one snapshot: one version of each record, and complete in between."""
    store = a_store(tmp_path)
    a_snapshot(store)
    writer = a_writer(store, number=2)
    parts = writer.write_parts(NAME, [rows(18, 4, name="Changed")])
    changes = writer.settle(NAME, parts, {}, mode="changes", org_count=22)
    staged = writer.commit(NAME, a_refresh(writer, 0, 10, "Drift"), {"page": 1}, is_done=False)
    assert staged.is_done and staged.rows == changes.progress.rows == 20
    ended = writer.settle(
        NAME, a_refresh(writer, 10, 12, "Drift"), {}, mode="columns", fields=["Name"]
    )
    # One of the twelve is in the recycle bin: ``changed`` counts those alive.
    assert (ended.added, ended.changed, ended.refreshed) == (2, 1 + 11, 11)
    entry = writer.seal().objects[NAME]
    assert (entry.rows, entry.deleted, entry.our_count) == (20, 2, 22)
    assert {n.split()[0] for n in table_of(store, writer.snapshot).values() if n} == {"Drift"}
    assert damage(store) == []


# -- sweeps ------------------------------------------------------------------------------------------------------------


def swept(writer: Writer, batch: pa.RecordBatch) -> Any:
    target = writer.comparisons.sweep_target(NAME)
    page = batch.select(["Id", "IsDeleted", "SystemModstamp"])
    return writer.comparisons.compare_ids(NAME, PartWriter(target, writer._clock).write([page]))


def test_a_sweep_names_what_differs(tmp_path: Path) -> None:
    """Ids that the store lacks, that it has in another state, and that it alone has."""
    store = a_store(tmp_path)
    a_snapshot(store)
    writer = a_writer(store, number=2)
    found = swept(writer, rows(2, 20, deleted=[3]))
    assert (found.missing, found.gone) == (
        [record_id(20), record_id(21)],
        [record_id(0), record_id(1)],
    )
    assert found.stale == [record_id(3), record_id(10)], "put into the bin, and taken out of it"
    assert found.rows == 20
    assert not list(Path(store.root, "records", NAME).rglob("*sweeps*"))
    writer.settle(NAME, [], {}, mode="changes")
    writer.seal()
    assert not list(Path(store.root, "snapshots", writer.snapshot).rglob("*.parquet"))


def test_a_stamp_that_moved_alone_is_known_at_the_next_sweep(tmp_path: Path) -> None:
    """It makes no version, and yet the sweep does not name the record every week."""
    store = a_store(tmp_path)
    first = a_snapshot(store)
    page = rows(0, 20, deleted=[0, 10])
    at = page.schema.get_field_index("SystemModstamp")
    later = pa.array([BEGAN + timedelta(hours=1)] * 20, page.schema.field(at).type)
    moved = page.set_column(at, page.schema.field(at), later)
    writer = a_writer(store, number=2)
    assert len(swept(writer, moved).stale) == 20
    ended = writer.settle(NAME, writer.write_parts(NAME, [moved]), {}, mode="changes")
    assert (ended.changed, ended.equal) == (0, 20)
    assert swept(writer, moved).stale == []
    writer.seal()
    third = a_writer(store, number=3)
    assert swept(third, moved).stale == []
    again = third.settle(NAME, third.write_parts(NAME, [moved]), {}, mode="changes")
    assert again.progress.parts == 0, "the stamps are not written again"
    third.seal()
    assert table_of(store, third.snapshot) == table_of(store, first)
    assert damage(store) == []


# -- a store that is damaged -------------------------------------------------------------------------------------------


def test_a_state_before_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    """Changes cannot be laid over what is lost: the message names the file, and nothing is committed."""
    store = a_store(tmp_path)
    a_snapshot(store)
    lost = next(Path(store.root, "records", NAME).rglob("*.parquet"))
    lost.unlink()
    writer = a_writer(store, number=2)
    parts = writer.write_parts(NAME, [rows(5, 1, name="New")])
    with pytest.raises(StoreError, match=f"could not read .*{lost.name}"):
        writer.settle(NAME, parts, {}, mode="changes")
    assert writer.progress(NAME).number == 0
