"""
Who spends an org's API allowance: frames first, then words.

::

    history = load_history(state, "acme", org_id, days=7, now=clock.now())   # no API calls
    review = review_of(history, zone)                      # frames, forecast, notices
    charts.usage_figure(review.usage, zone=zone)           # figures
    report.html_report([review])                           # one file

``store`` keeps what was seen; ``history`` reads it; ``counter`` turns a rolling counter into calls
by the hour; ``frames`` are the tables; ``notices`` say in words what deserves a look; only
``collect`` asks the org.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sfnb.usage.frames import (
        callers_frame,
        days_frame,
        hours_frame,
        jobs_frame,
        pauses_frame,
        reconciliation_frame,
        thresholds_frame,
        top_frame,
        usage_frame,
        week_frame,
    )
    from sfnb.usage.history import OrgHistory, load_history
    from sfnb.usage.review import Review, review_of
    from sfnb.usage.reviews import look

__all__ = [
    "OrgHistory",
    "Review",
    "callers_frame",
    "days_frame",
    "hours_frame",
    "jobs_frame",
    "load_history",
    "look",
    "pauses_frame",
    "reconciliation_frame",
    "review_of",
    "thresholds_frame",
    "top_frame",
    "usage_frame",
    "week_frame",
]

_PLACES = {
    "OrgHistory": "history",
    "load_history": "history",
    "Review": "review",
    "review_of": "review",
    "look": "reviews",
}


def __getattr__(name: str) -> Any:
    # Jobs use ``usage.store``, and a backup shall not load pandas (70 MB) for it: names load when
    # they are used.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, 'frames')}"), name)
