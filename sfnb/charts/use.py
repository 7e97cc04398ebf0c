"""Use over time: the rolling 24 hours, and hour by hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import (
    COLORS,
    LABELS,
    WEEKDAYS,
    Theme,
    dressed,
    moment_in,
    naive,
    naive_one,
    plain,
    words_figure,
)
from sfnb.model import Api
from sfnb.quota.policy import UNITS


def usage_figure(
    usage: pd.DataFrame,
    *,
    api: Api = "api",
    thresholds: pd.DataFrame | None = None,
    pauses: pd.DataFrame | None = None,
    zone: tzinfo = UTC,
    theme: Theme = "light",
) -> go.Figure:
    """
    The rolling 24-hour use in percent of the limit, hour by hour, stacked by who spent it.

    Args:
        usage: ``usage_frame``; of one org.
        thresholds: ``thresholds_frame``: the limit percent over time; else what ``usage`` has of it.
        pauses: ``pauses_frame``: shaded.
    """
    rows = usage[(usage["api"] == api) & usage["used_pct"].notna()]
    if rows.empty:
        return words_figure(
            f"Nothing is known yet of the {UNITS[api]} that this org has used.", theme=theme
        )
    figure = go.Figure()
    at, local = rows["hour_at"], _spans(rows["hour_at"], zone)
    top = rows["max"].astype("float64").to_numpy()
    used = rows["used"].astype("float64").to_numpy()
    whole = [f"{u:,.0f} of {m:,.0f} = {u * 100 / m:.1f} %" for u, m in zip(used, top, strict=True)]
    for part in ("sfnb_running", "sfnb_completed", "sfnb_besides", "other_apps", "unattributed"):
        units = rows[part].astype("float64").to_numpy()
        if not units.any():
            continue
        figure.add_bar(
            x=naive(at),
            y=np.round(np.maximum(units, 0) * 100 / top, 3),
            name=LABELS[part],
            marker={"color": COLORS[part], "line": {"width": 0}},
            offset=0,
            width=3_600_000,
            customdata=list(zip(local, [f"{u:,.0f}" for u in units], whole, strict=True)),
            hovertemplate=(
                f"<b>%{{customdata[0]}}</b><br>{LABELS[part]}: %{{customdata[1]}} {UNITS[api]} in 24 hours, "
                "%{y:.1f} % of the limit<br>the whole org: %{customdata[2]}<extra></extra>"
            ),
        )
    _add_threshold(figure, rows, thresholds, api)
    if pauses is not None:
        _add_pauses(figure, pauses[pauses["api"].isin([api, ""])], rows, zone)
    figure.update_layout(
        title_text=f"{UNITS[api][0].upper()}{UNITS[api][1:]} used in 24 hours, in percent of the limit",
        barmode="stack",
        bargap=0,
        yaxis={"ticksuffix": " %", "rangemode": "tozero"},
    )
    return dressed(figure, theme, at if thresholds is None else _whole(thresholds["at"]), zone)


def hours_figure(
    hours: pd.DataFrame, *, api: Api = "api", zone: tzinfo = UTC, theme: Theme = "light"
) -> go.Figure:
    """What was spent in each hour, stacked by who spent it. ``hours``: ``hours_frame`` of one org."""
    rows = hours[hours["api"] == api]
    if rows.empty:
        return words_figure(f"No {UNITS[api]} are known to have been used.", theme=theme)
    figure = go.Figure()
    local = _spans(rows["hour_at"], zone)
    for part in ("sfnb_jobs", "sfnb_besides", "other_apps", "unattributed"):
        units = rows[part].astype("float64").to_numpy()
        if not units.any():
            continue
        figure.add_bar(
            x=naive(rows["hour_at"]),
            y=np.maximum(units, 0),
            name=LABELS[part],
            marker={"color": COLORS[part], "line": {"width": 0}},
            offset=0,
            width=3_600_000,
            customdata=list(
                zip(
                    local,
                    [f"{u:,.0f}" for u in units],
                    [f"{c:,}" for c in rows["calls"]],
                    rows["source"],
                    strict=True,
                )
            ),
            hovertemplate=(
                f"<b>%{{customdata[0]}}</b><br>{LABELS[part]}: %{{customdata[1]}} {UNITS[api]} in this hour"
                "<br>the whole org: %{customdata[2]} (from: %{customdata[3]})<extra></extra>"
            ),
        )
    figure.update_layout(
        title_text=f"{UNITS[api][0].upper()}{UNITS[api][1:]} spent in each hour",
        barmode="stack",
        bargap=0,
        yaxis={"rangemode": "tozero", "tickformat": ",d"},
    )
    return dressed(figure, theme, rows["hour_at"], zone)


def _add_threshold(
    figure: go.Figure, rows: pd.DataFrame, thresholds: pd.DataFrame | None, api: Api
) -> None:
    if thresholds is not None:
        mine = thresholds[thresholds["api"] == api]
        x, y = naive(mine["at"]), mine["limit_percent"].astype("float64").to_numpy()
    else:
        x, y = naive(rows["at"]), rows["limit_percent"].astype("float64").to_numpy()
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name="where sfnb's jobs stop",
        line={"color": COLORS["threshold"], "width": 2, "dash": "dash", "shape": "hv"},
        hovertemplate="jobs stop when the whole org has used %{y:.0f} % of the limit<extra></extra>",
    )


def _add_pauses(figure: go.Figure, pauses: pd.DataFrame, rows: pd.DataFrame, zone: tzinfo) -> None:
    """Shaded, with a mark on the ground line that tells about it."""
    first, last = rows["hour_at"].iloc[0], rows["hour_at"].iloc[-1] + timedelta(hours=1)
    marks: list[tuple[datetime, str]] = []
    for pause in pauses.itertuples():
        until = last if pd.isna(pause.resumed_at) else pause.resumed_at
        if until < first or pause.at > last:
            continue
        begin, end = max(pause.at, first), min(until, last)
        figure.add_shape(
            type="rect", xref="x", yref="paper", x0=naive_one(begin), x1=naive_one(end), y0=0, y1=1,
            fillcolor=COLORS["pause"], opacity=0.18, line_width=0, layer="below",
        )  # fmt: skip
        ended = (
            "still paused"
            if pd.isna(pause.resumed_at)
            else f"until {moment_in(pause.resumed_at, zone)}"
        )
        marks.append(
            (begin, f"job {plain(pause.job_id)} paused {moment_in(pause.at, zone)}, {ended}")
        )
    if marks:
        figure.add_scatter(
            x=[naive_one(at) for at, _ in marks],
            y=[0] * len(marks),
            mode="markers",
            name="pauses",
            marker={"symbol": "square", "size": 9, "color": COLORS["pause"]},
            customdata=[text for _, text in marks],
            hovertemplate="%{customdata}<extra></extra>",
        )


def _whole(moments: pd.Series) -> pd.Series:
    """The hours of the first and the last moment: the report's whole time, also where nothing is known of it."""
    return pd.Series([moments.min().floor("h"), moments.max().floor("h")])


def _spans(hours: pd.Series, zone: tzinfo) -> list[str]:
    """``Tue 3 Nov, 14:00 to 15:00`` in the zone; where a clock change is on, its name is told."""
    starts = hours.dt.tz_convert(zone)
    ends = (hours + pd.Timedelta(hours=1)).dt.tz_convert(zone)
    return [
        f"{WEEKDAYS[start.weekday()]} {start.day} {start:%b}, {start:%H:%M} to {end:%H:%M}"
        + (f" {start.tzname()}" if start.utcoffset() != end.utcoffset() else "")
        for start, end in zip(starts, ends, strict=True)
    ]
