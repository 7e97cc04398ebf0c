# ruff: noqa: S608 - SOQL of described names and of Ids
"""
Deleting records by their Ids, into the recycle bin: noted, sent once, noted again. An answer that is
lost is followed by a look into the org.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sfnb.archive.folder import Delete, JobFolder
from sfnb.errors import (
    AnswerLost,
    ObjectError,
    StopSignal,
)
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import Price
from sfnb.org.answers import text_of
from sfnb.org.transport import call_context
from sfnb.org.writing import collections
from sfnb.org.writing.calls import NOT_SENT, RowResult, refused_all
from sfnb.org.writing.trouble import remedy, smaller, tries_alone, wait_before
from sfnb.restore.present import IDS_PER_QUERY, PresentReader, slices
from sfnb.store.files import Files

ALREADY_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"})
"""Of a record that went with another one, or that somebody else has deleted."""

Outcomes = dict[str, tuple[str, str] | None]


@dataclass
class Deleter:
    """
    Deletes for one job. One thread uses it; call ``take_up`` first.

    Args:
        has_flag: whether an object's records have IsDeleted.
        fence: raises LeaseLost where another process runs the job.
        settle_s: how old a call must be before nothing of it can appear any more.

    Attributes:
        gone: records that this job has deleted, as far as it named them. ``sent_us``: when, by the
            org's clock, not later than it was. ``counted``: all that went, also along with others.
        refused: by Id, code and message.
        calls: API calls, by object.
    """

    context: JobContext
    folder: JobFolder
    has_flag: Callable[[str], bool]
    tick: Tick
    fence: Callable[[], None]
    settle_s: float = 60.0
    gone: set[str] = field(default_factory=set)
    sent_us: dict[str, int] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    _next: int = 1

    def __contains__(self, record_id: object) -> bool:
        """Whether this job has deleted a record, or it went along with one."""
        return record_id in self.gone or record_id in self.counted

    def take_up(self) -> None:
        """
        Learn what earlier runs have deleted; what they did not live to note is looked up.

        Cost: 1 API call for 2,000 records of unknown fate.
        """
        for delete in self.folder.deletes():
            self._next = max(self._next, delete.number + 1)
            known = delete
            if delete.outcomes is None:
                known = self._close(delete, self._looked_up(delete))
            self._learn(known)

    def delete(self, object_name: str, ids: Sequence[str]) -> None:
        """
        Delete these records; ``gone`` and ``refused`` say what came of it.

        Cost: 1 API call for 200.
        """
        todo = [i for i in ids if i not in self.gone]
        for record_id in todo:
            self.refused.pop(record_id, None)
        size, attempt, alone = collections.MOST_RECORDS, 0, Counter[str]()
        while todo:
            again: dict[str, tuple[str, str]] = {}
            for some in slices(todo, size):
                again |= self._one_call(object_name, some)
            if not again:
                return
            attempt += 1
            if size == 1:
                alone.update(again.keys())
                for record_id, why in list(again.items()):
                    if alone[record_id] >= tries_alone(*why):
                        self.refused[record_id] = again.pop(record_id)
            size = smaller(size)
            todo = list(again)
            if todo:
                self._wait(wait_before(attempt))

    def _one_call(self, object_name: str, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """One call; what is to be sent again, and why."""
        self._guard()
        delete = self._intend(object_name, ids)
        outcomes: Outcomes = {}
        again: dict[str, tuple[str, str]] = {}
        try:
            with self._booked(object_name):
                results = collections.delete(self.context.client, ids)
        except NOT_SENT:
            self._close(delete, {})
            raise
        except AnswerLost:
            outcomes = self._looked_up(delete)
            again = {i: ("OUTCOME_UNKNOWN", "") for i in ids if i not in outcomes}
        except ObjectError as err:
            results = refused_all(err, err.code, len(ids))
            outcomes, again = self._judged(object_name, ids, results)
        else:
            outcomes, again = self._judged(object_name, ids, results)
        self._learn(self._close(delete, outcomes))
        return again

    def _judged(
        self, object_name: str, ids: Sequence[str], results: Sequence[RowResult]
    ) -> tuple[Outcomes, dict[str, tuple[str, str]]]:
        outcomes: Outcomes = {}
        again: dict[str, tuple[str, str]] = {}
        unknown = []
        for record_id, result in zip(ids, results, strict=True):
            why = (result.code, result.message)
            if result.state == "done":
                outcomes[record_id] = None
            elif result.state == "unknown" or result.code in ALREADY_GONE:
                unknown.append((record_id, why))
            elif remedy(*why) != "none":
                again[record_id] = why
            else:
                outcomes[record_id] = why
        if unknown:
            alive = self.alive(object_name, [i for i, _ in unknown])
            for record_id, why in unknown:
                if record_id not in alive:
                    outcomes[record_id] = None
                elif why[0] in ALREADY_GONE:
                    outcomes[record_id] = why
                else:
                    again[record_id] = ("OUTCOME_UNKNOWN", "")
        return outcomes, again

    # what became of it

    def _looked_up(self, delete: Delete) -> Outcomes:
        """
        What a call has done whose answer is not known. What is alive is alive for good only once
        the call must have ended.
        """
        alive: Collection[str] = delete.ids
        for age_s in (0.0, 5.0, 20.0, self.settle_s):
            self._wait_until(datetime.fromisoformat(delete.at), min(age_s, self.settle_s))
            alive = self.alive(delete.object_name, delete.ids)
            if not alive:
                break
        return {i: None for i in delete.ids if i not in alive}

    def alive(self, object_name: str, ids: Sequence[str]) -> set[str]:
        """Those of these records that are neither gone nor in the recycle bin."""
        return {i for i, in_bin in self.standing(object_name, ids).items() if not in_bin}

    def standing(self, object_name: str, ids: Sequence[str], by: str = "Id") -> dict[str, bool]:
        """
        By Id of what the org still has of these records, whether it is in the recycle bin.

        Args:
            by: the field that has one of ``ids``.

        Cost: 1 API call for 2,000.
        """
        found = self.referring(object_name, by, ids)
        return {i: in_bin for i, (_, in_bin) in found.items()}

    def referring(
        self, object_name: str, by: str, ids: Sequence[str]
    ) -> dict[str, tuple[str, bool]]:
        """The same, with the value of the field."""
        wanted = ["Id", *(["IsDeleted"] if self.has_flag(object_name) else []), by]
        fields = ", ".join(dict.fromkeys(wanted))
        queries = [
            (
                object_name,
                f"SELECT {fields} FROM {object_name} WHERE {by} IN ({','.join(map(repr, some))})",
                True,
            )
            for some in slices(sorted(ids), IDS_PER_QUERY)
        ]
        context = self.context
        reader = PresentReader(context.client, Files("."), "", context.job_id, context.stop)
        found: dict[str, tuple[str, bool]] = {}
        for rows in reader.rows(queries):
            for row in rows:
                found[text_of(row.get("Id"))] = text_of(row.get(by)), row.get("IsDeleted") is True
        return found

    # notes

    def _intend(self, object_name: str, ids: Sequence[str]) -> Delete:
        delete = Delete(self._next, object_name, tuple(ids), self._org_now().isoformat())
        self._next += 1
        return self.folder.put_delete(delete)

    def _close(self, delete: Delete, outcomes: Mapping[str, tuple[str, str] | None]) -> Delete:
        return self.folder.put_delete(replace(delete, outcomes=dict(outcomes)))

    def _learn(self, delete: Delete) -> None:
        at_us = int(datetime.fromisoformat(delete.at).timestamp()) * 1_000_000
        for record_id, why in (delete.outcomes or {}).items():
            if why is None:
                self.gone.add(record_id)
                self.sent_us[record_id] = at_us
                self.refused.pop(record_id, None)
            else:
                self.refused[record_id] = why

    # around a call

    def _guard(self) -> None:
        self.tick()
        self.fence()

    @contextmanager
    def _booked(self, object_name: str) -> Iterator[None]:
        def count(price: Price) -> None:
            self.calls[object_name] += price.get("api", 0)

        context = self.context
        with call_context(
            job_id=context.job_id, object_name=object_name, on_call=count, stop=context.stop
        ):
            yield

    def _org_now(self) -> datetime:
        try:
            return self.context.client.org_now()
        except ObjectError:
            return self.context.clock.now() - timedelta(hours=1)

    def _wait_until(self, began_at: datetime, age_s: float) -> None:
        left_s = age_s - (self.context.clock.now() - began_at).total_seconds()
        self._wait(min(left_s, age_s))

    def _wait(self, seconds: float) -> None:
        clock = self.context.clock
        until_s = clock.monotonic() + seconds
        while (rest_s := until_s - clock.monotonic()) > 0:
            if clock.wait(min(rest_s, 0.5), self.context.stop):
                raise StopSignal("pause")
            self.tick()
