"""The job panel: bars, state, pauses, errors, events, and the buttons Pause, Resume and Cancel."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import JobHandle
from sfnb.errors import CallerError, SfnbError
from sfnb.jobs import events
from sfnb.ui import kernel
from sfnb.ui.bridge import Bridge
from sfnb.ui.job_events import progress_of
from sfnb.ui.job_view import JobView
from sfnb.ui.kernel import Timer
from sfnb.ui.object_view import GROUPS
from sfnb.ui.screen import Screen, picture

LOOK_S = 0.5
"""
Seconds between two looks at the state database, for what other processes and people did; costs no
call.
"""

SHOWN = 100
"""Objects in the static picture; those that failed or are incomplete come first."""


class JobPanel(Screen):
    """
    A job of an org, running here, elsewhere or nowhere.

    A job of this kernel is heard live; any other is read from the state database twice a second.
    Costs no API calls.
    """

    script = "job_panel"
    deeds = (("pause", "job"), ("resume", "job"), ("cancel", "job"))

    def __init__(self, job: JobHandle | str, org: Connection | None = None) -> None:
        if isinstance(job, str):
            if org is None:
                raise CallerError(
                    "To show a job by its id, name its org: job_panel(job_id, org=org)."
                )
            self._org, job_id = org, job
        else:
            self._org, job_id = job.org, job.job_id
        found = self._org.state.jobs.get(job_id)
        if found.org_id != self._org.org_id:
            raise CallerError(
                f"Job {job_id} belongs to the org {found.org}, not to {self._org.name}."
            )
        self.job_id = job_id
        self._job = found
        self._view = JobView(job_id, found.org, found.kind, found.state, found.started_at)
        self._bridge = Bridge(self._draw, loop=kernel.loop(), now=self._org.clock.monotonic)
        self._is_live = self._has_read = False
        self._event_number = 0
        self._forecast_for: object = None
        self._sent_line = 0
        if isinstance(job, JobHandle):
            self._follow(job)
        self.refresh()
        self._timer = Timer(self._look, LOOK_S)
        self._timer.start()

    def __repr__(self) -> str:
        return (
            f"<job {self.job_id} of {self._org.name}: {self._view.state}, {self._view.overall()}>"
        )

    # what there is to show

    def _follow(self, job: JobHandle) -> None:
        if job.is_running:
            job.listen(self._bridge)
            self._is_live = True

    def refresh(self) -> None:
        """Take what the state database knows, and this kernel's own events. Costs no call."""
        self._bridge.flush()
        self._read()

    def _read(self) -> bool:
        """Read the state database; whether there was news."""
        jobs = self._org.state.jobs
        job = jobs.get(self.job_id)
        self._job = job
        if job.state.is_final and self._is_live:
            self._bridge.flush()
        # Events of this kernel's own job were heard already, except those before we listened.
        is_new = not self._is_live or not self._has_read
        news = False
        for kept in jobs.events(self.job_id, after=self._event_number):
            self._event_number = kept.number
            event = events.parse_payload(self.job_id, kept.at, kept.kind, kept.payload)
            if event is not None and is_new:
                self._view.apply(event)
                news = True
        if is_new:
            now = self._org.clock.now()
            for event in progress_of(job, jobs.objects(self.job_id).values(), now, self._view):
                # On the first look the state says how far each object is, not since when.
                self._view.apply(event, has_line=self._has_read)
                news = True
        self._has_read = True
        refused = self.refused(self._org.state.team)["says"]
        news = news or refused != self._view.refused
        self._view.refused = refused
        if job.state.is_final:
            self._is_live = False
        news = self._forecast() or news
        calls = self._org.state.usage.job_calls(self.job_id)["api"]
        return self._view.take(job, calls) or news

    def _forecast(self) -> bool:
        """
        Once for each pause and quota check: when the forecast sees the job resume; whether that is
        news.
        """
        view = self._view
        key = None if view.pause is None else (view.pause.at, view.check.at if view.check else None)
        if key == self._forecast_for:
            return False
        self._forecast_for = key
        view.expected = "" if view.pause is None else self._resume_sentence(view.pause.api)
        return True

    def _resume_sentence(self, api: str) -> str:
        # The forecast is heavy, and only a paused job needs it.
        from sfnb.quota.forecast import resumes
        from sfnb.usage.what_if import budgets_of, when_sentence
        from sfnb.usage.zones import zone_of

        now = self._org.clock.now()
        history = budgets_of(self._org.state, self._org.org_id, now=now).get(api)  # type: ignore[call-overload]
        if history is None:
            return ""
        percents = self._org.state.ledger.limit_percents(self._org.org_id)
        expected = resumes(history, percents[api])  # type: ignore[index]
        if expected.at is None:
            return (
                "Judging by the last days, it would not resume within three days under this limit."
            )
        return f"Judging by the last days, it resumes {when_sentence(expected, zone_of(None, now=now))}."

    def _look(self) -> None:
        """
        One beat. A database that cannot be read now is read at the next one; until then the screen
        says so.
        """
        try:
            if self._read():
                self._send_news()
        except SfnbError as err:
            self.send({"says": str(err)})
        if self._job.state.is_final:
            self._timer.stop()

    def _draw(self, batch: Sequence[events.Event]) -> None:
        for event in batch:
            self._view.apply(event)
        self._send_news()

    def _send_news(self) -> None:
        if not self.is_shown:
            return
        view = self._view
        dirty, view.dirty = view.dirty, set()
        self.send(
            {
                "head": view.head(),
                "objects": [view.objects[name].as_json() for name in dirty],
                "lines": view.lines_after(self._sent_line),
            }
        )
        self._sent_line = view.line_number

    def view(self) -> dict[str, Any]:
        view = self._view
        return {
            "head": view.head(),
            "objects": [shown.as_json() for shown in view.objects.values()],
            "lines": view.lines_after(),
            "groups": [group.as_json() for group in GROUPS.values()],
        }

    def html(self) -> str:
        view = self._view
        head = view.head()
        ranks = list(GROUPS)
        ordered = sorted(view.objects.values(), key=lambda shown: ranks.index(shown.status))
        rows = "".join(
            f"<tr><th scope='row'>{escape(o.name)}</th>"
            f"<td>{GROUPS[o.status].sign} {o.status.replace('_', ' ')}</td>"
            f"<td>{_bar(o.share)}</td><td>{escape(o.text())}</td></tr>"
            for o in ordered[:SHOWN]
        )
        more = f"<p>and {len(ordered) - SHOWN:,} more</p>" if len(ordered) > SHOWN else ""
        sentences = "".join(
            f"<p>{escape(text)}</p>" for text in [*head["pause"], head["says"]] if text
        )
        lines = "".join(
            f"<li>{escape(at)} {escape(text)}</li>" for _, at, text in view.lines_after()[-30:]
        )
        body = (
            f"<h3>{escape(head['title'])} <span class='sfnb-badge' data-state='{head['state']}'>"
            f"{escape(head['badge'])}</span></h3><p>{escape(head['about'])}</p>"
            f"{_bar(head['share'])}<p class='sfnb-strong'>{escape(head['overall'])}</p>{sentences}"
            "<table><thead><tr><th>object</th><th>state</th><th>done</th><th>so "
            "far</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>{more}<ol class='sfnb-lines'>{lines}</ol>"
        )
        return picture(body)

    # what a person does

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        control = engine.control(self._org)
        match message.get("kind"):
            case "pause":
                says = control.pause(self.job_id).says
            case "resume":
                says = self._resume()
            case "cancel":
                says = control.cancel(self.job_id).says
            case _:
                return None
        self._timer.start()
        self._read()
        self._send_news()
        return {"ok": True, "says": says}

    def _resume(self) -> str:
        answer = engine.control(self._org).resume(self.job_id)
        if answer.is_asked:
            return answer.says
        self._follow(engine.start_again(self._org, self.job_id))
        return "This kernel continues the job."


def _bar(share: float | None) -> str:
    if share is None:
        return ""
    percent = f"{100 * share:.0f}"
    bar = f"<i style='width:{percent}%'></i>"
    return (
        f"<div class='sfnb-bar' role='img' aria-label='{percent} percent'>{bar}</div> {percent} %"
    )
