"""Archives whose policy, org, user or store turns against them while they run: nothing is half done."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sfnb.archive.group import GroupRun
from sfnb.org.client import OrgClient
from sfnb.org.writing import collections
from sfnb.org.writing.calls import RowResult
from sfnb.store import files
from tests.command_line import CommandLine, Ran
from tests.conftest import RunningOrg
from tests.contracts.test_archive import Place, _made

OBJECTS = {"Account": 4, "Contact": 4, "Case": 16, "CaseComment": 20, "Attachment": 4}


@pytest.fixture
def place(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Place:
    org = fresh_org(own_data=True, has_oddities=False, objects=OBJECTS)
    return Place(org, CommandLine.with_org(tmp_path / "home", org), tmp_path)


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something when all is stored, right before the last look."""
    look = GroupRun._looked_at

    def first(self: GroupRun, roots: Sequence[str]) -> list[str]:
        act()
        return look(self, roots)

    monkeypatch.setattr(GroupRun, "_looked_at", first)


def test_a_condition_that_begins_and_stops_to_match_while_it_runs(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    By a parent's field, so that no case changes: what no longer matches stays, what begins to match
    waits for the next run. The same jobs on the object are refused meanwhile.
    """
    cases = place.query("SELECT Id, AccountId FROM Case WHERE AccountId != null")
    mine, other, *_ = sorted({c["AccountId"] for c in cases})
    names = {"do": "change", "object": "Account", "field": "Name"}
    place.org.control("rows", {**names, "ids": [mine, other], "value": "old"})
    late = sorted({c["AccountId"] for c in cases})[2]
    refused: list[Ran] = []

    def change() -> None:
        place.org.control("rows", {**names, "ids": [other], "value": "new"})
        place.org.control("rows", {**names, "ids": [late], "value": "old"})
        refused.append(place.sfnb("backup", "x", "--objects", "Case,Account", "--json"))
        refused.append(place.archive("--object", "Case", "--where", "Id != null", "--yes"))

    meanwhile(monkeypatch, change)
    ran = place.archive("--object", "Case", "--where", "Account.Name = 'old'", "--yes")
    assert ran.code == 3, ran.err
    stays = {c["Id"] for c in cases if c["AccountId"] == other}
    assert {one["id"]: one["reason"] for one in ran.json["kept"]} == dict.fromkeys(
        stays, "changed_meanwhile"
    )
    left = {c["Id"] for c in place.query("SELECT Id FROM Case WHERE AccountId != null")}
    assert left == {c["Id"] for c in cases if c["AccountId"] != mine}
    assert [one.code for one in refused] == [2, 2] and all("archiving" in r.err for r in refused)


def test_a_hold_on_a_grandchild_that_comes_while_it_runs(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comment of a case of an account: all three stay, and each of the others goes as a whole."""
    comment = place.query(
        "SELECT Id, ParentId, Parent.AccountId FROM CaseComment WHERE Parent.AccountId != null"
    )[0]
    account = comment["Parent"]["AccountId"]
    (place.folder / "held").write_text(comment["Id"])
    hold = ("hold", "add", "x", "--object", "CaseComment", "--reason", "law", "--json")
    meanwhile(
        monkeypatch, lambda: place.sfnb(*hold, "--ids", place.folder / "held").json["hold_id"]
    )
    nonsense = place.sfnb(*hold, "--where", "ParentId is is null")
    assert nonsense.code == 2 and place.sfnb("hold", "list", "x", "--json").json == []
    everything = ("--object", "Account", "--where", "Id != null", "--with-children", "--yes")
    capped = place.archive(*everything, "--max-rows", "3")
    assert capped.code == 3, capped.err
    kept = {one["id"]: one["reason"] for one in capped.json["kept"]}
    first = sorted(r["Id"] for r in place.query("SELECT Id FROM Account ORDER BY Id", deleted=True))
    assert kept[first[-1]] == "over_max_rows"
    assert kept[account] == kept[comment["Id"]] == "on_hold"
    there = {r["Id"] for r in place.query("SELECT Id FROM CaseComment")}
    cases = {r["Id"] for r in place.query(f"SELECT Id FROM Case WHERE AccountId = '{account}'")}
    assert comment["Id"] in there and comment["ParentId"] in cases


def test_what_nobody_sees_and_what_cannot_be_noted_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Records out of the user's sight would go along with a record unseen: refused, no job. Children that
    the org does not show keep their records. A store that takes no more files between the copy and the
    deletion: nothing goes that could not be noted before, the job says why and is resumed later.
    """
    closed = ("--object", "Case", "--where", "Status = 'Closed'")
    place.org.control("access", {"permission": "ViewAllData", "has": False})
    for last in ("--dry-run", "--yes"):
        ran = place.archive(*closed, last)
        assert ran.code == 2 and ran.is_one_sentence() and "View All Data" in ran.err, ran.err
    assert place.sfnb("jobs", "--json").json == []
    place.org.control("access", {"permission": "ViewAllData", "has": True})
    refusal = {"fault": "error", "status": 400, "code": "INSUFFICIENT_ACCESS", "message": "no"}
    place.org.fail(match="query", object="CaseComment", inside="both", **refusal)
    ran = place.archive(*closed, "--yes")
    assert ran.code == 3, ran.err
    assert {one["reason"] for one in ran.json["kept"]} == {"not_verified"}
    assert ran.json["deleted"] == {}
    place.org.control("faults", method="DELETE")
    there = {r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'")}
    real = files.make_folder

    def read_only(folder: Path) -> Any:
        if folder.name == "deletes":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(folder)

    with monkeypatch.context() as patched:
        patched.setattr(files, "make_folder", read_only)
        ran = place.archive(*closed, "--yes")
    assert ran.code in (1, 75) and "read-only" in ran.out + ran.err, ran.err
    left = {r["Id"] for r in place.query("SELECT Id FROM Case WHERE Status = 'Closed'")}
    assert left == there and there
    job = place.sfnb("jobs", "--json").json[-1]
    done = place.sfnb("resume", job["job_id"], "--json")
    assert done.code == 0, done.err
    assert done.json["deleted"]["Case"] == len(there)


def test_what_was_archived_is_no_mass_deletion_for_the_next_backup(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> None:
    """The backup after an archive raises no alarm for half of an object's records."""
    org = fresh_org(own_data=True, has_oddities=False, objects={"Lead": 40})
    sfnb = CommandLine.with_org(tmp_path / "home", org)

    def alarms() -> list[str]:
        ran = sfnb("backup", "x", "--objects", "Lead", "--json")
        assert ran.code == 0, ran.err
        return [one["code"] for one in ran.json["warnings"] if one["code"] == "mass_change"]

    assert alarms() == []
    most = ("--max-rows", 20)
    ran = sfnb(
        "archive", "x", "--object", "Lead", "--where", "Id != null", *most, "--yes", "--json"
    )
    assert ran.json["deleted"]["Lead"] == 20, ran.err
    assert alarms() == []


@pytest.mark.parametrize("how", [(), ("--hard",)])
def test_a_document_that_nobody_may_delete_stays_and_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, how: tuple[str, ...]
) -> None:
    """Some orgs refuse it to owners and admins, too: the job goes on, and the record has gone."""
    place.documents_go()
    cases = [r["Id"] for r in place.query("SELECT Id FROM Case LIMIT 2")]
    uploaded = {"Title": "Plan", "PathOnClient": "plan.txt", "VersionData": "b25l"}
    for case in cases:
        _made(place, "ContentVersion", **uploaded, FirstPublishLocationId=case)
    versions = place.query("SELECT Id, ContentDocumentId FROM ContentVersion WHERE Title = 'Plan'")
    refused, other = (r["ContentDocumentId"] for r in versions)
    delete = collections.delete

    def refuse(org: OrgClient, ids: Sequence[str]) -> list[RowResult]:
        no = RowResult("refused", refused, "INSUFFICIENT_ACCESS_OR_READONLY", "no")
        others = [i for i in ids if i != refused]
        found = dict(zip(others, delete(org, others), strict=True)) if others else {}
        return [found.get(i, no) for i in ids]

    monkeypatch.setattr(collections, "delete", refuse)
    among = ", ".join(f"'{one}'" for one in cases)
    ran = place.archive("--object", "Case", "--where", f"Id IN ({among})", *how, "--yes")
    assert ran.code == 3, ran.err
    (kept,) = ran.json["kept"]
    assert (kept["object"], kept["id"], kept["reason"]) == ("ContentDocument", refused, "refused")
    assert "INSUFFICIENT_ACCESS_OR_READONLY" in kept["message"] and not ran.json["warnings"]
    assert (ran.json["deleted"]["Case"], ran.json["deleted"]["ContentDocument"]) == (2, 1)
    left = place.query("SELECT ContentDocumentId FROM ContentVersion WHERE Title = 'Plan'")
    assert [r["ContentDocumentId"] for r in left] == [refused]
    hits = place.sfnb("archive", "search", "x", "--object", "ContentDocument", "--json").json
    assert {one["id"] for one in hits} == {other}
