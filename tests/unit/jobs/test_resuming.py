"""Why a paused job resumed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sfnb.jobs import states
from sfnb.jobs.resuming import USAGE_FELL, reason_of
from sfnb.model import JobState
from sfnb.state.audit import AuditEntry

PAUSED_AT = datetime(2026, 11, 3, 12, tzinfo=UTC)


def change(
    minutes: float, api: str, old: int, new: int, *, who: str = "ada", kind: str = ""
) -> AuditEntry:
    at = (PAUSED_AT + timedelta(minutes=minutes)).isoformat()
    return AuditEntry(1, at, "acme", "00D", api, who, old, new, "", "", "", kind)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], USAGE_FELL),
        ([change(-5, "api", 50, 90)], USAGE_FELL),
        ([change(5, "bulk2", 50, 90)], USAGE_FELL),
        ([change(5, "api", 50, 40)], USAGE_FELL),
        ([change(5, "api", 50, 90)], "ada raised the limit for API calls from 50 % to 90 %"),
        ([change(5, "all", 50, 60)], "ada raised the limit for API calls from 50 % to 60 %"),
        (
            [change(5, "api", 50, 60), change(9, "api", 60, 80, who="bob")],
            "bob raised the limit for API calls from 50 % to 80 %",
        ),
    ],
)
def test_who_raised_the_limit_is_named(entries: list[AuditEntry], says: str) -> None:
    """
    Where a person raised the budget's limit it says who, from what to what; else that usage fell.
    """
    assert reason_of(entries, "api", PAUSED_AT) == says


RAISED = "ada raised the limit of restores for API calls from"


@pytest.mark.parametrize(
    ("entries", "kind", "says"),
    [
        ([change(5, "api", 0, 90, kind="restore")], "restore", f"{RAISED} 50 % to 90 %"),
        ([change(5, "all", 50, 60)], "restore", f"{RAISED} 50 % to 60 %"),
        (
            [change(-5, "all", 50, 60), change(5, "api", 0, 90, kind="restore")],
            "restore",
            f"{RAISED} 60 % to 90 %",
        ),
        (
            [change(-9, "all", 0, 70, kind="restore"), change(5, "api", 50, 90)],
            "restore",
            USAGE_FELL,
        ),
        ([change(5, "api", 0, 90, kind="restore")], "backup", USAGE_FELL),
    ],
)
def test_each_kind_of_job_resumes_by_its_own_limit(
    entries: list[AuditEntry], kind: str, says: str
) -> None:
    """A restore names what its own limit was and is; a backup's is not changed by that."""
    assert reason_of(entries, "api", PAUSED_AT, kind=kind) == says


@pytest.mark.parametrize("state", list(JobState))
def test_only_a_job_that_ought_to_run_can_be_interrupted(state: JobState) -> None:
    """
    A queued or running job without a process is shown as interrupted; every other state stays what
    it is.
    """
    ought_to_run = state in (JobState.QUEUED, JobState.RUNNING)
    assert states.shown(state, is_held=True) == state
    assert states.shown(state, is_held=False) == ("interrupted" if ought_to_run else state)
