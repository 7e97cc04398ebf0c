"""
The frames of the report, made from an ``OrgHistory``. Pure.

Each docstring promises the columns and their dtypes.
"""

from sfnb.usage.frames.base import moments, percent
from sfnb.usage.frames.callers import callers_frame, reconciliation_frame, top_frame
from sfnb.usage.frames.forecast import forecast_frame
from sfnb.usage.frames.hours import days_frame, hours_frame, week_frame
from sfnb.usage.frames.jobs import jobs_frame, pauses_frame
from sfnb.usage.frames.use import PARTS, thresholds_frame, usage_frame

__all__ = [
    "PARTS",
    "callers_frame",
    "days_frame",
    "forecast_frame",
    "hours_frame",
    "jobs_frame",
    "moments",
    "pauses_frame",
    "percent",
    "reconciliation_frame",
    "thresholds_frame",
    "top_frame",
    "usage_frame",
    "week_frame",
]
