"""Writing in two halves: workers write parts, the deciding thread commits them."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from sfnb.clock import FakeClock
from sfnb.store.part_writer import PartTarget, PartWriter
from sfnb.store.parts import Part
from sfnb.store.verify import verify
from tests.store_samples import BEGAN, a_store, a_writer, record_id, rows


def a_unit(target: PartTarget, first: int) -> list[Part]:
    """What a worker does: it makes its writer from the target alone."""
    return PartWriter(target, FakeClock(BEGAN)).write([rows(first, 10, deleted=[first])])


def test_another_process_writes_parts_and_this_one_commits(tmp_path: Path) -> None:
    """A target goes to any process as a value, its parts come back as values, and one commit takes them."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    target = writer.target("Account")
    assert pickle.loads(pickle.dumps(target)) == target  # noqa: S301 (our own bytes)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        parts = [part for found in pool.map(a_unit, [target] * 2, [0, 10]) for part in found]
    assert store.reopen(writer.snapshot).progress("Account").parts == 0
    writer.commit("Account", parts, {"after": 20}, is_done=True)
    writer.seal()
    ids = store.snapshots["latest"].table("Account").column("Id").to_pylist()
    assert sorted(ids) == [record_id(n) for n in range(20) if n not in (0, 10)]
    assert verify(store) == []


def test_no_rows_make_no_part(tmp_path: Path) -> None:
    """A worker that read nothing returns an empty list and leaves no file."""
    writer = a_writer(a_store(tmp_path))
    found = PartWriter(writer.target("Account"), FakeClock(BEGAN)).write([rows(0, 0)])
    assert found == []
    assert not list(tmp_path.rglob("*.parquet"))
