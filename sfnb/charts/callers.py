"""Who calls most."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import COLORS, Theme, dressed, plain, words_figure


def top_figure(top: pd.DataFrame, *, what: str = "apps", theme: Theme = "light") -> go.Figure:
    """Who spends most, longest bar on top. ``top``: ``top_frame`` of one org."""
    if top.empty:
        return words_figure(f"The event log names no {what} in this time.", theme=theme)
    rows = top.iloc[::-1]
    names = [plain(name) for name in rows["name"]]
    texts = [
        f"{calls:,} calls, {share:.1f} %" if not pd.isna(share) else f"{calls:,} calls"
        for calls, share in zip(rows["calls"], rows["share_pct"], strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            # Positions are numbers and names their labels: two names that read alike stay two bars.
            x=rows["calls"].astype("float64").to_numpy(),
            y=list(range(len(names))),
            orientation="h",
            marker={"color": COLORS["other_apps"]},
            customdata=list(
                zip(names, texts, [f"{free:,}" for free in rows["free_calls"]], strict=True)
            ),
            hovertemplate=(
                "<b>%{customdata[0]}</b><br>%{customdata[1]} of what counts"
                "<br>besides %{customdata[2]} calls that do not count<extra></extra>"
            ),
            showlegend=False,
        )
    )
    figure.update_layout(
        title_text=f"Calls by {what}",
        height=120 + 26 * len(names),
        xaxis={"tickformat": ",d", "rangemode": "tozero"},
        yaxis={"tickvals": list(range(len(names))), "ticktext": names},
    )
    return dressed(figure, theme)
