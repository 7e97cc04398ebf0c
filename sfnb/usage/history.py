"""One org's use as plain arrays: what the frames, the figures and the forecast are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from sfnb.jobs import states
from sfnb.jobs.summary import job_warnings
from sfnb.memory import State
from sfnb.model import APIS, Api, JobState, JobWarning
from sfnb.quota.gate import Gate
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT
from sfnb.usage.store.values import Caller, EventRead, ReportRead, UserDay, minute_number

Ints = npt.NDArray[np.int64]

DAY_MINUTES = 1440
PATTERN_DAYS = 29
"""
How far back the forecast looks, whatever the report shows: four weeks and the day before them.
"""

PRESENT_S = 3600.0
"""A gauge read longer ago says nothing about the present."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Readings of one budget: minutes since 1970, oldest first, units used and allowed."""

    minutes: Ints
    used: Ints
    maximum: Ints

    def __len__(self) -> int:
        return len(self.minutes)


@dataclass(frozen=True, slots=True)
class Spent:
    """
    Units of one budget that sfnb spent: minutes since 1970, oldest first; ``jobs`` index
    ``OrgHistory.job_ids``.
    """

    minutes: Ints
    jobs: Ints
    units: Ints


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job, as the report needs it; ``is_held``: a living process runs it or waits with it."""

    job_id: str
    kind: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    is_held: bool = True

    @property
    def is_interrupted(self) -> bool:
        """Whether it ought to run and no process runs it."""
        return states.is_interrupted(JobState(self.state), is_held=self.is_held)


@dataclass(frozen=True, slots=True)
class PauseLine:
    """One pause of one job; ``resumed_at`` None: it lasts."""

    job_id: str
    api: str
    at: datetime
    resumed_at: datetime | None
    used: int
    maximum: int


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A limit percent that was set; of ``kind`` ``restore`` that of restores, where 0 means none."""

    at: datetime
    api: Api
    old: int
    new: int
    kind: str = ""


@dataclass(frozen=True)
class OrgHistory:
    """
    One org's use up to ``now``.

    Args:
        start_at: where the report begins; what lies before is there for rolling sums and the weekly
            pattern.
        samples, spent: by budget.
        present: by budget, units used and allowed **now**, as the gate counts them: the last
            reading and sfnb's own calls that it may not include. Only where the reading is younger
            than an hour.
        job_ids: of ``Spent.jobs``; the empty one stands for sfnb's calls outside jobs.
        log_minutes, log_calls, log_own: the event log's counted calls by minute, and those of them
            by sfnb.
        log_hours: rows of (hour since 1970, actor, counted, uncounted); ``callers`` says who the
            actors are.
        covered: hours since 1970 that the event log covers completely, sorted.
        job_objects: API calls by object of the job that spent most in the report's time,
            ``largest_job``.
        user_days: from Salesforce's usage report; ``report_read``: how reading it went.
        warnings: of the newest backup that has ended or warned already.
        next_price: what the last backup said that the next one will cost; empty: it said nothing.
        future_samples: how many samples lie after ``now``: a clock has gone back. They are left
            out.
    """

    org: str
    org_id: str
    start_at: datetime
    now: datetime
    samples: Mapping[Api, Samples] = field(default_factory=dict)
    spent: Mapping[Api, Spent] = field(default_factory=dict)
    present: Mapping[Api, tuple[int, int]] = field(default_factory=dict)
    job_ids: Sequence[str] = ("",)
    jobs: Sequence[JobLine] = ()
    pauses: Sequence[PauseLine] = ()
    limit_changes: Sequence[LimitChange] = ()
    percents: Mapping[Api, int] = field(default_factory=dict)
    log_minutes: Ints = field(default_factory=lambda: _ints([]))
    log_calls: Ints = field(default_factory=lambda: _ints([]))
    log_own: Ints = field(default_factory=lambda: _ints([]))
    log_hours: Ints = field(default_factory=lambda: np.zeros((0, 4), dtype=np.int64))
    callers: Mapping[int, Caller] = field(default_factory=dict)
    covered: Ints = field(default_factory=lambda: _ints([]))
    event_read: EventRead = field(default_factory=EventRead)
    largest_job: str = ""
    job_objects: Mapping[str, int] = field(default_factory=dict)
    user_days: Sequence[UserDay] = ()
    report_read: ReportRead = field(default_factory=ReportRead)
    future_samples: int = 0
    warnings: Sequence[JobWarning] = ()
    next_price: Mapping[Api, int] = field(default_factory=dict)

    @property
    def start_hour(self) -> int:
        """The first hour since 1970 that the report shows."""
        return minute_number(self.start_at) // 60

    @property
    def end_minute(self) -> int:
        """The minute since 1970 of ``now``."""
        return minute_number(self.now)

    def percent(self, api: Api) -> int:
        """The limit percent now."""
        return self.percents.get(api, DEFAULT_LIMIT_PERCENT)

    def percent_at(self, api: Api, minutes: Ints, *, kind: str = "") -> Ints:
        """The limit percent that was in force at these minutes; of restores 0 where they had none."""
        changes = sorted(
            (change for change in self.limit_changes if (change.api, change.kind) == (api, kind)),
            key=lambda change: change.at,
        )
        if not changes:
            return np.full(len(minutes), 0 if kind else self.percent(api), dtype=np.int64)
        steps = _ints([changes[0].old, *(change.new for change in changes)])
        at = _ints([minute_number(change.at) for change in changes])
        return steps[np.searchsorted(at, minutes, side="right")]


def load_history(state: State, org: str, org_id: str, *, days: int, now: datetime) -> OrgHistory:
    """
    An org's use in the last ``days`` days from the state database, and what the forecast needs
    before them.

    Cost: no API calls.
    """
    start_at = (now - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
    since = min(start_at, now - timedelta(days=PATTERN_DAYS)) - timedelta(days=1)
    book, log_book, end = state.usage, state.event_log, minute_number(now)
    readings = book.samples(org_id, since)
    spent = book.calls(org_id, since)
    job_ids = sorted({"", *(row[2] for row in spent)})
    jobs = [
        JobLine(
            job.job_id, job.kind, str(job.state), job.started_at, job.ended_at, is_held=job.is_held
        )
        for job in state.jobs.find(org_id)
        if job.ended_at is None or job.ended_at >= since
    ]
    largest = _largest_job(spent, minute_number(start_at))
    log = _ints(log_book.event_minutes(org_id, since), width=3)
    return OrgHistory(
        org=org,
        org_id=org_id,
        start_at=start_at,
        now=now,
        samples={api: _samples(readings, api, end) for api in APIS},
        spent={api: _spent(spent, api, job_ids) for api in APIS},
        present=_present(state, org_id, now),
        job_ids=job_ids,
        jobs=jobs,
        pauses=[PauseLine(*row) for row in book.job_pauses(org_id, since)],
        limit_changes=_limit_changes(state, org_id),
        percents=state.ledger.limit_percents(org_id),
        log_minutes=log[:, 0],
        log_calls=log[:, 1],
        log_own=log[:, 2],
        log_hours=_ints(log_book.event_hours(org_id, since), width=4),
        callers=log_book.actors(org_id),
        covered=covered_hours(log_book.covered(org_id, since)),
        event_read=log_book.event_read(org_id),
        largest_job=largest,
        job_objects=state.usage.object_calls(largest) if largest else {},
        user_days=state.user_days.days(org_id, since.date()),
        report_read=state.user_days.last_read(org_id),
        future_samples=sum(1 for row in readings if row[1] > end),
        warnings=_warnings(state, org_id),
        next_price=_next_price(state, org_id),
    )


def _next_price(state: State, org_id: str) -> dict[Api, int]:
    done = (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS)
    jobs = [job for job in state.jobs.find(org_id) if job.kind == "backup" and job.state in done]
    return dict(jobs[-1].outcome.get("next_backup_price") or {}) if jobs else {}


def _warnings(state: State, org_id: str) -> list[JobWarning]:
    backups = [job for job in state.jobs.find(org_id) if job.kind == "backup"]
    # One that has just begun says nothing yet of what the one before it has found.
    finished = [job for job in backups if job.state.is_final or job.outcome.get("warnings")]
    return job_warnings(finished[-1]) if finished else []


def _present(state: State, org_id: str, now: datetime) -> dict[Api, tuple[int, int]]:
    budgets = Gate(state.ledger, org_id, clock=state.database.clock).standing()
    return {
        api: (here.used, here.maximum)
        for api, here in budgets.items()
        if here.is_known
        and here.maximum >= 0
        and here.read_at is not None
        and 0 <= (now - here.read_at).total_seconds() < PRESENT_S
    }


def covered_hours(files: Iterable[tuple[str, int]]) -> Ints:
    """
    The hours that the event log covers, from the ``(interval, hour)`` of its files.

    Salesforce writes no file for an hour or day without calls, so what lies between two files of a
    kind is covered too.
    """
    hours: set[int] = set()
    for interval, length in (("Daily", 24), ("Hourly", 1)):
        begins = [hour for kind, hour in files if kind == interval]
        if begins:
            hours.update(range(min(begins), max(begins) + length))
    return _ints(sorted(hours))


def _largest_job(spent: Iterable[tuple[str, int, str, int]], since: int) -> str:
    """The job that spent most API calls since then; empty: none did."""
    sums: Counter[str] = Counter()
    for api, minute, job_id, units in spent:
        if api == "api" and minute >= since and job_id:
            sums[job_id] += units
    return max(sums, key=lambda job_id: (sums[job_id], job_id), default="")


def _limit_changes(state: State, org_id: str) -> list[LimitChange]:
    return [
        LimitChange(datetime.fromisoformat(entry.at), api, entry.old, entry.new, entry.limit_of)
        for entry in state.audit.entries(org_id, ("limit",))
        for api in APIS
        if entry.api in (api, "all")
    ]


def _samples(readings: Iterable[tuple[str, int, int, int]], api: Api, end: int) -> Samples:
    rows = _ints([row[1:] for row in readings if row[0] == api and row[1] <= end], width=3)
    return Samples(rows[:, 0], rows[:, 1], rows[:, 2])


def _spent(spent: Iterable[tuple[str, int, str, int]], api: Api, job_ids: Sequence[str]) -> Spent:
    number = {job_id: index for index, job_id in enumerate(job_ids)}
    rows = _ints([(row[1], number[row[2]], row[3]) for row in spent if row[0] == api], width=3)
    return Spent(rows[:, 0], rows[:, 1], rows[:, 2])


def _ints(values: object, *, width: int = 0) -> Ints:
    array = np.asarray(values, dtype=np.int64)
    return array.reshape(-1, width) if width else array
