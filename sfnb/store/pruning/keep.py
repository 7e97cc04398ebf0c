"""
Which snapshots a policy keeps. Pure.

The rules are those of restic's `forget` (restic's documentation, "Removing backup snapshots",
section "Removing snapshots according to a policy"): `--keep-last` keeps the newest ones;
`--keep-daily` the newest of each of the last so many days that have one; so do the others with ISO
weeks, calendar months and years. Days begin at midnight where the clock of this machine is. While a
rule has some left, the oldest snapshot is kept, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, tzinfo

from sfnb.errors import CallerError
from sfnb.store.manifest import moment_of


@dataclass(frozen=True, slots=True)
class KeepPolicy:
    """How many snapshots to keep: the newest, and the newest of so many days, weeks, months, years."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    @classmethod
    def of(cls, values: Mapping[str, object]) -> KeepPolicy:
        """
        The policy of a table of settings.

        Raises:
            CallerError: an unknown name, or a number that is none.
        """
        for name, value in values.items():
            if name not in cls.__slots__:
                raise CallerError(
                    f"a policy keeps {', '.join(cls.__slots__)}; {name!r} is none of them."
                )
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise CallerError(f"keep {name} takes a number of snapshots, not {value!r}.")
        return cls(**values)  # type: ignore[arg-type]  # checked just now

    @property
    def keeps_something(self) -> bool:
        return any(asdict(self).values())

    def __str__(self) -> str:
        return ", ".join(f"{name} {number}" for name, number in asdict(self).items() if number)


def _day(at: datetime) -> tuple[int, ...]:
    return at.year, at.month, at.day


def _week(at: datetime) -> tuple[int, ...]:
    return at.isocalendar()[:2]


RULES: Mapping[str, Callable[[datetime], tuple[int, ...]]] = {
    "daily": _day,
    "weekly": _week,
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: (at.year,),
}
"""By name, what the snapshots of one bucket have in common."""


def kept_by(snapshots: Iterable[str], policy: KeepPolicy, zone: tzinfo) -> dict[str, list[str]]:
    """
    Those of some snapshots that a policy keeps, newest first, and by which rules.

    Args:
        zone: whose days, weeks, months and years are meant.
    """
    newest_first = sorted(snapshots, reverse=True)
    counts = asdict(policy)
    last: dict[str, tuple[int, ...]] = {}
    found: dict[str, list[str]] = {}
    for number, snapshot in enumerate(newest_first):
        at = moment_of(snapshot).astimezone(zone)
        is_oldest = number == len(newest_first) - 1
        why = []
        if counts["last"] > 0:
            counts["last"] -= 1
            why.append("last")
        for rule, bucket_of in RULES.items():
            bucket = bucket_of(at)
            if counts[rule] > 0 and (bucket != last.get(rule) or is_oldest):
                why.append(rule if bucket != last.get(rule) else f"oldest {rule}")
                last[rule] = bucket
                counts[rule] -= 1
        if why:
            found[snapshot] = why
    return found
