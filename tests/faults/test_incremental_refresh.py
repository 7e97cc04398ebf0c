"""Values that change while no stamp moves: columns are read for all rows, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sfnb import engine
from sfnb.engine import backup
from sfnb.store.verify import verify
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector, SharedClock
from tests.faults.test_incremental import (
    BORN,
    agrees,
    counts,
    life,
    pass_minutes,
    run,
    stored,
)

FORMULA = ("Opportunity", "ExpectedRevenue")


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg]) -> RunningOrg:
    return fresh_org(start_at=BORN)


def refuse_whole_records(org: RunningOrg, name: str, field: str) -> None:
    """Any query that names this field is refused: who reads all columns is found out."""
    org.fail(object=name, field=field, fault="error", code="INVALID_FIELD", times=10_000)


def fields_of(org: RunningOrg, name: str, **flags: Any) -> list[str]:
    described = org.get(f"/services/data/v66.0/sobjects/{name}/describe").json()["fields"]
    return [f["name"] for f in described if all(f.get(k) == v for k, v in flags.items())]


def test_a_refresh_reads_the_computed_columns_of_all_rows_and_no_other(
    org: RunningOrg, connected: Connector
) -> None:
    """Each record has the formula of now, in one version; older snapshots keep that of then."""
    name, formula = FORMULA
    assert formula in fields_of(org, name, calculated=True)
    there = connected(org)
    first = run(there, [name])
    old = stored(there, first["snapshot"], name)
    pass_minutes(org, 60)
    life(org, "drift", name, field=formula)
    refuse_whole_records(org, name, "Description")
    plain = run(there, [name])
    assert stored(there, plain["snapshot"], name) == old, "nothing tells of it"
    refreshed = run(there, [name], refresh=True)
    entry = refreshed["objects"][name]
    assert (entry["mode"], entry["added"], entry["deleted"]) == ("incremental", 0, 0)
    assert entry["changed"] == entry["refreshed"] > 100
    assert entry["ids_match"] is True, "its Ids came along"
    assert "refused" not in (entry.get("message") or "")
    org.control("faults", method="DELETE")
    agrees(there, org, refreshed)
    assert not [w for w in refreshed["warnings"] if w["code"] == "mass_change"]
    assert stored(there, first["snapshot"], name) == old
    assert [f for f in verify(there.store) if f.kind != "note"] == []


def test_changes_deletions_and_a_refresh_are_one_state(
    org: RunningOrg, connected: Connector
) -> None:
    """What was edited, deleted and purged meanwhile is counted as such, and drift beside it."""
    name, formula = FORMULA
    there = connected(org)
    first = run(there, [name])
    old = stored(there, first["snapshot"], name)
    pass_minutes(org, 60)
    life(org, "drift", name, field=formula)
    life(org, "change", name, rows=4, field="Description")
    life(org, "insert", name, rows=2)
    life(org, "delete", name, rows=3)
    life(org, "hard_delete", name, rows=1)
    pass_minutes(org, 5)
    second = run(there, [name], refresh=True, sweep=True)
    mode, added, changed, deleted = counts(second, name)
    assert (mode, added, deleted) == ("incremental", 2, 4)
    assert changed - second["objects"][name]["refreshed"] <= 4
    agrees(there, org, second)
    assert stored(there, first["snapshot"], name) == old
    assert counts(run(there, [name]), name) == ("incremental", 0, 0, 0)


def test_a_new_field_is_read_for_all_rows_without_the_other_columns(
    org: RunningOrg, connected: Connector
) -> None:
    """It is not null where the org has values, and nobody is told of a mass change."""
    there = connected(org)
    first = run(there, ["Account"])
    pass_minutes(org, 5)
    added = {"do": "add_field", "object": "Account", "field": "Zone__c", "type": "string"}
    org.control("schema", {**added, "value": "EMEA"})
    refuse_whole_records(org, "Account", "Description")
    second = run(there, ["Account"])
    entry = second["objects"]["Account"]
    assert entry["mode"] == "incremental"
    assert entry["refreshed"] == len(stored(there, first["snapshot"], "Account"))
    org.control("faults", method="DELETE")
    agrees(there, org, second)
    assert not [w for w in second["warnings"] if w["code"] == "mass_change"]
    assert {
        row.get("Zone__c") for row in stored(there, second["snapshot"], "Account").values()
    } == {"EMEA"}


def test_an_edited_formula_is_read_for_all_rows(org: RunningOrg, connected: Connector) -> None:
    """Described as another formula, it has the values of the new one in each record."""
    name, formula = FORMULA
    there = connected(org)
    run(there, [name])
    pass_minutes(org, 5)
    edit = {"do": "change_formula", "object": name, "field": formula, "formula": "{Amount} * 2"}
    org.control("schema", edit)
    second = run(there, [name])
    assert ("formula_changed", formula) in {(c["change"], c["field"]) for c in second["schema"]}
    assert second["objects"][name]["mode"] == "incremental"
    agrees(there, org, second)


def test_computed_columns_are_refreshed_every_week(org: RunningOrg, connected: Connector) -> None:
    """By policy, not only when somebody asks for it."""
    name, formula = FORMULA
    there = connected(org)
    run(there, [name])
    pass_minutes(org, 7 * 1440 + 10)
    life(org, "drift", name, field=formula)
    second = run(there, [name])
    assert second["objects"][name]["mode"] == "incremental"
    assert second["objects"][name]["refreshed"] > 100
    agrees(there, org, second)


@pytest.mark.parametrize(("rows", "pauses"), [(5_000, (6, 8)), (11_000, (7,))])
def test_a_pause_in_the_middle_of_a_refresh_costs_no_page(
    fresh_org: Callable[..., RunningOrg], connected: Connector, rows: int, pauses: tuple[int, ...]
) -> None:
    """Its pages are committed; the resumed job goes on behind them, by pages and by Bulk."""
    org = fresh_org(start_at=BORN, objects={"Opportunity": rows}, max_calls=1000)
    name, formula = FORMULA
    there = connected(org, clock=SharedClock(org))
    run(there, [name])
    spent = []
    for calls in (None, *pauses):
        pass_minutes(org, 2 * 1440)
        life(org, "drift", name, field=formula)
        if calls is not None:
            org.control("quota", {"spend": {"api": 499 - calls}})
        summary = run(there, [name], refresh=True)
        assert bool(summary["pauses"]) == (calls is not None)
        entry = summary["objects"][name]
        assert entry["refreshed"] > rows / 2
        spent.append(entry["calls"])
    agrees(there, org, summary)
    assert max(spent) <= spent[0] + 1, "the lists may be asked for again, no page is"


def test_a_field_that_drifts_and_is_no_formula_is_found_by_samples(
    org: RunningOrg, connected: Connector
) -> None:
    """A sample of each run is compared whole; the field is named, and treated as a formula from then on."""
    there = connected(org)
    run(there, ["Contract", "Contact"])
    pass_minutes(org, 60)
    life(org, "drift", "Contact", field="Title", rows=100_000)
    found = run(there, ["Contract", "Contact"])
    warned = [w for w in found["warnings"] if w["code"] == "field_drift"]
    assert [w["object"] for w in warned] == ["Contact"] and "Title" in warned[0]["message"]
    assert found["drift"]["fields"] == {"Contact": ["Title"]}
    assert found["drift"]["rows"] > 0
    agrees(there, org, found)
    pass_minutes(org, 7 * 1440 + 10)
    life(org, "drift", "Contact", field="Title", rows=100_000)
    later = run(there, ["Contract", "Contact"])
    assert later["objects"]["Contact"]["refreshed"] > 0
    assert not [w for w in later["warnings"] if w["code"] == "field_drift"], "it is known"
    agrees(there, org, later)


def test_an_exchange_rate_that_was_edited_brings_new_amounts(
    fresh_org: Callable[..., RunningOrg], connected: Connector
) -> None:
    """
    One row of CurrencyType changes, and amounts of all deals with it, under their old stamps. The
    same backup reads the computed columns of what has a currency, says why, and does so once.
    """
    org = fresh_org(start_at=BORN, features=["currencies"])
    there = connected(org)
    rates, others = ["CurrencyType", "DatedConversionRate"], ["Opportunity", "Contact"]
    first = run(there, [*rates, *others])
    assert counts(first, "CurrencyType")[1] == 3 and counts(first, "DatedConversionRate")[1] == 12
    old = stored(there, first["snapshot"], "Opportunity")
    for name in rates:
        pass_minutes(org, 60)
        life(org, "change", name, rows=1, field="ConversionRate")
        life(org, "drift", "Opportunity", field="ExpectedRevenue")
        pass_minutes(org, 60)
        planned = engine.plan(there, backup(objects=[*rates, *others])).plan.objects
        assert planned["Opportunity"].why_refresh == "an exchange rate was changed"
        assert planned["Contact"].why_refresh == ""
        second = run(there, [*rates, *others])
        assert second["objects"]["Opportunity"]["refreshed"] > 100
        agrees(there, org, second)
    assert stored(there, first["snapshot"], "Opportunity") == old
    pass_minutes(org, 60)
    again = run(there, [*rates, *others])
    assert counts(again, "Opportunity") == ("incremental", 0, 0, 0)
