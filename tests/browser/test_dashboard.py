"""The same notebooks in Voilà, for people who should not see code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Home, Server, end, serve


@pytest.fixture(scope="module")
def dashboard(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`sfnb dashboard`."""
    if find_spec("voila") is None:
        pytest.skip("Voilà is not installed: pip install 'sfnb[dashboard]'")
    folder = tmp_path_factory.mktemp("dashboard")
    command = [
        sys.executable,
        "-m",
        "sfnb",
        "dashboard",
        "--no-browser",
        "--port",
        "0",
        "--folder",
        str(folder / "own"),
    ]
    server = serve(
        command, home, folder / "own", folder / "voila.log", r"(http://127\.0\.0\.1:[1-9]\d*)"
    )
    try:
        yield server
    finally:
        end(server)


def test_a_backup_begins_when_start_is_pressed(
    home: Home, dashboard: Server, open_page: Callable[..., Page]
) -> None:
    """Opening the page backs nothing up; the slider saves, Start runs the backup to its end, no code is seen."""
    page = open_page()
    page.goto(f"{dashboard.url}/voila/render/run_backup.ipynb")
    start = page.get_by_role("button", name="Start the backup")
    expect(start).to_be_visible(timeout=90_000)
    assert home.sfnb("jobs", "--json").strip() in ("[]", "")
    expect(page.get_by_text("import sfnb")).to_have_count(0)
    range_ = page.get_by_role("slider").first
    range_.focus()
    range_.press("ArrowLeft")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-slider > .sfnb-status")).to_contain_text("Saved: API calls 49 %")
    start.click()
    expect(page.locator(".sfnb-panel .sfnb-badge")).to_contain_text("completed", timeout=90_000)
    expect(page.locator(".sfnb-picture table")).to_be_visible()


def test_orgs_and_snapshots_are_served(
    home: Home, dashboard: Server, open_page: Callable[..., Page]
) -> None:
    """The tabs of orgs and the browser of snapshots work without code as well."""
    page = open_page()
    page.goto(f"{dashboard.url}/voila/render/orgs.ipynb")
    expect(page.get_by_role("tab", name="demo")).to_be_visible(timeout=90_000)
    expect(page.locator(".sfnb-chart")).to_be_visible()
    page.goto(f"{dashboard.url}/voila/render/snapshots.ipynb")
    expect(page.locator(".sfnb-browser select").first).to_be_visible(timeout=90_000)
