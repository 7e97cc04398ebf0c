"""
Sending one batch: noted, sent once, noted again. Each row is done, refused, or goes again.

An answer that is lost is followed by a look into the org, never by the same call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sfnb.errors import (
    AnswerLost,
    ObjectError,
)
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import Price
from sfnb.org.transport import call_context
from sfnb.org.writing import collections
from sfnb.org.writing.calls import NOT_SENT, UNKNOWN, RowResult, WriteOptions, refused_all
from sfnb.org.writing.trouble import WHOLE_CALL, remedy
from sfnb.org.writing.undelete import undelete
from sfnb.restore.journal import AGAIN, Act, Batch, Done, Journal, Outcome, Refused
from sfnb.restore.lookup import Lookup
from sfnb.restore.plan import PlannedRow, Wave, WriterName

DOUBLES = frozenset({"DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID"})
"""Another record has the row's unique value (SOAP guide, StatusCode)."""


@dataclass(frozen=True, slots=True)
class Item:
    """A row, ready to be sent: its values hold the target's Ids."""

    place: int
    row: PlannedRow
    target_id: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """
    What came of a batch, in the items' order.

    Args:
        codes: of rows that go again, why: code and message.
        is_lost: created rows go again since nothing of them was to be seen.
    """

    outcomes: list[Outcome]
    codes: dict[int, tuple[str, str]] = field(default_factory=dict)
    is_lost: bool = False


@dataclass
class Sender:
    """
    Sends batches of one job. One thread uses it.

    Args:
        tick: raises where the job is to stop; called often.
        fence: raises LeaseLost where another process runs the job; called before each call that
            writes.

    Attributes:
        calls: API calls so far, by object.
    """

    context: JobContext
    journal: Journal
    lookup: Lookup
    options: WriteOptions
    tick: Tick
    fence: Callable[[], None]
    calls: Counter[str] = field(default_factory=Counter)

    def guard(self) -> None:
        """Whether the next call that writes may be sent: nobody stops the job, and it is ours."""
        self.tick()
        self.fence()

    @contextmanager
    def booked(self, object_name: str) -> Iterator[None]:
        """Calls in this block are the job's, for this object."""

        def count(price: Price) -> None:
            self.calls[object_name] += price.get("api", 0)

        context = self.context
        with call_context(
            job_id=context.job_id, object_name=object_name, on_call=count, stop=context.stop
        ):
            yield

    def org_now(self) -> str:
        """The org's time, never later than it is; ours less an hour where it does not tell it."""
        try:
            at = self.context.client.org_now()
        except ObjectError:
            at = self.context.clock.now() - timedelta(hours=1)
        return at.isoformat()

    def send(self, wave: Wave, act: Act, items: Sequence[Item]) -> Sent:
        """Write up to 200 rows in one call. Cost: 1 API call, and what a lookup takes."""
        self.guard()
        writer: WriterName = "undelete" if act == "undelete" else "collections"
        at = self.org_now()
        batch = self.journal.intend(wave.number, act, writer, [i.place for i in items], at)
        try:
            results = self._results(wave, act, items)
        except NOT_SENT:
            self.journal.close(batch, [AGAIN] * len(items))
            raise
        sent = self.settled(batch, wave, items, results)
        self.journal.close(batch, sent.outcomes, is_lost=sent.is_lost)
        return sent

    def _results(self, wave: Wave, act: Act, items: Sequence[Item]) -> list[RowResult]:
        org, name = self.context.client, wave.object_name
        try:
            if act == "undelete":
                return undelete(org, [item.target_id for item in items])
            if act == "create":
                return collections.insert(org, name, [item.values for item in items], self.options)
            pairs = [(item.target_id, item.values) for item in items]
            return collections.update(org, name, pairs, self.options)
        except AnswerLost:
            return [UNKNOWN] * len(items)
        except ObjectError as err:
            return refused_all(err, err.code, len(items))

    def is_of_another_call(
        self, batch: Batch, items: Sequence[Item], results: Sequence[RowResult]
    ) -> bool:
        """
        Whether the answer cannot be this call's: a bad cache gives another's, and the org may not
        even have seen this one. It names records that were not sent, or that are other rows' already.
        """
        done = [(i, r.record_id) for i, r in zip(items, results, strict=True) if r.state == "done"]
        if batch.act == "create":
            return is_given_twice((record_id for _, record_id in done), self.lookup.claimed)
        return any(record_id not in ("", item.target_id) for item, record_id in done)

    def settled(
        self, batch: Batch, wave: Wave, items: Sequence[Item], results: Sequence[RowResult]
    ) -> Sent:
        """Each row's outcome; unknown ones are looked up in the org."""
        outcomes: list[Outcome] = [AGAIN] * len(items)
        codes: dict[int, tuple[str, str]] = {}
        unknown: list[int] = []
        doubles: list[int] = []
        is_whole = _is_refused_as_whole(results)
        is_strange = self.is_of_another_call(batch, items, results)
        for at, result in enumerate(results):
            if result.state == "unknown" or is_strange:
                unknown.append(at)
            elif result.state == "done":
                outcomes[at] = Done(result.record_id)
            elif is_whole or remedy(result.code, result.message) != "none":
                codes[at] = (result.code, result.message)
            else:
                outcomes[at] = Refused(result.code, result.message, result.fields)
                if batch.act == "create" and result.code in DOUBLES:
                    doubles.append(at)
        if unknown:
            found = self.lookup.find(batch, wave, [items[at] for at in unknown])
            for at, outcome in zip(unknown, found, strict=True):
                outcomes[at] = outcome
        if doubles:
            since = self.journal.began_at or batch.at
            ours = self.lookup.doubles(wave, [items[at] for at in doubles], since)
            for at, one in zip(doubles, ours, strict=True):
                outcomes[at] = one or outcomes[at]
        is_lost = batch.act == "create" and any(outcomes[at] == AGAIN for at in unknown)
        return Sent(outcomes, codes, is_lost)


def is_given_twice(record_ids: Iterable[str], is_taken: Callable[[str], bool]) -> bool:
    """Whether new records have an Id that another one has already. Pure."""
    seen: set[str] = set()
    for record_id in record_ids:
        if record_id in seen or is_taken(record_id):
            return True
        seen.add(record_id)
    return False


def _is_refused_as_whole(results: Sequence[RowResult]) -> bool:
    """
    Whether the call was refused because of something in it: one row may be the cause for all, as
    with a value of the wrong type (REST guide: JSON_PARSER_ERROR). Fewer rows at a time find it.
    """
    first = results[0]
    return (
        len(results) > 1
        and first.state == "refused"
        and first.code not in WHOLE_CALL
        and all(result is first for result in results)
    )
