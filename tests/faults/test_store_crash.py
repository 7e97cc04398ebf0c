"""P2 at the store: killed anywhere, any number of times, a resumed snapshot equals the undisturbed one."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from sfnb.store import delta
from sfnb.store.files import Files
from sfnb.store.manifest import SnapshotPlan
from sfnb.store.part_writer import PartWriter
from sfnb.store.progress import NOTHING, Progress
from sfnb.store.settling.base import Unchanged
from sfnb.store.tables import OrgStore
from sfnb.store.verify import verify
from sfnb.store.writer import Writer
from tests.store_samples import SCHEMA, a_plan, a_store, record_id, rows

PAGES = 2
OBJECTS = ("Contact",)
EVERY = 1 if os.environ.get("SFNB_CAMPAIGN") == "full" else 8


class Killed(BaseException):
    """The process is gone: nothing that runs afterwards may touch the disk."""


def back_up(store: OrgStore) -> None:
    """A backup as a runner does it, from wherever the store says that the last one stopped."""
    plan = a_plan(*OBJECTS)
    writer = store.reopen(plan.snapshot) if plan.snapshot in store.snapshots else store.begin(plan)
    writer.take_over()
    for name in OBJECTS:
        writer.put_schema(name, SCHEMA, {"name": name})
        progress = writer.progress(name)
        while not progress.is_done:
            page = (progress.cursor or {"page": 0})["page"]
            if page == 1 and not (progress.cursor or {}).get("again"):
                # The results of a Bulk job expired: from the start, once.
                progress = writer.restart(name, {"page": 0, "again": True})
                continue
            batches = [rows(100 * page, 20, deleted=[100 * page]), rows(100 * page + 20, 10)]
            cursor = {**(progress.cursor or {}), "page": page + 1}
            progress = writer.commit(
                name, [writer.write_part(name, batches)], cursor, is_done=page + 1 == PAGES
            )
    writer.seal()


def what_is_stored(store: OrgStore) -> dict[str, Any]:
    snapshot = store.snapshots["latest"]
    manifest = snapshot.manifest
    return {
        "state": manifest.state,
        "tables": {name: snapshot.table(name).sort_by("Id") for name in OBJECTS},
        "all": {
            name: DeltaTable(Path(store.root, "records", name))
            .to_pyarrow_table()
            .select(SCHEMA.names)
            .sort_by("Id")
            for name in OBJECTS
        },
        "entries": {
            name: (e.state, e.rows, e.deleted, e.parts, e.watermark, e.ids_digest, e.proof)
            for name, e in manifest.objects.items()
        },
    }


class Guillotine:
    """Counts every step that reaches the disk, and dies instead of the k-th; from then on no step works any more."""

    def __init__(self, patch: pytest.MonkeyPatch, *, die_at: int) -> None:
        self.steps = 0
        self.is_dead = False
        self._die_at = die_at
        for owner, name in (
            (Path, "mkdir"),
            (Path, "replace"),
            (Path, "unlink"),
            (os, "fsync"),
            (delta, "create_table_with_add_actions"),
            (DeltaTable, "create_write_transaction"),
            (Files, "delete"),
        ):
            patch.setattr(owner, name, self._guarded(getattr(owner, name)))

    def _guarded(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            self._count()
            return real(*args, **options)

        return step

    def _count(self) -> None:
        self.steps += 1
        if self.is_dead or self.steps == self._die_at:
            self.is_dead = True
            raise Killed


@pytest.mark.campaign
def test_killed_at_every_step_once(tmp_path: Path) -> None:
    """P2: dying at any step on the disk (each eighth outside of the campaign) and resuming changes nothing."""
    undisturbed = a_store(tmp_path / "undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        steps = Guillotine(patch, die_at=-1)
        back_up(undisturbed)
    expected = what_is_stored(undisturbed)
    assert expected["state"] == "complete"
    assert steps.steps > 30
    for k in range(min(3, EVERY), steps.steps + 1, EVERY):
        store = a_store(tmp_path / str(k))
        with pytest.MonkeyPatch.context() as patch:
            Guillotine(patch, die_at=k)
            with pytest.raises(Killed):
                back_up(store)
        back_up(store)
        assert what_is_stored(store) == expected, f"differs after a kill at step {k}"
        assert not [f for f in verify(store) if f.is_damage], f"damage after a kill at step {k}"


def test_killed_again_and_again(tmp_path: Path) -> None:
    """P2: a process that dies every few steps gets there all the same."""
    undisturbed = a_store(tmp_path / "undisturbed")
    back_up(undisturbed)
    chance = random.Random(20261122)  # noqa: S311 (a test's dice)
    store = a_store(tmp_path / "disturbed")
    deaths = 0
    for _ in range(200):
        with pytest.MonkeyPatch.context() as patch:
            Guillotine(patch, die_at=chance.randint(1, 25))
            try:
                back_up(store)
                break
            except Killed:
                deaths += 1
    assert deaths > 2
    assert what_is_stored(store) == what_is_stored(undisturbed)
    assert not [f for f in verify(store) if f.is_damage]


def three_days(store: OrgStore) -> None:
    """A full reading, then changes with a refresh of one column, then nothing new: each goes on where it stopped."""
    first, second, third = (a_plan("Contact", number=number) for number in (1, 2, 3))
    writer = resumed(store, first)
    for page in range(writer.progress("Contact").number, 2):
        parts = writer.write_parts("Contact", [rows(20 * page, 20, deleted=[20 * page])])
        writer.commit("Contact", parts, {"page": page}, is_done=page == 1)
    writer.seal()
    writer = resumed(store, second)
    progress = writer.progress("Contact")
    if progress.number < 1:
        parts = writer.write_parts("Contact", [rows(0, 2, name="Changed")])
        writer.commit("Contact", parts, {"step": 1}, is_done=False)
    if not progress.is_done:
        parts = writer.write_parts("Contact", [rows(39, 4)])
        gone = [record_id(7)]
        writer.settle("Contact", parts, {"step": 2}, mode="changes", gone=gone, org_count=42)
    if (progress.cursor or {}).get("step", 0) < 3:
        target = writer.target("Contact", ["Amount"])
        page = rows(0, 43).select(["Id", "Amount"])
        doubled = page.set_column(1, "Amount", pc.multiply(page.column(1), 2))
        staged = PartWriter(target, writer._clock).write([doubled])
        writer.settle("Contact", staged, {"step": 3}, mode="columns", fields=["Amount"])
    writer.seal()
    writer = resumed(store, third)
    if not writer.progress("Contact").is_done:
        writer.unchanged({"Contact": Unchanged(org_count=42)})
    writer.seal()


def resumed(store: OrgStore, plan: SnapshotPlan) -> Writer:
    is_there = plan.snapshot in store.snapshots
    writer = store.reopen(plan.snapshot) if is_there else store.begin(plan)
    if not store.snapshots[plan.snapshot].is_sealed:
        writer.take_over()
        if plan.snapshot != a_plan(number=3).snapshot:
            writer.put_schema("Contact", SCHEMA, {"name": "Contact"})
        return writer
    return Done(store.files, plan, writer._clock)


class Done(Writer):
    """A snapshot that is sealed: nothing is left to do."""

    def progress(self, object_name: str) -> Progress:  # noqa: ARG002 (of any object)
        return replace(NOTHING, number=9, is_done=True, cursor={"step": 9})


def all_states(store: OrgStore) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for snapshot in store.snapshots.values():
        entry = snapshot.manifest.objects["Contact"]
        counts = (entry.state, entry.rows, entry.deleted, entry.ids_digest)
        found[snapshot.id] = (snapshot.table("Contact").sort_by("Id"), counts)
    return found


@pytest.mark.campaign
def test_three_days_killed_at_every_step(tmp_path: Path) -> None:
    """P2: a kill at any step of a settling, a refresh or an unchanged run changes no snapshot."""
    undisturbed = a_store(tmp_path / "undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        steps = Guillotine(patch, die_at=-1)
        three_days(undisturbed)
    expected = all_states(undisturbed)
    assert [counts[1:3] for _, counts in expected.values()] == [(38, 2), (41, 1), (41, 1)]
    assert [f for f in verify(undisturbed) if f.kind != "note"] == []
    for k in range(min(3, EVERY), steps.steps + 1, EVERY):
        store = a_store(tmp_path / str(k))
        with pytest.MonkeyPatch.context() as patch:
            Guillotine(patch, die_at=k)
            with pytest.raises(Killed):
                three_days(store)
        three_days(store)
        found = all_states(store)
        assert found == expected, f"differs after a kill at step {k}"
        assert not [f for f in verify(store) if f.is_damage], f"damage after a kill at step {k}"


CHILD = """
import os, signal, sys
import tests.faults.test_store_crash as crash
from sfnb.store import files
from tests.store_samples import a_store
left, real = int(sys.argv[2]), files.HashingSink.write
def write(sink, content):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return real(sink, content)
files.HashingSink.write = write
crash.back_up(a_store(sys.argv[1]))
"""


def test_a_real_kill(tmp_path: Path) -> None:
    """P2: the same with a real process and a real SIGKILL in the middle of writing."""
    undisturbed = a_store(tmp_path / "undisturbed")
    back_up(undisturbed)
    repository = Path(__file__).parents[2]
    root = tmp_path / "killed"
    for left in (8, 40):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(root), str(left)],
            cwd=repository,
            capture_output=True,
            check=False,
        )
        assert done.returncode != 0
        assert b"Traceback" not in done.stderr
    store = a_store(root)
    assert any(f.kind == "orphan" for f in verify(store))
    back_up(store)
    assert what_is_stored(store) == what_is_stored(undisturbed)
    assert isinstance(what_is_stored(store)["tables"]["Contact"], pa.Table)
