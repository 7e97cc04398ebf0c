"""
The frames of Salesforce's own report "API Usage Last 7 Days": who, by calendar day. Pure.

It counts calendar days in time zones that it does not name, the counter the last 24 hours, so the
two never agree to
the call: the difference is shown.
"""

from __future__ import annotations

from collections import Counter
from datetime import tzinfo

import pandas as pd

from sfnb.usage.frames import percent
from sfnb.usage.history import OrgHistory


def user_days_frame(history: OrgHistory, zone: tzinfo) -> pd.DataFrame:
    """
    Calls by calendar day and user from Salesforce's report, oldest day first, then by name.

    Returns:
        ``org`` (string), ``day`` (string, ISO), ``user`` (string), ``calls``, ``free_calls``
        (Int64; the report has none of the latter).
    """
    first = history.start_at.astimezone(zone).date()
    lines = sorted(
        (line for line in history.user_days if line.day >= first),
        key=lambda line: (line.day, line.user),
    )
    return pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(lines), dtype="string"),
            "day": pd.Series([line.day.isoformat() for line in lines], dtype="string"),
            "user": pd.Series([line.user for line in lines], dtype="string"),
            "calls": pd.Series([line.calls for line in lines], dtype="Int64"),
            "free_calls": pd.Series([0] * len(lines), dtype="Int64"),
        }
    )


def reported_frame(history: OrgHistory, days: pd.DataFrame, zone: tzinfo) -> pd.DataFrame:
    """
    The report's calendar days beside the counter's, by the ISO date; oldest first.

    Args:
        days: ``days_frame``.

    Returns:
        ``org`` (string), ``day`` (string, ISO), ``report`` (Int64, calls of all users), ``counter``
        (Int64, calls that follow from the counter on the viewer's day), ``hours`` (Int64, of that
        day known from the counter), ``difference`` (Int64, counter less report; missing where the
        counter does not know the whole day, or the report was read before it had ended),
        ``difference_pct`` (Float64, of the counter).
    """
    sums: Counter[str] = Counter()
    for line in history.user_days:
        sums[line.day.isoformat()] += line.calls
    first = history.start_at.astimezone(zone).date().isoformat()
    ended = {line.day.isoformat() for line in history.user_days if line.is_whole}
    shown_days = sorted(day for day in sums if day >= first)
    calls = days[days["api"] == "api"].set_index("day")
    frame = pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(shown_days), dtype="string"),
            "day": pd.Series(shown_days, dtype="string"),
            "report": pd.Series([sums[day] for day in shown_days], dtype="Int64"),
            "counter": pd.Series(
                [calls["calls"].get(day, pd.NA) for day in shown_days], dtype="Int64"
            ),
            "hours": pd.Series([calls["hours"].get(day, 0) for day in shown_days], dtype="Int64"),
        }
    )
    is_whole = (frame["hours"] >= 23) & frame["day"].isin(list(ended)) & frame["counter"].notna()
    frame["difference"] = (frame["counter"] - frame["report"]).where(is_whole)
    frame["difference_pct"] = percent(frame["difference"], frame["counter"])
    return frame
