"""Commands at set times, as HTML: when each is due, and what became of its last run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from sfnb.errors import CallerError
from sfnb.schedule.cron import parse_cron
from sfnb.state.schedule_values import PAUSED, Entry, ScheduledRun
from sfnb.text import zoned_moment

NONE = (
    "<p>Nothing is scheduled yet. `sfnb schedule init ORG` writes what an org usually needs: a backup "
    "each night, usage every 15 minutes, a report each morning.</p>"
)

LATE = timedelta(minutes=2)
"""What is due is started within a second or two while a service runs."""

HEADS = ("Entry", "Command", "When", "Due next", "Last due", "How it ended")

ENDS = {
    0: "completed",
    2: "wrong usage",
    3: "completed with errors",
    PAUSED: "paused",
    130: "stopped",
}


@dataclass(frozen=True, slots=True)
class Due:
    """
    An entry, and when it is due.

    Args:
        next_at: None: never, or this machine does not know its time zone.
        is_late: it was due a while ago, and nobody has begun it.
    """

    entry: Entry
    next_at: datetime | None
    is_late: bool


def due_of(entry: Entry, now: datetime) -> Due:
    """When an entry is due; a line that this sfnb cannot read is due never."""
    try:
        cron = parse_cron(entry.cron, entry.tz)
    except CallerError:
        return Due(entry, None, is_late=False)
    waiting = cron.next_after(entry.settled_until)
    return Due(entry, cron.next_after(now), is_late=waiting is not None and waiting < now - LATE)


def schedule_html(entries: Sequence[Entry], now: datetime) -> str:
    """A table of the entries; above it, whether a service seems to run."""
    if not entries:
        return NONE
    found = [due_of(entry, now) for entry in entries]
    late = [one.entry.name for one in found if one.is_late]
    said = (
        f"<p class='sfnb-problem'>{escape(', '.join(late))} should have been started and was not: no "
        "service runs. Start it with `sfnb schedule serve`; what was missed is caught up once.</p>"
        if late
        else ""
    )
    heads = "".join(f"<th scope='col'>{head}</th>" for head in HEADS)
    rows = "".join(_row(one) for one in found)
    return f"{said}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _row(due: Due) -> str:
    entry, last = due.entry, due.entry.last
    cells = (
        f"sfnb {' '.join(entry.command)}",
        f"{entry.cron} ({entry.tz})",
        zoned_moment(due.next_at) if due.next_at else "never",
        zoned_moment(last.due_at) if last else "–",
        _ended(last) if last else "not run yet",
    )
    return (
        f"<tr><th scope='row'>{escape(entry.name)}</th>"
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
    )


def _ended(run: ScheduledRun) -> str:
    if run.exit_code is None:
        said = "runs" if run.started_at else "is being started"
    else:
        said = ENDS.get(run.exit_code, f"failed (exit code {run.exit_code})")
    again = f", tried again {zoned_moment(run.again_at)}" if run.again_at else ""
    job = f", job {run.job_id}" if run.job_id else ""
    return f"{said}{again}{job}{f': {run.note}' if run.note else ''}"
