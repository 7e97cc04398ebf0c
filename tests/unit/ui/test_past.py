"""A record's history and the difference of two snapshots in the browser: words, numbers, refusals."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from sfnb.connection import Connection
from sfnb.store.archived import Archives
from sfnb.store.archives import RECORD, archive_folder
from sfnb.store.history.diff import diff
from sfnb.store.tables import OrgStore
from sfnb.ui.browser import SnapshotBrowser
from sfnb.ui.past import RECORDS
from tests.store_samples import a_store, an_archive, record_id
from tests.unit.store.history.test_diff import a_state, record


@pytest.fixture
def store(tmp_path: Path) -> OrgStore:
    store = a_store(tmp_path)
    a_state(store, 1, [record(n) for n in range(1, 300)])
    new = [record(1, Name="<b>New</b>"), record(2, IsDeleted=True, MasterRecordId=record_id(1))]
    a_state(store, 2, [*new, *(record(n, Amount=9.5) for n in range(3, 300)), record(900)])
    return store


def a_browser(store: OrgStore) -> SnapshotBrowser:
    """A browser over a store; no org is asked for anything stored."""

    def compare(old: str, new: str) -> Any:
        return diff(store.snapshots, old, new)

    org = SimpleNamespace(
        name="demo",
        store=store,
        snapshots=store.snapshots,
        archives=Archives(store.files),
        diff=compare,
    )
    return SnapshotBrowser(cast(Connection, org))


def heard(browser: SnapshotBrowser, kind: str, **message: Any) -> dict[str, Any]:
    answer = browser.heard({"kind": kind, **message})
    assert answer is not None
    return answer


def finished(browser: SnapshotBrowser) -> dict[str, Any]:
    """The comparison's view when its thread has ended."""
    for thread in threading.enumerate():
        if thread.name == "sfnb-diff":
            thread.join()
    assert browser._diff is not None
    return dict(browser._diff.view()["diff"])


def test_a_records_versions_newest_first(store: OrgStore) -> None:
    """Title, who, fields before and after; the first version has its values alone."""
    browser = a_browser(store)
    _, new = store.snapshots
    assert heard(browser, "history", record="x")["says"] == "Open an object first."
    heard(browser, "objects", snapshot=new)
    heard(browser, "open", object="Account")
    assert "Enter a record's Id" in heard(browser, "history", record=" ")["says"]
    assert "no Salesforce id" in heard(browser, "history", record="abc")["says"]
    assert "no snapshot has a record" in heard(browser, "history", record=record_id(7000))["says"]
    found = heard(browser, "history", record=record_id(2)[:15])
    assert found["says"].endswith(": 2 versions")
    newest, oldest = found["versions"]
    assert f"merged into {record_id(1)}" in newest["title"] and "stored" in oldest["title"]
    assert ["IsDeleted", "false", "true"] in newest["fields"]
    assert ["Name", None, "N 2"] in oldest["fields"]
    browser.close()


def test_counts_then_fields_side_by_side(store: OrgStore) -> None:
    """Counts by object while it runs, then the first records; what is cut is said; values are text."""
    browser = a_browser(store)
    old, new = store.snapshots
    assert heard(browser, "compare", old=old)["says"] == "Choose a snapshot first."
    heard(browser, "objects", snapshot=new)
    assert heard(browser, "changes", object="Account")["says"] == "Compare two snapshots first."
    assert heard(browser, "compare", old=old)["code"] == f'org.diff("{old}", "{new}").frame()'
    diff = finished(browser)
    assert diff["says"] == "1 object of 1 with a difference"
    (line,) = diff["lines"]
    assert line["counts"] == ["1", "297", "1"] and "Amount (296)" in line["fields"]
    assert "1 merged" in line["fields"]
    shown = heard(browser, "changes", object="Account")
    assert len(shown["changes"]) == RECORDS
    assert shown["says"] == f"The first {RECORDS} records of 299."
    assert shown["changes"][0]["fields"] == [["Name", "N 1", "<b>New</b>"]]
    assert f"merged into {record_id(1)}" in shown["changes"][1]["title"]
    assert "<td>297</td>" in browser.html()
    browser.close()


def test_what_the_table_leaves_out_is_said(store: OrgStore) -> None:
    """The list counts the recycle bin and the table leaves it out: each says which it is."""
    browser = a_browser(store)
    old, new = store.snapshots
    said = {}
    for snapshot in (old, new):
        label = heard(browser, "objects", snapshot=snapshot)["objects"][0]["label"]
        heard(browser, "open", object="Account")
        for thread in threading.enumerate():
            if thread.name == "sfnb-pages-Account":
                thread.join()
        said[snapshot] = (label, heard(browser, "pick", filters={}, order=None)["says"])
    browser.close()
    assert said == {
        old: ("Account: 299 records, complete", "299 records"),
        new: (
            "Account: 300 records, 1 in the recycle bin, complete",
            "299 records outside the recycle bin",
        ),
    }


def read(browser: SnapshotBrowser, name: str) -> dict[str, Any]:
    """Open an object and wait until it is read."""
    answer = heard(browser, "open", object=name)
    for thread in threading.enumerate():
        if thread.name == f"sfnb-pages-{name}":
            thread.join()
    return answer


def test_archives_are_listed_and_opened_beside_backups(store: OrgStore) -> None:
    """One archive or all: what left the org, filtered as in any snapshot; what stayed is not shown."""
    fields = {"Id": pa.string(), "Name": pa.string()}
    leads = [{"Id": f"00Q{n:012d}AAA", "Name": f"Lead {n}"} for n in range(4)]
    stayed = [leads[1]["Id"]]
    one = an_archive(store, 3, "Lead", leads[:3], fields=fields, stayed=stayed)
    two = an_archive(store, 4, "Lead", leads[3:], fields=fields, is_done=False)
    browser = a_browser(store)
    listed = browser.view()["snapshots"]
    assert [entry["group"] for entry in listed] == ["backups"] * 2 + ["archives"] * 3
    assert [entry["id"] for entry in listed[2:]] == ["archives", two, one]
    assert listed[2]["label"] == "All 2 archives"
    assert "Lead, 2 records" in listed[4]["label"] and "not finished" in listed[3]["label"]

    about = heard(browser, "objects", snapshot=one)
    assert about["about"] == (
        "Lead where Status = 'Closed': 2 records of 1 object left the org; 1 stored record stayed "
        "in it."
    )
    assert about["objects"] == [{"name": "Lead", "rows": 2, "label": "Lead: 2 records"}]
    opened = read(browser, "Lead")
    assert opened["columns"] == ["Id", "Name", "_archive", "_archived_at"]
    assert opened["code"] == f'org.archives["{one}"].frame("Lead")'
    assert heard(browser, "pick", filters={}, order=None)["says"] == "2 records"
    assert heard(browser, "compare", old=one)["says"] == "Choose a snapshot first."
    assert "no snapshot has" in heard(browser, "history", record=leads[0]["Id"])["says"]

    about = heard(browser, "objects", snapshot="archives")
    assert about["about"].startswith(
        "2 archives: 3 records of 1 object left the org. An archive is"
    )
    assert read(browser, "Lead")["code"] == 'org.archives.frame("Lead")'
    found = heard(browser, "pick", filters={"Name": "lead 3"}, order=None)
    assert found["says"] == "1 record"
    (row,) = heard(browser, "page", offset=0, limit=10)["rows"]
    assert row == [leads[3]["Id"], "Lead 3", two, "2026-11-02T12:00:00Z"]
    assert "Lead 3" in browser.html() and "2 archives: 3 records" in browser.html()

    heard(browser, "objects", snapshot=store.snapshots["latest"].id)
    assert read(browser, "Account")["code"].startswith("org.snapshots[")
    browser.close()


def test_a_damaged_archive_hides_no_other(store: OrgStore) -> None:
    """It is named in the list, and what is whole can be opened."""
    fields = {"Id": pa.string()}
    ids = [f"00Q{n:012d}AAA" for n in range(2)]
    one, two = (
        an_archive(store, 3 + n, "Lead", [{"Id": i}], fields=fields) for n, i in enumerate(ids)
    )
    Path(store.files.below(archive_folder(two)).root, RECORD).write_text("{}")
    browser = a_browser(store)
    labels = {entry["id"]: entry["label"] for entry in browser.view()["snapshots"]}
    assert labels[two] == f"{two} · damaged" and "Lead, 1 record" in labels[one]
    assert heard(browser, "objects", snapshot=one)["ok"]
    assert RECORD in heard(browser, "objects", snapshot="archives")["says"]
    browser.close()
