"""What the two benchmarks of the screen share: a demo org, a JupyterLab, a page, and a job that only emits events."""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser import conftest as browser  # found by the line above

EMITTER = """
import threading, time
import sfnb
from sfnb import engine, widgets
from sfnb.jobs import events
from sfnb.model import JobState, ObjectState

org = sfnb.connect("demo")
jobs = org.state.jobs
job = jobs.create("backup", "demo", org.org_id, {{}}, ["Nothing"])
jobs.update(job.job_id, state=JobState.RUNNING)
names = [f"Object_{{n:03}}" for n in range({objects})]
fan = events.EventFan()
go = threading.Event()

def emit(number):
    # The rows are the milliseconds since the start, so that the page can tell how old what it shows is.
    rows = int((time.time() - {base}) * 1000)
    name = names[number % len(names)]
    fan(events.ObjectProgress(job.job_id, org.clock.now(), name, ObjectState.PARTIAL, rows, 1_000_000_000, 1))

def work():
    go.wait()
    start, number = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < {seconds}:
        while number < passed * {per_second}:
            emit(number)
            number += 1
        time.sleep(0.002)

class Emitting(engine.JobHandle):
    def _start(self):
        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

panel = widgets.job_panel(Emitting(org, job.job_id, {{}}, fan))
for n in range(len(names)):
    emit(n)
panel
"""


@contextmanager
def emitting_page(*, base: float, objects: int, per_second: int, seconds: float) -> Iterator[Page]:
    """A page with a panel whose job emits nothing yet; the kernel's ``go.set()`` starts it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        home = browser.Home(folder / "home")
        home.folder.mkdir()
        home.sfnb("demo", "start", "--size", "tiny", "--competitors", "off")
        stack.callback(home.sfnb, "demo", "stop", check=False)
        home.quiet_lab()
        server = browser.start_lab(home, folder / "lab")
        stack.callback(browser.end, server)
        source = EMITTER.format(base=base, objects=objects, per_second=per_second, seconds=seconds)
        name = server.put("emitter.ipynb", source, "go.set()")
        playwright = stack.enter_context(sync_playwright())
        chromium = browser.launch(playwright)
        stack.callback(chromium.close)
        page = chromium.new_page(viewport={"width": 1280, "height": 1400})
        page.goto(
            f"{server.url}/lab/workspaces/{secrets.token_hex(4)}/tree/{name}?token={server.token}"
        )
        browser.wait_for_kernel(page)
        yield page


def run_cells(page: Page) -> None:
    """Run all cells, once `watch` has been put into the page."""
    browser.command(page, "notebook:run-all-cells")


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
