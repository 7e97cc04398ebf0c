"""
The report's figures, from its frames. Plotly, no I/O: a frame goes in, a figure comes out.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart; the two kinds that lie next
to each other in a stack also differ in brightness. Names of apps, users and objects come from the org and are not to be
trusted: they are shown as text, never as Plotly's markup.

The time axis runs in UTC underneath and is labelled in the viewer's zone, so that an hour which a clock change repeats
or leaves out is drawn where it was.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sfnb.model import Api
from sfnb.quota.forecast import Finish
from sfnb.quota.policy import UNITS

Theme = Literal["light", "dark"]

COLORS = {
    "sfnb_running": "#0072B2",
    "sfnb_completed": "#56B4E9",
    "sfnb_jobs": "#0072B2",
    "sfnb_besides": "#009E73",
    "other_apps": "#E69F00",
    "unattributed": "#999999",
    "threshold": "#D55E00",
    "pause": "#CC79A7",
}
LABELS = {
    "sfnb_running": "sfnb, jobs under way",
    "sfnb_completed": "sfnb, ended jobs",
    "sfnb_jobs": "sfnb, jobs",
    "sfnb_besides": "sfnb, outside jobs",
    "other_apps": "other apps (by the event log)",
    "unattributed": "not attributed",
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
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
            "colorscale": {"sequential": [[0, paper], [1, "#0072B2"]]},
        }
    )


TEMPLATES: dict[Theme, go.layout.Template] = {
    "light": _template("#ffffff", "#1b1f24", "#d9dee4"),
    "dark": _template("#15191e", "#e6e9ed", "#39424c"),
}


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
    The rolling 24-hour use in percent of the limit, hour by hour, stacked by who spent it.

    Args:
        usage: ``usage_frame``; of one org.
        thresholds: ``thresholds_frame``: the limit percent over time; else what ``usage`` has of it.
        pauses: ``pauses_frame``: shaded.
    """
    rows = usage[(usage["api"] == api) & usage["used_pct"].notna()]
    if rows.empty:
        return words_figure(
            f"Nothing is known yet of the {UNITS[api]} that this org has used.", theme=theme
        )
    figure = go.Figure()
    at, local = rows["hour_at"], _spans(rows["hour_at"], zone)
    top = rows["max"].astype("float64").to_numpy()
    used = rows["used"].astype("float64").to_numpy()
    whole = [f"{u:,.0f} of {m:,.0f} = {u * 100 / m:.1f} %" for u, m in zip(used, top, strict=True)]
    for part in ("sfnb_running", "sfnb_completed", "sfnb_besides", "other_apps", "unattributed"):
        units = rows[part].astype("float64").to_numpy()
        if not units.any():
            continue
        figure.add_bar(
            x=_naive(at),
            y=np.round(np.maximum(units, 0) * 100 / top, 3),
            name=LABELS[part],
            marker={"color": COLORS[part], "line": {"width": 0}},
            offset=0,
            width=3_600_000,
            customdata=list(zip(local, [f"{u:,.0f}" for u in units], whole, strict=True)),
            hovertemplate=(
                f"<b>%{{customdata[0]}}</b><br>{LABELS[part]}: %{{customdata[1]}} {UNITS[api]} in 24 hours, "
                "%{y:.1f} % of the limit<br>the whole org: %{customdata[2]}<extra></extra>"
            ),
        )
    _add_threshold(figure, rows, thresholds, api)
    if pauses is not None:
        _add_pauses(figure, pauses[pauses["api"].isin([api, ""])], rows, zone)
    figure.update_layout(
        title_text=f"{UNITS[api][0].upper()}{UNITS[api][1:]} used in 24 hours, in percent of the limit",
        barmode="stack",
        bargap=0,
        yaxis={"ticksuffix": " %", "rangemode": "tozero"},
    )
    return _dressed(figure, theme, at if thresholds is None else _whole(thresholds["at"]), zone)


def hours_figure(
    hours: pd.DataFrame, *, api: Api = "api", zone: tzinfo = UTC, theme: Theme = "light"
) -> go.Figure:
    """What was spent in each hour, stacked by who spent it. ``hours``: ``hours_frame`` of one org."""
    rows = hours[hours["api"] == api]
    if rows.empty:
        return words_figure(f"No {UNITS[api]} are known to have been used.", theme=theme)
    figure = go.Figure()
    local = _spans(rows["hour_at"], zone)
    for part in ("sfnb_jobs", "sfnb_besides", "other_apps", "unattributed"):
        units = rows[part].astype("float64").to_numpy()
        if not units.any():
            continue
        figure.add_bar(
            x=_naive(rows["hour_at"]),
            y=np.maximum(units, 0),
            name=LABELS[part],
            marker={"color": COLORS[part], "line": {"width": 0}},
            offset=0,
            width=3_600_000,
            customdata=list(
                zip(
                    local,
                    [f"{u:,.0f}" for u in units],
                    [f"{c:,}" for c in rows["calls"]],
                    rows["source"],
                    strict=True,
                )
            ),
            hovertemplate=(
                f"<b>%{{customdata[0]}}</b><br>{LABELS[part]}: %{{customdata[1]}} {UNITS[api]} in this hour"
                "<br>the whole org: %{customdata[2]} (from: %{customdata[3]})<extra></extra>"
            ),
        )
    figure.update_layout(
        title_text=f"{UNITS[api][0].upper()}{UNITS[api][1:]} spent in each hour",
        barmode="stack",
        bargap=0,
        yaxis={"rangemode": "tozero", "tickformat": ",d"},
    )
    return _dressed(figure, theme, rows["hour_at"], zone)


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
    return _dressed(figure, theme)


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
    return _dressed(figure, theme)


def job_figure(
    objects: pd.DataFrame, *, job_id: str = "", most: int = 20, theme: Theme = "light"
) -> go.Figure:
    """One job's API calls by object: columns ``object`` (string) and ``calls`` (Int64)."""
    if objects.empty:
        return words_figure("No calls by object are known of this job.", theme=theme)
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
    return _dressed(figure, theme)


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
    x, local = _naive(rows["at"]), [_moment(at, zone) for at in rows["at"]]
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
    _dressed(figure, theme, rows["at"], zone)
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
            y=[_naive_one(one.finish.at) for _, one in ends],
            mode="lines+markers",
            line={"color": COLORS["sfnb_running"], "shape": "hvh"},
            marker={"size": 5},
            showlegend=False,
            customdata=[
                (
                    _moment(one.finish.at, zone),
                    f"{one.pauses} pause{'' if one.pauses == 1 else 's'}"
                    if one.pauses
                    else "no pause",
                    _moment(one.finish.low_at, zone) if one.finish.low_at else "now",
                    _moment(one.finish.high_at, zone)
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
                _naive_one(min(moments) - timedelta(hours=1)),
                _naive_one(max(moments) + timedelta(hours=1)),
            ],
            "tickvals": [_naive_one(tick) for tick in ticks],
            "ticktext": texts,
        },
        height=340,
    )
    return _dressed(figure, theme)


def words_figure(sentence: str, *, theme: Theme = "light") -> go.Figure:
    """A figure that says in words why there is nothing to draw."""
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
    return _dressed(figure, theme)


def plain(text: object, *, most: int = MAX_NAME) -> str:
    """Untrusted text as Plotly shows it literally: no markup, no control or direction signs, not too long."""
    clean = re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", " ", str(text))
    clean = clean if len(clean) <= most else clean[: most - 1] + "…"
    # Plotly reads tags and entities, and shows an escaped sign as itself; MathJax, if a page has it, reads dollars.
    return html.escape(clean, quote=False).replace("$", "&#36;").replace("%{", "&#37;{")


# ---------------------------------------------------------------------------------------------------------- within


def _add_threshold(
    figure: go.Figure, rows: pd.DataFrame, thresholds: pd.DataFrame | None, api: Api
) -> None:
    if thresholds is not None:
        mine = thresholds[thresholds["api"] == api]
        x, y = _naive(mine["at"]), mine["limit_percent"].astype("float64").to_numpy()
    else:
        x, y = _naive(rows["at"]), rows["limit_percent"].astype("float64").to_numpy()
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name="where sfnb's jobs stop",
        line={"color": COLORS["threshold"], "width": 2, "dash": "dash", "shape": "hv"},
        hovertemplate="jobs stop when the whole org has used %{y:.0f} % of the limit<extra></extra>",
    )


def _add_pauses(figure: go.Figure, pauses: pd.DataFrame, rows: pd.DataFrame, zone: tzinfo) -> None:
    """Shaded, with a mark on the ground line that tells about it."""
    first, last = rows["hour_at"].iloc[0], rows["hour_at"].iloc[-1] + timedelta(hours=1)
    marks: list[tuple[datetime, str]] = []
    for pause in pauses.itertuples():
        until = last if pd.isna(pause.resumed_at) else pause.resumed_at
        if until < first or pause.at > last:
            continue
        begin, end = max(pause.at, first), min(until, last)
        figure.add_shape(
            type="rect", xref="x", yref="paper", x0=_naive_one(begin), x1=_naive_one(end), y0=0, y1=1,
            fillcolor=COLORS["pause"], opacity=0.18, line_width=0, layer="below",
        )  # fmt: skip
        ended = (
            "still paused"
            if pd.isna(pause.resumed_at)
            else f"until {_moment(pause.resumed_at, zone)}"
        )
        marks.append(
            (begin, f"job {plain(pause.job_id)} paused {_moment(pause.at, zone)}, {ended}")
        )
    if marks:
        figure.add_scatter(
            x=[_naive_one(at) for at, _ in marks],
            y=[0] * len(marks),
            mode="markers",
            name="pauses",
            marker={"symbol": "square", "size": 9, "color": COLORS["pause"]},
            customdata=[text for _, text in marks],
            hovertemplate="%{customdata}<extra></extra>",
        )


def _whole(moments: pd.Series) -> pd.Series:
    """The hours of the first and the last moment: the report's whole time, also where nothing is known of it."""
    return pd.Series([moments.min().floor("h"), moments.max().floor("h")])


def _dressed(
    figure: go.Figure, theme: Theme, hours: pd.Series | None = None, zone: tzinfo = UTC
) -> go.Figure:
    figure.update_layout(template=TEMPLATES[theme])
    if hours is not None:
        ticks, texts = day_ticks(hours.iloc[0], hours.iloc[-1] + timedelta(hours=1), zone)
        figure.update_xaxes(
            type="date", tickvals=[_naive_one(tick) for tick in ticks], ticktext=texts
        )
        figure.update_xaxes(
            range=[_naive_one(hours.iloc[0]), _naive_one(hours.iloc[-1] + timedelta(hours=1))]
        )
        figure.update_layout(height=420)
    return figure


def day_ticks(
    first: datetime, last: datetime, zone: tzinfo, *, most: int = 16
) -> tuple[list[datetime], list[str]]:
    """The midnights of the zone between two moments, thinned out to ``most``, and their names. Short spans: hours."""
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
    return ticks, [
        f"{WEEKDAYS[local.weekday()]} {local.day}.{local.month}." for local in _local(ticks, zone)
    ]


def _local(ticks: Sequence[datetime], zone: tzinfo) -> list[datetime]:
    return [tick.astimezone(zone) for tick in ticks]


def _spans(hours: pd.Series, zone: tzinfo) -> list[str]:
    """``Tue 3 Nov, 14:00 to 15:00`` in the zone; where a clock change is on, its name is told."""
    starts = hours.dt.tz_convert(zone)
    ends = (hours + pd.Timedelta(hours=1)).dt.tz_convert(zone)
    return [
        f"{WEEKDAYS[start.weekday()]} {start.day} {start:%b}, {start:%H:%M} to {end:%H:%M}"
        + (f" {start.tzname()}" if start.utcoffset() != end.utcoffset() else "")
        for start, end in zip(starts, ends, strict=True)
    ]


def _moment(at: Any, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    return f"{WEEKDAYS[local.weekday()]} {local.day} {local:%b}, {local:%H:%M}"


def _naive(moments: pd.Series) -> Any:
    return moments.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[s]")


def _naive_one(at: Any) -> str:
    return str(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))


__all__ = [
    "COLORS", "LABELS", "TEMPLATES", "Theme", "day_ticks", "finish_figure", "forecast_figure", "hours_figure",
    "job_figure", "plain", "top_figure", "usage_figure", "week_figure", "words_figure",
]  # fmt: skip
