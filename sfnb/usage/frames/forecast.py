"""What the forecast takes, and what it gives as a frame. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from sfnb.model import Api
from sfnb.quota.forecast import BudgetHistory, outlook
from sfnb.usage.frames.base import stamps


def forecast_frame(
    org: str, budgets: Mapping[Api, BudgetHistory], *, hours: int = 48
) -> pd.DataFrame:
    """
    The use to come if no job of ours runs, in steps of ten minutes.

    Returns:
        ``org``, ``api`` (string), ``at`` (datetime64[ns, UTC]), ``expected``, ``low``, ``high``
        (Float64, units in the 24 hours before; 80 % of the possible futures lie between ``low`` and
        ``high``), ``max`` (Int64), ``days`` (Int64, over how many past days the others are known;
        0: only what comes back is known, and the band is a guess).
    """
    parts = []
    for api, budget in budgets.items():
        if budget.maximum <= 0:
            continue
        seen = outlook(budget, hours=hours)
        count = len(seen.at)
        parts.append(
            pd.DataFrame(
                {
                    "org": pd.Series([org] * count, dtype="string"),
                    "api": pd.Series([api] * count, dtype="string"),
                    "at": stamps(seen.at),
                    "expected": pd.Series(seen.expected, dtype="Float64").round(1),
                    "low": pd.Series(seen.low, dtype="Float64").round(1),
                    "high": pd.Series(seen.high, dtype="Float64").round(1),
                    "max": pd.Series([seen.maximum] * count, dtype="Int64"),
                    "days": pd.Series([seen.days] * count, dtype="Int64"),
                }
            )
        )
    if parts:
        return pd.concat(parts, ignore_index=True)
    columns = {
        "org": "string",
        "api": "string",
        "at": "datetime64[ns, UTC]",
        "expected": "Float64",
        "low": "Float64",
    }
    columns |= {"high": "Float64", "max": "Int64", "days": "Int64"}
    return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in columns.items()})
