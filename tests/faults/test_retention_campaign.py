"""Prune and erase, killed at random points of their changes of the disk: many in the campaign, few in CI."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfnb.store.files import Files
from tests.store_samples import a_store
from tests.unit.store.compaction.test_compaction import a_year, exported
from tests.unit.store.erasing.byte_search import found_in
from tests.unit.store.erasing.test_erase import SECRETS, a_past, damage, erase_ada, without_ada
from tests.unit.store.pruning.test_prune import prune

POINTS = 100 if os.environ.get("SFNB_CAMPAIGN") == "full" else 2


class Killed(BaseException):
    """The process is gone."""


def killed_at(step: int, work: Callable[[], object], patch: pytest.MonkeyPatch) -> bool:
    """Run the work, dead before its so manieth change of the disk; False: it came to its end."""
    left = [step]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **more)

        return call

    with patch.context() as patched:
        for name in ("open_new", "delete", "sync"):
            patched.setattr(Files, name, dying(getattr(Files, name)))
        try:
            work()
        except Killed:
            return True
    return False


@pytest.mark.campaign
def test_a_prune_killed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays reads as before after each kill, however many there are before one that ends."""
    master = a_store(tmp_path / "master")
    a_year(master, 6)
    before = exported(master)
    stays = list(before)[-3:]
    for seed in range(POINTS):
        chance = random.Random(seed)  # noqa: S311 — a seed to replay
        folder = tmp_path / f"{seed}"
        shutil.copytree(tmp_path / "master", folder)
        store = a_store(folder)
        for _ in range(chance.randint(1, 3)):
            killed_at(chance.randint(0, 40), lambda store=store: prune(store), monkeypatch)  # type: ignore[misc]
            now = exported(store)
            assert {s: now[s] for s in stays} == {s: before[s] for s in stays}, seed
            assert damage(store) == [], seed
        prune(store)
        assert exported(store) == {s: before[s] for s in stays} and damage(store) == [], seed
        shutil.rmtree(folder)


@pytest.mark.campaign
def test_an_erasure_killed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everyone else reads as before after each kill, and nothing is left when one came to its end."""
    master = a_store(tmp_path / "master")
    a_past(master, is_compacted=True)
    rest = without_ada(exported(master))
    for seed in range(POINTS):
        chance = random.Random(seed)  # noqa: S311 — a seed to replay
        folder = tmp_path / f"{seed}"
        shutil.copytree(tmp_path / "master", folder)
        store = a_store(folder)
        for _ in range(chance.randint(1, 3)):
            killed_at(chance.randint(0, 30), lambda store=store: erase_ada(store), monkeypatch)  # type: ignore[misc]
            assert without_ada(exported(store)) == rest, seed
        erase_ada(store)
        assert exported(store) == rest and damage(store) == [], seed
        assert found_in(folder, SECRETS) == [], seed
        shutil.rmtree(folder)
