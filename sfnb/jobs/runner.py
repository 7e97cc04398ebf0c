"""
The loop of one job: take the lease, prepare, read, pause and go on, seal.

Only this loop catches the gate's QuotaSignal. By then every unit has committed or dropped what it did, so pausing is
writing down why and waiting; resuming is the same code over the same snapshot, in this process or another.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sfnb.clock import Clock
from sfnb.errors import (
    JobError,
    ObjectError,
    QuotaSignal,
    SfnbError,
    StopSignal,
    StoreError,
    TransientError,
)
from sfnb.jobs import events
from sfnb.jobs.backup import Scheduler
from sfnb.jobs.discovery import Discovery
from sfnb.jobs.object_run import ObjectRun
from sfnb.jobs.summary import job_summary
from sfnb.jobs.unit_context import UnitContext
from sfnb.memory import State
from sfnb.model import JobState, ObjectSchema, ObjectState, Pause, Price, reader_of
from sfnb.org.arrow import arrow_schema
from sfnb.org.client import OrgClient
from sfnb.org.describe import parse_schema
from sfnb.org.transport import call_context
from sfnb.state.jobs import Job
from sfnb.state.lease import Lease
from sfnb.store.manifest import SnapshotPlan, new_snapshot_id
from sfnb.store.tables import OrgStore, Writer

OnPause = Literal["wait", "exit"]

LEASE_RENEWAL_S = 10.0
"""A lease lasts a minute; another host may take a job over after that."""

LOOK_S = 1.0
"""While paused, so often the limit and the job's wanted state are read: neither costs a call."""

NO_BODIES = "Bodies of files (Attachment.Body, ContentVersion.VersionData, Document.Body …) are not in this snapshot."


@dataclass
class Runner:
    """
    Runs one job to its end, or to a pause that nobody waits for.

    Args:
        on_pause: ``wait`` for calls to come back, or ``exit`` and leave that to `sfnb resume`.
        poll_s: how often the org is asked while paused.
        max_wait_s: give up waiting after so long in one pause; the job stays paused. None: never.
        workers: units under way at a time.
        stop: set from elsewhere, it ends the job as an interrupt does, but at a place of the job's own choice.
    """

    org: OrgClient
    store: OrgStore
    state: State
    clock: Clock
    emit: events.Sink = events.ignore
    on_pause: OnPause = "wait"
    poll_s: float = 1800.0
    max_wait_s: float | None = None
    workers: int = 4
    stop: threading.Event = field(default_factory=threading.Event)
    _job_id: str = ""
    _lease: Lease | None = None
    _renewed_s: float = 0.0
    _survey: Discovery | None = None
    _calls: dict[str, int] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def run(self, job_id: str) -> dict[str, Any]:
        """
        The job's summary, in the form of `sfnb backup --json`.

        Raises:
            CallerError: another process runs this job, or its request cannot be fulfilled.
            JobError: it failed; it is recorded so, and can be resumed.
            KeyboardInterrupt: the user stopped it; it is paused.
        """
        self._job_id = job_id
        with self.state.jobs.lease(job_id) as self._lease:
            try:
                self._set_state(JobState.RUNNING)
                # Somebody wants this job to go on: what the org told the last one is no answer to that.
                self._ask_limits(0.0)
                while not self._advance(self._job()):
                    pass
            except KeyboardInterrupt:
                self._set_state(JobState.PAUSED, "stopped by the user; `sfnb resume` goes on")
                raise
            except TransientError as err:
                raise self._failed(
                    JobError(f"{err} `sfnb resume {job_id}` goes on from here.")
                ) from err
            except SfnbError as err:
                raise self._failed(err) from err
            except Exception as err:
                # A fault of ours. The job must not look as if it still ran; its bookmark is good.
                self._failed(
                    JobError(
                        f"unexpected {type(err).__name__}; please report it. `sfnb resume` goes on."
                    )
                )
                raise
        return job_summary(self.state, job_id)

    def _tell(self, event: events.Event) -> None:
        """Keep the event for screens elsewhere, and hand it on."""
        if isinstance(event, events.KEPT):
            self.state.jobs.add_event(
                self._job_id, event.at, type(event).__name__, events.as_told(event)
            )
        self.emit(event)

    def _failed(self, err: SfnbError) -> SfnbError:
        self.state.jobs.update(self._job_id, error=str(err))
        self._set_state(JobState.FAILED, str(err))
        return err

    def _job(self) -> Job:
        return self.state.jobs.get(self._job_id)

    def _set_state(self, state: JobState, message: str = "") -> None:
        now = self.clock.now()
        cleared = {"error": None} if state is JobState.RUNNING else {}
        self.state.jobs.update(self._job_id, state=state, **cleared)
        self._tell(events.JobStateChanged(self._job_id, now, state, message))

    def _advance(self, job: Job) -> bool:
        """Go on until the job ends (True), or has paused and may go on (False)."""
        try:
            self._tick()
            snapshot = job.snapshot or self._prepare(job)
            self._finish(self._read(job, snapshot))
            return True
        except QuotaSignal as signal:
            return self._pause_for_quota(signal)
        except StopSignal as signal:
            return self._obey(signal)

    # preparing and reading

    def _prepare(self, job: Job) -> str:
        """The id of the snapshot begun: its plan is on disk."""
        plan, _ = self._the_survey(job).plan()
        snapshot = new_snapshot_id(self.clock.now())
        for name, message in plan.failed.items():
            self.state.jobs.set_object(job.job_id, name, ObjectState.UNTOUCHED, 0, 0, message)
        self.store.begin(
            SnapshotPlan(
                snapshot=snapshot,
                org=self.org.name,
                org_id=self.org.org_id,
                job_id=job.job_id,
                created_at=self.clock.now(),
                objects={name: o.as_json() for name, o in plan.objects.items()},
                left_out=dict(plan.left_out),
                notes=(NO_BODIES,),
                api_version=self.org.api_version,
            )
        )
        self.state.jobs.update(job.job_id, snapshot=snapshot)
        return snapshot

    def _the_survey(self, job: Job) -> Discovery:
        if self._survey is None:
            options = job.options
            self._survey = Discovery(
                self.org,
                job.job_id,
                self.stop,
                options.get("objects"),
                options.get("exclude") or (),
            )
        return self._survey

    def _read(self, job: Job, snapshot: str) -> Scheduler:
        writer = self.store.reopen(snapshot)
        desk = UnitContext(self.org, writer, self._job_id, self.clock, self.stop, self._count)
        told = self.state.jobs.objects(self._job_id)
        self._calls = {name: entry.calls for name, entry in told.items()}
        schemas = self._schemas(job, writer)
        tracks = {
            name: _track(writer, name, schemas[name], plan)
            for name, plan in writer.plan.objects.items()
        }
        expected = {name: track.expected_rows for name, track in tracks.items()}
        left_out = dict(writer.plan.left_out)
        self._tell(events.JobPlanned(self._job_id, self.clock.now(), snapshot, expected, left_out))
        for track in tracks.values():
            entry = told.get(track.name)
            if entry is None or (entry.state, entry.rows) != (track.state, track.progress.rows):
                self._told(track)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="sfnb-unit") as executor:
            backup = Scheduler(desk, tracks, executor, self.workers, self._told, self._tick)
            backup.run()
        return backup

    def _schemas(self, job: Job, writer: Writer) -> dict[str, ObjectSchema | ObjectError]:
        """Each planned object's fields: from the snapshot, or where a kill came before they were written, asked."""
        described = self.store.snapshots[writer.snapshot]
        found: dict[str, ObjectSchema | ObjectError] = {}
        unknown = []
        for name in writer.plan.objects:
            if writer.schema(name) is None:
                unknown.append(name)
            else:
                found[name] = parse_schema(name, described.describe(name))
        for name, schema in self._the_survey(job).schemas(unknown).items():
            found[name] = schema
            if isinstance(schema, ObjectSchema):
                try:
                    writer.put_schema(name, arrow_schema(schema), schema.raw)
                except StoreError as err:
                    found[name] = ObjectError(str(err))
        return found

    def _count(self, name: str, calls: int) -> None:
        with self._counting:
            self._calls[name] = self._calls.get(name, 0) + calls

    def _told(self, track: ObjectRun) -> None:
        now = self.clock.now()
        calls = self._calls.get(track.name, 0)
        message = track.problem or track.left_out or None
        self.state.jobs.set_object(
            self._job_id, track.name, track.state, track.progress.rows, calls, message
        )
        if track.problem:
            self._tell(events.ObjectFailed(self._job_id, now, track.name, track.problem))
        elif track.left_out:
            self._tell(events.ObjectLeftOut(self._job_id, now, track.name, track.left_out))
        else:
            rows = track.progress.rows + track.progress.deleted
            self._tell(
                events.ObjectProgress(
                    self._job_id, now, track.name, track.state, rows, track.expected_rows, calls
                )
            )

    def _finish(self, backup: Scheduler) -> None:
        tracks = backup.tracks
        problems = {t.name: t.problem for t in tracks.values() if t.problem}
        left_out = {t.name: t.left_out for t in tracks.values() if t.left_out}
        for name, entry in self.state.jobs.objects(self._job_id).items():
            if name not in tracks and entry.message:
                problems[name] = entry.message  # not even described
        backup.desk.writer.seal(problems=problems, left_out=left_out)
        self.state.jobs.update(self._job_id, rows=sum(t.progress.rows for t in tracks.values()))
        self._set_state(JobState.COMPLETED_WITH_ERRORS if problems else JobState.COMPLETED)

    # pausing and going on

    def _tick(self) -> None:
        """Called often: keep the lease, hear what people want."""
        if self.stop.is_set():
            raise KeyboardInterrupt
        now_s = self.clock.monotonic()
        if self._lease and now_s - self._renewed_s >= LEASE_RENEWAL_S:
            self._lease.renew()
            self._renewed_s = now_s
        wanted = self.state.jobs.wanted(self._job_id)
        if wanted:
            raise StopSignal(wanted)

    def _obey(self, signal: StopSignal) -> bool:
        if signal.wanted == "cancel":
            return self._cancel()
        if self.stop.is_set():
            raise KeyboardInterrupt  # a unit heard of it first
        self._set_state(JobState.PAUSED, "paused by a person")
        if self.on_pause == "exit":
            self.state.jobs.want(self._job_id, None)
            return True
        while (wanted := self.state.jobs.wanted(self._job_id)) == "pause":
            self._wait(LOOK_S)
        if wanted == "cancel":
            return self._cancel()
        self._set_state(JobState.RUNNING)
        return False

    def _cancel(self) -> bool:
        snapshot = self._job().snapshot
        if snapshot:
            self.store.reopen(snapshot).seal("partial")
        self.state.jobs.want(self._job_id, None)
        self._set_state(JobState.CANCELLED, "cancelled by a person; what was read can be read")
        return True

    def _pause_for_quota(self, signal: QuotaSignal) -> bool:
        at = self.clock.now()
        pause = Pause(signal.api, at, None, signal.used, signal.maximum, signal.reason)
        self.state.jobs.add_pause(self._job_id, pause)
        waits = self.on_pause == "wait"
        self._set_state(JobState.PAUSED)
        next_check_at = at + timedelta(seconds=self.poll_s) if waits else None
        self._tell(events.JobPaused(self._job_id, at, pause, signal.threshold, next_check_at))
        if not waits:
            return True
        outcome = self._wait_for_calls(signal)
        if outcome == "cancel":
            return self._cancel()
        if outcome == "give up":
            return True
        resumed_at = self.clock.now()
        self.state.jobs.end_pause(self._job_id, resumed_at)
        self._set_state(JobState.RUNNING)
        done = Pause(pause.api, at, resumed_at, pause.used, pause.maximum, pause.reason)
        self._tell(events.JobResumed(self._job_id, resumed_at, done))
        return False

    def _wait_for_calls(self, signal: QuotaSignal) -> Literal["go on", "cancel", "give up"]:
        """Ask the org every ``poll_s``; in between, look whether the limit was raised or somebody wants to stop."""
        gate = self.org.gate
        price: Price = {signal.api: 1}  # type: ignore[dict-item]
        began_s = asked_s = self.clock.monotonic()
        limits = self.state.ledger.limit_percents(self.org.org_id)
        while True:
            self._wait(min(LOOK_S, self.poll_s))
            wanted = self.state.jobs.wanted(self._job_id)
            if wanted == "cancel":
                return "cancel"
            now_s = self.clock.monotonic()
            if now_s - asked_s >= self.poll_s:
                asked_s = now_s
                self._probe(signal)
                if wanted != "pause" and gate.is_clear(price):
                    return "go on"
            elif (changed := self.state.ledger.limit_percents(self.org.org_id)) != limits:
                limits = changed
                if wanted != "pause" and gate.is_clear(price):
                    return "go on"
            if self.max_wait_s is not None and now_s - began_s >= self.max_wait_s:
                return "give up"

    def _ask_limits(self, min_interval_s: float) -> None:
        """Read `/limits`, unless some process did within the interval. Cost: one call."""
        # An org that does not answer stays unknown, and unknown is not clear: the gate or the next probe asks again.
        with suppress(TransientError, ObjectError, QuotaSignal):
            if self.org.gate.claim_probe(min_interval_s):
                with call_context(job_id=self._job_id, object_name="", stop=self.stop):
                    self.org.limits()

    def _probe(self, signal: QuotaSignal) -> None:
        """One `/limits` call, the only one that may pass above the threshold; shared by all processes on the org."""
        # A little less than the interval, so that this process's own last probe is never in its way.
        self._ask_limits(self.poll_s * 0.9)
        standing = self.org.gate.standing().get(signal.api)  # type: ignore[call-overload]
        if standing is not None:
            now = self.clock.now()
            self._tell(
                events.QuotaChecked(
                    self._job_id,
                    now,
                    signal.api,
                    standing.used,
                    standing.maximum,
                    standing.lower_mark,
                    now + timedelta(seconds=self.poll_s),
                )
            )

    def _wait(self, seconds: float) -> None:
        if self.clock.wait(seconds, self.stop):
            raise KeyboardInterrupt
        self._keep_lease()

    def _keep_lease(self) -> None:
        now_s = self.clock.monotonic()
        if self._lease and now_s - self._renewed_s >= LEASE_RENEWAL_S:
            self._lease.renew()
            self._renewed_s = now_s


def _track(
    writer: Writer, name: str, schema: ObjectSchema | ObjectError, planned: Mapping[str, Any]
) -> ObjectRun:
    progress = writer.progress(name)
    track = ObjectRun(
        ObjectSchema(name, ()) if isinstance(schema, ObjectError) else schema,
        reader_of(progress.cursor or {}) or reader_of(planned) or "keyset",
        planned.get("expected_rows"),
        planned.get("mb", 0.0),
        planned.get("parent_field"),
        progress,
    )
    if isinstance(schema, ObjectError):
        track.problem = str(schema)
    return track
