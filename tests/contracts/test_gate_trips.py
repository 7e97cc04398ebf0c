"""What the gate costs where the state database is far away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import make_url

from sfnb.clock import FakeClock
from sfnb.errors import StateUnavailable
from sfnb.memory import open_state
from sfnb.model import Reading
from sfnb.quota.gate import Gate
from tests.contracts.slow_link import slow_link

ORG = "00D000000000001EAA"
ONE = {"api": 1}


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_asking_and_settling_take_two_round_trips_each(state_url: str, clock: FakeClock) -> None:
    """What is read under the lock leaves with it, and what is written leaves with the commit."""
    server = make_url(state_url)
    assert server.port
    open_state(state_url, clock=clock).close()
    with slow_link(server.port, 0.0) as link:
        far = server.set(port=link.port).render_as_string(hide_password=False)
        with open_state(far, clock=clock) as state:
            gate = Gate(state.ledger, ORG, clock=clock)
            trips: list[tuple[int, int]] = []
            for used in range(40):
                before, sent_at = link.trips, clock.now()
                ticket = gate.ask(ONE, is_probe=used == 0)
                asked = link.trips
                clock.advance(0.2)
                gate.settle(ticket, [Reading("api", used, 1000, sent_at, clock.now(), "header")])
                trips.append((asked - before, link.trips - asked))
            assert {ask for ask, _ in trips[10:]} == {2}, trips
            assert {settle for _, settle in trips[10:]} == {2}, trips
            assert gate.standing()["api"].believed >= 40


@pytest.mark.parametrize("state_url", ["postgresql"], indirect=True)
def test_a_connection_cut_in_mid_trip_is_the_state_away(state_url: str, clock: FakeClock) -> None:
    """P1: one typed error; nothing is let through, and nothing of the half is kept."""
    server = make_url(state_url)
    assert server.port
    with open_state(state_url, clock=clock) as near:
        gate = Gate(near.ledger, ORG, clock=clock)
        now = clock.now()
        told = [Reading("api", 1, 1000, now, now, "header")]
        gate.settle(gate.ask(ONE, is_probe=True), told)
        with slow_link(server.port, 0.0) as link:
            far = server.set(port=link.port).render_as_string(hide_password=False)
            with open_state(far, clock=clock) as state:
                cut = Gate(state.ledger, ORG, clock=clock)
                cut.settle(cut.ask(ONE), told)
                link.cut_after(1)
                with pytest.raises(StateUnavailable):
                    cut.ask(ONE)
        clock.advance(timedelta(minutes=1).total_seconds())
        assert gate.standing()["api"].in_flight == 0
        assert gate.ask(ONE)
