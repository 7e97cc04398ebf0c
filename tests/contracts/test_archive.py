"""`sfnb archive` as other programs drive it: P5, its JSON, and what comes back."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb.archive import bringing_back, storing
from sfnb.archive.deleting import Deleter
from sfnb.archive.group import GroupRun
from sfnb.backup.bodies.reading import BodyReading
from sfnb.org.client import OrgClient
from sfnb.org.writing import collections
from sfnb.org.writing.calls import RowResult
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

    def documents_go(self) -> None:
        """As Salesforce has it, documents can be deleted (Object Reference, ContentDocument)."""
        flags = {"do": "flags", "object": "ContentDocument", "deletable": True}
        self.org.control("schema", flags)

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
    assert (
        refused.code == 2
        and refused.json["exit_code"] == 2
        and place.sfnb("jobs", "--json").json == []
    )
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
    # Comments have no Subject: a condition without --object passes them over.
    by_field = ("--where", f"Subject is not null and Id = '{one}'")
    assert place.sfnb("archive", "search", "x", *by_field, "--json").json == [hit]
    assert place.sfnb("archive", "search", "x", "--where", "Nowhere = 1", "--json").code == 2
    assert place.sfnb("archive", "search", "x", "--object", "Lead", "--json").json == []
    everything = place.sfnb("archive", "search", "x", "--json").json
    assert {h["id"] for h in everything if h["object"] == "Case"} == set(was)
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


def test_what_the_recycle_bin_keeps_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --hard, a record that the org does not let go for good is deleted, in the bin, and named."""
    emptied, refused = (
        bringing_back.empty_bin,
        RowResult("refused", "", "INSUFFICIENT_ACCESS", "no"),
    )
    was = sorted(r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'"))

    def refuse(org: OrgClient, ids: Sequence[str]) -> list[RowResult]:
        others = [i for i in ids if i != was[0]]
        results = dict(zip(others, emptied(org, others), strict=True))
        return [results.get(i, refused) for i in ids]

    monkeypatch.setattr(bringing_back, "empty_bin", refuse)
    ran = place.archive(*CLOSED, "--hard", "--yes")
    assert ran.code == 3 and not ran.json["kept"], ran.err
    (warning,) = ran.json["warnings"]
    assert warning["code"] == "in_recycle_bin"
    assert f"the first is {was[0]}: INSUFFICIENT_ACCESS: no" in warning["message"]
    in_bin = place.query("SELECT Id FROM Case WHERE IsDeleted = true", deleted=True)
    assert {*was} & {r["Id"] for r in in_bin} == {was[0]}
    assert ran.json["deleted"]["Case"] == len(was)


@pytest.mark.parametrize("how", [(), ("--hard",)])
def test_documents_of_a_record_go_and_come_back(place: Place, how: tuple[str, ...]) -> None:
    """With their versions and links; what another record shows, too, stays. The files are restored."""
    place.documents_go()
    case, other = (
        r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed' LIMIT 2")
    )
    uploaded = {"Title": "Plan", "PathOnClient": "plan.txt", "VersionData": "b25l"}
    own, shared = (
        _made(place, "ContentVersion", **uploaded, FirstPublishLocationId=case) for _ in range(2)
    )
    rows = place.query(
        f"SELECT Id, ContentDocumentId FROM ContentVersion WHERE Id IN ('{own}', '{shared}')"
    )
    document_of = {r["Id"]: r["ContentDocumentId"] for r in rows}
    link = {"ContentDocumentId": document_of[shared], "LinkedEntityId": other, "ShareType": "V"}
    _made(place, "ContentDocumentLink", **link)
    ran = place.archive("--object", "Case", "--where", f"Id = '{case}'", *how, "--yes")
    assert ran.code == 0, ran.err
    assert ran.json["deleted"] == ran.json["plan"] and ran.json["deleted"]["ContentVersion"] >= 1
    left = {r["Id"] for r in place.query("SELECT Id FROM ContentVersion")}
    assert own not in left and shared in left
    gone = place.query(f"SELECT Id FROM ContentVersion WHERE Id = '{own}'", deleted=True)
    assert bool(gone) is not bool(how)
    (place.folder / "ids").write_text(case)
    snapshot = ran.json["snapshot"]
    back = place.sfnb(
        "restore",
        "x",
        snapshot,
        "--ids",
        place.folder / "ids",
        "--with-children",
        2,
        "--files",
        "--json",
    )
    assert back.code == 0, back.err
    soql = f"SELECT Id FROM ContentVersion WHERE Title = 'Plan' AND Id != '{shared}'"
    assert len(place.query(soql)) == 1


@pytest.mark.parametrize("how", [(), ("--hard",)])
def test_a_version_that_comes_right_before_its_document_goes(
    place: Place, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    """The document is brought back with the version that nobody has stored; its record has gone."""
    place.documents_go()
    case = place.query("SELECT Id FROM Case WHERE Status = 'Closed' LIMIT 1")[0]["Id"]
    uploaded = {"Title": "Plan", "PathOnClient": "plan.txt", "VersionData": "b25l"}
    first = _made(place, "ContentVersion", **uploaded, FirstPublishLocationId=case)
    soql = f"SELECT ContentDocumentId FROM ContentVersion WHERE Id = '{first}'"
    document = place.query(soql)[0]["ContentDocumentId"]
    deleted, late = Deleter.delete, []

    def at_the_deletion(self: Deleter, name: str, ids: Sequence[str]) -> None:
        if document in ids:
            late.append(_made(place, "ContentVersion", **uploaded, ContentDocumentId=document))
        deleted(self, name, ids)

    monkeypatch.setattr(Deleter, "delete", at_the_deletion)
    ran = place.archive("--object", "Case", "--where", f"Id = '{case}'", *how, "--yes")
    assert ran.code == 3, ran.err
    kept = {one["id"]: one for one in ran.json["kept"]}
    assert kept[document]["reason"] == "changed_meanwhile" and late[0] in kept[document]["message"]
    soql = f"SELECT Id FROM ContentVersion WHERE ContentDocumentId = '{document}'"
    assert {r["Id"] for r in place.query(soql)} == {first, late[0]}
    assert not place.query(f"SELECT Id FROM Case WHERE Id = '{case}'")
    assert ran.json["deleted"]["Case"] == 1 and "ContentDocument" not in ran.json["deleted"]


def _change(place: Place, name: str, record_id: str, field: str) -> None:
    place.org.control("clock", {"advance_minutes": 1})
    entry = {"do": "change", "object": name, "ids": [record_id], "field": field, "value": "new!"}
    place.org.control("rows", entry)


def _comment(place: Place, case: str) -> str:
    body = {"ParentId": case, "CommentBody": "late"}
    made = place.org.send("POST", "/services/data/v66.0/sobjects/CaseComment", json=body)
    assert made.ok, made.text
    return str(made.json()["id"])


@pytest.mark.parametrize("how", [(), ("--hard",)])
def test_who_is_faster_than_the_archive_loses_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    """
    A record that is changed, or gets a child, after it was stored stays with its tree: also when that
    comes between the last look and the deletion, and when the deletion is for good.
    """
    closed = sorted(r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'"))
    early, early_child, late, late_child = closed[:4]
    new: list[str] = []
    deleted, look = Deleter.delete, GroupRun._looked_at

    def at_the_last_look(self: GroupRun, roots: Sequence[str]) -> list[str]:
        _change(place, "Case", early, "Subject")
        new.append(_comment(place, early_child))
        return look(self, roots)

    def at_the_deletion(self: Deleter, name: str, ids: Sequence[str]) -> None:
        if name == "Case":
            _change(place, "Case", late, "Subject")
            new.append(_comment(place, late_child))
        deleted(self, name, ids)

    monkeypatch.setattr(GroupRun, "_looked_at", at_the_last_look)
    monkeypatch.setattr(Deleter, "delete", at_the_deletion)
    ran = place.archive(*CLOSED, *how, "--yes")
    assert ran.code == 3, ran.err
    kept = {one["id"]: one["reason"] for one in ran.json["kept"]}
    assert {*closed[:4]} <= kept.keys() and set(kept.values()) == {"changed_meanwhile"}
    left = {
        r["Id"]: r["Subject"]
        for r in place.query("SELECT Id, Subject FROM Case WHERE Status = 'Closed'")
    }
    assert left.keys() == {*closed[:4]} and left[early] == left[late] == "new!"
    assert set(new) <= {r["Id"] for r in place.query("SELECT Id, ParentId FROM CaseComment")}
    assert ran.json["deleted"]["Case"] == len(closed) - 4
    in_bin = {
        r["Id"] for r in place.query("SELECT Id FROM Case WHERE IsDeleted = true", deleted=True)
    }
    assert in_bin & {*closed} == (set() if how else {*closed[4:]})
    hits = place.sfnb("archive", "search", "x", "--object", "Case", "--json").json
    assert {hit["id"] for hit in hits} == set(closed[4:])


@pytest.mark.parametrize("how", [(), ("--hard",)])
def test_what_went_first_comes_back_with_a_tree_that_is_brought_back(
    place: Place, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    """
    Cases go before their account. One that is changed in the last moment comes back with its cases;
    two whose contacts report to each other go: what the deletion itself empties is no change.
    """
    late, *going = [_made(place, "Account", Name=f"Going {n}") for n in range(3)]
    cases = {one: _made(place, "Case", AccountId=one) for one in (late, *going)}
    chiefs = [_made(place, "Contact", LastName="Chief", AccountId=one) for one in going]
    for account, chief in zip(going, reversed(chiefs), strict=True):
        _made(place, "Contact", LastName="New", AccountId=account, ReportsToId=chief)
    deleted = collections.delete

    def at_the_deletion(org: OrgClient, ids: Sequence[str]) -> list[RowResult]:
        if late in ids:
            _change(place, "Account", late, "Description")
        return deleted(org, ids)

    monkeypatch.setattr(collections, "delete", at_the_deletion)
    names = ", ".join(f"'{one}'" for one in (late, *going))
    ran = place.archive(
        "--object", "Account", "--where", f"Id IN ({names})", "--with-children", *how, "--yes"
    )
    assert ran.code == 3, ran.err
    assert {one["id"]: one["reason"] for one in ran.json["kept"]} == {late: "changed_meanwhile"}
    assert not ran.json["warnings"]
    assert ran.json["deleted"]["Account"] == len(going)
    left = {r["Id"] for r in place.query("SELECT Id FROM Case")}
    hits = place.sfnb("archive", "search", "x", "--object", "Case", "--json").json
    archived = {h["id"] for h in hits}
    assert cases[late] in left, "deleted before the account, and back with it"
    assert not left & {cases[one] for one in going} and archived == {cases[one] for one in going}


def _made(place: Place, name: str, **values: str) -> str:
    made = place.org.send("POST", f"/services/data/v66.0/sobjects/{name}", json=values)
    assert made.ok, made.text
    return str(made.json()["id"])


def test_a_refused_record_keeps_its_children(place: Place) -> None:
    """
    An account with cases is refused and keeps its contacts; with its children it goes, or, if
    something else stands against it, gets back what had to go first.
    """
    won = {
        r["AccountId"]
        for r in place.query("SELECT AccountId FROM Opportunity WHERE StageName = 'Closed Won'")
    }
    found = place.query("SELECT Id, AccountId FROM Case WHERE AccountId != null ORDER BY Id")
    free = next(c for c in found if c["AccountId"] not in won)
    blocked = next(c for c in found if c["AccountId"] in won)
    for case, goes in ((blocked, False), (free, True)):
        account = case["AccountId"]
        contacts = f"SELECT Id FROM Contact WHERE AccountId = '{account}'"
        before = {r["Id"] for r in place.query(contacts)}
        chosen = ("--object", "Account", "--where", f"Id = '{account}'", "--yes")
        ran = place.archive(*chosen)
        assert ran.code == 3, ran.err
        assert [(k["id"], k["reason"]) for k in ran.json["kept"]] == [(account, "refused")]
        assert ran.json["deleted"] == {}
        ran = place.archive(*chosen, "--with-children")
        assert ran.code == (0 if goes else 3), ran.out
        assert not ran.json["warnings"]
        there = bool(place.query(f"SELECT Id FROM Case WHERE Id = '{case['Id']}'"))
        assert there is not goes
        assert {r["Id"] for r in place.query(contacts)} == (set() if goes else before)
        assert case["Id"] in place.exported("Case", ran.json["snapshot"])


def test_a_dry_run_names_the_lookups_that_would_be_emptied(place: Place) -> None:
    """Records that stay and refer to one that goes are counted by their lookup; those that go are not."""
    boss, one, other = (r["Id"] for r in place.query("SELECT Id FROM Contact LIMIT 3"))
    entry = {"do": "change", "object": "Contact", "ids": [one, other], "field": "ReportsToId"}
    place.org.control("rows", {**entry, "value": boss})
    chosen = ("--object", "Contact", "--where", f"Id = '{boss}'", "--dry-run")
    ran = place.archive(*chosen)
    assert ran.code == 0, ran.err
    lost = {"object": "Contact", "field": "ReportsToId", "to": "Contact", "records": 2}
    assert ran.json["lookups_emptied"] == [lost]
    said = place.sfnb("archive", "x", *chosen).out
    assert "2 records of Contact would lose ReportsToId" in said
    both = place.archive(
        "--object", "Contact", "--where", f"Id IN ('{boss}', '{one}')", "--dry-run"
    )
    assert both.json["lookups_emptied"] == [{**lost, "records": 1}]


def test_children_that_take_no_list_of_parents_are_read_one_by_one(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> None:
    """Votes are refused by lists of parents, and counted all the same; two lookups of one object, too."""
    org = fresh_org(objects=SMALL | {"Vote": 40})
    sfnb = CommandLine.with_org(tmp_path / "home", org)
    where = ("--object", "Account", "--where", "Id != null", "--max-rows", 6)
    ran = sfnb("archive", "x", *where, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    place = Place(org, sfnb, tmp_path)
    listed = [r["Id"] for r in place.query("SELECT Id FROM Account ORDER BY Id LIMIT 6")]
    votes = [place.query(f"SELECT Id FROM Vote WHERE ParentId = '{one}'") for one in listed]
    assert ran.json["plan"]["Vote"] == sum(map(len, votes)) > 0
    assert ran.json["plan"]["Account"] == 6 and ran.json["kept_counts"]["over_max_rows"]


def test_what_is_not_whole_in_the_store_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: a record whose row or file the store has otherwise than the org stays with its tree."""
    closed = sorted(r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'"))
    listed = ",".join(f"'{one}'" for one in closed)
    files = place.query(f"SELECT Id, ParentId FROM Attachment WHERE ParentId IN ({listed})")
    assert files
    rows, read = storing.sorted_rows, BodyReading.run
    wrong = next(one for one in closed if one not in {f["ParentId"] for f in files})

    def another_value(*arguments: Any) -> Iterator[pa.RecordBatch]:
        for batch in rows(*arguments):
            at = batch.schema.get_field_index("SuppliedName")
            if at < 0:
                yield batch
                continue
            names = batch.column(at).to_pylist()
            names[batch.column("Id").to_pylist().index(wrong)] = "somebody else"
            yield batch.set_column(at, "SuppliedName", pa.array(names, pa.string()))

    def another_byte(self: BodyReading, tick: Any) -> None:
        read(self, tick)
        root = self.snapshot.files.local
        assert root is not None
        for path in root.glob("bodies/??/*"):
            path.write_bytes(path.read_bytes()[:-1] + b"?")

    monkeypatch.setattr(storing, "sorted_rows", another_value)
    monkeypatch.setattr(BodyReading, "run", another_byte)
    ran = place.archive(*CLOSED, "--yes")
    assert ran.code == 3, ran.err
    kept = {one["id"]: one["reason"] for one in ran.json["kept"]}
    stays = {wrong, *(f["ParentId"] for f in files)}
    assert kept.keys() == stays | {f["Id"] for f in files} and set(kept.values()) == {
        "not_verified"
    }
    left = {r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'")}
    assert left == stays
    hits = place.sfnb("archive", "search", "x", "--object", "Case", "--json").json
    assert {hit["id"] for hit in hits} == set(closed) - stays
