"""A store in an object store, by a real server that speaks S3: reading, compaction, `verify`, two at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError, StoreError
from sfnb.store.compaction.compact import compact_object
from sfnb.store.files import Files
from sfnb.store.object_commits import ReadByNewer
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from tests.contracts.s3_server import DENIED, SLOW_DOWN, Refusal, S3Door, environment, s3_door
from tests.store_samples import BEGAN, a_plan, a_snapshot, a_store, a_writer, record_id, rows


@pytest.fixture
def door(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Door]:
    """What this test's requests pass through."""
    with s3_door(s3_address) as opened:
        for name, value in environment(opened.address).items():
            monkeypatch.setenv(name, value)
        yield opened


@pytest.fixture
def root(door: S3Door) -> str:
    """The address of a store in a bucket of its own."""
    return f"s3://sfnb-{secrets.token_hex(4)}/store"


@pytest.fixture
def store(root: str) -> OrgStore:
    return a_store(root)


def damage(store: OrgStore) -> list[str]:
    return [f.message for f in verify(store) if f.is_damage]


def test_files_come_back_and_unfinished_ones_are_not_seen(root: str) -> None:
    """What is put is read, listed and deleted; an upload that breaks off leaves nothing."""
    files = Files(root)
    files.put("a/b/c", b"one")
    assert (files.read("a/b/c"), files.names("a", folders=True)) == (b"one", ["b"])
    with pytest.raises(ValueError, match="on purpose"), files.open_new("a/b/half") as sink:
        sink.write(b"half")
        raise ValueError("on purpose")
    assert files.walk("") == {"a/b/c": 3}
    files.delete("a/b/c")
    assert files.read("a/b/c") is None


def test_a_history_reads_as_in_a_folder(store: OrgStore) -> None:
    """Two snapshots, the second of changes; both read as they were, after compaction, too."""
    first = a_snapshot(store, number=1)
    writer = a_writer(store, number=2)
    parts = writer.write_parts("Account", [rows(1, 3, name="Another"), rows(40, 5)])
    writer.settle("Account", parts, {}, mode="changes", gone=[record_id(7)])
    writer.seal()
    before = [names(store, snapshot) for snapshot in (first, writer.snapshot)]
    assert [len(found) for found in before] == [18, 22]
    assert damage(store) == []
    assert compact_object(store.files, "Account", FakeClock(BEGAN), force=True)
    assert [names(store, snapshot) for snapshot in (first, writer.snapshot)] == before
    assert store.snapshots["latest"].sql("select count(*) as n from Account")["n"][0] == 22
    assert damage(store) == []


def names(store: OrgStore, snapshot: str) -> dict[str, str]:
    table = store.snapshots[snapshot].table("Account")
    return dict(zip(table["Id"].to_pylist(), table["Name"].to_pylist(), strict=True))


def test_two_backups_at_once_lose_no_commit(store: OrgStore) -> None:
    """
    Both write to one table: the log has the commits of both, or the older one is told that a newer
    one was first. No commit replaces another.
    """
    writers = [a_writer(store, number=number) for number in (1, 2)]

    def write(at: int) -> int:
        done = 0
        for k in range(4):
            part = writers[at].write_part("Account", [rows(1000 * at + 10 * k, 10)])
            try:
                writers[at].commit("Account", [part], {"k": k}, is_done=False)
            except ReadByNewer:
                break
            done += 1
        return done

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(write, (0, 1)))
    assert done[1] == 4
    logs = [p for p in store.files.walk("records/Account/_delta_log") if p.endswith(".json")]
    assert len(logs) >= sum(done)
    assert [writers[at].progress("Account").number for at in (0, 1)] == done
    assert damage(store) == []


def test_one_of_many_makes_a_file(root: str) -> None:
    """Of eight that put one new file at once, one does; the others are told, and its content stays."""
    files = Files(root)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda number: files.put_new("a/b", b"%d" % number), range(8)))
    assert done.count(True) == 1
    assert files.read("a/b") == b"%d" % done.index(True)


def test_a_plan_and_a_seal_are_written_once(store: OrgStore) -> None:
    """A snapshot has one beginning and one seal, whoever tries at the same time."""
    plans = [replace(a_plan(number=1), job_id=f"job-{number}") for number in range(4)]

    def begin(number: int) -> bool:
        try:
            store.begin(plans[number])
        except CallerError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(begin, range(4))) == 1
    writers = [store.reopen(plans[0].snapshot) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        sealed = list(pool.map(lambda writer: writer.seal("partial"), writers))
    assert sealed[0].as_stored() == sealed[1].as_stored()


def test_a_bucket_without_conditions_is_refused(root: str, door: S3Door) -> None:
    """It is found out before anything is written, and said in one sentence."""
    door.forgets_conditions = True
    with pytest.raises(StoreError, match=r"overwrite each other.*If-None-Match"):
        a_store(root).begin(a_plan())
    assert Files(root).walk("") == {}


def test_unsafe_commits_are_refused(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delta's switch for commits without a condition is not obeyed in silence."""
    monkeypatch.setenv("AWS_S3_ALLOW_UNSAFE_RENAME", "true")
    with pytest.raises(StoreError, match="AWS_S3_ALLOW_UNSAFE_RENAME is set"):
        a_store(root).begin(a_plan())


def test_a_busy_store_is_waited_for(root: str, door: S3Door) -> None:
    """SlowDown to eight requests, writes and reads: nothing is lost, nothing twice."""
    door.refuse = lambda *_: SLOW_DOWN if len(door.seen) % 3 == 0 and door.refused < 8 else None
    store = a_store(root)
    snapshot = a_snapshot(store, number=1)
    assert len(names(store, snapshot)) == 18
    assert damage(store) == []
    assert door.refused == 8


def test_a_store_that_turns_read_only_keeps_what_it_has(root: str, door: S3Door) -> None:
    """One clear sentence; what was committed is there, and goes on when it may be written again."""
    store = a_store(root)
    writer = a_writer(store, number=1)
    first = writer.write_part("Account", [rows(1, 10)])
    writer.commit("Account", [first], {"k": 1}, is_done=False)

    def read_only(method: str, _path: str, _headers: dict[str, str]) -> Refusal | None:
        return DENIED if method in ("PUT", "POST") else None

    door.refuse = read_only
    with pytest.raises(StoreError, match="permission denied; give this user the right to write"):
        writer.write_part("Account", [rows(11, 10)])
    door.refuse = lambda *_: None
    again = store.reopen(writer.snapshot)
    assert again.progress("Account").number == 1
    again.commit("Account", [again.write_part("Account", [rows(11, 10)])], {"k": 2}, is_done=True)
    assert again.progress("Account").number == 2
    assert damage(store) == []


def test_encryption_is_asked_for_every_file(
    root: str, door: S3Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SSE-S3 set, each file is put with it: parts, Delta's log, plans, manifests and bodies."""
    monkeypatch.setenv("AWS_SERVER_SIDE_ENCRYPTION", "AES256")
    store = a_store(root)
    snapshot = a_snapshot(store, number=1)
    with store.files.open_new("bodies/whole") as sink:
        sink.write(b"x" * (9 << 20))  # goes up in pieces
    begun = [
        (path, headers.get("x-amz-server-side-encryption"))
        for method, path, headers in door.seen
        if (method == "PUT" and "partNumber" not in path) or "?uploads" in path
    ]
    assert {how for _, how in begun} == {"AES256"}, begun
    kinds = ("plan.json", "manifest.json", "_delta_log", ".parquet", "bodies/whole")
    assert all(any(kind in path for path, _ in begun) for kind in kinds), begun
    assert len(names(store, snapshot)) == 18
    assert store.files.digest("bodies/whole") is not None
