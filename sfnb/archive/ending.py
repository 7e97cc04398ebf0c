"""Giving up an archive for good: nothing more is deleted, and its Bulk jobs are aborted in the org."""

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
    Abort the Bulk jobs of a cancelled archive that the org may still work on.

    Returns:
        What was left to the org, as a sentence; empty: nothing.

    Cost: one call for each Bulk job without a result.
    """
    from sfnb.archive.folder import JobFolder
    from sfnb.org.transport import call_context
    from sfnb.org.writing.bulk2_ingest import abort_job

    left = 0
    for delete in JobFolder(store.archive(job.snapshot or "").files).deletes():
        if delete.outcomes is not None or not delete.bulk_job:
            continue
        is_over = False
        with suppress(QuotaSignal, SfnbError), call_context(job_id=job.job_id, stop=None):
            is_over = abort_job(connect(), delete.bulk_job).is_over
        left += not is_over
    return f"{left} Bulk jobs that delete could not be aborted now." if left else ""
