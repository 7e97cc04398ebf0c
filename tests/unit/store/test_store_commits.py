"""Commits: rows and cursor together, exactly once, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from sfnb.errors import CallerError, StoreError
from sfnb.model import ObjectState
from sfnb.store import delta
from sfnb.store import files as files_module
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from sfnb.store.writer import Writer
from tests.store_samples import (
    BEGAN,
    SCHEMA,
    a_plan,
    a_snapshot,
    a_store,
    a_writer,
    record_id,
    rows,
)


def put(
    writer: Writer, first: int, count: int = 10, *, is_done: bool = False, name: str = "Account"
) -> Any:
    return writer.commit(
        name,
        [writer.write_part(name, [rows(first, count)])],
        {"after": first + count},
        is_done=is_done,
    )


def ids(store: OrgStore, snapshot: str, name: str = "Account") -> list[str]:
    return sorted(store.snapshots[snapshot].table(name).column("Id").to_pylist())


def test_rows_and_cursor_come_together(tmp_path: Path) -> None:
    """P2: a part is invisible until its commit, which brings rows and cursor at once, for every process."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    part = writer.write_part("Account", [rows(0, 10, deleted=[2])])
    assert store.reopen(writer.snapshot).progress("Account").cursor is None
    told = writer.commit("Account", [part], {"after": 10, "text": "é\n"}, is_done=False)
    again = store.reopen(writer.snapshot).progress("Account")
    assert again == told == writer.progress("Account")
    assert (again.parts, again.rows, again.deleted, again.cursor, again.is_done) == (
        1,
        9,
        1,
        {"after": 10, "text": "é\n"},
        False,
    )
    assert again.max_modstamp == "2026-11-02T08:00:00.009Z"
    assert ids(store, writer.snapshot) == [record_id(n) for n in range(10) if n != 2]
    assert sorted(writer.ids("Account")) == [record_id(n) for n in range(10)], "the bin's as well"


def test_a_cursor_may_move_without_rows(tmp_path: Path) -> None:
    """A Bulk job's id is worth a commit of its own; rows and totals stay."""
    writer = a_writer(a_store(tmp_path))
    put(writer, 0)
    told = writer.commit("Account", [], {"job": "750"}, is_done=False)
    assert (told.rows, told.cursor, told.number) == (10, {"job": "750"}, 2)


def test_committing_again_changes_nothing(tmp_path: Path) -> None:
    """P2: the same parts committed twice, by one writer or by the next, are there once."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    part = writer.write_part("Account", [rows(0, 10)])
    first = writer.commit("Account", [part], {"after": 10}, is_done=False)
    assert writer.commit("Account", [part], {"after": 10}, is_done=False) == first
    assert (
        store.reopen(writer.snapshot).commit("Account", [part], {"after": 10}, is_done=False)
        == first
    )
    assert ids(store, writer.snapshot) == [record_id(n) for n in range(10)]


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    "error", [CommitFailedError("the answer was lost"), OSError("connection reset")]
)
def test_a_commit_whose_answer_was_lost_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, is_first: bool
) -> None:
    """P2: when the log took a commit but said otherwise, the commit counts, and a retry does not double it."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    if not is_first:
        put(writer, 0)
    owner, name = (
        (delta, "create_table_with_add_actions")
        if is_first
        else (DeltaTable, "create_write_transaction")
    )
    real = getattr(owner, name)

    def lossy(*args: Any, **options: Any) -> None:
        real(*args, **options)
        monkeypatch.setattr(owner, name, real)
        raise error

    monkeypatch.setattr(owner, name, lossy)
    part = writer.write_part("Account", [rows(10, 10)])
    try:
        writer.commit("Account", [part], {"after": 20}, is_done=False)
    except StoreError:
        writer.commit("Account", [part], {"after": 20}, is_done=False)
    progress = store.reopen(writer.snapshot).progress("Account")
    assert (progress.number, progress.cursor) == (1 if is_first else 2, {"after": 20})
    assert ids(store, writer.snapshot) == [record_id(n) for n in range(10 if is_first else 0, 20)]


def test_two_writers_of_one_snapshot_are_found_out(tmp_path: Path) -> None:
    """P2: a second process in the same snapshot, which a lease should forbid, is refused instead of doubling rows."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    put(writer, 0)
    other = store.reopen(writer.snapshot)
    assert other.progress("Account").rows == 10
    put(writer, 10)
    with pytest.raises(StoreError, match=r"another process writes snapshot .* as well"):
        put(other, 10)
    assert ids(store, writer.snapshot) == [record_id(n) for n in range(20)]


def test_restart_takes_the_parts_out_again(tmp_path: Path) -> None:
    """P2: an object started again has only its new rows, in our reading and in Delta's, and can be restarted twice."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    put(writer, 0)
    put(writer, 10)
    told = writer.restart("Account", {"reader": "keyset"})
    assert (told.parts, told.rows, told.max_modstamp, told.cursor) == (
        0,
        0,
        None,
        {"reader": "keyset"},
    )
    writer = store.reopen(writer.snapshot)
    writer.restart("Account")
    put(writer, 100, 5, is_done=True)
    assert ids(store, writer.snapshot) == [record_id(n) for n in range(100, 105)]
    delta = DeltaTable(Path(store.root, "records", "Account")).to_pyarrow_table()
    assert sorted(delta.column("Id").to_pylist()) == [record_id(n) for n in range(100, 105)]
    assert store.snapshots["latest"].manifest.objects["Account"].rows == 5


def test_two_hundred_commits_keep_their_cursors(tmp_path: Path) -> None:
    """Checkpoints come, but no commit goes: progress and parts are right after more commits than Delta would keep."""
    store = a_store(tmp_path)
    other = a_writer(store)
    put(other, 0)
    writer = a_writer(store, number=2)
    for k in range(130):
        writer.commit(
            "Account",
            [writer.write_part("Account", [rows(k, 1)])] if k % 5 == 0 else [],
            {"k": k},
            is_done=False,
        )
    log = Path(store.root, "records", "Account", "_delta_log")
    assert list(log.glob("*.checkpoint.parquet"))
    assert len(list(log.glob("*.json"))) == 131
    assert store.reopen(writer.snapshot).progress("Account").cursor == {"k": 129}
    assert store.reopen(other.snapshot).progress("Account").cursor == {"after": 10}
    assert ids(store, other.snapshot) == [record_id(k) for k in range(10)]
    found = {*range(10), *range(0, 130, 5)}
    assert ids(store, writer.snapshot) == sorted(record_id(k) for k in found)


# -- columns -----------------------------------------------------------------------------------------------------------


def next_snapshot(store: OrgStore, schema: pa.Schema, batch: pa.RecordBatch, *, number: int) -> str:
    writer = store.begin(a_plan(number=number))
    writer.put_schema("Account", schema)
    writer.commit("Account", [writer.write_part("Account", [batch])], None, is_done=True)
    writer.seal()
    return writer.snapshot


def test_fields_come_and_go(tmp_path: Path) -> None:
    """Each snapshot has the fields of its own time; the table has all of them, null where there was none."""
    store = a_store(tmp_path)
    one = pa.record_batch({"Id": ["a"], "Old__c": ["x"]})
    two = pa.record_batch({"Id": ["b"], "New__c": [1.5], "Count__c": pa.array([7], pa.int64())})
    first = next_snapshot(store, one.schema, one, number=1)
    second = next_snapshot(store, two.schema, two, number=2)
    assert store.snapshots[first].table("Account").to_pylist() == [{"Id": "a", "Old__c": "x"}]
    assert store.snapshots[second].table("Account").to_pylist() == [
        {"Id": "b", "New__c": 1.5, "Count__c": 7}
    ]
    rows_there = DeltaTable(Path(store.root, "records", "Account")).to_pyarrow_table()
    table = rows_there.filter(pc.equal(rows_there["_sfnb_op"], "upsert")).sort_by("Id")
    assert table.select(["Id", "Old__c", "New__c"]).to_pylist() == [
        {"Id": "a", "Old__c": "x", "New__c": None},
        {"Id": "b", "Old__c": None, "New__c": 1.5},
    ]


def test_a_changed_type_comes_back_as_it_is(tmp_path: Path) -> None:
    """A number that has become an int, and a checkbox where text was, come back as they are."""
    store = a_store(tmp_path)
    one = pa.record_batch({"Id": ["a"], "N": [1.5], "T": ["x"]})
    two = pa.record_batch({"Id": ["b"], "N": pa.array([7], pa.int64()), "T": pa.array([True])})
    next_snapshot(store, one.schema, one, number=1)
    second = next_snapshot(store, two.schema, two, number=2)
    assert store.snapshots[second].table("Account").to_pylist() == [{"Id": "b", "N": 7, "T": True}]


def test_the_first_schema_of_a_snapshot_stays(tmp_path: Path) -> None:
    """A field that appears during a pause waits for the next snapshot; the describe answer is kept as it was."""
    store = a_store(tmp_path)
    writer = store.begin(a_plan())
    writer.put_schema("Account", SCHEMA, {"name": "Account", "label": "Kunde"})
    more = pa.schema([*SCHEMA, ("Late__c", pa.string())])
    again = store.reopen(writer.snapshot)
    assert again.put_schema("Account", more, {"name": "other"}) == SCHEMA
    assert again.schema("Account") == SCHEMA
    assert again.describe("Account") == {"name": "Account", "label": "Kunde"}


def test_rows_before_columns_are_refused(tmp_path: Path) -> None:
    """Who forgets put_schema is told so."""
    writer = a_store(tmp_path).begin(a_plan())
    with pytest.raises(StoreError, match="call put_schema first"):
        writer.write_part("Account", [rows(0, 1)])
    with pytest.raises(CallerError, match="Lead is not among the objects"):
        writer.progress("Lead")


# -- several processes -------------------------------------------------------------------------------------------------

RACER = """
import sys
import pyarrow as pa
from sfnb.store.object_commits import ReadByNewer
from tests.store_samples import SCHEMA, a_plan, a_store, rows
store, number = a_store(sys.argv[1]), int(sys.argv[2])
writer = store.begin(a_plan(number=number))
print("ready", flush=True)
sys.stdin.readline()
writer.put_schema("Account", pa.schema([*SCHEMA, (f"Extra{number}__c", pa.string())]))
try:
    for k in range(12):
        part = writer.write_part("Account", [rows(100 * k, 10, name=f"by {number}")])
        writer.commit("Account", [part], {"k": k}, is_done=k == 11)
except ReadByNewer as err:
    writer.seal("partial", {"Account": str(err)})
writer.seal()
"""


def test_processes_share_a_table(tmp_path: Path) -> None:
    """
    Three snapshots created, widened and committed to one table at the same time: the newest is
    complete, and an older one that came late ends as partial, with the reason.
    """
    repository = Path(__file__).parents[3]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=repository,
        )
        for number in (1, 2, 3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        _, errors = racer.communicate(timeout=120)
        assert racer.returncode == 0, errors
    store = a_store(tmp_path)
    assert len(store.snapshots) == 3
    for snapshot in store.snapshots.values():
        entry = snapshot.manifest.objects["Account"]
        is_newest = snapshot.id == max(store.snapshots)
        assert snapshot.manifest.state == "complete" or not is_newest
        if entry.state is ObjectState.COMPLETE:
            assert entry.rows == snapshot.table("Account").num_rows == 120
            names = set(snapshot.table("Account").column("Name").drop_null().to_pylist())
            assert {name[:4] for name in names} == {f"by {int(snapshot.id[-6:], 16)}"}
        else:
            assert "a newer backup (2026" in (entry.message or "")
    assert [finding for finding in verify(store) if finding.is_damage] == []


# -- the seal ----------------------------------------------------------------------------------------------------------


def test_sealing_twice_changes_nothing(tmp_path: Path) -> None:
    """A sealed snapshot keeps its manifest byte by byte, and takes no more rows."""
    store = a_store(tmp_path)
    writer = a_writer(store, "Account", "Contact")
    put(writer, 0, is_done=True)
    manifest = writer.seal("partial", {"Contact": "no permission"})
    path = Path(store.root, "snapshots", writer.snapshot, "manifest.json")
    before = path.read_bytes()
    again = store.reopen(writer.snapshot)
    assert again.seal("complete") == manifest
    assert path.read_bytes() == before
    with pytest.raises(StoreError, match="is sealed"):
        put(again, 10)
    with pytest.raises(StoreError, match="is sealed"):
        again.restart("Account")


def test_a_seal_never_claims_more_than_the_log_has(tmp_path: Path) -> None:
    """P3: sealed as complete with an object missing, the manifest says partial, and which object and why."""
    writer = a_writer(a_store(tmp_path), "Account", "Contact", "Lead", "Vote")
    put(writer, 0, is_done=True)
    put(writer, 0, is_done=False, name="Contact")
    manifest = writer.seal(
        "complete",
        {"Lead": "INSUFFICIENT_ACCESS", "Gone__c": "no describe"},
        {"Vote": "wants a filter"},
    )
    told = json.loads(json.dumps(manifest.as_json()))
    assert told["state"] == "partial"
    assert {
        name: (e["state"], e["rows"], e.get("message")) for name, e in told["objects"].items()
    } == {
        "Account": ("complete", 10, None),
        "Contact": ("partial", 10, None),
        "Lead": ("untouched", 0, "INSUFFICIENT_ACCESS"),
        "Gone__c": ("untouched", 0, "no describe"),
    }
    assert told["left_out"] == {"Vote": "wants a filter"}
    assert told["objects"]["Account"]["watermark"] == "2026-11-02T08:00:00.009Z"
    assert told["objects"]["Contact"]["watermark"] is None


def test_equal_rows_give_equal_digests_only_with_equal_files(tmp_path: Path) -> None:
    """The digest of an object is over its parts: the same for the same files in any order, else another."""
    store = a_store(tmp_path)
    one, two = a_snapshot(store, number=1), a_snapshot(store, number=2, parts=3)
    digests = [store.snapshots[s].manifest.objects["Account"].digest for s in (one, two)]
    assert digests[0] != digests[1]


def test_a_snapshot_is_begun_once(tmp_path: Path) -> None:
    """An id that exists is refused, an unknown one cannot be reopened, and ids and names are no paths."""
    store = a_store(tmp_path)
    store.begin(a_plan())
    with pytest.raises(CallerError, match="exists already"):
        store.begin(a_plan())
    with pytest.raises(StoreError, match="is no longer in"):
        store.reopen("20261102T090000Z-ffffff")
    with pytest.raises(CallerError, match="cannot be the name"):
        a_plan("../../etc")


# -- a store that cannot be written ------------------------------------------------------------------------------------


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fills up in the middle of a part, what is committed stays, and the next try goes on."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    put(writer, 0)
    real = files_module.HashingSink.write

    def full(sink: files_module.HashingSink, content: Any) -> int:
        if sink.size_bytes + len(content) > 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(sink, content)

    monkeypatch.setattr(files_module.HashingSink, "write", full)
    with pytest.raises(
        StoreError, match=r"could not write .*parquet: the disk is full; make room\."
    ):
        put(writer, 10)
    with pytest.raises(StoreError, match="the disk is full"):
        writer.seal()
    monkeypatch.undo()
    assert not list(Path(store.root).rglob(".tmp-*"))
    put(writer, 10)
    assert ids(store, writer.snapshot) == [record_id(n) for n in range(20)]


def test_delta_on_a_full_disk_is_the_same_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error that Delta raises for a full disk (its text alone tells) is translated like Python's."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    put(writer, 0)

    def full(*_args: Any, **_options: Any) -> None:
        raise OSError(
            "Generic LocalFileSystem error: Unable to write: No space left on device (os error 28)"
        )

    part = writer.write_part("Account", [rows(10, 10)])
    with monkeypatch.context() as patch:
        patch.setattr(DeltaTable, "create_write_transaction", full)
        with pytest.raises(StoreError, match="could not commit rows of Account: the disk is full"):
            writer.commit("Account", [part], {"after": 20}, is_done=False)
    writer.commit("Account", [part], {"after": 20}, is_done=False)
    assert ids(store, writer.snapshot) == [record_id(n) for n in range(20)]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_a_store_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    """A store below a file, or in a folder without the right to write, is one clear sentence."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"could not .*: a part of the path is a file"):
        a_store(tmp_path / "file").begin(a_plan())
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(StoreError, match="permission denied"):
        a_store(locked).begin(a_plan())


def test_begin_is_before_everything(tmp_path: Path) -> None:
    """Opening a store writes nothing; the first file is the plan."""
    store = a_store(tmp_path / "new")
    assert list(store.snapshots) == []
    assert not (tmp_path / "new").exists()
    writer = store.begin(a_plan())
    assert [p.name for p in Path(store.root).rglob("*") if p.is_file()] == ["plan.json"]
    assert store.reopen(writer.snapshot).plan == a_plan()
    assert writer.plan.created_at == BEGAN
