"""
Giving up a restore for good: its Bulk jobs are aborted in the org. What was written stays.

The command line uses this without running a job.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sfnb.errors import QuotaSignal, SfnbError
from sfnb.state.job_values import Job

if TYPE_CHECKING:
    from sfnb.org.client import OrgClient
    from sfnb.store.tables import OrgStore


def abandon(store: OrgStore, job: Job, connect: Callable[[], OrgClient]) -> str:
    """
    Abort the Bulk jobs of a cancelled restore that the org may still work on.

    Returns:
        What was left to the org, as a sentence; empty: nothing.

    Cost: one call for each Bulk job without a result.
    """
    from sfnb.org.transport import call_context
    from sfnb.org.writing.bulk2_ingest import abort_job
    from sfnb.restore.folder import RestoreFolder
    from sfnb.restore.journal import Journal

    # around: automation is switched on again here.
    journal = Journal(RestoreFolder(store.files, job.job_id))
    left = 0
    for batch in journal.batches():
        if batch.outcomes is not None or not batch.bulk_job:
            continue
        is_over = False
        with suppress(QuotaSignal, SfnbError), call_context(job_id=job.job_id, stop=None):
            is_over = abort_job(connect(), batch.bulk_job).is_over
        left += not is_over
    if not left:
        return ""
    return (
        f"{left} Bulk jobs could not be aborted now; Salesforce deletes open ones after seven days."
    )
