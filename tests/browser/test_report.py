"""The HTML report in a real Chromium: opened from disk with the network off, it is alive and asks nobody (P8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from sfnb.report import html_report, write_pdf
from sfnb.usage import review_of
from sfnb.usage.history import JobLine, PauseLine
from sfnb.usage.review import Review
from sfnb.usage.store.values import Caller
from sfnb.usage.zones import zone_of
from tests.unit.usage.histories import DAY, END, NOW, history, ints

EVIL = '</script><img src=x onerror="window.evil=1"><a href="javascript:window.evil=2">x</a>${window.evil=3}'


def week(name: str, *, app: str = "ERP Connector") -> Review:
    """A week with a job that pauses, samples each hour, and an event log of six days."""
    random = np.random.default_rng(len(name))
    hourly = random.integers(100, 300, size=9 * 24)
    start = END - 9 * DAY
    log = [(END - start - hour * 60, int(calls), 0) for hour, calls in enumerate(hourly[: 8 * 24])]
    own = [(DAY * 2 - minute, 1, 30) for minute in range(0, 90)]
    samples = []
    for ago in range(8 * DAY, 0, -60):
        others = sum(calls for at, calls, _ in log if ago < at <= ago + DAY) or 4800
        samples.append(
            (ago, others + sum(units for at, _, units in own if ago <= at < ago + DAY), 15_000)
        )
    job = JobLine("j1", "backup", "completed", NOW - timedelta(days=2), NOW - timedelta(days=1))
    pause = PauseLine(
        "j1", "api", NOW - timedelta(hours=44), NOW - timedelta(hours=30), 7500, 15_000
    )
    made = history(
        samples,
        own,
        log,
        [("Daily", start // 60), ("Daily", start // 60 + 7 * 24)],
        jobs=[job],
        pauses=[pause],
    )
    vars(made).update(
        org=name, callers={1: Caller(app, "user@acme.test", "SOAP", "Order", is_sfnb=False)}
    )
    vars(made).update(
        log_hours=ints(
            [
                (at // 60, 1, calls, 0)
                for at, calls in zip(made.log_minutes, made.log_calls, strict=True)
            ]
        )
    )
    vars(made).update(largest_job="j1", job_objects={"Account": 2000, "": 12})
    return review_of(made, zone_of("Europe/Berlin", now=NOW))


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Any:
    """Opens a report from disk with the network off; collects requests, console errors and exceptions."""
    contexts = []

    def opened(reviews: list[Review], *, dark: bool = False) -> tuple[Page, list[str], list[str]]:
        path = tmp_path / "report.html"
        path.write_text(html_report(reviews), "utf-8")
        context = browser.new_context(
            offline=True,
            viewport={"width": 1280, "height": 1000},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        requests: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.on(
            "console",
            lambda message: (
                errors.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector('html[data-ready="true"]')
        return page, requests, errors

    yield opened
    for context in contexts:
        context.close()


def test_the_report_stands_alone(open_report: Callable[..., Any], artefacts: Path) -> None:
    """P8: three orgs in under 1 MB; from disk, offline: no request but the file's own, no error; tabs, legends work."""
    reviews = [week("acme"), week("globex"), week("initech")]
    assert len(html_report(reviews).encode()) < 1_000_000
    page, requests, errors = open_report(reviews)
    expect(page.locator("#org0-usage-api .trace.bars").last).to_be_visible()
    page.get_by_role("tab", name="globex").click()
    expect(page.locator("#org-1")).to_be_visible()
    expect(page.locator("#org-0")).to_be_hidden()
    expect(page.locator("#org1-usage-api .trace.bars").last).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="initech")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="acme").click()
    plot = page.locator("#org0-usage-api")
    before = plot.locator(".trace.bars").count()
    plot.locator(".legendtoggle").first.click()
    expect(plot.locator(".trace.bars")).to_have_count(before - 1)
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_timeout(500)
    page.screenshot(path=artefacts / "usage_report_dark.png", full_page=True)
    page.get_by_role("button", name="Light").click()
    page.wait_for_timeout(500)
    page.screenshot(path=artefacts / "usage_report.png", full_page=True)
    assert [url[:5] for url in requests] == ["file:"]
    assert errors == []


def test_what_is_folded_is_drawn_when_it_is_unfolded(open_report: Callable[..., Any]) -> None:
    """Charts that few people want are folded, and there once a person unfolds them; so are the tables."""
    page, _, errors = open_report([week("acme")])
    chart = page.locator("#org0-hours")
    expect(chart.locator(".trace.bars")).to_have_count(0)
    page.get_by_text("API calls in each hour").click()
    expect(chart.locator(".trace.bars").first).to_be_visible()
    page.get_by_text("API calls by day").click()
    expect(page.get_by_role("columnheader", name="of them named by the event log")).to_be_visible()
    assert errors == []


@pytest.mark.parametrize("width", [390, 1000, 1600])
def test_it_fits_the_screen(open_report: Callable[..., Any], width: int) -> None:
    """Nothing is cut off or scrolled sideways on a phone, a laptop or a wide screen, and resizing redraws."""
    page, _, errors = open_report([week("acme")])
    page.set_viewport_size({"width": width, "height": 900})
    chart = page.locator("#org0-usage-api .main-svg").first
    page.wait_for_function(
        "([id, width]) => document.querySelector(id).getBoundingClientRect().right <= width",
        arg=["#org0-usage-api .main-svg", width],
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert chart.bounding_box()["width"] > min(width, 1180) * 0.8
    assert errors == []


def test_a_window_that_is_dragged_squeezes_no_chart(open_report: Callable[..., Any]) -> None:
    """However often the window changes its width, each chart has that of its place, and its axes most of it."""
    page, _, errors = open_report([week("acme")])
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    for width in (1000, 390, 1600, 600, 1280, 390, 1000, 590, 610, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(FITTED, timeout=20_000)
    assert page.locator(".plot .heatmaplayer").count() >= 1
    assert errors == []


FITTED = """() => [...document.querySelectorAll('.plot')].every((plot) => plot._fullLayout
    && Math.abs(plot._fullLayout.width - plot.clientWidth) < 2 && plot._fullLayout._size.w > plot.clientWidth * 0.6)"""


def test_hover_says_it_in_words(open_report: Callable[..., Any]) -> None:
    """A bar tells the hour in the viewer's zone, the number and the percent, in plain words."""
    page, _, _ = open_report([week("acme")])
    box = (
        page.locator("#org0-usage-api .trace.bars")
        .nth(-2)
        .locator(".point path")
        .nth(80)
        .bounding_box()
    )
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    text = page.locator("#org0-usage-api .hovertext").first.text_content()
    assert re.search(r"\w{3} \d+ \w{3}, \d\d:00 to \d\d:00", text)
    assert re.search(r"API calls in 24 hours, [\d.]+ % of the maximum", text)
    assert "whole org:" in text


def test_nothing_of_the_orgs_texts_can_run(open_report: Callable[..., Any]) -> None:
    """P8: an app and an org named like a script are shown as text, in charts, tables and tabs."""
    page, requests, errors = open_report([week(EVIL, app=EVIL), week("acme", app=EVIL)])
    assert page.evaluate("window.evil") is None
    assert page.locator("main img, main a[href^=javascript]").count() == 0
    assert page.locator("svg a").count() == 0
    assert "onerror=" in page.locator("h2").first.text_content()
    assert "<img" in page.locator("#org0-apps").text_content()
    assert [url[:5] for url in requests] == ["file:"]
    assert errors == []


def test_a_report_without_history_says_so(open_report: Callable[..., Any]) -> None:
    """An org of which nothing is known gets sentences, each once, not an empty chart."""
    page, _, errors = open_report([review_of(history(), zone_of("UTC", now=NOW))])
    assert page.locator("main").text_content().count("No usage reading for this org yet") == 1
    assert page.locator(".plot").count() == 0
    assert page.locator(".sentence").count() >= 3
    assert errors == []


def test_it_prints(browser: Browser, tmp_path: Path) -> None:
    """A PDF comes from the system's Chromium, with all orgs and their charts in it."""
    reviews = [week("acme"), week("globex")]
    path = tmp_path / "usage.pdf"
    write_pdf(html_report(reviews, is_for_print=True), path)
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", content))
    assert 4 <= pages <= 8
    assert len(content) > 60_000
