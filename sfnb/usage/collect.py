"""Reading the org's own history: its event log's new files, or else its usage report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sfnb.clock import Clock
from sfnb.errors import JobError, QuotaSignal, SfnbError
from sfnb.memory import State
from sfnb.org.client import OrgClient
from sfnb.org.events import fetch_event_files, fetch_tally, unread
from sfnb.org.reports import ABSENT, NEEDED, USAGE_REPORT, fetch_user_days

KEPT_DAYS = 31
"""
Salesforce keeps log files 30 days with Event Monitoring and 1 day without (REST guide,
EventLogFile).
"""

REPORT_EVERY = timedelta(days=1)
"""
The usage report has calendar days: reading it more often brings little. A refusal waits as long.
"""

ABSENT_EVERY = timedelta(days=7)
"""How often to look for a report that the user does not see: each look costs two calls."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What one look at the event log brought; ``problem`` says why not all of it, if so."""

    files: int
    rows: int
    problem: str = ""


def collect(org: OrgClient, state: State, clock: Clock) -> Collected:
    """
    Read the event log's new files, each once, and ask for the counter; the usage report where there
    is no event log.

    A problem is kept for the report and shown there, never raised: a partial report is worth
    having.

    Cost: 1 API call for the list, 1 for each new file (up to about 60 the first time), 1 for
    ``/limits``; without an event log, once a day 2 or 3 for the usage report.
    """
    book, now = state.event_log, clock.now()
    files = rows = 0
    problem = ""
    has_log = True
    try:
        org.limits()
        bookmark_at = book.event_read(org.org_id).bookmark_at
        since = bookmark_at or now - timedelta(days=KEPT_DAYS)
        known = book.known_files(org.org_id, since - timedelta(days=2))
        # A filter by CreatedDate has whole seconds, so the bookmark's own second is read once more.
        for file in unread(fetch_event_files(org, since), known):
            seen = book.row_hashes(org.org_id, file.log_hour) if file.interval == "Hourly" else b""
            tally = fetch_tally(org, file, seen=seen)
            book.put_events(org.org_id, file, tally, now)
            files, rows = files + 1, rows + tally.rows
        has_log = bool(files or bookmark_at)
    except QuotaSignal as signal:
        problem = f"the org's event log was not read further, to spare its allowance. {signal}"
    except JobError as err:
        has_log = False
        problem = (
            f"the org's event log could not be read: {err} It needs the permissions API Enabled "
            "and View Event Log "
            "Files; without them, what other apps use is known only in sum."
        )
    except SfnbError as err:
        problem = f"the org's event log could not be read now: {err}"
    book.note_event_read(org.org_id, now, problem)
    if not has_log:
        _collect_report(org, state, now)
    state.usage.tidy(now)
    return Collected(files, rows, problem)


def _collect_report(org: OrgClient, state: State, now: datetime) -> None:
    """Read the usage report, at most once a day; where the user does not see it, once a week."""
    book = state.user_days
    last = book.last_read(org.org_id)
    every = ABSENT_EVERY if ABSENT in last.problem else REPORT_EVERY
    if last.tried_at is not None and timedelta(0) <= now - last.tried_at < every:
        return
    # Noted before asking, so that two processes, or one that is killed, do not ask twice on a day.
    book.note_problem(
        org.org_id,
        now,
        f'Salesforce\'s report "{USAGE_REPORT}" did not answer.',
    )
    try:
        book.put(org.org_id, fetch_user_days(org), now)
    except QuotaSignal as signal:
        problem = f"Salesforce's report \"{USAGE_REPORT}\" was not read, to spare the org's allowance. {signal}"
        book.note_problem(org.org_id, now, problem)
    except JobError as err:
        book.note_problem(
            org.org_id,
            now,
            f'Salesforce\'s report "{USAGE_REPORT}" could not be read: {err} {NEEDED}',
        )
    except SfnbError as err:
        book.note_problem(
            org.org_id, now, f'Salesforce\'s report "{USAGE_REPORT}" could not be read now: {err}'
        )
