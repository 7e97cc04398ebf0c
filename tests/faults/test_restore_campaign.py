"""The restore campaign: what was damaged comes back once, whatever goes wrong on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.restore_campaign.campaign import run_seed

pytestmark = pytest.mark.campaign

SEEDS = range(1, 501) if os.environ.get("SFNB_CAMPAIGN") == "full" else (16, 21)
"""16: two kills; 21: a fault."""


@pytest.mark.parametrize("seed", SEEDS)
def test_difference_is_nothing_on_restorable_fields(seed: int, tmp_path: Path) -> None:
    """
    A random schema is backed up, damaged by others, restored with faults and kills, and restored
    into an empty org: no record is lost or doubled, and each field that can be written is as before.
    """
    outcome = run_seed(seed, tmp_path)
    assert outcome.is_good, "\n".join([*outcome.findings, outcome.line])
