"""A restore as a kind of work: the FACE of this room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from sfnb.errors import JobError, SfnbError
from sfnb.jobs import events
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import JobState, JobWarning, ObjectState
from sfnb.org.writing.calls import WriteOptions
from sfnb.restore.automation.of_job import JobAutomation
from sfnb.restore.automation.planned import written_objects
from sfnb.restore.bulk_sending import BulkSender
from sfnb.restore.compact import IdSet
from sfnb.restore.describes import WriteObject, write_object
from sfnb.restore.ending import abandon
from sfnb.restore.files.sending import FileRestore
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.id_map import IdMap, write_id_map
from sfnb.restore.journal import Journal
from sfnb.restore.lookup import Lookup
from sfnb.restore.made_meanwhile import MadeMeanwhile
from sfnb.restore.outcomes import Outcomes
from sfnb.restore.plan import End, PlannedRow, RestorePlan, Wave
from sfnb.restore.planning import Planning
from sfnb.restore.present import PresentReader
from sfnb.restore.proof import Proof, ProofResult
from sfnb.restore.rejects import Reject, planned_rejects, read_rejects, refused_rows, write_rejects
from sfnb.restore.request import RestoreRequest
from sfnb.restore.results import Restored, created_rows, restored_of
from sfnb.restore.sending import Sender
from sfnb.restore.wave_run import WaveRun
from sfnb.restore.written import written_records
from sfnb.state.job_values import Job
from sfnb.store.giving_back import give_back_memory

if TYPE_CHECKING:
    from sfnb.store.tables import OrgStore


@dataclass
class RestoreWork:
    """
    The restore of a snapshot into one org. Implements `sfnb.jobs.work.Work`.

    Args:
        source: the store of the org that the snapshot is of; it is only read.
        store: the target's, which gets the job's folder.
        rejects: the folder of rejects files.
        settle_s: how old a call must be before nothing of it can appear any more, when its answer
            was lost.
    """

    context: JobContext
    source: OrgStore
    store: OrgStore
    rejects: Path
    settle_s: float = 60.0
    _plan: RestorePlan | None = None
    _targets: dict[str, WriteObject] = field(default_factory=dict)
    _restored: Restored = field(default_factory=Restored)
    _still_off: list[str] = field(default_factory=list)
    _refused_files: list[dict[str, str]] = field(default_factory=list)
    _doubled: list[JobWarning] = field(default_factory=list)

    @property
    def folder(self) -> RestoreFolder:
        """The job's folder in the target's store."""
        return RestoreFolder(self.store.files, self.context.job_id)

    def _job(self) -> Job:
        return self.context.state.jobs.get(self.context.job_id)

    def _request(self) -> RestoreRequest:
        return RestoreRequest.of(self._job().options)

    # planning

    def prepare(self) -> None:
        """Plan, and keep the plan. Cost: see `Planning`; nothing is written in the org."""
        with self._back_on_failure(self._automation()):
            self._plan = self.folder.plan()
            if self._plan is None:
                self._plan = self._make_plan()
            self._say_plan(self._plan)

    def _make_plan(self) -> RestorePlan:
        context, request = self.context, self._request()
        amendments = read_rejects(Path(request.from_rejects)) if request.from_rejects else None
        planning = Planning(
            context.client,
            self.source.snapshots[request.snapshot],
            End(request.source_org, request.source_org_id, request.snapshot),
            End(context.client.name, context.client.org_id),
            request,
            self.folder,
            job_id=context.job_id,
            stop=context.stop,
            amend=amendments.amend if amendments else None,
        )
        return planning.run()

    def _say_plan(self, plan: RestorePlan) -> None:
        context, jobs = self.context, self.context.state.jobs
        job_id = context.job_id
        outcome = plan.outcome()
        objects = outcome.pop("objects")
        jobs.add_outcome(
            job_id,
            **outcome,
            warnings=[warning.as_json() for warning in plan.warnings],
            skips=dict(plan.skips),
            not_written={name: dict(why) for name, why in plan.not_written.items()},
            written_twice=dict(plan.written_twice),
        )
        known = jobs.objects(job_id)
        for name, counts in objects.items():
            if name not in known:
                jobs.set_object(job_id, name, ObjectState.UNTOUCHED, 0, 0, None, counts)
        expected: dict[str, int | None] = {n: c.written for n, c in plan.objects.items()}
        now = context.clock.now()
        context.tell(events.JobPlanned(job_id, now, plan.source.snapshot, expected, {}))

    # writing

    def run(self, tick: Tick) -> None:
        """Send what is not done yet."""
        plan = self._the_plan()
        if plan.is_stopped:
            raise JobError(
                "records were changed since the snapshot, and --on-conflict fail allows none: "
                "nothing was written."
            )
        automation = self._automation(tick)
        with self._back_on_failure(automation):
            if self._request().automation == "off":
                automation.off(written_objects(plan))
                self._say_off(automation)
            run, outcomes = self._wave_run(plan, tick)
            run.replay()
            run.run()
            new_files = self._send_files(run, outcomes, plan, tick) if self._request().files else []
            run.close()
            self._keep_results(plan, outcomes, new_files)
        self._still_off = automation.on()
        self._doubled = [doubled_warning(n, found) for n, found in _by_object(run.maybe_doubled())]
        meanwhile = self._made_meanwhile(plan, run, outcomes)
        proof = self._prove(plan, run, outcomes, tick)
        self.context.state.jobs.add_outcome(
            self.context.job_id,
            warnings=[
                *(warning.as_json() for warning in plan.warnings),
                *(JobWarning("automation_off", "", why).as_json() for why in self._still_off),
                *(warning.as_json() for warning in self._doubled),
                *(warning.as_json() for warning in meanwhile),
            ],
            proof=proof.outcome(self.folder.files.uri(self.folder.proof_path)),
            **automation.outcome(),
        )

    @contextmanager
    def _back_on_failure(self, automation: JobAutomation) -> Iterator[None]:
        """See `JobAutomation.back_on_failure`; afterwards the job's JSON says what is off."""
        try:
            with automation.back_on_failure():
                yield
        except Exception:
            with suppress(SfnbError):  # without the state nothing can be said
                self._say_off(automation)
            raise

    def _say_off(self, automation: JobAutomation) -> None:
        """Name what is off while it is: a killed job says nothing any more."""
        if not (switched := automation.outcome()):
            return
        known = self._job().outcome.get("warnings", [])
        said = [one for one in known if one["code"] != "automation_off"]
        if off := automation.off_now():
            said.append(JobWarning("automation_off", "", off).as_json())
        self.context.state.jobs.add_outcome(self.context.job_id, warnings=said, **switched)

    def _automation(self, tick: Tick = lambda: None) -> JobAutomation:
        context = self.context
        return JobAutomation(lambda: context.client, self.folder, context.stop, tick)

    def _send_files(
        self, run: WaveRun, outcomes: Outcomes, plan: RestorePlan, tick: Tick
    ) -> list[tuple[str, str, str]]:
        """Documents and attachments that the org no longer has; what was made. Cost: `FileRestore`."""
        context, folder, request = self.context, self.folder, self._request()
        path = f"{folder.path}/files-present"
        reader = PresentReader(context.client, folder.files, path, context.job_id, context.stop)
        written = written_records(folder, plan, outcomes, run.ids)
        sending = FileRestore(
            context.client,
            self.source.snapshots[request.snapshot],
            folder,
            run.ids,
            request.ids,
            written,
            reader,
            tick,
            request.objects,
            is_other_org=plan.is_other_org,
        )
        result = sending.run()
        self._refused_files = result.refused
        context.state.jobs.add_outcome(context.job_id, files=result.as_json())
        return sending.new_ids

    def _made_meanwhile(
        self, plan: RestorePlan, run: WaveRun, outcomes: Outcomes
    ) -> list[JobWarning]:
        """Records that the org made by itself. Cost: `MadeMeanwhile`."""
        context, folder = self.context, self.folder
        path = f"{folder.path}/meanwhile"
        created = {name: restored_of(plan, outcomes, name).created for name in plan.objects}
        return MadeMeanwhile(
            PresentReader(context.client, folder.files, path, context.job_id, context.stop),
            self.source.snapshots[self._request().snapshot],
            plan,
            run.sender.journal.began_at,
            created,
            run.claimed.__contains__,
        ).warnings()

    def _prove(
        self, plan: RestorePlan, run: WaveRun, outcomes: Outcomes, tick: Tick
    ) -> ProofResult:
        """Compare what was written with the snapshot. Cost: see `Proof`."""
        context, folder, request = self.context, self.folder, self._request()
        path = f"{folder.path}/proof"
        reader = PresentReader(context.client, folder.files, path, context.job_id, context.stop)
        amended = read_rejects(Path(request.from_rejects)) if request.from_rejects else None
        give_back_memory()
        return Proof(
            reader,
            self.source.snapshots[request.snapshot],
            folder,
            plan,
            written_records(folder, plan, outcomes, run.ids, run.proven),
            run.ids.of,
            self._job().started_at or context.clock.now(),
            amended.amend if amended else None,
        ).run(tick)

    def _the_plan(self) -> RestorePlan:
        if self._plan is None:
            self.prepare()
        if self._plan is None:
            raise JobError("the restore has no plan.")
        return self._plan

    def _wave_run(self, plan: RestorePlan, tick: Tick) -> tuple[WaveRun, Outcomes]:
        context, outcomes = self.context, Outcomes()
        claimed = IdSet()
        lookup = Lookup(context, plan.keys, claimed.__contains__, tick, self.settle_s)
        allows = plan.options.get("duplicates", "allow") == "allow"

        def fence() -> None:
            # What a job writes under its lease fails once the lease is lost.
            context.state.jobs.update(context.job_id, rows=restored_of(plan, outcomes).written)

        sender = Sender(context, Journal(self.folder), lookup, WriteOptions(allows), tick, fence)
        run = WaveRun(
            self.folder,
            plan,
            sender,
            BulkSender(sender),
            outcomes,
            IdMap(),
            self._target,
            lambda wave: self._changed(plan, outcomes, sender, wave),
            claimed=claimed,
        )
        return run, outcomes

    def _target(self, name: str) -> WriteObject:
        """What the target says of an object, as the planning read it."""
        if name not in self._targets:
            kept = self.folder.describe(name)
            answer = kept or self.context.client.fetch_json("GET", f"sobjects/{name}/describe")
            self._targets[name] = write_object(answer)
        return self._targets[name]

    def _changed(self, plan: RestorePlan, outcomes: Outcomes, sender: Sender, wave: Wave) -> None:
        """Keep and tell where an object stands."""
        context, name = self.context, wave.object_name
        now = context.clock.now()
        counts = plan.objects[name]
        rows = restored_of(plan, outcomes, name).written
        state = ObjectState.PARTIAL
        calls = sender.calls[name]
        context.state.jobs.set_object(
            context.job_id, name, state, rows, calls, None, counts.as_json()
        )
        context.tell(
            events.ObjectProgress(context.job_id, now, name, state, rows, counts.written, calls)
        )

    # results

    def _keep_results(
        self, plan: RestorePlan, outcomes: Outcomes, new_files: list[tuple[str, str, str]]
    ) -> None:
        """The id map, the rejects and the counts, for whoever reads the job's JSON."""
        context, request = self.context, self._request()
        id_map = write_id_map(
            self.folder, chain(created_rows(self.folder, plan, outcomes), new_files)
        )
        path = Path(request.rejects or self.rejects / f"{context.job_id}.csv")
        rejected = [
            *planned_rejects(self.folder, plan),
            *refused_rows(self.folder, plan, outcomes),
            *(
                Reject(PlannedRow(one["object"], one["id"], "refuse"), one["code"], one["message"])
                for one in self._refused_files
            ),
        ]
        count = write_rejects(path, rejected)
        restored = restored_of(plan, outcomes)
        # A reference that was refused makes a job end with errors, too.
        self._restored = replace(restored, refused=restored.refused + restored.unfinished)
        context.state.jobs.add_outcome(
            context.job_id,
            restored=restored.as_json(),
            rejects=str(path) if count else None,
            id_map=id_map,
        )
        for name, counts in plan.objects.items():
            found = restored_of(plan, outcomes, name)
            known = context.state.jobs.objects(context.job_id).get(name)
            refused = found.refused + found.unfinished
            message = f"{refused:,} rows were refused" if refused else None
            context.state.jobs.set_object(
                context.job_id,
                name,
                ObjectState.COMPLETE if not refused else ObjectState.PARTIAL,
                found.written,
                known.calls if known else 0,
                message,
                {**counts.as_json(), "restored": found.as_json()},
            )

    def finish(self) -> JobState:
        """What became of the job."""
        found = self._restored
        self.context.state.jobs.update(self.context.job_id, rows=found.written)
        if found.refused and not found.written:
            raise JobError(
                f"nothing could be restored: {found.refused:,} records were refused; "
                "the rejects file says why."
            )
        is_whole = not (found.refused or self._still_off or self._refused_files or self._doubled)
        return JobState.COMPLETED if is_whole else JobState.COMPLETED_WITH_ERRORS

    def abandon(self) -> str:
        """Abort the Bulk jobs that the org still works on. What was written stays."""
        return abandon(self.store, self._job(), lambda: self.context.client)


def _by_object(found: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    ids: dict[str, list[str]] = {}
    for name, record_id in found:
        ids.setdefault(name, []).append(record_id)
    return list(ids.items())


def doubled_warning(name: str, ids: Sequence[str]) -> JobWarning:
    """Records that the org seems to have made from a call that was taken for lost."""
    shown = ", ".join(ids[:20]) + (" …" if len(ids) > 20 else "")
    message = (
        f"{len(ids):,} new records of {name} are like restored ones, and no answer named them: the "
        f"org may have carried out a call late whose answer was lost. Look at them: {shown}."
    )
    return JobWarning("maybe_doubled", name, message)
