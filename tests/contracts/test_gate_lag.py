"""P1 with a limit header that is up to two minutes old, on both databases."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import timedelta

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import QuotaSignal
from sfnb.memory import State
from sfnb.model import Reading
from sfnb.quota.gate import Gate
from sfnb.quota.policy import Rules
from tests.contracts.lagging_org import ONE, ORG, LaggingOrg


@pytest.mark.parametrize("lag_s", [0, 50, 78, 120])
def test_no_call_passes_the_line_however_old_the_header(
    state: State, clock: FakeClock, lag_s: float
) -> None:
    """P1: as the org itself counts, with nobody else spending, and the allowance is used up to the lower mark."""
    org = LaggingOrg(state, clock, lag_s, maximum=300)
    org.run()
    assert 135 <= len(org.counted) <= 150


def test_short_pauses_make_a_small_allowance_usable(state: State, clock: FakeClock) -> None:
    """P4: a job stops early, waits two minutes, and gets on; each wait costs one look."""
    org = LaggingOrg(state, clock, 78, maximum=300)
    stops, _ = org.run()
    assert stops[0] >= 75  # half the allowance, since each call may be there twice
    assert org.looks <= len(stops) + 1 <= 8
    assert clock.monotonic() < 20 * 60


def test_our_own_calls_of_two_minutes_go_on_top(state: State, clock: FakeClock) -> None:
    """P1: what the last answer may not include is added, and it leaves as answers surely include it."""
    org = LaggingOrg(state, clock, 120, maximum=1000)
    org.look()
    for _ in range(10):
        clock.advance(10)
        org.send(org.gate.ask(ONE))
    here = org.gate.standing()["api"]
    assert (here.used, here.own, here.believed) == (0, 11, 11)
    clock.advance(200)
    org.send(org.gate.ask(ONE))
    here = org.gate.standing()["api"]
    assert (here.used, here.own) == (11, 1)


def test_a_lower_number_waits_until_it_is_surely_newer(state: State, clock: FakeClock) -> None:
    """P1: headers go back and forth, as servers show states of different ages; the higher number stays meanwhile."""
    gate = Gate(state.ledger, ORG, clock=clock)

    def call(used: int, *, is_probe: bool = False) -> int:
        sent_at = clock.now()
        ticket = gate.ask(ONE, is_probe=is_probe)
        clock.advance(1)
        gate.settle(ticket, [Reading("api", used, 1000, sent_at, clock.now(), "header")])
        return gate.standing()["api"].used

    for _ in range(60):
        assert call(400, is_probe=True) == 400
    clock.advance(30)
    assert call(352) == 400
    clock.advance(30)
    assert call(360) == 400
    clock.advance(61)
    assert (
        call(359) == 360
    )  # the 400 arrived over two minutes before this was asked; the 360 did not
    clock.advance(121)
    assert call(356) == 356


def test_a_large_step_down_is_believed_at_once(state: State, clock: FakeClock) -> None:
    """P4: when yesterday's calls leave the window, the job does not wait for two minutes to believe it."""
    gate = Gate(state.ledger, ORG, clock=clock)
    for used, believed in ((400, 400), (90, 90), (91, 91), (89, 91)):
        sent_at = clock.now()
        ticket = gate.ask(ONE, is_probe=True)
        clock.advance(1)
        gate.settle(ticket, [Reading("api", used, 1000, sent_at, clock.now(), "header")])
        assert gate.standing()["api"].used == believed


def test_a_slow_answer_is_no_news(state: State, clock: FakeClock) -> None:
    """P1: a call that was sent before the last reading may bring a number from long ago, however low."""
    gate = Gate(state.ledger, ORG, clock=clock)
    slow, sent_at = gate.ask(ONE, is_probe=True), clock.now()
    clock.advance(300)
    ticket, now = gate.ask(ONE, is_probe=True), clock.now()
    gate.settle(ticket, [Reading("api", 400, 1000, now, now, "header")])
    clock.advance(1)
    gate.settle(slow, [Reading("api", 90, 1000, sent_at, clock.now(), "header")])
    assert gate.standing()["api"].used == 400


def test_one_gate_learns_from_the_others(state: State, clock: FakeClock) -> None:
    """P1: calls of all processes that share the state database go on top."""
    org = LaggingOrg(state, clock, 120, maximum=100)
    org.look()
    others = [Gate(state.ledger, ORG, clock=clock) for _ in range(3)]
    sent = 0
    with pytest.raises(QuotaSignal):
        for gate in others * 100:
            org.send(gate.ask(ONE))
            sent += 1
    assert sent == 48  # with the look, and one call kept for the next look


def test_a_clock_that_was_put_back_holds_nobody_up(state: State, clock: FakeClock) -> None:
    """P4: what was kept in the future counts as of now, so it leaves after two minutes and not after a day."""
    ahead = FakeClock(clock.now() + timedelta(days=1))
    with_old_clock = LaggingOrg(state, ahead, 0, maximum=1000)
    gate = Gate(state.ledger, ORG, clock=ahead)
    state.database.clock = ahead
    state.__dict__.pop("ledger", None)
    with_old_clock.gate = Gate(state.ledger, ORG, clock=ahead)
    with_old_clock.look()
    for _ in range(20):
        with_old_clock.send(gate.ask(ONE))
    state.database.clock = clock
    state.__dict__.pop("ledger", None)
    org = LaggingOrg(state, clock, 0, maximum=1000)
    org.counted = [clock.monotonic()] * 21
    org.send(org.gate.ask(ONE))
    assert org.gate.standing()["api"].own == 22
    clock.advance(130)
    org.send(org.gate.ask(ONE))
    assert org.gate.standing()["api"].own == 1


def test_bulk_jobs_go_on_top_of_limits_for_five_minutes(state: State, clock: FakeClock) -> None:
    """P1: only /limits reports the bulk budgets, and it may be five minutes old."""
    gate = Gate(state.ledger, ORG, clock=clock, rules=Rules(header_lag_s=0))

    def look(bulk2: int) -> int:
        now = clock.now()
        told = [Reading("bulk2", bulk2, 100, now, now, "limits")]
        told.append(Reading("api", 1, 1000, now, now, "header"))
        gate.settle(gate.ask(ONE, is_probe=True), told)
        return gate.standing()["bulk2"].believed

    assert look(10) == 10
    clock.advance(1)
    ticket = gate.ask({"api": 1, "bulk2": 3})
    now = clock.now()
    gate.settle(ticket, [Reading("api", 2, 1000, now, now, "header")])
    clock.advance(200)
    assert look(10) == 13
    clock.advance(101)
    assert look(13) == 13


Refusal = Callable[[], None]


def test_five_starting_jobs_look_once_above_the_line(state: State, clock: FakeClock) -> None:
    """P4: a look that finds the org over the line stands for the poll interval, whoever asks."""
    org = LaggingOrg(state, clock, 0, maximum=20)
    org.look()
    org.counted += [clock.monotonic()] * 12
    clock.advance(3600)
    looks: deque[bool] = deque()
    for _ in range(5):
        gate = Gate(state.ledger, ORG, clock=clock)
        if gate.claim_probe(1620, price=ONE):
            looks.append(True)
            org.look()
        with pytest.raises(QuotaSignal):
            gate.ask(ONE)
        clock.advance(120)
    assert len(looks) == 1
    clock.advance(1800)
    assert org.gate.claim_probe(1620, price=ONE)


def test_a_job_that_starts_below_the_line_may_look(state: State, clock: FakeClock) -> None:
    """P4: after calls below the line, the next job looks again at once: its predecessor's number may be old."""
    org = LaggingOrg(state, clock, 0, maximum=1000)
    assert org.gate.claim_probe(1620, price=ONE)
    org.look()
    assert not org.gate.claim_probe(1620, price=ONE)
    org.send(org.gate.ask(ONE))
    assert org.gate.claim_probe(1620, price=ONE)
