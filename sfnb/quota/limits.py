"""Limit percents that a person wants: what is checked before they are set. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sfnb.errors import CallerError
from sfnb.model import APIS, RESTORE, Api


class LimitChanged(CallerError):
    """A limit is no longer what the person who wanted to change it had seen."""

    def __init__(self, api: Api, seen: int, percent: int, kind: str = "") -> None:
        whose = f"limit of {api} for {kind}s" if kind else f"limit of {api}"
        super().__init__(
            f"The {whose} was changed meanwhile from {seen} % to {percent} %; look at it again."
        )
        self.api = api
        self.percent = percent
        self.kind = kind


@dataclass(frozen=True, slots=True)
class NewLimits:
    """
    Limit percents that a person wants to be in force.

    Args:
        percents: 1 to 100 for each budget; of restores also 0: no limit of their own.
        expected: what the person who changes them saw (0 as above); None: whatever they are now.
        kind: whose limits: empty: the org's; ``restore``: those of restores.
    """

    percents: Mapping[Api, int]
    expected: Mapping[Api, int] | None = None
    kind: str = ""

    def check(self) -> None:
        """
        Raises:
            CallerError: no such percent, budget or kind.
        """
        if self.kind not in ("", RESTORE):
            raise CallerError(f"Only {RESTORE}s can have a limit of their own, not {self.kind!r}.")
        least = 0 if self.kind else 1
        for api, percent in self.percents.items():
            is_whole = isinstance(percent, int) and not isinstance(percent, bool)
            if not is_whole or not least <= percent <= 100:
                raise CallerError(
                    f"The limit must be a whole percent from 1 to 100, not {percent!r}."
                )
            if api not in APIS:
                raise CallerError(f"There is no API {api!r}; choose one of {', '.join(APIS)}.")

    def check_expected(self, before: Mapping[Api, int]) -> None:
        """
        Raises:
            LimitChanged: what is in force is not what the person saw.
        """
        for api in self.percents:
            if self.expected is not None and before[api] != self.expected[api]:
                raise LimitChanged(api, self.expected[api], before[api], self.kind)


def audit_lines(before: Mapping[Api, int], wanted: Mapping[Api, int]) -> list[tuple[str, int, int]]:
    """
    ``(api, old, new)`` of each line to write: one line for all budgets where one sentence says it
    all.
    """
    changes = {(before[api], percent) for api, percent in wanted.items()}
    if len(wanted) == len(APIS) and len(changes) == 1:
        return [("all", *changes.pop())]
    return [(api, before[api], percent) for api, percent in wanted.items()]
