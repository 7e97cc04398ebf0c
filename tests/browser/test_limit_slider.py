"""The limit slider in JupyterLab, as a person uses it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Home, OpenNotebook, Server

SLIDER = (
    'import sfnb\nfrom sfnb import widgets\norg = sfnb.connect("demo")\nwidgets.limit_slider(org)'
)
AS_PERSON = 'import os\nos.environ["LOGNAME"] = "{who}"\n' + SLIDER


def percent_of(home: Home) -> str:
    """The limit percent of `api`, as `sfnb limit` tells it."""
    with sqlite3.connect(home.folder / "state.db") as state:
        found = state.execute("select percent from limits where api = 'api'").fetchone()
    return str(found[0]) if found else "50"


def test_keys_and_mouse_move_it_and_only_save_changes_it(
    home: Home, lab: Server, open_lab: OpenNotebook
) -> None:
    """Nothing changes before Save, Cancel restores, and Save leaves an audit entry with its reason (P6)."""
    page = open_lab(lab.put("keys.ipynb", SLIDER))
    part = page.locator(".sfnb-slider section").first
    range_ = part.get_by_role("slider")
    expect(range_).to_have_value("50")
    range_.focus()
    for _ in range(7):
        range_.press("ArrowRight")
    expect(part.locator(".sfnb-percent").first).to_have_value("57")
    expect(part).to_contain_text(
        "Jobs stop when the whole org has used 8,550 of its 15,000 API calls; 6,450 stay for others"
    )
    expect(part).to_contain_text("not saved (saved: 50 %)")
    assert percent_of(home) == "50"
    page.get_by_role("button", name="Cancel").click()
    expect(range_).to_have_value("50")
    expect(part).not_to_contain_text("not saved")

    box = range_.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    moved = range_.input_value()
    assert 75 <= int(moved) <= 85
    assert percent_of(home) == "50"
    page.get_by_label("Reason for the change").fill("night <run>")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-slider .sfnb-status")).to_contain_text(f"Saved: API calls {moved} %")
    expect(part).to_contain_text(f"50 % → {moved} %. “night <run>”")
    assert percent_of(home) == moved
    assert "night <run>" in home.sfnb("audit", "demo")
    home.sfnb("audit", "verify")


def test_restores_get_a_limit_of_their_own(home: Home, lab: Server, open_lab: OpenNotebook) -> None:
    """Its mark stands in the same gauge, Save keeps both limits at once, an empty field takes it away again (P6)."""
    home.sfnb("limit", "demo", "50")
    page = open_lab(lab.put("reserve.ipynb", SLIDER))
    part = page.locator(".sfnb-slider section").first
    mark = part.locator(".sfnb-reserve-mark").first
    expect(mark).to_be_hidden()
    part.get_by_text("Limit for restores: as for all jobs").click()
    field = part.get_by_label("Limit for restores, API calls, percent used")
    field.fill("900")
    expect(part.locator(".sfnb-reserve .sfnb-problem")).to_contain_text(
        "whole number from 1 to 100"
    )
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    field.fill("90")
    expect(part).to_contain_text("Restores stop when the whole org has used 13,500 of its 15,000")
    expect(mark).to_have_attribute("style", "left: 90%;")
    part.locator(".sfnb-percent").first.fill("40")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-slider .sfnb-status")).to_contain_text(
        "Saved: API calls 40 %, API calls for restores 90 %"
    )
    shown = json.loads(home.sfnb("limit", "demo", "--api", "api", "--json"))["limits"][0]
    assert (shown["percent"], shown["restore_percent"]) == (40, 90)
    part.get_by_role("button", name="No limit of their own").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-slider .sfnb-status")).to_contain_text(
        "for restores as for all jobs"
    )
    expect(mark).to_be_hidden()
    assert not json.loads(home.sfnb("limit", "demo", "--json"))["limits"][0]["has_reserve"]
    home.sfnb("audit", "verify")


def test_bad_input_is_told_in_place_and_kept(
    home: Home, lab: Server, open_lab: OpenNotebook
) -> None:
    """0, 101, -5, 1e3, fifty and nothing cannot be saved; the field keeps what was typed and says what to type."""
    page = open_lab(lab.put("bad.ipynb", SLIDER))
    typed = page.locator(".sfnb-slider .sfnb-percent").first
    before = percent_of(home)
    for text in ("0", "101", "-5", "1e3", "fifty", ""):
        typed.fill(text)
        expect(page.locator(".sfnb-slider section .sfnb-problem").first).to_contain_text(
            "whole number from 1 to 100"
        )
        expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
        typed.press("Enter")
        expect(typed).to_have_value(text)
        expect(typed).to_have_attribute("aria-invalid", "true")
    assert percent_of(home) == before


def test_two_people_change_one_limit(home: Home, lab: Server, open_lab: OpenNotebook) -> None:
    """Another person's change meanwhile is shown, not overwritten; replacing it takes a button that says so (P6)."""
    home.sfnb("limit", "demo", "40")
    ada = open_lab(lab.put("ada.ipynb", AS_PERSON.format(who="ada")))
    bob = open_lab(lab.put("bob.ipynb", AS_PERSON.format(who="bob")))
    for page in (ada, bob):
        expect(page.locator(".sfnb-percent").first).to_have_value("40")
    bob.locator(".sfnb-percent").first.fill("70")
    ada.locator(".sfnb-percent").first.fill("60")
    ada.get_by_role("button", name="Save", exact=True).click()
    expect(ada.locator(".sfnb-slider .sfnb-status")).to_contain_text("Saved")
    section = bob.locator(".sfnb-slider section").first
    expect(section).to_contain_text("Changed meanwhile to 60 %, you had seen 40 %")
    expect(section).to_contain_text("Last change: ada")
    expect(bob.locator(".sfnb-percent").first).to_have_value("70")
    assert percent_of(home) == "60"
    replace = bob.get_by_role("button", name="Replace 60 % by 70 %")
    bob.wait_for_timeout(1000)  # a press within a moment of the news is refused
    replace.click()
    expect(bob.locator(".sfnb-slider .sfnb-status")).to_contain_text("Saved: API calls 70 %")
    expect(ada.locator(".sfnb-percent").first).to_have_value("70")
    assert percent_of(home) == "70"


def test_a_locked_database_saves_nothing(home: Home, lab: Server, open_lab: OpenNotebook) -> None:
    """While another process holds the state database Save says so in place and keeps what was typed."""
    home.sfnb("limit", "demo", "40")
    page = open_lab(lab.put("locked.ipynb", SLIDER))
    typed = page.locator(".sfnb-percent").first
    expect(typed).to_have_value("40")
    other = sqlite3.connect(home.folder / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    typed.fill("66")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-slider .sfnb-status")).to_contain_text(
        "cannot be used: database is locked"
    )
    expect(typed).to_have_value("66")
    other.execute("ROLLBACK")
    other.close()
    assert percent_of(home) == "40"
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-slider .sfnb-status")).to_contain_text("Saved: API calls 66 %")


def test_a_revoked_session_is_told(home: Home, lab: Server, open_lab: OpenNotebook) -> None:
    """An org that lets nobody in any more: the widget says so, shows when its numbers are from, and still saves."""
    home.sfnb("limit", "demo", "40")
    page = open_lab(lab.put("revoked.ipynb", SLIDER))
    expect(page.locator(".sfnb-percent").first).to_have_value("40")
    home.tell("sessions", {"expire": True})
    home.tell("faults", {"match": "/services/Soap/u/", "fault": "status503"})
    home.tell("faults", {"match": "/services/oauth2/", "fault": "status503"})
    page.get_by_role("button", name="Read again").click()
    expect(page.locator(".sfnb-slider > .sfnb-problem")).to_contain_text(
        "did not answer", timeout=60_000
    )
    page.locator(".sfnb-percent").first.fill("45")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-slider .sfnb-status")).to_contain_text("Saved: API calls 45 %")


@pytest.mark.skipif(
    sys.platform == "win32",
    reason="a process cannot be stopped and continued by signals on Windows",
)
def test_a_lost_connection_saves_nothing_behind_ones_back(
    home: Home, lab: Server, open_lab: OpenNotebook
) -> None:
    """A Save that nobody answers is told; when the kernel is back, what was pressed then is not carried out."""
    home.sfnb("limit", "demo", "40")
    pid_file = Path(lab.folder / "kernel.pid")
    page = open_lab(
        lab.put(
            "lost.ipynb",
            SLIDER.replace(
                "import sfnb",
                f"import os, sfnb\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))",
                1,
            ),
        )
    )
    typed = page.locator(".sfnb-percent").first
    expect(typed).to_have_value("40")
    kernel = psutil.Process(int(pid_file.read_text()))
    os.kill(kernel.pid, signal.SIGSTOP)
    try:
        typed.fill("90")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator(".sfnb-slider .sfnb-status")).to_contain_text(
            "Not saved. sfnb does not answer"
        )
        expect(typed).to_have_value("90")
    finally:
        os.kill(kernel.pid, signal.SIGCONT)
    page.wait_for_timeout(3000)
    assert percent_of(home) == "40"
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-slider .sfnb-status")).to_contain_text("Saved: API calls 90 %")
