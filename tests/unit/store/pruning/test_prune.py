"""Pruning a store: what stays reads as before, the space is freed, and a kill anywhere harms nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from sfnb.clock import FakeClock
from sfnb.store.files import Files
from sfnb.store.history.record import record_history
from sfnb.store.pruned import read_pruned
from sfnb.store.pruning.keep import KeepPolicy
from sfnb.store.pruning.plan import PrunePlan, plan_prune
from sfnb.store.pruning.run import Prune, Pruned
from sfnb.store.tables import OrgStore
from sfnb.store.unchanged import put_unchanged
from sfnb.store.verify import Expected, verify
from tests.store_samples import BEGAN, SCHEMA, a_plan, a_store, a_writer, record_id, rows
from tests.unit.store.compaction.test_compaction import a_year, exported
from tests.unit.store.history.test_diff import a_state, record

LAST_THREE = KeepPolicy(last=3)


def planned(
    store: OrgStore, policy: KeepPolicy, held: Mapping[str, str] | None = None
) -> PrunePlan:
    on_hold = held or {}
    return plan_prune(
        store.files,
        policy,
        zone=UTC,
        held=lambda ids: {s: on_hold[s] for s in ids if s in on_hold},
    )


def prune(store: OrgStore, policy: KeepPolicy = LAST_THREE, **more: Any) -> Pruned:
    plan = planned(store, policy, more.pop("held", None))
    is_quiet = more.pop("is_quiet", lambda: True)
    return Prune(store.files, plan, FakeClock(BEGAN), is_quiet=is_quiet).run(**more)


def damage(store: OrgStore, expected: list[Expected] | None = None) -> list[str]:
    return [f"{f.path}: {f.message}" for f in verify(store, expected or ()) if f.is_damage]


def test_a_backup_of_some_objects_takes_the_place_of_none_of_all(tmp_path: Path) -> None:
    """Each night all, then one object alone: the newest whole ones stay, unless all are to count together."""
    store = a_store(tmp_path)
    made = []
    for number in range(1, 7):
        names = ("Account", "Contact") if number % 2 else ("Account",)
        plan = replace(a_plan(*names, number=number), scope="" if number % 2 else "account")
        writer = store.begin(plan)
        for name in names:
            writer.put_schema(name, SCHEMA)
            writer.settle(name, writer.write_parts(name, [rows(0, number)]), {})
        writer.seal()
        made.append(plan.snapshot)
    assert planned(store, KeepPolicy(last=1)).removed == tuple(made[:-2])
    assert planned(store, KeepPolicy(last=2)).removed == tuple(made[:-4])
    together = plan_prune(
        store.files, KeepPolicy(last=1), zone=UTC, held=lambda _: {}, is_grouped=False
    )
    assert together.removed == tuple(made[:-1])
    assert store.snapshots[made[0]].manifest.scope == ""
    assert store.snapshots[made[1]].manifest.scope == "account"
    assert damage(store) == []


def test_what_stays_reads_as_before_and_what_goes_is_gone(tmp_path: Path) -> None:
    """Three of twelve stay, in every record and in the bin; the others are no snapshots any more."""
    store = a_store(tmp_path)
    a_year(store)
    before = exported(store)
    expected = [Expected(snapshot, is_sealed=True) for snapshot in before]
    done = prune(store)
    stays = list(before)[-3:]
    assert list(done.plan.kept) == stays and sorted(done.plan.removed) == list(before)[:-3]
    assert exported(store) == {snapshot: before[snapshot] for snapshot in stays}
    assert damage(store, expected) == []
    assert not [f for f in verify(store) if f.kind == "orphan"]
    assert done.bytes_after < done.bytes_before
    log = store.files.names("records/Account/_delta_log")
    assert len([name for name in log if name.endswith(".json")]) == 1
    assert set(read_pruned(store.files)) == set(done.plan.removed)


def test_a_dry_run_changes_nothing_and_promises_what_is_freed(tmp_path: Path) -> None:
    """The estimate is within 5 % of what the prune frees, with compacted files and without."""
    for name, days in (("small", 5), ("large", 16)):
        store = a_store(tmp_path / name)
        a_year(store, days)
        there = {path: store.files.digest(path) for path in store.files.walk("")}
        promised = Prune(
            store.files, planned(store, LAST_THREE), FakeClock(BEGAN), is_quiet=lambda: True
        ).estimate()
        assert {path: store.files.digest(path) for path in store.files.walk("")} == there
        done = prune(store)
        assert promised.plan == done.plan and promised.bytes_before == done.bytes_before
        freed = done.bytes_before - done.bytes_after
        assert promised.bytes_before - promised.bytes_after == pytest.approx(freed, rel=0.05)
        assert done.bytes_after == sum(store.files.walk("").values())


def test_pruning_again_and_again_and_reading_on(tmp_path: Path) -> None:
    """A prune upon a prune, readings in between, in the middle of the past: each state is as it was."""
    store = a_store(tmp_path)
    a_year(store, 8)
    for turn in range(3):
        before = exported(store)
        middle = KeepPolicy(last=1, yearly=2, monthly=2 + turn)
        done = prune(store, middle)
        assert exported(store) == {s: before[s] for s in before if s not in done.plan.removed}
        assert damage(store) == []
        a_state(store, 24 * 20 * (9 + turn), [record(n, Name=f"t{turn}") for n in range(2, 20)])
        assert damage(store) == []
    assert prune(store, KeepPolicy(last=99)).plan.removed == ()


def test_an_object_that_has_not_changed_needs_the_snapshot_that_read_it(tmp_path: Path) -> None:
    """`unchanged_since` a snapshot that goes: its rows and its schema stay."""
    store = a_store(tmp_path)
    first = a_writer(store, "Account", "Contact", number=1)
    for name in ("Account", "Contact"):
        first.commit(name, [first.write_part(name, [rows(1, 5)])], {"page": 1}, is_done=True)
    first.seal()
    second = a_writer(store, "Account", number=2)
    second.commit("Account", [second.write_part("Account", [rows(1, 7)])], {}, is_done=True)
    second.seal()
    entry = store.snapshots[first.snapshot].manifest.objects["Contact"]
    objects = {"Contact": {"reader": "keyset", "expected_rows": None}}
    third = store.begin(replace(a_plan(number=3), objects=objects))
    put_unchanged(
        store.files, third.snapshot, {"Contact": replace(entry, unchanged_since=first.snapshot)}
    )
    third.seal()
    before = store.snapshots[third.snapshot].table("Contact").sort_by("Id")
    done = prune(store, KeepPolicy(last=1))
    assert first.snapshot in done.plan.removed
    # Each object's newest reading stays, but the snapshot that made it is no snapshot any more.
    assert list(store.snapshots) == [third.snapshot]
    assert store.snapshots[third.snapshot].table("Contact").sort_by("Id").equals(before)
    assert damage(store) == []


def test_what_is_not_finished_or_on_hold_stays(tmp_path: Path) -> None:
    """A growing snapshot goes on after the prune, and its state has what it had; a held one is named."""
    store = a_store(tmp_path)
    a_year(store, 4)
    open_one = a_writer(store, "Account", number=24 * 20 * 5)
    part = open_one.write_part("Account", [rows(1, 10)])
    open_one.commit("Account", [part], {"page": 1}, is_done=False)
    before = exported(store)
    oldest = next(iter(before))
    done = prune(store, KeepPolicy(last=1), held={oldest: "h1"})
    assert done.plan.held == {oldest: "h1"}
    assert done.plan.kept[open_one.snapshot] == ["not finished"]
    stays = [oldest, *done.plan.kept]
    assert exported(store) == {snapshot: before[snapshot] for snapshot in stays}
    # The writer has the table open as it was before its log was restated.
    part = open_one.write_part("Account", [rows(11, 5)])
    open_one.commit("Account", [part], {"page": 2}, is_done=False)
    again = store.reopen(open_one.snapshot)
    again.commit("Account", [again.write_part("Account", [rows(16, 5)])], {"page": 3}, is_done=True)
    again.seal()
    assert damage(store) == []
    assert store.snapshots[open_one.snapshot].table("Account").num_rows == 20


def test_a_backup_that_begins_while_a_prune_is_at_work_loses_nothing(tmp_path: Path) -> None:
    """Its first page is written and not committed yet when the prune tidies up the table."""
    store = a_store(tmp_path)
    a_year(store, 4)
    begun: list[Any] = []

    def begin(what: str) -> None:
        if what == "Account":
            writer = a_writer(store, "Account", number=24 * 20 * 5)
            begun.extend((writer, writer.write_part("Account", [rows(1, 10)])))

    done = prune(store, KeepPolicy(last=1), tell=begin)
    writer, part = begun
    writer.commit("Account", [part], {"page": 1}, is_done=True)
    writer.seal()
    assert len(done.plan.removed) == 3 and damage(store) == []
    assert store.snapshots[writer.snapshot].table("Account").num_rows == 10


def test_old_files_stay_from_the_moment_on_that_a_job_begins(tmp_path: Path) -> None:
    """A reader that a job has opened meanwhile finds its files; the next prune removes them."""
    store = a_store(tmp_path)
    a_year(store, 4)
    files = {p for p in store.files.walk("records") if p.endswith(".parquet")}
    answers = iter([True, False])
    prune(store, KeepPolicy(last=1), is_quiet=lambda: next(answers, False))
    assert files <= set(store.files.walk("records")) and damage(store) == []
    prune(store, KeepPolicy(last=1))
    assert not files <= set(store.files.walk("records")) and damage(store) == []


def test_a_record_tells_its_history_by_the_snapshots_that_stay(tmp_path: Path) -> None:
    """A version that a pruned snapshot brought is in the next one that stays."""
    store = a_store(tmp_path)
    for n in range(4):
        a_state(store, 1 + n, [record(1, Name=f"v{n // 2}"), record(2, Name="x")])
    ids = list(store.snapshots)
    prune(store, KeepPolicy(last=1))
    found = record_history(store.files, store.snapshots, "Account", record_id(1))
    assert [(v.snapshot, v.fields["Name"]) for v in found] == [(ids[-1], "v1")]


class Killed(BaseException):
    """The process is gone."""


def run_until(store: OrgStore, step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A prune that dies before its so manieth change of the disk; False: it came to its end."""
    left = [step]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **more)

        return call

    with monkeypatch.context() as patch:
        for name in ("open_new", "delete", "sync"):
            patch.setattr(Files, name, dying(getattr(Files, name)))
        try:
            prune(store)
        except Killed:
            return True
    return False


def test_killed_at_any_step_nothing_that_stays_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each change of the disk: what stays reads as before, verify finds no damage, and the
    next prune frees what the undisturbed one does."""
    master = a_store(tmp_path / "master")
    a_year(master, 6)
    before = exported(master)
    stays = list(before)[-3:]
    whole = tmp_path / "whole"
    shutil.copytree(tmp_path / "master", whole)
    freed = prune(a_store(whole)).bytes_after
    step, killed = 0, 0
    while True:
        folder = tmp_path / f"killed-{step}"
        shutil.copytree(tmp_path / "master", folder)
        store = a_store(folder)
        is_killed = run_until(store, step, monkeypatch)
        now = exported(store)
        assert {s: now[s] for s in stays} == {s: before[s] for s in stays}, step
        assert damage(store) == [], step
        again = prune(store)
        assert exported(store) == {s: before[s] for s in stays}
        assert damage(store) == [] and again.bytes_after == pytest.approx(freed, rel=0.02), step
        shutil.rmtree(folder)
        if not is_killed:
            break
        killed += 1
        step += 1 + step // 6
    assert killed > 8
