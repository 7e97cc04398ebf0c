"""
What happens to the demo org while backups run: rows, schema and permissions that change, as queries,
describes, ``/updated`` and ``/deleted`` show it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sfnb.private import private_folder
from sfnb_demo.data import changes
from sfnb_demo.life.rows import RowLife
from sfnb_demo.life.schema import SchemaLife
from tests.command_line import CommandLine
from tests.conftest import RunningOrg, run_process

V = "/services/data/v66.0"
BORN = datetime(2026, 11, 2, 8, 0, 20, tzinfo=UTC)


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg]) -> Iterator[RunningOrg]:
    yield fresh_org(start_at=BORN, empty_objects=2)


def stamp_of(done: dict[str, Any]) -> str:
    """The stamp of what was done, as SOQL writes it."""
    return str(done["stamp"]).replace("+00:00", "Z")


def rows(org: RunningOrg, do: str, name: str, **more: Any) -> dict[str, Any]:
    done: dict[str, Any] = org.control("rows", {"do": do, "object": name, **more})["done"][0]
    return done


def records(org: RunningOrg, soql: str, *, road: str = "queryAll") -> list[dict[str, Any]]:
    answer = org.get(f"{V}/{road}?q={quote(soql)}")
    assert answer.ok, answer.text
    found: list[dict[str, Any]] = answer.json()["records"]
    return found


def count(org: RunningOrg, soql: str, *, road: str = "queryAll") -> int:
    return int(org.get(f"{V}/{road}?q={quote('SELECT COUNT() ' + soql)}").json()["totalSize"])


def pass_minutes(org: RunningOrg, minutes: float) -> datetime:
    org.control("clock", {"advance_minutes": minutes})
    return datetime.fromisoformat(org.control("status")["now"])


def listed(
    org: RunningOrg, kind: str, name: str, start: datetime, end: datetime, **options: Any
) -> requests.Response:
    span = f"start={quote(start.isoformat())}&end={quote(end.isoformat())}"
    return org.get(f"{V}/sobjects/{name}/{kind}/?{span}", **options)


def code(answer: requests.Response) -> str:
    return str(answer.json()[0]["errorCode"])


def test_rows_of_one_change_share_their_stamp(org: RunningOrg) -> None:
    """A mass change of 40 rows leaves 40 new values with one SystemModstamp; a touch, no value."""
    before = {
        r["Id"]: r["Description"] for r in records(org, "SELECT Id, Description FROM Contact")
    }
    pass_minutes(org, 1)
    done = rows(org, "change", "Contact", rows=40, field="Description")
    touched = rows(org, "touch", "Contact", rows=3)
    after = records(
        org,
        f"SELECT Id, Description, SystemModstamp FROM Contact WHERE SystemModstamp >= {stamp_of(done)}",
    )
    changed = {r["Id"] for r in after if r["Description"] != before[r["Id"]]}
    assert (done["rows"], changed) == (40, set(done["ids"]))
    assert {r["Id"] for r in after} == changed | set(touched["ids"])
    assert len({r["SystemModstamp"] for r in after}) == 1


def test_many_rows_change_at_once(org: RunningOrg) -> None:
    """``*`` reaches each object that has rows, and an insert adds as many as were asked for."""
    before = count(org, "FROM Account")
    assert rows(org, "insert", "Account", rows=3000)["rows"] == 3000
    assert count(org, "FROM Account") == before + 3000
    pass_minutes(org, 1)
    done = org.control("rows", {"do": "change", "object": "*", "rows": 5})["done"]
    assert len(done) > 15
    assert count(org, f"FROM Account WHERE SystemModstamp = {stamp_of(done[0])}") == 5


def test_late_rows_come_with_an_old_stamp(org: RunningOrg) -> None:
    """
    Rows written now and committed seven minutes later: unseen until then, then with the old stamp;
    latestDateCovered stays before the open transaction.
    """
    began = pass_minutes(org, 2)
    made = rows(org, "insert", "Account", rows=2, late_s=420)
    changed = rows(org, "change", "Contact", rows=2, late_s=420)
    now = pass_minutes(org, 5)
    assert not records(org, f"SELECT Id FROM Account WHERE Id = '{made['ids'][0]}'")
    covered = listed(org, "updated", "Contact", now - timedelta(hours=1), now).json()
    assert set(changed["ids"]).isdisjoint(covered["ids"])
    assert covered["latestDateCovered"] == began.strftime("%Y-%m-%dT%H:%M:00.000+0000")
    now = pass_minutes(org, 3)
    late = records(org, f"SELECT SystemModstamp FROM Account WHERE Id = '{made['ids'][0]}'")
    assert late[0]["SystemModstamp"] == began.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    covered = listed(org, "updated", "Contact", now - timedelta(hours=1), now).json()
    assert set(changed["ids"]) <= set(covered["ids"])
    assert covered["latestDateCovered"] == now.strftime("%Y-%m-%dT%H:%M:00.000+0000")


def test_the_recycle_bin(org: RunningOrg) -> None:
    """
    Deleted rows take their details along and bring them back; purged ones leave queryAll, and
    ``/deleted`` still lists them.
    """
    project = records(org, "SELECT Project__c FROM Milestone__c WHERE IsDeleted = false")[0][
        "Project__c"
    ]
    details = f"FROM Milestone__c WHERE Project__c = '{project}' AND IsDeleted = "
    living = count(org, details + "false")
    rows(org, "delete", "Project__c", ids=[project])
    assert count(org, details + "false") == 0
    rows(org, "undelete", "Project__c", ids=[project])
    assert count(org, details + "false") == living
    gone = rows(org, "delete", "Project__c", ids=[project])["ids"]
    rows(org, "purge", "Project__c")
    assert not records(org, f"SELECT Id FROM Project__c WHERE Id = '{project}'")
    now = pass_minutes(org, 2)
    log = listed(org, "deleted", "Project__c", now - timedelta(minutes=10), now).json()
    assert [r["id"] for r in log["deletedRecords"]] == gone
    rows(org, "forget", "Project__c")
    now = pass_minutes(org, 2)
    log = listed(org, "deleted", "Project__c", now - timedelta(minutes=10), now).json()
    assert log["deletedRecords"] == []
    assert log["earliestDateAvailable"] > (now - timedelta(minutes=3)).isoformat()


def test_what_never_reaches_the_bin(org: RunningOrg) -> None:
    """CampaignMember has IsDeleted, says undeletable false, and its deleted rows are gone."""
    assert org.get(f"{V}/sobjects/CampaignMember/describe").json()["undeletable"] is False
    gone = rows(org, "delete", "CampaignMember", rows=2)["ids"]
    assert count(org, "FROM CampaignMember WHERE IsDeleted = true") == 0
    hard = rows(org, "hard_delete", "Contact", rows=1)["ids"]
    assert not records(org, f"SELECT Id FROM CampaignMember WHERE Id = '{gone[0]}'")
    assert not records(org, f"SELECT Id FROM Contact WHERE Id = '{hard[0]}'")


def test_a_merge(org: RunningOrg) -> None:
    """The loser is in the bin with MasterRecordId; its children are the winner's, newly stamped."""
    loser, winner = (
        r["AccountId"]
        for r in records(
            org,
            "SELECT AccountId FROM Contact WHERE IsDeleted = false AND AccountId != null ORDER BY Id LIMIT 50",
        )[:2]
    )
    if loser == winner:
        pytest.fail("the seed gave both contacts one account")
    moved = count(org, f"FROM Contact WHERE AccountId = '{loser}'")
    had = count(org, f"FROM Contact WHERE AccountId = '{winner}'")
    pass_minutes(org, 1)
    done = rows(org, "merge", "Account", ids=[loser], into=winner)
    found = records(org, f"SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{loser}'")[0]
    assert (found["IsDeleted"], found["MasterRecordId"]) == (True, winner)
    stamp = stamp_of(done)
    assert count(org, f"FROM Contact WHERE AccountId = '{winner}'") == had + moved
    assert (
        count(org, f"FROM Contact WHERE AccountId = '{winner}' AND SystemModstamp = {stamp}")
        == moved
    )


def test_drift_leaves_no_stamp(org: RunningOrg) -> None:
    """A formula, a roll-up and a plain field change their values while no SystemModstamp moves."""
    ask = "SELECT Id, Days_Left__c, Milestones__c, Phase__c, SystemModstamp FROM Project__c ORDER BY Id"
    before = records(org, ask)
    pass_minutes(org, 60)
    for name in ("Days_Left__c", "Milestones__c", "Phase__c"):
        rows(org, "drift", "Project__c", field=name, rows=3)
    after = records(org, ask)
    pairs = list(zip(before, after, strict=True))
    assert all(a["SystemModstamp"] == b["SystemModstamp"] for a, b in pairs)
    assert all(
        a["Days_Left__c"] != b["Days_Left__c"] for a, b in pairs if a["Days_Left__c"] is not None
    )
    for name in ("Milestones__c", "Phase__c"):
        assert sum(a[name] != b[name] for a, b in pairs) == 3
    fields = {f["name"]: f for f in org.get(f"{V}/sobjects/Project__c/describe").json()["fields"]}
    assert (fields["Milestones__c"]["calculated"], fields["Phase__c"]["calculated"]) == (
        True,
        False,
    )


def test_fields_change_while_the_org_runs(org: RunningOrg) -> None:
    """Added, retyped, renamed, removed: describe and queries follow, and no row's stamp moves."""
    stamps = {
        r["Id"]: r["SystemModstamp"] for r in records(org, "SELECT Id, SystemModstamp FROM Contact")
    }

    def change(do: str, **more: Any) -> dict[str, Any]:
        org.control("schema", {"do": do, "object": "Contact", **more})
        found = org.get(f"{V}/sobjects/Contact/describe").json()["fields"]
        return {f["name"]: f for f in found}

    fields = change("add_field", field="Grade__c", type="string", length=10, value="12")
    assert (
        fields["Grade__c"]["length"],
        records(org, "SELECT Grade__c FROM Contact")[0]["Grade__c"],
    ) == (10, "12")
    fields = change("retype_field", field="Grade__c", type="double")
    assert (
        fields["Grade__c"]["type"],
        records(org, "SELECT Grade__c FROM Contact")[0]["Grade__c"],
    ) == ("double", 12.0)
    assert "GRADE__c" in change("rename_field", field="Grade__c", to="GRADE__c")
    assert "Mark__c" in change("rename_field", field="GRADE__c", to="Mark__c")
    assert records(org, "SELECT Mark__c FROM Contact")[0]["Mark__c"] == 12.0
    assert "Mark__c" not in change("remove_field", field="Mark__c")
    assert code(org.get(f"{V}/query?q={quote('SELECT Mark__c FROM Contact')}")) == "INVALID_FIELD"
    values = change("picklist", field="Level__c", add=["None"], retire=["Tertiary"])["Level__c"][
        "picklistValues"
    ]
    assert {v["value"]: v["active"] for v in values} == {
        "Primary": True,
        "Secondary": True,
        "Tertiary": False,
        "None": True,
    }
    formula = change("change_formula", field="Display__c", formula="{LastName} || '!'")[
        "Display__c"
    ]
    assert formula["calculatedFormula"] == "{LastName} || '!'"
    assert all(
        r["Display__c"].endswith("!") for r in records(org, "SELECT Display__c FROM Contact")
    )
    assert {
        r["Id"]: r["SystemModstamp"] for r in records(org, "SELECT Id, SystemModstamp FROM Contact")
    } == stamps


def test_objects_come_and_go(org: RunningOrg) -> None:
    """An object added with rows, renamed, removed; its Ids have a key prefix of their own."""
    org.control("schema", {"do": "add_object", "object": "Visit__c", "rows": 7,
                           "fields": [{"field": "Where__c", "type": "string"}]})  # fmt: skip
    found = {s["name"]: s for s in org.get(f"{V}/sobjects").json()["sobjects"]}
    ids = [r["Id"] for r in records(org, "SELECT Id, Where__c FROM Visit__c")]
    assert (len(ids), {i[:3] for i in ids}) == (7, {found["Visit__c"]["keyPrefix"]})
    assert [s["keyPrefix"] for s in found.values()].count(found["Visit__c"]["keyPrefix"]) == 1
    org.control("schema", {"do": "rename_object", "object": "Visit__c", "to": "Trip__c"})
    assert [r["Id"] for r in records(org, "SELECT Id FROM Trip__c")] == ids
    org.control("schema", {"do": "remove_object", "object": "Trip__c"})
    assert code(org.get(f"{V}/query?q=SELECT+Id+FROM+Trip__c")) == "INVALID_TYPE"


def test_describes_say_when_they_changed(org: RunningOrg) -> None:
    """304 until the object changes; then Last-Modified moves, its own and the global one's."""
    paths = [f"{V}/sobjects", f"{V}/sobjects/Contact/describe", f"{V}/sobjects/Lead/describe"]

    def ask(path: str, since: str) -> requests.Response:
        return org.get(path, headers={"If-Modified-Since": since})

    dates = {path: org.get(path).headers["Last-Modified"] for path in paths}
    assert [ask(path, dates[path]).status_code for path in paths] == [304, 304, 304]
    org.control("schema", {"do": "add_field", "object": "Contact", "field": "New__c"})
    assert [ask(path, dates[path]).status_code for path in paths] == [200, 200, 304]
    dates = {path: org.get(path).headers["Last-Modified"] for path in paths}
    assert [ask(path, dates[path]).status_code for path in paths] == [304, 304, 304]
    inside = {
        "method": "GET",
        "url": paths[1],
        "referenceId": "c",
        "httpHeaders": {"If-Modified-Since": dates[paths[1]]},
    }
    answer = org.send("POST", f"{V}/composite", json={"compositeRequest": [inside]}).json()
    assert answer["compositeResponse"][0]["httpStatusCode"] == 304


def test_orgs_that_do_less(fresh_org: Callable[..., RunningOrg]) -> None:
    """Options: no 304, /updated refused inside composite, a young sandbox, old statistics."""
    org = fresh_org(
        start_at=BORN, has_conditional_describes=False, refused_in_composite=["updated"],
        replication_days=2, record_count_age_minutes=60,
    )  # fmt: skip
    described = org.get(
        f"{V}/sobjects", headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    )
    assert (described.status_code, "Last-Modified" in described.headers) == (200, False)
    now = pass_minutes(org, 1)
    span = f"start={quote((now - timedelta(days=1)).isoformat())}&end={quote(now.isoformat())}"
    subs = [
        {"method": "GET", "url": f"{V}/sobjects/Lead/{kind}/?{span}", "referenceId": kind}
        for kind in ("updated", "deleted")
    ]
    inside = org.send("POST", f"{V}/composite", json={"compositeRequest": subs}).json()[
        "compositeResponse"
    ]
    assert [i["httpStatusCode"] for i in inside] == [400, 200]
    assert (
        code(listed(org, "updated", "Lead", now - timedelta(days=3), now))
        == "INVALID_REPLICATION_DATE"
    )
    said = org.get(f"{V}/limits/recordCount?sObjects=Lead").json()["sObjects"][0]["count"]
    rows(org, "insert", "Lead", rows=5)
    org.control("schema", {"do": "add_object", "object": "Visit__c"})
    assert org.get(f"{V}/limits/recordCount?sObjects=Lead,Visit__c").json()["sObjects"] == [
        {"count": said, "name": "Lead"}
    ]
    pass_minutes(org, 61)
    later = org.get(f"{V}/limits/recordCount?sObjects=Lead,Visit__c").json()["sObjects"]
    assert [c["count"] for c in later] == [said + 5, 0]


def test_a_user_loses_permissions(org: RunningOrg) -> None:
    """
    A hidden field and a hidden object are gone for this user alone; without View All Data only own
    rows are read, counted, and listed by ``/updated`` and ``/deleted``.
    """
    org.control("access", [{"hide": "Contact.Email"}, {"hide": "Lead"}])
    names = [f["name"] for f in org.get(f"{V}/sobjects/Contact/describe").json()["fields"]]
    assert ("Email" in names, "Phone" in names) == (False, True)
    assert code(org.get(f"{V}/query?q=SELECT+Email+FROM+Contact")) == "INVALID_FIELD"
    assert code(org.get(f"{V}/query?q=SELECT+Id+FROM+Lead")) == "INVALID_TYPE"
    other = org.headers_of(org.limited_username)
    assert org.get(f"{V}/query?q=SELECT+Email+FROM+Contact", headers=other).ok
    now = pass_minutes(org, 2)
    rows(org, "change", "Task", rows=30)
    rows(org, "delete", "Task", rows=20)
    rows(org, "hard_delete", "Task", rows=20)
    now = pass_minutes(org, 2)
    whole = [
        len(listed(org, k, "Task", now - timedelta(minutes=3), now).json()[key])
        for k, key in (("updated", "ids"), ("deleted", "deletedRecords"))
    ]
    org.control("access", {"permission": "ViewAllData", "has": False})
    own = [
        len(listed(org, k, "Task", now - timedelta(minutes=3), now).json()[key])
        for k, key in (("updated", "ids"), ("deleted", "deletedRecords"))
    ]
    assert whole[1] == 40
    assert all(less < more for less, more in zip(own, whole, strict=True))
    assert count(org, "FROM Task") < 100


def test_more_ids_than_one_list_may_have(org: RunningOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    """One Id too many is EXCEEDED_ID_LIMIT; what is not replicateable is refused."""
    assert changes.MAX_IDS == 600_000
    monkeypatch.setattr(changes, "MAX_IDS", 9)
    pass_minutes(org, 1)
    rows(org, "touch", "Contact", rows=9)
    now = pass_minutes(org, 1)
    assert (
        len(listed(org, "updated", "Contact", now - timedelta(minutes=1), now).json()["ids"]) == 9
    )
    rows(org, "touch", "Contact", rows=10)
    later = pass_minutes(org, 1)
    assert (
        code(listed(org, "updated", "Contact", later - timedelta(minutes=1), later))
        == "EXCEEDED_ID_LIMIT"
    )
    org.control("schema", {"do": "flags", "object": "Contact", "replicateable": False})
    assert (
        code(listed(org, "updated", "Contact", now - timedelta(minutes=1), now))
        == "INVALID_TYPE_FOR_OPERATION"
    )


def test_wrong_entries_change_nothing(org: RunningOrg) -> None:
    """Each mistake is named, and the rows are as before."""
    before = records(org, "SELECT Id, SystemModstamp FROM Account ORDER BY Id")
    pass_minutes(org, 1)
    wrong = [
        ("rows", {"do": "explode", "object": "Account"}, "do must be one of"),
        ("rows", {"do": "touch", "object": "Nope"}, "no object"),
        ("rows", {"do": "touch", "object": "Account", "row": 3}, "unknown: row"),
        ("rows", {"do": "touch", "object": "Account", "ids": ["001000000000000AAA"]}, "no such rows"),
        ("rows", {"do": "change", "object": "Account", "field": "Is_Large__c"}, "is computed"),
        ("rows", {"do": "insert", "object": "ContentVersion"}, "REST API"),
        ("schema", {"do": "remove_field", "object": "Account", "field": "AnnualRevenue"}, "is used in"),
        ("schema", {"do": "remove_object", "object": "Invoice__c"}, "is looked up from"),
        ("schema", {"do": "add_field", "object": "Account", "field": "F__c", "formula": "{Nope}"}, "does not compute"),
        ("access", {"hide": "Account.OwnerId"}, "cannot be hidden"),
    ]  # fmt: skip
    for path, entry, said in wrong:
        answer = requests.post(
            f"{org.url}/control/{path}",
            json=entry,
            headers={"X-Demo-Control": org.control_token},
            timeout=60,
        )
        assert (answer.status_code, said in answer.json()["error"]) == (400, True), answer.text
    assert records(org, "SELECT Id, SystemModstamp FROM Account ORDER BY Id") == before


def test_things_happen_by_the_command_line(tmp_path: Path) -> None:
    """
    ``sfnb demo rows``, ``schema`` and ``access`` reach the running org; a mistake is one sentence.
    """
    process, running = run_process(
        private_folder(tmp_path / "demo"), "--size", "tiny", "--competitors", "off"
    )
    home = CommandLine(tmp_path)
    try:
        done = home("demo", "rows", "change", "Contact", "rows=25", "late_s=60", "--json").json
        assert (done["done"][0]["rows"], "visible_at" in done["done"][0]) == (25, True)
        assert home("demo", "rows", "touch", "Lead").out.strip() == "touch Lead: 1 row(s)"
        home("demo", "schema", "add_field", "Lead", "field=F__c", "type=double")
        home("demo", "access", "hide=Lead.Email")
        names = [f["name"] for f in running.get(f"{V}/sobjects/Lead/describe").json()["fields"]]
        assert ("F__c" in names, "Email" in names) == (True, False)
        wrong = home("demo", "rows", "explode", "Lead")
        assert wrong.is_one_sentence()
        assert "do must be one of" in wrong.err
        assert "such as rows=40" in home("demo", "rows", "delete", "Lead", "40").err
        for command, life in (("rows", RowLife), ("schema", SchemaLife)):
            page = home("demo", command, "--help").out
            verbs = re.findall(r"^    (\w+)  ", life.__doc__ or "", re.MULTILINE)
            assert len(verbs) > 9 and [v for v in verbs if f"  {v} " not in page] == []
    finally:
        running.control("shutdown", {})
        process.wait(timeout=30)
    assert "not running" in home("demo", "rows", "touch", "Lead").err
