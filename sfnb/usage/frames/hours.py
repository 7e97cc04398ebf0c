"""Units by the hour, day and hour of the week, worked out of the rolling counter. Pure."""

from __future__ import annotations

from datetime import tzinfo

import numpy as np
import pandas as pd

from sfnb.model import APIS, Api
from sfnb.usage.counter import EVENT_LOG, UNKNOWN, span_sum
from sfnb.usage.frames.base import days_of, moments, percent
from sfnb.usage.history import DAY_MINUTES, Ints, OrgHistory
from sfnb.usage.past import no_samples, others_steps


def hours_frame(history: OrgHistory) -> pd.DataFrame:
    """
    Units spent in each hour, oldest first.

    Returns:
        One row per budget and hour of which something is known: ``org`` (string), ``api`` (string),
        ``hour_at`` (datetime64[ns, UTC]), ``calls`` (Int64, units in that hour), ``sfnb_jobs``,
        ``sfnb_other``, ``other_apps`` (Int64, 0 or more; their sum is ``calls``), ``other_named``
        (Int64, the share of ``other_apps`` that the event log names), ``source`` (string): ``event
        log`` (exact), ``counter`` (worked out of the rolling counter), ``estimate`` (the day before
        the first reading: only its sum is known), ``sfnb`` (only our own calls are known).
    """
    frames = [_hours_of(history, api) for api in APIS]
    frame = pd.concat(frames, ignore_index=True)
    frame.insert(0, "org", pd.Series([history.org] * len(frame), dtype="string"))
    return frame


def days_frame(usage: pd.DataFrame, hours: pd.DataFrame, zone: tzinfo) -> pd.DataFrame:
    """
    Days of the viewer's time zone, oldest first; an hour belongs to the day in which it begins.

    Returns:
        ``org`` (string), ``api`` (string), ``day`` (string, ISO), ``hours`` (Int64, 23 to 25: how
        many the day has had so far in this frame), ``calls``, ``sfnb_jobs``, ``sfnb_other``,
        ``other_apps``, ``other_named`` (Int64), ``peak_pct`` (Float64, the highest rolling use in
        percent), ``is_estimate`` (boolean).
    """
    keys = ["org", "api", "day"]
    spent = hours.assign(
        day=days_of(hours["hour_at"], zone), is_estimate=hours["source"].eq("estimate")
    )
    names = ["calls", "sfnb_jobs", "sfnb_other", "other_apps", "other_named"]
    found = spent.groupby(keys, sort=True).agg(
        hours=("hour_at", "size"),
        **{name: (name, "sum") for name in names},
        is_estimate=("is_estimate", "any"),
    )
    peaks = usage.assign(
        day=days_of(usage["hour_at"], zone), peak_pct=percent(usage["peak"], usage["max"])
    )
    found = found.join(peaks.groupby(keys)["peak_pct"].max(), how="outer").reset_index()
    for name in ("hours", *names):
        found[name] = found[name].astype("Int64").fillna(0)
    found["peak_pct"] = found["peak_pct"].astype("Float64")
    found["is_estimate"] = found["is_estimate"].astype("boolean").fillna(False)
    for name in keys:
        found[name] = found[name].astype("string")
    return found[[*keys, "hours", *names, "peak_pct", "is_estimate"]]


def week_frame(hours: pd.DataFrame, zone: tzinfo) -> pd.DataFrame:
    """
    The mean number of units in each hour of the week, of the viewer's time zone.

    Returns:
        ``org`` (string), ``api`` (string), ``weekday`` (Int64, 0 Monday), ``hour`` (Int64),
        ``calls`` (Float64), ``weeks`` (Int64, over how many such hours). Hours that were never seen
        are left out, and so are those of which only the day's sum is known.
    """
    local = hours["hour_at"].dt.tz_convert(zone)
    seen = hours[~hours["source"].isin(("sfnb", "estimate"))].assign(
        weekday=local.dt.day_of_week, hour=local.dt.hour
    )
    found = seen.groupby(["org", "api", "weekday", "hour"], as_index=False).agg(
        calls=("calls", "mean"), weeks=("calls", "size")
    )
    return found.astype(
        {
            "org": "string",
            "api": "string",
            "weekday": "Int64",
            "hour": "Int64",
            "calls": "Float64",
            "weeks": "Int64",
        }
    )


def _hours_of(history: OrgHistory, api: Api) -> pd.DataFrame:
    first = _first_hour(history, api)
    all_edges = np.arange(first, history.end_minute // 60 + 2, dtype=np.int64) * 60
    steps = others_steps(history, api, all_edges)
    skip = history.start_hour - first
    units, sources, edges = steps.units[skip:], steps.sources[skip:], all_edges[skip:]
    hours = edges[:-1] // 60
    jobs, outside = _own_by_hour(history, api, edges)
    own = jobs + outside
    other = np.rint(np.nan_to_num(units)).astype(np.int64)
    named = np.zeros(len(hours), dtype=np.int64)
    if api == "api":
        in_log = sources == EVENT_LOG
        logged = span_sum(history.log_minutes, history.log_calls, edges)
        others_logged = logged - span_sum(history.log_minutes, history.log_own, edges)
        # The log may know fewer calls of sfnb than sfnb itself; those of others that it names were
        # made all the same.
        other = np.where(in_log, np.maximum(logged - own, others_logged), other)
        named = np.where(in_log, others_logged, 0)
    keep = (sources != UNKNOWN) | (own > 0)
    shown = np.where(sources == UNKNOWN, "sfnb", sources)
    return pd.DataFrame(
        {
            "api": pd.Series([api] * int(keep.sum()), dtype="string"),
            "hour_at": moments(hours[keep] * 60),
            "calls": pd.Series((own + other)[keep], dtype="Int64"),
            "sfnb_jobs": pd.Series(jobs[keep], dtype="Int64"),
            "sfnb_other": pd.Series(outside[keep], dtype="Int64"),
            "other_apps": pd.Series(other[keep], dtype="Int64"),
            "other_named": pd.Series(named[keep], dtype="Int64"),
            "source": pd.Series(shown[keep], dtype="string"),
        }
    )


def _first_hour(history: OrgHistory, api: Api) -> int:
    """A day before anything is known: what the first reading sums up."""
    samples = history.samples.get(api) or no_samples()
    firsts = [
        history.start_hour * 60,
        *(int(array[0]) for array in (samples.minutes, history.log_minutes) if len(array)),
    ]
    return (min(firsts) - DAY_MINUTES) // 60


def _own_by_hour(history: OrgHistory, api: Api, edges: Ints) -> tuple[Ints, Ints]:
    spent = history.spent.get(api)
    if spent is None:
        return np.zeros(len(edges) - 1, dtype=np.int64), np.zeros(len(edges) - 1, dtype=np.int64)
    is_outside = spent.jobs == history.job_ids.index("")
    jobs, outside = (
        span_sum(spent.minutes[which], spent.units[which], edges)
        for which in (~is_outside, is_outside)
    )
    return jobs, outside
