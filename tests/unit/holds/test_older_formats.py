"""Holds on what an older sfnb has stored: nothing of it goes before it is upgraded, and none after."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

from sfnb.store.manifest import put_manifest
from sfnb.store.paths import plan_path
from sfnb.store.tables import open_store
from tests.command_line import CommandLine

FIXTURES = Path(__file__).parents[2] / "fixtures"
SEALED, PAUSED = "20261127T105819Z-940e48", "20261127T105827Z-2e6d47"


def test_a_hold_on_older_rows_holds_before_and_after_the_upgrade(tmp_path: Path) -> None:
    """
    Prune and erase refuse a store with rows of an older format, in words that say what to do; once it
    is upgraded they obey the holds that were added before.
    """
    home = tmp_path / "home"
    with zipfile.ZipFile(FIXTURES / "format2.zip") as archive:
        archive.extractall(home)
    shutil.rmtree(next((home / "store").glob(f"*/snapshots/{PAUSED}")))
    sfnb = CommandLine(home)
    (org,) = (home / "store").iterdir()
    store = open_store(home / "store").org(org.name)
    snapshot = store.snapshots[SEALED]
    ids = sorted(snapshot.table("Account").column("Id").to_pylist())
    (tmp_path / "held").write_text(ids[0])
    (tmp_path / "other").write_text(ids[1])
    hold = ("hold", "add", "demo", "--object", "Account", "--reason", "r", "--json")
    by_id = sfnb(*hold, "--ids", tmp_path / "held")
    assert by_id.code == 0 and by_id.err == "", "it is stored, and nothing says otherwise"
    assert sfnb(*hold, "--all-records").json["records"] >= len(ids)
    condition = sfnb(*hold, "--where", "Id != null")
    assert condition.code == 2 and "sfnb store upgrade" in condition.err
    # Something newer, so that the policy would let the snapshot go.
    newer = "20261128T000000Z-aaaaaa"
    put_manifest(store.files, replace(snapshot.manifest, snapshot=newer))
    store.files.put_json(plan_path(newer), replace(snapshot.plan, snapshot=newer).as_json())
    before = {path: path.read_bytes() for path in org.rglob("*") if path.is_file()}
    erase = ("erase", "demo", "--object", "account", "--ids")
    for refused in (
        ("prune", "demo", "--keep-last", 1, "--yes"),
        ("prune", "demo", "--keep-last", 1, "--dry-run"),
        (*erase, tmp_path / "other", "--confirm", "demo"),
        (*erase, tmp_path / "held", "--dry-run"),
    ):
        ran = sfnb(*refused)
        assert ran.code == 2 and "sfnb store upgrade" in ran.err, (refused, ran)
    assert {path: path.read_bytes() for path in org.rglob("*") if path.is_file()} == before
    store.files.delete_folder(f"snapshots/{newer}")
    assert sfnb("store", "upgrade", "demo").code == 0
    held = sfnb(*erase, tmp_path / "held", "--dry-run", "--json")
    assert held.code == 3 and held.json["refused"][0]["id"] == ids[0]
