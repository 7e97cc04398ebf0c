"""
Who spends an org's API allowance: frames first, then words.

::

    history = load_history(state, "acme", org_id, days=7, now=clock.now())   # what is known; no API calls
    review = review_of(history, zone)                                        # frames, forecast, notices
    charts.usage_figure(review.usage, zone=zone)                             # figures
    report.html_report([review])                                             # one file

``history`` reads the state database; ``counter`` turns a rolling counter into calls by the hour; ``frames`` are the
tables; ``notices`` say in words what deserves a look; ``collect`` is the only part that asks the org.
"""

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
