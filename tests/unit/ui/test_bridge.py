"""The bridge from the job's threads to the kernel's loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sfnb.clock import FakeClock
from sfnb.jobs.events import Event
from sfnb.ui.bridge import INTERVAL_S, Bridge


class FakeLoop:
    """A loop that is turned by hand; `add_callback` is safe for threads, as tornado's is."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.due: list[tuple[float, Callable[[], None]]] = []

    def add_callback(self, call: Callable[[], None]) -> None:
        self.due.append((self.clock.monotonic(), call))

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        self.due.append((self.clock.monotonic() + seconds, call))

    def turn(self) -> None:
        now, self.due = (
            [d for d in self.due if d[0] <= self.clock.monotonic()],
            [d for d in self.due if d[0] > self.clock.monotonic()],
        )
        for _, call in now:
            call()


def test_the_first_event_is_drawn_at_once_and_the_rest_together() -> None:
    """A quiet panel answers at once; a storm of events is drawn ten times a second, each event once and in order."""
    clock = FakeClock()
    loop = FakeLoop(clock)
    drawn: list[list[Any]] = []
    bridge = Bridge(lambda batch: drawn.append(list(batch)), loop=loop, now=clock.monotonic)
    events = [Event(str(n), clock.now()) for n in range(1001)]
    bridge(events[0])
    loop.turn()
    assert drawn == [[events[0]]]
    for event in events[1:]:
        bridge(event)
        loop.turn()
    assert len(drawn) == 1
    clock.advance(INTERVAL_S)
    loop.turn()
    assert drawn == [[events[0]], events[1:]]
    assert loop.due == []


def test_threads_only_queue() -> None:
    """Whatever thread an event comes from, it is drawn on the thread that turns the loop."""
    clock = FakeClock()
    loop = FakeLoop(clock)
    threads: set[int] = set()
    count = 0

    def draw(batch: Any) -> None:
        nonlocal count
        threads.add(threading.get_ident())
        count += len(batch)

    bridge = Bridge(draw, loop=loop, now=clock.monotonic)
    workers = [
        threading.Thread(target=lambda: [bridge(Event("j", clock.now())) for _ in range(200)])
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for _ in range(3):
        clock.advance(INTERVAL_S)
        loop.turn()
    assert (threads, count) == ({threading.get_ident()}, 800)
