"""Who calls, by the event log, and how the log compares with the counter. Pure."""

from __future__ import annotations

from datetime import tzinfo

import numpy as np
import pandas as pd

from sfnb.usage.counter import window_sum
from sfnb.usage.frames.base import (
    NOT_NAMED,
    days_of,
    is_covered,
    moments,
    own_sum,
    percent,
)
from sfnb.usage.history import Ints, OrgHistory
from sfnb.usage.past import ints, no_samples
from sfnb.usage.store.values import minute_at


def callers_frame(history: OrgHistory) -> pd.DataFrame:
    """
    Calls by the hour and caller from the event log, of the report's time.

    Returns:
        ``org`` (string), ``hour_at`` (datetime64[ns, UTC]), ``app``, ``user``, ``family``,
        ``entity`` (string; what the log leaves empty says so), ``is_sfnb`` (boolean), ``calls``
        (Int64, counted), ``free_calls`` (Int64).
    """
    rows = history.log_hours[history.log_hours[:, 0] >= history.start_hour]
    rows = rows[rows[:, 0] * 60 <= history.end_minute]
    callers = pd.DataFrame(
        [
            (number, c.app, c.user, c.family, c.entity, c.is_sfnb)
            for number, c in history.callers.items()
        ],
        columns=["actor", "app", "user", "family", "entity", "is_sfnb"],
    ).set_index("actor")
    named = callers.reindex(rows[:, 1])
    texts = {
        name: pd.Series(named[name].to_numpy(), dtype="string").fillna("").replace("", NOT_NAMED)
        for name in ("app", "user", "family", "entity")
    }
    return pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(rows), dtype="string"),
            "hour_at": moments(rows[:, 0] * 60),
            **texts,
            "is_sfnb": pd.Series(named["is_sfnb"].to_numpy(), dtype="boolean"),
            "calls": pd.Series(rows[:, 2], dtype="Int64"),
            "free_calls": pd.Series(rows[:, 3], dtype="Int64"),
        }
    )


def top_frame(callers: pd.DataFrame, by: str, *, most: int = 15) -> pd.DataFrame:
    """
    Who spends most: ``by`` is ``app``, ``user``, ``family`` or ``entity``.

    Returns:
        ``org``, ``name`` (string), ``calls`` (Int64), ``free_calls`` (Int64), ``share_pct``
        (Float64, of the calls counted), ``is_sfnb`` (boolean, whether sfnb made some of them),
        largest first; what comes after ``most`` is summed up in one last row.
    """
    # Salesforce's usage report names users and no apps, so it cannot tell which user is sfnb's.
    known = callers if "is_sfnb" in callers else callers.assign(is_sfnb=False)
    sums = (
        known.groupby(["org", by], as_index=False)
        .agg(calls=("calls", "sum"), free_calls=("free_calls", "sum"), is_sfnb=("is_sfnb", "any"))
        .rename(columns={by: "name"})
    )
    parts = []
    for org, group in sums.groupby("org", sort=False):
        ordered = group.sort_values(["calls", "name"], ascending=[False, True])
        rest = ordered.iloc[most:]
        shown = ordered.iloc[:most]
        if len(rest):
            line = {
                "org": org,
                "name": f"{len(rest):,} more",
                "is_sfnb": False,
                **rest[["calls", "free_calls"]].sum().to_dict(),
            }
            shown = pd.concat([shown, pd.DataFrame([line])])
        parts.append(shown)
    kinds = {
        "org": "string",
        "name": "string",
        "calls": "Int64",
        "free_calls": "Int64",
        "is_sfnb": "boolean",
    }
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(kinds))
    found = found.astype(kinds)
    total = found.groupby("org")["calls"].transform("sum")
    found["share_pct"] = percent(found["calls"], total)
    return found[["org", "name", "calls", "free_calls", "share_pct", "is_sfnb"]]


def reconciliation_frame(history: OrgHistory, zone: tzinfo) -> pd.DataFrame:
    """
    Salesforce's own counter beside the event log's sum over the same 24 hours; one row per day, its
    last such moment.

    Returns:
        ``org`` (string), ``day`` (string, ISO), ``at`` (datetime64[ns, UTC]), ``counter``,
        ``event_log``, ``difference`` (Int64, counter less log), ``difference_pct`` (Float64, of the
        counter), ``sfnb_ledger`` (Int64, what sfnb counted of its own), ``sfnb_log`` (Int64, what
        the log says sfnb's client made).
    """
    samples = history.samples.get("api") or no_samples()
    at = samples.minutes
    inside = (at >= history.start_hour * 60) & is_covered(history, at)
    at, used = at[inside], samples.used[inside]
    last = np.flatnonzero(np.diff(_day_numbers(at, zone), append=-1)) if len(at) else ints([])
    at, used = at[last], used[last]
    log = window_sum(history.log_minutes, history.log_calls, at)
    frame = pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(at), dtype="string"),
            "at": moments(at),
            "counter": pd.Series(used, dtype="Int64"),
            "event_log": pd.Series(log, dtype="Int64"),
            "difference": pd.Series(used - log, dtype="Int64"),
            "difference_pct": percent(pd.Series(used - log), pd.Series(used)),
            "sfnb_ledger": pd.Series(own_sum(history, "api", at), dtype="Int64"),
            "sfnb_log": pd.Series(
                window_sum(history.log_minutes, history.log_own, at), dtype="Int64"
            ),
        }
    )
    frame.insert(1, "day", days_of(frame["at"], zone))
    return frame


def _day_numbers(minutes: Ints, zone: tzinfo) -> Ints:
    return ints([minute_at(int(minute)).astimezone(zone).toordinal() for minute in minutes])
