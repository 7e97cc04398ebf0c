"""`sfnb restore` as other programs drive it: options, exit codes, JSON; bad input sends nothing."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.command_line import CommandLine, Ran
from tests.conftest import RunningOrg

FIVE = {"create", "update", "undelete", "skip", "refuse"}


@dataclass
class Place:
    org: RunningOrg
    sfnb: CommandLine
    folder: Path

    def restore(self, *arguments: object) -> Ran:
        return self.sfnb("restore", "x", "latest", "--json", *arguments)

    def delete(self, count: int, *, hard: bool = False) -> list[str]:
        do = "hard_delete" if hard else "delete"
        done = self.org.control("rows", {"do": do, "object": "Contact", "rows": count})
        return list(done["done"][0]["ids"])

    def file(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return path


@pytest.fixture
def place(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Place:
    """An org with a backup of its contacts."""
    org = fresh_org(own_data=True, has_oddities=False)
    sfnb = CommandLine.with_org(tmp_path / "home", org)
    made = sfnb("backup", "x", "--objects", "Account,Contact", "--no-files", "--json")
    assert made.code == 0, made.err
    return Place(org, sfnb, tmp_path)


def test_a_restore_says_what_it_did(place: Place) -> None:
    """The contract's keys, before and after; the dry run writes nothing and plans the same."""
    deleted = place.delete(4)
    place.delete(2, hard=True)
    mark = place.org.mark()
    dry = place.restore("--dry-run")
    assert dry.code == 0, dry.err
    assert {"plan", "objects", "refusals", "automation"} <= dry.json.keys()
    assert dry.json["plan"].keys() == dry.json["objects"]["Contact"].keys() == FIVE
    written = [
        call
        for call in place.org.ledger(after=mark, calls=True)["calls"]
        if call["method"] in ("PATCH", "PUT", "DELETE")
    ]
    assert written == [] and place.sfnb("jobs", "--json").json[-1]["kind"] == "backup"
    ran = place.restore()
    assert ran.code == 0, ran.err
    found = ran.json
    assert found["kind"] == "restore" and found["state"] == "completed"
    assert found["plan"] == dry.json["plan"]
    assert found["plan"]["undelete"] == 4 and found["plan"]["create"] == 2
    assert found["restored"]["undeleted"] == 4 and found["restored"]["created"] == 2
    assert found["restored"].keys() == {"created", "updated", "undeleted", "skipped", "refused"}
    assert found["rejects"] is None
    with Path(found["id_map"]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and rows[0].keys() == {"object", "old_id", "new_id"}
    assert not {row["old_id"] for row in rows} & set(deleted)
    assert place.sfnb("jobs", "--json").json[-1]["job_id"] == found["job_id"]
    assert place.sfnb("verify", "x").code == 0, "the job's folder is no damage"


def test_bad_input_sends_nothing(place: Place) -> None:
    """Exit code 2, one sentence, and not one call."""
    (one,) = place.delete(1)
    good = place.file("ids.txt", one, "", one[:15])
    bad = place.file("bad.txt", one, "no id")
    empty = place.file("empty.txt", "", "")
    rejects = place.file("rejects.csv", "a,b", "1,2")
    mark = place.org.mark()
    for arguments in (
        ("--ids", bad),
        ("--ids", empty),
        ("--ids", place.folder / "missing.txt"),
        ("--from-rejects", rejects),
        ("--from-rejects", place.folder / "missing.csv"),
        ("--only", "new"),
        ("--on-conflict", "merge"),
        ("--automation", "maybe"),
        ("--duplicates", "yes"),
        ("--with-children", "-1"),
        ("--to", "nowhere"),
        ("--rejects", place.folder / "no" / "folder.csv"),
    ):
        ran = place.restore(*arguments)
        assert ran.code == 2, arguments
        assert ran.json == {"error": ANY, "exit_code": 2}, arguments
    assert place.sfnb("restore", "x", "20200101T000000Z-000000", "--json").code == 2
    assert place.sfnb("restore", "nobody", "latest", "--json").code == 2
    assert place.org.mark() == mark
    titel = place.restore("--fields", "Titel", "--dry-run")
    assert titel.code == 2 and "Title" in titel.sentence
    # An Id that the org would refuse to look for does not keep it from looking for the others.
    mistyped = place.file("mistyped.txt", one[:14] + "ZZZZ")
    ran = place.restore("--ids", mistyped)
    assert ran.json["warnings"][0]["code"] == "not_in_snapshot", ran.out
    assert place.restore("--ids", good).json["restored"]["undeleted"] == 1


def test_a_snapshot_of_another_org_needs_to_be_meant(place: Place) -> None:
    """The org behind the name is another one now: exit code 2, nothing is sent to it."""
    snapshot = place.sfnb("snapshots", "x", "--json").json[-1]["snapshot"]
    stored = place.sfnb.home / "store" / place.org.org_id
    other = "00D7Q00000B0000UAA"
    stored.rename(stored.with_name(other))
    config = place.sfnb.home / "sfnb.toml"
    assert place.org.org_id in config.read_text(encoding="utf-8")
    mark = place.org.mark()
    ran = place.sfnb("restore", "x", snapshot, "--json")
    assert ran.code == 2 and ran.is_one_sentence(), ran.err
    assert "--to" in ran.err and other in ran.err
    ran = place.sfnb("restore", other, snapshot, "--json")
    assert ran.code == 2 and ran.is_one_sentence(), ran.err
    assert place.org.mark() == mark


def test_refused_rows_have_a_code_and_a_file(place: Place) -> None:
    """Exit code 3; when nothing could be done, 1, and the JSON is there all the same."""
    place.delete(6, hard=True)
    place.org.control("writes", {"free_rows": 2})
    path = place.folder / "refused.csv"
    ran = place.restore("--rejects", path)
    assert ran.code == 3 and ran.json["rejects"] == str(path)
    # A living contact that reported to a refused one is refused, too.
    assert ran.json["restored"]["created"] == 2 and ran.json["restored"]["refused"] >= 4
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ran.json["restored"]["refused"]
    codes = {row["sfnb_code"] for row in rows}
    assert (
        "STORAGE_LIMIT_EXCEEDED"
        in codes
        <= {
            "STORAGE_LIMIT_EXCEEDED",
            "INVALID_CROSS_REFERENCE_KEY",
        }
    )
    missing = [row for row in rows if row["sfnb_code"] == "INVALID_CROSS_REFERENCE_KEY"]
    assert all(row["sfnb_message"].startswith("parent_missing: ") for row in missing)
    refused = place.file("refused.txt", *(row["sfnb_id"] for row in rows))
    none = place.restore("--ids", refused)
    assert none.code == 1 and none.json["state"] == "failed"
    assert none.json["restored"]["created"] == 0 and none.json["restored"]["refused"] >= 4
    place.org.control("writes", {"free_rows": None})
    mended = place.restore("--from-rejects", path)
    assert mended.code == 0, mended.err
    assert mended.json["restored"]["created"] == 4


def test_a_conflict_under_fail_writes_nothing(place: Place) -> None:
    """`--on-conflict fail`: somebody's later change stops it all, exit code 1."""
    place.delete(2)
    place.org.control("rows", {"do": "change", "object": "Contact", "rows": 1})
    ran = place.restore("--on-conflict", "fail")
    assert ran.code == 1 and "nothing was written" in ran.err
    assert place.restore("--dry-run").json["plan"]["undelete"] == 2


def test_resume_all_goes_on_with_a_restore(place: Place) -> None:
    """Paused at the limit with `--on-pause exit` (75), gone on with by `sfnb resume --all`."""
    place.delete(80, hard=True)
    place.org.control("writes", {"most_rows": {"Contact": 1}})
    assert place.sfnb("limit", "x", "1").code == 0
    ran = place.restore("--on-pause", "exit")
    assert ran.code == 75 and ran.json["state"] == "paused", ran.err
    assert place.sfnb("limit", "x", "50").code == 0
    resumed = place.sfnb("resume", "--all", "--json")
    assert resumed.code == 0, resumed.err
    (found,) = resumed.json
    assert found["kind"] == "restore" and found["restored"]["created"] == 80


def test_records_of_an_object_that_is_gone_are_refused_one_by_one(place: Place) -> None:
    """What cannot be restored as a whole is in the counts, in the rejects file and in the exit code."""
    place.org.control("schema", {"do": "add_object", "object": "Thing__c", "rows": 2})
    made = place.sfnb("backup", "x", "--objects", "Thing__c", "--no-files", "--json")
    assert made.code == 0, made.err
    done = place.org.control("rows", {"do": "delete", "object": "Thing__c", "rows": 2})
    ids = list(done["done"][0]["ids"])
    place.org.control("schema", {"do": "remove_object", "object": "Thing__c"})
    ran = place.restore("--ids", place.file("ids.txt", *ids))
    assert ran.code == 1, ran.out
    assert ran.json["plan"]["refuse"] == ran.json["restored"]["refused"] == 2
    with Path(ran.json["rejects"]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(r["sfnb_id"], r["sfnb_code"]) for r in rows} == {(i, "INVALID_TYPE") for i in ids}
    assert all(row["sfnb_message"].startswith("object_gone: ") for row in rows)
