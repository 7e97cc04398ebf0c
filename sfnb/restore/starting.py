"""Beginning a restore: which snapshot is meant, the plan without a job, the job and its work."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from sfnb.errors import CallerError
from sfnb.model import RESTORE, Api, BudgetStatus
from sfnb.restore.request import RestoreRequest

if TYPE_CHECKING:
    from sfnb.connection import Connection
    from sfnb.jobs.work import JobContext
    from sfnb.restore.folder import RestoreFolder
    from sfnb.restore.plan import RestorePlan
    from sfnb.restore.work import RestoreWork
    from sfnb.settings import Settings

REJECTS = "rejects"
"""The folder of rejects files, below SFNB_HOME."""


class Place:
    """
    A temporary folder, gone when nobody holds this any more. tempfile's own warns where nobody
    closes it, and a plan on a screen has no one moment at which it is over.
    """

    def __init__(self) -> None:
        self.path = mkdtemp(prefix="sfnb-plan-")
        weakref.finalize(self, rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class RestoreEstimate:
    """
    A restore's plan, beside where the target's budgets stand for restores now.

    Args:
        folder: has the rows of the plan; gone once this value is.
    """

    plan: RestorePlan
    standing: Mapping[Api, BudgetStatus]
    folder: RestoreFolder
    _place: Place

    @property
    def pauses(self) -> list[str]:
        """Where the job would pause, one sentence per budget."""
        from sfnb.quota.sentences import first_pause

        return first_pause(self.plan.price, self.standing)

    def as_json(self) -> dict[str, Any]:
        """What `sfnb restore --dry-run --json` prints."""
        plan = self.plan
        return {
            "org": plan.target.org,
            "source": plan.source.org,
            "snapshot": plan.source.snapshot,
            **plan.outcome(),
            "skips": dict(plan.skips),
            "not_written": {name: dict(why) for name, why in plan.not_written.items()},
            "written_twice": dict(plan.written_twice),
            "calls": dict(plan.price),
            "pauses": self.pauses,
            "warnings": [warning.as_json() for warning in plan.warnings],
            "would_stop": plan.is_stopped,
        }


def find_snapshot(settings: Settings, name: str, snapshot: str) -> tuple[str, str]:
    """
    The Organization Id and the snapshot's id, from the store alone.

    Args:
        name: of a registered org, or as it was backed up; or an Organization Id.
        snapshot: an id, or ``latest``.

    Raises:
        CallerError: there is none; where it is another org's, the message names that.
    """
    from sfnb.store.tables import open_store

    store = open_store(settings.store_root)
    config = settings.orgs.get(name)
    source = store.org(config.org_id) if config and config.org_id else store.find(name)
    try:
        return source.org_id, source.snapshots[snapshot].id
    except CallerError:
        for other in store.orgs() if snapshot != "latest" else ():
            if snapshot in store.org(other.org_id).snapshots:
                raise other_org(snapshot, other.org_id, name) from None
        raise


def resolved(org: Connection, request: RestoreRequest) -> RestoreRequest:
    """
    The request with the snapshot's id and its org's.

    Raises:
        CallerError: there is no such snapshot; it is another org's and nobody said so.
    """
    name = request.source_org or org.name
    if request.source_org_id:
        return request
    org_id, snapshot = find_snapshot(org.settings, name, request.snapshot)
    if org_id != org.org_id and not request.source_org:
        raise other_org(snapshot, org_id, org.name)
    return replace(request, source_org_id=org_id, source_org=name, snapshot=snapshot)


def other_org(snapshot: str, org_id: str, name: str) -> CallerError:
    """The error for a snapshot of another org, where nobody said that this is meant."""
    return CallerError(
        f"snapshot {snapshot} is of another org ({org_id}) than {name}. Name that org and the "
        f"target: `sfnb restore {org_id} {snapshot} --to {name}`."
    )


def create_job(org: Connection, request: RestoreRequest) -> str:
    """A new job, queued; its id."""
    request = resolved(org, request)
    job = org.state.jobs.create(
        kind=RESTORE,
        org=org.name,
        org_id=org.org_id,
        options=request.as_json(),
        objects=request.objects or None,
        snapshot=request.snapshot,
    )
    return job.job_id


def plan_restore(org: Connection, request: RestoreRequest) -> RestoreEstimate:
    """
    What a restore would write, row by row; nothing is written in the org or the store.

    Cost: as the planning of a job: about one call for 25 objects, and one for what is compared.

    Raises:
        CallerError: see ``resolved``.
        QuotaSignal: not even these calls fit under the limit now.
    """
    from sfnb.org.transport import call_context
    from sfnb.restore.folder import RestoreFolder
    from sfnb.restore.plan import End
    from sfnb.restore.planning import Planning
    from sfnb.restore.rejects import read_rejects
    from sfnb.store.files import Files
    from sfnb.store.tables import open_store

    request = resolved(org, request)
    source = open_store(org.settings.store_root).org(request.source_org_id)
    place = Place()
    folder = RestoreFolder(Files(place.path), "plan", org.store.files)
    amendments = read_rejects(Path(request.from_rejects)) if request.from_rejects else None
    with call_context(kind=RESTORE):
        plan = Planning(
            org.client,
            source.snapshots[request.snapshot],
            End(request.source_org, request.source_org_id, request.snapshot),
            End(org.name, org.org_id),
            request,
            folder,
            amend=amendments.amend if amendments else None,
        ).run()
    return RestoreEstimate(plan, org.client.gate.standing(kind=RESTORE), folder, place)


def make_work(org: Connection, context: JobContext) -> RestoreWork:
    """The work of a restore job of this org."""
    from sfnb.restore.work import RestoreWork
    from sfnb.store.tables import open_store

    request = RestoreRequest.of(context.state.jobs.get(context.job_id).options)
    return RestoreWork(
        context,
        open_store(org.settings.store_root).org(request.source_org_id),
        org.store,
        org.settings.home / REJECTS,
        org.settings.lost_answer_s,
    )
