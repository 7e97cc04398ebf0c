"""Tables of jobs, as HTML. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from sfnb.jobs import states
from sfnb.model import JobState
from sfnb.state.jobs import Job
from sfnb.text import zoned_moment
from sfnb.ui.job_view import BADGES

ENDED = frozenset(state.value for state in JobState if state.is_final)

SHOWN = 200
"""Objects in the table; those that are not complete come first."""


def outcome_html(summary: dict[str, Any] | None) -> str:
    """How a job ended, from its summary; until then a line that says that it has not."""
    if summary is None:
        return "<p>No job has begun yet; its outcome appears here when it has ended.</p>"
    state = summary["state"]
    if state not in ENDED:
        word = BADGES[state]
        return f"<p>Job {escape(summary['job_id'])} is {word}; its outcome appears here when it has ended.</p>"
    entries = sorted(
        summary["objects"].items(), key=lambda item: (item[1]["state"] == "complete", item[0])
    )
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(e['state'])}</td><td>{e['rows']:,}</td>"
        f"<td>{e['calls']:,}</td><td>{escape(e['message'] or '')}</td></tr>"
        for name, e in entries[:SHOWN]
    )
    more = f"<p>and {len(entries) - SHOWN:,} more</p>" if len(entries) > SHOWN else ""
    return (
        f"<p class='sfnb-strong'>{BADGES[state]}: {summary['rows']:,} rows, {summary['calls']['api']:,} API calls, "
        f"snapshot {escape(str(summary['snapshot']))}</p><p>{escape(summary['error'] or '')}</p>"
        f"<table><thead><tr><th>object</th><th>state</th><th>rows</th><th>calls</th><th>message</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{more}"
    )


def jobs_html(jobs: Iterable[Job]) -> str:
    """Jobs as a table, in the order given."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(job.job_id)}</th><td>{escape(job.kind)}</td><td>{_badge(job)}</td>"
        f"<td>{zoned_moment(job.started_at)}</td><td>{zoned_moment(job.ended_at) if job.ended_at else ''}</td>"
        f"<td>{job.rows:,}</td><td>{escape(job.error or '')}</td></tr>"
        for job in jobs
    )
    if not rows:
        return "<h4>Jobs</h4><p>No job yet.</p>"
    return (
        "<h4>Jobs</h4><table><thead><tr><th>job</th><th>kind</th><th>state</th><th>begun</th><th>ended</th>"
        f"<th>rows</th><th>what went wrong</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _badge(job: Job) -> str:
    return BADGES[states.shown(job.state, is_held=job.is_held)]
