"""What ``/limits/recordCount`` says: counts of some time ago."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class RecordCounts:
    """
    The org's statistics of its rows.

    Real ones are approximate: a recorded org answered 1 while 6 rows existed, and left out objects
    that it had no statistic of.

    Args:
        count: the true number of an object's rows.
        names: all objects.
        age_s: statistics are taken anew when they are so old, in simulated seconds; 0: always true.
    """

    def __init__(
        self,
        count: Callable[[str], int],
        names: Callable[[], Iterable[str]],
        *,
        now_s: Callable[[], float],
        age_s: Callable[[], float],
    ) -> None:
        self._count = count
        self._names = names
        self._now_s = now_s
        self._age_s = age_s
        self._taken_s = float("-inf")
        self._known: dict[str, int] = {}

    def of(self, names: Iterable[str]) -> dict[str, int]:
        """Name to rows, without the objects that there is no statistic of."""
        if self._age_s() <= 0:
            return {name: self._count(name) for name in names}
        if self._now_s() - self._taken_s >= self._age_s():
            self.take()
        return {name: self._known[name] for name in names if name in self._known}

    def take(self) -> None:
        """Take the statistics now."""
        self._known = {name: self._count(name) for name in self._names()}
        self._taken_s = self._now_s()
