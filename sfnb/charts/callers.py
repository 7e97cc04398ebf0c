"""Who calls most."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from sfnb.charts.theme import Theme, dressed, plain, words_figure
from sfnb.series import COLORS, LABELS


def top_figure(top: pd.DataFrame, *, what: str = "apps", theme: Theme = "light") -> go.Figure:
    """
    Who spends most, longest bar on top, with values; sfnb's own app and user in sfnb's colour.

    Args:
        top: ``top_frame`` of one org.
    """
    if top.empty:
        return words_figure(f"The event log names no {what} for these days.", theme=theme)
    rows = top.iloc[::-1].reset_index(drop=True)
    names = [plain(name, most=34) for name in rows["name"]]
    texts = [
        f"{calls:,}" if pd.isna(share) else f"{calls:,} ({share:.1f} %)"
        for calls, share in zip(rows["calls"], rows["share_pct"], strict=True)
    ]
    free = [
        f"<br>and {calls:,} calls that do not count" if calls else ""
        for calls in rows["free_calls"]
    ]
    figure = go.Figure()
    for key, label in (("other_apps", f"other {what}"), ("sfnb", LABELS["sfnb"])):
        places = [
            n for n, is_sfnb in enumerate(rows["is_sfnb"]) if bool(is_sfnb) == (key == "sfnb")
        ]
        if not places:
            continue
        figure.add_bar(
            # Positions are numbers and names their labels: two names that read alike stay two bars.
            x=[float(rows["calls"][n]) for n in places],
            y=places,
            orientation="h",
            name=label,
            marker={"color": COLORS[key]},
            text=[texts[n] for n in places],
            textposition="auto",
            cliponaxis=False,
            customdata=[(names[n], texts[n], free[n]) for n in places],
            hovertemplate=(
                "<b>%{customdata[0]}</b><br>%{customdata[1]} calls%{customdata[2]}<extra></extra>"
            ),
        )
    figure.update_layout(
        title_text=f"Calls by {what[:-1]}",
        height=150 + 26 * len(names),
        xaxis={"tickformat": "~s", "rangemode": "tozero"},
        yaxis={"tickvals": list(range(len(names))), "ticktext": names},
    )
    return dressed(figure, theme)
