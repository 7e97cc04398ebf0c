"""P1 no overshoot: the gate on both databases, case by case and through seeded days."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError, QuotaSignal
from sfnb.memory import State, open_state
from sfnb.model import APIS, Api, Reading
from sfnb.quota import rows
from sfnb.quota.gate import Gate, GaugeUnknown, Ticket
from sfnb.quota.policy import Rules
from sfnb.state.owner import Owner, this_process
from sfnb.usage.store.values import minute_number
from tests.contracts.simulated_org import play_days

ORG = "00D000000000001EAA"
ONE = {"api": 1}


EXACT = Rules(header_lag_s=0)
"""An org whose header is exact, for the tests that are not about its age."""


class Caller:
    """Sends calls through one gate, a second apart, with the answers that the test wants."""

    def __init__(
        self, state: State, clock: FakeClock, org_id: str = ORG, rules: Rules = EXACT
    ) -> None:
        self.clock = clock
        self.gate = Gate(state.ledger, org_id, clock=clock, rules=rules)

    def header(self, used: int, maximum: int = 100) -> Reading:
        return Reading("api", used, maximum, self.clock.now(), self.clock.now(), "header")

    def limits(self, **used: int) -> list[Reading]:
        now = self.clock.now()
        return [Reading(api, used[api], 100, now, now, "limits") for api in APIS if api in used]

    def read_limits(self, **used: int) -> None:
        """One look at ``/limits``; answers with a header if ``api`` is given."""
        self.clock.advance(1)
        ticket = self.gate.ask(ONE, is_probe=True)
        header = [self.header(used["api"])] if "api" in used else []
        self.gate.settle(ticket, [*self.limits(**used), *header])

    def call(self, used: int, price: dict[Api, int] | None = None, **who: str) -> None:
        self.clock.advance(1)
        self.gate.settle(self.gate.ask(price or ONE, **who), [self.header(used)])


@pytest.fixture
def caller(state: State, clock: FakeClock) -> Caller:
    return Caller(state, clock)


def test_an_unknown_gauge_is_read_before_anything_is_sent(caller: Caller) -> None:
    """P1: while nobody has told what is used, no call is let through but the one that reads it."""
    with pytest.raises(GaugeUnknown) as unknown:
        caller.gate.ask({"api": 1, "bulk2": 1})
    assert unknown.value.apis == ("api", "bulk2")
    caller.read_limits(api=3, bulk2=4)
    assert caller.gate.ask({"api": 1, "bulk2": 1}).price == {"api": 1, "bulk2": 1}


def test_the_threshold_is_reached_and_never_passed(caller: Caller) -> None:
    """P1: used + in flight + this call may be the threshold, and not one more."""
    caller.read_limits(api=47)
    tickets = [caller.gate.ask(ONE) for _ in range(3)]
    with pytest.raises(QuotaSignal) as signal:
        caller.gate.ask(ONE)
    assert (
        signal.value.used,
        signal.value.in_flight,
        signal.value.maximum,
        signal.value.threshold,
    ) == (47, 3, 100, 50)
    caller.gate.settle(tickets[0], was_sent=False)
    assert caller.gate.ask(ONE)


def test_answers_that_overtake_each_other_in_one_instant_take_nothing_back(caller: Caller) -> None:
    """P1: of two exact numbers that arrive in one millisecond, the later and lower one is no news."""
    caller.read_limits(api=47)
    caller.clock.advance(1)
    first, second = caller.gate.ask(ONE), caller.gate.ask(ONE)
    caller.gate.settle(second, [caller.header(49)])
    caller.gate.settle(first, [caller.header(48)])
    assert caller.gate.ask(ONE)
    with pytest.raises(QuotaSignal):
        caller.gate.ask(ONE)


def test_every_budget_of_a_price_must_have_room(caller: Caller) -> None:
    """P1: a call that draws on two budgets is refused when either is used up."""
    caller.read_limits(api=1, bulk2=50)
    with pytest.raises(QuotaSignal) as signal:
        caller.gate.ask({"api": 1, "bulk2": 1})
    assert signal.value.api == "bulk2"
    assert caller.gate.ask(ONE)


def test_a_free_call_always_passes(caller: Caller) -> None:
    """An empty price needs no reading and no room, and leaves nothing in flight."""
    ticket = caller.gate.ask({})
    caller.gate.settle(ticket)
    assert caller.gate.standing()["api"].in_flight == 0


def test_a_maximum_of_zero_lets_nothing_through(caller: Caller, clock: FakeClock) -> None:
    """P1: an org without any allowance gets no call, and the sentence says so."""
    ticket = caller.gate.ask(ONE, is_probe=True)
    caller.gate.settle(ticket, [caller.header(0, maximum=0)])
    with pytest.raises(QuotaSignal, match="maximum is 0"):
        caller.gate.ask(ONE)


def test_a_changed_limit_is_obeyed_by_the_next_call(caller: Caller, state: State) -> None:
    """P1: no gate keeps an old limit percent."""
    caller.read_limits(api=40)
    state.ledger.set_limits(ORG, {"api": 40})
    with pytest.raises(QuotaSignal):
        caller.gate.ask(ONE)
    state.ledger.set_limits(ORG, 41)
    assert caller.gate.ask(ONE)


def test_a_lost_header_counts_and_makes_the_gauge_unknown(caller: Caller) -> None:
    """P1: a call whose answer told nothing is spent, and the next one waits for a reading."""
    caller.read_limits(api=10)
    caller.gate.settle(caller.gate.ask(ONE))
    assert caller.gate.standing()["api"].believed == 11
    assert not caller.gate.standing()["api"].is_known
    with pytest.raises(GaugeUnknown):
        caller.gate.ask(ONE)
    caller.read_limits(api=12)
    assert caller.gate.standing()["api"].believed == 12


def test_answers_that_never_tell_rest_on_a_reading_of_the_last_two_minutes(caller: Caller) -> None:
    """P1: they are counted, and for as long as a header may be old the others' calls are not known."""
    caller.read_limits(api=10)
    for spent in range(1, 5):
        caller.gate.settle(caller.gate.ask(ONE), is_silent=True)
        assert caller.gate.standing()["api"].believed == 10 + spent
    caller.clock.advance(121)
    caller.gate.settle(caller.gate.ask(ONE), is_silent=True)
    with pytest.raises(GaugeUnknown):
        caller.gate.ask(ONE)
    caller.read_limits(api=46)
    sent = 0
    with pytest.raises(QuotaSignal):
        for _ in range(6):
            caller.gate.settle(caller.gate.ask(ONE), is_silent=True)
            sent += 1
    assert 1 <= sent <= 4, "46 and the silent ones together stay at the threshold of 50"


def test_a_call_that_never_left_costs_nothing(caller: Caller) -> None:
    """A refused connection is not counted, and the gauge stays known."""
    caller.read_limits(api=10)
    caller.gate.settle(caller.gate.ask(ONE), was_sent=False)
    here = caller.gate.standing()["api"]
    assert (here.used, here.in_flight, here.is_known) == (10, 0, True)


def test_a_late_answer_may_raise_the_gauge_and_not_lower_it(
    caller: Caller, clock: FakeClock
) -> None:
    """P1: of two calls in flight at once, the higher reading stays, whichever comes last."""
    caller.read_limits(api=10)
    first, second = caller.gate.ask(ONE), caller.gate.ask(ONE)
    for ticket, used in ((second, 12), (first, 11)):
        clock.advance(1)
        answer = Reading("api", used, 100, ticket.taken_at, clock.now(), "header")
        caller.gate.settle(ticket, [answer])
    assert caller.gate.standing()["api"].used == 12


def test_a_later_answer_may_lower_the_gauge(caller: Caller) -> None:
    """The window rolls: a call asked for after the last reading tells the new truth."""
    caller.read_limits(api=40)
    caller.call(used=7)
    assert caller.gate.standing()["api"].used == 7


def test_a_bulk_reading_is_believed_for_five_minutes(caller: Caller, clock: FakeClock) -> None:
    """P1: only /limits tells of bulk budgets, so an old reading of them is read again."""
    caller.read_limits(api=1, bulk2=1)
    clock.advance(299)
    caller.call(2, {"api": 1, "bulk2": 1})
    clock.advance(2)
    with pytest.raises(GaugeUnknown) as unknown:
        caller.gate.ask({"api": 1, "bulk2": 1})
    assert unknown.value.apis == ("bulk2",)


def test_our_own_bulk_jobs_stay_on_top_of_a_lagging_reading(
    caller: Caller, clock: FakeClock
) -> None:
    """P1: what we spent in the five minutes before a reading of /limits may not be in it, so it is added."""
    caller.read_limits(api=1, bulk2=10)
    for used in (2, 3, 4):
        caller.call(used, {"api": 1, "bulk2": 1})
    assert caller.gate.standing()["bulk2"].believed == 13
    clock.advance(60)
    caller.read_limits(api=5, bulk2=10)
    assert caller.gate.standing()["bulk2"].believed == 13
    clock.advance(361)
    caller.read_limits(api=6, bulk2=13)
    assert caller.gate.standing()["bulk2"].believed == 13


def test_a_budget_the_org_does_not_tell_pauses_with_a_sentence(caller: Caller) -> None:
    """P1: a missing key means pause, never "no limit"; the sentence names the permission."""
    caller.read_limits(api=1)
    with pytest.raises(QuotaSignal, match="View Setup and Configuration") as signal:
        caller.gate.ask({"api": 1, "bulk2": 1})
    assert (signal.value.api, signal.value.used, signal.value.maximum) == ("bulk2", -1, -1)


def test_a_refusal_rests_on_a_fresh_reading(caller: Caller, clock: FakeClock) -> None:
    """P4: whoever comes back in the morning is not refused because of last night's reading; it is read again."""
    caller.read_limits(api=60)
    with pytest.raises(QuotaSignal):
        caller.gate.ask(ONE)
    clock.advance(8 * 3600)
    with pytest.raises(GaugeUnknown):
        caller.gate.ask(ONE)
    caller.read_limits(api=2)
    assert caller.gate.ask(ONE)


def test_one_probe_per_interval_and_org(state: State, clock: FakeClock) -> None:
    """P4: of several paused jobs on one org, one asks every half hour, and all know what it read."""
    one, other = Caller(state, clock), Caller(state, clock)
    elsewhere = Caller(state, clock, "00D000000000002EAA")
    assert one.gate.claim_probe(1800)
    assert not other.gate.claim_probe(1800)
    assert elsewhere.gate.claim_probe(1800)
    one.read_limits(api=3)
    assert other.gate.is_clear(ONE)
    clock.advance(1799)
    assert not other.gate.claim_probe(1800)
    clock.advance(1)
    assert other.gate.claim_probe(1800)


def test_a_probe_passes_above_the_threshold_and_counts(
    caller: Caller, state: State, clock: FakeClock
) -> None:
    """P4: reading /limits is the one call allowed above the threshold; it is counted like any other."""
    caller.read_limits(api=80)
    caller.read_limits(api=81)
    spent = state.usage.calls(ORG, clock.now() - timedelta(hours=1))
    assert [calls for api, _, _, calls in spent if api == "api"] == [2]


def test_going_on_needs_the_lower_mark(caller: Caller) -> None:
    """P4: a job that paused at 50 goes on at 45, so that it does not flap."""
    caller.read_limits(api=49)
    assert not caller.gate.is_clear(ONE)
    caller.read_limits(api=44)
    assert caller.gate.is_clear(ONE)


def test_a_dead_process_leaves_its_calls_counted(
    state: State, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: a ticket whose owner is gone counts as spent, for its job too, until a later reading tells."""
    caller = Caller(state, clock, rules=Rules())
    caller.read_limits(api=10)
    here = this_process()
    with monkeypatch.context() as patched:
        gone = Owner(
            here.host, here.pid, here.pid_started_s - 1000
        )  # the pid was another process's then
        patched.setattr(rows, "this_process", lambda: gone)
        late = caller.gate.ask({"api": 4}, job_id="job-1", object_name="Account")
    caller.call(used=11)
    assert state.usage.job_calls("job-1")["api"] == 4
    # The look, the lost call and the header's own: none of them may be in its number.
    assert caller.gate.standing()["api"].believed == 11 + 1 + 4 + 1
    clock.advance(121)
    caller.call(used=16)
    assert caller.gate.standing()["api"].believed == 16 + 1
    # It lived after all: nothing is counted twice, and its answer is older than the last one.
    answer = Reading("api", 15, 100, late.taken_at, clock.now(), "header")
    caller.gate.settle(late, [answer])
    assert caller.gate.standing()["api"].used == 16
    assert state.usage.job_calls("job-1")["api"] == 4


def test_a_ticket_of_another_host_is_held_for_half_an_hour(
    caller: Caller, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: nobody here can tell whether another host's process lives, so its call stays in flight for as long as any."""
    caller.read_limits(api=10)
    with monkeypatch.context() as patched:
        patched.setattr(rows, "this_process", lambda: Owner("elsewhere", 1, 1))
        caller.gate.ask({"api": 40})
    with pytest.raises(QuotaSignal):
        caller.gate.ask(ONE)
    clock.advance(1801)
    caller.read_limits(api=10)
    caller.read_limits(api=10)
    assert caller.gate.ask(ONE)


def test_usage_is_kept_by_minute_job_and_object(
    caller: Caller, state: State, clock: FakeClock
) -> None:
    """What the org told is kept once per minute, what we spent by job and object."""
    start_at = clock.now()
    caller.read_limits(api=1, bulk2=0)
    for used in (2, 3):
        caller.call(used, job_id="job-1", object_name="Account")
    caller.call(4, {"api": 1, "bulk2": 1}, job_id="job-1", object_name="Contact")
    clock.advance(60)
    caller.call(5, job_id="job-1", object_name="Account")
    minute = minute_number(start_at)
    samples = [sample for sample in state.usage.samples(ORG, start_at) if sample[0] == "api"]
    assert samples == [("api", minute, 4, 100), ("api", minute + 1, 5, 100)]
    assert state.usage.job_calls("job-1") == {"api": 4, "bulk": 0, "bulk2": 1, "bulk2_mb": 0}
    assert state.usage.object_calls("job-1") == {"Account": 3, "Contact": 1}
    spent = [row for row in state.usage.calls(ORG, start_at) if row[0] == "api" and row[2]]
    assert spent == [("api", minute, "job-1", 3), ("api", minute + 1, "job-1", 1)]


def test_readings_outlive_the_process(caller: Caller, state_url: str, clock: FakeClock) -> None:
    """A new process starts from what the last one was told."""
    caller.read_limits(api=33)
    with open_state(state_url, clock=clock) as later:
        standing = Gate(later.ledger, ORG, clock=clock).standing()["api"]
    assert (standing.used, standing.maximum, standing.read_at) == (33, 100, clock.now())


@pytest.mark.parametrize("percent", [0, 101, -5, 50.5, "60", True])
def test_a_wrong_percent_changes_nothing(state: State, percent: object) -> None:
    """Bad input gets one sentence, and neither limit nor log change."""
    with pytest.raises(CallerError, match="whole percent from 1 to 100"):
        state.ledger.set_limits(ORG, percent)  # type: ignore[arg-type]
    assert state.ledger.limit_percents(ORG) == dict.fromkeys(APIS, 50)
    assert state.audit.entries() == []


def test_threads_keep_one_budget_together(state: State, clock: FakeClock) -> None:
    """
    P1: eight threads that ask as fast as they can never pass the threshold together. Calls that the last answer may
    not include count twice, so threads that give up at the first refusal leave some unused.
    """
    Caller(state, clock).read_limits(api=0)
    lock, counted, top = threading.Lock(), [0], 50
    highest = []

    def work() -> None:
        caller = Caller(state, clock)
        while True:
            clock.advance(1)
            asked_at = clock.now()
            try:
                ticket: Ticket = caller.gate.ask(ONE)
            except (QuotaSignal, GaugeUnknown):
                if caller.gate.standing()["api"].in_flight == 0:
                    return
                continue
            with lock:
                counted[0] += 1
                used = counted[0]
                highest.append(used)
            reading = Reading("api", used, 100, asked_at, clock.now(), "header")
            caller.gate.settle(ticket, [reading])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert top // 2 <= max(highest) <= top


@pytest.mark.campaign
def test_seeded_days_without_overshoot(state: State, clock: FakeClock, state_url: str) -> None:
    """
    P1, P4: over seeded days of bursty competitors, lost, late and lagging readings, moved limits and several gates, no
    call is sent past the threshold, by a witness of its own; and when use has fallen, the job goes on.
    """
    is_full, is_sqlite = os.environ.get("SFNB_CAMPAIGN") == "full", state_url.startswith("sqlite")
    days = (1000 if is_full else 24) if is_sqlite else (100 if is_full else 8)
    witnesses = play_days(state, clock, range(days))
    assert [overshoot for witness in witnesses for overshoot in witness.overshoots] == []
    assert sum(witness.stuck_days for witness in witnesses) == 0
    # The days were worth living through.
    for what in ("sent", "pauses", "resumes", "losses", "quiet_days", "short"):
        assert sum(getattr(witness, what) for witness in witnesses) > 0, what
