"""How a job ended, shown as soon as it has."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from sfnb.errors import SfnbError
from sfnb.model import JobState
from sfnb.ui.jobs import BADGES
from sfnb.ui.kernel import Pulse
from sfnb.ui.screen import Screen, styles
from sfnb.ui.words import picture

LOOK_S = 1.0

SHOWN = 200
"""Objects in the table; those that are not complete come first."""


class Outcome(Screen):
    """A table of a job's objects, once it has ended; until then a line that says that it has not."""

    script = "picture"

    def __init__(self, summary: Callable[[], dict[str, Any] | None]) -> None:
        self._summary = summary
        self._problem = ""
        self._told: dict[str, Any] | None = None
        self.refresh()
        self._pulse = Pulse(self._look, LOOK_S)
        self._pulse.start()

    def refresh(self) -> None:
        """Look whether the job has ended."""
        try:
            self._told, self._problem = self._summary(), ""
        except SfnbError as err:
            self._problem = str(err)

    def _look(self) -> None:
        before = self.html()
        self.refresh()
        if self.html() != before:
            self.show()

    def __repr__(self) -> str:
        return "<outcome: not yet>" if self._told is None else f"<outcome: {self._told['state']}>"

    def view(self) -> dict[str, Any]:
        return {"label": "Outcome", "html": self._body()}

    def html(self) -> str:
        return picture(self._body(), styles())

    def _body(self) -> str:
        if self._problem:
            return f"<p class='sfnb-problem'>{escape(self._problem)}</p>"
        told = self._told
        if told is None:
            return "<p>No job has begun yet; its outcome appears here when it has ended.</p>"
        state = JobState(told["state"])
        if not state.is_final:
            word = BADGES[state]
            return f"<p>Job {escape(told['job_id'])} is {word}; its outcome appears here when it has ended.</p>"
        entries = sorted(told["objects"].items(), key=lambda item: (item[1]["state"] == "complete", item[0]))
        rows = "".join(
            f"<tr><th scope='row'>{escape(name)}</th><td>{escape(e['state'])}</td><td>{e['rows']:,}</td>"
            f"<td>{e['calls']:,}</td><td>{escape(e['message'] or '')}</td></tr>"
            for name, e in entries[:SHOWN]
        )
        more = f"<p>and {len(entries) - SHOWN:,} more</p>" if len(entries) > SHOWN else ""
        return (
            f"<p class='sfnb-strong'>{BADGES[state]}: {told['rows']:,} rows, {told['calls']['api']:,} API calls, "
            f"snapshot {escape(str(told['snapshot']))}</p><p>{escape(told['error'] or '')}</p>"
            f"<table><thead><tr><th>object</th><th>state</th><th>rows</th><th>calls</th><th>message</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>{more}"
        )
