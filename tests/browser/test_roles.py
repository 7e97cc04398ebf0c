"""A viewer's dashboard: what the role does not allow cannot be pressed, and a line says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, end, started
from tests.browser.test_dashboard import loaded, start_dashboard

SAYS = "vera is a viewer on this state and may not"

BUTTONS = {
    "/orgs": ("Add this org", "Start a demo org instead"),
    "/org/demo/backup": ("Start the backup",),
    "/org/demo/restore": ("Start the restore",),
    "/org/demo/archive": ("Archive and delete …", "Put on hold", "Prune …"),
}


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard that Vera has started; there is a snapshot and a paused job."""
    with started(tmp_path_factory.mktemp("home")) as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SFNB_USER", "ann")
        home.sfnb("backup", "demo", "--objects", "Account")
        home.sfnb("schedule", "add", "nightly", "--cron", "0 2 * * *", "--", "backup", "demo")
        home.sfnb("team", "role", "vera", "viewer")
        patch.setenv("SFNB_USER", "vera")
        server = start_dashboard(home, tmp_path_factory.mktemp("dashboard"))
        try:
            yield server
        finally:
            end(server)


def test_a_viewer_sees_what_they_may_not_do(
    dashboard: Server, open_page: Callable[..., Page]
) -> None:
    """Each button that would be refused is disabled, with a sentence beside it; looking stays possible."""
    page = open_page()
    page.goto(f"{dashboard.url}/orgs?token={dashboard.token}")
    for place, names in BUTTONS.items():
        page.goto(f"{dashboard.url}{place}")
        loaded(page)
        expect(page.locator(".sfnb-role:visible").first).to_contain_text(SAYS)
        for name in names:
            button = page.get_by_role("button", name=name, exact=True, include_hidden=True)
            expect(button).to_have_count(1)
            expect(button).to_be_disabled()
    page.goto(f"{dashboard.url}/org/demo/backup")
    loaded(page)
    expect(page.get_by_role("button", name="Show the plan")).to_be_enabled()


def test_a_viewer_moves_the_slider_and_saves_nothing(
    dashboard: Server, open_page: Callable[..., Page]
) -> None:
    """What another limit would do may be looked at; Save stays disabled."""
    page = open_page()
    page.goto(f"{dashboard.url}/org/demo/limits?token={dashboard.token}")
    loaded(page)
    slider = page.locator(".sfnb-slider")
    expect(slider.locator(".sfnb-role")).to_contain_text(f"{SAYS} change a limit")
    slider.locator(".sfnb-percent").first.fill("70")
    expect(slider).to_contain_text("not saved")
    expect(slider.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    expect(slider.get_by_role("button", name="Cancel", exact=True)).to_be_enabled()


def test_the_schedule_is_a_place(dashboard: Server, open_page: Callable[..., Page]) -> None:
    """What is scheduled, when it is due next and how it ended, for everybody who may look."""
    page = open_page()
    page.goto(f"{dashboard.url}/schedule?token={dashboard.token}")
    loaded(page)
    row = page.get_by_role("row").filter(has_text="nightly")
    expect(row).to_contain_text("sfnb backup demo")
    expect(row).to_contain_text("0 2 * * * (UTC)")
    expect(row).to_contain_text("not run yet")
    expect(page.get_by_role("link", name="Schedule")).to_have_attribute("aria-current", "page")
