"""
The report's figures, from its frames. Plotly, no I/O: a frame goes in, a figure comes out.

Names and colours of series are those of `sfnb.series`. Names of apps, users and objects come from
the org and are not
trusted: they are shown as text, never as Plotly's markup.

The time axis runs in UTC underneath and is labelled in the viewer's zone, so that an hour which a
clock change repeats or leaves out is drawn where it was.
"""

from sfnb.charts.archive import freed_figure
from sfnb.charts.callers import top_figure
from sfnb.charts.forecast import finish_figure, forecast_figure
from sfnb.charts.job import job_figure
from sfnb.charts.theme import TEMPLATES, Theme, day_ticks, plain, words_figure
from sfnb.charts.use import hours_figure, usage_figure
from sfnb.charts.week import week_figure

__all__ = [
    "TEMPLATES",
    "Theme",
    "day_ticks",
    "finish_figure",
    "forecast_figure",
    "freed_figure",
    "hours_figure",
    "job_figure",
    "plain",
    "top_figure",
    "usage_figure",
    "week_figure",
    "words_figure",
]
