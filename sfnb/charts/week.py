"""The hours of a usual week."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import WEEKDAYS, Theme, dressed, words_figure
from sfnb.model import Api
from sfnb.quota.policy import UNITS


def week_figure(week: pd.DataFrame, *, api: Api = "api", theme: Theme = "light") -> go.Figure:
    """The mean use of each hour of the week as a heat map. ``week``: ``week_frame`` of one org."""
    rows = week[week["api"] == api]
    if rows.empty:
        return words_figure(
            "There are no whole hours yet from which a weekly pattern could be seen.", theme=theme
        )
    cells = np.full((7, 24), np.nan)
    texts = [["nothing known"] * 24 for _ in range(7)]
    for row in rows.itertuples():
        cells[row.weekday, row.hour] = row.calls
        texts[row.weekday][row.hour] = f"{row.calls:,.0f} {UNITS[api]} on average, over {row.weeks}"
    figure = go.Figure(
        go.Heatmap(
            z=cells,
            x=[f"{hour:02d}" for hour in range(24)],
            y=list(WEEKDAYS),
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
        title_text=f"{UNITS[api][0].upper()}{UNITS[api][1:]} by hour of the week, on average",
        yaxis={"autorange": "reversed"},
        xaxis={"title": {"text": "hour of the day"}, "type": "category"},
        height=330,
    )
    return dressed(figure, theme)
