"""One org's use from all sides: the frames, the forecast and the notices that make a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import pandas as pd

from sfnb.model import APIS, Api
from sfnb.quota.forecast import BudgetHistory
from sfnb.usage import frames, usage_report
from sfnb.usage.history import OrgHistory
from sfnb.usage.job_notices import Notice
from sfnb.usage.notices import NextJob, next_job_of, notices_of
from sfnb.usage.past import budget_history


@dataclass(frozen=True)
class Review:
    """
    What is shown of one org.

    Args:
        usage, hours, days, callers, week, reconciliation, jobs, pauses, thresholds: as the
            functions in ``frames`` say.
        apps, users, families, entities: ``top_frame`` of each; users by the usage report where no
            log names any.
        user_days, reported: Salesforce's usage report, as the functions in ``usage_report`` say.
        forecast: ``forecast_frame``, of each budget with a reading in the last day.
        budgets: the past of each budget as the forecast takes it.
        next_job: what is likely to run next, and how it would go under each limit percent.
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
    user_days: pd.DataFrame
    reported: pd.DataFrame
    jobs: pd.DataFrame
    pauses: pd.DataFrame
    thresholds: pd.DataFrame
    forecast: pd.DataFrame
    budgets: Mapping[Api, BudgetHistory]
    next_job: NextJob | None
    notices: Sequence[Notice]

    @property
    def org(self) -> str:
        """The org's name."""
        return self.history.org

    @property
    def has_reported_users(self) -> bool:
        """
        Whether ``users`` are of the usage report, by calendar day, because no event log names any.
        """
        return self.callers.empty and not self.user_days.empty

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The frames by name, as they are written beside a report."""
        names = (
            "usage", "hours", "days", "week", "apps", "users", "families", "entities", "reconciliation",
            "user_days", "reported", "jobs", "pauses", "thresholds", "forecast",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


def review_of(history: OrgHistory, zone: tzinfo) -> Review:
    """The review of what is known; pure."""
    usage, hours = frames.usage_frame(history), frames.hours_frame(history)
    callers = frames.callers_frame(history)
    reconciliation = frames.reconciliation_frame(history, zone)
    days = frames.days_frame(usage, hours, zone)
    user_days = usage_report.user_days_frame(history, zone)
    beside = usage_report.reported_frame(history, days, zone)
    budgets = {api: budget for api in APIS if (budget := budget_history(history, api)) is not None}
    next_job = next_job_of(history, budgets)
    return Review(
        history=history,
        zone=zone,
        usage=usage,
        hours=hours,
        days=days,
        week=frames.week_frame(hours, zone),
        callers=callers,
        apps=frames.top_frame(callers, "app"),
        users=frames.top_frame(user_days if callers.empty else callers, "user"),
        families=frames.top_frame(callers, "family"),
        entities=frames.top_frame(callers, "entity"),
        reconciliation=reconciliation,
        user_days=user_days,
        reported=beside,
        jobs=frames.jobs_frame(history),
        pauses=frames.pauses_frame(history),
        thresholds=frames.thresholds_frame(history),
        forecast=frames.forecast_frame(history.org, budgets),
        budgets=budgets,
        next_job=next_job,
        notices=notices_of(
            history, callers, reconciliation, beside, usage, budgets, next_job, zone
        ),
    )
