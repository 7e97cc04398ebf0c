"""The archive campaign, shortened; whole: ``python -m tests.archive_campaign SEED 100``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.archive_campaign.campaign import run_seed

POINTS = 100 if os.environ.get("SFNB_CAMPAIGN") == "full" else 4


@pytest.mark.campaign
@pytest.mark.parametrize("seed", [1])
def test_nothing_is_gone_that_is_not_whole_in_the_store(seed: int, tmp_path: Path) -> None:
    """P5: an archive that is killed anywhere has deleted only what the store has whole."""
    outcome = run_seed(seed, POINTS, tmp_path)
    assert outcome.is_good, "\n".join([*outcome.findings, outcome.line])
    assert outcome.kills and outcome.gone and outcome.files
