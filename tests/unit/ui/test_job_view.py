"""A job as it is shown, from events alone."""

from __future__ import annotations

from datetime import datetime, timedelta

from sfnb.clock import FakeClock
from sfnb.jobs import events
from sfnb.model import JobState, ObjectState, Pause
from sfnb.state.job_values import Job, JobObject
from sfnb.ui.job_events import progress_of
from sfnb.ui.job_view import JobView

T0 = FakeClock().now()


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def planned(**expected: int | None) -> JobView:
    view = JobView("j1", "demo", "backup", JobState.RUNNING, T0)
    view.apply(
        events.JobPlanned("j1", T0, "20261122T043812Z-1a2b3c", expected, {"Vote": "wants a filter"})
    )
    return view


def progress(
    name: str, seconds: float, rows: int, *, state: ObjectState = ObjectState.PARTIAL
) -> events.ObjectProgress:
    return events.ObjectProgress("j1", at(seconds), name, state, rows, None, 2)


def a_job(**changes: object) -> Job:
    values = {
        "job_id": "j1",
        "kind": "backup",
        "org": "demo",
        "org_id": "00D",
        "state": JobState.RUNNING,
        "snapshot": None,
        "objects": None,
        "options": {},
        "started_at": T0,
        "ended_at": None,
        "rows": 0,
        "error": None,
        "wanted": None,
        "is_held": True,
    }
    return Job(**(values | changes))  # type: ignore[arg-type]


def test_bars_tell_rows_rate_and_time_left() -> None:
    """An object's bar and the whole job's say what is read, how fast, and how long it will take."""
    view = planned(Account=1000, Contact=3000)
    view.apply(progress("Account", 0, 0))
    view.apply(progress("Account", 10, 500))
    name, standing, share, text = view.objects["Account"].as_json()
    assert (name, standing, share) == ("Account", "running", 0.5)
    assert text == "500 of about 1,000 records, 2 calls, 50 records/s, about 10 s left"
    assert view.share == 500 / 4000
    assert view.overall().startswith(
        "0 of 2 objects, 500 records, 0 API calls, 50 records/s, about 1 min left"
    )


def test_an_estimate_is_never_shown_as_done() -> None:
    """The org's row count is an estimate: a bar is full only when its object is complete."""
    view = planned(Account=100)
    view.apply(progress("Account", 5, 400))
    assert view.objects["Account"].share == 0.99
    assert view.share is not None and view.share < 1
    view.apply(progress("Account", 6, 400, state=ObjectState.COMPLETE))
    assert view.objects["Account"].share == 1.0
    view.apply(events.JobStateChanged("j1", at(7), JobState.COMPLETED))
    assert view.share == 1.0


def test_an_old_event_changes_nothing() -> None:
    """Events may come twice, live and from the state: the newer one stays, and no line is told twice."""
    view = planned(Account=100)
    done = progress("Account", 6, 100, state=ObjectState.COMPLETE)
    view.apply(done)
    view.apply(progress("Account", 3, 50))
    view.apply(done)
    assert view.objects["Account"].rows == 100
    assert [text for _, _, text in view.lines_after()].count("Account: 100 records, complete") == 1


def test_a_pause_says_why_how_much_and_when_it_goes_on() -> None:
    """P4: while paused a person reads the reason, use against threshold, and the time of the next check."""
    view = planned(Account=100)
    pause = Pause("api", at(1), None, 7600, 15000, "7,600 of 15,000 used")
    view.apply(events.JobStateChanged("j1", at(1), JobState.PAUSED))
    view.apply(events.JobPaused("j1", at(1), pause, 7500, at(1801)))
    text = " ".join(view.pause_lines())
    assert "7,600 of 15,000" in text and "jobs stop at 7,500" in text and "Next check at" in text
    assert not view.may["resume"] and view.may["cancel"] and not view.may["pause"]
    view.apply(events.QuotaChecked("j1", at(1801), "api", 7000, 15000, 6750, at(3601)))
    assert "7,000 of 15,000" in " ".join(view.pause_lines()) and "below 6,750" in " ".join(
        view.pause_lines()
    )
    view.apply(events.JobStateChanged("j1", at(1802), JobState.RUNNING))
    assert view.pause_lines() == []


def test_a_job_that_nobody_runs_says_so() -> None:
    """A job whose process is gone is `interrupted`, in a state of its own; only Resume and Cancel do something."""
    view = planned(Account=100)
    view.take(a_job(is_held=False), 3)
    assert (view.head()["state"], view.head()["badge"]) == ("interrupted", "⚡ interrupted")
    assert "The process of this job is gone" in view.status_line()
    assert view.may == {"pause": False, "resume": True, "cancel": True}
    assert "preparing" not in view.overall()


def test_what_happened_has_its_own_time_or_none() -> None:
    """A line is stamped with the moment of its event; what the state knows without a moment gets no line."""
    view = planned(Account=100)
    entries = [JobObject("Account", ObjectState.COMPLETE, 90, 2, None)]
    for event in progress_of(a_job(), entries, at(3600), view):
        view.apply(event, has_line=False)
    assert view.objects["Account"].status == "complete"
    assert [text for _, when, text in view.lines if when == at(3600)] == []


def test_the_state_database_tells_what_events_would_have_told() -> None:
    """P3: a panel attached elsewhere shows the objects as the job's own panel does, and asks nothing twice."""
    view = planned(Account=100, Case=10, Lead=5)
    entries = [
        JobObject("Account", ObjectState.COMPLETE, 90, 2, None),
        JobObject("Case", ObjectState.UNTOUCHED, 0, 1, "no access"),
        JobObject("Lead", ObjectState.PARTIAL, 2, 1, None),
    ]
    for event in progress_of(a_job(), entries, at(1), view):
        view.apply(event)
    assert {name: shown.status for name, shown in view.objects.items()} == {
        "Account": "complete",
        "Case": "failed",
        "Lead": "running",
        "Vote": "left_out",
    }
    assert view.objects["Case"].text() == "no access"
    assert progress_of(a_job(), entries, at(2), view) == []


def test_nothing_runs_while_the_job_rests() -> None:
    """Objects that a paused or interrupted job has begun are called so, not running."""
    view = planned(Account=100)
    view.apply(progress("Account", 50, 1))
    view.state = JobState.RUNNING
    assert view.head()["titles"]["running"] == "1 running"
    view.is_held = False
    assert view.head()["titles"]["running"] == "1 begun"
    view.state, view.is_held = JobState.PAUSED, True
    assert view.head()["titles"]["running"] == "1 begun"
