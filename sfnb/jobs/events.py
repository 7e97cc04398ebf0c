"""What a job tells while it runs: small frozen values, in order, from the runner's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

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

    object_name: str
    state: ObjectState
    rows: int
    expected_rows: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class ObjectFailed(Event):
    """One object cannot be read; the job goes on."""

    object_name: str
    message: str


@dataclass(frozen=True, slots=True)
class ObjectLeftOut(Event):
    """Salesforce does not let this object be queried; nothing is wrong with the job."""

    object_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobWarned(Event):
    """Something a person should know although nothing failed; the fields of `JobWarning`."""

    code: str
    object_name: str
    message: str


@dataclass(frozen=True, slots=True)
class JobPaused(Event):
    """
    The job stopped sending; the org is checked again at ``next_check_at`` (None: nobody waits).
    """

    pause: Pause
    threshold: int
    next_check_at: datetime | None


@dataclass(frozen=True, slots=True)
class QuotaChecked(Event):
    """
    A paused job asked the org: ``used`` of ``max``; it goes on when used is below ``lower_mark``.
    """

    api: str
    used: int
    maximum: int
    lower_mark: int
    next_check_at: datetime


@dataclass(frozen=True, slots=True)
class JobResumed(Event):
    """
    The job continues where it stopped.

    Args:
        reason: why, in words: who raised the limit, or that usage is below it again.
    """

    pause: Pause
    reason: str = ""


Sink = Callable[[Event], None]
"""
Takes events. It is called on the job's threads and must return soon; what it raises ends the job.
"""


def ignore(_event: Event) -> None:
    """A sink for nobody."""


class EventFan:
    """A sink that hands each event on to all who listen. Safe for threads."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        for sink in self._sinks:
            sink(event)

    def add(self, sink: Sink) -> Callable[[], None]:
        """Have ``sink`` hear what happens from now on; the result ends that."""
        with self._lock:
            self._sinks = (*self._sinks, sink)

        def leave() -> None:
            with self._lock:
                self._sinks = tuple(other for other in self._sinks if other is not sink)

        return leave


# -------------------------------------------------------------------------------------------------------
# kept events

ORG = "org"
"""In place of a budget: the pause of a job whose org is away."""

STATE = "state"
"""In place of a budget: the pause of a job whose state database does not answer."""

CANCELLED = "cancelled by a person; what was read can be read"
"""Why a job is ``cancelled``, in its last event."""

KEPT: tuple[type[Event], ...] = (
    JobPlanned,
    JobStateChanged,
    ObjectFailed,
    ObjectLeftOut,
    JobWarned,
    JobPaused,
    QuotaChecked,
    JobResumed,
)
"""Events that are kept in the state. How far an object is, is not: ``job_objects`` says that."""


def payload_of(event: Event) -> dict[str, Any]:
    """The event's own fields as JSON values."""
    return {
        f.name: _plain(getattr(event, f.name))
        for f in fields(event)
        if f.name not in ("job_id", "at")
    }


def parse_payload(job_id: str, at: datetime, kind: str, payload: Mapping[str, Any]) -> Event | None:
    """The event that was kept; None for one that only a newer sfnb knows."""
    kinds = {known.__name__: known for known in KEPT}
    if kind not in kinds:
        return None
    values = _renamed(payload)
    if "pause" in values:
        pause = _renamed(values["pause"])
        values["pause"] = Pause(
            **{**pause, "at": _moment(pause["at"]), "resumed_at": _moment(pause["resumed_at"])}
        )
    if "next_check_at" in values:
        values["next_check_at"] = _moment(values["next_check_at"])
    if kind == JobStateChanged.__name__:
        values["state"] = JobState(values["state"])
    return kinds[kind](job_id, at, **values)


def _renamed(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The values under today's names: up to sfnb 0.1 two were called ``object`` and ``max``."""
    today = {"object": "object_name", "max": "maximum"}
    return {today.get(name, name): value for name, value in payload.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
