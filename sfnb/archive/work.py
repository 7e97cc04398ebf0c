"""An archive as a kind of work: the FACE of this room."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sfnb.archive.bringing_back import bring_back, take_for_good
from sfnb.archive.checking import LastLook, not_whole
from sfnb.archive.choosing import (
    Choosing,
    going_of,
    groups_of,
    not_verified,
    on_hold,
    select,
    still_matching,
)
from sfnb.archive.deleting import Deleter
from sfnb.archive.describes import Describes
from sfnb.archive.ending import abandon, stayed_of
from sfnb.archive.folder import JobFolder, Kept, Selection
from sfnb.archive.gathering import Gatherer
from sfnb.archive.group import GroupRun
from sfnb.archive.held import HeldRecords
from sfnb.archive.request import ArchiveRequest
from sfnb.archive.results import Tally, kept_json, plan_json, warnings_json
from sfnb.archive.seeing import sees_all_files
from sfnb.archive.storing import store_object
from sfnb.archive.trees import Member
from sfnb.backup.bodies.reading import BodyReading, BodyTotals
from sfnb.errors import JobError
from sfnb.jobs import events
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import ARCHIVE, JobState, ObjectSchema, ObjectState
from sfnb.org.transport import call_context
from sfnb.state.job_values import Job
from sfnb.store.archives import (
    ArchivedObject,
    ArchiveRecord,
    is_archive,
    put_archive_record,
    read_archive_record,
)
from sfnb.store.files import Files
from sfnb.store.manifest import SnapshotPlan
from sfnb.store.snapshots import Snapshot
from sfnb.store.tables import OrgStore

ALL_BODIES = 1 << 40
"""No file is left for another day: without it its record stays in the org."""


@dataclass
class ArchiveWork:
    """
    The archive of some records of one org. Implements `sfnb.jobs.work.Work`.

    Args:
        store: the org's; the archive gets a store of its own below it.
        settle_s: how old a call must be before nothing of it can appear any more, when its answer
            was lost.
    """

    context: JobContext
    store: OrgStore
    settle_s: float = 60.0
    _kept: list[Kept] = field(default_factory=list)
    _deleted: Tally = field(default_factory=Tally)
    _alarms: list[str] = field(default_factory=list)
    _in_bin: dict[str, str] = field(default_factory=dict)

    # -- what is meant

    def _job(self) -> Job:
        return self.context.state.jobs.get(self.context.job_id)

    @cached_property
    def _request(self) -> ArchiveRequest:
        return ArchiveRequest.of(self._job().options)

    @cached_property
    def _snapshot_id(self) -> str:
        return self._job().snapshot or ""

    @cached_property
    def _archive(self) -> OrgStore:
        return self.store.archive(self._snapshot_id)

    @property
    def _folder(self) -> JobFolder:
        return JobFolder(self._archive.files)

    @property
    def _snapshot(self) -> Snapshot:
        return Snapshot(self._archive.files, self._snapshot_id)

    @cached_property
    def _describes(self) -> Describes:
        return Describes(
            self.context.client,
            self.context.job_id,
            with_restricting=self._request.with_children,
        )

    @cached_property
    def _gatherer(self) -> Gatherer:
        return Gatherer(
            self.context.client, self._describes, self.context.job_id, self.context.stop
        )

    @cached_property
    def _held(self) -> HeldRecords:
        """The holds, asked of what the archive has stored, too."""
        return HeldRecords(self.context.state, self.store, self._archive)

    # -- choosing

    def _sees_all_files(self) -> bool:
        """What was found out when the job was made, or is found out now."""
        known = self._job().options.get("sees_all_files")
        if isinstance(known, bool):
            return known
        with call_context(job_id=self.context.job_id, stop=self.context.stop):
            return sees_all_files(self.context.client, is_job=True)

    def prepare(self) -> None:
        """
        Read the trees. Nothing is written in the org.

        Cost: 2 API calls, 3 where the job was made while the org was away; 1 for 2,000 records, and
        see ``Gatherer.gather`` for each 400.
        """
        context, folder, files = self.context, self._folder, self._archive.files
        if (planned := folder.plan()) is not None:
            self._begin(planned["said"])
            return
        self._gatherer.sees_all_files = self._sees_all_files()
        schema = self._describes.root(self._request.object_name)
        selection = folder.selection()
        if selection is None:
            selection = select(self._gatherer, schema, self._request, files, "job/read")
            folder.put_selection(selection)
        choosing = Choosing(self._gatherer, selection, HeldRecords(context.state, self.store).of)
        paths: dict[str, list[str]] = {}
        for number in range(len(groups_of(selection))):
            group = choosing.take(number, files, folder.read_folder(number))
            folder.put_trees(number, group.found)
            for name, some in group.paths.items():
                paths.setdefault(name, []).extend(some)
        choosing.keep_over(f"the run takes {self._request.max_rows:,} records (--max-rows)")
        folder.put_kept(choosing.kept)
        going = choosing.going
        said = plan_json(going, choosing.kept)
        folder.put_plan(said, {name: some for name, some in paths.items() if name in going.rows})
        self._begin(said)

    def _begin(self, said: Mapping[str, Any]) -> None:
        """The snapshot's plan: from here on the archive exists, and what it will have is settled."""
        context, rows_of = self.context, said["plan"]
        if not is_archive(self.store.files, self._snapshot_id):
            self._archive.begin(self._snapshot_plan(rows_of))
        jobs, job_id = context.state.jobs, context.job_id
        if "plan" not in self._job().outcome:
            jobs.add_outcome(job_id, **said)
        known = jobs.objects(job_id)
        for name in rows_of:
            if name not in known:
                jobs.set_object(job_id, name, ObjectState.UNTOUCHED, 0, 0)
        now = context.clock.now()
        context.tell(events.JobPlanned(job_id, now, self._snapshot_id, dict(rows_of), {}))

    def _snapshot_plan(self, rows_of: Mapping[str, int]) -> SnapshotPlan:
        context = self.context
        return SnapshotPlan(
            snapshot=self._snapshot_id,
            org=context.client.name,
            org_id=context.client.org_id,
            job_id=context.job_id,
            created_at=context.clock.now(),
            objects={
                name: {"reader": "archive", "expected_rows": rows}
                for name, rows in sorted(rows_of.items())
            },
            kind="archive",
            api_version=context.client.api_version,
        )

    # -- storing, then deleting

    def run(self, tick: Tick) -> None:
        """Store what is not stored yet, prove it, then delete what has not gone yet."""
        folder = self._folder
        selection = folder.selection()
        if selection is None:
            raise JobError("the archive's selection is gone from the store.")
        schemas = self._schemas()
        if folder.ready() is None:
            self._store(selection, schemas, tick)
        self._delete(selection, schemas, tick)

    def _schemas(self) -> dict[str, ObjectSchema]:
        return self._describes.of(self._snapshot.plan.objects)

    def _going(self, selection: Selection) -> dict[str, dict[str, bytes]]:
        """By object, the records that go, with their digests."""
        found: dict[str, dict[str, bytes]] = {}
        for _, trees in going_of(self._folder, selection, self._folder.kept()):
            for members in trees.values():
                for member in members:
                    found.setdefault(member.object_name, {})[member.id] = member.digest
        return found

    def _store(self, selection: Selection, schemas: Mapping[str, ObjectSchema], tick: Tick) -> None:
        """All of it is in the store, read back and compared, when this returns."""
        context, folder, files = self.context, self._folder, self._archive.files
        writer = self._archive.reopen(self._snapshot_id)
        going, paths = self._going(selection), (folder.plan() or {})["paths"]
        if not self._snapshot.is_sealed:
            writer.take_over()
            for name, ids in going.items():
                tick()
                rows = store_object(writer, schemas[name], files, paths[name], ids, tick=tick)
                self._note(name, ObjectState.COMPLETE, rows)
            totals = BodyTotals()
            BodyReading(context, self._snapshot, list(going), ALL_BODIES, totals).run(tick)
            context.state.jobs.add_outcome(context.job_id, files=totals.as_json())
            writer.seal()
        wrong = not_whole(self._snapshot, schemas, going, tick)
        trees = (trees for _, trees in going_of(folder, selection, folder.kept()))
        kept = [*folder.kept(), *(not_verified(trees, wrong) if wrong else ())]
        folder.put_kept(kept)
        put_archive_record(
            files,
            ArchiveRecord(
                self._snapshot_id,
                selection.object_name,
                self._request.where,
                context.clock.now().isoformat(),
                is_hard=self._request.hard,
                objects={
                    name: ArchivedObject(len(ids), min(ids), max(ids))
                    for name, ids in going.items()
                },
            ),
        )
        self._audit("deletes", (folder.plan() or {})["said"])
        # What is still to be deleted is decided from here on by what the store has.
        folder.put_ready({"at": context.clock.now().isoformat()})
        folder.drop_read()

    def _note(self, name: str, state: ObjectState, rows: int, **outcome: Any) -> None:
        context, jobs = self.context, self.context.state.jobs
        known = jobs.objects(context.job_id).get(name)
        calls = known.calls if known else 0
        jobs.set_object(context.job_id, name, state, rows, calls, None, outcome)
        now = context.clock.now()
        context.tell(events.ObjectProgress(context.job_id, now, name, state, rows, rows, calls))

    # -- deleting

    def _delete(
        self, selection: Selection, schemas: Mapping[str, ObjectSchema], tick: Tick
    ) -> None:
        context, folder = self.context, self._folder

        def fence() -> None:
            # What a job writes under its lease fails once the lease is lost.
            context.state.jobs.update(context.job_id, rows=sum(self._deleted.rows.values()))

        def has_flag(name: str) -> bool:
            return schemas[name].has("IsDeleted")

        deleter = Deleter(context, folder, has_flag, tick, fence, self.settle_s)
        deleter.take_up()
        self._kept, self._deleted, self._alarms = folder.kept(), Tally(), []
        self._in_bin = {}
        for group, trees in going_of(folder, selection, folder.kept()):
            tick()
            done = folder.done(group)
            if done is None:
                done = self._run_group(deleter, schemas, selection, group, trees)
            alive = {i for ids in done["stayed"].values() for i in ids}
            went = (m.id for root in done["went"] for m in trees[root])
            deleter.counted.update(i for i in went if i not in alive)
            self._kept += [Kept.of(one) for one in done["kept"]]
            self._alarms += done["alarms"]
            self._in_bin |= done["in_bin"]
            for name, (rows, size) in done["deleted"].items():
                self._deleted.rows[name] += rows
                self._deleted.bytes[name] += size
            context.state.jobs.add_outcome(
                context.job_id, deleted=self._deleted.as_json(), **kept_json(self._kept)
            )

    def _run_group(
        self,
        deleter: Deleter,
        schemas: Mapping[str, ObjectSchema],
        selection: Selection,
        group: int,
        trees: Mapping[str, list[Member]],
    ) -> dict[str, Any]:
        org, job_id = self.context.client, self.context.job_id
        for_good = partial(take_for_good, org, job_id=job_id, tick=deleter.tick)
        with TemporaryDirectory(prefix="sfnb-archive-") as place:
            run = GroupRun(
                deleter,
                self._gatherer,
                LastLook(self._snapshot, schemas, deleter),
                selection.object_name,
                trees,
                lambda some: on_hold(some, self._held.of),
                lambda roots: self._still_meant(schemas[selection.object_name], roots),
                lambda: Files(Path(place) / secrets.token_hex(4)),
                self._describes.is_deletable,
                partial(bring_back, org, job_id=job_id),
                for_good if self._request.hard else None,
            )
            done = run.run()
        self._folder.put_done(group, done)
        return done

    def _still_meant(self, schema: ObjectSchema, roots: Sequence[str]) -> set[str]:
        context = self.context
        with call_context(job_id=context.job_id, object_name=schema.name, stop=context.stop):
            return still_matching(
                context.client, schema, self._request.where, roots, context.job_id
            )

    # -- ending

    def finish(self) -> JobState:
        """Note what went; completed only if nothing stayed that was meant to go."""
        context, files = self.context, self._archive.files
        record = read_archive_record(files)
        if record is None:
            raise JobError("the archive's record is gone from the store.")
        stored = {i for ids in self._going(self._folder_selection()).values() for i in ids}
        outcome = self._outcome(stored)
        put_archive_record(
            files,
            ArchiveRecord(
                **{
                    **{n: getattr(record, n) for n in ArchiveRecord.__dataclass_fields__},
                    "is_done": True,
                    "stayed": stayed_of(self._folder, self._folder_selection()),
                }
            ),
        )
        context.state.jobs.add_outcome(context.job_id, **outcome)
        context.state.jobs.update(context.job_id, rows=sum(self._deleted.rows.values()))
        is_whole = not (self._kept or self._alarms or self._in_bin)
        return JobState.COMPLETED if is_whole else JobState.COMPLETED_WITH_ERRORS

    def _audit(self, action: str, said: Mapping[str, Any]) -> None:
        """
        A line of the audit log before the first deletion, with numbers and no field's value. That
        the job began and ended is there anyway.
        """
        context, request = self.context, self._request
        context.state.audit.record(
            ARCHIVE,
            action,
            org=context.client.name,
            org_id=context.client.org_id,
            subject=context.job_id,
            details={
                "object": request.object_name,
                "hard": request.hard,
                "snapshot": self._snapshot_id,
                "plan": said["plan"],
                "kept": said["kept_counts"],
            },
        )

    def _folder_selection(self) -> Selection:
        selection = self._folder.selection()
        assert selection is not None  # noqa: S101 - ``run`` has read it
        return selection

    def _outcome(self, stored: set[str]) -> dict[str, Any]:
        return {
            "archived": self._deleted.as_json(),
            "deleted": self._deleted.as_json(),
            "stored": len(stored),
            "storage_freed_mb": self._deleted.freed_mb,
            "warnings": warnings_json(self._alarms, self._in_bin, self._request.object_name),
            **kept_json(self._kept),
        }

    def abandon(self) -> str:
        """See ``ending.abandon``. What was stored stays readable."""
        return abandon(self.store, self._job(), lambda: self.context.client)
