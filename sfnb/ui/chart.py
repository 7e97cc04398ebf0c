"""The last days of use as a small picture: SVG that any page shows without a script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sfnb.series import LABELS
from sfnb.text import day, zoned_moment

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 900, 200, 44, 10, 24


@dataclass(frozen=True, slots=True)
class Hour:
    """
    Use in the 24 hours before one reading, in percent of the maximum: sfnb's, other apps', and the
    limit then.
    """

    at: datetime
    sfnb_pct: float
    others_pct: float
    limit_pct: int

    @property
    def used_pct(self) -> float:
        return self.sfnb_pct + self.others_pct


def usage_svg(hours: Iterable[Hour], *, now: datetime, days: int = 7) -> str:
    """
    Use by the hour, stacked: sfnb below, other apps above; the limit a line; hours without a
    reading empty.
    """
    shown = [hour for hour in hours if now - timedelta(days=days) <= hour.at <= now]
    if not shown:
        return f"<p>No usage reading in the last {days} days. Any job reads it, or `sfnb usage sample`.</p>"
    top_pct = max(100.0, *(hour.used_pct for hour in shown))
    wide = (WIDTH - LEFT) / (days * 24)

    def x(at: datetime) -> float:
        return LEFT + (WIDTH - LEFT) * (1 - (now - at).total_seconds() / (days * 86400))

    def y(pct: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - pct / top_pct)

    parts: list[str] = []
    for pct in (0, 50, 100):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y(pct):.1f}" y2="{y(pct):.1f}"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{y(pct) + 4:.1f}" text-anchor="end">{pct} %</text>')
    for number in range(days):
        at = (now - timedelta(days=days - number)).astimezone().replace(
            hour=0, minute=0
        ) + timedelta(days=1)
        if x(at) < WIDTH - 40:
            parts.append(f'<text x="{x(at):.1f}" y="{HEIGHT - 6}">{day(at)}</text>')
    for hour in shown:
        left, own, all_ = x(hour.at) - wide, y(hour.sfnb_pct), y(hour.used_pct)
        title = f"<title>{zoned_moment(hour.at)}: {hour.used_pct:.1f} % used, {hour.sfnb_pct:.1f} % by sfnb</title>"
        parts.append(
            f'<g>{title}<rect class="own" x="{left:.1f}" y="{own:.1f}" width="{wide:.1f}" height="{y(0) - own:.1f}"/>'
            f'<rect class="others" x="{left:.1f}" y="{all_:.1f}" width="{wide:.1f}" height="{own - all_:.1f}"/></g>'
        )
    points = " ".join(
        f"{x(hour.at) - wide:.1f},{y(hour.limit_pct):.1f} {x(hour.at):.1f},{y(hour.limit_pct):.1f}"
        for hour in shown
    )
    parts.append(f'<polyline class="limit" points="{points}"/>')
    words = usage_words(shown, days=days)
    return (
        f'<svg class="sfnb-chart" role="img" aria-label="{words}" viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(parts)}</svg>'
        f'<div class="sfnb-legend"><span><i class="sfnb-own"></i>{LABELS["sfnb"]}</span>'
        f'<span><i class="sfnb-others-plain"></i>{LABELS["other_apps"]}</span>'
        f'<span><i class="sfnb-limit"></i>{LABELS["limit"]}</span></div><p>{words}</p>'
    )


def usage_words(shown: Sequence[Hour], *, days: int = 7) -> str:
    """The same in a sentence; there is at least one hour."""
    peak, last = max(shown, key=lambda hour: hour.used_pct), shown[-1]
    return (
        f"Last {days} days: now {last.used_pct:.1f} % of the maximum, {last.sfnb_pct:.1f} % by "
        "sfnb; "
        f"highest {peak.used_pct:.1f} % at {zoned_moment(peak.at)}; limit {last.limit_pct} %."
    )
