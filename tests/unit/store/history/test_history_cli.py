"""`sfnb diff` and `sfnb history` as other programs drive them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sfnb.cli.main import run
from sfnb.report.diff import RECORDS, diff_html
from sfnb.store.history.diff import diff
from tests.store_samples import ORG_ID, a_store, record_id
from tests.unit.store.history.test_diff import a_state, record


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str, str]:
    """A store with two snapshots; its root and their ids."""
    store = a_store(tmp_path / "store")
    old = a_state(store, 1, [record(n) for n in range(1, 5)])
    new = a_state(store, 2, [record(1), record(2, Name="<script>alert(1)</script>"), record(5)])
    return str(tmp_path / "store"), old, new


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    assert run([*args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_diff_prints_numbers(two: tuple[str, str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """The keys of the contract, also for what is written to a file; an Id's beginning and `latest` will do."""
    root, old, new = two
    found = printed(capsys, "diff", ORG_ID, old[:12], "latest", "--store", root)
    assert (found["org"], found["old"], found["new"]) == ("demo", old, new)
    account = found["objects"]["Account"]
    assert account["fields"] == {"Name": 1}
    assert (account["added"], account["changed"], account["deleted"]) == (1, 1, 2)
    assert printed(capsys, "diff", ORG_ID, old, old, "--store", root)["objects"]["Account"] == {
        **dict.fromkeys(("added", "changed", "deleted", "undeleted", "merged"), 0),
        "fields": {},
    }


def test_diff_writes_csv_and_html(
    two: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both have the changes; no value of the org can run as script (P8); nothing is overwritten unasked."""
    root, old, new = two
    for ending in ("csv", "html"):
        path = str(tmp_path / f"diff.{ending}")
        args = ("diff", ORG_ID, old, new, "--store", root, "--to", path)
        assert printed(capsys, *args)["objects"]["Account"]["changed"] == 1
        assert run(list(args)) == 2
        assert run([*args, "--force"]) == 0
        capsys.readouterr()
    assert record_id(5) in (tmp_path / "diff.csv").read_text("utf-8")
    page = (tmp_path / "diff.html").read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    assert (
        page.count("<script") == 1 and "default-src &#39;none&#39;" in page and record_id(3) in page
    )
    assert run(["diff", ORG_ID, old, new, "--store", root, "--to", str(tmp_path / "d.txt")]) == 2
    assert run(["diff", ORG_ID, old, "2031", "--store", root]) == 2
    assert run(["diff", ORG_ID, old, new, "--store", root, "--objects", "Nothing__c"]) == 2


def test_the_page_of_a_large_diff_says_that_it_is_cut(tmp_path: Path) -> None:
    """A browser gets the first records of an object, and the page says how many there are."""
    store = a_store(tmp_path / "store")
    old = a_state(store, 1, [record(n) for n in range(RECORDS + 50)])
    new = a_state(store, 2, [record(n, Name="x") for n in range(RECORDS + 50)])
    page, counts = diff_html(diff(store.snapshots, old, new))
    assert counts["Account"].changed == RECORDS + 50
    assert f"The first {RECORDS} records of {RECORDS + 50}" in page
    assert record_id(RECORDS - 1) in page and record_id(RECORDS) not in page


def test_history_prints_versions(
    two: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Oldest first, an Id of 15 characters too; an unknown Id is wrong usage."""
    root, old, new = two
    whole = record_id(4)
    found = printed(capsys, "history", ORG_ID, "Account", record_id(2), "--store", root)
    assert [set(version) for version in found] == [{"snapshot", "at", "op", "by", "fields"}] * 2
    assert found[1]["fields"] == {"Name": "<script>alert(1)</script>"}
    assert [v["snapshot"] for v in found] == [old, new]
    assert run(["history", ORG_ID, "Account", whole, "--store", root]) == 0
    assert "gone" in capsys.readouterr().out
    assert run(["history", ORG_ID, "Account", record_id(77), "--store", root]) == 2
    assert run(["history", ORG_ID, "Account", "no id", "--store", root]) == 2
