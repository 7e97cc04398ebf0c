"""Damage is found, named, and never a crash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfnb.errors import SfnbError
from sfnb.store.damage import note_damage, read_damage
from sfnb.store.encoding import decode, encode
from sfnb.store.pruned import PATH as PRUNED
from sfnb.store.tables import OrgStore
from sfnb.store.verify import Finding, verify
from tests.store_samples import a_snapshot, a_store, a_writer, record_id, rows


def damage(store: OrgStore) -> list[Finding]:
    return [finding for finding in verify(store) if finding.is_damage]


def file_of(store: OrgStore, pattern: str) -> Path:
    return sorted(Path(store.root).glob(pattern))[0]


def flip(path: Path, place: int | None = None, bit: int = 0) -> None:
    """Flip one bit; without a place, one in what sfnb has written there."""
    content = bytearray(path.read_bytes())
    if place is None:
        place = content.find(b"sha256") + 12 if path.parent.name == "_delta_log" else 99
    content[place] ^= 1 << bit
    path.write_bytes(content)


def test_a_good_store_has_nothing_to_say(tmp_path: Path) -> None:
    """Sealed snapshots, several in a table, a restart: no damage, and orphans only after the restart."""
    store = a_store(tmp_path)
    assert verify(store) == []
    a_snapshot(store, "Account", "Contact", number=1)
    a_snapshot(store, "Account", number=2, parts=3)
    assert verify(store) == []
    writer = a_writer(store, number=3)
    writer.commit("Account", [writer.write_part("Account", [rows(0, 5)])], None, is_done=False)
    writer.restart("Account")
    assert [(f.kind, f.snapshot) for f in verify(store)] == [
        ("orphan", ""),
        ("note", writer.snapshot),
    ]


def test_an_interrupt_leaves_orphans_and_no_damage(tmp_path: Path) -> None:
    """P2: a part without its commit and a half-written file are orphans; they disturb neither reading nor resuming."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    lost = writer.write_part("Account", [rows(0, 10)])
    table = Path(store.root, "records", "Account")
    (table / lost.path).with_name(".tmp-abc-Account.parquet").write_bytes(b"PAR1half")
    (Path(store.root, "snapshots", writer.snapshot) / ".tmp-abc-manifest.json").write_bytes(b"{")
    (Path(store.root, "snapshots") / "20261102T100000Z-abcdef").mkdir()
    killed = Path(store.root, "snapshots") / "20261102T100001Z-abcdef"
    killed.mkdir()
    (killed / ".tmp-abc-plan.json").write_bytes(b"{")
    schemas = Path(store.root, "snapshots", writer.snapshot, "schema")
    (schemas / ".tmp-abc-Contact.json").write_bytes((schemas / "Account.json").read_bytes())
    assert damage(store) == []
    again = store.reopen(writer.snapshot)
    part = again.write_part("Account", [rows(0, 10)])
    assert part.path != lost.path
    again.commit("Account", [part], None, is_done=True)
    again.seal()
    assert len(store.snapshots["latest"].frame("Account")) == 10
    found = verify(store)
    assert sorted(Path(f.path).name for f in found if f.kind == "orphan") == sorted(
        [
            Path(lost.path).name,
            ".tmp-abc-Account.parquet",
            ".tmp-abc-Contact.json",
            ".tmp-abc-manifest.json",
            ".tmp-abc-plan.json",
        ]
    )
    assert not [f for f in found if f.is_damage]


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def garble(path: Path) -> None:
    path.write_bytes(b"\x00\xff" * 40)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [remove, cut, garble, empty, flip])
@pytest.mark.parametrize(
    "pattern",
    [
        "records/Account/*/*.parquet",
        "records/Account/_delta_log/*0.json",
        "records/Account/_delta_log/*1.json",
        "snapshots/*/plan.json",
        "snapshots/*/manifest.json",
        "snapshots/*/schema/Account.json",
    ],
)
def test_damage_is_named(tmp_path: Path, pattern: str, harm: Callable[[Path], None]) -> None:
    """Every kind of file, missing, cut, overwritten, emptied or flipped, is damage that is named."""
    if (harm, pattern) == (remove, "snapshots/*/manifest.json"):
        pytest.skip("a snapshot without a manifest is not sealed, which is no damage")
    store = a_store(tmp_path)
    a_snapshot(store, "Account", "Contact")
    harm(file_of(store, pattern))
    found = damage(store)
    assert found
    assert all(f.message for f in found)
    assert any("Account" in (f.object_name, *f.path.split("/")) or f.snapshot for f in found)
    assert not any(f.object_name == "Contact" for f in found)


def test_the_last_commit_cannot_go_unseen(tmp_path: Path) -> None:
    """A log that lost its newest commit is still a log; the manifest knows better."""
    store = a_store(tmp_path)
    a_snapshot(store)
    sorted(Path(store.root).glob("records/Account/_delta_log/*.json"))[-1].unlink()
    assert any("the manifest has 18 rows of Account" in f.message for f in damage(store))


def test_a_damaged_checkpoint_is_found(tmp_path: Path) -> None:
    """Delta reads checkpoints first: one that is broken makes the table unreadable to others, and is damage."""
    store = a_store(tmp_path)
    writer = a_writer(store)
    for k in range(102):
        writer.commit(
            "Account",
            [writer.write_part("Account", [rows(k, 1)])] if k < 2 else [],
            {"k": k},
            is_done=k == 101,
        )
    writer.seal()
    assert verify(store) == []
    garble(file_of(store, "records/Account/_delta_log/*.checkpoint.parquet"))
    assert damage(store)
    assert len(store.snapshots["latest"].frame("Account")) == 2


def test_a_table_that_lost_a_field_is_found(tmp_path: Path) -> None:
    """A field renamed in Delta's own schema would be null to every other tool: damage."""
    store = a_store(tmp_path)
    a_snapshot(store)
    log = file_of(store, "records/Account/_delta_log/*0.json")
    lines = log.read_bytes().splitlines()
    log.write_bytes(
        b"\n".join(
            line.replace(b"Employees", b"Emplozees") if b"metaData" in line else line
            for line in lines
        )
    )
    assert any("Employees" in f.message for f in damage(store))


def test_rows_without_their_snapshot_are_damage(tmp_path: Path) -> None:
    """A snapshot's folder that is gone leaves rows that nobody can explain."""
    store = a_store(tmp_path)
    snapshot = a_snapshot(store)
    shutil.rmtree(Path(store.root, "snapshots", snapshot))
    assert [(f.snapshot, f.object_name) for f in damage(store)] == [(snapshot, "Account")]


def test_a_list_of_pruned_snapshots_that_makes_no_sense_is_damage(tmp_path: Path) -> None:
    """Nothing is taken for pruned then, and the rest is looked at all the same."""
    store = a_store(tmp_path)
    a_snapshot(store, "Account", number=1)
    path = Path(store.root, PRUNED)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    assert [(found.kind, found.path) for found in damage(store)] == [("damaged", PRUNED)]


@cache
def a_sample(folder: Path) -> tuple[Path, dict[str, pa.Table]]:
    """A store to copy and hurt, and what it holds."""
    store = a_store(folder)
    one = a_snapshot(store, "Account", "Contact", number=1)
    two = a_snapshot(store, "Account", number=2)
    held = {
        f"{s}/{n}": store.snapshots[s].table(n)
        for s, n in ((one, "Account"), (one, "Contact"), (two, "Account"))
    }
    return folder, held


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_harm_goes_unseen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """
    Whatever single file is cut, removed, or has a bit flipped: nothing raises but our own errors, a harmed part is
    always found, and other harm is found or makes no difference to any row.
    """
    sample, held = a_sample(tmp_path_factory.getbasetemp() / "sample-of-verify")
    root = tmp_path_factory.mktemp("harmed", numbered=True) / "store"
    shutil.copytree(sample, root)
    store = a_store(root)
    paths = sorted(p for p in root.rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(paths), label="file")
    size_bytes = path.stat().st_size
    what = data.draw(st.sampled_from(["flip", "cut", "remove"]), label="harm")
    if what == "flip":
        flip(path, data.draw(st.integers(0, size_bytes - 1)), data.draw(st.integers(0, 7)))
    elif what == "cut":
        path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, size_bytes - 1))])
    else:
        path.unlink()
    found = damage(store)
    if path.suffix == ".parquet":
        assert found
        shutil.rmtree(root)
        return
    for key, table in held.items():
        snapshot, name = key.split("/")
        try:
            is_same = (
                store.snapshots[snapshot].table(name).sort_by("Id").equals(table.sort_by("Id"))
            )
        except SfnbError:
            is_same = False
        assert is_same or found
    shutil.rmtree(root)


@pytest.mark.parametrize("what", ["rows", "digest"])
def test_a_state_that_its_versions_do_not_make_is_found(tmp_path: Path, what: str) -> None:
    """A reading that counted wrongly is found by counting again, though each file is as it was written."""
    store = a_store(tmp_path)
    a_snapshot(store, "Account", number=1)
    writer = a_writer(store, number=2)
    parts = writer.write_parts("Account", [rows(0, 3, name="Another"), rows(40, 5)])
    settled = writer.settle("Account", parts, {}, mode="changes", gone=[record_id(7)])
    assert (settled.progress.rows, damage(store)) == (23, [])
    commit = sorted(Path(store.root).glob("records/Account/_delta_log/*.json"))[-1]
    lines = [json.loads(line) for line in commit.read_text().splitlines()]
    (info,) = (line["commitInfo"] for line in lines if "commitInfo" in line)
    entry = decode(info["sfnb"], "the commit")
    if what == "rows":
        entry["held"]["rows"] += 1
    else:
        entry["proof"]["digest"] = "0" * 32
    info["sfnb"] = encode(entry).decode()
    commit.write_text("\n".join(json.dumps(line) for line in lines))
    (found,) = damage(store)
    assert (found.kind, found.object_name, found.snapshot) == ("count", "Account", writer.snapshot)


def test_a_quick_check_reads_no_part(tmp_path: Path) -> None:
    """Logs and sizes: what is gone or cut off is found, a bit that has changed is a whole check's affair."""
    store = a_store(tmp_path)
    a_snapshot(store, "Account", number=1, parts=3)
    assert verify(store, quick=True) == []
    gone, short, changed = sorted(Path(store.root).glob("records/Account/**/*.parquet"))
    flip(changed)
    assert verify(store, quick=True) == []
    assert [found.kind for found in damage(store)] == ["digest"]
    gone.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    found = [finding for finding in verify(store, quick=True) if finding.is_damage]
    assert sorted((f.kind, Path(f.path).name) for f in found) == sorted(
        [("missing", gone.name), ("damaged", short.name)]
    )
    flip(file_of(store, "records/Account/_delta_log/*.json"))
    assert len([one for one in verify(store, quick=True) if one.is_damage]) > 2


def test_a_quick_check_takes_no_finding_back(tmp_path: Path) -> None:
    """What a whole check has noted for the next backup stays noted."""
    store = a_store(tmp_path)
    a_snapshot(store, "Account", number=1)
    flip(file_of(store, "records/Account/**/*.parquet"))
    note_damage(store.files, verify(store))
    noted = read_damage(store.files)
    assert noted.objects
    note_damage(store.files, verify(store, quick=True), is_whole=False)
    assert read_damage(store.files) == noted
