"""What a paused job does: it looks, now and then, whether it may go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sfnb.clock import Clock
from sfnb.errors import ObjectError, QuotaSignal, TransientError
from sfnb.jobs import events
from sfnb.memory import State
from sfnb.model import Api, Price
from sfnb.org.away import is_away
from sfnb.org.client import OrgClient
from sfnb.org.transport import call_context

Waited = Literal["go on", "cancel", "give up"]

FIRST_AWAY_S = 30.0
"""Before an org that is away is checked again; the interval doubles up to ``poll_s``."""

QUIET_S = 600.0
"""After so long without trouble, an org that is away is checked again as soon as the first time."""

ONE_CALL: Price = {"api": 1}

LOOK_S = 1.0
"""While paused, so often the limit and the job's wanted state are read. Neither costs a call."""


@dataclass
class Waiting:
    """
    Waits for one job, and asks no more often than it may.

    Args:
        kind: of the job's work, whose limits count.
        poll_s, max_wait_s, stop: see `JobLoop`.
        keep_lease: called at least every second.
    """

    job_id: str
    kind: str
    client: OrgClient
    state: State
    clock: Clock
    poll_s: float
    max_wait_s: float | None
    stop: threading.Event
    keep_lease: Callable[[], None]
    tell: events.Sink
    _away_s: float = FIRST_AWAY_S
    _org_back_s: float = float("-inf")

    def first_look(self, *, is_new: bool, waits: bool) -> None:
        """
        Ask the org before the first call, since the reading that stopped the last run may be a day old.

        A scheduler may resume a paused job every minute, and several jobs at once: above the line, one look for each
        poll interval is good for all of them. A new job, and one that stays to wait, looks in any case.
        """
        if is_new or waits:
            self._ask_limits(0.0)
        else:
            self._ask_limits(self.poll_s * 0.9, price=ONE_CALL)
        if is_new:
            self.client.gate.release_probe()

    def for_org(self) -> Waited:
        """
        Ask whether the org answers, at growing intervals up to ``poll_s``. That costs no call.
        """
        began_s = asked_s = self.clock.monotonic()
        while True:
            interval_s = min(self._away_s, self.poll_s)
            self.pass_s(min(LOOK_S, interval_s))
            wanted = self.state.jobs.wanted(self.job_id)
            if wanted == "cancel":
                return "cancel"
            now_s = self.clock.monotonic()
            if now_s - asked_s >= interval_s:
                asked_s = now_s
                self._away_s *= 2
                if wanted != "pause" and not is_away(self.client):
                    self._org_back_s = now_s
                    return "go on"
            if self.max_wait_s is not None and now_s - began_s >= self.max_wait_s:
                return "give up"

    def for_calls(self, signal: QuotaSignal) -> Waited:
        """
        Ask the org every ``poll_s``; in between, look whether the limit was raised or somebody wants to stop.

        A pause for our own recent calls alone is short: the first look comes when the org has surely counted them.
        """
        gate = self.client.gate
        price: Price = {signal.api: 1}  # type: ignore[dict-item]
        began_s = asked_s = self.clock.monotonic()
        limits = self._limits()
        wait_s = self.first_wait_s(signal)
        while True:
            self.pass_s(min(LOOK_S, self.poll_s))
            wanted = self.state.jobs.wanted(self.job_id)
            if wanted == "cancel":
                return "cancel"
            now_s = self.clock.monotonic()
            if now_s - asked_s >= wait_s:
                asked_s = now_s
                next_s = gate.look_interval_s(self.poll_s, kind=self.kind)
                self._probe(signal, wait_s * 0.9, next_s)
                wait_s = next_s
                if wanted != "pause" and gate.is_clear(price, kind=self.kind):
                    return "go on"
            elif (changed := self._limits()) != limits:
                limits = changed
                if wanted != "pause" and gate.is_clear(price, kind=self.kind):
                    return "go on"
            if self.max_wait_s is not None and now_s - began_s >= self.max_wait_s:
                return "give up"

    def first_wait_s(self, signal: QuotaSignal) -> float:
        usual_s = self.client.gate.look_interval_s(self.poll_s, kind=self.kind)
        return usual_s if signal.retry_after_s is None else min(usual_s, signal.retry_after_s)

    def org_check_s(self) -> float:
        """Seconds before the first look whether an org that is away answers again."""
        if self.clock.monotonic() - self._org_back_s > QUIET_S:
            self._away_s = FIRST_AWAY_S
        return min(self._away_s, self.poll_s)

    def pass_s(self, seconds: float) -> None:
        """
        Let time pass.

        Raises:
            KeyboardInterrupt: the job is to stop.
        """
        if self.clock.wait(seconds, self.stop):
            raise KeyboardInterrupt
        self.keep_lease()

    def _limits(self) -> dict[Api, int]:
        return self.state.ledger.limit_percents(self.client.org_id, kind=self.kind)

    def _ask_limits(self, min_interval_s: float, price: Price | None = None) -> None:
        """Read `/limits`, unless some process did within the interval. Cost: one call."""
        # An org that does not answer stays unknown, and unknown is not clear: the gate or the next
        # probe asks again.
        with suppress(TransientError, ObjectError, QuotaSignal):
            if self.client.gate.claim_probe(min_interval_s, price=price):
                with call_context(job_id=self.job_id, object_name="", stop=self.stop):
                    self.client.limits()

    def _probe(self, signal: QuotaSignal, min_interval_s: float, next_s: float) -> None:
        """One `/limits` call, the only one that may exceed the threshold; shared by all processes on the org."""
        # A little less than the interval, so that this process's own last probe is never in its way.
        self._ask_limits(min_interval_s)
        budget = self.client.gate.standing(kind=self.kind).get(signal.api)  # type: ignore[call-overload]
        if budget is not None:
            now = self.clock.now()
            next_at = now + timedelta(seconds=next_s)
            self.tell(
                events.QuotaChecked(
                    self.job_id,
                    now,
                    signal.api,
                    budget.used,
                    budget.maximum,
                    budget.lower_mark,
                    next_at,
                )
            )
