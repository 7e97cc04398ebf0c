"""Events that are kept in the state, for screens that follow a job from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sfnb.clock import FakeClock
from sfnb.jobs import events
from sfnb.memory import open_state
from sfnb.model import JobState, Pause

AT = FakeClock().now()
PAUSE = Pause("api", AT, None, 7_600, 15_000, "7,600 of 15,000 used")
EVENTS = [
    events.JobPlanned(
        "j", AT, "20261122T043812Z-1a2b3c", {"Account": 5, "Contact": None}, {"A__e": "an event"}
    ),
    events.JobStateChanged("j", AT, JobState.PAUSED, "why"),
    events.ObjectFailed("j", AT, "Account", "no access"),
    events.ObjectLeftOut("j", AT, "Vote", "wants a filter"),
    events.JobWarned("j", AT, "partial_visibility", "", "The user lacks View All Data."),
    events.JobPaused("j", AT, PAUSE, 7_500, AT + timedelta(minutes=30)),
    events.JobPaused("j", AT, PAUSE, 7_500, None),
    events.QuotaChecked("j", AT, "api", 7_600, 15_000, 6_750, AT + timedelta(minutes=30)),
    events.JobResumed("j", AT, replace(PAUSE, resumed_at=AT)),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_kept_event_comes_back_as_it_was(tmp_path: Path, event: events.Event) -> None:
    """What another process reads of an event is the event."""
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", clock=FakeClock()) as state:
        state.jobs.add_event("j", event.at, type(event).__name__, events.payload_of(event))
        (kept,) = state.jobs.events("j")
        assert events.parse_payload("j", kept.at, kept.kind, kept.payload) == event
        assert state.jobs.events("j", after=kept.number) == []


def test_every_kept_kind_is_in_this_test() -> None:
    """A new kept event is added to the list above."""
    assert {type(event) for event in EVENTS} == set(events.KEPT)
    assert events.parse_payload("j", AT, "FromTomorrow", {}) is None
