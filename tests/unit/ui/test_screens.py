"""The widgets' Python side against a demo org, without a browser: what they show and what they do when told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine, widgets
from sfnb.clock import FakeClock
from sfnb.connection import Connection
from sfnb.errors import CallerError
from sfnb.installation import connect
from sfnb.jobs import events
from sfnb.model import JobState, ObjectState, Pause
from sfnb.report.cards import verdict_of
from sfnb.settings import OrgConfig, Settings
from sfnb.text import percent
from sfnb.ui.chart import Hour, usage_svg
from sfnb.usage.history import load_history
from sfnb.usage.review import review_of
from tests.conftest import RunningOrg


@pytest.fixture
def org(fresh_org: Callable[..., RunningOrg], tmp_path: Path) -> Iterator[Connection]:
    """A connection to a demo org of the test's own."""
    running = fresh_org()
    password = tmp_path / "password"
    password.write_text(running.password + running.security_token)
    config = OrgConfig(
        name="demo",
        login="password",
        instance_url=running.url,
        domain=running.url,
        username=running.username,
        secrets={"password": f"file:{password}"},
        org_id=running.org_id,
        header_lag_s=0,
    )
    home = tmp_path / "home"
    state_url = f"sqlite:///{(home / 'state.db').as_posix()}"
    settings = Settings(
        home=home, state_url=state_url, store_root=str(home / "store"), orgs={"demo": config}
    )
    with connect("demo", settings=settings) as connection:
        yield connection


def save(
    slider: Any, percents: dict[str, str], expected: dict[str, int], kind: str = ""
) -> dict[str, Any]:
    """Press Save as the browser does."""
    ticket = slider.heard({"kind": "ask"})["ticket"]
    return dict(
        slider.heard(
            {
                "kind": "save",
                "ticket": ticket,
                "changes": [{"kind": kind, "percents": percents, "expected": expected}],
            }
        )
    )


def test_saving_needs_a_fresh_ticket(org: Connection) -> None:
    """A Save that comes late or twice is not carried out; bad values and others' changes are told, nothing is saved."""
    slider = widgets.limit_slider(org)
    change = {"kind": "", "percents": {"api": "90"}, "expected": {"api": 50}}
    late = {"kind": "save", "ticket": "old", "changes": [change]}
    assert "Press Save again" in (slider.heard(late) or {})["says"]
    assert "whole number" in save(slider, {"api": "1e3"}, {"api": 50})["says"]
    assert org.state.ledger.limit_percents(org.org_id)["api"] == 50
    assert save(slider, {"api": "60"}, {"api": 50})["ok"]
    told = save(slider, {"api": "70", "bulk2": "70"}, {"api": 50, "bulk2": 50})
    assert not told["ok"] and "to 60 % meanwhile" in told["says"]
    assert org.state.ledger.limit_percents(org.org_id)["bulk2"] == 50
    assert "API calls: 60 % used" in slider.html()


def test_the_limit_of_restores_is_set_beside_the_other(org: Connection) -> None:
    """Both marks are shown; an empty field takes the one of restores away; the log says whose it was."""
    slider = widgets.limit_slider(org)
    reserve = slider.view()["budgets"][0]["reserve"]
    assert (reserve["percent"], reserve["last"]) == (0, "")
    assert reserve["unset"] == "Restores stop where all jobs do."
    assert "sfnb-reserve-mark" not in slider.html().split("</style>")[1]
    saved = save(slider, {"api": "90"}, {"api": 0}, "restore")
    assert saved["says"].startswith("Saved: API calls for restores 90 %.")
    reserve = slider.view()["budgets"][0]["reserve"]
    assert reserve["percent"] == 90 and "as for all jobs → 90 %" in reserve["last"]
    assert reserve["titles"][90] == "Limit for restores: 90 % used"
    assert "Restores stop when the whole org has used 13,500 of its 15,000" in slider.html()
    assert "sfnb-reserve-mark" in slider.html().split("</style>")[1]
    stale = save(slider, {"api": "80"}, {"api": 70}, "restore")
    assert not stale["ok"] and "API calls for restores to 90 % meanwhile" in stale["says"]
    assert save(slider, {"api": " "}, {"api": 90}, "restore")["ok"]
    assert org.state.ledger.reserves(org.org_id) == {}
    assert "whole number" in save(slider, {"api": ""}, {"api": 50})["says"]


def test_slider_and_report_say_the_same_percent(org: Connection) -> None:
    """Between two readings of `/limits` both count our own calls as the gate does: one number in one minute."""
    slider = widgets.limit_slider(org)
    engine.run(org, engine.backup(objects=["Account", "Contact"]))
    slider.refresh()
    history = load_history(org.state, org.name, org.org_id, days=7, now=org.clock.now())
    verdict = verdict_of(review_of(history, UTC)).sentence
    used, maximum = org.budgets()["api"].used, org.budgets()["api"].maximum
    said = percent(used, maximum)
    assert used > 0 and f"{used:,} of {maximum:,} ({said})" in slider.view()["budgets"][0]["used"]
    assert verdict.startswith(f"{said} of the API calls are used; jobs stop at 50 %.")


def test_the_slider_knows_what_the_last_backup_cost(org: Connection) -> None:
    """What-if comes from the last backup where no plan is given, and the advice for the first one goes with it."""
    before = widgets.limit_slider(org).view()
    assert "90–100 %" in before["advice"] and "not known yet" in before["budgets"][0]["what_if"][49]
    engine.run(org, engine.backup(objects=["Account"]))
    after = widgets.limit_slider(org).view()
    assert (
        after["advice"] == ""
        and "run through without a pause" in after["budgets"][0]["what_if"][49]
    )
    assert len(after["budgets"][0]["limit"]["stops"]) == len(after["budgets"][0]["what_if"]) == 100
    with pytest.raises(CallerError, match="no API"):
        widgets.limit_slider(org, apis=["soap"])  # type: ignore[list-item]


def test_a_paused_job_and_the_slider_tell_what_is_foreseen(org: Connection) -> None:
    """P4: a panel of a paused job, and the slider, say when calls are expected to come back."""
    org.limits()
    org.state.ledger.set_limits(org.org_id, 1)
    job_id = engine.create(org, engine.backup(objects=["Account"]))
    pause = Pause("api", org.clock.now(), None, 200, 15_000, "200 of 15,000 used")
    told = events.JobPaused(job_id, pause.at, pause, 150, org.clock.now() + timedelta(minutes=30))
    with org.state.jobs.lease(job_id):
        org.state.jobs.update(job_id, state=JobState.PAUSED)
        org.state.jobs.add_event(job_id, told.at, "JobPaused", events.payload_of(told))
        lines = widgets.job_panel(job_id, org=org).view()["head"]["pause"]
    assert "Next check at" in lines[2]
    assert lines[3].startswith("Judging by the last days, it resumes about")


def test_a_panel_attached_later_tells_what_a_live_one_heard(org: Connection) -> None:
    """P3: live or from the state database, the same objects, rows and end; names of objects cannot run as HTML."""
    job = engine.start(org, engine.backup(objects=["Account", "Contact"]))
    live = widgets.job_panel(job)
    job.wait(60)
    live.refresh()
    attached = widgets.job_panel(job.job_id, org=org)
    for panel in (live, attached):
        head = panel.view()["head"]
        assert (head["state"], head["share"], head["counts"]["complete"]) == ("completed", 1.0, 2)
        assert head["may"] == {"pause": False, "resume": False, "cancel": False}
        assert "✓ completed" in panel.html()
    assert {row[0] for row in live.view()["objects"]} == {
        row[0] for row in attached.view()["objects"]
    }
    with pytest.raises(CallerError, match="no job"):
        widgets.job_panel("nobody", org=org)
    with pytest.raises(CallerError, match="name its org"):
        widgets.job_panel(job.job_id)


def test_a_job_that_nobody_runs_is_resumed_from_its_panel(org: Connection) -> None:
    """P4: Resume in a panel goes on with a job that another process left paused."""
    job_id = engine.create(org, engine.backup(objects=["Account"]))
    with org.state.jobs.lease(job_id):
        org.state.jobs.update(job_id, state=JobState.PAUSED)
    panel = widgets.job_panel(job_id, org=org)
    assert panel.view()["head"]["may"]["resume"]
    assert (panel.heard({"kind": "resume"}) or {})["ok"]
    for _ in range(600):
        if org.state.jobs.get(job_id).state.is_final:
            break
        org.clock.wait(0.05)
    panel.refresh()
    assert panel.view()["head"]["state"] == "completed"
    told = panel.heard({"kind": "resume"}) or {}
    assert not told["ok"] and "nothing to resume" in told["says"]


def test_what_the_org_says_is_text(org: Connection) -> None:
    """P8: a message from the org is shown as text in the pictures, never as HTML."""
    job = org.state.jobs.create("backup", "demo", org.org_id, {}, ["Account"])
    failed = events.ObjectFailed(
        job.job_id, org.clock.now(), "Account", "<script>alert(1)</script>"
    )
    org.state.jobs.add_event(job.job_id, failed.at, "ObjectFailed", events.payload_of(failed))
    org.state.jobs.set_object(job.job_id, "Account", ObjectState.UNTOUCHED, 0, 1, failed.message)
    html = widgets.job_panel(job.job_id, org=org).html()
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_the_browser_opens_pages_and_refuses_in_words(org: Connection) -> None:
    """Snapshots → objects → rows; a wrong filter is one sentence, and the frame has what the table shows."""
    engine.run(org, engine.backup(objects=["Contact"]))
    browser = widgets.snapshot_browser(org)
    assert (
        "Open an object first"
        in (browser.heard({"kind": "page", "offset": 0, "limit": 5}) or {})["says"]
    )
    (snapshot,) = browser.view()["snapshots"]
    assert snapshot["label"].split(" · ")[1:] == ["complete", snapshot["id"]]
    told = browser.heard({"kind": "objects", "snapshot": snapshot["id"]}) or {}
    assert [one["name"] for one in told["objects"]] == ["Contact"]
    opened = browser.heard({"kind": "open", "object": "Contact"}) or {}
    assert "LastName" in opened["columns"] and opened["code"].endswith('.frame("Contact")')
    for _ in range(600):
        if browser._the_pages().is_loaded:
            break
        org.clock.wait(0.05)
    bad = browser.heard({"kind": "pick", "filters": {"CreatedDate": ">soon"}}) or {}
    assert not bad["ok"] and "a date such as" in bad["says"]
    picked = (
        browser.heard({"kind": "pick", "filters": {"LastName": "a"}, "order": "LastName"}) or {}
    )
    assert picked["count"] == len(browser.frame()) > 0
    assert "Contact: the first records of" in browser.html()
    browser.close_object()


def test_a_chart_tells_gaps_and_words() -> None:
    """Hours without a reading are left empty, and the picture says in words what it shows."""
    now = FakeClock().now()
    assert "No usage reading" in usage_svg([], now=now)
    hours = [
        Hour(now - timedelta(hours=30), 10, 20, 50),
        Hour(now - timedelta(hours=1), 1.5, 3, 60),
    ]
    svg = usage_svg([*hours, Hour(now - timedelta(days=9), 99, 0, 50)], now=now)
    assert svg.count('<rect class="own"') == 2
    assert "now 4.5 % of the maximum, 1.5 % by sfnb; highest 30.0 %" in svg


def test_an_unfinished_snapshot_is_marked_in_the_list(org: Connection) -> None:
    """P3: what is not sealed says so where it is chosen, not only once it is opened."""

    def stop(event: events.Event) -> None:
        if isinstance(event, events.ObjectProgress):
            org.state.jobs.want(event.job_id, "pause")

    engine.run(org, engine.backup(objects=["Contact", "Case"]), on_pause="exit", emit=stop)
    (snapshot,) = widgets.snapshot_browser(org).view()["snapshots"]
    assert snapshot["label"].split(" · ")[1] == "partial, not finished"
