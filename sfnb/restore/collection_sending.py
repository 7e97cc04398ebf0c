"""
Sending rows of one wave as collections: 200 at a time, and those that meet locks and limits later, fewer
at a time, at last one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sfnb.errors import StopSignal
from sfnb.org.writing.collections import MOST_RECORDS
from sfnb.org.writing.trouble import remedy, smaller, tries_alone, wait_before
from sfnb.restore.journal import AGAIN, Act, Outcome, Refused
from sfnb.restore.plan import Wave
from sfnb.restore.sending import Item, Sender, Sent

NO_ANSWER = "NO_ANSWER"
MOST_TRIES = 20
"""So often a row is sent that the org neither takes nor refuses."""

Troubled = list[tuple[Item, str, str]]
"""Rows that go again, with the org's code and message."""

Keep = Callable[[Wave, Act, Sequence[Item], Sent], None]
Note = Callable[[Wave, Act, Sequence[tuple[int, Outcome]]], None]


@dataclass
class CollectionSender:
    """
    Sends the rows of waves in small calls.

    Args:
        keep: told what came of a batch. ``note``: of rows that are given up.
    """

    sender: Sender
    keep: Keep
    note: Note
    _sizes: dict[str, int] = field(default_factory=dict)

    def send(self, wave: Wave, act: Act, items: Iterable[Item]) -> None:
        """
        Send rows until each is done, refused or given up. Cost: 1 API call for 200 rows, more where
        rows are locked or too many for the org at once.
        """
        troubled: Troubled = []
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

    def _send(self, wave: Wave, act: Act, items: Sequence[Item]) -> Troubled:
        """Send a batch; the rows that go again, with the org's reason."""
        sent = self.sender.send(wave, act, items)
        self.keep(wave, act, items, sent)
        return [
            (item, *sent.codes.get(at, ("", "")))
            for at, (item, outcome) in enumerate(zip(items, sent.outcomes, strict=True))
            if outcome == AGAIN
        ]

    def _again(self, wave: Wave, act: Act, troubled: Troubled) -> None:
        """Locked rows and limits: later, fewer at a time, at last one by one."""
        size, tries, alone = self._size(wave), 0, dict[int, int]()
        while troubled:
            tries += 1
            remedies = {remedy(code, message) for _, code, message in troubled}
            size = smaller(min(size, len(troubled)))
            if "later" in remedies or not all(code for _, code, _ in troubled):
                self._wait(wait_before(tries))
            rest: Troubled = []
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
                self.note(wave, act, sorted(refused, key=lambda pair: pair[0]))
            troubled = [one for one in rest if one[0].place not in given_up]

    def _wait(self, seconds: float) -> None:
        context = self.sender.context
        until_s = context.clock.monotonic() + seconds
        while (rest_s := until_s - context.clock.monotonic()) > 0:
            if context.clock.wait(min(rest_s, 0.5), context.stop):
                raise StopSignal("pause")
            self.sender.tick()
