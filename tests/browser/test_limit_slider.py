"""The limit slider in JupyterLab, as a person uses it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Home, OpenNotebook, Server

SLIDER = 'import sfnb\nfrom sfnb import widgets\norg = sfnb.connect("demo")\nwidgets.limit_slider(org)'


def test_a_limit_is_saved_with_keys_and_audited(home: Home, lab: Server, open_lab: OpenNotebook) -> None:
    """Nothing changes before Save; arrow keys and Save change the limit, with an audit entry (P6)."""
    page = open_lab(lab.put("keys.ipynb", SLIDER))
    part = page.locator(".sfnb-slider section").first
    range_ = part.get_by_role("slider")
    expect(range_).to_have_value("50")
    range_.focus()
    for _ in range(7):
        range_.press("ArrowRight")
    expect(part.locator(".sfnb-percent")).to_have_value("57")
    expect(part).to_contain_text("Jobs stop at 8,550 of 15,000")
    expect(part).to_contain_text("not saved")
    assert "no changes" in home.sfnb("audit", "demo").lower() or "57" not in home.sfnb("audit", "demo")
    page.get_by_label("Reason for the change").fill("night <run>")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".sfnb-status")).to_contain_text("Saved: API calls 57 %")
    expect(part).to_contain_text("50 → 57 %")
    audit = home.sfnb("audit", "demo")
    assert "57" in audit and "night <run>" in audit
