"""The second backup and the next ones: what changed, and nothing else, whatever the org does meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.store.history.diff import diff
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector

V = "/services/data/v66.0"
BORN = datetime(2026, 11, 2, 8, 0, 20, tzinfo=UTC)
OBJECTS = ["Account", "Contact", "Opportunity", "Task"]


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg]) -> RunningOrg:
    return fresh_org(start_at=BORN)


def life(org: RunningOrg, do: str, name: str, **more: Any) -> dict[str, Any]:
    done: dict[str, Any] = org.control("rows", {"do": do, "object": name, **more})["done"][0]
    return done


def pass_minutes(org: RunningOrg, minutes: float) -> None:
    org.control("clock", {"advance_minutes": minutes})


def run(there: Connection, objects: list[str] | None = None, **options: Any) -> dict[str, Any]:
    return engine.run(
        there, backup(objects=objects or OBJECTS, files=False, metadata=False, **options)
    )


def truth(org: RunningOrg, name: str, where: str = "") -> dict[str, dict[str, Any]]:
    """The org's live records as its API gives them, without the stamp, which is no content."""
    described = org.get(f"{V}/sobjects/{name}/describe").json()["fields"]
    fields = [f["name"] for f in described if f["type"] not in ("address", "location", "base64")]
    path = f"{V}/queryAll?q=" + quote(f"SELECT {','.join(fields)} FROM {name} {where}")
    found: dict[str, dict[str, Any]] = {}
    while path:
        answer = org.get(path).json()
        for record in answer["records"]:
            if not record.get("IsDeleted"):
                found[record["Id"]] = plain(record)
        path = answer.get("nextRecordsUrl") or ""
    return found


def plain(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value(one)
        for name, one in record.items()
        if name not in ("attributes", "SystemModstamp")
    }


def value(one: Any) -> Any:
    if isinstance(one, datetime):
        return one.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(one, bool) or one is None:
        return one
    if isinstance(one, int | float):
        return float(one)
    text = str(one)
    try:
        return (
            datetime.fromisoformat(text).isoformat(timespec="milliseconds") if "T" in text else text
        )
    except ValueError:
        return text


def stored(there: Connection, snapshot: str, name: str) -> dict[str, dict[str, Any]]:
    rows = there.snapshots[snapshot].table(name).to_pylist()
    return {row["Id"]: plain(row) for row in rows}


def counts(summary: dict[str, Any], name: str) -> tuple[str, int, int, int]:
    entry = summary["objects"][name]
    return entry["mode"], entry["added"], entry["changed"], entry["deleted"]


def test_the_second_backup_has_what_changed_and_no_more(
    org: RunningOrg, connected: Connector
) -> None:
    """Added, changed, deleted, restored and purged records are found; others cost their list only."""
    there = connected(org)
    first = run(there)
    assert {counts(first, name)[0] for name in OBJECTS} == {"full"}
    before = {name: stored(there, first["snapshot"], name) for name in OBJECTS}
    pass_minutes(org, 60)
    life(org, "insert", "Account", rows=3)
    life(org, "change", "Account", rows=5, field="Description")
    life(org, "delete", "Contact", rows=2)
    life(org, "hard_delete", "Opportunity", rows=1)
    pass_minutes(org, 2)
    mark = org.mark()
    second = run(there)
    assert second["state"] == "completed"
    assert counts(second, "Account") == ("incremental", 3, 5, 0)
    assert counts(second, "Contact")[3] >= 2
    assert counts(second, "Opportunity")[3] >= 1
    assert (
        counts(second, "Task") == ("incremental", 0, 0, 0)
        or counts(second, "Task")[0] == "incremental"
    )
    for name in OBJECTS:
        assert stored(there, second["snapshot"], name) == truth(org, name), name
        assert stored(there, first["snapshot"], name) == before[name], name
        entry = second["objects"][name]
        assert entry["org_count"] == entry["our_count"]
    print(org.ledger(after=mark))


def changes_of(summary: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(c["object"], c["field"], c["change"]) for c in summary["schema"]}


def agrees(there: Connection, org: RunningOrg, summary: dict[str, Any]) -> None:
    """The snapshot has the org's records, and the counts say so."""
    assert summary["state"] == "completed", summary["objects"]
    for name, entry in summary["objects"].items():
        assert stored(there, summary["snapshot"], name) == truth(org, name), name
        assert entry["org_count"] in (None, entry["our_count"]), (name, entry)


@pytest.mark.parametrize("is_known", [True, False])
def test_late_commits_and_equal_stamps_are_found_by_the_next_backup(
    org: RunningOrg, connected: Connector, is_known: bool
) -> None:
    """
    A row whose transaction ends ten minutes after the backup has a stamp from before it, whether
    the org's list stops before open transactions or not.
    """
    there = connected(org)
    run(there, ["Account"])
    pass_minutes(org, 60)
    life(org, "change", "Account", rows=30, field="Description", late_s=590, is_known=is_known)
    life(org, "insert", "Account", rows=3)
    pass_minutes(org, 8)
    second = run(there, ["Account"])
    assert counts(second, "Account") == ("incremental", 3, 0, 0)
    pass_minutes(org, 10)
    third = run(there, ["Account"])
    assert counts(third, "Account") == ("incremental", 0, 30, 0)
    agrees(there, org, third)
    assert counts(run(there, ["Account"]), "Account") == ("incremental", 0, 0, 0)


def test_the_present_minute_is_seen_although_the_lists_leave_it_out(
    org: RunningOrg, connected: Connector
) -> None:
    """Rows are counted by their stamps; a record that is gone is missed by the org's statistic."""
    there = connected(org)
    run(there)
    life(org, "insert", "Account", rows=1)
    life(org, "change", "Contact", rows=1, field="Description")
    life(org, "hard_delete", "Case", rows=1)
    agrees(there, org, run(there, ["Account", "Contact", "Task", "Case"]))


def test_changes_of_the_schema_are_named_and_new_fields_read_for_all_rows(
    org: RunningOrg, connected: Connector
) -> None:
    """Old snapshots keep the field that is hidden now; a picklist and a new object are named."""
    there = connected(org)
    first = run(there, None)
    old = stored(there, first["snapshot"], "Contact")
    pass_minutes(org, 5)
    org.control(
        "schema",
        [
            {
                "do": "add_field",
                "object": "Account",
                "field": "Sfnb_Zone__c",
                "type": "string",
                "value": "EMEA",
            },
            {"do": "picklist", "object": "Task", "field": "Priority", "add": ["Someday"]},
        ],
    )
    org.control("access", {"hide": "Contact.Description"})
    pass_minutes(org, 5)
    second = run(there, None)
    assert changes_of(second) == {
        ("Account", "Sfnb_Zone__c", "field_added"),
        ("Contact", "Description", "field_hidden"),
        ("Task", "Priority", "picklist_changed"),
    }
    assert {w["code"] for w in second["warnings"]} >= {"field_hidden"}
    assert second["objects"]["Account"]["mode"] == "incremental"
    agrees(there, org, second)
    assert stored(there, first["snapshot"], "Contact") == old
    third = run(there, None)
    assert third["schema"] == [] and third["objects"]["Account"]["mode"] == "incremental"


def test_half_of_the_records_out_of_sight_are_not_deleted(
    org: RunningOrg, connected: Connector
) -> None:
    """Rule 2: the user lost View All Data. Nothing is stored as deleted; the job says why."""
    there = connected(org)
    first = run(there, ["Account", "Lead"])
    pass_minutes(org, 5)
    org.control("access", {"permission": "ViewAllData", "has": False})
    for options in ({"full": True}, {"sweep": True}, {}):
        found = run(there, ["Account", "Lead"], **options)
        assert found["state"] == "completed_with_errors" or not options
        assert "partial_visibility" in {w["code"] for w in found["warnings"]}
        assert all(entry.get("deleted", 0) == 0 for entry in found["objects"].values())
    org.control("access", {"permission": "ViewAllData", "has": True})
    agrees(there, org, run(there, ["Account", "Lead"]))
    assert first["snapshot"]


def test_an_unchanged_org_costs_its_lists_and_no_commit(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """
    No object is read that tells its changes; a file says which are unchanged. Where composite
    refuses lists, it works too.

    What can only be read in full (rows that share Ids, objects that answer to parents alone) is:
    its calls are its own.
    """
    for refused in ((), ("updated", "deleted")):
        org = fresh_org(start_at=BORN, refused_in_composite=refused, empty_objects=30)
        there = connected(org, home=f"home-{len(refused)}")
        engine.run(there, backup(files=False, metadata=False))
        pass_minutes(org, 60)
        mark = org.mark()
        second = engine.run(there, backup(files=False, metadata=False))
        assert second["state"] == "completed"
        incremental = [e for e in second["objects"].values() if e.get("mode") == "incremental"]
        assert len(incremental) > 60 and not any(e["added"] or e["changed"] for e in incremental)
        in_full = sum(e["calls"] for e in second["objects"].values() if e.get("mode") == "full")
        spent = org.ledger(after=mark)
        assert spent["spent"]["api"] - in_full <= (80 if refused else 45), (in_full, spent)


def test_a_sweep_finds_what_no_stamp_and_no_list_tells(
    org: RunningOrg, connected: Connector
) -> None:
    """Records that vanished while the log of deletions was emptied; all Ids are compared, and agree."""
    there = connected(org, clock=FakeClock(BORN))
    objects = ["Account", "CampaignMember", "Campaign"]
    run(there, objects)
    pass_minutes(org, 60)
    life(org, "hard_delete", "CampaignMember", rows=5)
    life(org, "insert", "Account", rows=2)
    pass_minutes(org, 60)
    life(org, "forget", "CampaignMember")
    org.server.org.options.record_count_age_minutes = 10_000.0  # type: ignore[union-attr]
    pass_minutes(org, 9 * 24 * 60)
    swept = run(there, objects, sweep=True)
    assert counts(swept, "Account") == ("incremental", 2, 0, 0)
    mode, _, _, deleted = counts(swept, "CampaignMember")
    assert mode == "incremental" and deleted >= 5
    assert all(entry["ids_match"] is True for entry in swept["objects"].values())
    agrees(there, org, swept)
    # Its moment is the org's, not that of our clock, which stands here: the next one is not due yet.
    next_one = engine.plan(there, backup(objects=objects)).plan
    assert [one.wants_sweep for one in next_one.objects.values()] == ["", "", ""]


def test_where_neither_list_nor_statistic_tells_of_deletions_the_org_counts(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """
    Purged records leave no stamp, and a server without ``/deleted`` and without the statistic
    tells nobody. The same backup finds them, and no count is claimed that nobody has told.
    """
    org = fresh_org(start_at=BORN)
    missing = {"fault": "error", "code": "NOT_FOUND", "status": 404}
    org.fail(match="GET .*/limits/recordCount", **missing)
    org.fail(match="GET .*/deleted", inside="both", **missing)
    there = connected(org)
    run(there, ["Account", "CampaignMember"])
    pass_minutes(org, 60)
    life(org, "hard_delete", "CampaignMember", rows=3)
    pass_minutes(org, 60)
    second = run(there, ["Account", "CampaignMember"])
    assert counts(second, "CampaignMember") == ("incremental", 0, 0, 3)
    agrees(there, org, second)


def test_a_lost_part_is_read_again_and_ends_no_other_object(
    org: RunningOrg, connected: Connector
) -> None:
    """The state before cannot be read: the object begins afresh; the others go on as ever."""
    there = connected(org)
    run(there, ["Account", "Contact"])
    for part in (Path(there.store.root) / "records" / "Account").rglob("*.parquet"):
        part.unlink()
    pass_minutes(org, 5)
    life(org, "change", "Account", rows=2, field="Description")
    pass_minutes(org, 5)
    healed = run(there, ["Account", "Contact"])
    assert healed["objects"]["Account"]["mode"] == "full"
    assert healed["objects"]["Contact"]["mode"] == "incremental"
    agrees(there, org, healed)
    pass_minutes(org, 5)
    life(org, "change", "Account", rows=3, field="Description")
    pass_minutes(org, 5)
    agrees(there, org, run(there, ["Account", "Contact"]))


def test_a_page_that_fails_for_good_moves_no_watermark(
    org: RunningOrg, connected: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the changes one page comes and the next ones never; the next backup has those of all pages."""
    monkeypatch.setattr("sfnb.backup.plan.BULK_FROM_ROWS", 50)
    monkeypatch.setattr("sfnb.backup.plan.BULK_PAGE_ROWS", 40)
    there = connected(org)
    run(there, ["Contact"])
    pass_minutes(org, 60)
    life(org, "change", "Contact", rows=120, field="Description")
    pass_minutes(org, 60)
    never = {"object": "Contact", "fault": "error", "code": "UNKNOWN_FAILURE", "status": 400}
    org.fail(match="/results", nth=2, **never)
    org.fail(match="/queryAll", field="LastName", inside="both", **never)
    failed = run(there, ["Contact"])
    assert failed["objects"]["Contact"]["state"] != "complete", failed["objects"]
    org.control("faults", method="DELETE")
    pass_minutes(org, 60)
    healed = run(there, ["Contact"])
    assert counts(healed, "Contact") == ("incremental", 0, 120, 0)
    agrees(there, org, healed)


def test_an_empty_object_gains_its_first_records(org: RunningOrg, connected: Connector) -> None:
    """An object that was complete without a record has a state to compare with."""
    there = connected(org)
    life(org, "hard_delete", "Campaign", rows=100_000)
    first = run(there, ["Campaign"])
    assert (first["state"], first["objects"]["Campaign"]["our_count"]) == ("completed", 0)
    pass_minutes(org, 60)
    life(org, "insert", "Campaign", rows=4)
    pass_minutes(org, 8)
    second = run(there, ["Campaign"])
    assert counts(second, "Campaign") == ("incremental", 4, 0, 0)
    agrees(there, org, second)


def test_each_call_of_an_unchanged_backup_is_known(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """So many calls and not one more: who adds a call to every night changes this number."""
    org = fresh_org(start_at=BORN, empty_objects=60, has_oddities=False)
    there = connected(org)
    engine.run(there, backup(files=False, metadata=False))
    spent = []
    for _ in range(2):
        pass_minutes(org, 60)
        mark = org.mark()
        summary = engine.run(there, backup(files=False, metadata=False), workers=1)
        spent.append(org.ledger(after=mark)["spent"]["api"])
        assert summary["calls"]["api"] == spent[-1], "and each of them is in the outcome"
    assert spent == [33, 33]


@pytest.mark.parametrize("inside", [True, "both"])
def test_lists_of_too_many_ids_are_done_without(
    org: RunningOrg, connected: Connector, inside: bool | str
) -> None:
    """
    Over 600,000 Ids a change list is refused (EXCEEDED_ID_LIMIT, REST guide): what changed is found
    by its stamps, what is gone by the counts; nothing is lost and no object fails.
    """
    there = connected(org)
    run(there)
    pass_minutes(org, 60)
    life(org, "insert", "Account", rows=2)
    life(org, "change", "Contact", rows=4, field="Description")
    life(org, "delete", "Task", rows=3)
    life(org, "hard_delete", "Opportunity", rows=2)
    pass_minutes(org, 3)
    org.fail(
        match=r"/(updated|deleted)/",
        inside=inside,
        fault="error",
        code="EXCEEDED_ID_LIMIT",
        status=400,
        message="cannot return more than 600000 ids",
    )
    summary = run(there)
    agrees(there, org, summary)
    assert counts(summary, "Opportunity")[3] >= 2
    assert any("list was refused" in (e["message"] or "") for e in summary["objects"].values())


def test_a_retired_value_of_a_picklist_stays_in_the_records(
    org: RunningOrg, connected: Connector
) -> None:
    """
    Describe does not list it any more, and records still have it: the snapshots have the org's
    values, by changes and in full, no record counts as changed, and the schema names the value.
    """
    there = connected(org)
    first = run(there, ["Task"])
    values = [row["Priority"] for row in stored(there, first["snapshot"], "Task").values()]
    retired = max(set(filter(None, values)), key=values.count)
    pass_minutes(org, 60)
    change = {"do": "picklist", "object": "Task", "field": "Priority", "retire": [retired]}
    org.control("schema", [change])
    pass_minutes(org, 60)
    for options in ({}, {"full": True}):
        found = run(there, ["Task"], **options)
        agrees(there, org, found)
        if not options:
            assert counts(found, "Task") == ("incremental", 0, 0, 0)
            said = next(c for c in found["schema"] if c["field"] == "Priority")
            assert said["change"] == "picklist_changed"
            assert retired in said["old"] and retired not in said["new"]
        now = [row["Priority"] for row in stored(there, found["snapshot"], "Task").values()]
        assert now.count(retired) == values.count(retired) > 1
        between = diff(there.snapshots, first["snapshot"], found["snapshot"], objects=["Task"])
        assert "Task" not in between.counts or between.counts["Task"].changed == 0
