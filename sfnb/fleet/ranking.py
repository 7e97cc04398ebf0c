"""What is wrong with an org, and which of two orgs is worse. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from sfnb.jobs import states
from sfnb.model import JobState
from sfnb.state.fleet import Check, GoodBackup, LiveJob, Trouble
from sfnb.text import count, span

OLD_S = 26 * 3600.0
"""A good backup every night is at most so old."""

TOO_OLD_S = 7 * 86_400.0

SOON_S = 86_400.0
"""A forecast of a pause is a worry for as long ahead."""


class Level(IntEnum):
    """How bad it is; the words are those of the JSON."""

    FINE = 0
    NOTICE = 1
    WARNING = 2
    BAD = 3
    DAMAGED = 4

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Worry:
    """One thing that is wrong, in words."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Use:
    """
    Where the daily API requests of an org stand.

    Args:
        used: as reported, and what sfnb has spent since; ``maximum`` -1: never reported.
        threshold: where jobs stop.
    """

    used: int
    maximum: int
    limit_percent: int
    threshold: int
    read_at: datetime | None = None
    is_known: bool = True

    @property
    def has_numbers(self) -> bool:
        return self.maximum > 0


@dataclass(frozen=True, slots=True)
class FleetOrg:
    """
    One org as the state knows it.

    Args:
        good: its newest backup that completed without errors; None: none.
        trouble: jobs that went wrong since then.
        check: the last verify; None: never.
        jobs: those that have not ended.
        next_pause_at: when a job that runs then would pause, by the forecast; None: not within two
            days, or nothing is known.
    """

    name: str
    org_id: str
    use: Use | None = None
    good: GoodBackup | None = None
    trouble: Trouble | None = None
    check: Check | None = None
    jobs: Sequence[LiveJob] = ()
    next_pause_at: datetime | None = None
    worries: Sequence[Worry] = ()

    @property
    def level(self) -> Level:
        """That of the worst worry."""
        return max((worry.level for worry in self.worries), default=Level.FINE)

    def age_s(self, now: datetime) -> float | None:
        """Since the last good backup began, which is what it shows; None: there is none."""
        return (now - self.good.started_at).total_seconds() if self.good else None


def worries_of(org: FleetOrg, now: datetime) -> list[Worry]:
    """All that is wrong with an org, the worst first."""
    found = [*_store(org, now), *_jobs(org), *_use(org, now)]
    return sorted(found, key=lambda worry: -worry.level)


def ranked(orgs: Iterable[FleetOrg], now: datetime) -> list[FleetOrg]:
    """
    The worst org first: by its worst worry, then by how many are as bad, then the oldest good
    backup, then by name.
    """

    def badness(org: FleetOrg) -> tuple[object, ...]:
        levels = sorted(-worry.level for worry in org.worries)
        age_s = org.age_s(now)
        return -org.level, levels, age_s is not None, -(age_s or 0.0), org.name

    return sorted(orgs, key=badness)


def _store(org: FleetOrg, now: datetime) -> Iterable[Worry]:
    if org.check is not None and org.check.damage:
        places = count(org.check.damage, "damaged place")
        yield Worry(Level.DAMAGED, f"{places} found: {org.check.finding}")
    age_s = org.age_s(now)
    if age_s is None:
        yield Worry(Level.BAD, "no backup of all its objects has completed without errors yet")
    elif age_s > TOO_OLD_S:
        yield Worry(Level.BAD, f"the last good backup is {span(age_s)} old")
    elif age_s > OLD_S:
        yield Worry(Level.WARNING, f"the last good backup is {span(age_s)} old")


def _jobs(org: FleetOrg) -> Iterable[Worry]:
    if org.trouble is not None and org.trouble.jobs:
        jobs = count(org.trouble.jobs, "job")
        yield Worry(Level.BAD, f"{jobs} went wrong since the last good backup: {org.trouble.error}")
    for job in org.jobs:
        if states.is_interrupted(job.state, is_held=job.is_held):
            yield Worry(Level.BAD, f"{job.kind} {job.job_id} was interrupted; resume it")
        elif job.state is JobState.PAUSED:
            alone = "" if job.is_held else ", and no process waits to resume it"
            yield Worry(Level.WARNING, f"{job.kind} {job.job_id} is paused{alone}")


def _use(org: FleetOrg, now: datetime) -> Iterable[Worry]:
    use = org.use
    if use is None or not use.has_numbers or not use.is_known:
        yield Worry(Level.NOTICE, "its use is not known")
    elif use.used >= use.threshold:
        yield Worry(Level.WARNING, f"its use has reached the limit of {use.limit_percent} %")
    elif org.next_pause_at is not None and org.next_pause_at - now <= timedelta(seconds=SOON_S):
        ahead_s = max((org.next_pause_at - now).total_seconds(), 0.0)
        yield Worry(Level.NOTICE, f"its use is expected to reach the limit in {span(ahead_s)}")
