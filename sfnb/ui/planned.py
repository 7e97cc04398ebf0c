"""A backup's plan as the screens show it, and what stands in for it where it cannot be made now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import BackupRequest, Estimate
from sfnb.errors import QuotaSignal, SfnbError, TransientError
from sfnb.model import Price
from sfnb.text import count, moment
from sfnb.ui.folding import folded

PROBLEM = " class='sfnb-problem'"


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the last completed backup cost and stored: the estimate where no plan can be made."""

    job_id: str
    started_at: datetime
    price: Price
    rows: Mapping[str, int]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Planned:
    """
    A plan, or why it could not be made now.

    Args:
        estimate: None where the org cannot be asked now: over its limit, or away.
        problem: why, then.
        last: the last completed backup; None: there is none yet.
    """

    estimate: Estimate | None
    problem: str
    last: LastRun | None = field(repr=False)

    @property
    def sentences(self) -> list[str]:
        """What it costs and whether it will pause; the same words in every front end."""
        if self.estimate is None:
            return [f"The plan could not be made now. {self.problem}", self._from_last_run()]
        price, objects = self.estimate.plan.price(), self.estimate.plan.objects
        rows = sum(planned.expected_rows or 0 for planned in objects.values())
        return [
            f"{count(len(objects), 'object')}, about {count(rows, 'record')} to read: about "
            f"{count(price['api'], 'API call')}, "
            f"{count(price['bulk2'], 'Bulk 2.0 job')}, {count(price['bulk2_mb'])} MB.",
            *(self.estimate.pauses or ["No pause expected as usage stands now."]),
            *(f"Warning: {warning.message}" for warning in self.estimate.plan.warnings),
        ]

    @property
    def attention(self) -> dict[str, str]:
        """
        Objects that deserve a look: those that cannot be planned, and those left out for the first
        time.
        """
        if self.estimate is None:
            return {}
        made = self.estimate.plan
        failed = {name: f"failed: {why}" for name, why in made.failed.items()}
        known = self.last.left_out if self.last else made.left_out
        new = {n: f"left out, new: {why}" for n, why in made.left_out.items() if n not in known}
        return failed | new

    def _from_last_run(self) -> str:
        if self.last is None:
            return "There is no completed backup to estimate from. The job starts paused and resumes automatically."
        rows = sum(self.last.rows.values())
        return (
            f"Estimated from the backup of {moment(self.last.started_at)} (job "
            f"{self.last.job_id}): "
            f"{count(len(self.last.rows), 'object')}, {count(rows, 'record')}, "
            f"{count(self.last.price.get('api', 0), 'API call')}. "
            "The job starts paused and resumes automatically once usage is below the limit."
        )

    def __repr__(self) -> str:
        return "\n".join([*self.sentences, *(f"{n}: {why}" for n, why in self.attention.items())])

    def _repr_html_(self) -> str:
        first, *more = self.sentences
        parts = [f"<p class='sfnb-strong'><b>{escape(first)}</b></p>"]
        parts += [
            f"<p{PROBLEM if text.startswith('Warning') else ''}>{escape(text)}</p>" for text in more
        ]
        if self.attention:
            rows = "".join(
                f"<li><b>{escape(n)}</b>: {escape(why)}</li>" for n, why in self.attention.items()
            )
            parts.append(f"<ul>{rows}</ul>")
        parts.append(self._objects_html())
        return "".join(parts)

    def _objects_html(self) -> str:
        if self.estimate is not None:
            made, idle = self.estimate.plan, len(self.estimate.plan.left_out)
            largest = sorted(made.objects.values(), key=lambda o: (-(o.expected_rows or 0), o.name))
            lines = [
                [o.name, count(o.expected_rows), o.reader, f"{o.calls:,.1f}", f"{o.mb:,.1f}"]
                for o in largest
            ]
            note = (
                f"{count(idle, 'object')} left out: Salesforce allows no query on them."
                if idle
                else ""
            )
            heads = ["object", "records", "reader", "calls", "MB"]
            return folded(f"All {count(len(lines), 'object')}", heads, lines, note)
        if self.last is not None:
            rows = sorted(self.last.rows.items(), key=lambda item: -item[1])
            lines = [[name, count(number)] for name, number in rows]
            return folded("Objects of the last backup", ["object", "records"], lines, "")
        return ""


def plan(org: Connection, request: BackupRequest) -> Planned:
    """
    The plan; where the org is over its limit or away, the last backup in its place.

    Cost: that of `engine.plan`, about one call for 25 objects.

    Raises:
        CallerError: an object that the org does not have.
    """
    last = _last_run(org)
    try:
        return Planned(engine.plan(org, request), "", last)
    except (QuotaSignal, TransientError) as err:
        return Planned(None, str(err), last)


def _last_run(org: Connection) -> LastRun | None:
    done = [
        job
        for job in org.state.jobs.find(org.org_id)
        if job.kind == "backup" and job.state.startswith("completed")
    ]
    if not done:
        return None
    job = done[-1]
    rows = {
        name: max(entry.rows, entry.outcome.get("our_count") or 0)
        for name, entry in org.state.jobs.objects(job.job_id).items()
        if not entry.outcome.get("left_out")
    }
    try:
        left_out = dict(org.snapshots[job.snapshot or ""].manifest.left_out)
    except SfnbError:
        left_out = {}  # pruned meanwhile: then every object left out is new, and is said
    return LastRun(
        job.job_id, job.started_at, org.state.usage.job_calls(job.job_id), rows, left_out
    )
