"""One job's calls by object."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import Theme, dressed, plain, words_figure
from sfnb.series import COLORS


def job_figure(
    objects: pd.DataFrame, *, job_id: str = "", most: int = 20, theme: Theme = "light"
) -> go.Figure:
    """One job's API calls by object: columns ``object`` (string) and ``calls`` (Int64)."""
    if objects.empty:
        return words_figure("No calls by object for this job.", theme=theme)
    rows = objects.sort_values("calls", ascending=False)
    if len(rows) > most:
        rest = pd.DataFrame(
            [
                {
                    "object": f"{len(rows) - most:,} more objects",
                    "calls": rows["calls"].iloc[most:].sum(),
                }
            ]
        )
        rows = pd.concat([rows.iloc[:most], rest], ignore_index=True)
    rows = rows.iloc[::-1]
    names = [plain(name) or "login, limits, plan" for name in rows["object"]]
    figure = go.Figure(
        go.Bar(
            x=rows["calls"].astype("float64").to_numpy(),
            y=list(range(len(names))),
            orientation="h",
            marker={"color": COLORS["sfnb_completed"]},
            customdata=names,
            hovertemplate="<b>%{customdata}</b><br>%{x:,d} API calls<extra></extra>",
            showlegend=False,
        )
    )
    figure.update_layout(
        title_text=f"API calls by object{f', job {plain(job_id)}' if job_id else ''}",
        height=120 + 24 * len(names),
        xaxis={"tickformat": ",d", "rangemode": "tozero"},
        yaxis={"tickvals": list(range(len(names))), "ticktext": names},
    )
    return dressed(figure, theme)
