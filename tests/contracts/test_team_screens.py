"""What people see of their role, and of the schedule: in notebooks and on the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sfnb.dashboard.add_org import AddOrg
from sfnb.dashboard.archive_form import ArchiveForm
from sfnb.dashboard.backup_form import BackupForm
from sfnb.dashboard.parts import PartMaker
from sfnb.dashboard.places import place_at
from sfnb.dashboard.registry import PLACES
from sfnb.dashboard.restore_form import RestoreForm
from sfnb.installation import Installation
from sfnb.state.schedule_values import Due
from sfnb.ui.panel import JobPanel
from sfnb.ui.retention import RetentionPanel
from sfnb.ui.schedule import schedule_html
from sfnb.ui.screen import Screen
from sfnb.ui.slider import LimitSlider
from sfnb.ui.start_button import delete_button, start_button
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for

MAY_NOT = {
    "viewer": {
        "slider": ["save"], "panel": ["pause", "resume", "cancel"], "backup": ["start"],
        "restore": ["start"], "archive": ["start"], "add": ["add", "demo"],
        "retention": ["add", "remove", "prune"],
    },
    "operator": {"retention": ["remove", "prune"]},
    "admin": {},
}  # fmt: skip


@pytest.fixture
def here(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    """A home in which Ann is the admin, Otto an operator, Vera a viewer."""
    settings = settings_for(fresh_org(objects={"Contact": 20}), tmp_path / "home")
    monkeypatch.setenv("SFNB_HOME", str(settings.home))
    monkeypatch.setattr("sfnb.dashboard.parts.load_settings", lambda: settings)
    monkeypatch.setenv("SFNB_USER", "ann")
    with Installation(settings) as opened:
        opened.state.team.give("otto", "operator")
        opened.state.team.give("vera", "viewer")
        yield opened


def screens(here: Installation, job_id: str) -> dict[str, Screen]:
    makes = PartMaker(here)
    org = makes.org("demo")
    return {
        "slider": LimitSlider(org, is_asking=False),
        "panel": JobPanel(job_id, org),
        "retention": RetentionPanel(org),
        "backup": BackupForm(org),
        "restore": RestoreForm(org, makes),
        "archive": ArchiveForm(org),
        "add": AddOrg(here),
    }


@pytest.mark.parametrize(
    ("user", "role"), [("vera", "viewer"), ("otto", "operator"), ("ann", "admin")]
)
def test_a_screen_says_what_its_reader_may_not_do(
    here: Installation, monkeypatch: pytest.MonkeyPatch, user: str, role: str
) -> None:
    """
    Buttons of what a role does not allow are disabled before anybody presses them, with one sentence
    for all of them; nothing is written by looking, not even in the audit log.
    """
    job = here.state.jobs.create("backup", "demo", here.settings.org("demo").org_id, {}, ["Case"])
    before = here.state.audit.entries()
    monkeypatch.setenv("SFNB_USER", user)
    for name, screen in screens(here, job.job_id).items():
        view = screen.view()
        refused = MAY_NOT[role].get(name, [])
        if name == "panel":
            says = view["head"]["refused"]
            assert not (refused and any(view["head"]["may"].values()))
        else:
            says = view["refused"]["says"]
            assert view["refused"]["kinds"] == refused, name
        assert says.startswith(f"{user} is a") == bool(refused), (name, says)
    assert here.state.audit.entries() == before


def test_a_role_that_changes_shows_on_an_open_screen(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewer who is made an operator can press Save and Cancel without opening the page again."""
    job = here.state.jobs.create("backup", "demo", here.settings.org("demo").org_id, {}, ["Case"])
    monkeypatch.setenv("SFNB_USER", "vera")
    found = screens(here, job.job_id)
    assert found["slider"].view()["refused"]["kinds"] == ["save"]
    with monkeypatch.context() as patch:
        patch.setenv("SFNB_USER", "ann")
        here.state.team.give("vera", "operator")
    for screen in found.values():
        screen.refresh()
    assert found["slider"].view()["refused"] == {"kinds": [], "says": ""}
    assert found["panel"].view()["head"]["may"]["cancel"]


def test_a_message_that_comes_all_the_same_is_refused(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disabled buttons are a courtesy: who sends the message without them is refused by the state."""
    job = here.state.jobs.create("backup", "demo", here.settings.org("demo").org_id, {}, ["Case"])
    monkeypatch.setenv("SFNB_USER", "vera")
    found = screens(here, job.job_id)
    ticket = (found["slider"].heard({"kind": "ask"}) or {})["ticket"]
    change = {"kind": "", "percents": {"api": "60"}, "expected": {"api": 50}}
    hold = {"object": "Contact", "what": "all", "reason": "a case"}
    for name, message in (
        ("slider", {"kind": "save", "ticket": ticket, "changes": [change]}),
        ("panel", {"kind": "cancel"}),
        ("retention", {"kind": "add", **hold}),
    ):
        answer = found[name].heard(message)
        assert answer and not answer["ok"] and "vera is a viewer" in answer["says"], name
    assert here.state.jobs.get(job.job_id).wanted is None


def test_buttons_of_a_notebook_are_disabled(here: Installation) -> None:
    """The buttons that write into an org say why they cannot be pressed."""

    def never() -> Any:
        raise AssertionError("it was started")

    for box in (
        start_button("demo", never, refusal="vera is a viewer."),
        delete_button("demo", "Case", never, refusal="vera is a viewer."),
    ):
        button, note = box.children[0].children
        assert button.disabled and note.value == "vera is a viewer."
    assert not start_button("demo", never).children[0].children[0].disabled


# -- the schedule


def test_the_dashboard_shows_the_schedule(here: Installation) -> None:
    """Each entry with its command, when it is due next, and how its last run ended. No call."""
    book = here.state.schedule
    entry = book.add("nightly", cron="0 13 * * *", tz="Europe/Paris", command=["backup", "<b>"])
    place = place_at("/schedule", ["demo"], PLACES)
    (part,) = place.parts
    screen = PartMaker(here).make(part, place)
    assert "not run yet" in screen.view()["html"] and "<b>" not in screen.view()["html"]
    at = datetime(2026, 11, 27, 12, tzinfo=UTC)
    token = book.claim(entry, Due(at))
    assert token and book.take(token) and book.finish(token, 3)
    shown = schedule_html(book.entries(), at + timedelta(hours=1))
    for words in ("nightly", "sfnb backup &lt;b&gt;", "0 13 * * * (Europe/Paris)", "28 Nov",
                  "27 Nov", "completed with errors"):  # fmt: skip
        assert words in shown, words
    assert "no service runs" not in shown


def test_a_schedule_that_nobody_serves_is_said(here: Installation) -> None:
    """An entry that was due a while ago and was not begun: no service runs, and what to do."""
    book = here.state.schedule
    assert "Nothing is scheduled yet" in schedule_html(book.entries(), datetime.now(UTC))
    entry = book.add("hourly", cron="0 * * * *", tz="UTC", command=["usage", "sample"])
    later = entry.settled_until + timedelta(hours=2)
    assert "hourly should have been started and was not: no service runs" in schedule_html(
        book.entries(), later
    )
    # A line of a newer sfnb is no reason to show nothing.
    book.add("strange", cron="0 2 * * 9", tz="UTC", command=["jobs"])
    assert "never" in schedule_html(book.entries(), later)
