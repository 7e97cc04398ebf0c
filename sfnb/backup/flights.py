"""
Units in flight: started on an executor, and heard of in one place, in the order in which they land.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from sfnb.backup.units import Result, Unit
from sfnb.backup.worker import Executor, WorkerDied


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

    Attributes:
        deaths: worker processes that died since a unit last landed.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._flights: dict[Future[Result], Flight] = {}
        self._mail: queue.SimpleQueue[Future[Result] | Opened] = queue.SimpleQueue()
        self.deaths = 0

    def __len__(self) -> int:
        return len(self._flights)

    def all(self) -> Iterator[Flight]:
        """The flights, in the order in which they started."""
        return iter(self._flights.values())

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
            self.deaths += 1
            return Died(flight)
        if err is not None:
            return Broken(flight, err)
        self.deaths = 0
        return Landed(flight, mail.result())
