"""What there is to tell, as notices. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sfnb.jobs import events
from sfnb.model import JobState
from sfnb.notice_settings import SUMMARY
from sfnb.quota.policy import UNITS
from sfnb.state.audit import AuditEntry
from sfnb.state.job_values import Job
from sfnb.state.notices import Notice
from sfnb.state.schedule_values import ScheduledRun, stamp
from sfnb.text import count

STEADY = timedelta(seconds=60)
"""
A job that was paused and runs for so long has resumed. One that only looked at the org, found it
still over its limit and paused again, is no news.
"""

ENDINGS = {
    JobState.COMPLETED: ("completed", "completed"),
    JobState.COMPLETED_WITH_ERRORS: ("failed", "completed with errors"),
    JobState.FAILED: ("failed", "failed"),
    JobState.CANCELLED: ("failed", "was cancelled"),
}

MASS_CHANGE = "mass_change"


def job_notices(
    job: Job, kept_events: Sequence[tuple[int, events.Event]], now: datetime
) -> list[tuple[int, Notice]]:
    """
    The notices of all of a job's events, each with its event's number.

    Args:
        kept_events: the job's kept events with their numbers, oldest first.
    """
    found: list[tuple[int, Notice]] = []
    is_paused = False
    running: tuple[int, datetime] | None = None

    def add(number: int, at: datetime, kind: str, text: str) -> None:
        found.append((number, Notice(f"event:{number}", at, kind, job.org, text)))

    what = f"{job.org}: {job.kind} {job.job_id}"
    for number, event in kept_events:
        match event:
            case events.JobPaused(pause=pause):
                if not is_paused:
                    add(number, event.at, "paused", f"{what} paused{_why(pause)}.")
                is_paused, running = True, None
            case events.JobResumed():
                if is_paused:
                    add(number, event.at, "resumed", f"{what} resumed.")
                is_paused, running = False, None
            case events.JobStateChanged(state=JobState.RUNNING):
                running = number, event.at
            case events.JobStateChanged(state=state) if state in ENDINGS:
                kind, words = ENDINGS[state]
                add(number, event.at, kind, f"{what} {words}{_outcome(job, kind)}")
                is_paused, running = False, None
            case events.JobWarned(code=code, message=message) if code == MASS_CHANGE:
                # Counts and the object's name; see `sfnb.backup.alerts`.
                add(number, event.at, MASS_CHANGE, f"{job.org}: {message}")
    if is_paused and running is not None and now - running[1] >= STEADY:
        add(running[0], running[1], "resumed", f"{what} resumed.")
    return found


def _why(pause: object) -> str:
    api, used, most = (getattr(pause, name) for name in ("api", "used", "maximum"))
    if api not in UNITS:
        return ": the org does not answer" if api == events.ORG else ""
    if used < 0 or most <= 0:
        return f": {UNITS[api]} cannot be known now"
    return f": {used:,} of {most:,} {UNITS[api]} used ({100 * used / most:.0f} %)"


def _outcome(job: Job, kind: str) -> str:
    if kind == "completed":
        return f": {count(job.rows, 'record')}, snapshot {job.snapshot}."
    return f". `sfnb jobs {job.org}` says more."


def limit_notices(entries: Iterable[AuditEntry], *, after: int) -> list[Notice]:
    """A notice for each change of a limit; not the reason, which is anybody's text."""
    return [
        Notice(
            f"audit:{entry.seq}",
            datetime.fromisoformat(entry.at),
            "limit",
            entry.org,
            f"{entry.org or entry.org_id}: {entry.who} changed the limit"
            f"{f' of {entry.limit_of}s' if entry.limit_of else ''} for "
            f"{UNITS.get(entry.api, 'all budgets')}: {entry.change}.",  # type: ignore[call-overload]
        )
        for entry in entries
        if entry.kind == "limit" and entry.seq > after
    ]


def usage_notices(
    gauges: Iterable[tuple[str, str, int, int, datetime]],
    names: dict[str, str],
    warn_pct: Sequence[float],
) -> list[Notice]:
    """
    The highest level that each org's usage has reached, once a day and level.

    Args:
        gauges: Organization Id, budget, used, maximum, when.
        names: of the orgs by Organization Id.
    """
    found = []
    for org_id, api, used, most, read_at in gauges:
        reached = [pct for pct in warn_pct if 100 * used >= pct * most]
        if not reached:
            continue
        org, pct = names.get(org_id, org_id), max(reached)
        found.append(
            Notice(
                f"usage:{org_id}:{api}:{pct:g}:{read_at:%Y-%m-%d}",
                read_at,
                "usage",
                org,
                f"{org}: {used:,} of {most:,} {UNITS[api]} used "  # type: ignore[index]
                f"({100 * used / most:.0f} %, warning at {pct:g} %).",
            )
        )
    return found


def run_notices(runs: Iterable[ScheduledRun], *, since: datetime) -> list[Notice]:
    """Scheduled commands without a job that failed; jobs tell by themselves."""
    return [
        Notice(
            f"run:{run.name}:{stamp(run.due_at)}",
            run.ended_at,
            "failed",
            "",
            f"{run.name}, due {stamp(run.due_at)}, ended with exit code {run.exit_code}. "
            f"`sfnb schedule runs {run.name}` says more.",
        )
        for run in runs
        if run.ended_at is not None
        and run.ended_at > since
        and not run.is_open
        and run.covered_by is None
        and run.job_id is None
        and run.exit_code not in (None, 0, 75)
    ]


def summary_notice(
    due_at: datetime,
    jobs: Iterable[Job],
    gauges: Iterable[tuple[str, str, int, int, datetime]],
    names: dict[str, str],
) -> Notice:
    """
    What happened in the day before: the jobs that ended in it or are not at their end yet, by org and
    state, and where each org's API calls stand.
    """
    by_org: dict[str, dict[str, int]] = {name: {} for name in names.values()}
    for job in jobs:
        ended_at = job.ended_at or job.started_at
        if not job.state.is_final or ended_at > due_at - timedelta(days=1):
            states = by_org.setdefault(job.org, {})
            words = job.state.value.replace("_", " ")
            states[words] = states.get(words, 0) + 1
    used = {
        names.get(org_id, org_id): f", {100 * used / most:.0f} % of API calls used"
        for org_id, api, used, most, _ in gauges
        if api == "api"
    }
    lines = [
        f"{org}: {', '.join(f'{n} {state}' for state, n in sorted(states.items())) or 'no jobs'}"
        f"{used.get(org, '')}"
        for org, states in sorted(by_org.items())
    ]
    text = "\n".join(["The last day:", *(lines or ["no org is registered"])])
    return Notice(f"summary:{stamp(due_at)}", due_at, SUMMARY, "", text)
