"""What the limit slider says."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sfnb.clock import FakeClock
from sfnb.ui import limits
from sfnb.ui.limits import Budget

BUDGET = Budget("api", 4000, 1000, 15_000, 50, True, FakeClock().now(), limits.UNCHANGED)  # type: ignore[arg-type]


@given(st.integers(0, 10**7), st.integers(1, 100))
def test_stop_and_rest_make_the_whole(max_: int, percent: int) -> None:
    """Nobody can confuse used and reserved percent: what jobs may reach and what stays are both said, and sum up."""
    text = limits.stop_sentence(replace(BUDGET, maximum=max_), percent)
    numbers = [
        int(word.replace(",", "")) for word in text.replace(";", " ").split() if word[0].isdigit()
    ]
    assert numbers[0] + numbers[2] == numbers[1] == max_


def test_what_if() -> None:
    """The next backup runs through, pauses and ends in some days, or can never end, as the slider moves."""
    priced = replace(BUDGET, price=4000, price_source="the plan")
    assert "run through without a pause" in limits.what_if(priced, 60)
    assert (
        "pause after about 3,500, resume as usage falls, and end in about 1 day if"
        in limits.what_if(priced, 50)
    )
    assert "pause at once" in limits.what_if(priced, 26)
    assert "other apps alone use 3,000" in limits.what_if(priced, 20)
    assert "not known yet" in limits.what_if(BUDGET, 50)
    assert "no usage reading" in limits.what_if(replace(priced, used=-1, maximum=-1), 50)


def test_the_forecast_is_said_where_there_is_one() -> None:
    """Where the job would pause, the forecast tells its end under just this limit percent."""
    told = tuple(f"It ends with {percent}." for percent in range(1, 101))
    priced = replace(BUDGET, price=4000, price_source="the plan", finishes=told)
    assert limits.what_if(priced, 50).endswith("pause after about 3,500. It ends with 50.")
    assert limits.what_if(priced, 1).endswith("It ends with 1.")
    assert "run through" in limits.what_if(priced, 100)
