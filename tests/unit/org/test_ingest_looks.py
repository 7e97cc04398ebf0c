"""When a Bulk ingest job is looked at: each look is a call."""

from __future__ import annotations

import pytest

from sfnb.org.writing.bulk2_ingest import next_look_s

ROWS = 100_000


@pytest.mark.parametrize(("took_s", "most"), [(5.0, 1), (50.0, 1), (200.0, 3), (700.0, 5)])
@pytest.mark.parametrize("tells", [False, True])
def test_few_looks_however_long_a_job_takes(took_s: float, most: int, tells: bool) -> None:
    """Also at a job that is fourteen times as slow as was thought, with a counter that moves or not."""
    age_s, looks = 0.000_01, 0  # what passes between a closing and the first question
    while age_s < took_s:
        processed = int(ROWS * age_s / took_s) if tells else 0
        age_s += next_look_s(ROWS, age_s, processed)
        looks += 1
    assert looks <= most
    assert age_s < max(2 * took_s, took_s + 60)
