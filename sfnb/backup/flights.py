"""
Units in flight: started on an executor, and heard of in one place, in the order in which they land.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from sfnb.backup.unit_outcomes import Result
from sfnb.backup.units import ChangeLists, KeysetPages, Unit
from sfnb.backup.worker import Executor, WorkerDied

DEATHS_LIMIT = 5
"""Worker processes for each slot that may die in a row: then the machine kills them, not chance."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A unit in flight, and the generation of each of its objects when it started."""

    unit: Unit
    generations: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Opened:
    """The head of a result page is here, with the next locator; its unit is still in flight."""

    flight: Flight
    locator: str | None


@dataclass(frozen=True, slots=True)
class Landed:
    """A unit has ended, well or with an error in its result."""

    flight: Flight
    result: Result


@dataclass(frozen=True, slots=True)
class Died:
    """The unit's worker process ended before it did."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Broken:
    """The unit met a fault of ours."""

    flight: Flight
    err: BaseException


class Flights:
    """
    All units in flight. Only the deciding thread calls it; workers put what they have into its
    mail.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._flights: dict[Future[Result], Flight] = {}
        self._mail: queue.SimpleQueue[Future[Result] | Opened] = queue.SimpleQueue()
        self._deaths = 0

    def __len__(self) -> int:
        return len(self._flights)

    def has(self, name: str, generation: int) -> bool:
        """Whether a unit of this object, in this generation, is in flight."""
        return any(f.generations.get(name) == generation for f in self._flights.values())

    def pages(self) -> int:
        """How many calls with keyset pages, or with lists that say who has such, are in flight."""
        kinds = (KeysetPages, ChangeLists)
        return sum(isinstance(flight.unit, kinds) for flight in self._flights.values())

    @property
    def keep_dying(self) -> bool:
        """Whether so many workers die that it is no chance."""
        return self._deaths > DEATHS_LIMIT * self._executor.slots

    def start(self, unit: Unit, generations: Mapping[str, int]) -> None:
        """Start a unit."""
        flight = Flight(unit, generations)
        future = self._executor.submit(
            unit, lambda locator: self._mail.put(Opened(flight, locator))
        )
        self._flights[future] = flight
        future.add_done_callback(self._mail.put)

    def landed(self, timeout_s: float | None) -> Iterator[Opened | Landed | Died | Broken]:
        """What has arrived, at least one unless nothing does within ``timeout_s`` (None: wait)."""
        try:
            yield self._open(self._mail.get(timeout=timeout_s))
            while True:
                yield self._open(self._mail.get_nowait())
        except queue.Empty:
            return

    def _open(self, mail: Future[Result] | Opened) -> Opened | Landed | Died | Broken:
        if isinstance(mail, Opened):
            return mail
        flight = self._flights.pop(mail)
        err = mail.exception()
        if isinstance(err, WorkerDied):
            self._deaths += 1
            return Died(flight)
        if err is not None:
            return Broken(flight, err)
        self._deaths = 0
        return Landed(flight, mail.result())
