"""The rolling use of a budget, and the limit percent over time. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from sfnb.model import APIS, RESTORE, Api
from sfnb.usage.counter import EVENT_LOG, window_sum
from sfnb.usage.frames.base import is_covered, moments, percent
from sfnb.usage.history import Ints, OrgHistory
from sfnb.usage.past import ints, no_samples
from sfnb.usage.store.values import minute_number

PARTS = ("sfnb_running", "sfnb_completed", "sfnb_other", "other_apps")
"""
What the use of an org consists of; together they are the whole. `sfnb.series` has their names.
"""


def usage_frame(history: OrgHistory) -> pd.DataFrame:
    """
    The rolling 24-hour use by the hour, as Salesforce limits it, and what it consists of; oldest
    hour first.

    Returns:
        One row per budget and hour in which the org's counter was read, or whose 24 hours the event
        log covers; other hours are left out rather than filled: ``org`` (string), ``api`` (string),
        ``hour_at`` (datetime64[ns, UTC], start of the hour), ``at`` (datetime64[ns, UTC], the
        moment of the reading), ``used`` (Int64, units used in the 24 hours before ``at``), ``peak``
        (Int64, highest reading in that hour), ``max`` (Int64, the allocation), ``used_pct``
        (Float64, missing when the maximum is 0), ``limit_percent`` (Int64, in force then),
        ``threshold`` (Int64), then the parts, each Int64 units in the
        same 24 hours, 0 or more: ``sfnb_running`` (jobs that had not ended then),
        ``sfnb_completed`` (jobs that had), ``sfnb_other`` (outside jobs), ``other_apps`` (the
        rest). The parts sum to ``used``. ``other_named`` (Int64): the share of ``other_apps`` that
        the event log names. ``uncounted`` (Int64): calls of sfnb that the counter did not include
        yet; they are in no part. ``source`` (string): ``counter`` or ``event log``.
    """
    frames = [_usage_of(history, api) for api in APIS]
    frame = pd.concat(frames, ignore_index=True)
    frame.insert(0, "org", pd.Series([history.org] * len(frame), dtype="string"))
    return frame


def thresholds_frame(history: OrgHistory) -> pd.DataFrame:
    """
    The limit percent over time: ``org``, ``api`` (string), ``at`` (datetime64[ns, UTC], from when),
    ``limit_percent``, ``restore_percent`` (Int64; the latter is missing where restores have no
    limit of their own). The first row of each budget is at the report's start, the last one
    at its end.
    """
    rows = []
    start, end = minute_number(history.start_at), history.end_minute
    for api in APIS:
        changes = [
            minute_number(change.at) for change in history.limit_changes if change.api == api
        ]
        at = ints([start, *sorted(minute for minute in changes if start < minute < end), end])
        limits, reserves = history.percent_at(api, at), history.percent_at(api, at, kind=RESTORE)
        rows += [
            (api, minute, limit, reserve or None)
            for minute, limit, reserve in zip(at, limits, reserves.tolist(), strict=True)
        ]
    return pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(rows), dtype="string"),
            "api": pd.Series([row[0] for row in rows], dtype="string"),
            "at": moments(ints([row[1] for row in rows])),
            "limit_percent": pd.Series([int(row[2]) for row in rows], dtype="Int64"),
            "restore_percent": pd.Series([row[3] for row in rows], dtype="Int64"),
        }
    )


def _usage_of(history: OrgHistory, api: Api) -> pd.DataFrame:
    at, used, peak, most, sources = _readings(history, api)
    jobs = _by_job(history, api, at)
    named = ints(np.zeros(len(at)))
    if api == "api":
        named = window_sum(history.log_minutes, history.log_calls - history.log_own, at)
    percents = history.percent_at(api, at)
    columns: dict[str, object] = {
        "api": pd.Series([api] * len(at), dtype="string"),
        "hour_at": moments(at // 60 * 60),
        "at": moments(at),
        "used": pd.Series(used, dtype="Int64"),
        "peak": pd.Series(peak, dtype="Int64"),
        "max": pd.Series(most, dtype="Int64"),
        "used_pct": percent(pd.Series(used), pd.Series(most)),
        "limit_percent": pd.Series(percents, dtype="Int64"),
        "threshold": pd.Series(most * percents // 100, dtype="Int64"),
    }
    parts, uncounted = _within(jobs, used)
    parts["other_apps"] = used - sum(parts.values())
    columns |= {name: pd.Series(parts[name], dtype="Int64") for name in PARTS}
    columns["other_named"] = pd.Series(np.minimum(named, parts["other_apps"]), dtype="Int64")
    columns["uncounted"] = pd.Series(uncounted, dtype="Int64")
    columns["source"] = pd.Series(sources, dtype="string")
    return pd.DataFrame(columns)


def _within(own: dict[str, Ints], used: Ints) -> tuple[dict[str, Ints], Ints]:
    """
    sfnb's own units cut to what the counter shows, and what was cut off.

    Salesforce's counter lags by up to two minutes (recorded answers of real orgs), so after a quick
    start sfnb has sent more than the counter knows. Its newest calls are those of running jobs:
    they are cut first.
    """
    excess = np.maximum(sum(own.values()) - used, 0)
    parts, rest = {}, excess.copy()
    for name in ("sfnb_running", "sfnb_completed", "sfnb_other"):
        cut = np.minimum(own[name], rest)
        parts[name] = own[name] - cut
        rest = rest - cut
    return parts, excess


def _readings(history: OrgHistory, api: Api) -> tuple[Ints, Ints, Ints, Ints, npt.NDArray[np.str_]]:
    """
    The last reading of each hour, its highest one, and the event log's sum where there was none.
    """
    samples = history.samples.get(api) or no_samples()
    inside = samples.minutes >= history.start_hour * 60
    minutes, used, most = samples.minutes[inside], samples.used[inside], samples.maximum[inside]
    if api in history.present:
        # The gate's number is the one by which jobs pause: the last row says the same as slider and
        # command line.
        used_now, most_now = history.present[api]
        minutes = np.append(minutes, history.end_minute)
        used, most = np.append(used, used_now), np.append(most, most_now)
    hours = minutes // 60
    last = np.flatnonzero(np.diff(hours, append=-1)) if len(hours) else ints([])
    first = np.flatnonzero(np.diff(hours, prepend=-1)) if len(hours) else ints([])
    peak = np.maximum.reduceat(used, first) if len(first) else ints([])
    at, read, limits = minutes[last], used[last], most[last]
    sources = np.full(len(at), "counter", dtype="<U9")
    if api != "api" or not len(samples):
        return at, read, peak, limits, sources
    gaps = np.setdiff1d(
        np.arange(history.start_hour, history.end_minute // 60, dtype=np.int64), hours
    )
    ends = gaps * 60 + 59
    ends = ends[is_covered(history, ends)]
    summed = window_sum(history.log_minutes, history.log_calls, ends)
    nearest = np.clip(np.searchsorted(samples.minutes, ends), 0, len(samples) - 1)
    order = np.argsort(np.concatenate([at, ends]), kind="stable")
    return (
        np.concatenate([at, ends])[order],
        np.concatenate([read, summed])[order],
        np.concatenate([peak, summed])[order],
        np.concatenate([limits, samples.maximum[nearest]])[order],
        np.concatenate([sources, np.full(len(ends), EVENT_LOG, dtype="<U9")])[order],
    )


def _by_job(history: OrgHistory, api: Api, at: Ints) -> dict[str, Ints]:
    """
    sfnb's own units in the 24 hours before each moment: of jobs running then, of ended ones,
    outside jobs.
    """
    spent = history.spent.get(api)
    parts = {
        name: np.zeros(len(at), dtype=np.int64)
        for name in ("sfnb_running", "sfnb_completed", "sfnb_other")
    }
    if spent is None or not len(spent.minutes):
        return parts
    ended = {
        job.job_id: minute_number(job.ended_at) if job.ended_at else None for job in history.jobs
    }
    order = np.argsort(spent.jobs, kind="stable")
    for chunk in np.split(order, np.flatnonzero(np.diff(spent.jobs[order])) + 1):
        job_id = history.job_ids[spent.jobs[chunk[0]]]
        sums = window_sum(spent.minutes[chunk], spent.units[chunk], at)
        if not job_id:
            parts["sfnb_other"] += sums
            continue
        ended_minute = ended.get(job_id, 0)
        has_ended = np.zeros(len(at), dtype=bool) if ended_minute is None else at >= ended_minute
        parts["sfnb_completed"] += np.where(has_ended, sums, 0)
        parts["sfnb_running"] += np.where(has_ended, 0, sums)
    return parts
