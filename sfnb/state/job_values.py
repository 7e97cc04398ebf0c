"""A job, its objects and its events, as the state database has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row

from sfnb.model import JobState, ObjectState
from sfnb.state import lease

Wanted = Literal["pause", "cancel"]


@dataclass(frozen=True, slots=True)
class Job:
    """
    One backup, restore or archive of one org.

    Args:
        objects: names of the objects it works on; None: all.
        rows: as the runner last told; per object see ``Jobs.objects``.
        wanted: what a person asked of it and it has not done yet.
        is_held: whether a living process runs it (or has just created it).
        outcome: what it found out, see ``Jobs.add_outcome``.
    """

    job_id: str
    kind: str
    org: str
    org_id: str
    state: JobState
    snapshot: str | None
    objects: tuple[str, ...] | None
    options: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None
    rows: int
    error: str | None
    wanted: Wanted | None
    is_held: bool = field(compare=False)
    outcome: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class JobObject:
    """
    One object of a job.

    Args:
        calls: API calls.
        message: why it is not complete, if so.
        outcome: what a backup counted: ``mode, added, changed, deleted, org_count, our_count,
            ids_match``.
    """

    object_name: str
    state: ObjectState
    rows: int
    calls: int
    message: str | None
    outcome: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedEvent:
    """
    Something that happened to a job, as it is kept. ``number`` grows with time; ``payload`` has
    JSON values.
    """

    number: int
    at: datetime
    kind: str
    payload: Mapping[str, Any]


def job_of(row: Row[Any], now: datetime) -> Job:
    """The job in a row of ``jobs``."""
    return Job(
        job_id=row.job_id,
        kind=row.kind,
        org=row.org,
        org_id=row.org_id,
        state=JobState(row.state),
        snapshot=row.snapshot,
        objects=None if row.objects is None else tuple(row.objects),
        options=row.options,
        started_at=row.started_at,
        ended_at=row.ended_at,
        rows=row.rows,
        error=row.error,
        wanted=row.wanted,
        is_held=lease.holder(row, now) is not None,
        outcome=row.outcome or {},
    )
