"""What a restore plans, against a demo org in which records were deleted and changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import sfnb
from sfnb.connection import Connection
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.plan import Counts, End, PlannedRow, RestorePlan
from sfnb.restore.planning import Planning
from sfnb.restore.request import RestoreRequest
from tests.command_line import CommandLine
from tests.conftest import RunningOrg

Rows = list[dict[str, Any]]

ELSEWHERE = "00D000000000001AAA"

OBJECTS = (
    "Account,Contact,Case,Invoice__c,Invoice_Line__c,Order,OrderItem,User,Group,Pricebook2,"
    "PricebookEntry,Product2"
)


@dataclass
class Planned:
    """A plan with its rows, and what it took."""

    plan: RestorePlan
    folder: RestoreFolder
    calls: int

    def rows(self) -> list[PlannedRow]:
        """Of all waves, in the order to send."""
        return [r for w in self.plan.waves for r in self.folder.wave_rows(w.number, w.object_name)]

    def row(self, record_id: str) -> PlannedRow:
        (found,) = [row for row in self.rows() if row.old_id == record_id]
        return found


class Backed:
    """An org with a backup, and restores planned from it."""

    def __init__(self, org: RunningOrg, connection: Connection, home: CommandLine) -> None:
        self.org = org
        self.home = home
        self.connection = connection
        self.snapshot = connection.snapshots["latest"]
        self._plans = 0

    def table(self, name: str) -> Rows:
        rows: Rows = self.snapshot.table(name).to_pylist()
        return sorted(rows, key=lambda row: row["Id"])

    def leaves(self) -> Rows:
        """Contacts that no record of the snapshot refers to."""
        named = {row["ReportsToId"] for row in self.table("Contact")}
        named |= {row["ContactId"] for row in self.table("Case")}
        return [row for row in self.table("Contact") if row["Id"] not in named]

    def do(self, do: str, object_name: str, ids: list[str], **more: Any) -> None:
        self.org.control("rows", {"do": do, "object": object_name, "ids": ids, **more})

    def plan(self, into: Connection | None = None, **options: Any) -> Planned:
        self._plans += 1
        target = into or self.connection
        # Two demo orgs have one Organization Id.
        org_id = ELSEWHERE if into else self.snapshot.manifest.org_id
        request = RestoreRequest(org_id, self.snapshot.id, **options)
        folder = RestoreFolder(target.store.files, f"plan{self._plans}")
        before = self.org.mark()
        plan = Planning(
            target.client,
            self.snapshot,
            End("x", org_id, self.snapshot.id),
            End(target.name, target.org_id),
            request,
            folder,
        ).run()
        return Planned(plan, folder, self.org.mark() - before)


@pytest.fixture
def backed(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Iterator[Backed]:
    with make_backed(fresh_org, tmp_path, "--no-files", "--objects", OBJECTS) as made:
        yield made


@contextmanager
def make_backed(
    fresh_org: Callable[..., RunningOrg], folder: Path, *options: str
) -> Iterator[Backed]:
    org = fresh_org(own_data=True)
    # What the org's own people wrote last lies before the window that a plan looks into.
    org.control("clock", {"advance_minutes": 30})
    home = CommandLine.with_org(folder / "home", org)
    assert home("limit", "x", "99").code == 0
    ran = home("backup", "x", *options, "--json")
    assert ran.code == 0, ran.err
    with patch.dict(os.environ, home.environ, clear=True), sfnb.connect("x") as connection:
        yield Backed(org, connection, home)


def test_each_record_gets_what_it_needs(backed: Backed) -> None:
    """Deleted ones are undeleted, purged ones made, changed ones changed back, the others left alone."""
    contacts = backed.leaves()
    same, binned, purged, changed = (row["Id"] for row in contacts[:4])
    backed.do("delete", "Contact", [binned])
    backed.do("hard_delete", "Contact", [purged])
    backed.do("change", "Contact", [changed], field="Description", value="other")
    planned = backed.plan(ids=(same, binned, purged, changed))
    assert planned.plan.counts == Counts(create=1, update=1, undelete=1, skip=1)
    assert [wave.kind for wave in planned.plan.waves] == ["undelete", "update", "insert"]
    was = {row["Id"]: row for row in contacts}
    assert planned.row(changed).values == {"Description": was[changed]["Description"]}
    made = planned.row(purged)
    assert made.target_id == ""
    assert made.values["LastName"] == was[purged]["LastName"]
    assert made.values["OwnerId"] == was[purged]["OwnerId"]
    assert "Name" not in made.values
    assert "Name" in planned.plan.not_written["Contact"]
    assert planned.plan.keys == {"Contact": "External_Id__c"}
    assert planned.calls <= 5, "one of them lists what runs by itself"
    assert planned.plan.preparation_calls == planned.calls


def test_whole_objects_find_by_themselves_what_has_changed(backed: Backed) -> None:
    """Without Ids, all that was deleted, purged or changed since the snapshot is found, and only that."""
    contacts = backed.leaves()
    binned, purged, changed = (row["Id"] for row in contacts[10:13])
    backed.do("delete", "Contact", [binned])
    backed.do("hard_delete", "Contact", [purged])
    backed.do("change", "Contact", [changed], field="Title", value="other")
    everything = backed.plan()
    assert everything.plan.counts == Counts(create=1, update=1, undelete=1)
    assert {row.old_id for row in everything.rows()} == {binned, purged, changed}
    only = backed.plan(objects=("Contact",), only="deleted")
    assert {row.old_id for row in only.rows()} == {binned, purged}
    changed_only = backed.plan(objects=("Contact",), only="changed")
    assert {row.old_id for row in changed_only.rows()} == {changed}


def test_a_plan_is_made_once(backed: Backed) -> None:
    """The plan that was written is what is carried out, whatever the org does meanwhile."""
    (record_id,) = [row["Id"] for row in backed.leaves()[:1]]
    backed.do("delete", "Contact", [record_id])
    first = backed.plan(ids=(record_id,))
    backed._plans -= 1
    backed.do("undelete", "Contact", [record_id])
    again = backed.plan(ids=(record_id,))
    assert again.calls == 0
    assert again.plan == first.plan


def test_a_conflict_stops_a_plan_that_must_not_meet_one(backed: Backed) -> None:
    """Under fail nothing is planned to be written once one record differs."""
    first, second = (row["Id"] for row in backed.leaves()[:2])
    backed.do("change", "Contact", [first], field="Title", value="other")
    backed.do("delete", "Contact", [second])
    planned = backed.plan(ids=(first, second), on_conflict="fail")
    assert planned.plan.is_stopped
    assert not planned.plan.waves
    skipped = backed.plan(ids=(first, second), on_conflict="skip")
    assert skipped.plan.counts == Counts(undelete=1, skip=1)
    assert skipped.plan.skips == {"conflict": 1}


def lines_of(backed: Backed, count: int) -> tuple[str, list[str]]:
    """An invoice with at least so many lines, and these."""
    lines = backed.table("Invoice_Line__c")
    for invoice in backed.table("Invoice__c"):
        own = [line["Id"] for line in lines if line["Invoice__c"] == invoice["Id"]]
        if len(own) >= count:
            return invoice["Id"], own
    raise AssertionError("no invoice has so many lines")


def test_what_comes_back_with_its_parent_is_planned_and_not_sent(backed: Backed) -> None:
    """Details in the bin are counted with their master, come after it, and nobody undeletes them."""
    invoice, lines = lines_of(backed, 2)
    backed.do("delete", "Invoice__c", [invoice])
    planned = backed.plan(ids=(invoice,))
    assert planned.plan.counts == Counts(undelete=1 + len(lines))
    top, details = planned.plan.waves
    assert (top.object_name, top.sent) == ("Invoice__c", 1)
    assert (details.object_name, details.sent, details.rows) == ("Invoice_Line__c", 0, len(lines))
    assert {row.with_parent for row in planned.rows()} == {"", invoice}
    assert [wave.calls for wave in planned.plan.waves] == [1, 0]


def test_children_and_needed_parents(backed: Backed) -> None:
    """A detail without its master is refused by name; with children wanted, either brings the other."""
    invoice, lines = lines_of(backed, 2)
    backed.do("hard_delete", "Invoice__c", [invoice])
    alone = backed.plan(ids=(lines[0],))
    assert alone.plan.counts == Counts(refuse=1)
    (refusal,) = alone.plan.refusals
    assert (refusal.object_name, refusal.field, refusal.reason, refusal.rows) == (
        "Invoice_Line__c",
        "Invoice__c",
        "parent_missing",
        1,
    )
    (refused,) = alone.folder.refused_rows("Invoice_Line__c")
    assert refused.values["Invoice__c"] == invoice
    up = backed.plan(ids=(lines[0],), children=1)
    assert [row.old_id for row in up.rows()] == [invoice, lines[0]]
    down = backed.plan(ids=(invoice,), children=1)
    assert next(row.old_id for row in down.rows()) == invoice
    assert {row.old_id for row in down.rows()} == {invoice, *lines}
    assert backed.plan(ids=(invoice,)).plan.counts == Counts(create=1)


def test_rows_of_one_object_are_made_level_by_level(backed: Backed) -> None:
    """Records that refer to others of their object come after them, in waves of their own."""
    reporting = [row for row in backed.table("Contact") if row["ReportsToId"]]
    some = [reporting[0]["Id"], reporting[0]["ReportsToId"]]
    backed.do("hard_delete", "Contact", some)
    planned = backed.plan(ids=tuple(some))
    emptied = [row for row in planned.rows() if row.action == "update"]
    assert all(row.values.keys() <= {"ReportsToId", "ContactId"} for row in emptied)
    sent = [row.old_id for row in planned.rows() if row.action == "create"]
    assert sent == [some[1], some[0]]
    inserts = [wave for wave in planned.plan.waves if wave.kind == "insert"]
    assert [wave.rows for wave in inserts] == [1, 1]


def test_an_order_is_activated_last(backed: Backed) -> None:
    """An activated order is made as a draft, gets its products, and then its status."""
    lines = backed.table("OrderItem")
    order = next(
        row["Id"]
        for row in backed.table("Order")
        if row["Status"] == "Activated" and any(line["OrderId"] == row["Id"] for line in lines)
    )
    own = [line["Id"] for line in lines if line["OrderId"] == order]
    backed.do("hard_delete", "Order", [order])
    planned = backed.plan(ids=(order,), children=1)
    rows = [row for row in planned.rows() if row.object_name in ("Order", "OrderItem")]
    assert rows[0].values["Status"] == "Draft"
    assert {row.old_id for row in rows[1:-1]} == set(own)
    assert (rows[-1].old_id, rows[-1].target_id) == (order, "")
    assert rows[-1].values == {"Status": "Activated"}
    assert planned.plan.waves[-1].kind == "late"


def test_a_lookup_that_the_org_emptied_is_filled(backed: Backed) -> None:
    """A living record gets its lookup back, after the record that it points at is there again."""
    in_cases = {row["ContactId"] for row in backed.table("Case")}
    contact = next(
        row for row in backed.leaves() if row["ReportsToId"] and row["ReportsToId"] not in in_cases
    )
    boss = contact["ReportsToId"]
    backed.do("hard_delete", "Contact", [boss])
    planned = backed.plan(ids=(boss,))
    assert planned.row(contact["Id"]).values == {"ReportsToId": boss}
    order = [row.old_id for row in planned.rows()]
    assert order.index(boss) < order.index(contact["Id"])
    left = backed.plan(ids=(boss,), on_conflict="skip")
    assert left.plan.counts == Counts(create=1)
    # Whole objects, in an org that empties lookups without a new stamp.
    assert backed.org.server is not None
    sql = 'UPDATE "Contact" SET "SystemModstamp" = "CreatedDate" WHERE "ReportsToId" IS NULL'
    backed.org.server.org.database.storage.rows(sql)
    whole = backed.plan(objects=("Contact",))
    assert whole.row(contact["Id"]).values == {"ReportsToId": boss}


def test_a_second_restore_makes_nothing_again(backed: Backed) -> None:
    """What an earlier restore made under new Ids is found, compared and left alone; never made twice."""
    ids = tuple(row["Id"] for row in backed.leaves()[:3])
    backed.do("hard_delete", "Contact", list(ids))
    ran = backed.home("restore", "x", backed.snapshot.id, "--objects", "Contact", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["restored"]["created"] == len(ids)
    again = backed.plan(objects=("Contact",))
    assert again.plan.counts.written == 0
    chosen = backed.plan(ids=ids)
    assert chosen.plan.counts == Counts(skip=len(ids))
    new = {old: target for _, old, target in chosen.folder.matched()}
    assert set(new) == set(ids)
    # Changed and deleted since, they are treated by what they are now.
    first, second, third = (new[i] for i in ids)
    backed.do("change", "Contact", [first], field="Title", value="other")
    backed.do("delete", "Contact", [second])
    backed.do("hard_delete", "Contact", [third])
    last = backed.plan(ids=ids)
    assert last.plan.counts == Counts(create=1, update=1, undelete=1)
    assert last.row(ids[0]).target_id == first
    assert last.row(ids[1]).target_id == second
    assert last.row(ids[2]).target_id == ""


def test_a_child_finds_the_parent_that_was_made_again(backed: Backed) -> None:
    """A record's lookup leads to its parent's new Id, though that restore was another one."""
    in_cases = {row["ContactId"] for row in backed.table("Case")}
    contact = next(
        row for row in backed.leaves() if row["ReportsToId"] and row["ReportsToId"] not in in_cases
    )
    boss = contact["ReportsToId"]
    backed.do("hard_delete", "Contact", [boss])
    assert backed.home("restore", "x", backed.snapshot.id, "--objects", "Contact").code == 0
    backed.do("hard_delete", "Contact", [contact["Id"]])
    planned = backed.plan(ids=(contact["Id"],))
    assert planned.row(contact["Id"]).values["ReportsToId"] == boss
    assert boss in {old for _, old, _ in planned.folder.matched()}


def rows_of(org: RunningOrg, name: str) -> Rows:
    soql = f"SELECT Id, External_Id__c FROM {name} WHERE External_Id__c != null"
    answer = org.get("/services/data/v66.0/query", params={"q": soql}).json()
    assert answer["done"]
    records: Rows = answer["records"]
    return records


def test_another_org(backed: Backed, fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> None:
    """In another org what has a counterpart is found by its keys, the rest is made, parents first."""
    other = fresh_org(own_data=True, seed=2)
    other.control("rows", {"do": "hard_delete", "object": "Account", "rows": 60})
    kept = {
        name: {row["External_Id__c"] for row in rows_of(other, name)}
        for name in ("Account", "Contact")
    }
    accounts = {row["Id"]: row["External_Id__c"] for row in backed.table("Account")}
    homeless = [
        row["Id"]
        for row in backed.table("Contact")
        if row["External_Id__c"] not in kept["Contact"]
        and row["AccountId"]
        and accounts[row["AccountId"]] not in kept["Account"]
    ]
    assert homeless
    backed.home.environ["Y_TOKEN"] = other.access_token
    added = backed.home(
        "org", "add", "y", "--instance-url", other.url, "--access-token-env", "Y_TOKEN"
    )
    assert added.code == 0, added.err
    with patch.dict(os.environ, backed.home.environ, clear=True), sfnb.connect("y") as there:
        alone = backed.plan(there, objects=("Contact",), owner=other.username)
        planned = backed.plan(there, objects=("Account", "Contact"), owner=other.username)
    contacts = len(backed.table("Contact"))
    of_contacts = planned.plan.objects["Contact"]
    assert sum(of_contacts.as_json().values()) == contacts
    assert of_contacts.create > 0
    assert planned.plan.skips["matched"] > 0
    matched = {old: new for _, old, new in planned.folder.matched()}
    made = {row.old_id for row in planned.rows() if row.action == "create"}
    sent = [row.old_id for row in planned.rows() if row.action == "create"]
    assert len(sent) == len(made)
    order = {old_id: place for place, old_id in enumerate(sent)}
    for row in planned.rows():
        for name in ("AccountId", "ReportsToId"):
            parent = row.values.get(name)
            assert parent is None or parent in matched or parent in made
            if parent in made and row.action == "create":
                assert order[parent] < order[row.old_id]
    # Without their accounts, contacts lose that reference, and it is said.
    (dropped,) = [r for r in alone.plan.refusals if r.field == "AccountId"]
    assert (dropped.reason, dropped.rows) == ("parent_missing", len(homeless))
    assert "AccountId" not in alone.row(homeless[0]).values
    assert "AccountId" in planned.row(homeless[0]).values
