"""
What the readers decide: pure steps from outcomes, also when rows come and go while they are read.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.backup import unit_outcomes, units
from sfnb.backup.change_run import ChangeRun
from sfnb.backup.marks import ChangeMark
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.pages import check_order
from sfnb.backup.readers.bulk2 import MOST_TRIES, Bulk2Reader
from sfnb.backup.readers.keyset import KeysetReader
from sfnb.backup.readers.locator import LocatorReader
from sfnb.backup.readers.steps import Commit, GoOn, Restart, Step, Switch, moment_cursor
from sfnb.backup.unit_outcomes import Counted, RowsRead
from sfnb.backup.units import Query
from sfnb.backup.ways import ALL_VERSIONS, Way, another_way, refused_fields
from sfnb.clock import FakeClock
from sfnb.errors import ObjectError, ResultsGone, TransientError
from sfnb.model import FieldInfo, ObjectSchema, ReaderName
from sfnb.org.arrow import Tally
from sfnb.org.bulk2 import QueryJob
from sfnb.store.part_writer import PartTarget
from sfnb.store.place import place_of
from sfnb.store.progress import Progress

AT = datetime(2026, 11, 22, 4, 38, tzinfo=UTC)

SNAPSHOT = "20261122T043812Z-1a2b3c"

SCHEMA = ObjectSchema(
    "Lead", (FieldInfo("Id", "id"), *(FieldInfo(f"F{n}__c", "string") for n in range(9)))
)


def object_run(
    reader: ReaderName, cursor: dict[str, Any] | None = None, rows: int = 0
) -> ObjectRun:
    run = ObjectRun(SCHEMA, reader, None, 1.0, None, Progress(cursor=cursor, rows=rows, parts=1))
    run.query = Query.of(
        SCHEMA, PartTarget("store", SNAPSHOT, "Lead", place_of("Lead", SNAPSHOT, 3), ())
    )
    return run


def after_a_page(left: int | None, rows: int = 2000) -> ObjectRun:
    cursor = {"reader": "keyset", "after": "00QB", "from": "00QA", "rows": rows, "left": left}
    return object_run("keyset", cursor, rows)


def page(rows: int, total: int | None, *, is_done: bool = True) -> RowsRead:
    return RowsRead((), is_done, rows, total, last_id="00QC")


def step_of(steps: Any) -> Step:
    (step,) = steps
    return step  # type: ignore[no-any-return]


@given(left=st.integers(0, 9000), total=st.integers(0, 9000))
def test_only_a_page_with_less_left_than_announced_is_in_doubt(left: int, total: int) -> None:
    """
    P9: rows that were inserted meanwhile are no reason for doubt; fewer rows left are counted
    first.
    """
    reader, run = KeysetReader(), after_a_page(left)
    (asked,) = reader.next_units(run)
    steps = reader.outcome(run, asked, page(total, total))
    if total >= left:
        assert step_of(steps) == Commit((), step_of(steps).cursor, True, 2000 + total)  # type: ignore[union-attr]
    else:
        assert steps == ()
        assert reader.next_units(run) == [units.CountRows("Lead", run.asks.where, "00QA", "00QB")]


@pytest.mark.parametrize(("count", "is_lost"), [(1990, False), (2000, False), (2001, True)])
def test_rows_deleted_meanwhile_are_no_loss(count: int, is_lost: bool) -> None:
    """
    P9: the page before is counted: as many rows or fewer were deleted meanwhile, more were missed.
    """
    reader, run = KeysetReader(), after_a_page(500)
    (asked,) = reader.next_units(run)
    reader.outcome(run, asked, page(400, 400))
    (counting,) = reader.next_units(run)
    step = step_of(reader.outcome(run, counting, Counted(count)))
    assert isinstance(step, Restart if is_lost else Commit)
    if isinstance(step, Commit):
        assert step.is_done and step.org_count == 2400


def test_an_org_that_counts_nothing_is_asked_from_the_start() -> None:
    """P9: where the doubt cannot be settled by a count, the object is read again."""
    reader, run = KeysetReader(), after_a_page(500)
    (asked,) = reader.next_units(run)
    reader.outcome(run, asked, page(400, 400))
    assert isinstance(reader.refused(run, ObjectError("no count", code="MALFORMED_QUERY")), Restart)


def test_ids_that_cannot_be_sorted_go_by_a_cursor() -> None:
    """A refusal to sort by Id is a reason to page by locators."""
    err = ObjectError("Lead: field 'Id' can not be sorted in a query call (MALFORMED_QUERY).")
    step = KeysetReader().refused(object_run("keyset"), err)
    assert step == Switch("locator", is_restart=True)


@pytest.mark.parametrize(("now", "is_lost"), [(90, False), (100, True)])
def test_a_cursor_that_ends_early_is_counted(now: int, is_lost: bool) -> None:
    """
    P9: a query cursor with fewer rows than it had counted is right only if so many are left now.
    """
    reader, run = LocatorReader(), object_run("locator", {"total": 100, "next": "/q-50"}, 50)
    (asked,) = reader.next_units(run)
    assert reader.outcome(run, asked, page(40, 100)) == ()
    (counting,) = reader.next_units(run)
    step = step_of(reader.outcome(run, counting, Counted(now)))
    assert isinstance(step, Restart if is_lost else Commit)


def test_a_cursor_that_repeats_is_noticed() -> None:
    """P9: the same address twice, or more rows than counted, is no end of the object."""
    reader, run = LocatorReader(), object_run("locator", {"total": None, "next": "/q-1"}, 50)
    (asked,) = reader.next_units(run)
    again = RowsRead((), False, 10, None, next_path="/q-2")
    reader.outcome(run, asked, again)
    with pytest.raises(ResultsGone, match="repeat"):
        reader.outcome(run, asked, again)
    more = LocatorReader()
    with pytest.raises(ResultsGone, match="counts 20 rows"):
        more.outcome(object_run("locator", {"total": 20}, 15), asked, page(6, 20))


def test_values_with_nul_are_counted_over_pages_and_resumes() -> None:
    """One sentence with their number, also where the reading went on in another process."""
    run = object_run("keyset", {"reader": "keyset", "with_nul": {"Name": 1}})
    assert run.message == "Name: one value has the character NUL; it is kept as it is."
    run.note("A.", Tally("Name", 1_200), Tally("Email", 2), "A.")
    run.note(Tally("Email", 1))
    assert run.message == (
        "A. Name: 1,201 values have the character NUL; they are kept as they are. "
        "Email: 3 values have the character NUL; they are kept as they are."
    )
    assert moment_cursor(run, "keyset")["with_nul"] == {"Name": 1_201, "Email": 3}


def complete(reader: Bulk2Reader, run: ObjectRun, rows: int) -> units.Unit:
    """The first result page of a job that has completed."""
    (poll,) = reader.next_units(run)
    reader.outcome(run, poll, QueryJob("750A", "JobComplete", "Lead", rows))
    return reader.next_units(run)[0]


def test_result_pages_are_committed_in_their_order() -> None:
    """
    P2: a page that arrives before the one ahead of it waits, since a cursor is the page after.
    """
    cursor = {"reader": "bulk2", "job": "750A", "locator": "", "pages": 0}
    reader, run = Bulk2Reader(FakeClock()), object_run("bulk2", cursor)
    first = complete(reader, run, 30)
    assert isinstance(first, units.ResultPage)
    reader.opened(run, first, "L2")
    (second,) = reader.next_units(run)
    assert isinstance(second, units.ResultPage) and second.locator == "L2"
    assert list(reader.outcome(run, second, unit_outcomes.ResultRead((), 10, None))) == []
    steps = reader.outcome(run, first, unit_outcomes.ResultRead((), 20, "L2"))
    assert [
        (s.cursor["locator"], s.is_done, s.org_count) for s in steps if isinstance(s, Commit)
    ] == [
        ("L2", False, 30),
        ("", True, 30),
    ]


def test_a_locator_is_read_once() -> None:
    """P9: a result page that names one already read would go round in circles."""
    cursor = {"reader": "bulk2", "job": "750A", "locator": "", "pages": 0}
    reader, run = Bulk2Reader(FakeClock()), object_run("bulk2", cursor)
    first = complete(reader, run, 30)
    assert isinstance(first, units.ResultPage)
    reader.opened(run, first, "")
    with pytest.raises(ResultsGone, match="was read already"):
        reader.next_units(run)


def changed_run(job: str = "750A", locator: str = "", *, touched: int = 20_000) -> ObjectRun:
    """An object whose changed rows go by Bulk, its job created (and resumed from its cursor)."""
    cursor = {"reader": "bulk2", "job": job, "locator": locator, "pages": 0}
    run = object_run("bulk2", cursor if job else None)
    run.change = ChangeRun(50_000, 0, ChangeMark("SystemModstamp", True, True), AT)
    run.change.touched = touched
    return run


def created(reader: Bulk2Reader, clock: FakeClock, touched: int = 20_000) -> ObjectRun:
    """An object of changes whose job was created now."""
    run = changed_run("", touched=touched)
    run.schema = replace(SCHEMA, name=f"Lead{touched}")
    (asked,) = reader.next_units(run)
    (step,) = reader.outcome(run, asked, unit_outcomes.JobCreated("750A"))
    assert isinstance(step, Commit)
    run.progress = replace(run.progress, cursor=dict(step.cursor))
    return run


def wait_for_unit(reader: Bulk2Reader, clock: FakeClock, run: ObjectRun) -> units.Unit:
    """The next unit, at the time for which the reader asks."""
    while not (asked := reader.next_units(run)):
        assert run.wake_at_s is not None
        clock.advance(run.wake_at_s - clock.monotonic())
    return asked[0]


@pytest.mark.parametrize("code", ["INVALIDJOBSTATE", "NOT_READY", ""])
def test_results_that_are_not_ready_are_requested_again_and_not_the_state(code: str) -> None:
    """
    A poll never is the last call of a job, a try for its results may be: of three tries none is
    preceded by a poll, in whatever words the org refuses. A job that fails is found out then.
    """
    clock = FakeClock()
    reader = Bulk2Reader(clock)
    run = created(reader, clock)
    at = []
    for _ in range(MOST_TRIES):
        assert isinstance(wait_for_unit(reader, clock, run), units.ResultPage)
        at.append(clock.monotonic())
        assert reader.refused(run, ObjectError("not ready", code=code)) == GoOn()
    assert at == sorted(set(at))
    assert isinstance(wait_for_unit(reader, clock, run), units.PollJob)


def test_a_job_that_is_never_over_is_given_up_after_a_day() -> None:
    """A state that nobody knows, or a queue without end: pages are read instead, after some 300 polls."""
    clock = FakeClock()
    reader = Bulk2Reader(clock)
    run = created(reader, clock)
    waiting = QueryJob("750A", "Mystery", run.name, None)
    with pytest.raises(ObjectError, match="still Mystery after a day"):
        for _ in range(350):
            asked = wait_for_unit(reader, clock, run)
            if isinstance(asked, units.PollJob):
                assert reader.outcome(run, asked, waiting) == ()
            else:
                reader.refused(run, ObjectError("not ready", code="INVALIDJOBSTATE"))
    assert reader.refused(run, ObjectError("still Mystery")) == Switch("keyset", is_restart=True)
    assert [unit.job for unit in reader.leftovers(run)] == ["750A"]


def test_what_one_job_taught_the_others_need_not_learn() -> None:
    """A job that was not ready when it was taken to be makes the jobs beside it wait longer."""
    clock = FakeClock()
    reader = Bulk2Reader(clock)
    first, second = created(reader, clock), created(reader, clock, 30_000)
    wait_for_unit(reader, clock, first)
    alone_s = clock.monotonic()
    reader.refused(first, ObjectError("not ready", code="INVALIDJOBSTATE"))
    wait_for_unit(reader, clock, second)
    assert clock.monotonic() == pytest.approx(1.6 * alone_s * 3.5 / 2.5)


def test_a_resumed_job_goes_on_with_its_page_after_a_refusal() -> None:
    """P2: the page that was refused is the next one, not the first: its rows are stored already."""
    clock = FakeClock()
    reader = Bulk2Reader(clock)
    run = changed_run(locator="L2")
    asked = wait_for_unit(reader, clock, run)
    assert isinstance(asked, units.ResultPage) and asked.locator == "L2"
    reader.refused(run, ObjectError("not ready", code="INVALIDJOBSTATE"))
    again = wait_for_unit(reader, clock, run)
    assert isinstance(again, units.ResultPage) and again.locator == "L2"


def test_a_refusal_leads_to_another_way() -> None:
    """Each refusal that a query can get around gives a new way, and no way is tried for ever."""
    gone = ObjectError("Lead: No such column 'F3__c' on entity 'Lead'.", code="INVALID_FIELD")
    assert refused_fields(gone, SCHEMA) == {"F3__c"}
    without = another_way(Way(), SCHEMA, gone)
    assert without == Way(without=frozenset({"F3__c"}))
    assert another_way(without or Way(), SCHEMA, gone) is None
    too_much = ObjectError("too much", code="QUERY_TOO_COMPLICATED")
    way, halvings = Way(), 0
    while (following := another_way(way, SCHEMA, too_much)) is not None:
        way, halvings = following, halvings + 1
    assert halvings == 4 and way.groups == 16
    assert Way().spread(SCHEMA.fields) == ()
    for number in (2, 4, 16):
        spread = Way(groups=number).spread(SCHEMA.fields)
        assert all(fields[0].name == "Id" for fields in spread)
        others = sorted(f.name for fields in spread for f in fields[1:])
        assert others == sorted(f.name for f in SCHEMA.fields[1:])


def test_a_way_comes_back_from_its_cursor() -> None:
    """
    P2: a resumed backup asks as the one before did; the usual way leaves no trace in a cursor.
    """
    way = Way("F1__c = 'x'", frozenset({"F2__c"}), 4, {"F3__c": "string"})
    assert Way.of(SCHEMA, {"way": way.as_json()}) == way
    assert Way.of(SCHEMA, {}) == Way() and Way().as_json() == {}
    articles = ObjectSchema("Help__kav", (*SCHEMA.fields, FieldInfo("IsLatestVersion", "boolean")))
    assert Way.of(articles, {}).where == ALL_VERSIONS


def test_a_row_without_its_id_ends_no_page() -> None:
    """Reading on from it would lose what comes after; a page is read again. Ids that are all empty have no order."""
    some = pa.record_batch({"Id": ["00Q000000000001AAA", None, "00Q000000000002AAA"]})
    with pytest.raises(TransientError, match="Lead: a row came without its Id"):
        check_order("Lead", some, "")
    with pytest.raises(ObjectError) as caught:
        check_order("Lead", pa.record_batch({"Id": pa.nulls(2, pa.string())}), "")
    assert caught.value.code == "UNORDERED"
