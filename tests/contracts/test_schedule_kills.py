"""The schedule under kills, on both databases. The long form: 50 entries, a month, 20 kills."""

from __future__ import annotations

import os

import pytest

from tests.schedule_campaign import campaign, lines


@pytest.mark.campaign
def test_kills_of_the_service_lose_and_double_nothing(state_url: str) -> None:
    """Each due time has one line, and its command runs once, however often the service is killed."""
    if os.environ.get("SFNB_CAMPAIGN") == "full":
        outcome = campaign(state_url, lines(5, 5, 40), days=31, real_s=300.0, kills=20, seed=1)
    else:
        outcome = campaign(state_url, lines(2, 2, 4), days=3, real_s=6.0, kills=4, seed=1)
    caught_up = sum(run.covered_by is not None for run in outcome.runs)
    print(
        f"{len(outcome.expected)} due times, {outcome.kills} kills, {sum(outcome.ran.values())} "
        f"attempts, {sum(outcome.paused.values())} pauses, {caught_up} caught up; "
        f"{outcome.lost} lost, {outcome.doubled} doubled"
    )
    assert outcome.trouble == [], outcome.open_at_end
    assert (outcome.lost, outcome.doubled) == (0, 0)
    assert sum(outcome.ran.values()) > 0
