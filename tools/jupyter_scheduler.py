"""
Runs notebooks as jobs of jupyter-scheduler, by clicks in a real JupyterLab, against a demo org:
`python tools/jupyter_scheduler.py`. The first time it installs sfnb and jupyter-scheduler into
`.jupyter-scheduler/` (minutes). Pictures are in `build/jupyter-scheduler`.

Needs what the browser tests need: Playwright and a Chromium.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import nbformat
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import conftest as browser  # noqa: E402 - found by the line above

HOME = Path(os.environ.get("SFNB_JUPYTER_SCHEDULER", ROOT / ".jupyter-scheduler"))
PICTURES = ROOT / "build" / "jupyter-scheduler"
OUTCOME = "application/vnd.sfnb.outcome+json"
WAIT_MS = 300_000

JOBS = {
    # Values are Python: a text needs its quotes.
    "run_backup": {"org": '"demo"', "on_pause": '"exit"'},
    "usage_report": {"orgs": '"demo"'},
}


def python() -> Path:
    """The environment's Python, there or not."""
    return HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install() -> None:
    venv.create(HOME, with_pip=True)
    pip = [str(python()), "-m", "pip", "install", "-q"]
    subprocess.run([*pip, "-e", str(ROOT), "jupyter-scheduler"], check=True)


def run(folder: Path) -> dict[str, Path]:
    """The executed notebooks by name. Everything is kept in ``folder``, no server stays."""
    home = browser.Home(folder / "home")
    home.folder.mkdir()
    done = {}
    token = secrets.token_hex(16)
    start = ["demo", "start", "--size", "tiny", "--competitors", "off"]
    home.sfnb(*start, "--option", "objects=Contact=200")
    home.quiet_lab()
    os.environ |= {  # what Home passes on: kernels and jobs of this run alone
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_TOKEN": token,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
    }
    command = [str(python()), "-m", "sfnb", "lab", "--no-browser", "--port", "0"]
    server = browser.serve(
        command, home, folder, folder / "lab.log", r"(http://127\.0\.0\.1:\d+)/lab"
    )
    try:
        with sync_playwright() as playwright:
            chromium = browser.launch(playwright)
            page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
            for name, parameters in JOBS.items():
                page.goto(f"{server.url}/lab/workspaces/{name}/tree/{name}.ipynb?token={token}")
                create(page, name, parameters)
                done[name] = wait(page, name, home.folder / "notebooks" / "jobs")
            chromium.close()
        return done
    finally:
        browser.end(server)
        home.sfnb("demo", "stop", check=False)


def create(page: Page, name: str, parameters: dict[str, str]) -> None:
    """The notebook's toolbar, *Create a job*, the form, *Create*."""
    page.locator(".jp-NotebookPanel .jp-Notebook").first.wait_for(timeout=90_000)
    page.locator('[title="Create a job"]').first.click()
    page.get_by_text("Create Job").wait_for()
    for number, (parameter, value) in enumerate(parameters.items()):
        page.get_by_title("Add new parameter").click()
        page.locator(f"input[name='parameter-{number}-name']").fill(parameter)
        page.locator(f"input[name='parameter-{number}-value']").fill(value)
        page.locator(f"input[name='parameter-{number}-value']").blur()  # its check moves the button
    page.screenshot(path=PICTURES / f"{name}-form.png")
    page.get_by_role("button", name="Create").click()


def wait(page: Page, name: str, jobs: Path) -> Path:
    """The executed notebook, once the list of jobs has it and its files were asked for."""
    line = page.locator("tr", has_text=f"{name}.ipynb").first
    for _ in range(WAIT_MS // 2000):
        page.get_by_role("button", name="Reload").click()
        try:
            expect(line).to_contain_text("Completed", timeout=2000)
            break
        except AssertionError:
            if "Failed" in line.inner_text():
                raise
    line.get_by_role("button", name="download").click()
    page.screenshot(path=PICTURES / f"{name}-list.png")
    for _ in range(60):
        if found := next(jobs.glob(f"*/{name}-*.ipynb"), None):
            break
        page.wait_for_timeout(1000)
    else:
        raise SystemExit(f"no executed notebook of {name} in {jobs}")
    url, _, _ = page.url.partition("/lab")
    page.goto(f"{url}/lab/workspaces/of-{name}/tree/{found.relative_to(jobs.parent).as_posix()}")
    page.locator(".jp-NotebookPanel .jp-OutputArea-output").first.wait_for(timeout=90_000)
    page.screenshot(path=PICTURES / f"{name}-output.png")
    return found


def main() -> None:
    if not python().exists():
        install()
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sfnb-lab-", ignore_cleanup_errors=True) as made:
        for name, path in run(Path(made)).items():
            cells = nbformat.read(path, as_version=4).cells  # type: ignore[no-untyped-call]
            shown = [out for cell in cells for out in cell.get("outputs", [])]
            shown_jobs = [out["data"][OUTCOME] for out in shown if OUTCOME in out.get("data", {})]
            job = (
                f"job {shown_jobs[-1]['state']}, {shown_jobs[-1]['rows']} records"
                if shown_jobs
                else "no job"
            )
            errors = [out["evalue"] for out in shown if out["output_type"] == "error"]
            print(f"{name}: {len(cells)} cells, {len(errors)} errors, {job}")
            if errors:
                raise SystemExit(errors[0])


if __name__ == "__main__":
    main()
