"""
The org's other apps: they spend on a daily curve, more on weekdays than on weekends, with bursts.

Nothing runs in the background. Seed, app and day determine what an app did in each minute; it is
computed on request. So there is a past of any length, the same in every run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

DAY_MINUTES = 1440

Minutes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OtherApp:
    """
    Args:
        name: the connected app's name.
        connected_app_id: 15 characters, prefix 0H4.
        user: index into the organization's users.
        share: part of the day's calls of all other apps.
        peak_hour: UTC hour of its maximum; ``width_h``: how long it stays busy, 24 is flat.
        weekend: its share of that on Saturday and Sunday.
        burst: part of a day's calls spent within minutes, on about two days a week.
        extra: units of the Bulk budgets for each call.
    """

    name: str
    connected_app_id: str
    user: int
    share: float
    peak_hour: float
    width_h: float
    weekend: float
    burst: float
    family: str
    resources: tuple[tuple[str, str, str], ...]
    extra: Mapping[str, float] = field(default_factory=dict)


APPS: tuple[OtherApp, ...] = (
    OtherApp(
        "Marketing Sync", "0H47Q00000ApP01", 1, 0.30, 9.0, 24.0, 0.8, 0.0, "REST",
        (("GET", "/query", "Lead"), ("PATCH", "/sobjects", "Lead"), ("POST", "/composite", "CampaignMember")),
    ),
    OtherApp(
        "ERP Connector", "0H47Q00000ApP02", 2, 0.25, 14.0, 5.0, 0.15, 0.25, "SOAP",
        (("POST", "/Soap/u", "Order"), ("POST", "/Soap/u", "Account")),
    ),
    OtherApp(
        "Warehouse Loader", "0H47Q00000ApP03", 3, 0.15, 2.0, 1.5, 1.0, 0.1, "BULK2",
        (("POST", "/jobs/query", "Opportunity"), ("GET", "/jobs/query", "Opportunity")),
        {"bulk2": 0.06, "bulk2_kb": 310.0},
    ),
    OtherApp(
        "Support Desk", "0H47Q00000ApP04", 4, 0.22, 11.0, 4.0, 0.3, 0.0, "REST",
        (("GET", "/sobjects", "Case"), ("POST", "/sobjects", "Case"), ("GET", "/query", "Contact")),
    ),
    OtherApp(
        "Nightly Import", "0H47Q00000ApP05", 5, 0.08, 22.5, 0.7, 0.6, 0.4, "BULK",
        (("POST", "/async/job", "Contact"), ("GET", "/async/job", "Contact")),
        {"bulk": 0.35},
    ),
)  # fmt: skip


class OtherApps:
    """
    The usage of the other apps; safe for threads.

    Args:
        daily_calls: calls of all together on an ordinary weekday, approximately.
        has_bursts: False leaves the plain curve.
        is_on: whether they spend from the start and did so before.
    """

    def __init__(
        self, *, seed: int, daily_calls: float, has_bursts: bool = True, is_on: bool = True
    ) -> None:
        self.seed = seed
        self.daily_calls = daily_calls
        self.has_bursts = has_bursts
        self._lock = threading.Lock()
        # The minutes in which they spend: (first, last); last is None for the current span.
        self._spells: list[tuple[int, int | None]] = [(0, None)] if is_on else []
        self._day_sums = lru_cache(maxsize=512)(self._compute_day_sums)
        self._day_calls = lru_cache(maxsize=512)(self._compute_day_calls)

    @property
    def is_on(self) -> bool:
        return bool(self._spells) and self._spells[-1][1] is None

    def switch(self, *, is_on: bool, at_s: float) -> None:
        """Switch them on or off. What they have spent stays spent."""
        minute = int(at_s // 60)
        with self._lock:
            if is_on and not self.is_on:
                self._spells.append((minute + 1, None))
            elif not is_on and self.is_on:
                self._spells[-1] = (self._spells[-1][0], minute)

    def calls(self, app: int, day: int) -> Minutes:
        """
        Calls of one app in each minute of a day (days since 1970): 1,440 numbers, 0 while switched
        off.
        """
        minutes = self._day_calls(app, day).copy()
        first = day * DAY_MINUTES
        is_live = np.zeros(DAY_MINUTES, dtype=bool)
        for begin, end in list(self._spells):
            low = max(begin - first, 0)
            high = DAY_MINUTES if end is None else min(max(end + 1 - first, 0), DAY_MINUTES)
            is_live[low:high] = True
        minutes[~is_live] = 0
        return minutes

    def used(self, budget: str, at_s: float) -> int:
        """
        Units of all together in the 24 hours up to ``at_s``.

        A minute's calls are made at its beginning.
        """
        last = int(at_s // 60)
        return self.between(budget, last - DAY_MINUTES, last)

    def between(self, budget: str, after: int, last: int) -> int:
        """Units in the minutes ``after < minute <= last`` (minutes since 1970)."""
        total = 0
        for begin, end in list(self._spells):
            low = max(after, begin - 1)
            high = last if end is None else min(last, end)
            if high > low:
                total += self._cumulated(budget, high, low)
        return total

    def _cumulated(self, budget: str, last: int, after: int) -> int:
        total = 0
        for day in range((after + 1) // DAY_MINUTES, last // DAY_MINUTES + 1):
            sums = self._day_sums(budget, day)
            first = day * DAY_MINUTES
            total += int(sums[min(last - first + 1, DAY_MINUTES)] - sums[max(after + 1 - first, 0)])
        return total

    def _compute_day_sums(self, budget: str, day: int) -> Minutes:
        """Running totals over the minutes of a day, 1,441 numbers, the first 0."""
        sums = np.zeros(DAY_MINUTES + 1, dtype=np.int64)
        for index, app in enumerate(APPS):
            cumulated = np.cumsum(self._day_calls(index, day))
            if budget == "api":
                sums[1:] += cumulated
            elif budget in app.extra:
                sums[1:] += np.floor(cumulated * app.extra[budget]).astype(np.int64)
        return sums

    def _compute_day_calls(self, app_index: int, day: int) -> Minutes:
        app = APPS[app_index]
        random = np.random.default_rng([self.seed, app_index, day])
        minutes = np.arange(DAY_MINUTES)
        # Distance to the peak on the clock face: 23:00 is near 01:00.
        distance_h = np.abs((minutes / 60.0 - app.peak_hour + 12.0) % 24.0 - 12.0)
        curve = np.exp(-0.5 * (distance_h / app.width_h) ** 2) + 0.02
        # 1 January 1970 was a Thursday: Monday is 0.
        is_weekend = (day + 3) % 7 >= 5
        calls = (
            self.daily_calls
            * app.share
            * (app.weekend if is_weekend else 1.0)
            * random.uniform(0.85, 1.15)
        )
        made = random.poisson(curve / curve.sum() * calls).astype(np.int64)
        if self.has_bursts and random.random() < 2 / 7 and app.burst:
            start, length = int(random.integers(0, DAY_MINUTES - 20)), int(random.integers(5, 20))
            made[start : start + length] += random.poisson(
                self.daily_calls * app.share * app.burst / length, size=length
            )
        result: Minutes = made
        return result
