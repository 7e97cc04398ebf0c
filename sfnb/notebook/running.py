"""
Running a job as fits the place: with bars where a person watches, with lines where nobody does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import ArchiveRequest, BackupRequest, RestoreRequest
from sfnb.jobs.loop import OnPause
from sfnb.jobs.summary import job_summary
from sfnb.model import ARCHIVE, RESTORE


def run(
    org: Connection,
    request: BackupRequest | RestoreRequest | ArchiveRequest,
    *,
    dry_run: bool = False,
    on_pause: OnPause = "wait",
    poll_s: float | None = None,
    max_wait_s: float | None = None,
    workers: int | None = None,
) -> Run:
    """
    Run a job; arguments as for `engine.run`, or from `run_options`.

    Where a person watches it runs in the background under a job panel, and the cell ends at once; a
    restore waits for a button, an archive for two. Headless the cell ends with the job, with a line of text for what
    happens.

    Args:
        dry_run: run nothing; the plan was all.
    """
    from sfnb.ui import kernel

    options: Any = {
        "on_pause": on_pause,
        "poll_s": poll_s,
        "max_wait_s": max_wait_s,
        "workers": workers,
    }
    if dry_run:
        return Run(org, "", "Dry run: nothing was written.")
    if not kernel.is_watched():
        from sfnb.jobs.event_text import Lines

        return Run(org, engine.run(org, request, emit=Lines(sys.stdout), **options)["job_id"])
    from IPython.display import display

    from sfnb.ui.panel import JobPanel
    from sfnb.widgets import job_panel

    found = Run(org, "", "The outcome appears here when the job has been started and has ended.")

    def start() -> JobPanel:
        handle = engine.start(org, request, **options)
        found.job_id = handle.job_id
        return job_panel(handle)

    if isinstance(request, RestoreRequest):
        from sfnb.ui.start_button import start_button

        _, refusal = org.state.team.refused([RESTORE])
        display(start_button(org.name, start, refusal=refusal))  # type: ignore[no-untyped-call]
    elif isinstance(request, ArchiveRequest):
        from sfnb.ui.archived import leaving_sentence
        from sfnb.ui.start_button import delete_button

        what = leaving_sentence(org.name, request.object_name, hard=request.hard)
        _, refusal = org.state.team.refused([ARCHIVE])
        button = delete_button(org.name, what, start, refusal=refusal)
        display(button)  # type: ignore[no-untyped-call]
    else:
        display(start())  # type: ignore[no-untyped-call]
    return found


@dataclass
class Run:
    """A notebook's job: running, or over; ``job_id`` is empty while there is none, and ``says`` why."""

    org: Connection
    job_id: str
    says: str = ""

    def summary(self) -> dict[str, Any]:
        """The job's summary as of now."""
        return job_summary(self.org.state, self.job_id)

    def __repr__(self) -> str:
        if not self.job_id:
            return self.says
        return f"<job {self.job_id} of {self.org.name}: {self.summary()['state']}>"
