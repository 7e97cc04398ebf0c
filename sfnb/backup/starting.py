"""Beginning a backup: what is asked, what it will cost, the job and its work."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfnb.errors import CallerError
from sfnb.model import Api, BudgetStatus, ObjectSchema

if TYPE_CHECKING:
    # A command connects before these load, so that its first call leaves early.
    from sfnb.backup.cluster.coordinator import Cluster
    from sfnb.backup.history import History
    from sfnb.backup.plan import Plan
    from sfnb.backup.work import BackupWork, MakeExecutor
    from sfnb.backup.worker import ExecutorKind, ProcessExecutor
    from sfnb.connection import Connection
    from sfnb.jobs.work import JobContext


@dataclass(frozen=True, slots=True)
class BackupRequest:
    """
    What to back up, and how.

    Args:
        objects: None: every object that can be queried.
        full: read every row again, whatever earlier snapshots hold.
        sweep: compare all Ids with the org now, not only when the policy asks for it.
        refresh: read the computed columns (formulas, roll-ups) of all rows again now.
        files: the bodies of their files, too.
        metadata: the org's metadata, too; None: where all objects are backed up.
    """

    objects: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    full: bool = False
    sweep: bool = False
    refresh: bool = False
    files: bool = True
    metadata: bool | None = None


def backup(
    *,
    objects: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    full: bool = False,
    sweep: bool = False,
    refresh: bool = False,
    files: bool = True,
    metadata: bool | None = None,
) -> BackupRequest:
    """
    A backup of these objects, or of all but ``exclude``: what changed since the last snapshot that
    has them complete; all rows where there is none, or with ``full``. Options: see `BackupRequest`.
    """
    if objects is not None and not objects:
        raise CallerError("the list of objects is empty; leave it out to back up all of them.")
    names = tuple(objects) if objects is not None else None
    return BackupRequest(names, tuple(exclude), full, sweep, refresh, files, metadata)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A plan beside where the org's budgets stand now."""

    plan: Plan
    standing: dict[Api, BudgetStatus]

    @property
    def pauses(self) -> list[str]:
        """Where the job would pause, one sentence per budget."""
        from sfnb.quota.sentences import first_pause

        return first_pause(self.plan.price(), self.standing)


def plan_backup(org: Connection, request: BackupRequest) -> Estimate:
    """
    What a backup would cost, by object, and where it would pause.

    Cost: the same preparing calls as a backup's: about one for 25 objects.

    Raises:
        CallerError: an object that the org does not have.
        QuotaSignal: not even these calls fit under the limit now.
    """
    from sfnb.backup.discovery import Discovery
    from sfnb.backup.history import History
    from sfnb.backup.policy import Wishes

    history = History(org.store, org.state, org.store.new_snapshot_id(org.clock.now()))
    discovery = Discovery(
        org.client,
        "",
        threading.Event(),
        history,
        request.objects,
        request.exclude,
        Wishes(request.full, request.sweep, request.refresh),
    )
    planned, schemas = discovery.plan()
    planned = _with_files_and_metadata(org, request, planned, schemas, history)
    return Estimate(planned, org.client.gate.standing())


def _with_files_and_metadata(
    org: Connection,
    request: BackupRequest,
    planned: Plan,
    schemas: Mapping[str, ObjectSchema],
    history: History,
) -> Plan:
    """
    The plan with what comes after the rows. Cost: no calls; before the first metadata one, since
    only the org knows how many types it has; and one for five objects whose bodies are all new,
    since only the org knows how many records have one.
    """
    from sfnb.backup.bodies.counting import fetch_body_counts
    from sfnb.backup.files_and_metadata import last_metadata
    from sfnb.backup.files_and_metadata_price import with_files, with_metadata
    from sfnb.backup.metadata.listing import first_metadata_calls
    from sfnb.backup.metadata.reading import retrieved_at
    from sfnb.store.bodies.index import entry_counts

    settings = org.settings
    if request.files:
        known = entry_counts(org.store.files)
        whole = [
            schemas[name]
            for name, one in planned.objects.items()
            if one.mode == "full"
            and name in schemas
            and not any(count.bodies for key, count in known.items() if key.startswith(f"{name}."))
        ]
        counted = fetch_body_counts(org.client, whole)
        planned = with_files(planned, schemas, known, most=settings.file_calls, counted=counted)
    if _wants_metadata(request):
        last_at = retrieved_at(last_metadata(org.store))
        days = settings.metadata_days
        earlier = history.metadata
        first = None if any(e.get("calls") for e in earlier) else first_metadata_calls(org.client)
        planned = with_metadata(planned, earlier, last_at, org.clock.now(), days=days, first=first)
    return planned


def _wants_metadata(request: BackupRequest) -> bool:
    return request.objects is None if request.metadata is None else request.metadata


def create_job(org: Connection, request: BackupRequest) -> str:
    """A new job, queued; its id."""
    options = {
        "objects": list(request.objects) if request.objects else None,
        "exclude": list(request.exclude),
        "full": request.full,
        "sweep": request.sweep,
        "refresh": request.refresh,
        "files": request.files,
        "file_calls": org.settings.file_calls,
        "metadata": _wants_metadata(request),
        "metadata_days": org.settings.metadata_days,
    }
    job = org.state.jobs.create(
        kind="backup", org=org.name, org_id=org.org_id, options=options, objects=request.objects
    )
    return job.job_id


def make_work(
    org: Connection,
    context: JobContext,
    executor: ExecutorKind | Cluster,
    workers: int | None = None,
) -> BackupWork:
    """
    The work of a backup job of this org.

    Args:
        workers: units in flight at a time, where a person has said so.
    """
    from sfnb.backup.alerts import ChangeLimits
    from sfnb.backup.work import BackupWork

    limits = ChangeLimits(org.settings.mass_change_pct, org.settings.mass_change)
    if isinstance(executor, str):
        make_executor = _executors(org)[executor]
    else:
        from sfnb.backup.cluster.executor import on_cluster

        make_executor = on_cluster(executor, org.settings.org(org.name), workers)
    return BackupWork(context, org.store, make_executor, limits)


def _executors(org: Connection) -> dict[ExecutorKind, MakeExecutor]:
    from sfnb.backup.work import thread_executor
    from sfnb.backup.worker import ProcessExecutor, WorkerSpec

    def processes(context: JobContext, _stop: threading.Event) -> ProcessExecutor:
        spec = WorkerSpec(
            org.settings.org(org.name),
            org.client.open_session,
            org.client.api_version,
            org.settings.state_url,
            context.job_id,
            org.client.gate.rules,
        )
        return ProcessExecutor(spec, context.workers)

    return {"threads": thread_executor, "processes": processes}
