"""Holds: what they hold, by Id, by condition, as a whole; and what is kept of who added them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError
from sfnb.holds.book import HoldBook
from sfnb.holds.question import add_hold, holds_of
from sfnb.memory import State, open_state
from sfnb.store.tables import OrgStore
from tests.command_line import CommandLine
from tests.store_samples import a_store, record_id
from tests.unit.store.history.test_diff import a_state, record


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", clock=FakeClock()) as opened:
        yield opened


def a_past(store: OrgStore) -> list[str]:
    """Three snapshots: 2 had another name at first, 3 is gone after the first, 4 is new."""
    first = [record(1, Name="Ada"), record(2, Name="Bob"), record(3, Name="Cy")]
    then = [record(1, Name="Ada"), record(2, Name="Robert")]
    last = [*then, record(4, Name="Dee")]
    return [a_state(store, 1 + n, rows) for n, rows in enumerate((first, then, last))]


def ids(*numbers: int) -> list[str]:
    return [record_id(number) for number in numbers]


def test_a_condition_holds_who_matched_in_any_version(tmp_path: Path, state: State) -> None:
    """A record that matched once is held whatever it says now; who never matched is not."""
    store = a_store(tmp_path / "store")
    past = a_past(store)
    hold = add_hold(
        state, store, org="demo", object_name="account", reason="case 7", condition="Name = 'Bob'"
    )
    assert hold.records == 1
    holds = holds_of(state, store)
    assert list(holds.of("Account", ids(1, 2, 3, 4))) == ids(2)
    assert set(holds.snapshots(past)) == set(past)


def test_a_hold_on_ids_holds_the_snapshots_that_have_them(tmp_path: Path, state: State) -> None:
    """Of a record that is gone since, those before; of a new one, those since."""
    store = a_store(tmp_path / "store")
    past = a_past(store)
    for number, held in ((3, past[:1]), (4, past[2:]), (9, [])):
        hold = add_hold(
            state, store, org="demo", object_name="Account", reason="r", ids=ids(number)
        )
        holds = holds_of(state, store)
        assert sorted(holds.snapshots(past)) == held
        assert list(holds.of("Account", ids(number, 1))) == ids(number)
        HoldBook(state.database).remove(store.org_id, hold.hold_id, "over")
    assert holds_of(state, store).of("Account", ids(3)) == {}


def test_each_spelling_of_an_object_holds(tmp_path: Path, state: State) -> None:
    """A second hold that spells the object in another way takes nothing from the first."""
    store = a_store(tmp_path / "store")
    past = a_past(store)
    for name, number in (("Account", 3), ("account", 4)):
        add_hold(state, store, org="demo", object_name=name, reason="r", ids=ids(number))
    holds = holds_of(state, store)
    assert sorted(holds.of("Account", ids(1, 3, 4))) == ids(3, 4)
    assert set(holds.snapshots(past)) == {past[0], past[2]}


def test_a_whole_object_is_held_records_to_come_included(tmp_path: Path, state: State) -> None:
    """Every Id is held, every snapshot with a record of it, and no other object."""
    store = a_store(tmp_path / "store")
    past = a_past(store)
    add_hold(state, store, org="demo", object_name="Account", reason="r")
    holds = holds_of(state, store)
    assert set(holds.of("ACCOUNT", ids(1, 99))) == set(ids(1, 99))
    assert set(holds.snapshots(past)) == set(past) and holds.of("Contact", ids(1)) == {}


def test_a_condition_that_can_no_longer_be_asked_lets_nothing_go(
    tmp_path: Path, state: State
) -> None:
    """What a hold holds must be known before anything is removed."""
    store = a_store(tmp_path / "store")
    a_past(store)
    with pytest.raises(CallerError, match="Nonsense"):
        add_hold(state, store, org="d", object_name="Account", reason="r", condition="Nonsense = 1")
    HoldBook(state.database).add(
        org="d",
        org_id=store.org_id,
        object_name="Account",
        reason="r",
        records=1,
        condition="Gone__c = 1",
    )
    with pytest.raises(CallerError, match="nothing is removed"):
        holds_of(state, store)


def test_the_commands_and_the_audit_log(tmp_path: Path) -> None:
    """`sfnb hold` prints the contract's JSON, wants a reason, and each change is audited."""
    home = CommandLine(tmp_path / "home")
    a_past(a_store(tmp_path / "home" / "store"))
    file = tmp_path / "ids.txt"
    file.write_text("\n".join([ids(1)[0][:15], *ids(2)]))
    by_id = ("--object", "Account", "--ids", file)
    added = home("hold", "add", "demo", *by_id, "--reason", "law", "--json")
    keys = {"hold_id", "org", "object", "reason", "records", "created_at"}
    assert added.code == 0 and added.json.keys() >= keys
    assert (added.json["records"], added.json["object"]) == (2, "Account")
    assert home("hold", "list", "demo", "--json").json == [added.json]
    hold_id = added.json["hold_id"]
    assert home("hold", "remove", "demo", "hold-none", "--reason", "x").code == 2
    removed = home("hold", "remove", "demo", hold_id, "--reason", "closed", "--json")
    assert removed.json == added.json
    assert home("hold", "add", "demo", "--object", "Account", "--reason", "r").code == 2
    assert home("hold", "add", "demo", *by_id, "--all-records", "--reason", "r").code == 2
    lines = home("audit", "--kind", "hold", "--json").json
    assert [(e["action"], e["subject"], e["reason"]) for e in lines] == [
        ("added", hold_id, "law"),
        ("removed", hold_id, "closed"),
    ]
    assert ids(1)[0] not in json.dumps(lines) and home("hold", "list", "demo").code == 0
