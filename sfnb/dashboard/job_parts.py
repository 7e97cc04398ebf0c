"""Jobs in the page: a job's panel, its outcome, and the list of an org's jobs."""

from __future__ import annotations

from html import escape
from typing import Any

from sfnb import engine
from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.places import address
from sfnb.dashboard.processes import Command
from sfnb.dashboard.wording import in_page
from sfnb.jobs import states
from sfnb.jobs.summary import job_summary, records_held
from sfnb.model import RESTORE, JobState
from sfnb.state.job_values import Job
from sfnb.text import count, zoned_moment
from sfnb.ui.differences import differences
from sfnb.ui.elements import Picture
from sfnb.ui.job_view import BADGES
from sfnb.ui.kernel import Timer
from sfnb.ui.outcome import outcome_html
from sfnb.ui.panel import LOOK_S, JobPanel

SHOWN = 50
"""Jobs in the list, the newest first."""

GOOD_ENDS = {code for state, code in engine.EXIT_CODES.items() if state != JobState.FAILED}
"""Exit codes after which the panel says all there is to say."""


class AttachedPanel(JobPanel):
    """A job's panel whose Resume runs the job in a process of its own, not in the dashboard's."""

    def __init__(self, job_id: str, org: LocalOrg) -> None:
        super().__init__(job_id, org)
        self._home = org.settings.home
        self._command: Command | None = None
        self._watch = Timer(self._watch_command, LOOK_S)

    def view(self) -> dict[str, Any]:
        shown: dict[str, Any] = in_page(super().view())
        return shown

    def send(self, message: dict[str, Any]) -> None:
        super().send(in_page(message))

    def _resume(self) -> str:
        answer = engine.control(self._org).resume(self.job_id)
        if answer.is_asked:
            return answer.says
        arguments = ["resume", self.job_id, "--json"]
        self._command = Command(arguments, self._home / "dashboard" / "jobs")
        self._watch.start()
        return "The job continues in a process of its own."

    def _watch_command(self) -> None:
        """One beat until the process has ended: follow the job, and say why it could not continue, if so."""
        if self._read():
            self._send_news()
        if not self._job.state.is_final:
            self._timer.start()
        if self._command is None or self._command.exit_code is None:
            return
        self._watch.stop()
        if self._command.exit_code not in GOOD_ENDS:
            self.send({"says": self._command.last_words})


def outcome_part(job_id: str, org: LocalOrg) -> Picture:
    """How the job ended, once it has."""

    def make() -> str:
        if not org.state.jobs.get(job_id).state.is_final:
            return ""
        summary = job_summary(org.state, job_id)
        if summary["kind"] == RESTORE:
            summary["differences"] = differences(org.store.files, job_id)
        shown: str = in_page(outcome_html(summary))
        return shown

    return Picture("Outcome", make, every_s=1.0)


def jobs_part(org: LocalOrg, kind: str = "") -> Picture:
    """The org's jobs, or those of one kind, each a link to its page."""
    return Picture(f"Jobs of {org.name}", lambda: _jobs_html(org, kind), every_s=1.0)


def _jobs_html(org: LocalOrg, kind: str) -> str:
    found = reversed(org.state.jobs.find(org.org_id))
    jobs = [job for job in found if kind in ("", job.kind)]
    if not jobs:
        return "<h3>Jobs</h3><p>No job yet.</p>"
    rows = "".join(_row(org, job) for job in jobs[:SHOWN])
    more = f"<p>and {len(jobs) - SHOWN:,} older ones</p>" if len(jobs) > SHOWN else ""
    return (
        "<h3>Jobs</h3><table><thead><tr><th>started</th><th>job</th><th>state</th>"
        f"<th>records</th><th>message</th></tr></thead><tbody>{rows}</tbody></table>{more}"
    )


def _row(org: LocalOrg, job: Job) -> str:
    link = escape(address(org.name, job.kind, job.job_id))
    shown = states.shown(job.state, is_held=job.is_held)
    return (
        f"<tr><td>{escape(zoned_moment(job.started_at))}</td>"
        f"<th scope='row'><a href='{link}'>{escape(job.kind)} {escape(job.job_id)}</a></th>"
        f"<td><span class='sfnb-badge' data-state='{shown}'>{BADGES[shown]}"
        f"</span></td><td>{count(records_held(org.state, job))}</td>"
        f"<td>{escape(job.error or '')}</td></tr>"
    )
