"""Use over time: the rolling 24 hours, and hour by hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import Theme, dressed, naive, naive_one, plain, titled, words_figure
from sfnb.model import Api
from sfnb.quota.policy import UNITS
from sfnb.series import COLORS, LABELS
from sfnb.text import moment

USE_PARTS = ("sfnb_running", "sfnb_completed", "sfnb_other", "other_apps")
HOUR_PARTS = ("sfnb_jobs", "sfnb_other", "other_apps")
HOUR_MS = 3_600_000


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
    The rolling 24-hour use in percent of the maximum, hour by hour, stacked by who spent it.

    Args:
        usage: ``usage_frame`` of one org.
        thresholds: ``thresholds_frame``: the limit percent over time; else the one in ``usage``.
        pauses: ``pauses_frame``: shaded.
    """
    rows = usage[(usage["api"] == api) & usage["used_pct"].notna()]
    if rows.empty:
        return words_figure(f"No usage reading of {UNITS[api]} yet.", theme=theme)
    figure = go.Figure()
    at, local = rows["hour_at"], _spans(rows["hour_at"], zone)
    top = rows["max"].astype("float64").to_numpy()
    used = rows["used"].astype("float64").to_numpy()
    whole = [f"{u:,.0f} of {m:,.0f} = {u * 100 / m:.1f} %" for u, m in zip(used, top, strict=True)]
    named = [f"<br>named by the event log: {n:,}" if n else "" for n in rows["other_named"]]
    for part in USE_PARTS:
        units = rows[part].astype("float64").to_numpy()
        if not units.any():
            continue
        more = named if part == "other_apps" else [""] * len(rows)
        texts = zip(local, [f"{u:,.0f}" for u in units], whole, more, strict=True)
        _add_hours(
            figure,
            part,
            at,
            np.round(units * 100 / top, 3),
            list(texts),
            f"%{{customdata[1]}} {UNITS[api]} in 24 hours, %{{y:.1f}} % of the maximum%{{customdata[3]}}"
            "<br>whole org: %{customdata[2]}",
        )
    _add_limit(figure, rows, thresholds, api)
    if pauses is not None:
        _add_pauses(figure, pauses[pauses["api"].isin([api, ""])], rows, zone)
    figure.update_layout(
        title_text=titled(api, "used in 24 hours, % of the maximum"),
        barmode="stack",
        bargap=0,
        yaxis={"ticksuffix": " %", "rangemode": "tozero"},
    )
    return dressed(figure, theme, at if thresholds is None else _whole(thresholds["at"]), zone)


def hours_figure(
    hours: pd.DataFrame, *, api: Api = "api", zone: tzinfo = UTC, theme: Theme = "light"
) -> go.Figure:
    """
    What was spent in each hour, stacked by who spent it. ``hours``: ``hours_frame`` of one org.
    """
    rows = hours[hours["api"] == api]
    if rows.empty:
        return words_figure(f"No {UNITS[api]} by the hour yet.", theme=theme)
    figure = go.Figure()
    local = _spans(rows["hour_at"], zone)
    whole = [
        f"{calls:,} (from: {source})"
        for calls, source in zip(rows["calls"], rows["source"], strict=True)
    ]
    for part in HOUR_PARTS:
        units = rows[part].astype("float64").to_numpy()
        if not units.any():
            continue
        texts = zip(local, [f"{u:,.0f}" for u in units], whole, strict=True)
        _add_hours(
            figure,
            part,
            rows["hour_at"],
            units,
            list(texts),
            f"%{{customdata[1]}} {UNITS[api]} in this hour<br>whole org: %{{customdata[2]}}",
        )
    figure.update_layout(
        title_text=titled(api, "in each hour"),
        barmode="stack",
        bargap=0,
        yaxis={"rangemode": "tozero", "tickformat": ",d"},
    )
    return dressed(figure, theme, rows["hour_at"], zone)


def _add_hours(  # noqa: PLR0917
    figure: go.Figure,
    part: str,
    hours: pd.Series,
    heights: Any,
    texts: list[tuple[str, ...]],
    hover: str,
) -> None:
    figure.add_bar(
        x=naive(hours),
        y=heights,
        name=LABELS[part],
        marker={"color": COLORS[part], "line": {"width": 0}},
        offset=0,
        width=HOUR_MS,
        customdata=texts,
        hovertemplate=f"<b>%{{customdata[0]}}</b><br>{LABELS[part]}: {hover}<extra></extra>",
    )


def _add_limit(
    figure: go.Figure, rows: pd.DataFrame, thresholds: pd.DataFrame | None, api: Api
) -> None:
    source = rows if thresholds is None else thresholds[thresholds["api"] == api]
    figure.add_scatter(
        x=naive(source["at"]),
        y=source["limit_percent"].astype("float64").to_numpy(),
        mode="lines",
        name=LABELS["limit"],
        line={"color": COLORS["limit"], "width": 2, "dash": "dash", "shape": "hv"},
        hovertemplate="jobs stop when the whole org has used %{y:.0f} % of the maximum<extra></extra>",
    )
    reserve = source.get("restore_percent")
    if reserve is None or not reserve.notna().any():
        return
    figure.add_scatter(
        x=naive(source["at"]),
        y=reserve.astype("float64").to_numpy(),
        mode="lines",
        name=LABELS["limit_restore"],
        line={"color": COLORS["limit"], "width": 2, "dash": "dot", "shape": "hv"},
        connectgaps=False,
        hovertemplate="restores stop at %{y:.0f} % of the maximum<extra></extra>",
    )


def _add_pauses(figure: go.Figure, pauses: pd.DataFrame, rows: pd.DataFrame, zone: tzinfo) -> None:
    """Shaded, with a mark on the ground line that says which job paused and how long."""
    first, last = rows["hour_at"].iloc[0], rows["hour_at"].iloc[-1] + timedelta(hours=1)
    marks: list[tuple[datetime, str]] = []
    for pause in pauses.itertuples():
        is_open = pd.isna(pause.resumed_at)
        until = last if is_open else pause.resumed_at
        if until < first or pause.at > last:
            continue
        begin, end = max(pause.at, first), min(until, last)
        figure.add_shape(
            type="rect", xref="x", yref="paper", x0=naive_one(begin), x1=naive_one(end), y0=0, y1=1,
            fillcolor=COLORS["pause"], opacity=0.18, line_width=0, layer="below",
        )  # fmt: skip
        ended = "still paused" if is_open else f"until {moment(pause.resumed_at, zone)}"
        marks.append((begin, f"job {plain(pause.job_id)} paused {moment(pause.at, zone)}, {ended}"))
    if marks:
        figure.add_scatter(
            x=[naive_one(at) for at, _ in marks],
            y=[0] * len(marks),
            mode="markers",
            name=LABELS["pause"],
            marker={"symbol": "square", "size": 9, "color": COLORS["pause"]},
            customdata=[text for _, text in marks],
            hovertemplate="%{customdata}<extra></extra>",
        )


def _whole(moments: pd.Series) -> pd.Series:
    """The hours of the first and the last moment: the report's whole time, empty hours included."""
    return pd.Series([moments.min().floor("h"), moments.max().floor("h")])


def _spans(hours: pd.Series, zone: tzinfo) -> list[str]:
    """
    ``Tue 3 Nov, 14:00 to 15:00`` in the zone; with the zone's name in an hour that a clock change
    repeats.
    """
    starts = hours.dt.tz_convert(zone)
    ends = (hours + pd.Timedelta(hours=1)).dt.tz_convert(zone)
    return [
        f"{moment(start, zone)} to {end:%H:%M}"
        + (f" {start.tzname()}" if start.utcoffset() != end.utcoffset() else "")
        for start, end in zip(starts, ends, strict=True)
    ]
