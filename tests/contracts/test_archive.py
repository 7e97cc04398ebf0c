"""`sfnb archive` as other programs drive it: P5, its JSON, and what comes back."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, Ran
from tests.conftest import RunningOrg

SMALL = {
    **{"Account": 20, "Contact": 20, "Case": 40, "CaseComment": 60, "EmailMessage": 15},
    **{"Task": 30, "Attachment": 20, "Note": 8, "CaseHistory": 20},
    **{"ContentDocument": 12, "ContentVersion": 14, "ContentDocumentLink": 24},
}
CLOSED = ("--object", "Case", "--where", "Status = 'Closed'")


@dataclass
class Place:
    org: RunningOrg
    sfnb: CommandLine
    folder: Path

    def archive(self, *arguments: object) -> Ran:
        return self.sfnb("archive", "x", *(arguments or CLOSED), "--json")

    def query(self, soql: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        path = "queryAll" if deleted else "query"
        found = self.org.get(f"/services/data/v66.0/{path}", params={"q": soql})
        assert found.ok, found.text
        return list(found.json()["records"])

    def exported(self, name: str, snapshot: str) -> dict[str, dict[str, str]]:
        path = self.folder / f"{name}.csv"
        ran = self.sfnb("export", "x", name, "--as-of", snapshot, "--to", path, "--force", "--json")
        assert ran.code == 0, ran.err
        with path.open(encoding="utf-8", newline="") as file:
            return {row["Id"]: row for row in csv.DictReader(file)}


@pytest.fixture
def place(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Place:
    org = fresh_org(own_data=True, has_oddities=False, objects=SMALL)
    return Place(org, CommandLine.with_org(tmp_path / "home", org), tmp_path)


def test_records_leave_with_their_children_and_come_back(place: Place) -> None:
    """P5: what is gone from the org is whole in the store, counted as the org did it, and returns."""
    was = {r["Id"]: r for r in place.query("SELECT Id, Subject FROM Case WHERE Status = 'Closed'")}
    comments = place.query("SELECT Id, ParentId, CommentBody FROM CaseComment")
    meant = {c["Id"]: c for c in comments if c["ParentId"] in was}
    assert was and meant
    refused = place.archive(*CLOSED)
    assert refused.code == 2 and refused.out == "" and place.sfnb("jobs", "--json").json == []
    dry = place.archive(*CLOSED, "--dry-run")
    assert dry.code == 0, dry.err
    assert dry.json["plan"]["Case"] == len(was) and dry.json["storage_freed_mb"] > 0
    assert place.query("SELECT Id FROM Case WHERE Status = 'Closed'")
    ran = place.archive(*CLOSED, "--yes")
    assert ran.code == 0, ran.err + ran.out
    found = ran.json
    assert (found["kind"], found["state"], found["kept"]) == ("archive", "completed", [])
    assert found["plan"] == dry.json["plan"] == found["archived"] == found["deleted"]
    assert found["storage_freed_mb"] == dry.json["storage_freed_mb"]
    assert place.query("SELECT Id FROM Case WHERE Status = 'Closed'") == []
    stored = place.exported("Case", found["snapshot"])
    assert {i: r["Subject"] for i, r in stored.items()} == {
        i: r["Subject"] or "" for i, r in was.items()
    }
    assert place.exported("CaseComment", found["snapshot"]).keys() == meant.keys()

    assert place.sfnb("snapshots", "x", "--json").json == [], "an archive is no backup"
    assert place.sfnb("export", "x", "Case", "--to", place.folder / "l.csv").code == 2
    job = place.sfnb("jobs", "--json").json[-1]
    assert (job["kind"], job["snapshot"]) == ("archive", found["snapshot"])

    one = next(iter(meant.values()))["ParentId"]
    (hit,) = place.sfnb("archive", "search", "x", "--id", one, "--json").json
    assert hit.keys() == {"object", "id", "archived_at", "snapshot", "record"}
    assert (hit["object"], hit["snapshot"]) == ("Case", found["snapshot"])
    assert hit["record"]["Subject"] == was[one]["Subject"]
    where = ("--object", "Case", "--where", f"\"Id\" = '{one}'")
    assert place.sfnb("archive", "search", "x", *where, "--json").json == [hit]
    text = next(r["Subject"] for r in was.values() if r["Subject"])
    hits = place.sfnb("archive", "search", "x", text.upper(), "--object", "Case", "--json").json
    assert {h["id"] for h in hits} >= {i for i, r in was.items() if r["Subject"] == text}

    (place.folder / "ids").write_text("\n".join(was))
    back = place.sfnb("restore", "x", found["snapshot"], "--ids", place.folder / "ids", "--json")
    assert back.code == 0, back.err
    assert back.json["restored"]["undeleted"] >= len(was)
    again = place.query("SELECT Id, ParentId, CommentBody FROM CaseComment")
    assert {c["Id"]: c for c in again if c["ParentId"] in was}.keys() == meant.keys()


def test_bad_requests_change_nothing(place: Place) -> None:
    """An object, condition or number that is none: exit code 2, one sentence, no job."""
    for wrong in (
        ("--object", "Nothing__c", "--where", "Id != null", "--yes"),
        ("--object", "Case", "--where", "Status = ", "--yes"),
        ("--object", "Case", "--where", " ", "--yes"),
        ("--object", "Case", "--where", "Status = 'Closed' LIMIT 1", "--yes"),
    ):
        ran = place.archive(*wrong)
        assert ran.code == 2 and ran.is_one_sentence(), (wrong, ran.err)
    assert place.sfnb("jobs", "--json").json == []


def test_what_has_to_stay_stays_whole_and_is_named(place: Place) -> None:
    """A hold on a child and a cap: each record is kept with its whole tree."""
    comments = place.query("SELECT Id, ParentId FROM CaseComment ORDER BY Id")
    closed = sorted(r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'"))
    held = next(c for c in comments if c["ParentId"] in closed)
    (place.folder / "held").write_text(held["Id"])
    made = place.sfnb(
        *("hold", "add", "x", "--object", "CaseComment", "--ids", place.folder / "held"),
        *("--reason", "a lawsuit", "--json"),
    )
    assert made.code == 0, made.err
    most = len(closed) - 2
    dry = place.archive(*CLOSED, "--max-rows", most, "--dry-run")
    assert dry.code == 0 and dry.json["kept_counts"]["over_max_rows"] == 2
    ran = place.archive(*CLOSED, "--max-rows", most, "--yes")
    assert ran.code == 3, ran.err
    found = ran.json
    assert found["state"] == "completed_with_errors"
    kept = {one["id"]: one for one in found["kept"]}
    assert {i for i, k in kept.items() if k["reason"] == "over_max_rows"} == set(closed[most:])
    assert {i for i, k in kept.items() if k["reason"] == "on_hold"} == {
        held["Id"], held["ParentId"],
    }  # fmt: skip
    left = {r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'")}
    assert left == {*closed[most:], held["ParentId"]}
    assert (
        found["deleted"]["Case"] == most - 1 == found["archived"]["Case"] == found["plan"]["Case"]
    )
    there = {c["Id"] for c in place.query("SELECT Id, ParentId FROM CaseComment")}
    assert {c["Id"] for c in comments if c["ParentId"] in left} <= there
    hits = place.sfnb("archive", "search", "x", "--object", "Case", "--json").json
    assert {hit["id"] for hit in hits} == set(closed[:most]) - {held["ParentId"]}


def test_hard_deletion_leaves_nothing_in_the_bin(place: Place) -> None:
    """With --hard nothing lies in the recycle bin, and the store has it all the same."""
    was = {r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'")}
    ran = place.archive(*CLOSED, "--hard", "--yes")
    assert ran.code == 0, ran.err
    assert ran.json["deleted"]["Case"] == len(was)
    in_bin = place.query("SELECT Id FROM Case WHERE IsDeleted = true", deleted=True)
    assert not was & {r["Id"] for r in in_bin}
    assert place.exported("Case", ran.json["snapshot"]).keys() == was
    assert place.sfnb("verify", "x").code == 0
