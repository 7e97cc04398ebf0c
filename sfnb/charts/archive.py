"""What an archive frees."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import Theme, dressed, plain, words_figure
from sfnb.series import COLORS


def freed_figure(objects: pd.DataFrame, *, theme: Theme = "light") -> go.Figure:
    """
    Storage that an archive would free, largest on top.

    Args:
        objects: columns ``object`` (string), ``records`` (Int64), ``mb`` (float64).
    """
    rows = objects[objects["mb"] > 0].sort_values("mb")
    if rows.empty:
        return words_figure("This archive would free no storage.", theme=theme)
    names = [plain(name, most=34) for name in rows["object"]]
    figure = go.Figure(
        go.Bar(
            x=rows["mb"].astype("float64").to_numpy(),
            y=list(range(len(names))),
            orientation="h",
            marker={"color": COLORS["sfnb_completed"]},
            customdata=list(zip(names, [f"{n:,}" for n in rows["records"]], strict=True)),
            hovertemplate="<b>%{customdata[0]}</b><br>%{x:,.2f} MB, %{customdata[1]} records<extra></extra>",
            showlegend=False,
        )
    )
    figure.update_layout(
        title_text="Storage freed, MB",
        height=120 + 26 * len(names),
        xaxis={"tickformat": ",~g", "rangemode": "tozero"},
        yaxis={"tickvals": list(range(len(names))), "ticktext": names},
    )
    return dressed(figure, theme)
