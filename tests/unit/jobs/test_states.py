"""Which state of a job may follow which."""

from __future__ import annotations

import pytest

from sfnb.errors import CallerError
from sfnb.jobs import states
from sfnb.model import JobState


def test_each_state_has_its_line() -> None:
    """A new state is put into the table on purpose."""
    assert set(states.MAY_FOLLOW) == set(JobState)


@pytest.mark.parametrize("state", list(JobState))
def test_what_is_sealed_stays(state: JobState) -> None:
    """Only a failed job can leave a final state: the snapshots of the others are sealed."""
    is_sealed = state.is_final and state is not JobState.FAILED
    assert (not states.MAY_FOLLOW[state]) == is_sealed
    assert states.may_resume(state) == (not is_sealed)
    assert states.may_cancel(state) == (not is_sealed)


def test_nobody_goes_back_to_the_queue() -> None:
    """A job is queued once: when it is made."""
    assert not any(JobState.QUEUED in following for following in states.MAY_FOLLOW.values())


def test_a_refusal_says_both_states() -> None:
    """The sentence names the job, what it is and what it cannot become."""
    with pytest.raises(
        CallerError, match="ab12 is completed with errors; it cannot become running"
    ):
        states.check_change("ab12", JobState.COMPLETED_WITH_ERRORS, JobState.RUNNING)
