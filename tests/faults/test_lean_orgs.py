"""Orgs and servers that lack something: a resource, a permission, a budget. The backup takes another reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector

OBJECTS = ["Account", "Contact", "Opportunity", "Vote"]


def the_same(connected: Connector, org: RunningOrg, summary: dict, lean: Connection) -> None:
    """What a lean org gave equals what it gives when nothing is missing."""
    org.control("faults", method="DELETE")
    whole = connected(org, home="whole")
    expected = whole.snapshots[engine.run(whole, backup(objects=OBJECTS))["snapshot"]]
    found = lean.snapshots[summary["snapshot"]]
    for name in OBJECTS:
        assert found.table(name).sort_by("Id").equals(expected.table(name).sort_by("Id")), name


@pytest.mark.parametrize(
    ("match", "why"),
    [
        ("POST .*/composite", "no composite resource"),
        ("GET .*/limits/recordCount", "no View Setup and Configuration"),
        ("POST .*/jobs/query", "Bulk refuses the object"),
    ],
)
def test_a_refused_resource_is_gone_around(
    fresh_org: Callable[..., RunningOrg], connected: Connector, match: str, why: str
) -> None:
    """P2: an org that refuses a convenience is read all the same, every record once."""
    org = fresh_org(max_calls=5000, objects={"Contact": 12_000})
    org.fail(
        match=match,
        fault="error",
        code="FUNCTIONALITY_NOT_ENABLED",
        status=403,
        message=why,
        times=1000,
    )
    lean = connected(org)
    summary = engine.run(lean, backup(objects=OBJECTS))
    assert summary["state"] == "completed", summary
    the_same(connected, org, summary, lean)


def test_an_org_that_tells_no_bulk_budget_is_read_by_rest(
    fresh_org: Callable[..., RunningOrg], connected: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: a budget that the org does not have is never drawn on; there is nothing to wait for either."""
    org = fresh_org(max_calls=5000, objects={"Contact": 12_000})
    lean = connected(org)
    monkeypatch.setitem(
        __import__("sfnb.model", fromlist=["LIMIT_KEYS"]).LIMIT_KEYS, "bulk2", ("NoSuchKey",)
    )
    summary = engine.run(lean, backup(objects=OBJECTS))
    assert summary["state"] == "completed" and summary["calls"]["bulk2"] == 0
    monkeypatch.undo()
    the_same(connected, org, summary, lean)


def test_votes_are_read_by_the_types_of_their_parents(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """
    Salesforce takes ``Parent.Type = [single Type]`` for Vote (object reference): one call has the
    votes of all parents. Where the org refuses that, or tells of none although its statistic has
    some, Ids bring the same.
    """
    org = fresh_org(max_calls=5000)
    whole = connected(org, home="whole")
    summary = engine.run(whole, backup(objects=["Vote"]))
    entry = summary["objects"]["Vote"]
    assert entry["state"] == "complete" and entry["rows"] > 5 and entry["calls"] == 1, entry
    assert engine.plan(whole, backup(objects=["Vote"])).plan.objects["Vote"].calls <= 1
    votes = whole.snapshots[summary["snapshot"]].table("Vote").sort_by("Id")
    refusals: dict[str, dict[str, Any]] = {
        "refused": {"fault": "error", "code": "INVALID_FIELD", "message": "no such relation"},
        "empty": {"fault": "rewrite", "keep": 0, "set": {"totalSize": 0}},
    }
    for home, fault in refusals.items():
        org.fail(soql=r"Parent\.Type", inside="both", **fault)
        lean = connected(org, home=home)
        summary = engine.run(lean, backup(objects=["Vote"]))
        assert summary["state"] == "completed", summary
        found = lean.snapshots[summary["snapshot"]].table("Vote").sort_by("Id")
        assert found.equals(votes), home
        org.control("faults", method="DELETE")


def test_a_refusal_is_paid_for_once_a_week(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """
    What no describe foretells (nobody can query it, its Ids have no order, one parent at a time) is
    remembered: the next backup spends nothing on it, has the same rows, and one after a week asks
    again.
    """
    org = fresh_org(max_calls=5000)
    there = connected(org)
    objects = ["FieldDefinition", "AppDefinition", "ContentFolderItem", "CollaborationGroupRecord"]
    first = engine.run(there, backup(objects=objects))
    second = engine.run(there, backup(objects=objects))
    calls = [{n: s["objects"][n]["calls"] for n in objects} for s in (first, second)]
    assert calls[1]["FieldDefinition"] == 0
    assert second["objects"]["FieldDefinition"]["left_out"]
    assert (first["state"], second["state"]) == ("completed", "completed")
    for name in objects[1:]:
        assert calls[1][name] < calls[0][name], (name, calls)
        assert second["objects"][name]["rows"] == first["objects"][name]["rows"] > 0
    org.control("clock", {"advance_minutes": 8 * 1440})
    third = engine.run(there, backup(objects=objects))
    assert [third["objects"][n]["calls"] for n in objects] == list(calls[0].values())
    forced = engine.run(there, backup(objects=objects, full=True))
    assert forced["objects"]["FieldDefinition"]["calls"] == calls[0]["FieldDefinition"]
