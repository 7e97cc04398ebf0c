"""
How long `sfnb dashboard` takes: to its address, to the first paint, to a whole place, from place to place.

First paint is the browser's own mark (first-contentful-paint); a place is whole when nothing in it loads any more and
its first chart is drawn. Medians of ``--repeat``, a browser profile of its own for each.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser import conftest as browser  # found by the line above
from tests.browser.test_dashboard import start_dashboard

PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--size", default="small", help="of the demo org")
    options = parser.parse_args()
    times: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        home = browser.Home(folder / "home")
        home.folder.mkdir()
        home.sfnb("demo", "start", "--size", options.size)
        stack.callback(home.sfnb, "demo", "stop", check=False)
        home.sfnb("usage", "demo")
        home.sfnb("backup", "demo", "--objects", "Account,Contact")
        began = time.perf_counter()
        server = start_dashboard(home, folder / "dashboard")
        stack.callback(browser.end, server)
        times["command to address"] = [time.perf_counter() - began]
        playwright = stack.enter_context(sync_playwright())
        chromium = browser.launch(playwright)
        stack.callback(chromium.close)
        url = f"{server.url}/?token={server.token}"
        first = "first visit: whole usage, chart drawn"
        for number in range(options.repeat + 1):
            context = chromium.new_context(viewport={"width": 1280, "height": 1000})
            page = context.new_page()
            whole = timed(page, lambda page: page.goto(url), ".plot .main-svg")
            # The very first visit also loads pandas and Plotly; it is shown by itself.
            note(times, first if number == 0 else "usage, chart drawn", whole)
            note(times, "first paint", page.evaluate(PAINT))
            for name, ready in (
                ("Limits", ".sfnb-slider"),
                ("Backup", ".sfnb-backup"),
                ("Snapshots", ".sfnb-browser"),
                ("Usage", ".plot .main-svg"),
            ):
                link = page.get_by_role("link", name=name, exact=True)
                note(times, f"change to {name}", timed(page, lambda _, to=link: to.click(), ready))
            context.close()
    print(f"{'':40} {'median s':>9} {'longest s':>10}")
    for what, found in times.items():
        print(f"{what:40} {statistics.median(found):9.2f} {max(found):10.2f}")


def timed(page: Page, act: Callable[[Page], object], ready: str) -> float:
    """Seconds until what was asked for is whole."""
    began = time.perf_counter()
    act(page)
    page.locator(ready).first.wait_for(timeout=60_000)
    expect(page.locator(".loading")).to_have_count(0, timeout=60_000)
    return time.perf_counter() - began


def note(times: dict[str, list[float]], what: str, seconds: float) -> None:
    times.setdefault(what, []).append(seconds)


if __name__ == "__main__":
    main()
