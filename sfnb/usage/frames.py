"""The frames of the report, from an ``OrgHistory``. Pure; columns and dtypes are promised in the docstrings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from sfnb.model import APIS, Api
from sfnb.quota.forecast import DAY_SLOTS, SLOT_MINUTES, BudgetHistory, outlook
from sfnb.state.usage import minute_at, minute_number
from sfnb.usage.counter import EVENT_LOG, UNKNOWN, Steps, counter_at, span_sum, steps_of, window_sum
from sfnb.usage.history import DAY_MINUTES, PATTERN_DAYS, Ints, OrgHistory, Samples

PARTS = ("sfnb_running", "sfnb_completed", "sfnb_besides", "other_apps", "unattributed")
"""What the use of an org consists of; together they are the whole."""

PART_LABELS = {
    "sfnb_running": "sfnb, jobs under way",
    "sfnb_completed": "sfnb, ended jobs",
    "sfnb_besides": "sfnb, outside jobs",
    "other_apps": "other apps, named by the event log",
    "unattributed": "not attributed",
}

NOT_NAMED = "not named in the event log"


def usage_frame(history: OrgHistory) -> pd.DataFrame:
    """
    The rolling 24-hour use by the hour, as Salesforce limits it, and what it consists of; oldest hour first.

    Returns:
        One row per budget and hour in which the org told its counter, or that the event log covers with the 23 hours
        before; other hours are left out rather than filled:
        ``org`` (string), ``api`` (string), ``hour_at`` (datetime64[ns, UTC], start of the hour), ``at`` (datetime64[ns,
        UTC], the moment of the reading), ``used`` (Int64, units used in the 24 hours before ``at``), ``peak`` (Int64,
        highest reading in that hour), ``max`` (Int64, the allocation), ``used_pct`` (Float64, missing when the maximum
        is 0), ``limit_percent`` (Int64, in force then), ``threshold`` (Int64), then the parts, each Int64 units in the
        same 24 hours: ``sfnb_running`` (jobs that had not ended then), ``sfnb_completed`` (jobs that had),
        ``sfnb_besides`` (no job's), ``other_apps`` (named by the event log), ``unattributed`` (the rest; below 0 when
        the parts know of more than the counter). The parts sum to ``used``. ``source`` (string): ``counter`` or
        ``event log``.
    """
    frames = [_usage_of(history, api) for api in APIS]
    frame = pd.concat(frames, ignore_index=True)
    frame.insert(0, "org", pd.Series([history.org] * len(frame), dtype="string"))
    return frame


def hours_frame(history: OrgHistory) -> pd.DataFrame:
    """
    Units spent in each hour, oldest first.

    Returns:
        One row per budget and hour of which something is known: ``org`` (string), ``api`` (string), ``hour_at``
        (datetime64[ns, UTC]), ``calls`` (Int64, units in that hour), ``sfnb_jobs``, ``sfnb_besides``, ``other_apps``,
        ``unattributed`` (Int64, their sum is ``calls``), ``source`` (string): ``event log`` (exact), ``counter``
        (worked out of the rolling counter), ``estimate`` (the day before the first reading: only its sum is known),
        ``sfnb`` (nothing but our own calls is known).
    """
    frames = [_hours_of(history, api) for api in APIS]
    frame = pd.concat(frames, ignore_index=True)
    frame.insert(0, "org", pd.Series([history.org] * len(frame), dtype="string"))
    return frame


def days_frame(usage: pd.DataFrame, hours: pd.DataFrame, zone: tzinfo) -> pd.DataFrame:
    """
    Days of the viewer's time zone, oldest first; an hour belongs to the day in which it begins.

    Returns:
        ``org`` (string), ``api`` (string), ``day`` (string, ISO), ``hours`` (Int64, 23 to 25: how many the day has had
        so far in this frame), ``calls``, ``sfnb_jobs``, ``sfnb_besides``, ``other_apps``, ``unattributed`` (Int64),
        ``peak_pct`` (Float64, the highest rolling use in percent), ``is_estimate`` (boolean).
    """
    keys = ["org", "api", "day"]
    spent = hours.assign(
        day=_days(hours["hour_at"], zone), is_estimate=hours["source"].eq("estimate")
    )
    names = ["calls", "sfnb_jobs", "sfnb_besides", "other_apps", "unattributed"]
    found = spent.groupby(keys, sort=True).agg(
        hours=("hour_at", "size"),
        **{name: (name, "sum") for name in names},
        is_estimate=("is_estimate", "any"),
    )
    peaks = usage.assign(
        day=_days(usage["hour_at"], zone), peak_pct=percent(usage["peak"], usage["max"])
    )
    found = found.join(peaks.groupby(keys)["peak_pct"].max(), how="outer").reset_index()
    for name in ("hours", *names):
        found[name] = found[name].astype("Int64").fillna(0)
    found["peak_pct"] = found["peak_pct"].astype("Float64")
    found["is_estimate"] = found["is_estimate"].astype("boolean").fillna(False)
    for name in keys:
        found[name] = found[name].astype("string")
    return found[[*keys, "hours", *names, "peak_pct", "is_estimate"]]


def callers_frame(history: OrgHistory) -> pd.DataFrame:
    """
    Calls by the hour and caller as the event log tells, of the report's time.

    Returns:
        ``org`` (string), ``hour_at`` (datetime64[ns, UTC]), ``app``, ``user``, ``family``, ``entity`` (string; what the
        log leaves empty says so), ``is_sfnb`` (boolean), ``calls`` (Int64, counted), ``free_calls`` (Int64).
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
        ``org``, ``name`` (string), ``calls`` (Int64), ``free_calls`` (Int64), ``share_pct`` (Float64, of the calls
        counted), largest first; what comes after ``most`` is summed up in one last row.
    """
    sums = (
        callers.groupby(["org", by], as_index=False)[["calls", "free_calls"]]
        .sum()
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
                **rest[["calls", "free_calls"]].sum().to_dict(),
            }
            shown = pd.concat([shown, pd.DataFrame([line])])
        parts.append(shown)
    empty = pd.DataFrame({"org": [], "name": [], "calls": [], "free_calls": []})
    found = pd.concat(parts, ignore_index=True) if parts else empty
    found = found.astype(
        {"org": "string", "name": "string", "calls": "Int64", "free_calls": "Int64"}
    )
    total = found.groupby("org")["calls"].transform("sum")
    found["share_pct"] = percent(found["calls"], total)
    return found[["org", "name", "calls", "free_calls", "share_pct"]]


def week_frame(hours: pd.DataFrame, zone: tzinfo) -> pd.DataFrame:
    """
    The mean number of units in each hour of the week, of the viewer's time zone.

    Returns:
        ``org`` (string), ``api`` (string), ``weekday`` (Int64, 0 Monday), ``hour`` (Int64), ``calls`` (Float64),
        ``weeks`` (Int64, over how many such hours). Hours that were never seen are left out.
    """
    local = hours["hour_at"].dt.tz_convert(zone)
    seen = hours[hours["source"].ne("sfnb")].assign(
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


def reconciliation_frame(history: OrgHistory, zone: tzinfo) -> pd.DataFrame:
    """
    Salesforce's own counter beside the event log's sum over the same 24 hours; one row per day, its last such moment.

    Returns:
        ``org`` (string), ``day`` (string, ISO), ``at`` (datetime64[ns, UTC]), ``counter``, ``event_log``,
        ``difference`` (Int64, counter less log), ``difference_pct`` (Float64, of the counter), ``sfnb_ledger`` (Int64,
        what sfnb counted of its own), ``sfnb_log`` (Int64, what the log says sfnb's client made).
    """
    samples = history.samples.get("api") or _no_samples()
    at = samples.minutes
    inside = (at >= history.start_hour * 60) & _is_covered(history, at)
    at, used = at[inside], samples.used[inside]
    last = np.flatnonzero(np.diff(_day_numbers(at, zone), append=-1)) if len(at) else _ints([])
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
            "sfnb_ledger": pd.Series(_own_sum(history, "api", at), dtype="Int64"),
            "sfnb_log": pd.Series(
                window_sum(history.log_minutes, history.log_own, at), dtype="Int64"
            ),
        }
    )
    frame.insert(1, "day", _days(frame["at"], zone))
    return frame


def jobs_frame(history: OrgHistory) -> pd.DataFrame:
    """
    The jobs that spent anything in the report's time, newest first.

    Returns:
        ``org``, ``job_id``, ``kind``, ``state`` (string), ``started_at``, ``ended_at`` (datetime64[ns, UTC]), ``api``,
        ``bulk``, ``bulk2``, ``bulk2_mb`` (Int64, units in the report's time), ``pauses`` (Int64).
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
            "started_at": _stamps([job.started_at for job in lines]),
            "ended_at": _stamps([job.ended_at for job in lines]),
            **spent,
            "pauses": pd.Series(
                [sum(p.job_id == job_id for p in history.pauses) for job_id in ids], dtype="Int64"
            ),
        }
    )


def pauses_frame(history: OrgHistory) -> pd.DataFrame:
    """
    Pauses that lasted into the report's time, oldest first: ``org``, ``job_id``, ``api`` (string; empty: a person's
    wish), ``at``, ``resumed_at`` (datetime64[ns, UTC]; missing: it lasts), ``used``, ``max`` (Int64).
    """
    lines = [p for p in history.pauses if p.resumed_at is None or p.resumed_at >= history.start_at]
    return pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(lines), dtype="string"),
            "job_id": pd.Series([p.job_id for p in lines], dtype="string"),
            "api": pd.Series([p.api for p in lines], dtype="string"),
            "at": _stamps([p.at for p in lines]),
            "resumed_at": _stamps([p.resumed_at for p in lines]),
            "used": pd.Series([p.used for p in lines], dtype="Int64"),
            "max": pd.Series([p.maximum for p in lines], dtype="Int64"),
        }
    )


def thresholds_frame(history: OrgHistory) -> pd.DataFrame:
    """
    The limit percent over time: ``org``, ``api`` (string), ``at`` (datetime64[ns, UTC], from when), ``limit_percent``
    (Int64). The first row of each budget is at the report's start, the last one at its end.
    """
    rows = []
    start, end = minute_number(history.start_at), history.end_minute
    for api in APIS:
        changes = [
            minute_number(change.at) for change in history.limit_changes if change.api == api
        ]
        at = _ints([start, *sorted(minute for minute in changes if start < minute < end), end])
        rows += [
            (api, minute, value)
            for minute, value in zip(at, history.percent_at(api, at), strict=True)
        ]
    return pd.DataFrame(
        {
            "org": pd.Series([history.org] * len(rows), dtype="string"),
            "api": pd.Series([row[0] for row in rows], dtype="string"),
            "at": moments(_ints([row[1] for row in rows])),
            "limit_percent": pd.Series([int(row[2]) for row in rows], dtype="Int64"),
        }
    )


def forecast_frame(
    org: str, budgets: Mapping[Api, BudgetHistory], *, hours: int = 48
) -> pd.DataFrame:
    """
    The use to come if no job of ours runs, in steps of ten minutes.

    Returns:
        ``org``, ``api`` (string), ``at`` (datetime64[ns, UTC]), ``expected``, ``low``, ``high`` (Float64, units in the
        24 hours before; four of five futures lie between ``low`` and ``high``), ``max`` (Int64), ``days`` (Int64, over
        how many past days the others are known; 0: only what comes back is known, and the band is a guess).
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
                    "at": _stamps(seen.at),
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


def others_steps(history: OrgHistory, api: Api, edges: Ints) -> Steps:
    """
    What everybody but this sfnb spent between these edges (evenly spaced minutes since 1970).

    Known from the event log where it covers a slot, else worked out of the counter.
    """
    samples = history.samples.get(api) or _no_samples()
    own = _own(history, api)
    others = samples.used - window_sum(*own, samples.minutes)
    # A call is counted in the minute in which it ends, so an edge stands for the end of the minute before it.
    counter = counter_at(samples.minutes + 1, others.astype(np.float64), edges)
    known = np.full(len(edges) - 1, np.nan)
    if api == "api" and len(history.covered):
        is_known = np.isin(edges[:-1] // 60, history.covered) & np.isin(
            (edges[1:] - 1) // 60, history.covered
        )
        total = span_sum(history.log_minutes, history.log_calls, edges)
        known[is_known] = np.maximum(total - span_sum(*own, edges), 0)[is_known]
    return steps_of(counter, known, DAY_MINUTES // int(edges[1] - edges[0]))


def budget_history(history: OrgHistory, api: Api) -> BudgetHistory | None:
    """A budget's past as the forecast takes it, or None when the org has told nothing of it in the last day."""
    samples = history.samples.get(api) or _no_samples()
    end = history.end_minute + 1
    if not len(samples) or end - samples.minutes[-1] > DAY_MINUTES:
        return None
    first = min(
        int(samples.minutes[0]),
        *(int(array[0]) for array in (history.log_minutes,) if len(array)),
        end,
    )
    days = min((end - first) // DAY_MINUTES + 2, PATTERN_DAYS)
    edges = end - SLOT_MINUTES * np.arange(days * DAY_SLOTS, -1, -1, dtype=np.int64)
    steps = others_steps(history, api, edges)
    own = span_sum(*_own(history, api), edges)
    # What we have spent since the last reading is not in it yet.
    since = int(np.sum(_own(history, api)[1][_own(history, api)[0] > samples.minutes[-1]]))
    used = int(samples.used[-1]) + since
    return BudgetHistory(
        history.now, used, int(samples.maximum[-1]), steps.units, own.astype(np.float64)
    )


# ---------------------------------------------------------------------------------------------------------- helpers


def percent(units: pd.Series, of: pd.Series) -> pd.Series:
    """``100 × units / of``, Float64; missing where ``of`` is missing, 0 or less."""
    whole = pd.to_numeric(of).astype("Float64")
    return (pd.to_numeric(units).astype("Float64") * 100 / whole.where(whole > 0)).astype("Float64")


def moments(minutes: Ints) -> pd.Series:
    """Minutes since 1970 as datetime64[ns, UTC]."""
    return pd.Series(minutes.astype("datetime64[m]").astype("datetime64[ns]")).dt.tz_localize("UTC")


def _usage_of(history: OrgHistory, api: Api) -> pd.DataFrame:
    at, used, peak, most, sources = _readings(history, api)
    jobs = _by_job(history, api, at)
    other = _ints(np.zeros(len(at)))
    if api == "api":
        other = window_sum(history.log_minutes, history.log_calls - history.log_own, at)
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
    parts = {**jobs, "other_apps": other}
    parts["unattributed"] = used - sum(parts.values())
    columns |= {name: pd.Series(parts[name], dtype="Int64") for name in PARTS}
    columns["source"] = pd.Series(sources, dtype="string")
    return pd.DataFrame(columns)


def _readings(history: OrgHistory, api: Api) -> tuple[Ints, Ints, Ints, Ints, npt.NDArray[np.str_]]:
    """The last reading of each hour, its highest one, and what the event log tells where there was none."""
    samples = history.samples.get(api) or _no_samples()
    inside = samples.minutes >= history.start_hour * 60
    minutes, used, most = samples.minutes[inside], samples.used[inside], samples.maximum[inside]
    hours = minutes // 60
    last = np.flatnonzero(np.diff(hours, append=-1)) if len(hours) else _ints([])
    first = np.flatnonzero(np.diff(hours, prepend=-1)) if len(hours) else _ints([])
    peak = np.maximum.reduceat(used, first) if len(first) else _ints([])
    at, told, limits = minutes[last], used[last], most[last]
    sources = np.full(len(at), "counter", dtype="<U9")
    if api != "api" or not len(samples):
        return at, told, peak, limits, sources
    gaps = np.setdiff1d(
        np.arange(history.start_hour, history.end_minute // 60, dtype=np.int64), hours
    )
    ends = gaps * 60 + 59
    ends = ends[_is_covered(history, ends)]
    summed = window_sum(history.log_minutes, history.log_calls, ends)
    nearest = np.clip(np.searchsorted(samples.minutes, ends), 0, len(samples) - 1)
    order = np.argsort(np.concatenate([at, ends]), kind="stable")
    return (
        np.concatenate([at, ends])[order],
        np.concatenate([told, summed])[order],
        np.concatenate([peak, summed])[order],
        np.concatenate([limits, samples.maximum[nearest]])[order],
        np.concatenate([sources, np.full(len(ends), EVENT_LOG, dtype="<U9")])[order],
    )


def _by_job(history: OrgHistory, api: Api, at: Ints) -> dict[str, Ints]:
    """sfnb's own units in the 24 hours before each moment: of jobs under way then, of ended ones, of no job."""
    spent = history.spent.get(api)
    parts = {
        name: np.zeros(len(at), dtype=np.int64)
        for name in ("sfnb_running", "sfnb_completed", "sfnb_besides")
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
            parts["sfnb_besides"] += sums
            continue
        ended_minute = ended.get(job_id, 0)
        has_ended = np.zeros(len(at), dtype=bool) if ended_minute is None else at >= ended_minute
        parts["sfnb_completed"] += np.where(has_ended, sums, 0)
        parts["sfnb_running"] += np.where(has_ended, 0, sums)
    return parts


def _hours_of(history: OrgHistory, api: Api) -> pd.DataFrame:
    first = _first_hour(history, api)
    all_edges = np.arange(first, history.end_minute // 60 + 2, dtype=np.int64) * 60
    steps = others_steps(history, api, all_edges)
    skip = history.start_hour - first
    units, sources, edges = steps.units[skip:], steps.sources[skip:], all_edges[skip:]
    hours = edges[:-1] // 60
    jobs, besides = _own_by_hour(history, api, edges)
    own = jobs + besides
    in_log = sources == EVENT_LOG
    total = np.where(np.isnan(units), own, own + np.rint(np.nan_to_num(units))).astype(np.int64)
    other = np.zeros(len(hours), dtype=np.int64)
    if api == "api":
        logged = span_sum(history.log_minutes, history.log_calls, edges)
        total = np.where(in_log, logged, total)
        other = np.where(in_log, logged - span_sum(history.log_minutes, history.log_own, edges), 0)
    keep = (sources != UNKNOWN) | (own > 0)
    told = np.where(sources == UNKNOWN, "sfnb", sources)
    return pd.DataFrame(
        {
            "api": pd.Series([api] * int(keep.sum()), dtype="string"),
            "hour_at": moments(hours[keep] * 60),
            "calls": pd.Series(total[keep], dtype="Int64"),
            "sfnb_jobs": pd.Series(jobs[keep], dtype="Int64"),
            "sfnb_besides": pd.Series(besides[keep], dtype="Int64"),
            "other_apps": pd.Series(other[keep], dtype="Int64"),
            "unattributed": pd.Series((total - own - other)[keep], dtype="Int64"),
            "source": pd.Series(told[keep], dtype="string"),
        }
    )


def _first_hour(history: OrgHistory, api: Api) -> int:
    """A day before anything is known: what the first reading sums up."""
    samples = history.samples.get(api) or _no_samples()
    firsts = [
        history.start_hour * 60,
        *(int(array[0]) for array in (samples.minutes, history.log_minutes) if len(array)),
    ]
    return (min(firsts) - DAY_MINUTES) // 60


def _own(history: OrgHistory, api: Api) -> tuple[Ints, Ints]:
    spent = history.spent.get(api)
    return (spent.minutes, spent.units) if spent else (_ints([]), _ints([]))


def _own_sum(history: OrgHistory, api: Api, at: Ints) -> Ints:
    return window_sum(*_own(history, api), at)


def _own_by_hour(history: OrgHistory, api: Api, edges: Ints) -> tuple[Ints, Ints]:
    spent = history.spent.get(api)
    if spent is None:
        return np.zeros(len(edges) - 1, dtype=np.int64), np.zeros(len(edges) - 1, dtype=np.int64)
    is_besides = spent.jobs == history.job_ids.index("")
    jobs, besides = (
        span_sum(spent.minutes[which], spent.units[which], edges)
        for which in (~is_besides, is_besides)
    )
    return jobs, besides


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


def _is_covered(history: OrgHistory, at: Ints) -> npt.NDArray[np.bool_]:
    """Whether the event log tells of the whole 24 hours before each moment."""
    hours = at // 60
    # The window of 14:35 reaches from 14:35 yesterday to 14:35 today: it touches 25 hours.
    upto = np.searchsorted(history.covered, hours, side="right")
    before = np.searchsorted(history.covered, hours - 24, side="left")
    is_whole: npt.NDArray[np.bool_] = (upto - before) == 25
    return is_whole


def _days(hour_at: pd.Series, zone: tzinfo) -> pd.Series:
    return hour_at.dt.tz_convert(zone).dt.strftime("%Y-%m-%d").astype("string")


def _day_numbers(minutes: Ints, zone: tzinfo) -> Ints:
    return _ints([minute_at(int(minute)).astimezone(zone).toordinal() for minute in minutes])


def _stamps(values: Iterable[object]) -> pd.Series:
    return pd.to_datetime(pd.Series(list(values), dtype="object"), utc=True).astype(
        "datetime64[ns, UTC]"
    )


def _ints(values: object) -> Ints:
    return np.asarray(values, dtype=np.int64)


def _no_samples() -> Samples:
    return Samples(_ints([]), _ints([]), _ints([]))


__all__ = [
    "PARTS",
    "PART_LABELS",
    "budget_history",
    "callers_frame",
    "days_frame",
    "forecast_frame",
    "hours_frame",
    "jobs_frame",
    "others_steps",
    "pauses_frame",
    "reconciliation_frame",
    "thresholds_frame",
    "top_frame",
    "usage_frame",
    "week_frame",
]
