"""What is to come: use, and when a job would end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta, tzinfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import Theme, day_ticks, dressed, naive, naive_one, titled, words_figure
from sfnb.model import Api
from sfnb.quota.forecast import Finish
from sfnb.quota.policy import UNITS
from sfnb.series import COLORS, LABELS
from sfnb.text import count, moment


def forecast_figure(
    forecast: pd.DataFrame,
    *,
    api: Api = "api",
    limit_percent: int | None = None,
    mark_percent: float | None = None,
    zone: tzinfo = UTC,
    theme: Theme = "light",
) -> go.Figure:
    """
    The use to come if no job of sfnb runs, with its band. ``forecast``: ``forecast_frame`` of one
    org.

    Args:
        limit_percent, mark_percent: where jobs stop, and where paused ones resume.
    """
    rows = forecast[forecast["api"] == api]
    if rows.empty:
        return words_figure(f"No forecast of {UNITS[api]} yet.", theme=theme)
    top = rows["max"].astype("float64").to_numpy()
    low, expected, high = (
        np.round(rows[name].astype("float64").to_numpy() * 100 / top, 2)
        for name in ("low", "expected", "high")
    )
    x, local = naive(rows["at"]), [moment(at, zone) for at in rows["at"]]
    figure = go.Figure()
    figure.add_scatter(
        x=x, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip"
    )
    figure.add_scatter(
        x=x, y=low, mode="lines", line={"width": 0}, fill="tonexty", fillcolor="rgba(0,114,178,0.22)",
        name=LABELS["range"], hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=x,
        y=expected,
        mode="lines",
        name=LABELS["expected"],
        line={"color": COLORS["expected"], "width": 2},
        customdata=list(
            zip(local, [f"{u:,.0f}" for u in rows["expected"]], low, high, strict=True)
        ),
        hovertemplate=(
            f"<b>%{{customdata[0]}}</b><br>expected: %{{customdata[1]}} {UNITS[api]} in 24 hours, "
            "%{y:.1f} % of the maximum"
            "<br>between %{customdata[2]:.1f} and %{customdata[3]:.1f} %<extra></extra>"
        ),
    )
    for level, name, dash in (
        (limit_percent, LABELS["limit"], "dash"),
        (mark_percent, LABELS["resume"], "dot"),
    ):
        if level is not None:
            figure.add_scatter(
                x=[x[0], x[-1]], y=[level, level], mode="lines", name=name,
                line={"color": COLORS["limit"], "width": 1.5, "dash": dash},
                hovertemplate=f"{name}: %{{y:.1f}} % of the limit<extra></extra>",
            )  # fmt: skip
    figure.update_layout(
        title_text=titled(api, "in the next two days if no job of sfnb runs, % of the maximum"),
        yaxis={"ticksuffix": " %", "rangemode": "tozero"},
        hovermode="x",
    )
    dressed(figure, theme, rows["at"], zone)
    return figure.update_layout(height=340)


def finish_figure(
    finishes: Mapping[int, Finish],
    *,
    limit_percent: int | None = None,
    zone: tzinfo = UTC,
    theme: Theme = "light",
) -> go.Figure:
    """When a planned job would end under each limit percent, from ``forecast.what_if``."""
    ends = [
        (percent, one) for percent, one in sorted(finishes.items()) if one.finish.at is not None
    ]
    if not ends:
        return words_figure("This job would not end within a week under any limit.", theme=theme)
    figure = go.Figure(
        go.Scatter(
            x=[percent for percent, _ in ends],
            y=[naive_one(one.finish.at) for _, one in ends],
            mode="lines+markers",
            line={"color": COLORS["expected"], "shape": "hvh"},
            marker={"size": 5},
            showlegend=False,
            customdata=[
                (
                    moment(one.finish.at, zone),
                    count(one.pauses, "pause") if one.pauses else "no pause",
                    moment(one.finish.low_at, zone) if one.finish.low_at else "now",
                    moment(one.finish.high_at, zone)
                    if one.finish.high_at
                    else "a time beyond the forecast",
                )
                for _, one in ends
            ],
            hovertemplate=(
                "<b>limit %{x} %</b>: would end %{customdata[0]}, %{customdata[1]}"
                "<br>between %{customdata[2]} and %{customdata[3]}<extra></extra>"
            ),
        )
    )
    if limit_percent is not None:
        figure.add_vline(
            x=limit_percent, line={"color": COLORS["limit"], "dash": "dash", "width": 1.5}
        )
    moments = [one.finish.at for _, one in ends if one.finish.at is not None]
    ticks, texts = day_ticks(
        min(moments) - timedelta(hours=1), max(moments) + timedelta(hours=1), zone, most=8
    )
    figure.update_layout(
        title_text="When the next backup would end, by API limit",
        xaxis={"title": {"text": "limit percent"}, "range": [0, 101]},
        yaxis={
            "type": "date",
            "range": [
                naive_one(min(moments) - timedelta(hours=1)),
                naive_one(max(moments) + timedelta(hours=1)),
            ],
            "tickvals": [naive_one(tick) for tick in ticks],
            "ticktext": texts,
        },
        height=340,
    )
    return dressed(figure, theme)
