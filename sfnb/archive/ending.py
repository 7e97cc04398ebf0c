"""The end of an archive: what stayed in the org; and giving one up for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sfnb.state.job_values import Job
from sfnb.text import count

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


def abandon(store: OrgStore, job: Job, connect: Callable[[], OrgClient]) -> str:  # noqa: ARG001 - as for other jobs
    """
    Give up a cancelled archive. Nothing more is deleted. Cost: none.

    Returns:
        What has gone and was not looked at in the recycle bin, as a sentence; empty: nothing.
    """
    from sfnb.archive.choosing import groups_of
    from sfnb.archive.folder import JobFolder

    folder = JobFolder(store.archive(job.snapshot or "").files)
    sent = {
        record_id
        for delete in folder.deletes()
        for record_id in delete.ids
        if delete.outcomes is None or delete.outcomes.get(record_id, "") is None
    }
    selection = folder.selection()
    for group in range(len(groups_of(selection)) if sent and selection else 0):
        if folder.done(group) is not None:
            sent -= {m.id for members in folder.trees(group).values() for m in members}
    if not sent:
        return ""
    return (
        f"{count(len(sent), 'deleted record')} may have taken along what is not in the store: look "
        "into the recycle bin of the org."
    )
