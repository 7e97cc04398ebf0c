"""
Sending rows by a Bulk API 2.0 job: create, upload, close, look, and read what became of each row.

The job's id is noted before a row is uploaded. Nothing of a job is processed before it is closed, so
one that is found open holds no written row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from sfnb.errors import (
    AnswerLost,
    ObjectError,
    OrgUnavailable,
    QuotaSignal,
    SfnbError,
    StopSignal,
    TransientError,
)
from sfnb.org.writing import bulk2_ingest as bulk
from sfnb.org.writing.bulk2_ingest import IngestJob, ResultKind, Upload
from sfnb.org.writing.calls import NOT_SENT, RowResult
from sfnb.org.writing.trouble import remedy
from sfnb.restore.bulk_rows import (
    RowIndex,
    SentRows,
    canonical,
    canonical_keys,
    head,
    key_of,
    keys_again,
    line_cells,
    write_csv,
)
from sfnb.restore.journal import AGAIN, Act, Batch, Done, Outcome, Refused
from sfnb.restore.lookup import UNKNOWN_OUTCOME
from sfnb.restore.plan import Wave
from sfnb.restore.sending import DOUBLES, Item, Sender, is_given_twice

Reread = Callable[[Sequence[int]], Iterator[Item]]
"""The rows at these places again, in the same order and with the same values."""

KINDS: tuple[ResultKind, ...] = ("successfulResults", "failedResults", "unprocessedrecords")

TICK_S = 0.5
JOB_TRIES = 3
GONE = "NOT_FOUND"
UNREAD = "Unread"
"""The state of a job whose answers make no sense, however often it is asked."""


class BulkRefused(Exception):
    """The org takes no Bulk job for the object: the rows go by another way."""


@dataclass(frozen=True, slots=True)
class BulkSent:
    """
    What came of a job, by place in ``places``.

    Args:
        codes: of rows that go again because of a lock or a limit: code and message.
    """

    places: Sequence[int]
    outcomes: list[Outcome]
    codes: dict[int, tuple[str, str]]


@dataclass
class BulkSender:
    """Sends one job after another: never two at once, so that none waits for the other's locks."""

    sender: Sender
    most_bytes: int = bulk.MOST_BYTES
    _rows_per_s: float = bulk.LOOK_ROWS_PER_S

    def send(
        self,
        wave: Wave,
        act: Act,
        items: Iterable[Item],
        reread: Reread,
        *,
        most_rows: int | None = None,
    ) -> Iterator[BulkSent]:
        """
        Write all these rows, a job for each 100 MB of them.

        Cost: 5 API calls a job and 1 for each further look; 1 Bulk batch for 10,000 rows.

        Raises:
            BulkRefused: nothing of the next rows was sent.
        """
        has_id = act == "update"
        source = iter(items)
        first: Item | None = next(source, None)
        while first is not None:
            with TemporaryDirectory(prefix="sfnb-") as folder:
                path = Path(folder) / "rows.csv"
                sent, first = write_csv(
                    path,
                    chain([first], source),
                    wave.columns,
                    has_id=has_id,
                    most_bytes=self.most_bytes,
                    most_rows=most_rows,
                )
                result = self._send_file(wave, act, path, sent, reread)
            yield result

    def _send_file(
        self, wave: Wave, act: Act, path: Path, sent: SentRows, reread: Reread
    ) -> BulkSent:
        sender = self.sender
        for _ in range(JOB_TRIES):
            sender.guard()
            at = sender.org_now()
            batch = sender.journal.intend(wave.number, act, "bulk2", sent.places, at)
            if (uploaded := self._upload(wave, batch, path, sent)) is not None:
                return self._finish(wave, uploaded, sent, reread)
        raise BulkRefused(f"{wave.object_name}: the answers of Bulk jobs are lost again and again.")

    def _upload(self, wave: Wave, batch: Batch, path: Path, sent: SentRows) -> Batch | None:
        """The batch once its job has the rows; None: no row is in a job that may run."""
        org, journal = self.sender.context.client, self.sender.journal
        nothing: list[Outcome] = [AGAIN] * len(sent)
        try:
            operation: bulk.Operation = "update" if batch.act == "update" else "insert"
            job_id = bulk.create_job(org, wave.object_name, operation)
        except AnswerLost:
            journal.close(batch, nothing)  # whatever was created has no data
            return None
        except NOT_SENT:
            journal.close(batch, nothing)
            raise
        except ObjectError as err:
            journal.close(batch, nothing)
            raise BulkRefused(str(err)) from err
        batch = journal.note_job(batch, job_id)
        self.sender.guard()
        try:
            bulk.upload(org, job_id, Upload(path, len(sent)))
        except (AnswerLost, ObjectError):
            # Nobody knows whether the job has the rows, and a second upload may not be allowed.
            if bulk.abort_job(org, job_id).is_over:
                journal.close(batch, nothing)
                return None
            raise
        return batch

    # closing and looking

    def resume(self, wave: Wave, batch: Batch, reread: Reread) -> BulkSent:
        """Go on with a job that an earlier run has created; open ones are aborted."""
        sent = keys_again(reread(batch.places), wave.columns, has_id=batch.act == "update")
        nothing: list[Outcome] = [AGAIN] * len(sent)
        if not batch.bulk_job:
            self.sender.journal.close(batch, nothing)
            return BulkSent(batch.places, nothing, {})
        org = self.sender.context.client
        try:
            job = self._looked_at(batch.bulk_job)
            if job.is_open:
                job = bulk.abort_job(org, batch.bulk_job)
                if job.state == "Aborted":
                    self.sender.journal.close(batch, nothing)
                    return BulkSent(batch.places, nothing, {})
            job = self._waited(job, len(sent))
        except ObjectError as err:
            if err.code != GONE:
                raise
            job = IngestJob(batch.bulk_job, "Gone")
        return self._settled(wave, batch, job, sent, reread)

    def _finish(self, wave: Wave, batch: Batch, sent: SentRows, reread: Reread) -> BulkSent:
        org = self.sender.context.client
        self.sender.guard()
        try:
            job = bulk.close_job(org, batch.bulk_job)
        except (AnswerLost, ObjectError):
            job = bulk.fetch_job(org, batch.bulk_job)
            if job.is_open:
                job = bulk.close_job(org, batch.bulk_job)
        return self._settled(wave, batch, self._waited(job, len(sent)), sent, reread)

    def _waited(self, job: IngestJob, rows: int) -> IngestJob:
        """The job once it is over, however."""
        clock, stop = self.sender.context.clock, self.sender.context.stop
        began_s = clock.monotonic()
        while not (job.is_over or job.state == UNREAD):
            age_s = clock.monotonic() - began_s
            wait_s = bulk.next_look_s(rows, age_s, job.processed, self._rows_per_s)
            until_s = clock.monotonic() + wait_s
            while (rest_s := until_s - clock.monotonic()) > 0:
                if clock.wait(min(rest_s, TICK_S), stop):
                    raise StopSignal("pause")
                self.sender.tick()
            job = self._looked_at(job.job_id)
        if (took_s := clock.monotonic() - began_s) > 0 and job.is_over:
            self._rows_per_s = max(rows / took_s, 1.0)
        return job

    def _looked_at(self, job_id: str) -> IngestJob:
        """The job as it stands; one of which no answer can be read is over for us."""
        try:
            return bulk.fetch_job(self.sender.context.client, job_id)
        except OrgUnavailable:
            raise
        except TransientError as err:
            return IngestJob(job_id, UNREAD, error=str(err))

    # results

    def _settled(
        self, wave: Wave, batch: Batch, job: IngestJob, sent: SentRows, reread: Reread
    ) -> BulkSent:
        """Each row's outcome, by its own line in a result file. The job's counters prove nothing."""
        results = self._believed(batch, self._results(wave, batch, job, sent, reread))
        outcomes: list[Outcome] = [AGAIN] * len(sent)
        codes: dict[int, tuple[str, str]] = {}
        unknown: list[int] = []
        doubles: list[int] = []
        for at, result in enumerate(results):
            if result is None:
                unknown.append(at)
            elif result.state == "done":
                outcomes[at] = Done(result.record_id)
            elif result.state == "refused":
                if remedy(result.code, result.message) != "none":
                    codes[at] = (result.code, result.message)
                else:
                    outcomes[at] = Refused(result.code, result.message, result.fields)
                    if batch.act == "create" and result.code in DOUBLES:
                        doubles.append(at)
        if doubles:
            items = list(reread([sent.places[at] for at in doubles]))
            since = self.sender.journal.began_at or batch.at
            ours = self.sender.lookup.doubles(wave, items, since)
            for at, one in zip(doubles, ours, strict=True):
                outcomes[at] = one or outcomes[at]
        if job.state == "Failed" and not any(o != AGAIN for o in outcomes):
            # A whole job fails for a column or for time; only rows by themselves tell which.
            codes |= {at: ("JOB_FAILED", job.error) for at in range(len(sent)) if at not in codes}
        if unknown:
            items = list(reread([sent.places[at] for at in unknown]))
            is_over = job.state != UNREAD
            found = self.sender.lookup.find(batch, wave, items, is_over=is_over)
            for at, outcome in zip(unknown, found, strict=True):
                # A job of which nothing can be read may still be at work: its rows stay unknown.
                lost = Refused(UNKNOWN_OUTCOME, f"the Bulk job cannot be read: {job.error}")
                outcomes[at] = lost if outcome == AGAIN and not is_over else outcome
        self.sender.journal.close(batch, outcomes)
        return BulkSent(sent.places, outcomes, codes)

    def _believed(
        self, batch: Batch, results: list[RowResult | None]
    ) -> Sequence[RowResult | None]:
        """The results; none where they are another job's: nobody knows what this one has done."""
        done = (r.record_id for r in results if r is not None and r.state == "done")
        is_others = batch.act == "create" and is_given_twice(done, self.sender.lookup.claimed)
        return [None] * len(results) if is_others else results

    def _results(
        self, wave: Wave, batch: Batch, job: IngestJob, sent: SentRows, reread: Reread
    ) -> list[RowResult | None]:
        """
        What each row's line says: done, refused, or (state ``unknown``) not processed; None: no
        line. The other files are not read once every row has a line.
        """
        found: list[RowResult | None] = [None] * len(sent)
        if job.state in ("Gone", UNREAD):
            return found
        has_id = batch.act == "update"
        columns = head(wave.columns, has_id=has_id)
        org = self.sender.context.client
        for kind in KINDS:
            if all(found):
                break

            def once(
                kind: ResultKind = kind, before: Sequence[RowResult | None] = tuple(found)
            ) -> list[RowResult | None]:
                taken = list(before)
                index = sent.index(at for at, result in enumerate(taken) if result is None)
                strays: list[tuple[list[str], RowResult]] = []
                for line in bulk.results(org, job.job_id, kind, columns):
                    row = line_cells(line.cells, wave.columns, has_id=has_id)
                    at = index.take(key_of(row, has_id=has_id))
                    if kind != "unprocessedrecords" and line.result.state == "unknown":
                        continue  # said to be written, without an Id: it is looked up
                    if at is None:
                        strays.append((row, line.result))
                    else:
                        taken[at] = line.result
                if strays:
                    self._place(strays, taken, wave, sent, reread, has_id=has_id)
                return taken

            try:
                found = org.retrying(once)
            except OrgUnavailable:
                raise
            except (ObjectError, TransientError):
                # A file that is gone, or that nobody can read however often it tries, names
                # no row: the rows it leaves open are looked up in the org.
                continue
        return found

    def _place(
        self,
        strays: Sequence[tuple[list[str], RowResult]],
        taken: list[RowResult | None],
        wave: Wave,
        sent: SentRows,
        reread: Reread,
        *,
        has_id: bool,
    ) -> None:
        """Lines that no row is like to the letter, by what their cells mean."""
        left = [at for at, result in enumerate(taken) if result is None]
        items = reread([sent.places[at] for at in left])
        keys = canonical_keys(items, wave.columns, has_id=has_id)
        index = RowIndex(zip(left, keys, strict=True))
        for row, result in strays:
            at = index.take(key_of(canonical(row), has_id=has_id))
            if at is not None:
                taken[at] = result

    def abort(self, batch: Batch) -> bool:
        """Ask the org to stop a job; whether it was reached."""
        with suppress(QuotaSignal, SfnbError):
            return bulk.abort_job(self.sender.context.client, batch.bulk_job).is_over
        return False
