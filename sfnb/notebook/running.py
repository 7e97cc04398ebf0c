"""
Running a backup as fits the place: with bars where a person watches, with lines where nobody does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import BackupRequest
from sfnb.jobs.loop import OnPause
from sfnb.jobs.summary import job_summary


def run(
    org: Connection,
    request: BackupRequest,
    *,
    on_pause: OnPause = "wait",
    poll_s: float | None = None,
    max_wait_s: float | None = None,
    workers: int | None = None,
) -> Run:
    """
    Run a backup; arguments as for `engine.run`, or from `run_options`.

    Where a person watches it runs in the background under a job panel, and the cell ends at once.
    Headless the cell ends with the job, with a line of text for what happens.
    """
    from sfnb.ui import kernel

    options: Any = {
        "on_pause": on_pause,
        "poll_s": poll_s,
        "max_wait_s": max_wait_s,
        "workers": workers,
    }
    if not kernel.is_watched():
        from sfnb.jobs.event_text import Lines

        return Run(org, engine.run(org, request, emit=Lines(sys.stdout), **options)["job_id"])
    from IPython.display import display

    from sfnb.widgets import job_panel

    handle = engine.start(org, request, **options)
    display(job_panel(handle))  # type: ignore[no-untyped-call]
    return Run(org, handle.job_id)


@dataclass
class Run:
    """A notebook's job: running, or over."""

    org: Connection
    job_id: str

    def summary(self) -> dict[str, Any]:
        """The job's summary as of now."""
        return job_summary(self.org.state, self.job_id)

    def __repr__(self) -> str:
        return f"<job {self.job_id} of {self.org.name}: {self.summary()['state']}>"
