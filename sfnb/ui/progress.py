"""Progress bars for a job that runs in a notebook's cell."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import ipywidgets as widgets
from IPython.display import display

from sfnb.cli.progress import line_of
from sfnb.clock import Clock, SystemClock
from sfnb.jobs import events
from sfnb.model import JobState, ObjectState
from sfnb.ui.bridge import Bridge

SHOWN = 30
"""Bars at most; further objects are told in one line. Failed and running ones come first."""

MESSAGES = 8


class ProgressBars:
    """
    A sink that draws one bar for each object, a state line and the last messages.

    Made and drawn on the thread of the cell; events may come from any thread.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._state = widgets.HTML()
        self._bars = widgets.VBox()
        self._rest = widgets.HTML()
        self._messages = widgets.HTML()
        self._by_object: dict[str, widgets.IntProgress] = {}
        self._rows: dict[str, widgets.HTML] = {}
        self._done: set[str] = set()
        self._texts: list[str] = []
        self._bridge = Bridge(self._draw, now=(clock or SystemClock()).monotonic)
        display(widgets.VBox([self._state, self._bars, self._rest, self._messages]))  # type: ignore[no-untyped-call]

    def __call__(self, event: events.Event) -> None:
        self._bridge(event)
        if isinstance(event, events.JobStateChanged) and event.state is not JobState.RUNNING:
            self._bridge.flush()

    def close(self) -> None:
        """Draw what is left."""
        self._bridge.flush()

    def _draw(self, batch: Sequence[events.Event]) -> None:
        for event in batch:
            if isinstance(event, events.JobPlanned):
                self._plan(event)
            elif isinstance(event, events.ObjectProgress):
                self._advance(event)
            elif isinstance(event, events.JobStateChanged):
                self._state.value = f"<b>{escape(event.state.value.replace('_', ' '))}</b> {escape(event.message)}"
            if text := line_of(event):
                if not isinstance(event, events.ObjectProgress):
                    self._texts = [*self._texts, text][-MESSAGES:]
        self._messages.value = "<br>".join(escape(text) for text in self._texts)
        total = len(self._by_object)
        self._rest.value = f"{len(self._done)} of {total} objects complete" if total else ""

    def _plan(self, event: events.JobPlanned) -> None:
        ordered = sorted(event.objects, key=lambda name: -(event.objects[name] or 0))
        lines = []
        for name in ordered:
            bar = widgets.IntProgress(min=0, max=max(1, event.objects[name] or 1), layout={"width": "18em"})
            rows = widgets.HTML("waiting")
            self._by_object[name], self._rows[name] = bar, rows
            label = widgets.Label(name, layout={"width": "16em"})
            if len(lines) < SHOWN:
                lines.append(widgets.HBox([label, bar, rows]))
        self._bars.children = tuple(lines)

    def _advance(self, event: events.ObjectProgress) -> None:
        bar = self._by_object.get(event.object)
        if bar is None:
            return
        bar.max = max(bar.max, event.rows, 1)
        is_done = event.state is ObjectState.COMPLETE
        if is_done:
            self._done.add(event.object)
            bar.max = max(1, event.rows)
            bar.bar_style = "success"
        bar.value = bar.max if is_done else event.rows
        mark = " ✓" if is_done else ""
        self._rows[event.object].value = f"{event.rows:,} rows, {event.calls:,} calls{mark}"
