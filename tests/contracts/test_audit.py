"""P6: the audit log cannot be edited quietly; on both databases."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import delete, insert, select, update

from sfnb.clock import FakeClock
from sfnb.errors import StoreError
from sfnb.memory import State
from sfnb.state import schema

ORG = "00D000000000001EAA"
AUDIT = schema.audit


@pytest.fixture
def log(state: State, clock: FakeClock) -> State:
    """Six lines, about two orgs, with text that JSON and databases could mangle."""
    state.ledger.set_limits(
        ORG, 60, who="ada", reason='quarter\'s end – Ärger \U0001f4a5 "quoted"\n', org="demo"
    )
    clock.advance(1.5)
    for percent in (55, 70, 70):
        state.ledger.set_limits(ORG, {"bulk2": percent}, who="ada", org="demo")
    state.ledger.set_limits("00D000000000002EAA", {"api": 10}, org="other")
    state.ledger.set_limits(ORG, {"api": 65}, reason="", org="demo")
    return state


def test_a_change_is_written_with_who_when_what_and_why(log: State) -> None:
    """P6: one line tells a change of all budgets; old and new are there; org filters by name or id."""
    first, second, *_ = log.audit.entries("demo")
    assert (first.api, first.who, first.old, first.new, first.at) == (
        "all",
        "ada",
        50,
        60,
        "2026-11-02T08:00:00.000000Z",
    )
    assert (second.api, second.old, second.new, second.at) == (
        "bulk2",
        60,
        55,
        "2026-11-02T08:00:01.500000Z",
    )
    assert [entry.seq for entry in log.audit.entries()] == [1, 2, 3, 4, 5, 6]
    assert [entry.seq for entry in log.audit.entries(ORG)] == [1, 2, 3, 4, 6]
    assert log.audit.entries("other")[0].who


def test_budgets_that_differed_get_a_line_each(log: State) -> None:
    """P6: setting all budgets at once tells the old percent of each."""
    log.ledger.set_limits(ORG, 50, org="demo")
    assert [(e.api, e.old, e.new) for e in log.audit.entries(ORG)[-4:]] == [
        ("api", 65, 50),
        ("bulk", 60, 50),
        ("bulk2", 70, 50),
        ("bulk2_mb", 60, 50),
    ]
    assert log.audit.verify() == []


def test_an_untouched_log_is_good(log: State) -> None:
    """P6: verify says nothing of a log that nobody touched, an empty one included."""
    assert log.audit.verify() == []


def test_a_changed_line_is_found(log: State) -> None:
    """P6: any one field of any one line."""
    missed = []
    for seq in (1, 4, 6):
        for column in (c for c in AUDIT.columns if c.name != "seq"):
            here = AUDIT.c.seq == seq
            with log.database.write() as connection:
                before = connection.execute(select(column).where(here)).scalar_one()
                connection.execute(
                    update(AUDIT)
                    .where(here)
                    .values({column: 99 if isinstance(before, int) else "x"})
                )
            if not any(f"line {seq}" in finding for finding in log.audit.verify()):
                missed.append((seq, column.name))
            with log.database.write() as connection:
                connection.execute(update(AUDIT).where(here).values({column: before}))
    assert missed == []
    assert log.audit.verify() == []


@pytest.mark.parametrize(("seqs", "words"), [([1], "line 1 is missing"), ([3], "line 3 is missing"),
                                             ([2, 3], "lines 2 to 3 are missing"), ([6], "the end is missing"),
                                             ([1, 2, 3, 4, 5, 6], "the end is missing")])  # fmt: skip
def test_a_missing_line_is_found(log: State, seqs: list[int], words: str) -> None:
    """P6: from the start, from between, from the end, or all of them."""
    with log.database.write() as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.seq.in_(seqs)))
    assert any(words in finding for finding in log.audit.verify())


def test_lines_moved_or_put_in_are_found(log: State) -> None:
    """P6: two lines that changed places, and a line of one's own at the end."""
    with log.database.write() as connection:
        for old, new in ((2, 1002), (3, 2), (1002, 3)):
            connection.execute(update(AUDIT).where(AUDIT.c.seq == old).values(seq=new))
    assert len(log.audit.verify()) >= 2
    with log.database.write() as connection:
        last = dict(connection.execute(select(AUDIT).where(AUDIT.c.seq == 6)).one()._mapping)
        connection.execute(insert(AUDIT), {**last, "seq": 7})
    assert any("not the last line" in finding for finding in log.audit.verify())


def test_a_missing_line_whose_followers_moved_up_is_found(log: State) -> None:
    """P6: closing the gap in the numbers does not close it in the chain."""
    with log.database.write() as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.seq == 3))
        for seq in (4, 5, 6):
            connection.execute(update(AUDIT).where(AUDIT.c.seq == seq).values(seq=seq - 1))
    assert any("line 3 does not follow line 2" in finding for finding in log.audit.verify())


def test_a_lost_head_is_found_and_stops_changes(log: State) -> None:
    """P6: without the head nobody could tell a cut-off end, so nothing is added until somebody has looked."""
    with log.database.write() as connection:
        connection.execute(delete(schema.audit_head))
    assert any("not the last line" in finding for finding in log.audit.verify())
    with pytest.raises(StoreError, match="lost its head"):
        log.ledger.set_limits(ORG, 50)
    assert log.ledger.limit_percents(ORG)["api"] == 65


def test_a_limit_changed_past_the_log_is_found(log: State) -> None:
    """P6: a limit in force that the log does not tell of."""
    with log.database.write() as connection:
        connection.execute(
            update(schema.limits).where(schema.limits.c.api == "bulk").values(percent=100)
        )
    assert log.audit.verify() == [
        f"Limit of org {ORG}, bulk: 100 % is in force, but the log's last word is 60 %."
    ]


def test_writers_at_once_leave_one_chain(log: State) -> None:
    """P6: the chain has no gap and no fork, however many change limits at the same moment."""

    def work(org_id: str) -> None:
        for percent in range(1, 9):
            log.ledger.set_limits(org_id, {"api": percent}, who=org_id)

    threads = [threading.Thread(target=work, args=(f"00D{number:012d}EAB",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in log.audit.entries()] == list(range(1, 39))
    assert log.audit.verify() == []
