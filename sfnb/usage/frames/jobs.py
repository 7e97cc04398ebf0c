"""sfnb's own jobs and their pauses. Pure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sfnb.model import APIS, Api
from sfnb.usage.frames.base import stamps
from sfnb.usage.history import OrgHistory


def jobs_frame(history: OrgHistory) -> pd.DataFrame:
    """
    The jobs that spent anything in the report's time, newest first.

    Returns:
        ``org``, ``job_id``, ``kind``, ``state`` (string), ``started_at``, ``ended_at``
        (datetime64[ns, UTC]), ``api``, ``bulk``, ``bulk2``, ``bulk2_mb`` (Int64, units in the
        report's time), ``pauses`` (Int64).
    """
    sums: dict[str, dict[str, int]] = {api: _job_sums(history, api) for api in APIS}
    spenders = {job_id for found in sums.values() for job_id in found}
    lines = [job for job in history.jobs if job.job_id in spenders]
    lines.sort(key=lambda job: job.started_at, reverse=True)
    ids = [job.job_id for job in lines]
    spent: dict[str, pd.Series] = {
        api: pd.Series([sums[api].get(job_id, 0) for job_id in ids], dtype="Int64") for api in APIS
    }
    return pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(lines), dtype="string"),
            "job_id": pd.Series(ids, dtype="string"),
            "kind": pd.Series([job.kind for job in lines], dtype="string"),
            "state": pd.Series([job.state for job in lines], dtype="string"),
            "started_at": stamps([job.started_at for job in lines]),
            "ended_at": stamps([job.ended_at for job in lines]),
            **spent,
            "pauses": pd.Series(
                [sum(p.job_id == job_id for p in history.pauses) for job_id in ids], dtype="Int64"
            ),
        }
    )


def pauses_frame(history: OrgHistory) -> pd.DataFrame:
    """
    Pauses that lasted into the report's time, oldest first: ``org``, ``job_id``, ``api`` (string;
    empty: a person's wish), ``at``, ``resumed_at`` (datetime64[ns, UTC]; missing: it lasts),
    ``used``, ``max`` (Int64).
    """
    lines = [p for p in history.pauses if p.resumed_at is None or p.resumed_at >= history.start_at]
    return pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(lines), dtype="string"),
            "job_id": pd.Series([p.job_id for p in lines], dtype="string"),
            "api": pd.Series([p.api for p in lines], dtype="string"),
            "at": stamps([p.at for p in lines]),
            "resumed_at": stamps([p.resumed_at for p in lines]),
            "used": pd.Series([p.used for p in lines], dtype="Int64"),
            "max": pd.Series([p.maximum for p in lines], dtype="Int64"),
        }
    )


def _job_sums(history: OrgHistory, api: Api) -> dict[str, int]:
    spent = history.spent.get(api)
    if spent is None:
        return {}
    inside = spent.minutes >= history.start_hour * 60
    sums = np.bincount(
        spent.jobs[inside], weights=spent.units[inside], minlength=len(history.job_ids)
    )
    return {
        job_id: int(units)
        for job_id, units in zip(history.job_ids, sums, strict=True)
        if job_id and units
    }
