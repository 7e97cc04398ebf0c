"""
Giving up a backup for good: its snapshot is sealed as partial, its Bulk jobs are aborted in the
org.

The command line uses this without running a job, so what is heavy is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sfnb.errors import QuotaSignal, SfnbError
from sfnb.state.job_values import Job

if TYPE_CHECKING:
    from sfnb.org.client import OrgClient
    from sfnb.store.progress import Progress
    from sfnb.store.tables import OrgStore


def abandon(store: OrgStore, job: Job, connect: Callable[[], OrgClient]) -> str:
    """
    Seal a cancelled job's snapshot as partial, and abort its open Bulk jobs in the org.

    Args:
        connect: called only when there are Bulk jobs to abort. An org that cannot be reached is
            left alone.

    Returns:
        Which Bulk jobs were left to the org, as a sentence; empty: none. Salesforce deletes them
        after seven days.

    Cost: one call for each Bulk job that is not read to its end.
    """
    if not job.snapshot:
        return ""
    from sfnb.store.ownership import SnapshotGone

    try:
        writer = store.reopen(job.snapshot)
    except SnapshotGone as err:
        return str(err)
    open_jobs = [
        (name, bulk_job)
        for name in writer.plan.objects
        for bulk_job in _open_jobs(writer.progress(name))
    ]
    writer.seal("partial")
    left = [
        name for name, bulk_job in open_jobs if not _is_aborted(connect, job.job_id, name, bulk_job)
    ]
    if not left:
        return ""
    return (
        f"The Bulk jobs of {', '.join(left)} could not be aborted now; "
        "Salesforce deletes them after seven days."
    )


def _open_jobs(progress: Progress) -> list[str]:
    """The Bulk jobs of an object that the org may still work on."""
    cursor = progress.cursor or {}
    refresh = cursor.get("refresh") or {}
    reading = (cursor.get("job"), refresh.get("job")) if not progress.is_done else ()
    return [str(job) for job in (*cursor.get("leftovers", ()), *reading) if job]


def _is_aborted(connect: Callable[[], OrgClient], job_id: str, name: str, bulk_job: str) -> bool:
    """
    Whether the org was asked to stop. A closed gate, or an org that is away, is no reason to wait.
    """
    from sfnb.org import bulk2
    from sfnb.org.transport import call_context

    with (
        suppress(QuotaSignal, SfnbError),
        call_context(job_id=job_id, object_name=name, stop=None),
    ):
        bulk2.abort_job(connect(), bulk_job)
        return True
    return False
