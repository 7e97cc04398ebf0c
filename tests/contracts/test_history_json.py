"""The words that other programs rely on: backups after the first, by the command line alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine
from tests.conftest import RunningOrg

JOB = {"job_id", "kind", "org", "state", "snapshot", "started_at", "ended_at", "calls", "rows"}
OF_OBJECT = {"state", "rows", "calls", "mode", "added", "changed", "deleted"} | {
    "org_count",
    "our_count",
    "ids_match",
}


class Stranger:
    """Drives sfnb and the org from outside."""

    def __init__(self, org: RunningOrg, home: Path) -> None:
        self.org = org
        self.run = CommandLine.with_org(home, org)

    def backup(self, *options: str, code: int = 0) -> dict[str, Any]:
        ran = self.run("backup", "x", "--json", *options)
        assert ran.code == code, ran.err
        return dict(ran.json)

    def json(self, *words: object, code: int = 0) -> Any:
        ran = self.run(*words, "--json")
        assert ran.code == code, ran.err
        return ran.json

    def rows(self, do: str, name: str, **more: Any) -> dict[str, Any]:
        done = self.org.control("rows", {"do": do, "object": name, **more})["done"][0]
        return dict(done)

    def schema(self, do: str, name: str, **more: Any) -> None:
        self.org.control("schema", {"do": do, "object": name, **more})

    def later(self, minutes: float = 30) -> None:
        self.org.control("clock", {"advance_minutes": minutes})


@pytest.fixture
def stranger(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Stranger:
    return Stranger(fresh_org(own_data=True), tmp_path / "home")


def test_a_backups_json_has_the_keys_of_the_contract(stranger: Stranger) -> None:
    """Of the job and of each object, in the first and in the second backup."""
    names = "Account,Contact,Attachment"
    first = stranger.backup("--objects", names, "--metadata")
    assert JOB | {"objects", "pauses", "schema", "files", "warnings", "metadata"} <= set(first)
    for entry in first["objects"].values():
        assert set(entry) >= OF_OBJECT and entry["mode"] == "full"
        assert entry["org_count"] == entry["our_count"]
    assert {"known", "fetched", "bytes", "missing"} <= set(first["files"])
    assert first["files"]["fetched"] > 0 and first["files"]["missing"] == 0
    assert first["metadata"]["components"] > 0 and first["metadata"]["calls"] > 0
    assert first["schema"] == []
    stranger.later()
    stranger.rows("insert", "Account", rows=2)
    stranger.rows("change", "Account", rows=3, field="Description")
    stranger.rows("delete", "Attachment", rows=1)
    stranger.rows("hard_delete", "Attachment", rows=1)
    stranger.later()
    second = stranger.backup("--objects", names)
    account, attachment = second["objects"]["Account"], second["objects"]["Attachment"]
    assert (account["mode"], account["added"], account["changed"]) == ("incremental", 2, 3)
    assert attachment["deleted"] == 2, "soft and hard together"
    assert account["ids_match"] is None, "they were not compared"
    swept = stranger.backup("--objects", names, "--sweep")
    assert all(entry["ids_match"] is True for entry in swept["objects"].values())
    full = stranger.backup("--objects", names, "--full", "--no-files")
    assert {entry["mode"] for entry in full["objects"].values()} == {"full"}


def test_each_change_of_the_schema_has_its_word(stranger: Stranger) -> None:
    """Field and object: added, removed, hidden, retyped, renamed; a picklist changed."""
    fast = ("--no-files", "--no-metadata")
    for name in ("Gone__c", "Named__c", "Secret__c"):
        stranger.schema("add_object", name, fields=[{"field": "Text__c", "type": "string"}], rows=2)
    for field, kind in (("Old__c", "string"), ("Wide__c", "string"), ("Hidden__c", "string")):
        stranger.schema("add_field", "Contact", field=field, type=kind, value="1")
    stranger.backup(*fast)
    stranger.later()
    stranger.schema("add_field", "Account", field="New__c", type="double", value=1.5)
    stranger.schema("remove_field", "Contact", field="Old__c")
    stranger.schema("retype_field", "Contact", field="Wide__c", type="double")
    stranger.schema("picklist", "Task", field="Priority", add=["Someday"])
    stranger.schema("add_object", "Fresh__c", fields=[{"field": "Text__c", "type": "string"}])
    stranger.schema("remove_object", "Gone__c")
    stranger.schema("rename_object", "Named__c", to="Renamed__c")
    stranger.org.control("access", {"hide": "Contact.Hidden__c"})
    stranger.org.control("access", {"hide": "Secret__c"})
    stranger.later()
    second = stranger.backup(*fast)
    found = {(c["object"], c["field"], c["change"]) for c in second["schema"]}
    assert all(set(c) == {"object", "field", "change", "old", "new"} for c in second["schema"])
    for kind, wanted in {
        "field_added": ("Account", "New__c"),
        "field_retyped": ("Contact", "Wide__c"),
        "picklist_changed": ("Task", "Priority"),
        "object_added": ("Fresh__c", ""),
    }.items():
        assert (*wanted, kind) in found, (kind, found)
    for name, field in (("Contact", "Old__c"), ("Contact", "Hidden__c")):
        assert {(name, field, "field_removed"), (name, field, "field_hidden")} & found
    for name in ("Gone__c", "Secret__c"):
        assert {(name, "", "object_removed"), (name, "", "object_hidden")} & found
    renamed = [c for c in second["schema"] if c["change"] == "object_renamed"]
    assert [(c["old"], c["new"]) for c in renamed] == [("Named__c", "Renamed__c")]
    codes = {(w["code"], w["object"]) for w in second["warnings"]}
    assert {("field_hidden", "Contact"), ("object_hidden", "Secret__c")} <= codes
    assert all({"code", "object", "message"} <= set(w) for w in second["warnings"])


def test_what_a_person_should_see_is_a_warning(stranger: Stranger) -> None:
    """A mass change, and rows that this user may not see."""
    stranger.backup("--objects", "Contact,Lead", "--no-files")
    stranger.later()
    stranger.rows("change", "Contact", rows=100_000, field="Description")
    stranger.later()
    second = stranger.backup("--objects", "Contact,Lead", "--no-files")
    assert ("mass_change", "Contact") in {(w["code"], w["object"]) for w in second["warnings"]}
    stranger.org.control("access", {"permission": "ViewAllData", "has": False})
    third = stranger.backup("--objects", "Lead", "--no-files", "--sweep", code=3)
    assert "partial_visibility" in {w["code"] for w in third["warnings"]}
    assert third["objects"]["Lead"].get("deleted", 0) == 0


def test_a_records_history_and_a_diff(stranger: Stranger, tmp_path: Path) -> None:
    """Each life of a record, oldest first; and the changes between two snapshots, as CSV."""
    fast = ("--objects", "Account,Lead", "--no-files")
    first = stranger.backup(*fast)["snapshot"]
    changed, deleted, gone, back = (
        stranger.rows("change", "Lead", rows=1, field="Title")["ids"][0] for _ in range(4)
    )
    assert len({changed, deleted, gone, back}) == 4
    stranger.later()
    stranger.rows("delete", "Lead", ids=[deleted])
    stranger.rows("delete", "Lead", ids=[back])
    stranger.rows("hard_delete", "Lead", ids=[gone])
    merged = stranger.rows("merge", "Account", rows=1)
    stranger.later()
    second = stranger.backup(*fast)["snapshot"]
    stranger.rows("undelete", "Lead", ids=[back])
    stranger.later()
    third = stranger.backup(*fast)["snapshot"]

    def ops(name: str, one: str) -> list[str]:
        found = stranger.json("history", "x", name, one)
        assert all({"snapshot", "at", "op", "by", "fields"} <= set(entry) for entry in found)
        return [entry["op"] for entry in found]

    assert ops("Lead", changed) == ["upsert", "upsert"]
    assert ops("Lead", deleted) == ["upsert", "delete"]
    assert ops("Lead", gone) == ["upsert", "hard_delete"]
    assert ops("Lead", back) == ["upsert", "delete", "upsert"]
    history = stranger.json("history", "x", "Lead", changed)
    assert "LastName" in history[0]["fields"] and "Title" in history[1]["fields"]
    assert "LastName" not in history[1]["fields"]
    loser = stranger.json("history", "x", "Account", merged["ids"][0])
    assert loser[-1]["op"] == "delete" and loser[-1]["fields"]["MasterRecordId"]
    assert stranger.run("history", "x", "Lead", "00Q000000000000AAA", "--json").code == 2

    diff = stranger.json("diff", "x", first, second)
    assert set(diff) >= {"org", "old", "new", "objects"}
    lead = diff["objects"]["Lead"]
    assert set(lead) >= {"added", "changed", "deleted", "fields"}
    assert lead["deleted"] >= 3 and lead["fields"]["Title"] == 1
    target = tmp_path / "diff.csv"
    assert stranger.run("diff", "x", first, second, "--to", target).code == 0
    with target.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["object", "id", "change", "field", "old", "new"]
    mine = [line for line in lines if line["id"] == changed]
    assert [line["field"] for line in mine] == ["Title"], "no stamps unless they are asked for"
    lost = [line for line in lines if line["id"] == gone]
    assert [(line["field"], line["old"], line["new"]) for line in lost] == [("", "", "")]
    assert stranger.run("diff", "x", first, second, "--to", tmp_path / "d.html").code == 0
    again = stranger.json("diff", "x", third, third)
    assert all(not o["changed"] for o in again["objects"].values())


def test_files_and_metadata_are_written_out(stranger: Stranger, tmp_path: Path) -> None:
    """The list of bodies, one of them, and the metadata as the Metadata API lays it out."""
    stranger.backup("--objects", "Attachment,ContentVersion", "--metadata")
    files = stranger.json("files", "x")
    assert files and {"object", "id", "field", "name", "size", "sha256", "state"} <= set(files[0])
    assert {one["state"] for one in files} <= {"held", "missing"}
    held = next(one for one in files if one["state"] == "held" and one["size"])
    target = tmp_path / "body"
    assert stranger.run("files", "x", "--id", held["id"], "--to", target).code == 0
    assert target.stat().st_size == held["size"]
    assert (
        stranger.run("files", "x", "--id", "00P000000000000AAA", "--to", tmp_path / "no").code == 2
    )
    everything = stranger.json("files", "x", "--to", tmp_path / "all")
    sizes = [Path(one["path"]).stat().st_size for one in everything]
    assert sizes == [one["size"] for one in everything] and len(sizes) == len(files)
    assert stranger.run("files", "x", "--to", tmp_path / "all").code == 2
    folder = tmp_path / "metadata"
    wrote = stranger.json("metadata", "x", "--to", folder)
    assert wrote["components"] > 0
    there = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    assert len(there) == wrote["files"] and "package.xml" in there
    assert "objects/Account.object" in there and not any("unpackaged" in p for p in there)


def test_what_verify_finds_has_a_kind(stranger: Stranger) -> None:
    """Whole: exit 0. A part that is missing, changed or cut: exit 1, and which it was."""
    stranger.backup("--objects", "Account,Contact,Lead", "--no-files")
    store = stranger.run.home / "store"
    harmless = next(store.glob("*/records/Account/*")) / "left-by-a-kill.parquet"
    harmless.write_bytes(b"orphan")
    assert stranger.json("verify", "x") == [], "a list of damage"
    assert "left-by-a-kill" in stranger.run("verify", "x").out
    parts = {
        n: next(store.glob(f"*/records/{n}/*/*.parquet")) for n in ("Account", "Contact", "Lead")
    }
    parts["Account"].unlink()
    content = bytearray(parts["Contact"].read_bytes())
    content[100] ^= 1
    parts["Contact"].write_bytes(content)
    parts["Lead"].write_bytes(parts["Lead"].read_bytes()[:-10])
    ran = stranger.run("verify", "x", "--json")
    assert ran.code == 1
    found = json.loads(ran.out)
    assert all({"object", "kind", "message", "path", "rows"} <= set(f) for f in found)
    kinds = {f["object"]: f["kind"] for f in found if f["path"].endswith(".parquet")}
    assert kinds == {"Account": "missing", "Contact": "digest", "Lead": "damaged"}
    assert {f["kind"] for f in found} <= {"missing", "damaged", "count", "digest"}
    healed = stranger.backup("--objects", "Account,Contact,Lead", "--no-files")
    assert {entry["mode"] for entry in healed["objects"].values()} == {"full"}
