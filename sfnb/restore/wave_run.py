"""
Running the waves of a plan: each row is sent until it is done or refused, whatever was sent before.

Rows that point at records which are still to be created wait in ``late`` and are tried after each
wave; a refused undelete becomes an insert in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sfnb.errors import StopSignal
from sfnb.org.writing.bulk2_ingest import is_sendable
from sfnb.org.writing.collections import MOST_RECORDS
from sfnb.restore.bulk_sending import BulkRefused, BulkSender
from sfnb.restore.changes import created, mending
from sfnb.restore.describes import WriteObject
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.id_map import IdMap, Unmapped
from sfnb.restore.journal import AGAIN, Act, Batch, Done, Outcome, Refused
from sfnb.restore.outcomes import Outcomes
from sfnb.restore.plan import PlannedRow, RestorePlan, Wave
from sfnb.restore.sending import Item, Sender, Sent
from sfnb.restore.trouble import remedy, smaller, tries_alone, wait_before
from sfnb.restore.wave_rows import WaveRows

PARENT_MISSING = "parent_missing"
NO_ANSWER = "NO_ANSWER"
MOST_TRIES = 20
"""So often a row is sent that the org neither takes nor refuses."""

FEW_ROWS = 2_000
"""From here down rows that go again take fewer calls as collections than as a Bulk job."""

READ_ROWS = 1_000
"""Rows that are read back in one call: five queries of 200 Ids."""


@dataclass
class WaveRun:
    """
    One job's waves.

    Args:
        target_of: what the target says of an object.
        changed: called after each batch with the object.

    Attributes:
        late: rows that wait for records which are still to be created.
        claimed: records that this job has created.
        proven: old Ids of records that were read back, whole, and were as in the snapshot.
    """

    folder: RestoreFolder
    plan: RestorePlan
    sender: Sender
    bulk: BulkSender
    outcomes: Outcomes
    ids: IdMap
    target_of: Callable[[str], WriteObject]
    changed: Callable[[Wave], None]
    late: dict[tuple[int, Act], list[int]] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    proven: set[str] = field(default_factory=set)
    _waves: dict[int, Wave] = field(init=False)
    _sizes: dict[str, int] = field(default_factory=dict)
    _to_insert: set[str] = field(default_factory=set)
    _known_old_ids: tuple[int, dict[int, str]] = (0, {})

    def __post_init__(self) -> None:
        self._waves = {wave.number: wave for wave in self.plan.waves}

    # the journal of earlier runs

    def replay(self) -> None:
        """Take what earlier runs have done from the journal; look up what they could not note."""
        self._seed()
        open_batches = []
        for batch in self.sender.journal.batches():
            if batch.outcomes is None:
                open_batches.append(batch)
            else:
                self._take(batch, batch.outcomes)
        for batch in open_batches:
            with self.sender.booked(self._waves[batch.wave].object_name):
                self._look_up(batch)

    def _seed(self) -> None:
        for _, old_id, target_id in self.folder.matched():
            self.ids.add(old_id, target_id)
        for name in self.folder.refused_objects():
            for row in self.folder.refused_rows(name):
                if not row.target_id:
                    self.ids.lose(row.old_id)

    def _look_up(self, batch: Batch) -> None:
        wave = self._waves[batch.wave]
        if batch.writer == "bulk2":
            sent = self.bulk.resume(
                wave, batch, lambda places: self._reread(wave, batch.act, places)
            )
            self._keep(wave, batch.act, sent.places, sent.outcomes)
            return
        outcomes: list[Outcome] = [AGAIN] * len(batch.places)
        if not (batch.act == "update" and wave.kind == "undelete"):  # those are compared again
            items = list(self._reread(wave, batch.act, batch.places))
            outcomes = self.sender.lookup.find(batch, wave, items)
        self.sender.journal.close(batch, outcomes)
        self._keep(wave, batch.act, batch.places, outcomes)

    def _take(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        self._keep(self._waves[batch.wave], batch.act, batch.places, outcomes, is_new=False)

    def _keep(
        self,
        wave: Wave,
        act: Act,
        places: Sequence[int],
        outcomes: Sequence[Outcome],
        *,
        old_ids: Mapping[int, str] | None = None,
        is_new: bool = True,
    ) -> None:
        """Remember what became of rows, and their new Ids."""
        self.outcomes.put(wave.number, act, wave.rows, places, outcomes)
        if act == "create":
            known = old_ids or self._old_ids(wave)
            for place, outcome in zip(places, outcomes, strict=True):
                if outcome != AGAIN:
                    self._to_insert.discard(known[place])
                if isinstance(outcome, Done):
                    self.ids.add(known[place], outcome.record_id)
                    self.claimed.add(outcome.record_id)
                elif isinstance(outcome, Refused):
                    self.ids.lose(known[place])
        if is_new:
            self.changed(wave)

    def _old_ids(self, wave: Wave) -> dict[int, str]:
        if self._known_old_ids[0] != wave.number:
            found = WaveRows(self.folder, wave).old_ids()
            self._known_old_ids = (wave.number, dict(enumerate(found)))
        return self._known_old_ids[1]

    # waves

    def run(self) -> None:
        """All waves, in order, then what had to wait for them."""
        kinds = [wave.kind for wave in self.plan.waves]
        if "insert" in kinds and kinds[0] != "insert":
            self._expect_creations()
        undeletes = [wave for wave in self.plan.waves if wave.kind == "undelete"]
        for wave in undeletes:
            with self.sender.booked(wave.object_name):
                self._undelete(wave)
        for wave in undeletes:  # a reference that is mended may point at a later wave's record
            with self.sender.booked(wave.object_name):
                self._mend(wave)
        self._late()
        for wave in self.plan.waves:
            if wave.kind != "undelete":
                act: Act = "create" if wave.kind == "insert" else "update"
                found = self.outcomes.of(wave.number, act, wave.rows)
                with self.sender.booked(wave.object_name):
                    self._act(wave, act, list(found.open_places()))
                self._late()
        while self.late:
            before = self._late_rows()
            self._late()
            if self._late_rows() == before:
                self._give_up_late()

    def _late_rows(self) -> int:
        return sum(map(len, self.late.values()))

    def _expect_creations(self) -> None:
        """Rows of earlier waves may point at records that are still to be created: those wait."""
        for wave in self.plan.waves:
            if wave.kind == "insert":
                found = self.outcomes.of(wave.number, "create", wave.rows)
                for place, old_id in enumerate(WaveRows(self.folder, wave).old_ids()):
                    if found.is_open(place):
                        self.ids.pending.add(old_id)

    def _late(self) -> None:
        waiting, self.late = self.late, {}
        for (number, act), places in waiting.items():
            wave = self._waves[number]
            with self.sender.booked(wave.object_name):
                if wave.kind == "undelete" and act == "update":
                    self._read_back(wave, sorted(places))
                else:
                    self._act(wave, act, sorted(places))

    def _give_up_late(self) -> None:
        """Rows that wait for each other: nothing will change that."""
        waiting, self.late = self.late, {}
        for (number, act), places in waiting.items():
            wave = self._waves[number]
            message = "the records that it points at could not be created before it."
            self._note(wave, act, [(p, Refused(PARENT_MISSING, message)) for p in sorted(places)])

    def _note(self, wave: Wave, act: Act, found: Sequence[tuple[int, Outcome]]) -> None:
        """Keep what became of rows that are not sent."""
        if not found:
            return
        sender = self.sender
        sender.journal.note(wave.number, act, wave.writer, found, sender.org_now())
        self._keep(wave, act, [place for place, _ in found], [outcome for _, outcome in found])

    # rows

    def _act(self, wave: Wave, act: Act, places: Sequence[int]) -> None:
        """Write the rows at these places."""
        if not places:
            return
        if wave.writer == "bulk2" and len(places) > FEW_ROWS:
            self._by_bulk(wave, act, places)
        else:
            self._by_collections(wave, act, self._items(wave, act, places))

    def _items(self, wave: Wave, act: Act, places: Sequence[int]) -> Iterator[Item]:
        """Rows ready to be sent; the others are noted, or wait."""
        noted: list[tuple[int, Outcome]] = []
        for place, row in WaveRows(self.folder, wave).at(places):
            item = self._item(wave, act, place, row)
            if isinstance(item, Item):
                yield item
            elif item is not None:
                noted.append((place, item))
                if len(noted) == MOST_RECORDS:
                    self._note(wave, act, noted)
                    noted = []
        self._note(wave, act, noted)

    def _item(self, wave: Wave, act: Act, place: int, row: PlannedRow) -> Item | Refused | None:
        """The row to send, why it is not sent, or None: it waits."""
        target_id = self._target_id(act, row)
        if target_id is None:
            return Refused(PARENT_MISSING, "the record itself was not created.")
        values = self.ids.values(row, wave.links)
        if isinstance(values, Unmapped):
            if values.standing == "lost":
                message = f"{values.field} points at {values.old_id}, which was refused."
                return Refused(PARENT_MISSING, message, (values.field,))
            self.late.setdefault((wave.number, act), []).append(place)
            return None
        if act == "create" and wave.kind == "undelete":
            values = _creatable(values, self.target_of(wave.object_name))
        return Item(place, row, target_id, values)

    def _target_id(self, act: Act, row: PlannedRow) -> str | None:
        if act == "create":
            return ""
        if act == "undelete" or row.target_id:
            return row.target_id or row.old_id
        return None if row.old_id in self.ids.lost else self.ids.of(row.old_id)

    def _reread(self, wave: Wave, act: Act, places: Sequence[int]) -> Iterator[Item]:
        """Rows that were sent before, with the values that they had then."""
        for place, row in WaveRows(self.folder, wave).at(places):
            target_id = self._target_id(act, row) or ""
            values = {
                name: self.ids.of(value) if name in wave.links and isinstance(value, str) else value
                for name, value in row.values.items()
            }
            if act == "create" and wave.kind == "undelete":
                values = _creatable(values, self.target_of(wave.object_name))
            yield Item(place, row, target_id, values)

    # collections

    def _by_collections(self, wave: Wave, act: Act, items: Iterable[Item]) -> None:
        """Send rows 200 at a time, then those that met locks and limits: later, and fewer."""
        troubled: list[tuple[Item, str, str]] = []
        batch: list[Item] = []
        for item in items:
            batch.append(item)
            if len(batch) >= self._size(wave):
                troubled += self._send(wave, act, batch)
                batch = []
        if batch:
            troubled += self._send(wave, act, batch)
        self._again(wave, act, troubled)

    def _size(self, wave: Wave) -> int:
        return self._sizes.get(wave.object_name, MOST_RECORDS)

    def _send(self, wave: Wave, act: Act, items: Sequence[Item]) -> list[tuple[Item, str, str]]:
        """Send a batch; the rows that go again, with the org's reason."""
        sent = self.sender.send(wave, act, items)
        self._keep_sent(wave, act, items, sent)
        return [
            (item, *sent.codes.get(at, ("", "")))
            for at, (item, outcome) in enumerate(zip(items, sent.outcomes, strict=True))
            if outcome == AGAIN
        ]

    def _keep_sent(self, wave: Wave, act: Act, items: Sequence[Item], sent: Sent) -> None:
        old_ids = {item.place: item.row.old_id for item in items}
        places = [item.place for item in items]
        self._keep(wave, act, places, sent.outcomes, old_ids=old_ids)

    def _again(self, wave: Wave, act: Act, troubled: list[tuple[Item, str, str]]) -> None:
        """Locked rows and limits: later, fewer at a time, at last one by one."""
        size, tries, alone = self._size(wave), 0, dict[int, int]()
        while troubled:
            tries += 1
            remedies = {remedy(code, message) for _, code, message in troubled}
            size = smaller(min(size, len(troubled)))
            if "later" in remedies or not all(code for _, code, _ in troubled):
                self._wait(wait_before(tries))
            rest: list[tuple[Item, str, str]] = []
            for start in range(0, len(troubled), size):
                part = [item for item, _, _ in troubled[start : start + size]]
                failed = self._send(wave, act, part)
                if not failed and "smaller" in remedies:
                    self._sizes[wave.object_name] = max(size, 1)
                rest += failed
            if size == 1:
                for item, _, _ in rest:
                    alone[item.place] = alone.get(item.place, 0) + 1
            given_up = {
                item.place
                for item, code, said in rest
                if alone.get(item.place, 0) >= tries_alone(code, said)
            }
            if tries >= MOST_TRIES:
                given_up = {item.place for item, _, _ in rest}
            if given_up:
                message = "the org does not answer whether it takes this row."
                refused: list[tuple[int, Outcome]] = [
                    (item.place, Refused(code or NO_ANSWER, said or message))
                    for item, code, said in rest
                    if item.place in given_up
                ]
                self._note(wave, act, sorted(refused, key=lambda pair: pair[0]))
            troubled = [one for one in rest if one[0].place not in given_up]

    def _wait(self, seconds: float) -> None:
        context = self.sender.context
        until_s = context.clock.monotonic() + seconds
        while (rest_s := until_s - context.clock.monotonic()) > 0:
            if context.clock.wait(min(rest_s, 0.5), context.stop):
                raise StopSignal("pause")
            self.sender.tick()

    # Bulk

    def _by_bulk(self, wave: Wave, act: Act, places: Sequence[int]) -> None:
        """Send rows by Bulk jobs; those that are left, by smaller ones, at last as collections."""
        apart: list[int] = []
        most_rows: int | None = None
        while len(places) > FEW_ROWS:

            def items(places: Sequence[int] = places) -> Iterator[Item]:
                for item in self._items(wave, act, places):
                    if is_sendable(item.values):
                        yield item
                    else:
                        apart.append(item.place)

            again: list[int] = []
            try:
                for sent in self.bulk.send(
                    wave,
                    act,
                    items(),
                    lambda places: self._reread(wave, act, places),
                    most_rows=most_rows,
                ):
                    self._keep(wave, act, sent.places, sent.outcomes)
                    pairs = zip(sent.places, sent.outcomes, strict=True)
                    again += [place for place, outcome in pairs if outcome == AGAIN]
            except BulkRefused:
                found = self.outcomes.of(wave.number, act, wave.rows)
                waiting = set(self.late.get((wave.number, act), ()))
                places = [p for p in places if found.is_open(p) and p not in waiting]
                break
            places, most_rows = again, max((most_rows or len(places)) // 2, FEW_ROWS)
        rest = sorted({*places, *apart})
        self._by_collections(wave, act, self._items(wave, act, rest))

    # undelete

    def _undelete(self, wave: Wave) -> None:
        """Undelete the tops; the others come back with them."""
        found = self.outcomes.of(wave.number, "undelete", wave.rows)
        tops = (
            Item(place, row, row.target_id or row.old_id, {})
            for place, row in WaveRows(self.folder, wave)
            if not row.with_parent and found.is_open(place)
        )
        self._by_collections(wave, "undelete", tops)

    def _mend(self, wave: Wave) -> None:
        """Read back what was to come back: mend it, or let it be inserted."""
        mended = self.outcomes.of(wave.number, "update", wave.rows)
        made = self.outcomes.of(wave.number, "create", wave.rows)
        places = [p for p in mended.open_places() if made.is_open(p)]
        self._read_back(wave, places)

    def _read_back(self, wave: Wave, places: Sequence[int]) -> None:
        """Read rows after an undelete. Cost: 1 API call for 1,000, and what is sent to mend them."""
        rows = WaveRows(self.folder, wave).at(places)
        numbered = groupby(enumerate(rows), key=lambda pair: pair[0] // READ_ROWS)
        mends: list[Item] = []
        for _, group in numbered:
            some = [pair for _, pair in group]
            ids = [row.target_id or row.old_id for _, row in some]
            columns = ("IsDeleted", *wave.columns)
            present = self.sender.lookup.by_id(wave.object_name, ids, columns)
            mends += self._came_back(wave, some, present)
        self._by_collections(wave, "update", mends)

    def _came_back(
        self,
        wave: Wave,
        some: Sequence[tuple[int, PlannedRow]],
        present: Mapping[str, Mapping[str, Any]],
    ) -> list[Item]:
        """Sort rows by whether they are back; the rows to mend, with what differs."""
        back: list[tuple[int, Outcome]] = []
        gone: list[tuple[int, Outcome]] = []
        same: list[tuple[int, Outcome]] = []
        mends: list[Item] = []
        found = self.outcomes.of(wave.number, "undelete", wave.rows)
        for place, row in some:
            target_id = row.target_id or row.old_id
            record = present.get(target_id)
            if record is None or record.get("IsDeleted") is not False:
                if found.is_open(place):
                    why = Refused("UNDELETE_FAILED", "it did not come back from the recycle bin.")
                    gone.append((place, why))
                self.ids.pending.add(row.old_id)
                self._to_insert.add(row.old_id)
                self.late.setdefault((wave.number, "create"), []).append(place)
                continue
            if not found.is_done(place):
                back.append((place, Done(target_id)))
            if any(row.values.get(name) in self._to_insert for name in wave.links):
                self.late.setdefault((wave.number, "update"), []).append(place)
                continue
            values = self.ids.known(row, wave.links)
            policy = self.plan.options.get("on_conflict", "overwrite")
            target = self.target_of(wave.object_name)
            differing = dict(mending(values, record, target, policy))
            if differing:
                mends.append(Item(place, row, target_id, differing))
            else:
                same.append((place, Done(target_id)))
                if policy == "overwrite" and len(values) == len(row.values):
                    self.proven.add(row.old_id)
        self._note(wave, "undelete", [*back, *gone])
        self._note(wave, "update", same)
        return mends


def _creatable(values: Mapping[str, Any], target: WriteObject) -> dict[str, Any]:
    """What of an undelete's values a new record can be given."""
    able = {n: v for n, v in values.items() if (f := target.fields.get(n)) and f.is_createable}
    return dict(created(able, target))
