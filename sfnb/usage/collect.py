"""Bringing the org's own history here: what its event log has that was not read yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sfnb.clock import Clock
from sfnb.errors import JobError, QuotaSignal, SfnbError
from sfnb.org.events import fetch_event_files, fetch_tally, unread
from sfnb.org.org import Org
from sfnb.state.database import State

KEPT_DAYS = 31
"""Salesforce keeps log files 30 days with Event Monitoring and 1 day without (REST guide, EventLogFile)."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What one look at the event log brought; ``problem`` says in a sentence why not all of it, if so."""

    files: int
    rows: int
    problem: str = ""


def collect(org: Org, state: State, clock: Clock) -> Collected:
    """
    Read the event log's new files, each once, and ask for the counter.

    What goes wrong is kept for the report and told, never raised: a report of what is known is worth having.

    Cost: 1 API call for the list, 1 for each new file (up to about 60 the first time), 1 for ``/limits``.
    """
    book, now = state.usage, clock.now()
    files = rows = 0
    problem = ""
    try:
        org.limits()
        since = book.event_read(org.org_id).bookmark_at or now - timedelta(days=KEPT_DAYS)
        known = book.known_files(org.org_id, since - timedelta(days=2))
        # CreatedDate has whole seconds in a filter, so the bookmark's own second is asked for again.
        for file in unread(fetch_event_files(org, since), known):
            seen = book.row_hashes(org.org_id, file.log_hour) if file.interval == "Hourly" else b""
            tally = fetch_tally(org, file, seen=seen)
            book.put_events(org.org_id, file, tally, now)
            files, rows = files + 1, rows + tally.rows
    except QuotaSignal as signal:
        problem = f"the org's event log was not read further, to spare its allowance. {signal}"
    except JobError as err:
        problem = (
            f"the org's event log could not be read: {err} It needs the permissions API Enabled and View Event Log "
            "Files; without them, what other apps use is known only in sum."
        )
    except SfnbError as err:
        problem = f"the org's event log could not be read now: {err}"
    book.note_event_read(org.org_id, now, problem)
    book.tidy(now)
    return Collected(files, rows, problem)
