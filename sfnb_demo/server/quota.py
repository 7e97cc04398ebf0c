"""
The org's four budgets over a rolling 24 hours, and when it refuses.

A call leaves the window exactly 24 hours after it was made. Nothing is reset at midnight
(Salesforce limits cheat sheet, "API Request Limits and Allocations").
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Mapping
from typing import Protocol

DAY_S = 86_400.0
BUDGETS = ("api", "bulk", "bulk2", "bulk2_kb")
"""REST/SOAP/Bulk calls, Bulk batches, Bulk 2.0 query jobs, KB of Bulk 2.0 query results."""

DEFAULT_MAX: Mapping[str, int] = {
    "api": 15_000,
    "bulk": 15_000,
    "bulk2": 10_000,
    "bulk2_kb": 1_000_000_000,
}


class Others(Protocol):
    """Other spenders; see ``other_apps``."""

    def used(self, budget: str, at_s: float) -> int:
        """Their usage in the 24 hours up to ``at_s``."""
        ...


class Meter:
    """Usage by time. Not locked: the quota locks. Times must come in order."""

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._totals: list[int] = []

    def add(self, at_s: float, units: int) -> None:
        if self._times_s and at_s < self._times_s[-1]:
            raise ValueError("a meter is written in the order of time")
        self._times_s.append(at_s)
        self._totals.append((self._totals[-1] if self._totals else 0) + units)

    def total(self, at_s: float) -> int:
        """All units spent up to and including ``at_s``."""
        index = bisect_right(self._times_s, at_s)
        return self._totals[index - 1] if index else 0

    def used(self, at_s: float) -> int:
        """
        Units spent in the 24 hours up to ``at_s``. One spent exactly 24 hours ago no longer counts.
        """
        return self.total(at_s) - self.total(at_s - DAY_S)


class Quota:
    """
    The org's counters, safe for threads.

    Args:
        is_hard: refuse beyond the maximum (Developer Edition, sandboxes, trials). Soft lets ``api``
            go over it, as paid production orgs do; the Bulk budgets are hard in every org.
        max_units: the allocations; default ``DEFAULT_MAX``.
    """

    def __init__(
        self, others: Others, *, is_hard: bool = True, max_units: Mapping[str, int] | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._others = others
        self._meters = {budget: Meter() for budget in BUDGETS}
        self._max = dict(DEFAULT_MAX) | dict(max_units or {})
        self._last_s = 0.0
        self.is_hard = is_hard

    def max(self, budget: str) -> int:
        return self._max[budget]

    def set_max(self, budget: str, units: int) -> None:
        if budget not in self._max:
            raise ValueError(f"there is no budget {budget!r}; use one of {', '.join(BUDGETS)}")
        self._max[budget] = units

    def used(self, budget: str, at_s: float) -> int:
        """Units that the whole org spent in the 24 hours up to ``at_s``."""
        with self._lock:
            return self._used(budget, at_s)

    def spend(
        self, budget: str, units: int, at_s: float, *, is_forced: bool = False
    ) -> tuple[bool, int]:
        """
        Spend, unless that is refused: whether it was allowed, and the usage after it.

        Check and spending are one step, so many threads together never exceed a hard maximum.
        ``is_forced`` books what has already happened, regardless of the maximum.
        """
        with self._lock:
            # Threads read the clock before they arrive here, so a later time may arrive first.
            self._last_s = at_s = max(at_s, self._last_s)
            used = self._used(budget, at_s)
            is_limited = self.is_hard or budget != "api"
            if is_limited and not is_forced and used + units > self._max[budget]:
                return False, used
            if units:
                self._meters[budget].add(at_s, units)
            return True, used + units

    def _used(self, budget: str, at_s: float) -> int:
        return self._meters[budget].used(at_s) + self._others.used(budget, at_s)
