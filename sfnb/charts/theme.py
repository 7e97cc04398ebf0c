"""How all figures look: colours, templates, text, the time axis."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go

from sfnb.model import Api
from sfnb.quota.policy import UNITS
from sfnb.series import COLORS
from sfnb.text import day as day_text

Theme = Literal["light", "dark"]


MAX_NAME = 60


def _template(paper: str, ink: str, grid: str) -> go.layout.Template:
    axis = {"gridcolor": grid, "linecolor": grid, "zerolinecolor": grid, "automargin": True}
    return go.layout.Template(
        layout={
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "font": {
                "color": ink,
                "family": "system-ui, -apple-system, Segoe UI, Roboto, sans-serif",
                "size": 13,
            },
            "xaxis": axis,
            "yaxis": axis,
            "legend": {"orientation": "h", "y": -0.22, "x": 0, "traceorder": "normal"},
            "margin": {"l": 60, "r": 24, "t": 48, "b": 48},
            "hoverlabel": {"align": "left"},
            "title": {"x": 0, "xref": "paper", "font": {"size": 16}},
            "colorscale": {"sequential": [[0, paper], [1, COLORS["sfnb"]]]},
        }
    )


TEMPLATES: dict[Theme, go.layout.Template] = {
    "light": _template("#ffffff", "#1b1f24", "#d9dee4"),
    "dark": _template("#15191e", "#e6e9ed", "#39424c"),
}


def words_figure(sentence: str, *, theme: Theme = "light") -> go.Figure:
    """A sentence in place of a figure that would be empty."""
    figure = go.Figure()
    figure.add_annotation(
        text=plain(sentence, most=300),
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0,
        y=0.5,
        xanchor="left",
    )
    figure.update_layout(xaxis_visible=False, yaxis_visible=False, height=140)
    return dressed(figure, theme)


def plain(text: object, *, most: int = MAX_NAME) -> str:
    """
    Untrusted text as Plotly shows it literally: no markup, no control or direction signs, not too
    long.
    """
    clean = re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", " ", str(text))
    clean = clean if len(clean) <= most else clean[: most - 1] + "…"
    # Plotly reads tags and entities, and shows an escaped sign as itself; MathJax, if a page has
    # it, reads dollars.
    return html.escape(clean, quote=False).replace("$", "&#36;").replace("%{", "&#37;{")


def dressed(
    figure: go.Figure, theme: Theme, hours: pd.Series | None = None, zone: tzinfo = UTC
) -> go.Figure:
    """
    The figure in its theme; with ``hours``, its time axis runs over them and is labelled in the
    zone.
    """
    figure.update_layout(template=TEMPLATES[theme])
    if hours is not None:
        ticks, texts = day_ticks(hours.iloc[0], hours.iloc[-1] + timedelta(hours=1), zone)
        figure.update_xaxes(
            type="date", tickvals=[naive_one(tick) for tick in ticks], ticktext=texts
        )
        figure.update_xaxes(
            range=[naive_one(hours.iloc[0]), naive_one(hours.iloc[-1] + timedelta(hours=1))]
        )
        figure.update_layout(height=420)
    return figure


def day_ticks(
    first: datetime, last: datetime, zone: tzinfo, *, most: int = 16
) -> tuple[list[datetime], list[str]]:
    """
    The midnights of the zone between two moments, at most ``most``, and their names. Short spans:
    hours.
    """
    if last - first < timedelta(hours=36):
        hours = [
            first + timedelta(hours=n)
            for n in range(0, int((last - first) / timedelta(hours=1)) + 1, 3)
        ]
        return hours, [f"{hour.astimezone(zone):%H:%M}" for hour in hours]
    day = first.astimezone(zone).date()
    ticks = []
    while (midnight := datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)) < last:
        if midnight >= first:
            ticks.append(midnight)
        day += timedelta(days=1)
    ticks = ticks[:: -(-len(ticks) // most)] if ticks else []
    return ticks, [day_text(tick, zone) for tick in ticks]


def titled(api: Api, rest: str) -> str:
    """``API calls`` and the rest of a title; the unit begins it."""
    unit = UNITS[api]
    return f"{unit[0].upper()}{unit[1:]} {rest}"


def naive(moments: pd.Series) -> Any:
    """Moments in UTC without a zone: Plotly knows none."""
    return moments.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[s]")


def naive_one(at: Any) -> str:
    """One moment, as ``naive`` gives many."""
    return str(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
