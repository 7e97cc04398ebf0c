"""Which objects are read by their changes, what is described anew, and what that costs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfnb.backup.marks import OVERLAP
from sfnb.backup.plan import Facts, plan_backup
from sfnb.backup.plan_changes import plan_changes
from sfnb.backup.policy import (
    Known,
    Wishes,
    choose,
    counted_first,
    describes_wanted,
    lists_calls,
    sampled,
)
from sfnb.model import ObjectInfo, ObjectSchema
from sfnb.org.describe import parse_schema

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
A_DAY_AGO = (NOW - timedelta(days=1)).isoformat()


def schema_of(name: str, *fields: dict[str, Any], **flags: Any) -> ObjectSchema:
    usual = [
        {"name": "Id", "type": "id"},
        {"name": "SystemModstamp", "type": "datetime"},
        {"name": "IsDeleted", "type": "boolean"},
    ]
    answer = {"name": name, "fields": [*usual, *fields], "replicateable": True} | flags
    schema = parse_schema(name, answer)
    assert isinstance(schema, ObjectSchema)
    return schema


PLAIN = schema_of("X__c")
FORMULA = schema_of("X__c", {"name": "F__c", "type": "double", "calculated": True})


def known(schema: ObjectSchema = PLAIN, rows: int = 100, touched: Sequence[int] = ()) -> Known:
    return Known(
        rows=rows,
        deleted=0,
        key="Id",
        watermark=A_DAY_AGO,
        sweep_at=A_DAY_AGO,
        refreshed_at=A_DAY_AGO,
        describe=schema.raw,
        described_at="Wed, 25 Nov 2026 12:00:00 GMT",
        touched=touched,
    )


def test_an_object_is_read_by_its_changes_only_where_that_is_sound() -> None:
    """Each reason for a full reading is said; without one, changes are enough."""
    no = Wishes()
    assert choose(PLAIN, known(), NOW, no).why_full == ""
    assert choose(PLAIN, None, NOW, no).why_full
    assert choose(PLAIN, known(), NOW, Wishes(full=True)).why_full
    assert choose(PLAIN, replace(known(), key=None), NOW, no).why_full
    assert choose(PLAIN, replace(known(), watermark=None), NOW, no).why_full
    later = (NOW + timedelta(seconds=1)).isoformat()
    assert (
        "later than the org's time"
        in choose(PLAIN, replace(known(), watermark=later), NOW, no).why_full
    )
    markless = schema_of("X__c", replicateable=False)
    stampless = parse_schema("X__c", {"name": "X__c", "fields": [{"name": "Id", "type": "id"}]})
    assert isinstance(stampless, ObjectSchema)
    assert choose(markless, known(markless), NOW, no).why_full == ""
    assert choose(stampless, known(stampless), NOW, no).why_full


def test_computed_columns_are_refreshed_when_due_or_asked_for() -> None:
    """Every seven days, and with --refresh; an object without formulas never for that."""
    old = replace(known(FORMULA), refreshed_at=(NOW - timedelta(days=7)).isoformat())
    assert choose(FORMULA, known(FORMULA), NOW, Wishes()).refresh == ()
    assert choose(FORMULA, old, NOW, Wishes()).refresh == ("F__c",)
    assert choose(FORMULA, old, NOW, Wishes()).why_full == ""
    assert choose(FORMULA, known(FORMULA), NOW, Wishes(refresh=True)).refresh == ("F__c",)
    assert choose(PLAIN, known(), NOW, Wishes(refresh=True)).refresh == ()
    empty = replace(old, rows=0)
    assert choose(FORMULA, empty, NOW, Wishes(refresh=True)).refresh == ()


def test_fields_that_drift_are_refreshed_like_formulas() -> None:
    """Whatever describe says of them; a field that is gone is not asked for."""
    plain = schema_of("X__c", {"name": "S__c", "type": "string"})
    drifting = replace(known(plain), drifting=("S__c", "Gone__c"))
    assert choose(plain, drifting, NOW, Wishes(refresh=True)).refresh == ("S__c",)
    assert choose(plain, drifting, NOW, Wishes()).refresh == ()


def test_ids_are_swept_when_due_or_asked_for() -> None:
    """Every seven days, and with --sweep."""
    old = replace(known(), sweep_at=(NOW - timedelta(days=7)).isoformat())
    assert choose(PLAIN, known(), NOW, Wishes()).wants_sweep == ""
    assert choose(PLAIN, old, NOW, Wishes()).wants_sweep
    assert choose(PLAIN, known(), NOW, Wishes(sweep=True)).wants_sweep
    assert choose(PLAIN, old, NOW, Wishes(sweep=True)).why_full == ""


def test_a_field_that_is_new_to_the_store_is_read_for_all_rows() -> None:
    """Null and "not known" are different; a field that is gone costs nothing."""
    wider = schema_of("X__c", {"name": "New__c", "type": "string"})
    choice = choose(wider, known(), NOW, Wishes())
    assert choice.why_full == "" and [c.change for c in choice.changes] == ["field_added"]
    assert choice.refresh == ("New__c",) and "New__c" in choice.why_refresh
    choice = choose(PLAIN, known(wider), NOW, Wishes())
    assert not choice.why_full and [c.change for c in choice.changes] == ["field_hidden"]


NAMES = [f"O{n}__c" for n in range(860)]


def test_describes_are_asked_for_only_where_something_says_so() -> None:
    """Nothing where the org says so; all where it says that something changed; else a share."""
    there = dict.fromkeys(NAMES, known())
    options: dict[str, Any] = {"wishes": Wishes(), "now": NOW}
    assert describes_wanted(NAMES, there, "same", **options) == []
    assert describes_wanted(NAMES, there, "changed", **options) == NAMES
    assert len(describes_wanted(NAMES, there, "unknown", **options)) == 125
    assert describes_wanted(NAMES[:90], there, "unknown", **options) == NAMES[:90]
    assert describes_wanted(["new__c", *NAMES], there, "same", **options) == ["new__c"]
    assert describes_wanted(NAMES, there, "same", wishes=Wishes(sweep=True), now=NOW) == NAMES
    described = {n: replace(known(), described_at="") for n in NAMES[400:450]}
    stale = describes_wanted(NAMES, there | described, "unknown", **options)
    assert set(described) <= set(stale)


@given(st.integers(0, 1200), st.floats(0, 1))
def test_asking_what_changed_stays_cheap(count: int, share: float) -> None:
    """At most 55 calls, or three percent above what the lists alone cost."""
    names = [f"O{n}__c" for n in range(count)]
    there = {name: known(rows=int(n < count * share)) for n, name in enumerate(names)}
    counted = counted_first(names, there)
    calls = lists_calls(names, counted, there)
    assert calls <= max(55, lists_calls(names, (), there) * 1.03)
    assert count > 100 or len(counted) == count
    assert count != 860 or calls <= 71


def test_an_object_without_a_mark_is_left_alone_while_the_org_counts_nothing() -> None:
    """As soon as either has records, all of them are read."""
    stampless = parse_schema("X__c", {"name": "X__c", "fields": [{"name": "Id", "type": "id"}]})
    assert isinstance(stampless, ObjectSchema)
    empty = replace(known(stampless), rows=0)
    assert choose(stampless, empty, NOW, Wishes(), 0).why_full == ""
    assert choose(stampless, empty, NOW, Wishes(), 1).why_full
    assert choose(stampless, empty, NOW, Wishes(), None).why_full
    assert choose(stampless, known(stampless), NOW, Wishes(), 0).why_full


def test_objects_that_changed_lately_are_counted_first() -> None:
    """Their changes of the present minute are seen, whatever the size of the org."""
    there = {name: known(rows=n) for n, name in enumerate(NAMES)}
    there[NAMES[3]] = known(touched=[5, 0])
    assert NAMES[3] in counted_first(NAMES, there)
    assert NAMES[859] in counted_first(NAMES, there)
    assert NAMES[4] not in counted_first(NAMES, there)


def test_the_plan_of_changes_has_the_pace_of_the_last_runs() -> None:
    """Rows: their mean. The window begins before the watermark by the overlap."""
    schemas = {"A__c": schema_of("A__c"), "B__c": schema_of("B__c")}
    there = {"A__c": known(touched=[10, 20, 0]), "B__c": known()}
    facts = [Facts(ObjectInfo(name, True), schema, 100) for name, schema in schemas.items()]
    choices = {name: choose(s, there[name], NOW, Wishes()) for name, s in schemas.items()}
    plan = plan_changes(plan_backup(facts, preparation_calls=3), choices, there, schemas)
    assert plan.kind == "incremental"
    assert [o.expected_rows for o in plan.objects.values()] == [10, 0]
    assert plan.objects["A__c"].since == (NOW - timedelta(days=1) - OVERLAP).isoformat().replace(
        "+00:00", "Z"
    )
    assert plan.price()["api"] == 3 + 2


def test_samples_come_to_every_object_in_turn() -> None:
    """Ten in a run, those with rows; over the runs all of them."""
    there = {name: known(rows=n % 3) for n, name in enumerate(NAMES[:100])}
    names = [name for name in there if there[name].rows]
    assert all(len(sampled(NAMES[:100], there, run)) == 10 for run in range(20))
    assert set().union(*(sampled(NAMES[:100], there, run) for run in range(7))) == set(names)
    assert sampled(NAMES[:2], there, 5) == {NAMES[1]}
    assert sampled([], {}, 1) == set()


def test_a_plan_learns_what_the_last_backups_have_seen() -> None:
    """A statistic that counts what this user cannot see; calls that no rule foretells."""
    stampless = parse_schema("X__c", {"name": "X__c", "fields": [{"name": "Id", "type": "id"}]})
    assert isinstance(stampless, ObjectSchema)
    there = {"X__c": known(stampless, rows=1)}
    made = plan_backup([Facts(ObjectInfo("X__c", True), stampless, 43)], preparation_calls=3)
    choices = {"X__c": choose(stampless, there["X__c"], NOW, Wishes())}
    assert choices["X__c"].why_full
    schemas = {"X__c": stampless}
    assert plan_changes(made, choices, there, schemas).objects["X__c"].expected_rows == 43
    learned = plan_changes(made, choices, there, schemas, counted={"X__c": 40})
    assert learned.objects["X__c"].expected_rows == 1 + 3
    assert replace(learned, learned_calls=7.0).price()["api"] == 3 + 8
    assert replace(learned, learned_calls=-7.0).price()["api"] == 3
