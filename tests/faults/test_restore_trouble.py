"""A thousand rows in trouble: what is planned is restored or refused by name, and once."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.restore_campaign.campaign import (
    demo_org,
    good,
    id_map,
    rejected,
    shell_for,
    truth,
)
from tests.restore_campaign.records import Truth, compare, save

OBJECTS = ("Account", "Project__c", "Milestone__c")


@pytest.fixture
def org(tmp_path: Path) -> Iterator[RunningOrg]:
    with demo_org(tmp_path / "org") as running:
        yield running


def backed_up(org: RunningOrg, home: Path) -> tuple[CommandLine, Truth]:
    shell = shell_for(org, home)
    org.control("clock", {"advance_minutes": 30})
    good(shell("backup", "demo", "--objects", ",".join(OBJECTS), "--json"), 0)
    before = truth(org, OBJECTS)
    org.control("clock", {"advance_minutes": 60})
    return shell, before


def restored(shell: CommandLine, *codes: int) -> dict[str, Any]:
    ran = shell("restore", "demo", "latest", "--objects", ",".join(OBJECTS), "--json")
    return dict(good(ran, *codes))


def many(org: RunningOrg, rows: int) -> list[str]:
    """Milestones of one project for Bulk."""
    assert org.server is not None
    (project,) = save(org, "POST", "Project__c", [{"Name": "Whole"}])
    new = [{"Project__c": project["id"], "Comment__c": f"line\n{n}"} for n in range(rows)]
    return [r["id"] for r in save(org, "POST", "Milestone__c", new)]


def test_a_thousand_rows_that_are_locked_or_refused(org: RunningOrg, tmp_path: Path) -> None:
    """Locked rows are tried again, refused ones are named: restored + refused = planned."""
    made = many(org, 1000)
    shell, before = backed_up(org, tmp_path / "home")
    org.control("rows", {"do": "hard_delete", "object": "Milestone__c", "ids": made})
    project = next(i for i, row in before.of("Project__c").items() if row["Name"] == "Whole")
    org.control(
        "writes", {"lock": {project: 250}, "most_rows": {"Milestone__c": 60}, "free_rows": 700}
    )
    result = restored(shell, 3)
    planned, done = result["plan"], result["restored"]
    assert done["created"] + done["refused"] == planned["create"] == 1000
    assert done["created"] == 700
    (full,) = result["refusals"]
    assert (full["object"], full["reason"]) == ("Milestone__c", "storage_full")
    refused = rejected(result)
    assert len(refused) == 300
    assert all("STORAGE_LIMIT_EXCEEDED" in why for why in refused.values())
    found = compare(before, truth(org, OBJECTS), id_map(result), refused=refused)
    assert (found.lost, found.doubled, found.changed) == ([], [], [])
    with Path(result["rejects"]).open(encoding="utf-8", newline="") as file:
        assert {row["Comment__c"][:5] for row in csv.DictReader(file)} == {"line\n"}
    org.control("writes", {"free_rows": None})
    again = shell("restore", "demo", "latest", "--from-rejects", result["rejects"], "--json")
    ids = id_map(result) | id_map(good(again, 0))
    found = compare(before, truth(org, OBJECTS), ids)
    assert (found.lost, found.doubled, found.changed) == ([], [], [])
