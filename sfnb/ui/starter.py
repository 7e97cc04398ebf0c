"""A job that begins when a person says so: what a dashboard shows instead of running it for each visitor."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets
from IPython.display import display

from sfnb.connection import Connection
from sfnb.engine import JobHandle
from sfnb.errors import QuotaSignal, SfnbError
from sfnb.ui.panel import JobPanel

STAY = "Keep this page open while the job runs. If it is closed the job stops where it is, and can be resumed later."


class Starter:
    """
    A button Start, and the panels of the jobs that it started; jobs of the org that already run are shown at once.

    Args:
        start: starts the job; called on the kernel's loop.
    """

    def __init__(self, org: Connection, start: Callable[[], JobHandle]) -> None:
        self._start = start
        self._button = ipywidgets.Button(description="Start the backup", button_style="primary")
        self._button.on_click(lambda _: self._pressed())
        self._says = ipywidgets.HTML(STAY)
        live = [
            job for job in org.state.jobs.find(org.org_id) if not job.state.is_final and job.is_held
        ]
        self._panels = ipywidgets.VBox([JobPanel(job.job_id, org).widget for job in live])

    def _pressed(self) -> None:
        try:
            panel = JobPanel(self._start())
        except (SfnbError, QuotaSignal) as err:
            self._says.value = escape(str(err))
            return
        self._says.value = STAY
        self._panels.children = (panel.widget, *self._panels.children)

    def _ipython_display_(self) -> None:
        display(ipywidgets.VBox([self._button, self._says, self._panels]))  # type: ignore[no-untyped-call]
