"""Histories made up for tests: any samples, calls of ours and log rows, by plain lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from sfnb.usage.history import JobLine, OrgHistory, Samples, Spent, covered_hours
from sfnb.usage.store.values import Caller, minute_number

NOW = datetime(2026, 11, 9, 12, 0, tzinfo=UTC)
END = minute_number(NOW)
DAY = 1440
ERP = Caller("ERP", "erp@acme.test", "SOAP", "Order", is_sfnb=False)
OURS = Caller("sfnb", "backup@acme.test", "REST", "Account", is_sfnb=True)


def ints(values: Any) -> np.ndarray:
    return np.asarray(values, dtype=np.int64)


def history(
    samples: Sequence[tuple[int, int, int]] = (),
    spent: Sequence[tuple[int, int, int]] = (),
    log: Sequence[tuple[int, int, int]] = (),
    covered: Sequence[tuple[str, int]] = (),
    *,
    days: int = 7,
    jobs: Sequence[JobLine] = (),
    **more: Any,
) -> OrgHistory:
    """
    Args:
        samples: ``(minutes ago, used, max)`` of ``api``.
        spent: ``(minutes ago, index of the job in ["", "j1", "j2"], units)``.
        log: ``(minutes ago, calls, ours of them)``.
    """
    told = ints(sorted((END - ago, used, most) for ago, used, most in samples)).reshape(-1, 3)
    own = ints(sorted((END - ago, job, units) for ago, job, units in spent)).reshape(-1, 3)
    rows = ints(sorted((END - ago, calls, ours) for ago, calls, ours in log)).reshape(-1, 3)
    return OrgHistory(
        "acme",
        "00D000000000001AAA",
        NOW - timedelta(days=days),
        NOW,
        samples={"api": Samples(told[:, 0], told[:, 1], told[:, 2])},
        spent={"api": Spent(own[:, 0], own[:, 1], own[:, 2])},
        job_ids=["", "j1", "j2"],
        jobs=jobs,
        log_minutes=rows[:, 0],
        log_calls=rows[:, 1],
        log_own=rows[:, 2],
        log_hours=ints(
            [(m // 60, 1, calls - ours, 0) for m, calls, ours in rows]
            + [(m // 60, 2, ours, 0) for m, _, ours in rows]
        ).reshape(-1, 4),
        callers={1: ERP, 2: OURS},
        covered=covered_hours(covered),
        **more,
    )
