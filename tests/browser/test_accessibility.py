"""Every widget by keyboard and by screen reader: axe-core finds nothing serious, in the light and the dark theme."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Home, OpenNotebook, Server

ALL = """
import sfnb
from sfnb import engine, widgets
org = sfnb.connect("demo")
for _ in range(2):
    summary = engine.run(org, engine.backup(objects=["Account", "Contact"]))
browser = widgets.snapshot_browser(org)
display(widgets.org_tabs(), widgets.job_panel(summary["job_id"], org=org), browser)
"""

SERIOUS = ("serious", "critical")


def axe(page: Page, where: str) -> list[dict[str, Any]]:
    """What axe-core finds serious below ``where``."""
    core = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="axe-core is missing: pip install 'sfnb[dev]'",
    )
    found = core.Axe().run(page, context=where).response["violations"]
    return [
        {
            "rule": one["id"],
            "impact": one["impact"],
            "nodes": [node["html"] for node in one["nodes"]][:3],
        }
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(
    home: Home, lab: Server, open_lab: OpenNotebook, dark: bool
) -> None:
    """Names, roles and contrast (AA) of all widgets together are in order, also while something is wrong."""
    page = open_lab(lab.put(f"all_{dark}.ipynb", ALL), dark=dark)
    grid = page.locator(".sfnb-browser")
    expect(grid).to_be_visible(timeout=60_000)
    grid.get_by_label("Object", exact=True).select_option("Contact")
    expect(page.locator(".sfnb-grid tbody td").first).to_be_visible()
    page.locator(".sfnb-grid tbody td").first.click()
    versions = grid.locator("section").filter(has_text="A record's history")
    expect(versions.get_by_label("Record Id")).not_to_have_value("", timeout=60_000)
    page.get_by_role("button", name="Show its versions").click()
    expect(versions.locator(".sfnb-changes > *").first).to_be_visible(timeout=60_000)
    compare = grid.locator("section").filter(has_text="What changed since")
    compare.get_by_role("button", name="Compare").click()
    expect(compare.get_by_role("status")).not_to_have_text("Comparing …", timeout=60_000)
    page.locator(".sfnb-slider .sfnb-percent").first.fill("fifty")
    expect(page.locator(".sfnb").first).to_have_attribute("data-theme", "dark" if dark else "light")
    for part in (".sfnb-strip", ".sfnb-slider", ".sfnb-panel", ".sfnb-browser", ".sfnb-picture"):
        assert axe(page, part) == []


def test_the_grid_is_read_by_keyboard(home: Home, lab: Server, open_lab: OpenNotebook) -> None:
    """Arrow keys move through the rows, End goes to the last one, Enter shows a whole value; clicking a head sorts."""
    home.sfnb("backup", "demo", "--objects", "Contact")
    source = 'import sfnb\nfrom sfnb import widgets\norg = sfnb.connect("demo")\nwidgets.snapshot_browser(org)'
    page = open_lab(lab.put("grid.ipynb", source))
    page.get_by_label("Object", exact=True).select_option("Contact")
    scroller = page.locator(".sfnb-scroller")
    expect(page.locator(".sfnb-grid tbody td").first).to_be_visible()
    expect(page.locator(".sfnb-browser .sfnb-status").first).to_have_text(
        "8,911 records outside the recycle bin"
    )
    scroller.focus()
    scroller.press("ArrowDown")
    scroller.press("Enter")
    expect(page.locator(".sfnb-cell")).to_contain_text("Id, row 2:")
    scroller.press("End")
    expect(page.locator(".sfnb-grid tbody th").last).to_have_text("8,911")
    page.get_by_role("button", name="sort by LastName").press("Enter")
    expect(page.get_by_role("columnheader").filter(has_text="LastName")).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.get_by_label("filter LastName").fill("=")
    expect(page.locator(".sfnb-browser .sfnb-status").first).to_contain_text("0 records")
    page.get_by_label("filter LastName").fill("a")
    expect(page.locator(".sfnb-grid tbody td").first).to_be_visible()


def test_tabs_are_chosen_by_arrow_keys(home: Home, lab: Server, open_lab: OpenNotebook) -> None:
    """A tab is made when it is first opened; an org that cannot be reached says so and shows what is stored of it."""
    config = home.folder / "sfnb.toml"
    lost = '[orgs.lost]\nlogin = "token"\ninstance_url = "http://127.0.0.1:9"\norg_id = "00D000000000001AAA"\n'
    config.write_text(
        config.read_text("utf-8") + f'\n{lost}[orgs.lost.secrets]\ntoken = "env:HOME"\n', "utf-8"
    )
    page = open_lab(lab.put("tabs.ipynb", "from sfnb import widgets\nwidgets.org_tabs()"))
    expect(page.locator(".sfnb-slider")).to_be_visible()
    tab = page.get_by_role("tab", name="demo")
    tab.focus()
    tab.press("ArrowRight")
    expect(page.get_by_role("tab", name="lost")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".sfnb-picture .sfnb-problem")).to_contain_text(
        "was not reached", timeout=60_000
    )
    expect(page.locator(".sfnb-slider")).to_be_hidden()
