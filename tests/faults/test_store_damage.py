"""
A campaign of damage: each file of a small store, each kind of harm, and `verify` finds every single one.

The list of exceptions is empty.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

import pytest

from sfnb.store.tables import OrgStore
from sfnb.store.verify import Expected, Finding, verify
from tests.store_samples import a_snapshot, a_store, a_writer, rows

T = TypeVar("T")

IS_FULL = os.environ.get("SFNB_CAMPAIGN") == "full"
FLIPS = 200 if IS_FULL else 3
EXCHANGES = 1_000_000 if IS_FULL else 2
"""With so many others each file is exchanged."""


def some(chance: random.Random, all_of_them: list[T], most: int) -> list[T]:
    return chance.sample(all_of_them, min(most, len(all_of_them)))


def a_small_store(root: Path) -> OrgStore:
    """Two sealed snapshots of two objects, one restarted, one without rows; and an object that nothing was read of."""
    store = a_store(root)
    a_snapshot(store, "Account", "Contact", number=1)
    writer = a_writer(store, "Account", "Contact", "Lead", number=2)
    writer.commit("Account", writer.write_parts("Account", [rows(0, 4)]), {"k": 0}, is_done=False)
    writer.restart("Account")
    for k in range(2):
        parts = writer.write_parts("Account", [rows(10 * k, 7)])
        writer.commit("Account", parts, {"k": k}, is_done=k == 1)
    writer.commit("Contact", [], {}, is_done=True)
    writer.seal("partial", {"Lead": "no permission"})
    return store


def the_state(store: OrgStore) -> list[Expected]:
    """What the state database would know of these snapshots: their jobs have ended."""
    found = []
    for snapshot in store.snapshots.values():
        objects = snapshot.manifest.objects
        complete = {n: e.rows for n, e in objects.items() if e.state == "complete"}
        found.append(Expected(snapshot.id, is_sealed=True, complete=complete))
    return found


@cache
def sample(folder: Path) -> tuple[Path, tuple[Expected, ...]]:
    store = a_small_store(folder / "store")
    state = tuple(the_state(store))
    assert not [f for f in verify(store, state) if f.is_damage]
    return folder / "store", state


class Harmed:
    """A copy of the small store, to be harmed and healed again and again."""

    def __init__(self, original: Path, root: Path, state: tuple[Expected, ...]) -> None:
        shutil.copytree(original, root)
        self._original = original
        self.root = root
        self.store = a_store(root)
        self.state = state

    @cached_property
    def files(self) -> list[Path]:
        """Those of the whole store that count; asked for before any harm."""
        orphans = {f.path for f in verify(self.store, self.state) if f.kind == "orphan"}
        org = Path(self.store.root)
        found = sorted(p for p in org.rglob("*") if p.is_file())
        return [p for p in found if p.relative_to(org).as_posix() not in orphans]

    def found(self) -> list[Finding]:
        return [f for f in verify(self.store, self.state) if f.is_damage]

    def heal(self, *places: Path) -> None:
        """Put files or folders back as they were."""
        for path in places:
            whole = self._original / path.relative_to(self.root)
            if whole.is_dir():
                shutil.rmtree(path, ignore_errors=True)
                shutil.copytree(whole, path)
            else:
                shutil.copy2(whole, path)

    def unseen(self, path: Path, harm: Callable[[], None], what: str) -> list[str]:
        """Do harm to a file or folder and heal it; what was done if `verify` did not find it."""
        harm()
        found = self.found()
        self.heal(path)
        return [] if found else [what]


@pytest.fixture
def harmed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Harmed:
    original, state = sample(tmp_path_factory.getbasetemp() / "sample-of-damage")
    return Harmed(original, tmp_path / "store", state)


def flipped(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def test_every_file_deleted_or_cut_is_found(harmed: Harmed) -> None:
    """
    Each file removed, emptied, cut in half and by one byte. A missing summary is no loss: a kill may
    leave none, and the manifest says the same.
    """
    unseen = []
    for path in harmed.files:
        size = path.stat().st_size
        if path.name != "summary.json":
            unseen += harmed.unseen(path, path.unlink, f"{path.name} deleted")
        for to in (0, size // 2, size - 1):
            unseen += harmed.unseen(
                path, lambda p=path, to=to: cut(p, to), f"{path.name} cut to {to}"
            )  # type: ignore[misc]
    assert unseen == []


def test_every_flipped_bit_is_found(harmed: Harmed) -> None:
    """Bits flipped anywhere in any file, also where the JSON says the same afterwards."""
    chance = random.Random(20261127)  # noqa: S311 (a test's dice)
    unseen = []
    for path in harmed.files:
        before = path.read_bytes()
        for bit in chance.sample(range(8 * len(before)), FLIPS):
            flipped(path, bit)
            if not harmed.found():
                unseen.append(f"{path.name} bit {bit}")
            path.write_bytes(before)
    assert unseen == []


def test_every_exchange_is_found(harmed: Harmed) -> None:
    """Each file replaced by others of its kind: another snapshot's, another object's, another commit's."""
    chance = random.Random(20261128)  # noqa: S311 (a test's dice)
    contents = {path: path.read_bytes() for path in harmed.files}
    unseen = []
    for path, content in contents.items():
        others = [o for o in contents if o.suffix == path.suffix and contents[o] != content]
        for other in some(chance, others, EXCHANGES):
            harm = lambda p=path, o=other: p.write_bytes(o.read_bytes())  # noqa: E731
            unseen += harmed.unseen(path, harm, f"{path.name} replaced by {other}")  # type: ignore[arg-type]
    assert unseen == []


def test_every_swap_of_two_commits_is_found(harmed: Harmed) -> None:
    """Two commits of one log that have changed places."""
    unseen = []
    for log in sorted(Path(harmed.store.root).glob("records/*/_delta_log")):
        commits = sorted(log.glob("*.json"))
        for first in commits:
            for second in commits:
                if first < second:
                    one, two = first.read_bytes(), second.read_bytes()
                    first.write_bytes(two)
                    second.write_bytes(one)
                    if not harmed.found():
                        unseen.append(f"{first.name} and {second.name} of {log}")
                    harmed.heal(first, second)
    assert unseen == []


def test_every_action_of_a_commit_counts(harmed: Harmed) -> None:
    """Each line of each commit doubled, dropped, or put into other commits of its table."""
    chance = random.Random(20261129)  # noqa: S311 (a test's dice)
    unseen = []
    for log in sorted(Path(harmed.store.root).glob("records/*/_delta_log")):
        commits = {path: path.read_text().splitlines() for path in sorted(log.glob("*.json"))}
        lines = [line for text in commits.values() for line in text]
        for path, text in commits.items():
            dropped = [text[:k] + text[k + 1 :] for k in range(len(text))]
            doubled = [[*text, line] for line in text]
            added = [[*text, line] for line in lines if line not in text]
            for changed in dropped + doubled + some(chance, added, EXCHANGES):
                path.write_text("\n".join(changed))
                if not harmed.found():
                    unseen.append(f"{path}: {changed[-1][:60]}")
            path.write_text("\n".join(text))
            added_remove = remove_of(lines)
            path.write_text("\n".join([*text, added_remove]))
            if not harmed.found():
                unseen.append(f"{path}: a remove slipped in")
            harmed.heal(path)
    assert unseen == []


def remove_of(lines: list[str]) -> str:
    """The action that removes the first part of a log."""
    add = next(
        (a for line in lines if (a := json.loads(line).get("add"))), {"path": "x", "size": 1}
    )
    fields = {"path": add["path"], "dataChange": True, "deletionTimestamp": 1, "size": add["size"]}
    return json.dumps({"remove": fields})


def test_every_folder_that_is_gone_is_found(harmed: Harmed) -> None:
    """A snapshot, a table, a log, all tables, all snapshots, the whole org, the whole store."""
    unseen = []
    for folder in [harmed.root, *sorted(p for p in harmed.root.rglob("*") if p.is_dir())]:
        if any(folder.rglob("*.*")) and not is_orphaned(harmed, folder):
            harm = lambda f=folder: shutil.rmtree(f)  # noqa: E731
            unseen += harmed.unseen(folder, harm, f"{folder} deleted")  # type: ignore[arg-type]
    assert unseen == []


def is_orphaned(harmed: Harmed, folder: Path) -> bool:
    return not any(p.is_relative_to(folder) for p in harmed.files)


def test_the_newest_commits_of_a_paused_job_are_missed(tmp_path: Path) -> None:
    """Before the seal the state database knows how far an object had come; a log that is behind it was cut off."""
    store = a_store(tmp_path)
    writer = a_writer(store, "Account", "Contact")
    for k in range(3):
        parts = writer.write_parts("Account", [rows(10 * k, 10)])
        writer.commit("Account", parts, {"k": k}, is_done=False)
    writer.commit("Contact", writer.write_parts("Contact", [rows(0, 5)]), {}, is_done=True)
    state = [Expected(writer.snapshot, False, {"Contact": 5}, {"Account": 30})]
    assert [f.kind for f in verify(store, state)] == ["note"]
    for name in ("Account", "Contact"):
        log = sorted(Path(store.root, "records", name, "_delta_log").glob("*.json"))[-1]
        content = log.read_bytes()
        log.unlink()
        found = verify(store, state)
        assert [(f.object_name, f.kind) for f in found if f.is_damage][-1] == (name, "missing")
        log.write_bytes(content)
