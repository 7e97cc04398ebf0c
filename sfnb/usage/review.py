"""One org's week, looked at from all sides: the frames, the forecast and the notices that a report is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

import pandas as pd

from sfnb.usage import frames
from sfnb.usage.history import OrgHistory


@dataclass(frozen=True)
class Review:
    """
    What is shown of one org.

    Args:
        usage, hours, days, callers, week, reconciliation, jobs, pauses, thresholds: as the functions in ``frames`` say.
        apps, users, families, entities: ``top_frame`` of each.
    """

    history: OrgHistory
    zone: tzinfo
    usage: pd.DataFrame
    hours: pd.DataFrame
    days: pd.DataFrame
    week: pd.DataFrame
    callers: pd.DataFrame
    apps: pd.DataFrame
    users: pd.DataFrame
    families: pd.DataFrame
    entities: pd.DataFrame
    reconciliation: pd.DataFrame
    jobs: pd.DataFrame
    pauses: pd.DataFrame
    thresholds: pd.DataFrame

    @property
    def org(self) -> str:
        """The org's name."""
        return self.history.org

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The frames by name, as they are written beside a report."""
        names = (
            "usage", "hours", "days", "week", "apps", "users", "families", "entities", "reconciliation", "jobs",
            "pauses", "thresholds",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


def review_of(history: OrgHistory, zone: tzinfo) -> Review:
    """The review of what is known; pure."""
    usage, hours = frames.usage_frame(history), frames.hours_frame(history)
    callers = frames.callers_frame(history)
    return Review(
        history=history,
        zone=zone,
        usage=usage,
        hours=hours,
        days=frames.days_frame(usage, hours, zone),
        week=frames.week_frame(hours, zone),
        callers=callers,
        apps=frames.top_frame(callers, "app"),
        users=frames.top_frame(callers, "user"),
        families=frames.top_frame(callers, "family"),
        entities=frames.top_frame(callers, "entity"),
        reconciliation=frames.reconciliation_frame(history, zone),
        jobs=frames.jobs_frame(history),
        pauses=frames.pauses_frame(history),
        thresholds=frames.thresholds_frame(history),
    )
