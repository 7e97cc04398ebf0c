"""Restores: nothing twice, nothing lost, whatever happens between a call and its answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from sfnb import engine
from sfnb.clock import FakeClock
from sfnb.errors import JobError
from sfnb.restore.journal import Batch, Outcome
from sfnb.restore.lookup import Lookup
from sfnb.restore.plan import Wave
from sfnb.restore.sending import Item
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector
from tests.faults.restore_world import DATA, World, read

FIELDS = "LastName,FirstName,Email,Phone,External_Id__c,AccountId,Birthdate,HasOptedOutOfEmail"


@pytest.fixture
def world(fresh_org: Callable[..., RunningOrg], connected: Connector) -> World:
    """A tiny org whose contacts are backed up."""
    org = fresh_org(own_data=True, has_oddities=False)
    here = World(org, connected(org, clock=FakeClock()))
    # Contacts with cases may not be deleted.
    org.control("rows", {"do": "hard_delete", "object": "Case", "rows": 100_000})
    (owner,) = here.ids("User", limit=1)
    for row in here.rows("SELECT Id, OwnerId FROM Contact"):
        if not row["OwnerId"].startswith("005"):
            here.update("Contact", row["Id"], OwnerId=owner)
    here.backup("Account", "Contact")
    return here


def contacts(world: World) -> list[dict[str, Any]]:
    return world.rows(f"SELECT {FIELDS} FROM Contact ORDER BY External_Id__c, LastName")


def written(summary: dict[str, Any]) -> tuple[int, ...]:
    """Created, undeleted and refused; what a deletion emptied elsewhere is updated, too."""
    assert summary["restored"]["updated"] >= 10
    return tuple(summary["restored"][key] for key in ("created", "undeleted", "refused"))


INSERT = r"^POST .*/composite/sobjects/?$"
UPDATE = r"^PATCH .*/composite/sobjects/?$"
SOAP = r"^POST .*/Soap/u/"


def test_deleted_records_come_back_with_their_ids(world: World) -> None:
    """Undelete keeps Ids; the counts say so, and nothing else is written."""
    ids = world.ids("Contact", limit=5)
    before = contacts(world)
    world.delete(ids)
    summary = world.restore(ids=ids)
    assert summary["state"] == "completed"
    assert summary["kind"] == "restore"
    assert summary["plan"]["undelete"] == summary["restored"]["undeleted"] == 5
    assert summary["rejects"] is None and summary["id_map"] is None
    assert contacts(world) == before
    assert world.ids("Contact", limit=5) == ids


@pytest.mark.parametrize("cuts", [0, 1])
def test_what_was_changed_before_it_was_deleted_is_changed_back(world: World, cuts: int) -> None:
    """
    An undelete gives back the record as it was when it was deleted; empty fields are empty again.
    """
    query = "SELECT Id, Phone, Title, Department, Description FROM Contact ORDER BY Id LIMIT 8"
    before = world.rows(query)
    names = ("Phone", "Title", "Department", "Description")
    assert any(row[name] is None for row in before for name in names)
    for row in before:
        world.update("Contact", row["Id"], **dict.fromkeys(names, "other"))
    world.delete([row["Id"] for row in before])
    if cuts:
        world.org.fail(match=SOAP, fault="cut", times=cuts)
    assert world.restore()["restored"]["undeleted"] == 8
    assert world.rows(query) == before


def test_one_record_takes_at_most_eight_calls(world: World) -> None:
    """From the command to its return, planning and reading back included."""
    (record_id,) = world.ids("Contact", limit=1)
    world.delete([record_id])
    mark = world.org.mark()
    assert world.restore(ids=[record_id])["state"] == "completed"
    assert len(world.org.ledger(after=mark, calls=True)["calls"]) <= 8


def test_what_cannot_be_undeleted_is_created_again(world: World) -> None:
    """Hard-deleted records get new Ids, which the id map has; everything else is as it was."""
    ids = world.ids("Contact", limit=6)
    before = contacts(world)
    world.delete(ids[:3])
    world.delete(ids[3:], hard=True)
    summary = world.restore()
    assert summary["restored"]["undeleted"] == 3 and summary["restored"]["created"] == 3
    assert contacts(world) == before
    mapped = list(csv.DictReader(io.StringIO(read(summary["id_map"]))))
    assert {row["old_id"] for row in mapped} == set(ids[3:])
    alive = {row["Id"] for row in world.rows("SELECT Id FROM Contact")}
    assert {row["new_id"] for row in mapped} <= alive


def test_children_that_take_no_undelete_come_back_once(world: World) -> None:
    """
    ``undeletable: false`` of an object whose records lie in the bin: they come back with their
    parents. Made anew as well, each was there twice.
    """
    change = {"do": "flags", "object": "CaseComment", "undeletable_alone": False}
    world.org.control("schema", change)
    case = {"do": "insert", "object": "Case", "rows": 2}
    world.org.control("rows", case)
    world.org.control("rows", case | {"object": "CaseComment", "rows": 5})
    world.backup("Case", "CaseComment")
    comments = "SELECT ParentId, CommentBody FROM CaseComment ORDER BY Id"
    before = world.rows(comments)
    parent = before[0]["ParentId"]
    own = [row for row in before if row["ParentId"] == parent]
    world.delete([parent])
    summary = world.restore(objects=("Case", "CaseComment"))
    assert summary["restored"]["undeleted"] == 1 + len(own), summary["restored"]
    assert summary["restored"]["created"] == 0
    assert world.rows(comments) == before


def test_a_refused_undelete_becomes_an_insert_in_the_same_run(world: World) -> None:
    """queryAll's word is no promise: a record that is purged after the plan is created."""
    ids = world.ids("Contact", limit=4)
    before = contacts(world)
    world.delete(ids)
    job_id = engine.create(world.mine, engine.restore(ids=ids))
    purged = []

    def purge(_event: object) -> None:
        if not purged and type(_event).__name__ == "JobPlanned":
            world.empty_bin(ids[:1])
            purged.append(ids[0])

    summary = engine.run_job(world.mine, job_id, emit=purge)
    assert purged
    assert summary["restored"]["undeleted"] == 3 and summary["restored"]["created"] == 1
    assert contacts(world) == before


@pytest.mark.parametrize("match", [INSERT, UPDATE, SOAP])
@pytest.mark.parametrize("fault", ["cut", "half_body"])
def test_a_lost_answer_is_looked_up(world: World, match: str, fault: str) -> None:
    """The org did it, nobody heard: no duplicate, no loss, no second write."""
    before = contacts(world)
    ids = world.ids("Contact", limit=30)
    world.delete(ids[:10])
    world.delete(ids[10:20], hard=True)
    for one in ids[20:]:
        world.update("Contact", one, Phone="other")
    world.org.fail(match=match, fault=fault, times=1)
    mark = world.org.mark()
    summary = world.restore()
    assert summary["state"] == "completed", summary
    assert contacts(world) == before
    calls = world.org.ledger(after=mark, calls=True)["calls"]
    assert written(summary) == (10, 10, 0)
    assert len(calls) < 40


@pytest.mark.parametrize("match", [INSERT, UPDATE, SOAP])
def test_a_call_that_did_nothing_is_sent_again(world: World, match: str) -> None:
    """503 before anything was done looks like one after: the lookup finds nothing, and it is sent."""
    before = contacts(world)
    ids = world.ids("Contact", limit=9)
    world.delete(ids[:3])
    world.delete(ids[3:6], hard=True)
    for one in ids[6:]:
        world.update("Contact", one, Phone="other")
    world.org.fail(match=match, fault="status503", times=1)
    summary = world.restore()
    assert summary["state"] == "completed"
    assert contacts(world) == before


@pytest.mark.parametrize("match", [INSERT, UPDATE, SOAP])
def test_killed_between_call_and_answer_a_restore_ends_the_same(
    world: World, connected: Connector, match: str
) -> None:
    """
    P2 for writes: the org did it, this process never noted it, another one goes on from the journal.
    """
    before = contacts(world)
    ids = world.ids("Contact", limit=30)
    world.delete(ids[:10])
    world.delete(ids[10:20], hard=True)
    for one in ids[20:]:
        world.update("Contact", one, Phone="other")
    job_id = engine.create(world.mine, engine.restore())
    world.org.fail(match=match, fault="cut", times=1)
    # Whatever is asked afterwards meets an org that is away, so this process cannot note anything.
    world.org.fail(match="^(GET|POST) .*/(queryAll|composite$)", fault="status503", nth=2)
    summary = engine.run_job(world.mine, job_id, on_pause="exit")
    assert summary["state"] == "paused"
    world.org.control("faults", method="DELETE")
    again = connected(world.org, clock=FakeClock())
    summary = engine.resume(again, job_id)
    assert summary["state"] == "completed"
    assert contacts(world) == before
    assert written(summary) == (10, 10, 0)


def test_nothing_could_be_done_is_a_failure(world: World) -> None:
    """Every record refused: exit code 1, and the rejects file has them."""
    ids = world.ids("Contact", limit=3)
    world.delete(ids, hard=True)
    world.org.fail(
        match=INSERT, fault="error", code="INSUFFICIENT_ACCESS", message="no", status=403
    )
    with pytest.raises(JobError, match="nothing could be restored"):
        world.restore(ids=ids)
    (job,) = [one for one in world.mine.state.jobs.find() if one.kind == "restore"]
    rejects = list(csv.DictReader(io.StringIO(read(job.outcome["rejects"]))))
    # Living contacts whose lookup was emptied by the deletion are among them, too.
    assert {row["sfnb_id"] for row in rejects} >= set(ids)
    codes = {row["sfnb_code"] for row in rejects}
    assert "INSUFFICIENT_ACCESS" in codes <= {"INSUFFICIENT_ACCESS", "INVALID_CROSS_REFERENCE_KEY"}


def test_locked_rows_are_sent_later_and_fewer_at_a_time(world: World) -> None:
    """Rows whose parent is locked are all written once it is free; none is called refused."""
    before = contacts(world)
    ids = world.ids("Contact", limit=60, where="AccountId != null")
    parents = world.rows(f"SELECT AccountId FROM Contact WHERE Id IN ({texts(ids)})")
    world.delete(ids, hard=True)
    locks = {row["AccountId"]: 7 for row in parents}
    world.org.control("writes", {"lock": locks})
    summary = world.restore()
    assert summary["state"] == "completed", read(summary["rejects"])[:2000]
    assert contacts(world) == before


def test_a_row_that_stays_locked_is_refused_alone(world: World) -> None:
    """The job goes on without it, and the rejects file says why."""
    ids = world.ids("Contact", limit=20, where="AccountId != null")
    parent = world.rows(f"SELECT AccountId FROM Contact WHERE Id = '{ids[0]}'")[0]["AccountId"]
    world.delete(ids, hard=True)
    world.org.control("writes", {"lock": {parent: 10_000}})
    summary = world.restore()
    assert summary["state"] == "completed_with_errors"
    rejects = list(csv.DictReader(io.StringIO(read(summary["rejects"]))))
    assert {row["AccountId"] for row in rejects if row["sfnb_code"] == "UNABLE_TO_LOCK_ROW"} == {
        parent
    }
    refused = {row["sfnb_id"] for row in rejects} & set(ids)
    assert len(refused) + summary["restored"]["created"] == 20


def test_limits_of_automation_halve_the_batch(world: World) -> None:
    """200 rows fail together though each is good: fewer at a time pass, and that size is kept."""
    before = contacts(world)
    ids = world.ids("Contact", limit=120)
    world.delete(ids, hard=True)
    world.org.control("writes", {"most_rows": {"Contact": 30}})
    summary = world.restore()
    assert summary["state"] == "completed", read(summary["rejects"])[:2000]
    assert contacts(world) == before


def test_refused_rows_are_mended_and_restored_from_the_rejects_file(world: World) -> None:
    """Storage full: the rest is refused by row; with room, the file brings it in, with its new cells."""
    ids = world.ids("Contact", limit=12)
    world.delete(ids, hard=True)
    world.org.control("writes", {"free_rows": 4})
    summary = world.restore()
    assert summary["state"] == "completed_with_errors"
    assert summary["restored"]["created"] == 4
    rows = list(csv.DictReader(io.StringIO(read(summary["rejects"]))))
    rows = [row for row in rows if row["sfnb_id"] in ids]
    assert "STORAGE_LIMIT_EXCEEDED" in {row["sfnb_code"] for row in rows}
    assert len(rows) == 8
    path = world.mine.settings.home / "mended.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows({**row, "LastName": f"Mended {n}"} for n, row in enumerate(rows))
    world.org.control("writes", {"free_rows": None})
    again = world.restore(ids=[row["sfnb_id"] for row in rows], from_rejects=str(path))
    assert again["state"] == "completed"
    assert again["restored"]["created"] == 8
    mended = world.rows("SELECT Id FROM Contact WHERE LastName LIKE 'Mended %'")
    assert len(mended) == 8
    keys = [row["External_Id__c"] for row in contacts(world)]
    assert len(keys) == len(set(keys))


def test_a_restore_pauses_at_the_limit_and_goes_on(world: World) -> None:
    """P1 and P4: it stops below the threshold, and ends the same once there is room."""
    before = contacts(world)
    ids = world.ids("Contact", limit=90)
    world.delete(ids, hard=True)
    world.org.control("writes", {"most_rows": {"Contact": 5}})
    used = world.mine.limits()["api"].used
    maximum = world.mine.limits()["api"].maximum
    job_id = engine.create(world.mine, engine.restore())
    engine.set_limit(world.mine, max((used + 20) * 100 // maximum, 1))
    mark = world.org.mark()
    summary = engine.run_job(world.mine, job_id, on_pause="exit")
    threshold = world.mine.limits()["api"].threshold
    assert summary["state"] == "paused"
    assert world.org.ledger(after=mark, threshold=threshold)["over_threshold"] == 0
    engine.set_limit(world.mine, 90)
    summary = engine.resume(world.mine, job_id)
    assert summary["state"] == "completed"
    assert contacts(world) == before
    assert summary["restored"]["created"] == 90


def texts(ids: list[str]) -> str:
    return ",".join(f"'{one}'" for one in ids)


@pytest.mark.parametrize("has_key", [True, False])
def test_a_call_that_is_carried_out_after_it_was_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    """
    The org writes a batch after the restore has taken it for lost: with a unique key nothing is there
    twice, without one the second records are named, and the job is not called whole.
    """
    ids = world.ids("Contact", limit=4)
    if not has_key:
        for one in ids:
            world.update("Contact", one, External_Id__c=None)
        world.backup("Account", "Contact")
    before = contacts(world)
    known = set(world.ids("Contact", limit=2000))
    world.delete(ids, hard=True)
    find = Lookup.find

    def then_it_is_written(
        self: Lookup, batch: Batch, wave: Wave, items: list[Item], **how: bool
    ) -> list[Outcome]:
        found = find(self, batch, wave, items, **how)
        records = [{"attributes": {"type": "Contact"}, **item.values} for item in items]
        answer = world.org.send("POST", f"{DATA}/composite/sobjects", json={"records": records})
        assert all(row["success"] for row in answer.json()), answer.text
        return found

    monkeypatch.setattr(Lookup, "find", then_it_is_written)
    world.org.fail(match=INSERT, fault="status503", times=1)
    summary = world.restore(ids=ids)
    doubled = [w for w in summary["warnings"] if w["code"] == "maybe_doubled"]
    assert summary["restored"]["created"] == 4
    if has_key:
        assert summary["state"] == "completed"
        assert contacts(world) == before
        assert doubled == []
    else:
        assert summary["state"] == "completed_with_errors"
        (warning,) = doubled
        mapped = {row["new_id"] for row in csv.DictReader(io.StringIO(read(summary["id_map"])))}
        new = set(world.ids("Contact", limit=2000)) - mapped - known
        assert new and all(one in warning["message"] for one in new)


def test_nonsense_that_lasts_is_the_rows_own_trouble(world: World) -> None:
    """
    The org is there, and what it says of lost rows makes no sense, however often it is asked: those
    rows are refused by name and not sent again, and the job ends.
    """
    ids = world.ids("Contact", limit=3)
    (changed,) = world.ids("Contact", limit=1, where=f"Id > '{ids[-1]}'")
    world.delete(ids, hard=True)
    world.update("Contact", changed, Phone="other")
    world.org.fail(match=INSERT, fault="cut")
    world.org.fail(match="^GET .*/queryAll", fault="rewrite", remove=["records"])
    summary = world.restore()
    assert summary["state"] == "completed_with_errors"
    assert summary["restored"]["updated"] >= 1
    rejects = list(csv.DictReader(io.StringIO(read(summary["rejects"]))))
    why = {row["sfnb_id"]: row["sfnb_message"].partition(":")[0] for row in rejects}
    assert {why[one] for one in ids} <= {"OUTCOME_UNKNOWN", "parent_missing"}
    assert "OUTCOME_UNKNOWN" in why.values()
    assert {row["sfnb_code"] for row in rejects} <= {
        "UNKNOWN_EXCEPTION",
        "INVALID_CROSS_REFERENCE_KEY",
    }
    sent = world.org.control("faults")["rules"][0]["hit"]
    assert 1 <= sent <= 3, "once for each level of contacts"


@pytest.mark.parametrize("kind", ["create", "update", "undelete"])
def test_an_answer_that_belongs_to_another_call_is_not_believed(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """
    A bad cache gives the answer to the first batch again: the org has not seen the second one. Its
    rows are looked up and sent, and nobody takes the first batch's Ids for theirs.
    """
    before = contacts(world)
    # Two batches of one length: an answer for another number of rows is known for lost anyway.
    monkeypatch.setattr("sfnb.restore.collection_sending.MOST_RECORDS", 20)
    ids = world.ids("Contact", limit=40, where="ReportsToId = null")
    assert len(ids) == 40
    match = {"create": INSERT, "update": "^PATCH .*/composite/sobjects", "undelete": "/Soap/u/"}
    if kind == "update":
        changed = {"do": "change", "object": "Contact", "ids": ids, "field": "Phone", "value": "0"}
        world.org.control("rows", changed)
    else:
        world.delete(ids, hard=kind == "create")
    world.org.fail(match=match[kind], fault="replay", times=2)
    summary = world.restore(ids=ids)
    assert [rule["hit"] for rule in world.org.control("faults")["rules"]] == [2]
    assert summary["state"] == "completed", summary
    assert summary["proof"]["different"] == 0
    assert contacts(world) == before
