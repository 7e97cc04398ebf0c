"""
Cases that people met in the field, one a row: what the org does, and what a backup must make of it
(P9).

Each kind: when the org misbehaves once the snapshot is the undisturbed one; when it always does,
the object fails,
named, and every other object is complete. Nothing is ever complete with rows missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.org.ids import to18
from sfnb.store.verify import verify
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import SharedClock, settings_for

LARGE, LONG, SMALL = "Contact", "Lead", "Account"
"""By Bulk in three result pages; in two keyset pages; in one."""

LINKS = "ContentDocumentLink"
UNSORTED = "PermissionSetEventStore"
OBJECTS = [LARGE, LONG, SMALL, LINKS]
ODD = [
    *("AppDefinition", "FormulaFunctionAllowedType", "EntityDefinition", "PermissionSetEventStore"),
    *("IdeaComment", "CollaborationGroupRecord", "ContentFolderItem", "Vote", "Knowledge__kav"),
]
QUERY = "/queryAll"
RESULTS = "^GET .*/results"
POLL = r"^GET .*/jobs/query/\w+$"
CREATE = "^POST .*/jobs/query$"


@pytest.fixture(scope="module")
def the_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOrg]:
    """One org with oddities for all tests here; time passes only when it is pushed."""
    options = Options(
        size="tiny",
        objects={LARGE: 11_000, LONG: 2_500},
        competitors="off",
        minutes_per_second=0.0,
        bulk_job_s=0.0,
        max_calls=1_000_000,
        has_oddities=True,
    )
    with DemoServer(options, tmp_path_factory.mktemp("field-cases")) as server:
        yield RunningOrg(**server.ready(), server=server)


@pytest.fixture
def org(the_org: RunningOrg) -> Iterator[RunningOrg]:
    yield the_org
    the_org.control("faults", method="DELETE")


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfnb.backup.plan.BULK_PAGE_ROWS", 4_000)


@pytest.fixture
def there(org: RunningOrg, tmp_path: Path) -> Iterator[Connection]:
    settings = settings_for(org, tmp_path / "home")
    with connect("demo", settings=settings, clock=SharedClock(org)) as connection:
        yield connection


@pytest.fixture(scope="module")
def undisturbed(
    the_org: RunningOrg, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pa.Table]:
    settings = settings_for(the_org, tmp_path_factory.mktemp("whole"))
    with connect("demo", settings=settings, clock=SharedClock(the_org)) as whole:
        summary = engine.run(whole, backup(objects=[*OBJECTS, UNSORTED]))
        assert summary["state"] == "completed"
        snapshot = whole.snapshots[summary["snapshot"]]
        return {name: snapshot.table(name).sort_by("Id") for name in [*OBJECTS, UNSORTED]}


@dataclass(frozen=True)
class Case:
    """What the org does to the answers about one object."""

    name: str
    object_name: str
    rules: tuple[dict[str, Any], ...]
    says: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def rewritten(object_name: str, match: str, **change: Any) -> dict[str, Any]:
    inside: Any = "both" if match == QUERY else False
    return {"fault": "rewrite", "object": object_name, "match": match, "inside": inside, **change}


LOST_ROWS = [
    Case(
        "done-false-without-link",
        SMALL,
        (rewritten(SMALL, QUERY, set={"done": False}, remove=["nextRecordsUrl"]),),
        "announces more rows",
    ),
    Case(
        "by-parent-done-false-without-link",
        LINKS,
        (rewritten(LINKS, QUERY, set={"done": False}, remove=["nextRecordsUrl"]),),
        "announces more rows",
    ),
    Case("done-too-early", SMALL, (rewritten(SMALL, QUERY, keep=5),), "counts"),
    Case("by-parent-done-too-early", LINKS, (rewritten(LINKS, QUERY, keep=1),), "counts"),
    Case("one-record-cut-out", SMALL, (rewritten(SMALL, QUERY, drop=[3]),), "counts"),
    Case("one-record-cut-out-of-each-page", LONG, (rewritten(LONG, QUERY, drop=[3]),), "counts"),
    Case(
        "a-foreign-record-ends-a-page",
        LONG,
        (rewritten(LONG, QUERY, nth=1, add=[{"Id": to18("00Q7Q00000A0zzz")}]),),
    ),
    Case(
        "an-impossible-record-ends-a-page",
        LONG,
        (rewritten(LONG, QUERY, nth=1, add=[{"Id": "00Qzz00000zzzzzAAA"}]),),
    ),
    Case("a-record-twice-in-a-page", SMALL, (rewritten(SMALL, QUERY, repeat=[3], drop=[5]),), ""),
    Case(
        "bulk-a-row-twice-another-missing",
        LARGE,
        (rewritten(LARGE, RESULTS, repeat=[3], drop=[5]),),
        "repetitions",
    ),
    Case(
        "bulk-a-page-served-again",
        LARGE,
        ({"fault": "replay", "match": RESULTS, "object": LARGE},),
        "",
    ),
    Case(
        "bulk-count-too-small",
        LARGE,
        (rewritten(LARGE, POLL, set={"numberRecordsProcessed": 100}),),
        "announced 100 rows",
    ),
    Case(
        "bulk-locator-gone-after-the-first-page",
        LARGE,
        (rewritten(LARGE, RESULTS, headers={"Sforce-Locator": None}),),
        "announced",
    ),
]


def run(there: Connection, names: list[str], **options: Any) -> dict[str, Any]:
    return engine.run(there, backup(objects=names), **options)


def check_whole(
    there: Connection, summary: dict[str, Any], whole: dict[str, pa.Table], names: list[str]
) -> None:
    snapshot = there.snapshots[summary["snapshot"]]
    for name in names:
        assert summary["objects"][name]["state"] == "complete", summary["objects"][name]
        assert snapshot.table(name).sort_by("Id").equals(whole[name]), name
        entry = snapshot.manifest.objects[name]
        assert entry.our_count == entry.rows + entry.deleted == entry.org_count
    assert [
        finding for finding in verify(there.store) if finding.kind not in ("note", "orphan")
    ] == []


@pytest.mark.parametrize("case", LOST_ROWS, ids=lambda case: case.name)
def test_rows_lost_once_are_read_again(
    org: RunningOrg, there: Connection, undisturbed: dict[str, pa.Table], case: Case
) -> None:
    """P9: an answer that loses rows once is noticed; the object is read again and is whole."""
    for rule in case.rules:
        org.fail(**{"times": 1, **rule})
    names = [case.object_name, "Campaign"]
    summary = run(there, names)
    assert summary["state"] == "completed", summary["objects"]
    check_whole(there, summary, undisturbed, [case.object_name])
    assert org.control("faults")["rules"][0]["hit"] >= 1, "the org has misbehaved"


@pytest.mark.parametrize("case", LOST_ROWS, ids=lambda case: case.name)
def test_rows_that_are_always_lost_fail_their_object(
    org: RunningOrg, there: Connection, case: Case
) -> None:
    """
    P9: an answer that always loses rows never makes its object complete; the object fails, named.
    """
    for rule in case.rules:
        org.fail(**{key: value for key, value in rule.items() if key != "nth"})
    summary = run(there, [case.object_name, "Campaign"])
    entry = summary["objects"][case.object_name]
    assert summary["state"] == "completed_with_errors", summary
    assert entry["state"] != "complete" and case.object_name in entry["message"], entry
    assert case.says in entry["message"]
    assert summary["objects"]["Campaign"]["state"] == "complete"
    manifest = there.snapshots[summary["snapshot"]].manifest
    assert manifest.state == "partial" and manifest.objects[case.object_name].message


def test_objects_of_shared_ids_and_hard_queries_are_whole(
    org: RunningOrg, there: Connection
) -> None:
    """
    Shared Ids, Ids that cannot be sorted, filters by one parent, hidden versions: every row is
    there.
    """
    summary = run(there, [*ODD, "Idea", "CollaborationGroup", "ContentFolder"])
    assert summary["state"] == "completed", summary["objects"]
    snapshot = there.snapshots[summary["snapshot"]]
    entries = summary["objects"]
    for name, rows in {
        "AppDefinition": 5,
        "FormulaFunctionAllowedType": 40,
        "EntityDefinition": 12,
        "PermissionSetEventStore": 60,
        "Knowledge__kav": 30,
    }.items():
        assert snapshot.table(name).num_rows == rows == entries[name]["rows"], name
    for name in ("AppDefinition", "FormulaFunctionAllowedType", "EntityDefinition"):
        assert "DurableId tells them apart" in entries[name]["message"]
    for name in ("IdeaComment", "CollaborationGroupRecord", "ContentFolderItem", "Vote"):
        assert entries[name]["state"] == "complete" and entries[name]["rows"] > 0, name


def test_values_that_fit_no_column_are_kept(org: RunningOrg, there: Connection) -> None:
    """
    A fraction in an int widens its column, and it is said; a long keeps its digits; mixed values
    are text.
    """
    summary = run(there, ["PlatformEventUsageMetric", "AccountHistory"])
    assert summary["state"] == "completed", summary["objects"]
    snapshot = there.snapshots[summary["snapshot"]]
    metrics = snapshot.table("PlatformEventUsageMetric")
    assert 12.5 in metrics.column("UsageType").to_pylist()
    assert 9_007_199_254_740_993 in metrics.column("Value").to_pylist()
    assert "UsageType" in summary["objects"]["PlatformEventUsageMetric"]["message"]
    values = set(snapshot.table("AccountHistory").column("NewValue").to_pylist())
    assert {"true", "50000.5", "text", "0123"} <= values


def test_what_describe_says_is_in_the_plan(org: RunningOrg, there: Connection) -> None:
    """
    The plan knows beforehand which Ids cannot be sorted and which objects are read parent by
    parent.
    """
    plan = engine.plan(there, backup(objects=[*ODD, "CollaborationGroup"])).plan
    assert plan.objects["PermissionSetEventStore"].reader == "locator"
    single = plan.objects["CollaborationGroupRecord"]
    assert single.reader == "by_parent" and single.calls >= 8 / 5


def gone(name: str, field: str, match: str) -> dict[str, Any]:
    """A rule: the query names a field that is gone, in Salesforce's form of such a refusal."""
    query = f"\nSELECT Id,{field} FROM {name}\n          ^\nERROR at Row:1:Column:11\n"
    said = f"{query}No such column '{field}' on entity '{name}'."
    where = {"match": match, "object": name, "field": field}
    inside: Any = "both" if match == QUERY else False
    return {"fault": "error", "code": "INVALID_FIELD", "message": said, "inside": inside, **where}


REFUSED = [
    Case("field-gone", SMALL, (gone(SMALL, "Fax", QUERY),), "Fax"),
    Case(
        "two-fields-gone",
        SMALL,
        (gone(SMALL, "Fax", QUERY), gone(SMALL, "Industry", QUERY)),
        "Fax,Industry",
    ),
    Case(
        "field-gone-in-mid-reading", LONG, ({**gone(LONG, "Company", QUERY), "nth": 2},), "Company"
    ),
    Case("field-gone-by-parent", LINKS, (gone(LINKS, "Visibility", QUERY),), "Visibility"),
    Case("field-gone-bulk", LARGE, (gone(LARGE, "Title", CREATE),), "Title"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_refused_field_does_not_lose_its_object(
    org: RunningOrg, there: Connection, undisturbed: dict[str, pa.Table], case: Case
) -> None:
    """An object is read without the field that the org refuses, and that is said."""
    for rule in case.rules:
        org.fail(**rule)
    name = case.object_name
    summary = run(there, [name])
    assert summary["state"] == "completed", summary["objects"]
    found = there.snapshots[summary["snapshot"]].table(name).sort_by("Id")
    fields = case.says.split(",")
    for field_name in fields:
        assert f"refused the field {field_name}" in summary["objects"][name]["message"]
        assert found.column(field_name).null_count == found.num_rows
    assert found.drop_columns(fields).equals(undisturbed[name].drop_columns(fields))


@pytest.mark.parametrize(
    ("name", "most"), [(SMALL, 9), (LONG, 9), (LARGE, 9), (LINKS, 4), (UNSORTED, 3)]
)
def test_a_query_too_complicated_is_split(
    org: RunningOrg, there: Connection, undisturbed: dict[str, pa.Table], name: str, most: int
) -> None:
    """
    Columns are spread over queries and joined again until the org takes them, whatever the reader.
    """
    words = {
        "code": "QUERY_TOO_COMPLICATED",
        "message": "Query is either selecting too many fields",
    }
    org.fail(fault="error", match=QUERY, inside="both", object=name, fields_over=most, **words)
    org.fail(fault="error", match=CREATE, object=name, fields_over=most, **words)
    summary = run(there, [name])
    assert summary["state"] == "completed", summary["objects"]
    check_whole(there, summary, undisturbed, [name])


def test_one_new_bulk_job_after_an_internal_error(
    org: RunningOrg, there: Connection, undisturbed: dict[str, pa.Table]
) -> None:
    """
    A Bulk job that fails for a fault of Salesforce's own is created anew, once, before pages are
    read.
    """
    org.fail(
        fault="bulk_job_failed", match=CREATE, times=1, message="InternalServerError : unexpected"
    )
    mark = org.mark()
    summary = run(there, [LARGE])
    assert summary["state"] == "completed"
    check_whole(there, summary, undisturbed, [LARGE])
    targets = [call["target"] for call in org.ledger(after=mark, calls=True)["calls"]]
    assert sum(target.endswith("/jobs/query") for target in targets) == 2
    assert not any("queryAll" in target for target in targets)


def broken(name: str, match: str = QUERY, **words: Any) -> dict[str, Any]:
    """A rule: calls for this object always fail."""
    usual = {"code": "UNKNOWN_EXCEPTION", "status": 500, "message": "An unexpected error occurred."}
    where = {"match": match, "object": name, "inside": "both"}
    return {"fault": "error", **where, **usual, **words}


TIMEOUT = {"code": "QUERY_TIMEOUT", "status": 400, "message": "Your query ran for too long."}
TROUBLE = [
    Case(
        "four-unlicensed-objects-500",
        SMALL,
        tuple(broken(name) for name in (SMALL, "Campaign", "Case", "Task")),
        "UNKNOWN_EXCEPTION",
    ),
    Case("query-timeout", SMALL, (broken(SMALL, **TIMEOUT),), "QUERY_TIMEOUT"),
    Case("by-parent-500", LINKS, (broken(LINKS),), "UNKNOWN_EXCEPTION"),
    Case(
        "query-503",
        SMALL,
        ({"fault": "status503", "match": QUERY, "inside": "both", "object": SMALL},),
        "SERVER_UNAVAILABLE",
    ),
    Case(
        "describe-is-a-web-page",
        SMALL,
        (
            {"fault": "error", "match": "/composite$", "body": f"{SMALL}/describe", "status": 404},
            {"fault": "html", "match": f"{SMALL}/describe", "status": 200},
        ),
        "web page",
    ),
    Case(
        "describe-500", SMALL, (broken(SMALL, f"sobjects/{SMALL}/describe"),), "UNKNOWN_EXCEPTION"
    ),
]


@pytest.mark.parametrize("case", TROUBLE, ids=lambda case: case.name)
def test_one_objects_trouble_is_its_own(
    org: RunningOrg, there: Connection, undisturbed: dict[str, pa.Table], case: Case
) -> None:
    """
    P9: an object that never answers fails with the org's words; the others are complete; the next
    run tries it.
    """
    for rule in case.rules:
        org.fail(**rule)
    troubled = {str(rule.get("object", SMALL)) for rule in case.rules}
    summary = run(there, [LARGE, "Product2", *troubled])
    assert summary["state"] == "completed_with_errors", summary
    for name, entry in summary["objects"].items():
        assert (entry["state"] != "complete") == (name in troubled), (name, entry)
    for name in troubled:
        assert case.says in summary["objects"][name]["message"], summary["objects"][name]
    check_whole(there, summary, undisturbed, [LARGE])
    assert summary["pauses"] == []


def test_an_org_that_is_away_pauses_the_job_which_goes_on(
    org: RunningOrg, there: Connection, undisturbed: dict[str, pa.Table]
) -> None:
    """
    P4: an org away for an hour is a pause that says so, asked at growing intervals, at no call.
    """
    org.fail(fault="status503", nth=5, for_s=3600.0)
    seen: list[events.Event] = []
    summary = run(there, OBJECTS, emit=seen.append)
    assert summary["state"] == "completed", summary["objects"]
    assert summary["pauses"] and all(pause["resumed_at"] for pause in summary["pauses"])
    assert all(pause["reason"].startswith("org unavailable") for pause in summary["pauses"])
    check_whole(there, summary, undisturbed, OBJECTS)


def test_an_org_that_is_away_lets_a_job_exit(org: RunningOrg, there: Connection) -> None:
    """With `exit` the job ends paused, for a scheduler to come back."""
    org.fail(fault="status503", nth=5)
    summary = run(there, OBJECTS, on_pause="exit")
    assert summary["state"] == "paused" and "org unavailable" in summary["pauses"][-1]["reason"]
    org.control("faults", method="DELETE")
    done = engine.resume(there, summary["job_id"])
    assert done["state"] == "completed" and done["snapshot"] == summary["snapshot"]


@pytest.mark.parametrize(
    "name", ["../x", "a\\u0000b", "it's", "X" * 300], ids=["path", "nul", "quote", "long"]
)
def test_an_impossible_name_is_left_out(org: RunningOrg, there: Connection, name: str) -> None:
    """A describe that lists an object of an impossible name loses that object, not the backup."""
    org.fail(
        fault="rewrite",
        match="^GET .*/sobjects/?$",
        replace=[['"name": ?"Idea"', f'"name":"{name}"']],
    )
    wanted = ["Campaign", SMALL]
    everything = [info for info in engine.plan(there, backup()).plan.objects if info not in wanted]
    summary = engine.run(there, backup(exclude=everything))
    assert summary["state"] == "completed", summary["objects"]
    left_out = there.snapshots[summary["snapshot"]].manifest.left_out
    assert any("name" in reason for reason in left_out.values()), left_out
