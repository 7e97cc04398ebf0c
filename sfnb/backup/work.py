"""A backup as a kind of work: the FACE of this room."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sfnb.backup.alerts import ChangeLimits
from sfnb.backup.change_run import ChangeRun
from sfnb.backup.discovery import Discovery
from sfnb.backup.ending import abandon
from sfnb.backup.files_and_metadata import NO_BODIES, FilesAndMetadata
from sfnb.backup.filters import PARENT_FIELDS, TYPED_PARENT, parent_types
from sfnb.backup.history import History
from sfnb.backup.marks import choose_mark
from sfnb.backup.next_price import next_price
from sfnb.backup.object_run import ObjectRun, RunState
from sfnb.backup.outcome import drift_of, job_warnings_of
from sfnb.backup.policy import Wishes
from sfnb.backup.scheduler import Scheduler
from sfnb.backup.visibility import far_off
from sfnb.backup.worker import Executor, ThreadExecutor, Worker
from sfnb.errors import ObjectError, StoreError
from sfnb.jobs import events
from sfnb.jobs.summary import job_warnings
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import JobState, JobWarning, ObjectSchema, ObjectState, reader_of
from sfnb.org.arrow import arrow_schema
from sfnb.org.away import is_away
from sfnb.org.describe import parse_schema
from sfnb.state.job_values import Job
from sfnb.store.archives import archived_since
from sfnb.store.compaction.org import compact_after
from sfnb.store.manifest import SnapshotPlan
from sfnb.store.plan import scope_of
from sfnb.store.progress import Progress
from sfnb.store.tables import OrgStore
from sfnb.store.writer import Writer

MakeExecutor = Callable[[JobContext, threading.Event], Executor]
"""Makes where the units of a job run; the event is set when they should end at once."""


def thread_executor(context: JobContext, stop: threading.Event) -> Executor:
    """Units on threads of this process."""
    return ThreadExecutor(Worker(context.client, context.job_id, stop), context.workers)


@dataclass
class BackupWork:
    """
    The backup of one org into one snapshot. Implements `sfnb.jobs.work.Work`.

    Args:
        make_executor: where units run; threads by default.
        limits: from which share of changed records on a person is warned.
    """

    context: JobContext
    store: OrgStore
    make_executor: MakeExecutor = thread_executor
    limits: ChangeLimits = field(default_factory=ChangeLimits)
    _discovery: Discovery | None = None
    _runs: dict[str, ObjectRun] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _more: FilesAndMetadata | None = None

    # preparing

    def prepare(self) -> None:
        """Begin the snapshot: its plan is on disk when this returns. Cost: see `Discovery.plan`."""
        context, job = self.context, self._job()
        if job.snapshot:
            return
        discovery = self._the_discovery(job)
        plan, _ = discovery.plan()
        snapshot = discovery.history.snapshot
        changes = [change.as_json() for change in discovery.schema_changes]
        context.state.jobs.add_outcome(job.job_id, schema=changes, planned=discovery.planned)
        for name, message in plan.failed.items():
            context.state.jobs.set_object(job.job_id, name, ObjectState.UNTOUCHED, 0, 0, message)
        for name, known in discovery.learned.items():
            if name in plan.left_out:
                context.state.jobs.set_object(
                    job.job_id, name, ObjectState.UNTOUCHED, 0, 0, known.left_out, known.as_json()
                )
        self.store.begin(
            SnapshotPlan(
                snapshot=snapshot,
                org=context.client.name,
                org_id=context.client.org_id,
                job_id=job.job_id,
                created_at=context.clock.now(),
                objects={name: o.as_json() for name, o in plan.objects.items()},
                left_out=dict(plan.left_out),
                notes=(
                    *(() if job.options.get("files", True) else (NO_BODIES,)),
                    *(warning.message for warning in plan.warnings),
                ),
                kind=plan.kind,
                scope=scope_of(job.options.get("objects"), job.options.get("exclude") or ()),
                catalogue=discovery.catalogue,
                api_version=context.client.api_version,
            )
        )
        context.state.jobs.update(job.job_id, snapshot=snapshot)
        self._warn(plan.warnings)

    def _warn(self, warnings: Iterable[JobWarning]) -> None:
        """Say and keep what is not known yet."""
        context, known = self.context, job_warnings(self._job())
        new = [one for one in warnings if one not in known]
        for one in new:
            context.tell(
                events.JobWarned(
                    context.job_id, context.clock.now(), one.code, one.object_name, one.message
                )
            )
        kept = [one.as_json() for one in [*known, *new]]
        context.state.jobs.add_outcome(context.job_id, warnings=kept)

    def _job(self) -> Job:
        return self.context.state.jobs.get(self.context.job_id)

    def _the_discovery(self, job: Job) -> Discovery:
        if self._discovery is None:
            options, context = job.options, self.context
            self._discovery = Discovery(
                context.client,
                job.job_id,
                context.stop,
                History(
                    self.store,
                    context.state,
                    self.store.new_snapshot_id(context.clock.now()),
                ),
                options.get("objects"),
                options.get("exclude") or (),
                Wishes(*(bool(options.get(name)) for name in ("full", "sweep", "refresh"))),
            )
        return self._discovery

    # reading

    def run(self, tick: Tick) -> None:
        """Read every object that is not complete yet."""
        context, job = self.context, self._job()
        writer = self.store.reopen(job.snapshot or "")
        writer.take_over()
        known = context.state.jobs.objects(job.job_id)
        self._calls = {name: entry.calls for name, entry in known.items()}
        for name, planned in writer.plan.objects.items():
            if planned.get("is_afresh"):
                writer.set_aside(name)
        schemas = self._schemas(job, writer)
        self._runs = {
            name: object_run(writer, name, schemas[name], planned)
            for name, planned in writer.plan.objects.items()
        }
        expected = {name: run.expected_rows for name, run in self._runs.items()}
        now = context.clock.now()
        left_out = dict(writer.plan.left_out)
        context.tell(events.JobPlanned(job.job_id, now, writer.snapshot, expected, left_out))
        for run in self._runs.values():
            entry = known.get(run.name)
            if entry is not None and entry.outcome.get("left_out") and run.is_open:
                run.stay_left_out(entry.message or "")
                continue
            if entry is None or (entry.state, entry.rows) != (run.stored, run.progress.rows):
                self._changed(run)
        self._read(writer, tick)
        self._more = FilesAndMetadata(context, self.store)
        complete = [run.name for run in self._runs.values() if run.is_complete]
        self._more.run(job, complete, writer.changes, tick)

    def _read(self, writer: Writer, tick: Tick) -> None:
        stop = threading.Event()
        executor = self.make_executor(self.context, stop)
        try:
            Scheduler(
                writer,
                self._runs,
                executor,
                self.context.clock,
                self._changed,
                self._counted,
                lambda: is_away(self.context.client),
                tick,
                stop.set,
                self._org_now,
            ).run()
        finally:
            executor.close()

    def _schemas(self, job: Job, writer: Writer) -> dict[str, ObjectSchema | ObjectError]:
        """
        Each planned object's fields: from the snapshot, or where a kill came before they were
        written, asked.
        """
        found: dict[str, ObjectSchema | ObjectError] = {}
        unknown = []
        discovery = self._the_discovery(job)
        for name, planned in writer.plan.objects.items():
            is_changes = planned.get("mode") == "incremental" and not planned["has_new_schema"]
            if writer.schema(name) is not None:
                found[name] = parse_schema(name, writer.describe(name))
            elif is_changes and (kept := writer.base_schema(name)) is not None:
                found[name] = parse_schema(name, kept.describe)
            else:
                unknown.append(name)
        for name, schema in discovery.schemas(unknown).items():
            found[name] = schema
            if isinstance(schema, ObjectSchema):
                try:
                    writer.put_schema(name, arrow_schema(schema), schema.raw)
                except StoreError as err:
                    found[name] = ObjectError(str(err))
        return found

    def _org_now(self) -> datetime:
        """The org's time; ours, less an hour, where the org does not tell it."""
        try:
            return self.context.client.org_now()
        except ObjectError:
            return self.context.clock.now() - timedelta(hours=1)

    def _counted(self, calls: Mapping[str, int]) -> None:
        for name, count in calls.items():
            self._calls[name] = self._calls.get(name, 0) + count

    def _changed(self, run: ObjectRun) -> None:
        """Keep and tell where an object stands."""
        context, now = self.context, self.context.clock.now()
        job_id, calls = context.job_id, self._calls.get(run.name, 0)
        context.state.jobs.set_object(
            job_id, run.name, run.stored, run.progress.rows, calls, run.message, self._found(run)
        )
        if run.state is RunState.FAILED:
            context.tell(events.ObjectFailed(job_id, now, run.name, run.reason))
        elif run.state is RunState.LEFT_OUT:
            context.tell(events.ObjectLeftOut(job_id, now, run.name, run.reason))
        else:
            rows = run.progress.rows + run.progress.deleted
            context.tell(
                events.ObjectProgress(
                    job_id, now, run.name, run.stored, rows, run.expected_rows, calls
                )
            )

    def _found(self, run: ObjectRun) -> dict[str, Any]:
        """What a job's JSON also says of an object."""
        if run.state is RunState.LEFT_OUT:
            return {"left_out": True}
        found = {"our_count": run.progress.rows + run.progress.deleted, **run.outcome}
        if run.is_complete and run.reader in ("locator", "by_parent"):
            found |= {
                "reader": run.reader,
                "parent_field": run.parent_field,
                "single": run.is_single,
            }
            learned = self._discovery.learned.get(run.name) if self._discovery else None
            if learned is not None and learned.reader:
                found["asked_at"] = learned.asked_at
        return found

    # ending

    def finish(self) -> JobState:
        """Seal the snapshot."""
        jobs, job = self.context.state.jobs, self._job()
        runs = self._runs.values()
        problems = {run.name: run.reason for run in runs if run.state is RunState.FAILED}
        notes = {run.name: run.message for run in runs if run.is_complete and run.message}
        left_out = {run.name: run.reason for run in runs if run.state is RunState.LEFT_OUT}
        if job_warnings(job):  # it is not known to see all
            rows = {
                run.name: run.progress.rows + run.progress.deleted
                for run in runs
                if run.is_complete
            }
            self._warn(far_off({run.name: run.record_count for run in runs}, rows))
        writer = self.store.reopen(job.snapshot or "")
        bases = {run.name: writer.base(run.name) for run in runs if run.is_complete}
        before = {name: base.rows for name, base in bases.items() if base is not None}
        schema = job.outcome.get("schema") or ()
        since = {name: base.snapshot for name, base in bases.items() if base is not None}
        archived = archived_since(self.store.files, since)
        self._warn(job_warnings_of(list(runs), schema, before, self.limits, archived))
        for name, entry in jobs.objects(job.job_id).items():
            if name not in self._runs and entry.message and not entry.outcome.get("left_out"):
                problems[name] = entry.message  # not even described
        has_all_bodies = self._more is not None and self._more.bodies is not None
        is_rebuilt = has_all_bodies and not job.options.get("objects")
        writer.seal("complete", problems | notes, left_out, is_rebuilt=is_rebuilt)
        touched = [run.name for run in runs if run.is_complete and run.progress.parts]
        self._warn(
            JobWarning("not_compacted", name, message)
            for name, message in compact_after(self.store.files, self.context.clock, touched)
        )
        metadata = self._more.outcome.get("metadata") if self._more is not None else None
        price = next_price(
            job, self._the_discovery(job).history, list(runs), self._org_now(), metadata=metadata
        )
        jobs.add_outcome(job.job_id, next_backup_price=price)
        jobs.update(job.job_id, rows=sum(run.progress.rows for run in runs))
        jobs.add_outcome(job.job_id, drift=drift_of(runs))
        jobs.add_outcome(job.job_id, in_bin=sum(run.progress.deleted for run in runs))
        is_missing = False
        if self._more is not None:
            jobs.add_outcome(job.job_id, **self._more.outcome)
            self._warn(self._more.warnings)
            is_missing = self._more.is_missing
        return JobState.COMPLETED_WITH_ERRORS if problems or is_missing else JobState.COMPLETED

    def abandon(self) -> str:
        """Seal the snapshot as partial, and abort the Bulk jobs that the org still works on."""
        return abandon(self.store, self._job(), lambda: self.context.client)


def object_run(
    writer: Writer, name: str, schema: ObjectSchema | ObjectError, planned: Mapping[str, Any]
) -> ObjectRun:
    """
    An object where the store says it is. Plans and cursors of sfnb 0.1 name their reader under
    another key.
    """
    progress = writer.progress(name)
    cursor = progress.cursor or {}
    reader = reader_of(cursor) or reader_of(planned) or "keyset"
    parent_field = cursor.get("field") or planned.get("parent_field") or PARENT_FIELDS.get(name)
    if isinstance(schema, ObjectError):
        run = ObjectRun(ObjectSchema(name, ()), reader, None, 0.0, None, progress)
        run.end(RunState.FAILED, str(schema))
        return run
    may_be_typed = name in TYPED_PARENT and not progress.parts and not planned.get("is_single")
    is_typed = cursor.get("typed", may_be_typed)
    if reader == "by_parent" and not (parent_field and schema.has(parent_field)):
        # sfnb 0.1 did not keep a lookup that only a refusal had named: the refusal will name it
        # again.
        reader, progress = "keyset", writer.restart(name, {"reader": "keyset"})
    is_full_after_all = cursor.get("mode") == "full" and planned.get("mode") == "incremental"
    return ObjectRun(
        schema,
        reader,
        planned.get("expected_rows"),
        planned.get("mb", 0.0),
        parent_field,
        progress,
        is_single=cursor.get("single", bool(planned.get("is_single"))),
        is_typed=is_typed and bool(parent_types(schema, parent_field or "")),
        change=None if is_full_after_all else change_run(writer, name, schema, planned, progress),
        is_full_after_all=is_full_after_all,
        is_afresh=bool(planned.get("is_afresh")),
        record_count=planned.get("record_count"),
    )


def change_run(
    writer: Writer,
    name: str,
    schema: ObjectSchema,
    planned: Mapping[str, Any],
    progress: Progress,
) -> ChangeRun | None:
    """What is known of an object's changes when its reading begins or goes on; None: read all."""
    cursor = progress.cursor or {}
    base = writer.base(name) if planned.get("mode") == "incremental" else None
    if base is None:
        return None
    refresh = cursor.get("refresh") or {}
    is_sampled = planned.get("is_sampled") and not refresh
    return ChangeRun(
        base.rows,
        base.deleted,
        choose_mark(schema),
        datetime.fromisoformat(planned["since"]),
        is_asked_first=planned["is_counted"],
        wants_sweep=planned.get("wants_sweep", ""),
        has_new_schema=planned["has_new_schema"],
        refresh=tuple(refresh.get("fields") or planned.get("refresh") or ()),
        drifted=tuple(refresh.get("drifted") or ()),
        drifting=tuple((writer.plan.catalogue.get("drifting") or {}).get(name, ())),
        sample_seed=_seed(writer.snapshot, name) if is_sampled else None,
        rows_done=bool(cursor.get("rows_done")),
        rows_read=progress.rows + progress.deleted - int(refresh.get("read", 0)),
    )


def _seed(snapshot: str, name: str) -> int:
    """Another one for each snapshot and object, the same after a pause."""
    return int.from_bytes(hashlib.sha256(f"{snapshot} {name}".encode()).digest()[:6], "big")
