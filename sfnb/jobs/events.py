"""What a job tells while it runs: small frozen values, in order, from the runner's thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sfnb.model import JobState, ObjectState, Pause


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the job ``job_id`` at ``at``."""

    job_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JobPlanned(Event):
    """What the job will read: each object's expected rows (None: not known)."""

    snapshot: str
    objects: dict[str, int | None]
    left_out: dict[str, str]


@dataclass(frozen=True, slots=True)
class JobStateChanged(Event):
    """The job went to ``state``; ``message`` says why where it is not plain."""

    state: JobState
    message: str = ""


@dataclass(frozen=True, slots=True)
class ObjectProgress(Event):
    """Rows of one object that are committed to the store."""

    object: str
    state: ObjectState
    rows: int
    expected_rows: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class ObjectFailed(Event):
    """One object cannot be read; the job goes on."""

    object: str
    message: str


@dataclass(frozen=True, slots=True)
class ObjectLeftOut(Event):
    """Salesforce does not let this object be queried; nothing is wrong with the job."""

    object: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobPaused(Event):
    """The job stopped sending; the org is asked again at ``next_check_at`` (None: nobody waits)."""

    pause: Pause
    threshold: int
    next_check_at: datetime | None


@dataclass(frozen=True, slots=True)
class QuotaChecked(Event):
    """A paused job asked the org: ``used`` of ``max``; it goes on when used is below ``lower_mark``."""

    api: str
    used: int
    max: int
    lower_mark: int
    next_check_at: datetime


@dataclass(frozen=True, slots=True)
class JobResumed(Event):
    """The job goes on where it stopped."""

    pause: Pause


Sink = Callable[[Event], None]
"""Takes events. It is called on the job's threads and must return soon; what it raises ends the job."""


def ignore(_event: Event) -> None:
    """A sink for nobody."""
