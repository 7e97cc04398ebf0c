"""P1 with a limit of their own for restores: on both databases, backups and restores at once."""

from __future__ import annotations

import threading

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError, QuotaSignal
from sfnb.memory import State
from sfnb.model import APIS, RESTORE, Reading
from sfnb.quota.gate import Gate, GaugeUnknown
from sfnb.quota.limits import LimitChanged, NewLimits
from sfnb.quota.policy import Rules

ORG = "00D000000000001EAA"
ONE = {"api": 1}


class Org:
    """Counts the calls that reach it, and who made the highest one."""

    def __init__(self, state: State, clock: FakeClock, used: int = 0) -> None:
        self.clock, self.used = clock, used
        self.gate = Gate(state.ledger, ORG, clock=clock, rules=Rules(header_lag_s=0))
        self.highest: dict[str, int] = {}
        self._lock = threading.Lock()
        self.look()

    def look(self) -> None:
        """One look at ``/limits``; it counts for nobody here, so that the figures stay round."""
        now = self.clock.now()
        reading = Reading("api", self.used, 100, now, now, "header")
        self.gate.settle(self.gate.ask(ONE, is_probe=True), [reading])

    def call(self, job_id: str) -> None:
        """One call of a job; QuotaSignal when the gate refuses."""
        self.clock.advance(1)
        sent_at = self.clock.now()
        ticket = self.gate.ask(ONE, job_id=job_id)
        with self._lock:
            self.used += 1
            used = self.highest[job_id] = self.used
        self.gate.settle(ticket, [Reading("api", used, 100, sent_at, self.clock.now(), "header")])


@pytest.fixture
def jobs(state: State) -> dict[str, str]:
    """A job of each kind, by its kind."""
    kinds = ("backup", RESTORE, "archive")
    return {kind: state.jobs.create(kind, "demo", ORG, {}, [kind.title()]).job_id for kind in kinds}


def call_until_refused(org: Org, job_id: str) -> QuotaSignal:
    org.look()
    with pytest.raises(QuotaSignal) as refused:
        while True:
            org.call(job_id)
    return refused.value


def test_a_backup_stops_at_50_and_a_restore_goes_on_to_90(
    state: State, clock: FakeClock, jobs: dict[str, str]
) -> None:
    """P1: each kind of work stops at its own threshold; an archive obeys the org's."""
    org = Org(state, clock)
    state.ledger.set_limits(ORG, 90, kind=RESTORE)
    assert call_until_refused(org, jobs["backup"]).threshold == 50
    assert call_until_refused(org, jobs["archive"]).threshold == 50
    refusal = call_until_refused(org, jobs[RESTORE])
    assert refusal.threshold == 90 and "limit for restores of 90" in refusal.reason
    assert org.highest == {jobs["backup"]: 50, jobs[RESTORE]: 90}


def test_both_kinds_at_once_keep_their_limits(
    state: State, clock: FakeClock, jobs: dict[str, str]
) -> None:
    """P1: threads of a backup and of a restore on one org: none past 50, none past 90, each to its end."""
    org = Org(state, clock)
    state.ledger.set_limits(ORG, 90, kind=RESTORE)

    def work(job_id: str) -> None:
        while True:
            try:
                org.call(job_id)
            except (QuotaSignal, GaugeUnknown):
                if org.gate.standing()["api"].in_flight == 0:
                    return

    threads = [
        threading.Thread(target=work, args=(jobs[kind],)) for kind in ("backup", RESTORE) * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert org.highest[jobs["backup"]] <= 50
    call_until_refused(org, jobs[RESTORE])  # calls in flight count twice, so threads give up early
    assert org.highest[jobs[RESTORE]] == org.used == 90


def test_a_restore_resumes_below_its_own_lower_mark(state: State, clock: FakeClock) -> None:
    """P4: at 85 of 100 a restore with a limit of 90 goes on, at 86 it does not; a backup at 45."""
    state.ledger.set_limits(ORG, 90, kind=RESTORE)
    assert Org(state, clock, used=84).gate.is_clear(ONE, kind=RESTORE)
    clock.advance(1)
    org = Org(state, clock, used=85)
    assert not org.gate.is_clear(ONE, kind=RESTORE) and not org.gate.is_clear(ONE)
    assert org.gate.standing(kind=RESTORE)["api"].lower_mark == 85
    assert org.gate.standing()["api"].lower_mark == 45


def test_without_a_reserve_a_restore_obeys_the_limit_of_the_org(
    state: State, clock: FakeClock, jobs: dict[str, str]
) -> None:
    """Nothing set: one limit for all. Set and taken away again: the same. And a change is obeyed at once."""
    org = Org(state, clock)
    assert call_until_refused(org, jobs[RESTORE]).threshold == 50
    state.ledger.set_limits(ORG, {"api": 60}, kind=RESTORE)
    assert state.ledger.limit_percents(ORG, kind=RESTORE) == {**dict.fromkeys(APIS, 50), "api": 60}
    org.call(jobs[RESTORE])
    state.ledger.set_limits(ORG, {"api": 0}, kind=RESTORE)
    assert call_until_refused(org, jobs[RESTORE]).threshold == 50
    assert state.ledger.reserves(ORG) == {}


def test_calls_outside_a_job_say_what_they_are_for(state: State, clock: FakeClock) -> None:
    """The planning of a restore has no job yet; its calls use the reserve by their kind."""
    org = Org(state, clock, used=60)
    state.ledger.set_limits(ORG, 90, kind=RESTORE)
    with pytest.raises(QuotaSignal):
        org.gate.ask(ONE)
    assert org.gate.ask(ONE, kind=RESTORE)


def test_the_log_says_whose_limit_was_changed(state: State) -> None:
    """P6: old, new and kind are in the chain, and a reserve changed past the log is found."""
    state.ledger.set_limits(ORG, 60, who="ada")
    state.ledger.set_limits(ORG, 90, who="ada", kind=RESTORE, reason="emergencies")
    state.ledger.set_limits(ORG, {"api": 0}, who="bob", kind=RESTORE)
    lines = [(e.limit_of, e.api, e.old, e.new, e.who) for e in state.audit.entries()]
    assert lines == [
        ("", "all", 50, 60, "ada"),
        (RESTORE, "all", 0, 90, "ada"),
        (RESTORE, "api", 90, 0, "bob"),
    ]
    assert state.audit.verify() == []
    from sqlalchemy import text

    with state.database.write() as connection:
        connection.execute(text("UPDATE reserves SET percent = 100 WHERE api = 'bulk'"))
    assert any("bulk for restore: 100 % is in force" in says for says in state.audit.verify())
    with state.database.write() as connection:
        connection.execute(text("UPDATE reserves SET percent = 90 WHERE api = 'bulk'"))
        connection.execute(text("UPDATE audit SET limit_of = '' WHERE seq = 2"))
    assert any("line 2 was changed" in says for says in state.audit.verify())


def test_both_limits_are_saved_together_or_not_at_all(state: State) -> None:
    """Somebody changed the reserve meanwhile: neither limit changes, and the log has no line."""
    state.ledger.set_limits(ORG, 80, who="bob", kind=RESTORE)
    seen = NewLimits({"api": 60}, {"api": 50})
    with pytest.raises(LimitChanged) as changed:
        state.ledger.change_limits(ORG, [seen, NewLimits({"api": 90}, {"api": 0}, RESTORE)])
    assert (changed.value.kind, changed.value.percent) == (RESTORE, 80)
    assert state.ledger.limit_percents(ORG)["api"] == 50 and len(state.audit.entries()) == 1
    with pytest.raises(CallerError, match="Only restores"):
        state.ledger.set_limits(ORG, 90, kind="backup")
    with pytest.raises(CallerError, match="whole percent"):
        state.ledger.set_limits(ORG, 0)
