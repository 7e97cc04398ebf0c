"""
Giving up a restore for good: its Bulk jobs are aborted in the org, and the automation that it has
switched off is switched on again. What was written stays.

The command line uses this without running a job.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sfnb.errors import JobError, QuotaSignal, SfnbError
from sfnb.state.job_values import Job

if TYPE_CHECKING:
    from sfnb.org.client import OrgClient
    from sfnb.store.tables import OrgStore


def switch_on_late(store: OrgStore, job: Job, connect: Callable[[], OrgClient]) -> bool:
    """
    Switch on again what an ended restore could not, because the org refused or the limit was reached.

    Returns:
        Whether there was something to do.

    Cost: see `switch_on`; none where everything is on.

    Raises:
        JobError: something is still off; the message names it.
    """
    from sfnb.restore.automation.of_job import JobAutomation
    from sfnb.restore.folder import RestoreFolder

    automation = JobAutomation(connect, RestoreFolder(store.files, job.job_id))
    if not automation.journal().is_open:
        return False
    if still_off := automation.on_or_left():
        raise JobError(still_off)
    return True


def abandon(store: OrgStore, job: Job, connect: Callable[[], OrgClient]) -> str:
    """
    Abort the Bulk jobs of a cancelled restore that the org may still work on, and switch automation
    on again.

    Returns:
        What was left to the org, as a sentence; empty: nothing.

    Cost: one call for each Bulk job without a result; see `switch_on`.
    """
    from sfnb.org.transport import call_context
    from sfnb.org.writing.bulk2_ingest import abort_job
    from sfnb.restore.automation.of_job import JobAutomation
    from sfnb.restore.folder import RestoreFolder
    from sfnb.restore.journal import Journal

    folder = RestoreFolder(store.files, job.job_id)
    journal = Journal(folder)
    left = 0
    for batch in journal.batches():
        if batch.outcomes is not None or not batch.bulk_job:
            continue
        is_over = False
        with suppress(QuotaSignal, SfnbError), call_context(job_id=job.job_id, stop=None):
            is_over = abort_job(connect(), batch.bulk_job).is_over
        left += not is_over
    # The jobs first: what they still write is to meet the automation that the whole run has met.
    still_off = JobAutomation(connect, folder).on_or_left()
    if not left:
        return still_off
    return (
        f"{still_off} {left} Bulk jobs could not be aborted now; Salesforce deletes open ones after seven days."
    ).lstrip()
