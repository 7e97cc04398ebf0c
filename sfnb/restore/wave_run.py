"""
Running the waves of a plan: each row is sent until it is done or refused, whatever was sent before.

Rows that point at records which are still to be created wait in ``late`` and are tried after each
wave; a refused undelete becomes an insert in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sfnb.org.writing.bulk2_ingest import is_sendable
from sfnb.org.writing.collections import MOST_RECORDS
from sfnb.restore.adopting import Adopting
from sfnb.restore.bulk_sending import BulkRefused, BulkSender
from sfnb.restore.collection_sending import CollectionSender
from sfnb.restore.compact import IdColumn, IdSet
from sfnb.restore.describes import WriteObject
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.id_map import IdMap, Unmapped
from sfnb.restore.journal import AGAIN, Act, Batch, Done, Outcome, Refused
from sfnb.restore.outcomes import Outcomes
from sfnb.restore.plan import PlannedRow, RestorePlan, Wave
from sfnb.restore.sending import Item, Sender, Sent
from sfnb.restore.undeleting import Undeleting, creatable
from sfnb.restore.wave_rows import WaveRows

PARENT_MISSING = "parent_missing"
FEW_ROWS = 2_000
"""From here down rows that go again take fewer calls as collections than as a Bulk job."""


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
    claimed: IdSet = field(default_factory=IdSet)
    proven: IdSet = field(default_factory=IdSet)
    collections: CollectionSender = field(init=False)
    _waves: dict[int, Wave] = field(init=False)
    _undeleting: Undeleting = field(init=False)
    _adopting: Adopting = field(init=False)
    _known_old_ids: tuple[int, IdColumn] = (0, IdColumn())

    def __post_init__(self) -> None:
        self._waves = {wave.number: wave for wave in self.plan.waves}
        self.collections = CollectionSender(self.sender, self._keep_sent, self.note)
        self._undeleting = Undeleting(self)
        self._adopting = Adopting(self)

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
        # Those of undelete and insert waves are compared again.
        if batch.act != "update" or wave.kind not in ("undelete", "insert"):
            items = list(self._reread(wave, batch.act, batch.places))
            outcomes = self.sender.lookup.find(batch, wave, items)
        is_lost = batch.act == "create" and AGAIN in outcomes
        self.sender.journal.close(batch, outcomes, is_lost=is_lost)
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
                    self._undeleting.to_insert.discard(known[place])
                if isinstance(outcome, Done):
                    self.ids.add(known[place], outcome.record_id)
                    self.claimed.add(outcome.record_id)
                elif isinstance(outcome, Refused):
                    self.ids.lose(known[place])
        if is_new:
            self.changed(wave)

    def _old_ids(self, wave: Wave) -> IdColumn:
        if self._known_old_ids[0] != wave.number:
            self._known_old_ids = (wave.number, WaveRows(self.folder, wave).old_ids())
        return self._known_old_ids[1]

    # waves

    def run(self) -> None:
        """All waves but the late ones, in order, then what had to wait for them."""
        kinds = [wave.kind for wave in self.plan.waves]
        if "insert" in kinds and kinds[0] != "insert":
            self._expect_creations()
        undeletes = [wave for wave in self.plan.waves if wave.kind == "undelete"]
        for wave in undeletes:
            with self.sender.booked(wave.object_name):
                self._undeleting.send(wave)
        self._undeleting.mend(undeletes)
        self._late()
        self._run_waves([w for w in self.plan.waves if w.kind not in ("undelete", "late")])

    def close(self) -> None:
        """The late waves: what comes after them finds its records closed."""
        self._run_waves([wave for wave in self.plan.waves if wave.kind == "late"])

    def _run_waves(self, waves: Sequence[Wave]) -> None:
        for wave in waves:
            act: Act = "create" if wave.kind == "insert" else "update"
            found = self.outcomes.of(wave.number, act, wave.rows)
            with self.sender.booked(wave.object_name):
                self._act(wave, act, found.open_places())
            self._late()
        while self.late:
            before = self._late_rows()
            self._late()
            if self._late_rows() == before:
                self._give_up_late()

    def maybe_doubled(self) -> Iterator[tuple[str, str]]:
        """
        Object and Id of new records that no answer named, like rows that were sent twice since
        nothing of the first call was to be seen. Cost: none where no answer was lost that way.
        """
        for batch in self.sender.journal.batches():
            if not batch.is_lost or batch.outcomes is None:
                continue
            wave = self._waves[batch.wave]
            again = [p for p, o in zip(batch.places, batch.outcomes, strict=True) if o == AGAIN]
            with self.sender.booked(wave.object_name):
                items = list(self._reread(wave, "create", again))
                for record_id in self.sender.lookup.written_late(batch, wave, items):
                    self.claimed.add(record_id)
                    yield wave.object_name, record_id

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
                    self._undeleting.read_back(wave, sorted(places))
                else:
                    self._act(wave, act, sorted(places))

    def _give_up_late(self) -> None:
        """Rows that wait for each other: nothing will change that."""
        waiting, self.late = self.late, {}
        for (number, act), places in waiting.items():
            wave = self._waves[number]
            message = "the records that it points at could not be created before it."
            self.note(wave, act, [(p, Refused(PARENT_MISSING, message)) for p in sorted(places)])

    def note(self, wave: Wave, act: Act, found: Sequence[tuple[int, Outcome]]) -> None:
        """Keep what became of rows that are not sent."""
        if not found:
            return
        sender = self.sender
        sender.journal.note(wave.number, act, wave.writer, found, sender.org_now())
        self._keep(wave, act, [place for place, _ in found], [outcome for _, outcome in found])

    # rows

    def _act(self, wave: Wave, act: Act, places: Sequence[int]) -> None:
        """Write the rows at these places."""
        if act == "create":
            places = self._adopting.companions(wave, places)
        self._send(wave, act, places)
        if act == "create":
            self._adopting.doubles(wave)

    def _send(self, wave: Wave, act: Act, places: Sequence[int]) -> None:
        if not places:
            return
        if wave.writer == "bulk2" and len(places) > FEW_ROWS:
            self._by_bulk(wave, act, places)
        else:
            self.collections.send(wave, act, self.items(wave, act, places))

    def items(self, wave: Wave, act: Act, places: Sequence[int]) -> Iterator[Item]:
        """Rows ready to be sent; the others are noted, or wait."""
        noted: list[tuple[int, Outcome]] = []
        for place, row in WaveRows(self.folder, wave).at(places):
            item = self._item(wave, act, place, row)
            if isinstance(item, Item):
                yield item
            elif item is not None:
                noted.append((place, item))
                if len(noted) == MOST_RECORDS:
                    self.note(wave, act, noted)
                    noted = []
        self.note(wave, act, noted)

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
            values = creatable(values, self.target_of(wave.object_name))
        return Item(place, row, target_id, values)

    def _target_id(self, act: Act, row: PlannedRow) -> str | None:
        if act == "create":
            return ""
        if act == "undelete" or row.target_id not in ("", row.old_id):
            return row.target_id or row.old_id
        # One that did not come back from the bin has been made again, under another Id.
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
                values = creatable(values, self.target_of(wave.object_name))
            yield Item(place, row, target_id, values)

    def _keep_sent(self, wave: Wave, act: Act, items: Sequence[Item], sent: Sent) -> None:
        old_ids = {item.place: item.row.old_id for item in items}
        places = [item.place for item in items]
        self._keep(wave, act, places, sent.outcomes, old_ids=old_ids)

    # Bulk

    def _by_bulk(self, wave: Wave, act: Act, places: Sequence[int]) -> None:
        """Send rows by Bulk jobs; those that are left, by smaller ones, at last as collections."""
        apart: list[int] = []
        most_rows: int | None = None
        while len(places) > FEW_ROWS:

            def items(places: Sequence[int] = places) -> Iterator[Item]:
                for item in self.items(wave, act, places):
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
        self.collections.send(wave, act, self.items(wave, act, rest))
