"""The hours of a usual week."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import Theme, dressed, titled, words_figure
from sfnb.model import Api
from sfnb.quota.policy import UNITS
from sfnb.text import DAYS

MARGIN = {"l": 60, "r": 110, "b": 60, "autoexpand": False}
"""
Room for the names of the days and for the scale. Left to itself, Plotly adds up what the scale needs
each time the window changes its width, until the map is a stripe.
"""


def week_figure(week: pd.DataFrame, *, api: Api = "api", theme: Theme = "light") -> go.Figure:
    """The mean use of each hour of the week as a heat map. ``week``: ``week_frame`` of one org."""
    rows = week[week["api"] == api]
    if rows.empty:
        return words_figure("No complete hour yet, so no weekly pattern.", theme=theme)
    cells = np.full((7, 24), np.nan)
    texts = [["no reading"] * 24 for _ in range(7)]
    for row in rows.itertuples():
        cells[row.weekday, row.hour] = row.calls
        texts[row.weekday][row.hour] = f"{row.calls:,.0f} {UNITS[api]} on average, over {row.weeks}"
    figure = go.Figure(
        go.Heatmap(
            z=cells,
            x=[f"{hour:02d}" for hour in range(24)],
            y=list(DAYS),
            customdata=texts,
            # Cividis reads the same with any colour vision.
            colorscale="Cividis",
            hovertemplate="<b>%{y}, %{x}:00</b><br>%{customdata}<extra></extra>",
            colorbar={"title": {"text": "per hour"}},
            xgap=1,
            ygap=1,
        )
    )
    figure.update_layout(
        title_text=titled(api, "by hour and weekday, on average"),
        yaxis={"autorange": "reversed"},
        xaxis={"title": {"text": "hour of the day"}, "type": "category"},
        height=330,
        margin=MARGIN,
    )
    return dressed(figure, theme)
