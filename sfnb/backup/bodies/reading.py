"""All bodies of one snapshot: those that the store holds already cost nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from typing import Any

from sfnb.backup.bodies.confirming import changed_meanwhile
from sfnb.backup.bodies.receiving import Received, receive
from sfnb.errors import OrgUnavailable, QuotaSignal, SfnbError, StopSignal
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import Price
from sfnb.org.away import is_away
from sfnb.org.transport import call_context
from sfnb.store.bodies.content import EMPTY_SHA256, Contents
from sfnb.store.bodies.fields import Body
from sfnb.store.bodies.index import Entry, IndexWriter, Lookup, snapshot_entries
from sfnb.store.bodies.records import bodies_of, fields_of
from sfnb.store.snapshots import Snapshot

COMMIT_BODIES = 100
"""After so many bodies the index is written: a kill costs at most so many calls a second time."""

COMMIT_S = 20.0

TICK_S = 0.5

EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@dataclass
class BodyTotals:
    """
    What a snapshot has of its files.

    Args:
        known: bodies that its records name.
        fetched, bytes: bodies that this job has fetched, and their size.
        missing: bodies that were not obtained; the next backup tries again.
        calls: API calls that this job has spent on them.
        reasons: of some of the missing ones, in sentences.
    """

    known: int = 0
    fetched: int = 0
    bytes: int = 0
    missing: int = 0
    calls: int = 0
    reasons: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def is_patient(why: BaseException | None) -> bool:
    """Whether bodies in flight, which are paid for, may come to their end before the job stops."""
    return (
        why is None
        or isinstance(why, QuotaSignal)
        or (isinstance(why, StopSignal) and why.wanted == "pause")
    )


@dataclass
class BodyReading:
    """
    The bodies of one snapshot's records. For one run of a job; a new one goes on where it stopped.

    Args:
        objects: the objects whose rows are complete.
        budget: bodies that may be asked for in this job; the others stay missing until the next
            one.
        totals: what came of it; complete when ``run`` has returned.
    """

    context: JobContext
    snapshot: Snapshot
    objects: Iterable[str]
    budget: int
    totals: BodyTotals = field(default_factory=BodyTotals)
    _flights: dict[Future[Received], Body] = field(default_factory=dict)
    _entries: list[Entry] = field(default_factory=list)
    _stopped_by: BaseException | None = None
    _committed_at_s: float = 0.0

    def run(self, tick: Tick) -> None:
        """
        Fetch what the store does not hold.

        Cost: one call for each new body; see ``receive``.

        Raises:
            QuotaSignal, StopSignal, OrgUnavailable: the job has to pause or end. What was received
                is kept and indexed.
            JobError: the job cannot go on, likewise.
        """
        files = self.snapshot.files
        self._index = IndexWriter(files, self.snapshot.id)
        self._committed_at_s = self.context.clock.monotonic()
        self._count_earlier()
        stop = threading.Event()
        with (
            Lookup(files) as lookup,
            ThreadPoolExecutor(self.context.workers, thread_name_prefix="sfnb-body") as pool,
        ):
            self._lookup = lookup
            lookup.look_at_contents()
            try:
                self._submit_all(pool, stop, tick)
            except (QuotaSignal, StopSignal, KeyboardInterrupt, SfnbError) as err:
                self._stopped_by = self._stopped_by or err
            if not is_patient(self._stopped_by):
                stop.set()
            while self._flights:
                self._collect(None)
            self._commit()
        if self._stopped_by is not None:
            raise self._stopped_by
        self._confirm()
        self._index.close()

    def _confirm(self) -> None:
        """Bodies without a checksum are those of their records only if these have not changed since."""
        context = self.context
        asked = [
            entry
            for entry in snapshot_entries(self.snapshot.files, self.snapshot.id)
            if entry.is_asked and entry.state == "held" and not entry.md5
        ]
        fields = {
            (f.object_name, f.field): f for n in self.objects for f in fields_of(self.snapshot, n)
        }
        spent: list[Price] = []
        with call_context(
            job_id=context.job_id, object_name="", on_call=spent.append, stop=context.stop
        ):
            changed = changed_meanwhile(context.client, asked, fields)
        self.totals.calls += sum(price.get("api", 0) for price in spent)
        self.totals.missing += len(changed)
        self.totals.reasons += [entry.reason for entry in changed][:20]
        self._index.add(changed)

    def _count_earlier(self) -> None:
        """What this job had asked for before it paused or was killed."""
        for entry in snapshot_entries(self.snapshot.files, self.snapshot.id):
            if entry.is_asked and entry.state == "held":
                self._count(entry)
            self.budget -= entry.is_asked

    def _count(self, entry: Entry) -> None:
        self.totals.fetched += 1
        self.totals.bytes += entry.size or 0

    # asking

    def _bodies(self) -> Iterator[Body]:
        for name in self.objects:
            yield from bodies_of(self.snapshot, name)

    def _submit_all(self, pool: ThreadPoolExecutor, stop: threading.Event, tick: Tick) -> None:
        contents, context = Contents(self.snapshot.files), self.context
        for body in self._bodies():
            tick()
            if self._is_settled(body):
                continue
            if self.budget <= 0:
                self.totals.missing += 1
                continue
            self.budget -= 1
            future = pool.submit(
                receive, context.client, contents, body, job_id=context.job_id, stop=stop
            )
            self._flights[future] = body
            while len(self._flights) >= 2 * context.workers:
                tick()
                self._collect(TICK_S)
            if self._stopped_by is not None:
                return
        while self._flights and self._stopped_by is None:
            tick()
            self._collect(TICK_S)

    def _is_settled(self, body: Body) -> bool:
        """Whether nothing has to be asked: there is no body, or the store holds it."""
        found = self._lookup.entry(body)
        if body.is_outside:
            if found is None or found.state != "outside":
                self._keep(Entry.of(body, "outside"))
            return True
        self.totals.known += 1
        if found is not None and found.state == "held":
            return True
        if sha256 := self._lookup.same_content(body):
            self._keep(Entry.of(body, "held", sha256=sha256))
            return True
        if body.size == 0 and body.md5 in ("", EMPTY_MD5):
            # A file of no bytes is held like any other, but nobody needs to ask for them.
            with Contents(self.snapshot.files).receive() as sink:
                sink.keep()
            self._lookup.note_content(EMPTY_SHA256, 0)
            self._keep(Entry.of(body, "held", sha256=EMPTY_SHA256))
            return True
        return False

    # what came back

    def _collect(self, timeout_s: float | None) -> None:
        done, _ = wait(self._flights, timeout_s, FIRST_COMPLETED)
        for future in done:
            del self._flights[future]
            err = future.exception()
            if err is not None:
                self._stopped_by = self._stopped_by or err
            else:
                self._received(future.result())
        if self.context.clock.monotonic() - self._committed_at_s > COMMIT_S:
            self._commit()

    def _received(self, came: Received) -> None:
        entry = came.entry
        self.totals.calls += came.calls
        if came.is_away and is_away(self.context.client):
            # Nothing is said of the body: the job waits until somebody answers.
            self._stopped_by = self._stopped_by or OrgUnavailable(entry.reason)
            return
        if entry.state == "held":
            self._lookup.note_content(entry.sha256, entry.size or 0)
            self._count(entry)
        else:
            self.totals.missing += 1
            self.totals.reasons = [*self.totals.reasons, entry.reason][:20]
        self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._lookup.add([entry])
        if len(self._entries) >= COMMIT_BODIES:
            self._commit()

    def _commit(self) -> None:
        self._index.add(self._entries)
        self._entries = []
        self._committed_at_s = self.context.clock.monotonic()
