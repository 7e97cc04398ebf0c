"""Notebooks that nobody watches: what papermill leaves behind, opened where there is no kernel and no network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
from playwright.sync_api import Page, expect

from tests.browser.conftest import Home

CELLS = [
    'import sfnb\nfrom sfnb import engine, widgets\norg = sfnb.connect("demo")\nwidgets.limit_slider(org)',
    "job = engine.start(org, engine.backup(objects=['Account', 'Contact']))\nwidgets.job_panel(job)",
    "engine.set_limit(org, 61, reason='<b>later</b>')\nsummary = job.wait()",
    "widgets.snapshot_browser(org)",
    "widgets.org_tabs()",
]


def test_widgets_leave_honest_pictures(
    home: Home, tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    """Executed and exported, each widget shows its last state in plain HTML that needs no network."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    source, ran = tmp_path / "all.ipynb", tmp_path / "ran.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), source)
    home.sfnb("run", str(source), "--output", str(ran))
    told = nbformat.read(ran, as_version=4)
    outputs = [out for cell in told.cells for out in cell.get("outputs", ())]
    assert not [
        out for out in outputs if "application/vnd.jupyter.widget-view+json" in out.get("data", {})
    ]

    convert = [sys.executable, "-m", "nbconvert", "--to", "html", "--template", "basic", str(ran)]
    subprocess.run(convert, check=True, capture_output=True, env=home.environ)
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "ran.html").as_uri())
    body = page.locator("body")
    expect(page.locator(".sfnb-static")).to_have_count(6)
    expect(page.locator(".sfnb-static").first).to_contain_text("Limit for API calls: 61 % used")
    expect(page.locator(".sfnb-static").first).to_contain_text("“<b>later</b>”")
    expect(page.locator(".sfnb-static").nth(1)).to_contain_text("✓ completed")
    expect(page.locator(".sfnb-static").nth(2)).to_contain_text("9,000")
    expect(body).not_to_contain_text("Widget")
    assert [url for url in asked if not url.startswith("file:")] == []


def test_an_org_over_its_limit_pauses_the_notebook_and_nothing_else(
    home: Home, tmp_path: Path
) -> None:
    """Over its limit from the first cell on, the notebook says so in its plan, shows the slider, and ends with 75."""
    home.tell("quota", {"spend": {"api": 200}})
    home.sfnb("limit", "demo", "1")
    ran = tmp_path / "over.ipynb"
    try:
        code = home.code("run", "run_backup", "-p", "on_pause", "exit", "--output", str(ran))
    finally:
        home.sfnb("limit", "demo", "50")
    assert code == 75
    text = str(nbformat.read(ran, as_version=4))
    assert "The plan could not be made now" in text
    assert "Limit for API calls: 1 % used" in text


def test_a_wrong_parameter_is_wrong_usage(home: Home, tmp_path: Path) -> None:
    """What the command line refuses a notebook refuses too, with exit code 2."""
    ran = str(tmp_path / "wrong.ipynb")
    assert home.code("run", "run_backup", "-p", "poll_minutes", "0", "--output", ran) == 2
