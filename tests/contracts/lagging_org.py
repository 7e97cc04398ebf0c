"""An org whose limit header is old, for a gate alone."""

from __future__ import annotations

from sfnb.clock import FakeClock
from sfnb.errors import QuotaSignal
from sfnb.memory import State
from sfnb.model import Price, Reading
from sfnb.quota.gate import Gate, GaugeUnknown, Ticket

ORG = "00D000000000001EAA"
ONE: Price = {"api": 1}


class LaggingOrg:
    """
    An org that counts each call at once and reports the count of ``lag_s`` seconds ago; a call takes
    ``every_s``.
    """

    def __init__(
        self, state: State, clock: FakeClock, lag_s: float, maximum: int, *, every_s: float = 0.25
    ) -> None:
        self._every_s = every_s
        self.clock = clock
        self.lag_s = lag_s
        self.maximum = maximum
        self.counted: list[float] = []
        self.looks = 0
        self.gate = Gate(state.ledger, ORG, clock=clock)

    def reported(self) -> int:
        shown_s = self.clock.monotonic() - self.lag_s
        return sum(1 for at_s in self.counted if at_s <= shown_s)

    def send(self, ticket: Ticket) -> None:
        sent_at = self.clock.now()
        self.clock.advance(self._every_s)
        self.counted.append(self.clock.monotonic())
        reading = Reading("api", self.reported(), self.maximum, sent_at, self.clock.now(), "header")
        self.gate.settle(ticket, [reading])

    def look(self) -> None:
        self.looks += 1
        self.send(self.gate.ask(ONE, is_probe=True))

    def run(self) -> tuple[list[int], QuotaSignal]:
        """Calls until a pause that only time ends: the count at each pause, and the last signal."""
        stops: list[int] = []
        while True:
            try:
                self.send(self.gate.ask(ONE))
            except GaugeUnknown:
                self.look()
            except QuotaSignal as signal:
                stops.append(len(self.counted))
                if signal.retry_after_s is None:
                    return stops, signal
                self.clock.advance(signal.retry_after_s)
                self.look()
                if not self.gate.is_clear(ONE):
                    return stops, signal
