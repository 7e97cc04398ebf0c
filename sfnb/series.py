"""
Names and colours of what is drawn: one word and one colour each, in widgets, figures, reports and
PDF.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart. They
stand on white and on dark paper alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """What one colour stands for."""

    label: str
    color: str


SERIES: Mapping[str, Series] = {
    "sfnb": Series("sfnb", "#0072B2"),
    "sfnb_running": Series("sfnb: running jobs", "#0072B2"),
    "sfnb_completed": Series("sfnb: ended jobs", "#56B4E9"),
    "sfnb_jobs": Series("sfnb: jobs", "#0072B2"),
    "sfnb_other": Series("sfnb: other calls", "#009E73"),
    "other_apps": Series("other apps", "#E69F00"),
    "limit": Series("limit: jobs stop here", "#D55E00"),
    "limit_restore": Series("limit: restores stop here", "#D55E00"),
    "resume": Series("paused jobs resume here", "#D55E00"),
    "pause": Series("pauses", "#CC79A7"),
    "expected": Series("expected", "#0072B2"),
    "range": Series("80 % range", "#0072B2"),
}
"""
By key. ``other_apps`` is all that the org counted and sfnb did not spend, whether the event log
names it or not.
"""

LABELS: Mapping[str, str] = {key: one.label for key, one in SERIES.items()}
COLORS: Mapping[str, str] = {key: one.color for key, one in SERIES.items()}

VISIBLE_PCT = 2.0
"""A budget of which a smaller share was used would be an empty chart: a sentence says it."""
