"""`sfnb dashboard`: one page for people who never see Python."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Home, Server, end, serve


@pytest.fixture(scope="module")
def dashboard(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`sfnb dashboard`; its ``url`` holds the token."""
    folder = tmp_path_factory.mktemp("dashboard")
    command = [sys.executable, "-m", "sfnb", "dashboard", "--no-browser", "--port", "0"]
    pattern = r"(http://127\.0\.0\.1:\d+/\?token=\S+)"
    server = serve(command, home, folder / "own", folder / "dashboard.log", pattern)
    try:
        yield server
    finally:
        end(server)


def test_from_the_front_door_to_a_finished_backup(
    home: Home, dashboard: Server, open_page: Callable[..., Page]
) -> None:
    """The only org is chosen by itself; Start runs a backup to its end; its rows can be looked at; no code is seen."""
    page = open_page()
    page.goto(dashboard.url)
    expect(page.get_by_role("heading", name="Usage")).to_be_visible()
    assert page.url.endswith("/org/demo/usage")
    page.get_by_role("link", name="Backup").click()
    start = page.get_by_role("button", name="Start the backup")
    expect(start).to_be_visible()
    assert home.sfnb("jobs", "--json").strip() in ("[]", "")
    start.click()
    expect(page.locator(".sfnb-panel .sfnb-badge")).to_contain_text("completed", timeout=90_000)
    expect(page.locator(".sfnb-picture table")).to_be_visible()
    page.get_by_role("link", name="Snapshots").click()
    expect(page.locator(".sfnb-browser select").first).to_be_visible()
