"""
Pictures of every screen, to look at: at 1600, 1000 and 390 pixels, light and dark, of orgs with no data, an hour,
a week and 90 days of it, one org and five.

    python tools/pictures.py                    # all, and contact sheets, in build/screens
    python tools/pictures.py --only usage job   # those whose name has one of these words
    python tools/pictures.py --readme           # the README's three, into docs/pictures

A demo org and a dashboard of their own are started and ended; four of the five orgs have made-up usage and cannot be
reached.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from made_up_usage import make_up  # beside this file

from sfnb.clock import SystemClock
from sfnb.installation import Installation
from sfnb.settings import load_settings
from tests.browser import conftest as browser  # found by the line above
from tests.browser.test_dashboard import loaded, start_dashboard

ROOT = Path(__file__).parents[1]
WIDTHS = (1600, 1000, 390)
THEMES = ("light", "dark")
MADE_UP = {
    "no-data": None,
    "one-hour": timedelta(hours=1),
    "one-week": timedelta(days=7),
    "ninety-days": timedelta(days=90),
}


@dataclass(frozen=True)
class Shot:
    """One screen: where it is, and what has to be done and seen before the picture is taken."""

    name: str
    path: str
    ready: Callable[[Page], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "screens")
    parser.add_argument("--only", nargs="*", default=[], help="words in the pictures' names")
    parser.add_argument("--widths", nargs="*", type=int, default=list(WIDTHS))
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        playwright = stack.enter_context(sync_playwright())
        chromium = browser.launch(playwright)
        stack.callback(chromium.close)
        world = World(stack, folder, chromium)
        if options.readme:
            readme(world, ROOT / "docs" / "pictures")
            return
        options.folder.mkdir(parents=True, exist_ok=True)
        taken = list(pictures(world, options.folder, options.only, options.widths))
        sheets(chromium, taken, options.folder)
        print(f"{len(taken)} pictures in {options.folder}")


class World:
    """A home with one org, a demo org behind it, and its dashboard; later with five."""

    def __init__(self, stack: ExitStack, folder: Path, chromium: Browser) -> None:
        self.chromium, self.folder = chromium, folder
        self.home = browser.Home(folder / "home")
        self.home.folder.mkdir()
        self.home.sfnb("demo", "start", "--size", "small", "--max-calls", "1000")
        stack.callback(self.home.sfnb, "demo", "stop", check=False)
        ready = json.loads((self.home.folder / "demo" / "ready.json").read_text("utf-8"))
        os.environ["PICTURES_PASSWORD"] = ready["password"]
        os.environ["SFNB_HEADER_LAG_S"] = "0"  # or calls of a moment ago would fill the allowance
        stack.callback(os.environ.pop, "PICTURES_PASSWORD")
        stack.callback(os.environ.pop, "SFNB_HEADER_LAG_S")
        add = ("--username", ready["username"], "--password-env", "PICTURES_PASSWORD")
        self.home.sfnb("org", "add", "acme", "--instance-url", ready["url"], *add)
        self.home.sfnb("org", "remove", "demo")
        self.server = start_dashboard(self.home, folder / "dashboard")
        stack.callback(browser.end, self.server)

    def back_up(self) -> tuple[str, str]:
        """A backup, a second one after changes, and one that pauses at its limit; ids of the last two."""
        some = ("--objects", "Account,Contact,Opportunity,Case,Task", "--no-files")
        self.home.sfnb("usage", "acme")
        self.home.sfnb("backup", "acme", *some)
        self.home.sfnb("demo", "rows", "delete", "Contact", "rows=1400")
        self.home.sfnb("demo", "rows", "change", "Account", "rows=30", "field=Name", "value=X")
        self.home.sfnb("backup", "acme", *some)
        shown = json.loads(self.home.sfnb("limit", "acme", "--json"))
        percent = 100 * shown["limits"][0]["used"] // 1000 + 3
        self.home.sfnb("limit", "acme", str(percent), "--reason", "a pause to look at")
        full = ("--full", "--no-files", "--no-metadata", "--on-pause", "exit")
        self.home.sfnb("backup", "acme", *full, check=False)
        # Backups wait at the limit; a restore has a reserve.
        self.home.sfnb("limit", "acme", "100", "--for", "restore", "--reason", "emergencies")
        jobs = json.loads(self.home.sfnb("jobs", "--json"))
        return jobs[-2]["job_id"], jobs[-1]["job_id"]

    def become_five(self) -> None:
        """Four more orgs, which nobody can reach, with made-up usage."""
        config = self.home.folder / "sfnb.toml"
        text = config.read_text("utf-8")
        for number, name in enumerate(MADE_UP, 1):
            text += (
                f'\n[orgs.{name}]\nlogin = "token"\ninstance_url = "http://127.0.0.1:9"\n'
                f'org_id = "{org_id(number)}"\n[orgs.{name}.secrets]\ntoken = "env:HOME"\n'
            )
        config.write_text(text, "utf-8")
        settings = load_settings({**os.environ, "SFNB_HOME": str(self.home.folder)})
        installation = Installation(settings, SystemClock())
        try:
            for number, (name, span) in enumerate(MADE_UP.items(), 1):
                if span is not None:
                    is_paused = name == "ninety-days"
                    make_up(installation.state, name, org_id(number), span, is_paused=is_paused)
        finally:
            installation.close()

    def page(self, width: int, theme: str) -> Page:
        context = self.chromium.new_context(
            viewport={"width": width, "height": 1000 if width > 400 else 844},
            color_scheme="dark" if theme == "dark" else "light",
        )
        return context.new_page()

    def open(self, page: Page, path: str) -> None:
        page.goto(f"{self.server.url}{path}?token={self.server.token}")
        loaded(page)


def org_id(number: int) -> str:
    return f"00D7Q00000B{number:04}UAK"


FITTED = """() => [...document.querySelectorAll('.plot')]
    .filter((plot) => plot.clientWidth && plot._fullLayout)
    .every((plot) => Math.abs(plot._fullLayout.width - plot.clientWidth) < 2
        && plot._fullLayout._size.w > plot.clientWidth / 4)"""


def fitted(page: Page) -> None:
    """Until each chart has the width of its place, and its axes a good part of that."""
    page.wait_for_function(FITTED, timeout=60_000)


def drawn(page: Page) -> None:
    """Until the usage place's first chart, if it has one, is drawn."""
    if page.locator(".plot").count():
        expect(page.locator(".plot .main-svg").first).to_be_visible(timeout=60_000)
        page.wait_for_timeout(600)


def with_panel(page: Page) -> None:
    drawn(page)
    page.get_by_role("button", name="Configure limit").click()
    expect(page.locator(".fold .sfnb-percent").first).to_be_visible()
    page.locator(".fold .sfnb-percent").first.fill("72")


def with_plan(page: Page) -> None:
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator(".sfnb-backup .sfnb-strong").first).to_be_visible(timeout=60_000)


def with_rows(page: Page) -> None:
    page.get_by_label("Object", exact=True).select_option("Contact")
    expect(page.locator(".sfnb-grid tbody td").first).to_be_visible()


def with_history(page: Page) -> None:
    """A record's versions, and what changed since the oldest snapshot, field by field."""
    snapshots = page.locator(".sfnb-browser select").first
    names = snapshots.locator("option").all_inner_texts()
    snapshots.select_option(index=next(n for n, name in enumerate(names) if "complete" in name))
    page.get_by_label("Object", exact=True).select_option("Account")
    expect(page.locator(".sfnb-grid tbody td").first).to_be_visible()
    page.locator(".sfnb-grid tbody td").first.click()
    page.get_by_role("button", name="Show its versions").click()
    page.get_by_role("button", name="Compare").click()
    changed = page.get_by_role("group", name="What changed since").locator("tbody tr")
    expect(changed.first).to_be_visible(timeout=60_000)


def with_preview(page: Page) -> None:
    snapshots = page.locator(".sfnb-restore select").first
    snapshots.select_option(index=snapshots.locator("option").count() - 1)  # before the changes
    page.get_by_role("button", name="Show the preview").click()
    preview = page.locator(".sfnb-restore-preview")
    expect(preview.locator(".sfnb-strong").first).to_be_visible(timeout=120_000)
    preview.get_by_label("Object", exact=True).select_option("Account")
    preview.locator(".sfnb-records button").first.click()
    expect(preview.locator(".sfnb-changes tbody tr").first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Start the restore").click()
    expect(page.locator(".sfnb-question")).to_be_visible()


def with_outcome(page: Page) -> None:
    page.get_by_text("All 5 objects").click()


def shots(ended: str, paused: str) -> list[Shot]:
    """The screens of the org that answers."""
    return [
        Shot("usage", "/org/acme/usage", drawn),
        Shot("usage-configure", "/org/acme/usage", with_panel),
        Shot("limits", "/org/acme/limits", lambda _: None),
        Shot("backup", "/org/acme/backup", with_plan),
        Shot("job", f"/org/acme/backup/{paused}", lambda _: None),
        Shot("outcome", f"/org/acme/backup/{ended}", with_outcome),
        Shot("snapshots", "/org/acme/snapshots", with_rows),
        Shot("history", "/org/acme/snapshots", with_history),
        Shot("restore", "/org/acme/restore", with_preview),
        Shot("archive", "/org/acme/archive", lambda _: None),
    ]


def pictures(
    world: World, folder: Path, only: list[str], widths: list[int]
) -> Iterator[tuple[str, Path]]:
    """Take them; gives each one's name and file."""
    groups: list[tuple[str, Callable[[], list[Shot]]]] = [
        (
            "first-day",
            lambda: [
                Shot(f"first-{s.name}", s.path, lambda _: None) for s in shots("x", "x")[:4:2]
            ],
        ),
        ("one-org", lambda: shots(*world.back_up())),
        ("five-orgs", lambda: _five(world)),
    ]
    for _, make in groups:
        wanted = [s for s in make() if not only or any(word in s.name for word in only)]
        for shot in wanted:
            for theme in THEMES:
                page = world.page(widths[0], theme)
                world.open(page, shot.path)
                shot.ready(page)
                yield from _widths(page, shot.name, theme, folder, widths)
                page.context.close()
    yield from _reports(world, folder, only, widths)
    yield from _notebooks(world, folder, only, widths)


NOTEBOOKS = {
    "welcome": ".jp-OutputArea-output table",
    "orgs": ".sfnb-slider",
    "usage_report": ".sfnb-slider",
    "fleet": ".sfnb-fleet",
    "run_backup": ".sfnb-panel",
    "restore": ".sfnb-restore-preview",
    "snapshots": ".sfnb-browser",
}
"""The notebooks, and what shows once all their cells have run."""


def _notebooks(
    world: World, folder: Path, only: list[str], widths: list[int]
) -> Iterator[tuple[str, Path]]:
    """Each in JupyterLab, all cells run, on a window so high that nothing has to be scrolled."""
    wanted = [name for name in NOTEBOOKS if not only or any(w in f"lab-{name}" for w in only)]
    if not wanted:
        return
    world.home.quiet_lab()
    lab = browser.start_lab(world.home, world.folder / "lab")
    try:
        for name in wanted:
            source = (ROOT / "notebooks" / f"{name}.ipynb").read_text("utf-8")
            (lab.folder / f"{name}.ipynb").write_text(
                source.replace('\\"demo\\"', '\\"acme\\"'), "utf-8"
            )
            # The backup that it starts waits at the limit: there is no second one at the same time.
            for theme in THEMES[:1] if name == "run_backup" else THEMES:
                page = world.page(widths[0], theme)
                page.goto(
                    f"{lab.url}/lab/workspaces/{name}-{theme}/tree/{name}.ipynb?token={lab.token}"
                )
                browser.wait_for_kernel(page)
                look = "JupyterLab Dark" if theme == "dark" else "JupyterLab Light"
                browser.command(page, "apputils:change-theme", {"theme": look})
                browser.command(page, "notebook:run-all-cells")
                page.locator(NOTEBOOKS[name]).first.wait_for(timeout=120_000)
                page.wait_for_timeout(3000)
                for width in [w for w in widths if w > 400]:
                    page.set_viewport_size({"width": width, "height": 4200})
                    page.wait_for_timeout(1500)
                    path = folder / f"lab-{name}-{width}-{theme}.png"
                    page.screenshot(path=path)
                    yield f"lab-{name} {width} {theme}", path
                page.context.close()
    finally:
        browser.end(lab)


def _five(world: World) -> list[Shot]:
    world.become_five()
    usage = [Shot(f"usage-{name}", f"/org/{name}/usage", drawn) for name in MADE_UP]
    limits = Shot("limits-ninety-days", "/org/ninety-days/limits", lambda _: None)
    fleet = Shot("fleet", "/fleet", lambda _: None)
    return [Shot("orgs", "/", lambda _: None), *usage, limits, fleet]


def _reports(
    world: World, folder: Path, only: list[str], widths: list[int]
) -> Iterator[tuple[str, Path]]:
    if only and not any(word in "report" for word in only):
        return
    names = {"report-acme": ["acme"], "report-five": ["acme", *MADE_UP]}
    for name, orgs in names.items():
        file = world.folder / f"{name}.html"
        world.home.sfnb("report", *orgs, "--offline", "--html", str(file))
        print(f"{name}: {file.stat().st_size / 1e6:.2f} MB")
        for theme in THEMES:
            page = world.page(widths[0], theme)
            page.goto(file.as_uri())
            page.wait_for_selector('html[data-ready="true"]')
            if len(orgs) > 1:
                page.get_by_role("tab", name="ninety-days").click()
            yield from _widths(page, name, theme, folder, widths)
            page.context.close()


def _widths(
    page: Page, name: str, theme: str, folder: Path, widths: list[int]
) -> Iterator[tuple[str, Path]]:
    """The same page made narrower and narrower, as a person's window is."""
    for width in widths:
        page.set_viewport_size({"width": width, "height": 1000 if width > 400 else 844})
        page.wait_for_timeout(1500)  # charts redraw themselves
        fitted(page)
        path = folder / f"{name}-{width}-{theme}.png"
        page.screenshot(path=path, full_page=True)
        found = page.evaluate("document.documentElement.scrollWidth")
        if found > width:
            print(f"{path.name}: {found} pixels wide, wider than the window")
        yield f"{name} {width} {theme}", path


def sheets(chromium: Browser, taken: list[tuple[str, Path]], folder: Path) -> None:
    """All pictures of one screen beside each other."""
    by_screen: dict[str, list[tuple[str, Path]]] = {}
    for name, path in taken:
        by_screen.setdefault(name.split(" ")[0], []).append((name, path))
    page = chromium.new_page(viewport={"width": 2000, "height": 900})
    for screen, found in by_screen.items():
        cells = "".join(
            f"<figure><figcaption>{name}</figcaption><img src='{path.as_uri()}'></figure>"
            for name, path in found
        )
        sheet = folder / f"sheet-{screen}.html"
        sheet.write_text(
            "<style>body{display:flex;align-items:flex-start;gap:8px;margin:8px;font:12px sans-serif}"
            "figure{margin:0;flex:1}img{width:100%;border:1px solid #888}</style>" + cells,
            "utf-8",
        )
        page.goto(sheet.as_uri())
        page.wait_for_load_state("networkidle")
        page.screenshot(path=sheet.with_suffix(".png"), full_page=True)
    page.close()


def readme(world: World, folder: Path) -> None:
    """The slider, a job's panel and the report, as small as they can be read."""
    folder.mkdir(parents=True, exist_ok=True)
    _, job_id = world.back_up()
    world.become_five()
    page = world.page(900, "light")
    world.open(page, "/org/one-week/limits")
    page.locator(".sfnb-percent").first.fill("72")
    page.locator(".sfnb-budget").first.screenshot(path=folder / "slider.png")
    world.open(page, f"/org/acme/backup/{job_id}")
    page.locator(".sfnb-panel").screenshot(path=folder / "panel.png")
    file = world.folder / "report.html"
    world.home.sfnb("report", "one-week", "--offline", "--html", str(file))
    page.goto(file.as_uri())
    page.wait_for_selector('html[data-ready="true"]')
    time.sleep(1)
    page.screenshot(path=folder / "report.png", clip={"x": 0, "y": 0, "width": 900, "height": 900})
    page.context.close()


if __name__ == "__main__":
    main()
