"""What a kind of work has to do so that the loop can run it, and what it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sfnb.clock import Clock
from sfnb.jobs import events
from sfnb.memory import State
from sfnb.model import JobState
from sfnb.org.client import OrgClient

Tick = Callable[[], None]
"""
Called at least every half second by whoever works; raises StopSignal or KeyboardInterrupt to stop
the work.
"""


@dataclass(frozen=True)
class JobContext:
    """
    What a work is given.

    Args:
        stop: set when the user interrupts; waits listen to it.
        tell: takes the events of the job.
        workers: units of work in flight at a time.
    """

    job_id: str
    client: OrgClient
    state: State
    clock: Clock
    stop: threading.Event
    tell: events.Sink
    workers: int


class Work(Protocol):
    """
    One job's work. The loop calls ``prepare`` and ``run`` again after each pause; both go on where
    they stopped.

    Everything but ``abandon`` may raise QuotaSignal or StopSignal when the job has to pause,
    OrgUnavailable when the
    org is away, and JobError when it cannot go on. By then whatever was done is on disk with its
    bookmark.
    """

    def prepare(self) -> None:
        """Ask what there is to do, and write the plan. Does nothing when the plan exists."""
        ...

    def run(self, tick: Tick) -> None:
        """Do the work, to its end."""
        ...

    def finish(self) -> JobState:
        """Seal what was done; the state that the job ends in."""
        ...

    def abandon(self) -> str:
        """
        Seal what was done so far, for good, and tidy up in the org where the gate lets it.

        Returns:
            What could not be tidied up, as a sentence; empty: nothing.
        """
        ...


WorkFactory = Callable[[JobContext], Work]
"""Makes the work of a job."""
