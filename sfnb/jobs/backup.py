"""
Reading all objects of one snapshot: which unit runs next, and what its outcome means.

One thread decides (`Backup.run`); units run on an executor and commit what they read. All that must survive a kill
is in the store: a new `Backup` over the same snapshot goes on from there, which is also how a pause resumes.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sfnb.errors import JobError, ObjectError, QuotaSignal, ResultsGone, StopSignal, TransientError
from sfnb.jobs import plan as planning
from sfnb.jobs.bulk import BulkReading
from sfnb.jobs.object_run import ObjectRun
from sfnb.jobs.unit_context import UnitContext
from sfnb.jobs.units import (
    KeysetPage,
    PageOutcome,
    TooLarge,
    create_bulk_job,
    poll_bulk_job,
    read_bulk_page,
    read_by_locators,
    read_by_parents,
    read_keyset_pages,
    read_parent_ids,
)
from sfnb.store.log import Progress
from sfnb.store.parts import Part

EXHAUSTED_LIMIT = 3
"""Units in a row that failed after all their retries: then it is not the object, the org is away."""

RESTARTS_LIMIT = 2
"""How often one object is started again because its results are gone or its row count does not agree."""

OPEN_JOBS = 8
"""Bulk jobs of ours that the org works on at a time: polling one that only waits in its queue is a call for nothing."""

TICK_S = 0.5
"""At least so often the loop looks whether somebody wants the job to pause or end."""


@dataclass
class Scheduler:
    """
    The reading of one snapshot's objects.

    Args:
        desk: what the units work with.
        tracks: every object of the plan, at the point where the store says it is.
        executor: where units run; ``slots`` of them at a time.
        told: called after each change of an object.
        tick: called every half second; raises StopSignal when somebody wants the job to stop.
    """

    desk: UnitContext
    tracks: dict[str, ObjectRun]
    executor: Executor
    slots: int
    told: Callable[[ObjectRun], None]
    tick: Callable[[], None]
    _busy: dict[Future[Any], Callable[[Any], None]] = field(default_factory=dict)
    _owner: dict[Future[Any], tuple[str, ...]] = field(default_factory=dict)
    _page_of: dict[Future[Any], BulkReading] = field(default_factory=dict)
    _rest: deque[str] = field(default_factory=deque)
    _rest_busy: int = 0
    _single: deque[str] = field(default_factory=deque)
    _bulk: dict[str, BulkReading] = field(default_factory=dict)
    _bulk_waiting: deque[str] = field(default_factory=deque)
    _parents: deque[str] = field(default_factory=deque)
    _parent_ids: dict[str, list[str]] = field(default_factory=dict)
    _stopped_by: BaseException | None = None
    _exhausted: int = 0

    def run(self) -> None:
        """
        Read until every object is complete, failed or left out.

        Raises:
            QuotaSignal, StopSignal: the job has to pause or stop; what was read is committed, nothing is under way.
            JobError: the job cannot go on, likewise.
        """
        for track in sorted(self.tracks.values(), key=lambda t: -(t.expected_rows or 0)):
            if not (track.progress.is_done or track.problem or track.left_out):
                self._enqueue(track)
        try:
            while self._stopped_by is None and self._has_work():
                self.tick()
                self._submit()
                self._collect(self._timeout_s())
        except (StopSignal, KeyboardInterrupt) as stop:
            self._stopped_by = stop
            if isinstance(stop, KeyboardInterrupt) or stop.wanted != "pause":
                self.desk.stop.set()
        while self._busy:
            with contextlib.suppress(KeyboardInterrupt):
                self._collect(None)
        if self._stopped_by is not None:
            raise self._stopped_by

    # what runs next

    def _enqueue(self, track: ObjectRun) -> None:
        # Restarting, resuming and changing readers all end here: the reader and the cursor say what comes next.
        if track.reader == "bulk2":
            self._bulk_waiting.append(track.name)
        elif track.reader == "by_parent":
            self._parents.append(track.name)
        elif track.reader == "locator":
            self._single.append(track.name)
        elif track.cursor.get("after"):
            self._rest.appendleft(track.name)
        else:
            self._rest.append(track.name)

    def _has_work(self) -> bool:
        queues = (
            self._busy,
            self._rest,
            self._single,
            self._bulk,
            self._bulk_waiting,
            self._parents,
        )
        return any(queues)

    def _timeout_s(self) -> float:
        now = self.desk.clock.monotonic()
        return max(
            0.0, min([TICK_S, *(b.poll_at - now for b in self._bulk.values() if b.is_polling)])
        )

    def _free(self) -> int:
        return self.slots - sum(1 for future in self._busy if future in self._owner)

    def _submit(self) -> None:
        while self._bulk_waiting and self._free() > 0 and len(self._bulk) < OPEN_JOBS:
            self._start_bulk(self.tracks[self._bulk_waiting.popleft()])
        now = self.desk.clock.monotonic()
        for name, reading in list(self._bulk.items()):
            if reading.is_polling and now >= reading.poll_at and self._free() > 0:
                reading.poll_at = float("inf")
                track = self.tracks[name]
                self._unit(
                    (name,),
                    partial(poll_bulk_job, self.desk, name, reading.job),
                    partial(self._polled, track),
                )
            elif reading.wants_page() and self._free() > 0:
                self._start_page(self.tracks[name], reading)
        # A call that carries fewer than five pages wastes its places: wait for those under way, unless none is.
        full = planning.QUERIES_PER_CALL
        while self._rest and self._free() > 0 and (len(self._rest) >= full or not self._rest_busy):
            group = [self.tracks[self._rest.popleft()] for _ in range(min(full, len(self._rest)))]
            pages = [self._next_page(track) for track in group]
            self._rest_busy += 1
            self._unit(
                tuple(t.name for t in group),
                partial(read_keyset_pages, self.desk, pages),
                self._pages_read,
            )
        while self._single and self._free() > 0:
            track = self.tracks[self._single.popleft()]
            unit = partial(read_by_locators, self.desk, track.schema, self._started_at(track))
            self._unit((track.name,), unit, partial(self._advanced, track))
        if not (self._busy or self._rest or self._bulk) and self._parents:
            track = self.tracks[self._parents.popleft()]
            if not (track.problem or track.left_out):
                self._start_parents(track)

    def _next_page(self, track: ObjectRun) -> KeysetPage:
        large_from = None if track.bulk_refusal else planning.BULK_FROM_ROWS
        return KeysetPage(
            track.schema, track.cursor.get("after", ""), self._started_at(track), large_from
        )

    def _started_at(self, track: ObjectRun) -> str:
        now = self.desk.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return str(track.cursor.get("started_at") or now)

    def _unit(
        self, names: tuple[str, ...], fn: Callable[[], Any], then: Callable[[Any], None]
    ) -> None:
        future = self.executor.submit(fn)
        self._busy[future] = then
        self._owner[future] = names

    # what an outcome means

    def _collect(self, timeout_s: float | None) -> None:
        if not self._busy:
            self.desk.clock.wait(timeout_s or 0.0)
            return
        done, _ = wait(self._busy, timeout=timeout_s, return_when=FIRST_COMPLETED)
        for future in done:
            then = self._busy.pop(future)
            names = self._owner.pop(future, ())
            if not names and future.exception() is not None:
                continue  # a locator that never came: its page tells why
            reading = self._page_of.pop(future, None)
            if reading is not None and self._bulk.get(names[0]) is not reading:
                continue  # a page of a reading that was started again meanwhile: it belongs to nothing
            if getattr(then, "func", then) == self._pages_read:
                self._rest_busy -= 1
            try:
                then(future.result())
                self._exhausted = 0
            except QuotaSignal as signal:
                self._over(signal, names)
            except StopSignal as signal:
                self._stopped_by = self._stopped_by or signal
            except ResultsGone as gone:
                self._again(self.tracks[names[0]], str(gone))
            except ObjectError as err:
                for name in names:
                    self._refused(self.tracks[name], err)
            except TransientError as err:
                self._give_way([self.tracks[name] for name in names], err)
            except JobError as err:
                self._stopped_by = self._stopped_by or err

    def _over(self, signal: QuotaSignal, names: tuple[str, ...]) -> None:
        """The gate is closed; but where the org has no such Bulk budget at all, there is nothing to wait for."""
        if (
            signal.api in ("bulk2", "bulk2_mb")
            and signal.maximum < 0
            and self.tracks[names[0]].reader == "bulk2"
        ):
            self._refused(self.tracks[names[0]], ObjectError(signal.reason, code="NO_BUDGET"))
        else:
            self._stopped_by = self._stopped_by or signal

    def _give_way(self, tracks: list[ObjectRun], err: TransientError) -> None:
        self._exhausted += 1
        if self._exhausted >= EXHAUSTED_LIMIT:
            text = f"the org does not answer as it should, several times over: {err} `sfnb resume` goes on later."
            self._stopped_by = self._stopped_by or JobError(text)
        for track in tracks:
            track.restarts += 1
            if track.restarts > RESTARTS_LIMIT:
                self._fail(track, f"{err} It was tried again {RESTARTS_LIMIT} times.")
            else:
                self._bulk.pop(track.name, None)
                self._enqueue(track)

    def _fail(self, track: ObjectRun, message: str) -> None:
        track.problem = message if message.startswith(track.name) else f"{track.name}: {message}"
        self._bulk.pop(track.name, None)
        self.told(track)

    def _refused(self, track: ObjectRun, err: ObjectError) -> None:
        """The org refused a query of this object: another reader, a reason to leave it out, or a failure."""
        message = str(err)
        if track.reader == "bulk2":
            if track.progress.parts:
                track.progress = self.desk.writer.restart(track.name, {})
            track.bulk_refusal = message
            self._change_reader(track, "keyset")
        elif track.reader == "keyset" and err.code == "UNORDERED":
            track.progress = self.desk.writer.restart(track.name, {})
            self._change_reader(track, "locator")
        elif track.reader == "keyset" and planning.is_filter_refusal(message):
            lookup = planning.filter_field(message, track.schema)
            if lookup is None:
                self._leave_out(track, message)
            else:
                track.parent_field = lookup
                self._change_reader(track, "by_parent")
        elif planning.is_structural_refusal(err.code, message):
            self._leave_out(track, message)
        else:
            self._fail(track, message)

    def _leave_out(self, track: ObjectRun, reason: str) -> None:
        track.left_out = reason.removeprefix(f"{track.name}: ")
        self.told(track)

    def _change_reader(self, track: ObjectRun, reader: str) -> None:
        self._bulk.pop(track.name, None)
        track.reader = reader
        self._enqueue(track)

    def _again(self, track: ObjectRun, why: str) -> None:
        """Start an object over: what this snapshot has of it is taken out in one commit."""
        track.restarts += 1
        if track.restarts > RESTARTS_LIMIT:
            self._fail(track, f"{why} It was started again {RESTARTS_LIMIT} times.")
            return
        self._bulk.pop(track.name, None)
        track.progress = self.desk.writer.restart(track.name, {})
        self.told(track)
        self._enqueue(track)

    def _advanced(self, track: ObjectRun, progress: Progress) -> None:
        track.progress = progress
        self.told(track)

    def _pages_read(self, outcomes: dict[str, PageOutcome]) -> None:
        for name, outcome in outcomes.items():
            track = self.tracks[name]
            if isinstance(outcome, ObjectError):
                self._refused(track, outcome)
            elif isinstance(outcome, TransientError):
                self._give_way([track], outcome)
            elif isinstance(outcome, TooLarge):
                track.expected_rows = outcome.total
                self._change_reader(track, "bulk2")
            else:
                self._advanced(track, outcome)
                if not outcome.is_done:
                    self._enqueue(track)

    # Bulk 2

    def _start_bulk(self, track: ObjectRun) -> None:
        if job := track.cursor.get("job"):
            reading = BulkReading(job, track.cursor["locator"], self.desk.clock.monotonic())
            self._bulk[track.name] = reading
        else:
            unit = partial(create_bulk_job, self.desk, track.schema, self._started_at(track))
            self._unit((track.name,), unit, partial(self._created, track))

    def _created(self, track: ObjectRun, progress: Progress) -> None:
        self._advanced(track, progress)
        now = self.desk.clock.monotonic()
        self._bulk[track.name] = BulkReading.created(track.cursor["job"], now)

    def _polled(self, track: ObjectRun, job: Any) -> None:
        reading = self._bulk[track.name]
        if job.state == "JobComplete":
            reading.complete(job.rows)
            track.expected_rows = job.rows if job.rows is not None else track.expected_rows
        elif job.state in ("Failed", "Aborted"):
            if track.progress.parts or track.restarts:
                raise ResultsGone(
                    f"{track.name}: its Bulk job is {job.state.lower()} ({job.error or 'no reason given'})."
                )
            raise ObjectError(
                f"{track.name}: its Bulk job {job.state.lower()} ({job.error or 'no reason given'})."
            )
        else:
            reading.wait(self.desk.clock.monotonic())

    def _start_page(self, track: ObjectRun, reading: BulkReading) -> None:
        opened: Future[str | None] = Future()
        locator = reading.take_locator()
        unit = partial(
            read_bulk_page,
            self.desk,
            track.schema,
            reading.job,
            locator,
            opened,
            expected_mb=track.page_mb,
        )
        future = self.executor.submit(unit)
        reading.pages.append((future, opened))
        self._busy[opened] = reading.offer
        self._busy[future] = lambda _outcome: self._commit_pages(track, reading)
        self._owner[future] = (track.name,)
        self._page_of[future] = reading

    def _commit_pages(self, track: ObjectRun, reading: BulkReading) -> None:
        """Commit the pages that are here, in their order: the cursor is the next page's locator."""
        while reading.pages and reading.pages[0][0].done():
            page, opened = reading.pages.popleft()
            part, _rows = page.result()
            following = opened.result()
            cursor = track.cursor | {
                "locator": following or "",
                "pages": track.cursor.get("pages", 0) + 1,
            }
            is_last = following is None
            if is_last and (wrong := self._wrong_count(track, reading, part)):
                raise ResultsGone(wrong)
            progress = self.desk.writer.commit(
                track.name, [part] if part else [], cursor, is_done=is_last
            )
            self._advanced(track, progress)
            if is_last:
                del self._bulk[track.name]

    def _wrong_count(self, track: ObjectRun, reading: BulkReading, part: Part | None) -> str:
        stored = (
            track.progress.rows + track.progress.deleted + (part.rows + part.deleted if part else 0)
        )
        if reading.told_rows is None or stored == reading.told_rows:
            return ""
        return f"{track.name}: the Bulk job told {reading.told_rows:,} rows and its pages had {stored:,}."

    # objects that want a filter

    def _start_parents(self, track: ObjectRun) -> None:
        field_name = track.parent_field or ""
        parents = next(f.reference_to for f in track.schema.fields if f.name == field_name)
        for parent in parents:
            if parent not in self._parent_ids:
                known = self.tracks.get(parent)
                if known and known.progress.is_done:
                    self._parent_ids[parent] = self.desk.writer.ids(parent)
                else:
                    self._parents.appendleft(track.name)
                    listing = partial(read_parent_ids, self.desk, parent, track.name)
                    self._unit(
                        (track.name,), listing, partial(self._parent_ids.__setitem__, parent)
                    )
                    return
        ids = sorted({i for parent in parents for i in self._parent_ids[parent]})
        ids = [i for i in ids if i > track.cursor.get("after", "")]
        size, full = planning.PARENTS_PER_QUERY, planning.QUERIES_PER_CALL
        now, later = ids[: size * full], ids[size * full :]
        slices = [now[i : i + size] for i in range(0, len(now), size)]
        cursor = {
            "reader": "by_parent",
            "after": now[-1] if now else "",
            "started_at": self._started_at(track),
        }
        unit = partial(
            read_by_parents, self.desk, track.schema, field_name, slices, cursor, is_last=not later
        )
        self._unit((track.name,), unit, partial(self._parents_read, track))

    def _parents_read(self, track: ObjectRun, progress: Progress) -> None:
        self._advanced(track, progress)
        if not progress.is_done:
            self._parents.appendleft(track.name)
