"""Reads from the state database what there is to tell, and keeps it once."""

from __future__ import annotations

from datetime import timedelta

from sfnb.errors import CallerError
from sfnb.jobs import events
from sfnb.memory import State
from sfnb.notices.texts import (
    job_notices,
    limit_notices,
    run_notices,
    summary_notice,
    usage_notices,
)
from sfnb.settings import Settings
from sfnb.state.notices import Notice

RUNS_BACK = timedelta(hours=1)


def collect(state: State, settings: Settings) -> None:
    """
    Keep the notices of what happened since notices began: the first call reports nothing before it.

    Cost: no API calls.
    """
    now, wanted = state.database.clock.now(), settings.notices
    job_ids, events_began, audit_began = state.notices.news()
    found: list[Notice] = []
    for job_id in job_ids:
        try:
            job = state.jobs.get(job_id)
        except CallerError:
            continue  # its job was removed
        kept_events = [
            (kept.number, event)
            for kept in state.jobs.events(job_id)
            if (event := events.parse_payload(job_id, kept.at, kept.kind, kept.payload))
        ]
        found += [
            one for number, one in job_notices(job, kept_events, now) if number > events_began
        ]
    found += limit_notices(state.audit.entries(kinds=("limit",)), after=audit_began)
    gauges = state.notices.gauges()
    names = {org.org_id: org.name for org in settings.orgs.values() if org.org_id}
    found += usage_notices(gauges, names, wanted.warn_pct)
    found += run_notices(state.schedule.runs(), since=now - RUNS_BACK)
    due_at = wanted.summary_day(now)
    if due_at is not None and now - due_at < RUNS_BACK:
        found.append(summary_notice(due_at, state.jobs.find(), gauges, names))
    state.notices.add(found)
