"""The commands that read the store: exit codes, JSON keys, one sentence for a mistake."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from sfnb.cli.context import App
from sfnb.cli.snapshots import COMMANDS, aligned
from sfnb.errors import CallerError
from sfnb.store.tables import OrgStore
from tests.store_samples import a_snapshot, a_store, a_writer, rows


class FakeApp(App):
    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def store(self, name: str, root: str | None = None) -> OrgStore:  # noqa: ARG002 (this store)
        return a_store(self._root)


@pytest.fixture
def store(tmp_path: Path) -> OrgStore:
    return a_store(tmp_path / "store")


def run(tmp_path: Path, *args: str) -> Result:
    group = click.Group(commands=COMMANDS)
    result = CliRunner().invoke(group, args, obj=FakeApp(tmp_path / "store"), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def code(result: Result) -> int:
    return result.return_value or 0


def test_snapshots_lists_what_there_is(tmp_path: Path, store: OrgStore) -> None:
    """Oldest first, as a table and as JSON; nothing yet is said with what to do."""
    assert "no snapshots yet. `sfnb backup demo`" in run(tmp_path, "snapshots", "demo").output
    assert json.loads(run(tmp_path, "snapshots", "demo", "--json").output) == []
    first = a_snapshot(store, "Account", "Contact", number=1)
    writer = a_writer(store, number=2)
    writer.commit("Account", [writer.write_part("Account", [rows(0, 5)])], None, is_done=False)
    told = json.loads(run(tmp_path, "snapshots", "demo", "--json").output)
    assert [(s["snapshot"], s["state"], s["rows"], s["objects_complete"]) for s in told] == [
        (first, "complete", 36, 2),
        (writer.snapshot, "partial", 5, 0),
    ]
    lines = run(tmp_path, "snapshots", "demo").output.splitlines()
    assert lines[0].split() == ["SNAPSHOT", "STATE", "OBJECTS", "LIVE", "MB", "JOB"]
    assert "partial, not sealed" in lines[2]


def test_show_prints_the_manifest(tmp_path: Path, store: OrgStore) -> None:
    """States, rows and reasons per object; the JSON is the manifest."""
    writer = a_writer(store, "Account", "Contact")
    writer.commit(
        "Account", [writer.write_part("Account", [rows(0, 5, deleted=[1])])], None, is_done=True
    )
    writer.seal("complete", {"Contact": "no permission"}, {"Vote": "wants a filter"})
    text = run(tmp_path, "show", "demo", "latest").output
    assert "partial, sealed 2026-11-02" in text
    assert "1 of 2 objects complete, 5 records, 1 in the recycle bin" in text
    assert "no permission" in text
    assert "wants a filter" in text
    assert "Bodies of files are not in this snapshot." in text
    told = json.loads(run(tmp_path, "show", "demo", writer.snapshot[:10], "--json").output)
    assert {
        "snapshot",
        "org",
        "org_id",
        "state",
        "created_at",
        "sealed_at",
        "objects",
        "left_out",
        "notes",
    } <= set(told)
    assert set(told["objects"]["Account"]) >= {
        "state",
        "rows",
        "deleted",
        "parts",
        "bytes",
        "watermark",
        "digest",
    }
    with pytest.raises(CallerError, match=writer.snapshot):
        run(tmp_path, "show", "demo", "nope")


def test_export_writes_a_file(tmp_path: Path, store: OrgStore) -> None:
    """The newest snapshot by default, another by --as-of; an existing file only with --force."""
    first = a_snapshot(store, number=1, parts=1)
    a_snapshot(store, number=2, parts=2)
    target = tmp_path / "a.csv"
    assert (
        "18 records of Account"
        in run(tmp_path, "export", "demo", "Account", "--to", str(target)).output
    )
    with pytest.raises(CallerError, match="--force"):
        run(tmp_path, "export", "demo", "Account", "--to", str(target))
    result = run(
        tmp_path, "export", "demo", "Account", "--as-of", first, "--to", str(target), "--force"
    )
    assert f"9 records of Account as of {first}" in result.output
    assert len(target.read_text(encoding="utf-8").splitlines()) == 10
    with pytest.raises(CallerError, match="has no object Nope"):
        run(tmp_path, "export", "demo", "Nope", "--to", str(tmp_path / "b.csv"))


def test_export_of_a_partial_object_says_so(tmp_path: Path, store: OrgStore) -> None:
    """P3: what is there is exported, and that it is not all is said."""
    writer = a_writer(store)
    writer.commit("Account", [writer.write_part("Account", [rows(0, 5)])], None, is_done=False)
    result = run(tmp_path, "export", "demo", "Account", "--to", str(tmp_path / "a.parquet"))
    assert "5 records" in result.output
    assert "is not complete in this snapshot" in result.stderr


def test_verify_exits_1_on_damage(tmp_path: Path, store: OrgStore) -> None:
    """A good store is 0, with orphans or without; any damage is 1, named in text and JSON."""
    a_snapshot(store)
    good = run(tmp_path, "verify", "demo")
    assert (code(good), good.output) == (
        0,
        "Verified 1 snapshot of demo: no damage, no orphaned files.\n",
    )
    part = next(Path(store.root).rglob("*.parquet"))
    part.with_name("stray.parquet").write_bytes(b"x")
    assert code(run(tmp_path, "verify", "demo")) == 0
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert code(run(tmp_path, "verify", "demo", "--quick")) == 0, "the size is the same"
    bad = run(tmp_path, "verify", "demo")
    assert code(bad) == 1
    assert part.name in bad.output
    told = run(tmp_path, "verify", "demo", "--json")
    assert code(told) == 1
    assert {f["kind"] for f in json.loads(told.output)} == {"digest"}, "orphans harm nothing"


def test_one_damaged_snapshot_does_not_hide_the_others(tmp_path: Path, store: OrgStore) -> None:
    """`snapshots` lists what can be read, names what cannot, and exits 1."""
    first, second = a_snapshot(store, number=1), a_snapshot(store, number=2)
    for file in ("summary.json", "manifest.json"):
        Path(store.root, "snapshots", first, file).write_text("{")
    result = run(tmp_path, "snapshots", "demo")
    assert code(result) == 1
    assert second in result.output
    assert "is damaged" in result.stderr


def test_tables_are_aligned() -> None:
    """Numbers to the right, text to the left, no blanks at the end of a line."""
    assert (
        aligned(("A", "ROWS"), [("x", 5), ("longer", "1,000")], right=(1,))
        == "A        ROWS\nx           5\nlonger  1,000"
    )
