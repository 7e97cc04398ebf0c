"""The end of an archive: what stayed in the org; and giving one up for good."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sfnb.errors import QuotaSignal, SfnbError
from sfnb.state.job_values import Job

if TYPE_CHECKING:
    from sfnb.archive.folder import JobFolder, Selection
    from sfnb.org.client import OrgClient
    from sfnb.store.tables import OrgStore


def stayed_of(folder: JobFolder, selection: Selection) -> dict[str, list[str]]:
    """By object, the records that are in the snapshot and still in the org."""
    from sfnb.archive.choosing import groups_of

    groups = range(len(groups_of(selection)))
    gone: set[str] = set()
    for group in groups:
        trees, done = folder.trees(group), folder.done(group) or {"went": (), "stayed": {}}
        alive = {i for ids in done["stayed"].values() for i in ids}
        gone |= {m.id for root in done["went"] for m in trees[root] if m.id not in alive}
    stayed: dict[str, set[str]] = {}
    for group in groups:
        for members in folder.trees(group).values():
            for member in members:
                if member.id not in gone:
                    stayed.setdefault(member.object_name, set()).add(member.id)
    return {name: sorted(ids) for name, ids in stayed.items()}


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
