"""What is to come: use, and when a job would end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta, tzinfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import (
    COLORS,
    Theme,
    day_ticks,
    dressed,
    moment_in,
    naive,
    naive_one,
    words_figure,
)
from sfnb.model import Api
from sfnb.quota.forecast import Finish
from sfnb.quota.policy import UNITS


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
    The use to come if no job of sfnb runs, with its band. ``forecast``: ``forecast_frame`` of one org.

    Args:
        limit_percent, mark_percent: where jobs stop, and where paused ones go on.
    """
    rows = forecast[forecast["api"] == api]
    if rows.empty:
        return words_figure(
            f"What will be used of the {UNITS[api]} cannot be foreseen yet.", theme=theme
        )
    top = rows["max"].astype("float64").to_numpy()
    low, expected, high = (
        np.round(rows[name].astype("float64").to_numpy() * 100 / top, 2)
        for name in ("low", "expected", "high")
    )
    x, local = naive(rows["at"]), [moment_in(at, zone) for at in rows["at"]]
    figure = go.Figure()
    figure.add_scatter(
        x=x, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip"
    )
    figure.add_scatter(
        x=x, y=low, mode="lines", line={"width": 0}, fill="tonexty", fillcolor="rgba(0,114,178,0.22)",
        name="four of five futures", hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=x,
        y=expected,
        mode="lines",
        name="expected",
        line={"color": COLORS["sfnb_running"], "width": 2},
        customdata=list(
            zip(local, [f"{u:,.0f}" for u in rows["expected"]], low, high, strict=True)
        ),
        hovertemplate=(
            f"<b>%{{customdata[0]}}</b><br>expected: %{{customdata[1]}} {UNITS[api]} in 24 hours, "
            "%{y:.1f} % of the limit"
            "<br>between %{customdata[2]:.1f} and %{customdata[3]:.1f} %<extra></extra>"
        ),
    )
    for level, name, dash in (
        (limit_percent, "where jobs stop", "dash"),
        (mark_percent, "where paused jobs go on", "dot"),
    ):
        if level is not None:
            figure.add_scatter(
                x=[x[0], x[-1]], y=[level, level], mode="lines", name=name,
                line={"color": COLORS["threshold"], "width": 1.5, "dash": dash},
                hovertemplate=f"{name}: %{{y:.1f}} % of the limit<extra></extra>",
            )  # fmt: skip
    figure.update_layout(
        title_text=f"{UNITS[api][0].upper()}{UNITS[api][1:]}: the next two days, if no job of sfnb runs",
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
    """When a planned job would end under each limit percent, as ``forecast.what_if`` tells."""
    ends = [
        (percent, one) for percent, one in sorted(finishes.items()) if one.finish.at is not None
    ]
    if not ends:
        return words_figure("Under no limit percent would this job end within a week.", theme=theme)
    figure = go.Figure(
        go.Scatter(
            x=[percent for percent, _ in ends],
            y=[naive_one(one.finish.at) for _, one in ends],
            mode="lines+markers",
            line={"color": COLORS["sfnb_running"], "shape": "hvh"},
            marker={"size": 5},
            showlegend=False,
            customdata=[
                (
                    moment_in(one.finish.at, zone),
                    f"{one.pauses} pause{'' if one.pauses == 1 else 's'}"
                    if one.pauses
                    else "no pause",
                    moment_in(one.finish.low_at, zone) if one.finish.low_at else "now",
                    moment_in(one.finish.high_at, zone)
                    if one.finish.high_at
                    else "later than can be foreseen",
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
            x=limit_percent, line={"color": COLORS["threshold"], "dash": "dash", "width": 1.5}
        )
    moments = [one.finish.at for _, one in ends if one.finish.at is not None]
    ticks, texts = day_ticks(
        min(moments) - timedelta(hours=1), max(moments) + timedelta(hours=1), zone, most=8
    )
    figure.update_layout(
        title_text="When the next backup would end, by limit percent",
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
