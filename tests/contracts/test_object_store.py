"""
A store in an object store, by a real server that speaks S3: backups, reading, compaction, `verify`.

Set ``SFNB_TEST_S3`` to the server's address, such as that of `moto_server` (``pip install
'moto[s3,server]'``); without it these tests are skipped.
"""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sfnb.clock import FakeClock
from sfnb.store.compaction.compact import compact_object
from sfnb.store.files import Files
from sfnb.store.object_commits import ReadByNewer
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from tests.store_samples import BEGAN, a_snapshot, a_store, a_writer, record_id, rows

SERVER = os.environ.get("SFNB_TEST_S3", "")

pytestmark = pytest.mark.skipif(not SERVER, reason="SFNB_TEST_S3 names no S3 server")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a store in a bucket of its own."""
    settings = {
        "AWS_ENDPOINT_URL": SERVER,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    bucket = f"sfnb-{secrets.token_hex(4)}"
    assert requests.put(f"{SERVER}/{bucket}", timeout=60).ok
    return f"s3://{bucket}/store"


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
