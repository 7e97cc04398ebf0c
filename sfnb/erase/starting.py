"""Making an erasure's job, and its work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sfnb.erase.request import EraseRequest
from sfnb.model import ERASE

if TYPE_CHECKING:
    from sfnb.connection import Connection
    from sfnb.erase.work import EraseWork
    from sfnb.jobs.work import JobContext
    from sfnb.org.client import OrgClient
    from sfnb.state.job_values import Job
    from sfnb.store.tables import OrgStore


def erase(
    object_name: str, ids: Sequence[str], *, with_children: bool = False, certificate: str = ""
) -> EraseRequest:
    """A request to erase records of an object, by their 18-character Ids."""
    return EraseRequest(object_name, tuple(dict.fromkeys(ids)), with_children, certificate)


def create_job(org: Connection, request: EraseRequest) -> str:
    """
    A new job, queued; its id.

    Raises:
        CallerError: an Id is another object's; a running job works on this org's records.
    """
    from sfnb.store.states.everything import check_ids

    check_ids(org.store.files, request.object_name, request.ids)
    job = org.state.jobs.create(
        kind=ERASE, org=org.name, org_id=org.org_id, options=request.as_json(), objects=None
    )
    return job.job_id


def make_work(org: Connection, context: JobContext) -> EraseWork:
    """The work of an erasure of this org."""
    from sfnb.erase.work import EraseWork

    return EraseWork(context, org.store, org.settings.home)


def abandon(store: OrgStore, job: Job, connect: Callable[[], OrgClient]) -> str:  # noqa: ARG001
    """Give up an erasure for good; see `work.abandon`. The org is not needed."""
    from sfnb.erase.work import abandon as give_up

    return give_up(store, job.job_id)
