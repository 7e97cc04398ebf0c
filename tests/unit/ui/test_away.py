"""A job that waits for an org that is away, in the panel."""

from __future__ import annotations

from datetime import timedelta

from sfnb.clock import FakeClock
from sfnb.jobs import events
from sfnb.model import JobState, Pause
from sfnb.ui.job_view import JobView

AT = FakeClock().now()


def test_an_org_that_is_away_is_no_matter_of_usage() -> None:
    """The panel gives the reason and no usage, since no limit has paused the job."""
    view = JobView("j", "demo", "backup", JobState.RUNNING, AT)
    pause = Pause(events.ORG, AT, None, -1, -1, "org unavailable: maintenance")
    view.apply(events.JobStateChanged("j", AT, JobState.PAUSED))
    view.apply(events.JobPaused("j", AT, pause, -1, AT + timedelta(seconds=30)))
    lines = " ".join(view.pause_lines())
    assert "org unavailable: maintenance" in lines and "Usage" not in lines and "-1" not in lines
