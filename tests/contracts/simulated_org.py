"""
An org's allowance simulated, jobs that spend it through the gate, and a witness that keeps its own account.

One simulated day: a rolling 24-hour window, other apps that spend in bursts, admins who move the limit, answers that
come late, out of order, without their header, or never. The header shows how things stood up to two minutes ago, each
answer with an age of its own, so it goes back and forth; ``/limits`` lags by minutes. All of it follows from the seed.
Several gates take turns on one clock; threads and processes that really run at once are another test's.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field

from sfnb.clock import FakeClock
from sfnb.errors import QuotaSignal
from sfnb.memory import State
from sfnb.model import Api, Price, Reading
from sfnb.quota.gate import Gate, GaugeUnknown, Ticket
from sfnb.quota.policy import lower_mark

DAY_S = 86_400.0
POLL_S = 1_800.0
LIMITS_LAG_S = 240.0
"""How old ``/limits`` may be here; Salesforce says "within minutes"."""

HEADER_LAGS_S = (0.0, 50.0, 78.0, 120.0)
"""How old the header is on a day: 50 s and 78 s are the median and the most of recorded answers, 120 s is promised."""

WINDOWS_S = {"header": 120.0, "limits": 300.0}
"""Our own calls of so many seconds before a reading's call go on top of its number (P1)."""

Steps = Generator[float, None, None]
"""Something that goes on in time: yields the seconds until its next step."""


class Window:
    """Units spent in the last 24 hours, as the org itself knows them."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._spent: deque[tuple[float, int]] = deque()

    def count(self, now_s: float, units: int) -> None:
        self._spent.append((now_s, units))

    def used(self, now_s: float) -> int:
        while self._spent and self._spent[0][0] <= now_s - DAY_S - 2 * LIMITS_LAG_S:
            self._spent.popleft()
        return sum(units for at_s, units in self._spent if now_s - DAY_S < at_s <= now_s)


@dataclass
class Witness:
    """
    What the org has reported, when that was true, and what is in flight. It never asks the gate.

    Attributes:
        sent: calls sent below the threshold; ``probes``: reads of ``/limits``; ``short``: pauses that only our own
            recent calls caused.
        losses: calls sent that no header told of.
        quiet_days, stuck_days: days on which use fell under the lower mark; those on which the job did not go on.
        overshoots: calls that were sent although they must not have been, each a sentence.
    """

    percents: dict[Api, int]
    is_prompt: bool = True
    told: dict[Api, tuple[float, int, int]] = field(
        default_factory=dict
    )  # true at, used, max: the newest truth
    heard: dict[Api, tuple[int, int]] = field(
        default_factory=dict
    )  # used, max: the last that arrived
    sums: dict[Api, tuple[float, int]] = field(
        default_factory=dict
    )  # of the reading that surely includes most: from when on our own calls go on top, and its number
    own: list[tuple[float, Price]] = field(default_factory=list)  # when each call of ours ended
    in_flight: dict[int, Price] = field(default_factory=dict)
    short: int = 0
    sent: int = 0
    probes: int = 0
    pauses: int = 0
    resumes: int = 0
    losses: int = 0
    quiet_days: int = 0
    stuck_days: int = 0
    overshoots: list[str] = field(default_factory=list)

    def sees(
        self, price: Price, windows: dict[Api, Window], now_s: float, *, has_others: bool
    ) -> None:
        """A call is about to be sent."""
        self.sent += 1
        for api, cost in price.items():
            flying = sum(other.get(api, 0) for other in self.in_flight.values())
            if api not in self.told:
                self.overshoots.append(f"{now_s:.0f} s: {api} was never read, and a call was sent")
                continue
            _, used, maximum = self.told[api]
            # With others, a header of two minutes ago may look as if their calls had rolled out of the window.
            newest = [("newest", (used, maximum))] if self.is_prompt or not has_others else []
            for what, known in (*newest, ("last heard", self.heard[api])):
                top = known[1] * self.percents[api] // 100
                if known[0] + flying + cost > top:
                    self.overshoots.append(
                        f"{now_s:.0f} s: {api} {what} {known[0]} + {flying} + {cost} > {top}"
                    )
            if api in self.sums:
                since_s, reported = self.sums[api]
                lately = sum(p.get(api, 0) for at_s, p in self.own if at_s >= since_s)
                top = maximum * self.percents[api] // 100
                if reported + lately + flying + cost > top:
                    self.overshoots.append(
                        f"{now_s:.0f} s: {api} reported {reported} + ours {lately} + {flying} + {cost} > {top}"
                    )
            # Where nobody else spends, all that the org counts must be in our books already.
            if (
                not has_others
                and windows[api].used(now_s) + cost > maximum * self.percents[api] // 100
            ):
                self.overshoots.append(
                    f"{now_s:.0f} s: {api} is truly {windows[api].used(now_s)}, and {cost} was sent"
                )

    def settles(self, now_s: float, price: Price) -> None:
        """A call of ours has ended, and the org may have counted it at any time since it was sent."""
        self.own.append((now_s, price))

    def hears(self, true_at_s: float, reading: Reading, *, asked_s: float) -> None:
        """An answer has arrived."""
        newest_s, _ = self.sums.get(reading.api, (float("-inf"), 0))
        since_s = asked_s - WINDOWS_S[reading.source]
        if since_s >= newest_s:
            self.sums[reading.api] = (since_s, reading.used)
        self.heard[reading.api] = (reading.used, reading.maximum)
        if reading.api not in self.told or true_at_s >= self.told[reading.api][0]:
            self.told[reading.api] = (true_at_s, reading.used, reading.maximum)


@dataclass(frozen=True)
class Weather:
    """What goes wrong on a day, as chances between 0 and 1."""

    header_lost: float
    cut: float
    never_left: float
    limits_fail: float
    slow: float
    has_others: bool
    admin_changes: int
    header_lag_s: float
    is_steady: bool


class Day:
    """One seeded day of one org; ``run`` it and look at ``witness``."""

    def __init__(
        self, state: State, clock: FakeClock, seed: int, *, org_id: str | None = None
    ) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.clock = clock
        self.state = state
        self.org_id = org_id or f"00D{seed:012d}EAA"
        pick = self.random
        maximum = pick.choice([3, 10, 40, 100, 100, 250, 250, 1000])
        self.windows: dict[Api, Window] = {
            "api": Window(maximum),
            "bulk2": Window(pick.choice([2, 10, 50, 1000])),
        }
        self.is_hard = pick.random() < 0.7
        is_bad = pick.random() < 0.5
        self.weather = Weather(
            header_lost=pick.choice([0.0, 0.05, 0.5]) if is_bad else 0.0,
            cut=0.05 if is_bad else 0.0,
            never_left=0.05 if is_bad else 0.0,
            limits_fail=pick.choice([0.0, 0.3]) if is_bad else 0.0,
            slow=pick.choice([0.0, 0.2]),
            has_others=pick.random() < 0.7,
            admin_changes=pick.choice([0, 0, 2]),
            header_lag_s=HEADER_LAGS_S[seed % len(HEADER_LAGS_S)],
            is_steady=pick.random() < 0.3,
        )
        percent = pick.choice([10, 50, 50, 80, 100])
        state.ledger.set_limits(self.org_id, percent, who="test")
        self.witness = Witness(
            percents={"api": percent, "bulk2": percent}, is_prompt=not self.weather.header_lag_s
        )
        for window in self.windows.values():
            self._fill(window, window.maximum * percent // 100 - pick.randint(0, 30))
        self.gates = [
            Gate(state.ledger, self.org_id, clock=clock) for _ in range(pick.choice([1, 2, 5]))
        ]
        self.calls_left = 100
        self.think_s = pick.choice([0.5, 5.0, 300.0])
        self.mix = pick.choice([(80, 15, 5), (30, 65, 5)])
        self._is_quiet = False

    @property
    def now_s(self) -> float:
        return self.clock.monotonic()

    def run(self) -> Witness:
        """The day; and where looking alone does not use the allowance up, a quiet one, in which the job must get on."""
        others = [self._others()] if self.weather.has_others else []
        self._play([*(self._worker(gate) for gate in self.gates), *others, self._admin()], DAY_S)
        looks_a_day = DAY_S / POLL_S
        if lower_mark(self.windows["api"].maximum, self.witness.percents["api"]) > looks_a_day + 2:
            self._run_quiet()
        return self.witness

    def _run_quiet(self) -> None:
        """A day and a half without other apps and faults: the window empties, so calls must go through."""
        self._is_quiet = True
        self.calls_left = 3
        before = self.witness.sent
        self._play([self._worker(self.gates[0])], 1.5 * DAY_S)
        self.witness.quiet_days += 1
        self.witness.stuck_days += self.witness.sent - before < 3

    def _fill(self, window: Window, units: int) -> None:
        """What was spent in the day before: it leaves the window in the course of this one."""
        # Nothing in the last half hour: /limits may not tell it yet, and nobody but the org could know of it.
        for at_s in sorted(self.random.uniform(0, DAY_S - 1800) for _ in range(12)):
            window.count(self.now_s - DAY_S + at_s, max(units, 0) // 12)
        window.count(self.now_s - 1800, max(units, 0) % 12)

    # ------------------------------------------------------------------------------------------------------- the actors

    def _worker(self, gate: Gate) -> Steps:
        """A job: asks, sends, settles; pauses when told to, looks every half hour, goes on when it is clear."""
        while self.calls_left > 0:
            yield self.random.expovariate(1 / self.think_s)
            price = self._pick_price()
            answer = _ask(gate, price)
            if isinstance(answer, GaugeUnknown):
                yield from self._read_limits(gate)
                answer = _ask(gate, price)
            if isinstance(answer, Ticket):
                yield from self._send(gate, answer, price)
            else:
                wait_s = answer.retry_after_s if isinstance(answer, QuotaSignal) else None
                if not (yield from self._pause(gate, price, wait_s)):
                    return

    def _pick_price(self) -> Price:
        if self._is_quiet:
            return {"api": 1}
        return self.random.choices([{"api": 1}, {"api": 1, "bulk2": 1}, {"api": 4}], self.mix)[0]

    def _pause(
        self, gate: Gate, price: Price, wait_s: float | None
    ) -> Generator[float, None, bool]:
        """Wait until it is clear; False if the job gave up before."""
        self.witness.pauses += 1
        self.witness.short += wait_s is not None
        while True:
            between_s = POLL_S if wait_s is None else wait_s
            wait_s = None
            yield between_s
            if gate.claim_probe(between_s * 0.9):
                yield from self._read_limits(gate)
            if gate.is_clear(price):
                self.witness.resumes += 1
                return True
            if self._happens(0.15):
                return False

    def _send(self, gate: Gate, ticket: Ticket, price: Price) -> Steps:
        sent_at, sent_s = self.clock.now(), self.now_s
        self.calls_left -= 1
        self.witness.sees(price, self.windows, self.now_s, has_others=self.weather.has_others)
        self.witness.in_flight[ticket.number] = price
        readings: list[Reading] = []
        was_sent = not self._happens(self.weather.never_left)
        if was_sent:
            yield self._latency_s()
            true_at_s = self.now_s
            self._count_call(price)
            shown_at_s = self._header_age(true_at_s, sent_s)
            used, maximum = self.windows["api"].used(shown_at_s), self.windows["api"].maximum
            yield self._latency_s()
            if not self._happens(self.weather.header_lost) and not self._happens(self.weather.cut):
                readings = [Reading("api", used, maximum, sent_at, self.clock.now(), "header")]
                self.witness.hears(shown_at_s, readings[0], asked_s=sent_s)
            self.witness.settles(self.now_s, price)
        self.witness.losses += was_sent and not readings
        del self.witness.in_flight[ticket.number]
        gate.settle(ticket, readings, was_sent=was_sent)

    def _read_limits(self, gate: Gate) -> Steps:
        self.witness.probes += 1
        sent_at, sent_s = self.clock.now(), self.now_s
        ticket = gate.ask({"api": 1}, is_probe=True)
        self.witness.in_flight[ticket.number] = {"api": 1}
        yield self._latency_s()
        true_at_s = self.now_s
        self._count_call({"api": 1})
        shown_at_s = self._header_age(true_at_s, sent_s)
        shown = self.windows["api"].used(shown_at_s)
        lagging_at_s = true_at_s - self.random.uniform(0, LIMITS_LAG_S)
        lagging = {api: window.used(lagging_at_s) for api, window in self.windows.items()}
        yield self._latency_s()
        readings: list[Reading] = []
        if not self._happens(self.weather.limits_fail):
            for api, used in lagging.items():
                reading = Reading(
                    api, used, self.windows[api].maximum, sent_at, self.clock.now(), "limits"
                )
                self.witness.hears(lagging_at_s, reading, asked_s=sent_s)
                readings.append(reading)
        if not self._happens(self.weather.header_lost):
            reading = Reading(
                "api", shown, self.windows["api"].maximum, sent_at, self.clock.now(), "header"
            )
            self.witness.hears(shown_at_s, reading, asked_s=sent_s)
            readings.append(reading)
        self.witness.settles(self.now_s, {"api": 1})
        del self.witness.in_flight[ticket.number]
        gate.settle(ticket, readings)

    def _others(self) -> Steps:
        """Other apps: quiet hours, and bursts of up to half the allowance."""
        while True:
            yield self.random.expovariate(1 / 5_000.0)
            for window in self.windows.values():
                room = window.maximum - window.used(self.now_s)
                burst = int(self.random.random() ** 3 * window.maximum / 2) + 1
                window.count(self.now_s, min(burst, room) if self.is_hard else burst)

    def _admin(self) -> Steps:
        for _ in range(self.weather.admin_changes):
            yield self.random.uniform(0, DAY_S / 2)
            percent = self.random.randint(1, 100)
            self.state.ledger.set_limits(self.org_id, percent, who="test", reason="because")
            self.witness.percents = {"api": percent, "bulk2": percent}

    # ------------------------------------------------------------------------------------------------------- the stage

    def _count_call(self, price: Price) -> None:
        """The org counts a call, unless its hard maximum refuses it."""
        if self.is_hard and any(
            self.windows[a].used(self.now_s) + n > self.windows[a].maximum for a, n in price.items()
        ):
            return
        for api, units in price.items():
            self.windows[api].count(self.now_s, units)

    def _header_age(self, counted_at_s: float, sent_s: float) -> float:
        """The moment that this answer's header shows: an age of its own, at most the day's before it was asked."""
        lag_s = self.weather.header_lag_s
        age_s = lag_s if self.weather.is_steady else self.random.uniform(0, lag_s)
        return max(counted_at_s - age_s, sent_s - WINDOWS_S["header"]) if lag_s else counted_at_s

    def _latency_s(self) -> float:
        if self._happens(self.weather.slow):
            return self.random.uniform(10, 400)
        return self.random.uniform(0.05, 3)

    def _happens(self, chance: float) -> bool:
        return not self._is_quiet and self.random.random() < chance

    def _play(self, actors: Iterable[Steps], for_s: float) -> None:
        """Let the actors act in the order of time. Calls under way at the end are waited for."""
        queue: list[tuple[float, int, Steps]] = []
        end_s = self.now_s + for_s
        for number, actor in enumerate(actors):
            heapq.heappush(queue, (self.now_s, number, actor))
        while queue:
            at_s, number, actor = heapq.heappop(queue)
            if at_s > end_s and not self.witness.in_flight:
                continue
            self.clock.advance(at_s - self.now_s)
            step = next(actor, None)
            if step is not None and (self.now_s + step <= end_s or self.witness.in_flight):
                heapq.heappush(queue, (self.now_s + step, number, actor))


def _ask(gate: Gate, price: Price) -> Ticket | GaugeUnknown | QuotaSignal:
    try:
        return gate.ask(price)
    except (GaugeUnknown, QuotaSignal) as refusal:
        return refusal


def play_days(
    state: State,
    clock: FakeClock,
    seeds: Iterable[int],
    each: Callable[[int, Day], None] = lambda *_: None,
) -> list[Witness]:
    """The witnesses of these days, one org each, on one state."""
    found = []
    for seed in seeds:
        day = Day(state, clock, seed)
        day.run()
        each(seed, day)
        found.append(day.witness)
    return found
