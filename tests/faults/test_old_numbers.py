"""P1 against an org whose own numbers are old: the limit header by two minutes, ``/limits`` by five."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import pytest

from sfnb import engine
from sfnb.engine import backup
from sfnb.jobs import events
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector

OBJECTS = ["Account", "Contact", "Case", "Lead", "Vote", "ContentFolderItem", "ContentDocumentLink"]

S_PER_CALL = 2.0
"""What each call takes on the org's clock: a hundred calls are older than all numbers."""


class OrgTime:
    """The org's clock as ours: its calls move both, and so does waiting."""

    def __init__(self, org: RunningOrg) -> None:
        assert org.server is not None
        self._clock = org.server.org.clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.now_s()

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        if stop is not None and stop.is_set():
            return True
        self._clock.advance(max(seconds, 0.0) / 60)
        return stop is not None and stop.is_set()


@pytest.mark.parametrize(("header_lag_s", "form"), [(0, "short"), (115, "short"), (0, "gone")])
def test_no_call_passes_the_line_however_old_the_orgs_numbers(
    fresh_org: Callable[..., RunningOrg], connected: Connector, header_lag_s: float, form: str
) -> None:
    """
    P1: as the org itself counts, with nobody else spending. ``/limits`` is five minutes old; where
    there is no header, it is all that is known. The allowance is used up to the lower mark.
    """
    org = fresh_org(
        max_calls=300,
        clock="calls",
        seconds_per_call=S_PER_CALL,
        hours_per_wait=S_PER_CALL / 3600,
        header_lag_s=header_lag_s,
        limits_lag_minutes=4.9,
        limit_header=form,
    )
    # Votes are read parent by parent, then: that takes enough calls to come to the line.
    org.fail(soql=r"Parent\.Type", inside="both", fault="error", code="INVALID_FIELD")
    org.control("quota", {"spend": {"api": 120}})
    org.control("clock", {"advance_minutes": 10})  # what others spent just now nobody can know
    # Where only our own calls of the last minutes stand in the way, the job waits them out and goes
    # on; a look that finds the org's own number at the mark ends the test.
    there = connected(org, clock=OrgTime(org), header_lag_s=120)

    def leave(event: events.Event) -> None:
        if isinstance(event, events.QuotaChecked) and event.used >= event.lower_mark:
            engine.control(there).cancel(event.job_id)

    mark = org.mark()
    request = backup(objects=OBJECTS, files=False, metadata=False)
    summary = engine.run(there, request, emit=leave)
    assert summary["state"] == "cancelled", "the line is reached"
    spent = org.ledger(after=mark, threshold=150, calls=True)
    assert spent["over_threshold"] == 0, [c for c in spent["calls"] if c["used"] > 150][:3]
    assert max(call["used"] for call in spent["calls"]) >= 135
