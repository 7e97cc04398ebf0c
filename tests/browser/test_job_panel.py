"""A backup on the screen: bars, pauses, buttons, reloading, and panels elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from sfnb import notebook
from tests.browser.conftest import Home, OpenNotebook, Server, wait_for_kernel

ATTACH = 'import sfnb\nfrom sfnb import widgets\norg = sfnb.connect("demo")\nwidgets.job_panel("{job_id}", org=org)'


@pytest.fixture
def run_backup(lab: Server) -> Callable[..., str]:
    """Writes run_backup.ipynb with other parameters; its name."""

    def written(name: str, **parameters: object) -> str:
        told = json.loads((notebook.folder() / "run_backup.ipynb").read_text("utf-8"))
        cell = next(
            cell for cell in told["cells"] if "parameters" in cell["metadata"].get("tags", [])
        )
        cell["source"] = [
            *cell["source"],
            "\n",
            *(f"{key} = {value!r}\n" for key, value in parameters.items()),
        ]
        (lab.folder / name).write_text(json.dumps(told), "utf-8")
        return name

    return written


@pytest.fixture
def slow_org(home: Home) -> None:
    """Each composite call takes a second, so that there is something to watch."""
    home.tell("clock", {"advance_minutes": 25 * 60})
    home.sfnb("limit", "demo", "50")
    home.tell("faults", {"match": "/composite", "fault": "stall", "seconds": 1.0})


def job_id_of(page: Page) -> str:
    panel = page.locator(".sfnb-panel")
    return (panel.get_attribute("aria-label") or "").removeprefix("Job ")


def test_a_backup_pauses_on_quota_goes_on_and_can_be_followed(
    home: Home, slow_org: None, open_lab: OpenNotebook, lab: Server, run_backup: Callable[..., str]
) -> None:
    """P4: run all; bars move; the quota pauses the job, and it goes on by itself; another kernel shows the same."""
    page = open_lab(run_backup("pausing.ipynb", poll_minutes=0.05))
    panel = page.locator(".sfnb-panel")
    expect(panel.locator(".sfnb-badge")).to_contain_text("running")
    share = panel.locator("progress.sfnb-overall")
    page.wait_for_function(
        "() => { const p = document.querySelector('.sfnb-panel progress.sfnb-overall');"
        " return p && p.hasAttribute('value') && p.value > 0 && p.value < 1; }"
    )
    # The kernel stays free while the job runs: the outcome's cell has run already.
    expect(page.locator(".sfnb-picture")).to_contain_text("its outcome appears here")
    home.tell("quota", {"spend": {"api": 7_600}})
    expect(panel.locator(".sfnb-badge")).to_contain_text("paused")
    expect(panel.locator(".sfnb-pause")).to_contain_text("jobs stop at 7,500")
    expect(panel.locator(".sfnb-pause")).to_contain_text("Next check at")

    other = open_lab(lab.put("elsewhere.ipynb", ATTACH.format(job_id=job_id_of(page))))
    expect(other.locator(".sfnb-panel .sfnb-badge")).to_contain_text("paused")
    expect(other.locator(".sfnb-pause")).to_contain_text("jobs stop at 7,500")

    # The rest may go as fast as it can.
    home.tell("faults", method="DELETE")
    home.tell("clock", {"advance_minutes": 25 * 60})
    for watching in (page, other):
        expect(watching.locator(".sfnb-panel .sfnb-badge")).to_contain_text(
            "completed", timeout=90_000
        )
        expect(watching.locator(".sfnb-lines")).to_contain_text("resumed: ")
    expect(page.locator(".sfnb-picture details")).to_have_count(2)
    assert share.get_attribute("value") == "1"


def test_buttons_pause_resume_and_cancel(
    home: Home, slow_org: None, open_lab: OpenNotebook, run_backup: Callable[..., str]
) -> None:
    """A person pauses, resumes, and cancels after a question that may be answered with no; reloading loses nothing."""
    page = open_lab(run_backup("buttons.ipynb"))
    panel = page.locator(".sfnb-panel")
    panel.get_by_role("button", name="Pause").click()
    expect(panel.locator(".sfnb-badge")).to_contain_text("paused")
    expect(panel.locator(".sfnb-pause")).to_contain_text("Paused by a person")

    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    wait_for_kernel(page)
    panel = page.locator(".sfnb-panel")
    expect(panel.locator(".sfnb-badge")).to_contain_text("paused")

    panel.get_by_role("button", name="Resume").click()
    expect(panel.locator(".sfnb-badge")).to_contain_text("running")
    panel.get_by_role("button", name="Cancel", exact=True).click()
    no = panel.get_by_role("button", name="No, let it run")
    expect(no).to_be_focused()
    no.press("Escape")
    expect(panel.get_by_role("button", name="Cancel", exact=True)).to_be_focused()
    panel.get_by_role("button", name="Cancel", exact=True).press("Enter")
    panel.get_by_role("button", name="Yes, cancel the job").click()
    expect(panel.locator(".sfnb-badge")).to_contain_text("cancelled")
    jobs = json.loads(home.sfnb("jobs", "--json"))
    assert next(job for job in jobs if job["job_id"] == job_id_of(page))["state"] == "cancelled"


def test_a_saved_limit_is_obeyed_by_the_running_job(
    home: Home, slow_org: None, open_lab: OpenNotebook, run_backup: Callable[..., str]
) -> None:
    """P1: lowering the limit pauses the running job at its next call; raising it lets it go on."""
    home.tell("quota", {"spend": {"api": 3_000}})
    page = open_lab(run_backup("obey.ipynb"))
    panel, slider = page.locator(".sfnb-panel"), page.locator(".sfnb-slider")
    expect(panel.locator(".sfnb-badge")).to_contain_text("running")
    slider.locator(".sfnb-percent").first.fill("5")
    slider.get_by_role("button", name="Save", exact=True).click()
    expect(panel.locator(".sfnb-badge")).to_contain_text("paused")
    home.tell("faults", method="DELETE")
    slider.locator(".sfnb-percent").first.fill("90")
    slider.get_by_role("button", name="Save", exact=True).click()
    expect(panel.locator(".sfnb-badge")).to_contain_text("completed", timeout=90_000)


def test_eight_hundred_objects_stay_usable(lab: Server, open_lab: OpenNotebook) -> None:
    """Of 800 objects those that failed or run are seen at once, the others are folded and drawn when opened."""
    page = open_lab(lab.put("many.ipynb", MANY))
    panel = page.locator(".sfnb-panel")
    expect(panel.locator(".sfnb-failed summary")).to_have_text("3 failed")
    expect(panel.locator(".sfnb-failed li").first).to_contain_text("no access to <b>Object_000</b>")
    expect(panel.locator(".sfnb-running summary")).to_have_text("40 running")
    assert panel.locator("li .sfnb-name").count() == 43
    waiting = panel.locator(".sfnb-waiting")
    waiting.locator("summary").click()
    expect(waiting.locator("li")).to_have_count(100)
    waiting.get_by_role("button", name="Show all 757").click()
    expect(waiting.locator("li")).to_have_count(757)


MANY = """
import sfnb
from sfnb import widgets
from sfnb.jobs import events
from sfnb.model import JobState, ObjectState
org = sfnb.connect("demo")
jobs, now = org.state.jobs, org.clock.now()
job = jobs.create("backup", "demo", org.org_id, {}, ["Nothing"])
jobs.update(job.job_id, state=JobState.RUNNING)
names = [f"Object_{n:03}" for n in range(800)]
plan = events.JobPlanned(job.job_id, now, "20261122T043812Z-1a2b3c", dict.fromkeys(names, 1000), {})
jobs.add_event(job.job_id, now, "JobPlanned", events.payload_of(plan))
for name in names[:3]:
    jobs.set_object(job.job_id, name, ObjectState.UNTOUCHED, 0, 1, f"no access to <b>{name}</b>")
for name in names[3:43]:
    jobs.set_object(job.job_id, name, ObjectState.PARTIAL, 500, 1)
widgets.job_panel(job.job_id, org=org)
"""
