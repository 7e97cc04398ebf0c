"""
How far off the forecast of a paused job's resume is, on simulated weeks with known truth. Prints a table.

An org, other apps that spend (regular ones; or bursty ones, which throw in a lump of calls at any time, three apps
about two days a week each), and a backup that runs now and then up to its limit percent and pauses. What sfnb would
know goes into the forecast: the counter every half hour, each call of its own, and (in one run of two) the event log's
daily files. The forecast is made when the pause begins and again at each poll, as the panels do, and compared with
when use really falls under the lower mark if the job waits.

    python benchmarks/forecast_backtest.py [--weeks 10] [--seed 1]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from sfnb.quota import forecast
from sfnb.quota.policy import lower_mark, threshold
from sfnb.usage.history import OrgHistory, Samples, Spent, covered_hours
from sfnb.usage.past import budget_history
from sfnb_demo.server.other_apps import APPS, OtherApps

DAY = 1440
PAST_DAYS = 22
TEST_DAYS = 7
POLL_MINUTES = 30
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
GOOD_MINUTES = 30
NEVER_MINUTES = 72 * 60.0

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """One forecast: how long the pause really went on, and how much later than foretold it ended (minutes)."""

    wait_minutes: int
    error_minutes: float
    is_in_band: bool
    is_first: bool


@dataclass
class Week:
    """One simulated week after three weeks of history; arrays are by minute from ``first``, a minute since 1970."""

    first: int
    others: Ints
    maximum: int
    percent: int
    own: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.own = np.zeros(len(self.others), dtype=np.int64)
        self._others_total = np.concatenate([[0], np.cumsum(self.others)])
        self._own_total = np.zeros(len(self.others) + 1, dtype=np.int64)

    def spend(self, minute: int, units: int) -> None:
        """The job spends; minutes come in order."""
        self.own[minute] = units
        # As far as anybody looks ahead before the next minute is played.
        self._own_total[minute + 1 : minute + 4 * DAY] = self._own_total[minute] + units

    def used(self, minute: int) -> int:
        """Use in the 24 hours up to the end of that minute."""
        upto, since = minute + 1, max(minute + 1 - DAY, 0)
        return int(
            self._others_total[upto]
            - self._others_total[since]
            + self._own_total[upto]
            - self._own_total[since]
        )


def simulate(seed: int, kind: str) -> Week:
    """The others' minutes, known beforehand."""
    random = np.random.default_rng([seed, 7])
    start = MONDAY + timedelta(days=7 * (seed % 26))
    first = int(start.timestamp() // 60)
    most = int(random.choice([15_000, 100_000, 250_000]))
    apps = OtherApps(
        seed=seed, daily_calls=most * random.uniform(0.2, 0.4), has_bursts=kind == "bursty"
    )
    days = range(first // DAY, first // DAY + PAST_DAYS + TEST_DAYS + 4)
    others = np.concatenate(
        [sum(apps.calls(index, day) for index in range(len(APPS))) for day in days]
    )
    return Week(first, others, most, int(random.choice([40, 50, 60, 70])))


def play(week: Week, seed: int, *, has_log: bool) -> list[Case]:
    """Run the job through the week; cases for each pause."""
    random = np.random.default_rng([seed, 8])
    top, mark = threshold(week.maximum, week.percent), lower_mark(week.maximum, week.percent)
    start, end = PAST_DAYS * DAY, (PAST_DAYS + TEST_DAYS) * DAY
    samples = [(minute, week.used(minute)) for minute in range(DAY, start, POLL_MINUTES)]
    next_start, left, is_paused = start + int(random.integers(0, DAY)), 0, False
    rate = max(week.maximum // 1000, 20)
    cases: list[Case] = []
    for minute in range(start, end):
        if minute >= next_start and left == 0:
            left = int(week.maximum * random.uniform(0.2, 0.6))
            next_start = minute + int(DAY * random.uniform(0.8, 1.6))
        used = week.used(minute)
        if is_paused and used <= mark - 1:
            is_paused = False
        spent = 0
        week.spend(minute, 0)
        if left and not is_paused:
            spent = min(rate, left, max(top - used, 0))
            week.spend(minute, spent)
            left -= spent
            is_paused = bool(left) and top - used <= rate
            if is_paused:
                cases += judge(
                    week, minute, [*samples, (minute, week.used(minute))], mark, has_log=has_log
                )
        if spent or minute % POLL_MINUTES == 0:
            samples.append((minute, week.used(minute)))
    return cases


def judge(
    week: Week, begin: int, samples: list[tuple[int, int]], mark: int, *, has_log: bool
) -> list[Case]:
    """Ask the forecast at the pause and at each poll after it; see what really comes if the job waits."""
    resumed = next((m for m in range(begin + 1, begin + 3 * DAY) if week.used(m) <= mark - 1), None)
    if resumed is None:
        return []
    cases = []
    for now in range(begin, resumed, POLL_MINUTES):
        readings = [
            *samples,
            *(
                (poll, week.used(poll))
                for poll in range(begin + POLL_MINUTES, now + 1, POLL_MINUTES)
            ),
        ]
        cases.append(
            ask(
                week,
                now,
                resumed,
                np.array(readings, dtype=np.int64),
                is_first=now == begin,
                has_log=has_log,
            )
        )
    return cases


def ask(
    week: Week, now: int, resumed: int, readings: Ints, *, is_first: bool, has_log: bool
) -> Case:
    now_at = datetime.fromtimestamp((week.first + now) * 60 + 59, UTC)
    spent = np.flatnonzero(week.own[: now + 1])
    # A day's file is there at 09:14 of the next one.
    logged = (now - (9 * 60 + 15)) // DAY * DAY if has_log else 0
    history = OrgHistory(
        "sim",
        "00D",
        now_at - timedelta(days=7),
        now_at,
        samples={
            "api": Samples(
                readings[:, 0] + week.first,
                readings[:, 1],
                np.full(len(readings), week.maximum, dtype=np.int64),
            )
        },
        spent={
            "api": Spent(spent + week.first, np.zeros(len(spent), dtype=np.int64), week.own[spent])
        },
        log_minutes=np.arange(logged, dtype=np.int64) + week.first,
        log_calls=(week.others + week.own)[:logged],
        log_own=week.own[:logged],
        covered=covered_hours(
            [("Daily", (week.first + day) // 60) for day in range(0, logged, DAY)]
        ),
    )
    budget = budget_history(history, "api")
    if budget is None:
        raise AssertionError("the counter was read a moment ago")
    found = forecast.resumes(budget, week.percent)
    wait = resumed - now
    resumed_at = now_at + timedelta(minutes=wait)
    slot = timedelta(minutes=forecast.SLOT_MINUTES)
    is_in_band = (found.low_at is not None and found.low_at - slot <= resumed_at) and (
        found.high_at is None or resumed_at <= found.high_at + slot
    )
    error = NEVER_MINUTES if found.at is None else wait - (found.at - now_at).total_seconds() / 60
    return Case(wait, error, is_in_band, is_first)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--weeks", type=int, default=10, help="simulated weeks of each kind")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(
        f"{'others':8} {'event log':9} {'asked':12} {'cases':>6} {'within 30 min':>13} {'median':>8} {'90th':>8} "
        f"{'in band':>8} {'wait':>7}"
    )
    began = time.perf_counter()
    every: list[Case] = []
    for kind in ("regular", "bursty"):
        for has_log in (False, True):
            cases: list[Case] = []
            for seed in range(given.seed * 1000, given.seed * 1000 + given.weeks):
                cases += play(simulate(seed, kind), seed, has_log=has_log)
            print_rows(kind, "daily" if has_log else "none", cases)
            every += cases
    print_rows("all", "", every)
    print(f"{time.perf_counter() - began:.0f} s")


def print_rows(kind: str, log: str, cases: list[Case]) -> None:
    groups = {
        "at the pause": [case for case in cases if case.is_first],
        "6 h before": [case for case in cases if 330 < case.wait_minutes <= 360],
        "each poll": cases,
    }
    for name, group in groups.items():
        if group:
            print(row(kind, log, name, group))


def row(kind: str, log: str, name: str, cases: list[Case]) -> str:
    errors = np.abs([case.error_minutes for case in cases])
    return (
        f"{kind:8} {log:9} {name:12} {len(cases):6} {np.mean(errors <= GOOD_MINUTES) * 100:11.1f} % "
        f"{np.median(errors):4.0f} min {np.percentile(errors, 90):4.0f} min "
        f"{np.mean([case.is_in_band for case in cases]) * 100:6.1f} % "
        f"{np.median([case.wait_minutes for case in cases]) / 60:5.1f} h"
    )


if __name__ == "__main__":
    main()
