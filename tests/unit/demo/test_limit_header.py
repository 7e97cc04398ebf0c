"""The age of the number in ``Sforce-Limit-Info``: as recorded from real orgs."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from statistics import median

import pytest

from sfnb_demo.server.limit_header import header_age_s

CALLS, RATE = 1007, 3.76  # the longest recorded run of a client that sends one call at a time


def run(start_s: float = 0.0) -> tuple[list[int], list[float]]:
    """The number in each answer of a run of calls, and its age."""
    made_s = [start_s + n / RATE for n in range(CALLS)]
    ages = [header_age_s(n + 1, at_s) for n, at_s in enumerate(made_s)]
    return [bisect_right(made_s, at - age) for at, age in zip(made_s, ages, strict=True)], ages


@pytest.mark.parametrize("start_s", [0.0, 1.7e9, 1.7e9 + 31])
def test_the_header_lags_and_wobbles_as_recorded(start_s: float) -> None:
    """
    Median 50 to 56 s old, 31 to 78 s in all; falls in a third to half of the answers, by 25 to 60
    calls at most; stands 240 to 310 calls behind at worst.
    """
    numbers, ages = run(start_s)
    assert 50 < median(ages) < 56
    assert 31 <= min(ages) < 40
    assert 66 < max(ages) <= 78
    steps = [after - before for before, after in pairwise(numbers)]
    assert 1 / 3 < sum(step < 0 for step in steps) / CALLS < 1 / 2
    assert 25 <= -min(steps) <= 60
    assert 240 <= max(n + 1 - number for n, number in enumerate(numbers)) <= 310


def test_the_age_can_be_chosen() -> None:
    """0 is exact; another median scales the wobble; without wobble it is always the median."""
    assert header_age_s(1, 5.0, median_s=0) == 0
    assert header_age_s(1, 5.0, median_s=106) == pytest.approx(2 * header_age_s(1, 5.0))
    assert {header_age_s(n, n, median_s=120, has_wobble=False) for n in range(50)} == {120}
