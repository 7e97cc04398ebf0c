"""Prune and erase in a bucket: what is freed, what stays, who may not work at once, and no byte left."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfnb.clock import SystemClock
from sfnb.errors import CallerError
from sfnb.state.owner import this_process
from sfnb.store.files import Files
from sfnb.store.pruning.keep import KeepPolicy
from sfnb.store.pruning.run import Prune
from sfnb.store.restating.one_at_a_time import LOCK
from sfnb.store.tables import OrgStore
from tests.contracts.s3_server import environment, every_version
from tests.store_samples import ORG_ID, a_store, a_writer, rows
from tests.unit.store.compaction.test_compaction import a_year, exported
from tests.unit.store.erasing.byte_search import found_in
from tests.unit.store.erasing.test_erase import SECRETS, a_past, erase_ada, without_ada
from tests.unit.store.pruning.test_prune import damage, planned

CLOCK = SystemClock()


@pytest.fixture
def store(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OrgStore]:
    """The store of an org in a bucket of its own."""
    for name, value in environment(s3_address).items():
        monkeypatch.setenv(name, value)
    yield a_store(f"s3://sfnb-{secrets.token_hex(4)}/store")


def test_a_prune_frees_what_it_promised_and_takes_nothing_of_others(store: OrgStore) -> None:
    """
    Within 5 %, by the bucket's own listing. What a job of another installation has just written
    stays; what a killed prune has left goes, and its lock does not count; two at once are refused.
    """
    a_year(store, 4)
    before = exported(store)
    writer = a_writer(store, "Account", number=24 * 20 * 5)
    part = writer.write_part("Account", [rows(1, 10)])
    left = f"records/Account/_sfnb_generation=current/Account-{secrets.token_hex(12)}.parquet"
    store.files.put(left, b"of a prune that was killed")
    plan = planned(store, KeepPolicy(last=1))

    def prune() -> Prune:
        return Prune(store.files, plan, CLOCK, is_quiet=lambda: True)

    me = this_process()
    lock = {"host": "elsewhere", "pid": me.pid, "pid_started_s": 1, "at": CLOCK.now().isoformat()}
    store.files.put_new(LOCK, json.dumps(lock).encode())
    with pytest.raises(CallerError, match="another process"):
        prune().run()
    lock["host"] = me.host  # a process of this machine, and it is dead
    store.files.put(LOCK, json.dumps(lock).encode())
    promised = prune().estimate()
    tries: list[str] = []

    def meanwhile(_: str) -> None:
        with pytest.raises(CallerError, match="another process") as refused:
            prune().run()
        tries.append(str(refused.value))

    done = prune().run(meanwhile)
    assert tries and len(done.plan.removed) == 3 and not store.files.has(LOCK)
    size = sum(Files(store.root).walk("").values())
    assert done.bytes_after == size
    freed = done.bytes_before - size
    assert promised.bytes_before - promised.bytes_after == pytest.approx(freed, rel=0.05)
    assert not store.files.has(left) and store.files.has(f"records/Account/{part.path}")
    writer.commit("Account", [part], {"page": 1}, is_done=True)
    writer.seal()
    assert damage(store) == []
    stays = done.plan.kept
    now = exported(store)
    assert {s: now[s] for s in before if s in now} == {s: before[s] for s in stays if s in before}
    assert store.snapshots[writer.snapshot].table("Account").num_rows == 10


def test_an_erasure_leaves_no_byte_in_any_version_of_a_file(
    store: OrgStore, s3_address: str, tmp_path: Path
) -> None:
    """Looked for in all that the bucket lists, old versions included; everyone else is as before."""
    a_past(store, is_compacted=True)
    bucket = store.root.split("/")[2]
    before, rest = every_version(s3_address, bucket), without_ada(exported(store))
    assert found_in(laid_down(before, tmp_path / "before"), SECRETS)
    erase_ada(store)
    after = every_version(s3_address, bucket)
    assert len(after) > 5 and all(key.startswith(f"store/{ORG_ID}/") for key, _ in after)
    assert found_in(laid_down(after, tmp_path / "after"), SECRETS) == []
    assert exported(store) == rest and damage(store) == []


def laid_down(files: list[tuple[str, bytes]], folder: Path) -> Path:
    for number, (key, content) in enumerate(files):
        path = folder / str(number) / key.rpartition("/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
