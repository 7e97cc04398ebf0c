"""
P9: each count that the org gives is compared by itself. Switch one comparison off, and the test of
its name goes red, since nothing else finds the same rows lost here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from sfnb.backup.change_run import ChangeRun
from sfnb.backup.marks import ChangeMark
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.readers.bulk2 import Bulk2Reader
from sfnb.backup.readers.by_parent import ByParentReader
from sfnb.backup.readers.steps import Commit, ReadInFull, Step, Switch
from sfnb.backup.readers.sweeping import Sweeping
from sfnb.backup.unit_outcomes import ResultRead, RowsRead
from sfnb.backup.units import (
    CountRows,
    FindIds,
    KeysetPage,
    KeysetPages,
    LocatorPage,
    ParentIds,
    ParentsPage,
    Query,
    ResultPage,
    SplitPage,
    Unit,
)
from sfnb.backup.worker import Worker
from sfnb.clock import FakeClock
from sfnb.errors import QuotaSignal, ResultsGone, SfnbError
from sfnb.model import FieldInfo, ObjectSchema, ReaderName
from sfnb.org.bulk2 import QueryJob
from sfnb.org.client import OrgClient
from sfnb.store.layout import StoredField
from sfnb.store.part_writer import PartTarget
from sfnb.store.place import place_of
from sfnb.store.progress import Progress
from sfnb.store.settling.sweeps import IdDifference
from sfnb.store.writer import Writer
from tests.unit.org.scripted import DATA, LIMITS, Answer, ScriptedOrg

AT = datetime(2026, 11, 22, 4, 38, tzinfo=UTC)
SNAPSHOT = "20261122T043812Z-1a2b3c"
FIELDS = (FieldInfo("Id", "id"), FieldInfo("Name", "string"))
OTHER = f"{DATA}/query/01gD0000002HU6KIAW-4000"
NEXT = f"{DATA}/query/01gD0000002HU6KIAW-2000"
RESULTS = f"{DATA}/jobs/query/750D00000004SkVIAU/results"


def asking(root: Path) -> Query:
    layout = tuple(StoredField(name, name, "string") for name in ("Id", "Name"))
    place = place_of("Lead", SNAPSHOT, 3)
    target = PartTarget(str(root), SNAPSHOT, "Lead", place, layout)
    return Query("Lead", FIELDS, target)


def lead(number: int) -> str:
    return f"00Q{number:012d}AAA"


def answer(rows: int, first: int = 1, **more: Any) -> Answer:
    """A page of so many leads, the last one unless ``more`` says otherwise."""
    records = [{"Id": lead(n), "Name": f"n{n}"} for n in range(first, first + rows)]
    return Answer(200, {"totalSize": rows, "done": True, "records": records, **more})


def further(rows: int, first: int = 1, **more: Any) -> Answer:
    return answer(rows, first, **{"done": False, "nextRecordsUrl": NEXT, **more})


UNITS: dict[str, Callable[[Query], Unit]] = {
    "keyset": lambda query: KeysetPages((KeysetPage(query),)),
    "locator": lambda query: LocatorPage("Lead", query),
    "parents": lambda query: ParentsPage("Lead", query, "CampaignId", (("701D00000000001AAA",),)),
    "parent Ids": lambda _query: ParentIds("Lead", "Lead"),
    "found Ids": lambda _query: FindIds("Lead", (lead(1), lead(2))),
    "count": lambda _query: CountRows("Lead"),
    "split": lambda query: SplitPage("Lead", query, "", (FIELDS[:1], FIELDS)),
}


@pytest.fixture(autouse=True)
def limits(scripted: ScriptedOrg) -> None:
    scripted.script(f"{DATA}/limits", Answer(200, LIMITS))


def said(unit: Unit, org: OrgClient) -> str:
    """What goes wrong with a unit, in words; empty: nothing."""
    result = Worker(org, "job", threading.Event()).run(unit)
    assert not isinstance(result.error, QuotaSignal)
    found = [result.error, *result.outcomes.values()]
    return " ".join(str(one) for one in found if isinstance(one, SfnbError))


# By kind of unit: the pages that come, and what is said of them.
PAGES: dict[str, tuple[str, list[Answer], str]] = {
    "no next page": ("locator", [answer(2, done=False)], "does not say where"),
    "no rows and more": ("locator", [further(0)], "has none itself"),
    "more rows than counted": ("locator", [further(3, totalSize=2)], "3 rows; the org counts 2"),
    "keyset": ("keyset", [answer(2, totalSize=3)], "counts 3 rows and sent 2"),
    "parents": ("parents", [answer(2, totalSize=3)], "counts 3 rows and sent 2"),
    "parents, two pages": (
        "parents",
        [further(2, totalSize=5), answer(2, 3, totalSize=5)],
        "counts 5 rows and sent 4",
    ),
    "parents, pages without end": (
        "parents",
        [further(2, totalSize=3, nextRecordsUrl=OTHER), further(2, totalSize=3), answer(2)],
        "pages repeat",
    ),
    "parents, one page again": (
        "parents",
        [further(2, totalSize=None), further(2, totalSize=None), answer(2, totalSize=None)],
        "pages repeat",
    ),
    "parent Ids": ("parent Ids", [answer(2, totalSize=3)], "counts 3 rows and sent 2"),
    "parent Ids without end": ("parent Ids", [answer(2, done=False)], "does not say where"),
    "found Ids": ("found Ids", [answer(1, totalSize=2)], "counts 2 rows and sent 1"),
    "found Ids without end": ("found Ids", [answer(1, done=False)], "does not say where"),
    "no count": ("count", [Answer(200, {"done": True, "records": []})], "gives no count"),
    # Its other columns agree with each other: 2 of 2.
    "split": ("split", [answer(2, totalSize=3), answer(2)], "counts 3 rows and sent 2"),
}


@pytest.mark.parametrize("case", PAGES)
def test_each_count_of_a_query_is_compared(
    case: str, org: OrgClient, scripted: ScriptedOrg, tmp_path: Path
) -> None:
    """Pages that say one number and have another are an error, and no outcome."""
    kind, pages, message = PAGES[case]
    first, *more = pages
    for path in ("query", "queryAll"):
        scripted.script(f"{DATA}/{path}", *(pages if kind == "split" else [first]))
    for number, page in enumerate([first, *more][:-1]):
        url = page.body.get("nextRecordsUrl")
        if url and url not in scripted.answers:
            scripted.script(url, *more[number:])
    assert message in said(UNITS[kind](asking(tmp_path)), org)


@pytest.mark.parametrize("kind", ["keyset", "locator", "parents", "parent Ids", "found Ids"])
def test_pages_that_agree_are_taken(
    kind: str, org: OrgClient, scripted: ScriptedOrg, tmp_path: Path
) -> None:
    """The same answers with the right number: nothing is said."""
    for path in ("query", "queryAll"):
        scripted.script(f"{DATA}/{path}", answer(2))
    assert said(UNITS[kind](asking(tmp_path)), org) == ""


@pytest.mark.parametrize(("rows", "is_lost"), [("3", True), ("1", True), ("2", False)])
def test_the_header_of_a_result_page_counts_its_rows(
    rows: str, is_lost: bool, org: OrgClient, scripted: ScriptedOrg, tmp_path: Path
) -> None:
    """``Sforce-NumberOfRecords`` against the lines that came, whatever the job says."""
    text = f'"Id","Name"\n"{lead(1)}","a"\n"{lead(2)}","b"\n'.encode()
    headers = {"Content-Type": "text/csv", "Sforce-NumberOfRecords": rows}
    scripted.script(RESULTS, Answer(200, text, headers))
    unit = ResultPage("Lead", asking(tmp_path), "750D00000004SkVIAU", "", 10, 1)
    assert (f"has 2 rows; its header says {rows}" in said(unit, org)) is is_lost


def object_run(reader: ReaderName, cursor: dict[str, Any], **more: Any) -> ObjectRun:
    schema = ObjectSchema("Lead", FIELDS)
    run = ObjectRun(schema, reader, None, 1.0, None, Progress(cursor=cursor, parts=1), **more)
    run.query = asking(Path("store"))
    return run


@pytest.mark.parametrize(
    ("announced", "pages", "is_lost"),
    [
        (30, [(20, "L2"), (10, None)], False),
        (29, [(20, "L2"), (10, None)], True),
        (19, [(20, "L2")], True),
        (31, [(20, "L2"), (10, None)], True),
        (None, [(20, "L2"), (10, None)], False),
    ],
)
def test_the_pages_of_a_job_have_the_rows_that_it_processed(
    announced: int | None, pages: list[tuple[int, str | None]], is_lost: bool
) -> None:
    """``numberRecordsProcessed``: more is noticed at once, less with the last page."""
    cursor = {"reader": "bulk2", "job": "750A", "locator": "", "pages": 0}
    reader, run = Bulk2Reader(FakeClock()), object_run("bulk2", cursor)
    (poll,) = reader.next_units(run)
    reader.outcome(run, poll, QueryJob("750A", "JobComplete", "Lead", announced))

    def read() -> None:
        for rows, locator in pages:
            (asked,) = reader.next_units(run)
            (step,) = reader.outcome(run, asked, ResultRead((), rows, locator))
            assert isinstance(step, Commit)
            progress = run.progress
            run.progress = Progress(
                cursor=dict(step.cursor), rows=progress.rows + rows, parts=progress.parts
            )

    if is_lost:
        with pytest.raises(ResultsGone, match="announced"):
            read()
    else:
        read()


def by_parent(cursor: dict[str, Any], *, record_count: int | None) -> tuple[ByParentReader, Any]:
    parents = FieldInfo("CampaignId", "reference", reference_to=("Campaign",), is_nillable=False)
    run = object_run("by_parent", cursor, record_count=record_count)
    run.schema = ObjectSchema("Lead", (*FIELDS, parents))
    run.parent_field = "CampaignId"
    return ByParentReader({}, lambda _parent: []), run


def ended(reader: ByParentReader, run: ObjectRun, rows: int) -> Step:
    reader._all[run.name] = ["701A"]
    unit = ParentsPage("Lead", run.asks, "CampaignId", (("701A",),))
    (step,) = reader.outcome(run, unit, RowsRead((), True, rows, rows))
    return step


def test_rows_of_all_lists_of_parents_are_counted_together() -> None:
    """The count of an object is that of all its queries, those before a resume as well."""
    reader, run = by_parent(
        {"reader": "by_parent", "after": "7010", "count": 40}, record_count=None
    )
    step = ended(reader, run, 2)
    assert isinstance(step, Commit) and step.is_done and step.org_count == 42


@pytest.mark.parametrize(("known", "is_said"), [(3, True), (2, False), (None, False)])
def test_the_orgs_statistic_speaks_against_parents_that_lead_to_too_few(
    known: int | None, is_said: bool
) -> None:
    """A number that may be a day old proves nothing; fewer rows than it counts are said."""
    reader, run = by_parent({"reader": "by_parent", "after": "7010"}, record_count=known)
    run.progress = Progress(cursor=run.cursor, rows=2)
    assert isinstance(ended(reader, run, 0), Commit)
    assert any("counts 3 records; 2 were found" in note for note in run.notes) is is_said


def test_no_rows_by_type_where_the_statistic_has_some_is_no_end() -> None:
    """Types that give nothing are no proof of nothing: the parents' Ids have to be asked for."""
    reader, run = by_parent({"reader": "by_parent", "after": ""}, record_count=3)
    run.is_typed = True
    assert ended(reader, run, 0) == Switch("by_parent", is_restart=False)


@pytest.mark.parametrize(("counted", "is_whole"), [(6, False), (5, True), (None, True)])
def test_a_sweep_with_other_ids_than_the_org_counts_is_none(
    counted: int | None, is_whole: bool
) -> None:
    """Ids that did not come are no deletions: the object is read in full."""

    class Compared:
        @property
        def comparisons(self) -> Compared:
            return self

        def compare_ids(self, _name: str, _parts: object) -> IdDifference:
            return IdDifference([], [], [], 5, "d")

    sweeping = Sweeping({}, cast(Writer, Compared()))
    run = object_run("keyset", {"reader": "keyset"})
    change = ChangeRun(5, 0, ChangeMark("SystemModstamp", True, True), AT)
    change.sweep = run
    sweeping._readers = {"keyset": Bulk2Reader(FakeClock())}
    steps = sweeping._compared(run, change, counted)
    assert any(isinstance(step, ReadInFull) for step in steps) is not is_whole


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("{url}{NEXT}", True),
        ("HTTP://{host}{NEXT}", True),
        ("http://odd.invalid{NEXT}", False),
        ("https://{host}{NEXT}", False),
        ("//{host}{NEXT}", False),
        ("http://x@{host}{NEXT}", False),
        ("http://{host}@odd.invalid{NEXT}", False),
        ("{url}9{NEXT}", False),
        ("http://[{NEXT}", False),
    ],
)
def test_a_next_page_may_be_named_by_its_whole_address_at_the_same_host(
    address: str, is_ours: bool, org: OrgClient, scripted: ScriptedOrg, tmp_path: Path
) -> None:
    """A page of the very host is read, however its name is spelled; no other host gets a call."""
    host = scripted.url.removeprefix("http://")
    named = address.format(url=scripted.url, host=host, NEXT=NEXT)
    scripted.script(f"{DATA}/queryAll", further(2, totalSize=3, nextRecordsUrl=named))
    scripted.script(NEXT, answer(1, 3))
    found = said(UNITS["parents"](asking(tmp_path)), org)
    assert (found == "") is is_ours
    assert is_ours or "outside of the org" in found
    assert scripted.paths().count(NEXT) == int(is_ours)
