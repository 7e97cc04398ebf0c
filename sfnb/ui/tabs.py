"""A tab for each org: its use, its limits, its jobs. A tab is made when it is first opened."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython.display import display

from sfnb.clock import Clock
from sfnb.connection import Connection
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.installation import Installation
from sfnb.memory import State
from sfnb.quota.policy import UNITS
from sfnb.series import VISIBLE_PCT
from sfnb.settings import Settings
from sfnb.ui import kernel
from sfnb.ui.chart import Hour, usage_svg, usage_words
from sfnb.ui.elements import Picture, Strip
from sfnb.ui.outcome import jobs_html
from sfnb.ui.panel import JobPanel
from sfnb.ui.screen import Screen
from sfnb.ui.slider import SHOWN_APIS, LimitSlider

if TYPE_CHECKING:
    import pandas as pd

CHART_S, JOBS_S = 60.0, 2.0
"""
Seconds between two looks at the state database, for the chart and for the list of jobs; no calls.
"""

JOBS = 20

PANELS = 3
"""Live jobs that get a panel of their own."""


class OrgTabs:
    """
    Orgs side by side. An org that cannot be logged in to still shows what is known of it.

    Cost: for each tab that is opened, what `usage.collect` costs: a call for the limits, one for the
    list of event log files, one for each file not read yet; the slider then costs none.
    """

    def __init__(
        self, orgs: Sequence[str | Connection] | None = None, *, settings: Settings | None = None
    ) -> None:
        self._installation = Installation(settings)
        chosen: list[str | Connection] = (
            [*orgs] if orgs is not None else [*sorted(self._installation.settings.orgs)]
        )
        if not chosen:
            raise CallerError(
                "No org is registered yet; `sfnb org add` registers one, `sfnb demo start` makes "
                "one."
            )
        self._orgs = chosen
        self._names = [org if isinstance(org, str) else org.name for org in chosen]
        for org in chosen:
            if isinstance(org, str):
                # An unknown name is refused before anything is drawn.
                self._installation.settings.org(org)
        self._parts: dict[int, list[Screen]] = {}
        self.strip = Strip("Orgs", self._names, self._choose)

    def __repr__(self) -> str:
        return f"<orgs: {', '.join(self._names)}>"

    def parts(self, number: int) -> list[Screen]:
        """What a tab shows, made at the first call."""
        if number not in self._parts:
            self._parts[number] = self._make(number)
        return self._parts[number]

    def _make(self, number: int) -> list[Screen]:
        chosen = self._orgs[number]
        try:
            org = (
                chosen
                if isinstance(chosen, Connection)
                else self._installation.connect(chosen, may_be_away=False)
            )
        except (SfnbError, QuotaSignal) as err:
            return self._without_login(str(chosen), str(err))
        # pandas is heavy, and a page of tabs loads without it.
        from sfnb.usage.collect import collect

        collect(org.client, org.state, org.clock)
        jobs = org.state.jobs.find(org.org_id)
        live = [job for job in jobs if not job.state.is_final][-PANELS:]
        return [
            _chart(org.state, org.name, org.org_id, org.clock),
            LimitSlider(org),
            *(JobPanel(job.job_id, org) for job in reversed(live)),
            _jobs(org.state, org.name, org.org_id),
        ]

    def _without_login(self, name: str, problem: str) -> list[Screen]:
        shown = f"<h3>{escape(name)}</h3><p class='sfnb-problem'>{escape(problem)}</p><p>What is stored of it:</p>"
        parts: list[Screen] = [Picture(f"{name}: no login", lambda: shown, every_s=CHART_S)]
        org_id = self._installation.settings.org(name).org_id
        if org_id:
            state = self._installation.state
            parts += [
                _chart(state, name, org_id, self._installation.clock),
                _jobs(state, name, org_id),
            ]
        return parts

    def _choose(self, number: int) -> None:
        box = self.__dict__.get("_box")
        if box is not None:
            self._fill(box, number)

    def _fill(self, box: Any, number: int) -> None:
        pages = list(box.children)
        if not pages[number].children:
            pages[number].children = [part.widget for part in self.parts(number)]
        box.selected_index = number

    def _ipython_display_(self) -> None:
        if not kernel.is_watched():
            # Nobody can press a tab: one org below the other.
            for number in range(len(self._orgs)):
                for part in self.parts(number):
                    display(part)  # type: ignore[no-untyped-call]
            return
        if "_box" not in self.__dict__:
            self._box = ipywidgets.Stack([ipywidgets.VBox() for _ in self._orgs])
            self._fill(self._box, 0)
        display(ipywidgets.VBox([self.strip.widget, self._box]))  # type: ignore[no-untyped-call]


def _chart(state: State, name: str, org_id: str, clock: Clock) -> Picture:
    """The last days of each budget that is used, and why the event log is missing, if it is."""

    def make() -> str:
        # pandas is wanted only here.
        from sfnb.usage.frames import usage_frame
        from sfnb.usage.history import load_history

        now = clock.now()
        history = load_history(state, name, org_id, days=7, now=now)
        frame = usage_frame(history)
        parts = [f"<h3>{escape(name)}</h3>"]
        for api in SHOWN_APIS:
            rows = frame[(frame["api"] == api) & (frame["max"] > 0)]
            hours = _hours(rows)
            peak = max((hour.used_pct for hour in hours), default=0.0)
            if api == "api" or peak >= VISIBLE_PCT:
                parts.append(f"<h4>{UNITS[api]}, last 7 days</h4>{usage_svg(hours, now=now)}")
            elif peak > 0:
                parts.append(f"<h4>{UNITS[api]}, last 7 days</h4><p>{usage_words(hours)}</p>")
        if history.event_read.problem:
            parts.append(f"<p class='sfnb-quiet'>{escape(history.event_read.problem)}</p>")
        return "".join(parts)

    return Picture(f"Usage of {name}", make, every_s=CHART_S)


def _hours(rows: pd.DataFrame) -> list[Hour]:
    return [
        Hour(
            row.at.to_pydatetime(),
            100 * (row.used - row.other_apps) / row.max,
            100 * row.other_apps / row.max,
            row.limit_percent,
        )
        for row in rows.itertuples()
    ]


def _jobs(state: State, name: str, org_id: str) -> Picture:
    return Picture(
        f"Jobs of {name}",
        lambda: jobs_html(state, list(reversed(state.jobs.find(org_id)))[:JOBS]),
        every_s=JOBS_S,
    )
