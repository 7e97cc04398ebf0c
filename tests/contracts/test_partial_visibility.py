"""A user who may not see all records: an org then answers, and counts, as if the others did not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import CommandLine
from tests.conftest import RunningOrg


@pytest.fixture
def limited(demo_org: RunningOrg, tmp_path: Path) -> CommandLine:
    """A home whose org is logged in to as the user without View All Data."""
    token = demo_org.headers_of(demo_org.limited_username)["Authorization"].removeprefix("Bearer ")
    home = CommandLine(tmp_path / "home", L_TOKEN=token)
    added = home("org", "add", "x", "--instance-url", demo_org.url, "--access-token-env", "L_TOKEN")
    assert added.code == 0, added.err
    return home


def test_the_check_the_plan_and_the_outcome_warn(limited: CommandLine) -> None:
    """`partial_visibility` stands in the check, the plan, the job's summary, its snapshot and the report."""
    checked = limited("org", "check", "x", "--json")
    assert checked.code == 1
    assert [one["code"] for one in checked.json["warnings"]] == ["partial_visibility"]
    planned = limited("plan", "x", "--objects", "Account,Contact", "--json").json
    (warning,) = planned["warnings"]
    assert (warning["code"], warning["object"]) == ("partial_visibility", None)
    assert "View All Data" in warning["message"] and "Query All Files" in warning["message"]
    ended = limited("backup", "x", "--objects", "Account,Contact")
    assert "Warning: The user lacks View All Data" in ended.out
    (summary,) = limited("jobs", "--json").json
    assert summary["warnings"][0] == warning
    # What makes the warning true: the org counts more records than this user is given.
    seen, counted = summary["objects"]["Contact"]["rows"], planned["objects"]["Contact"]
    assert seen < counted["expected_rows"] / 2
    (far,) = [one for one in summary["warnings"] if one["object"] == "Contact"]
    assert (
        f"sees {seen:,} records; the org has about {counted['expected_rows']:,}" in far["message"]
    )
    assert "View All Data" in limited("show", "x", "latest").out
    page = limited.home / "report.html"
    assert limited("report", "x", "--html", page).code == 0
    assert "The last backup: The user lacks View All Data" in page.read_text("utf-8")


def test_a_user_who_sees_all_is_not_warned(demo_org: RunningOrg, tmp_path: Path) -> None:
    """The administrator's plan and job have no warning."""
    home = CommandLine.with_org(tmp_path / "home", demo_org)
    assert home("plan", "x", "--objects", "Account", "--json").json["warnings"] == []
    assert home("backup", "x", "--objects", "Account", "--json").json["warnings"] == []
