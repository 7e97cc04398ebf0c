"""The gate: what every HTTP call passes before it is sent (P1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from sfnb.clock import Clock
from sfnb.errors import QuotaSignal
from sfnb.model import APIS, Api, BudgetStatus, Price, Reading
from sfnb.quota import policy
from sfnb.quota.policy import RULES, Decision, Rules
from sfnb.quota.rows import QuotaState, Ticket, budgets_of
from sfnb.quota.sentences import unreadable_sentence

__all__ = ["Gate", "GaugeUnknown", "Ticket"]


class GaugeUnknown(Exception):
    """
    ``/limits`` must be read before this call may be decided on; ``apis`` are the budgets that are
    not known.
    """

    def __init__(self, apis: tuple[Api, ...]) -> None:
        super().__init__(unreadable_sentence(apis))
        self.apis = apis


class Tickets(Protocol):
    """What a gate decides by: the ledger; in a worker of a cluster, the coordinator's from afar."""

    def take_ticket(
        self,
        org_id: str,
        price: Price,
        *,
        rules: Rules = RULES,
        is_probe: bool = False,
        job_id: str = "",
        object_name: str = "",
        kind: str = "",
    ) -> Ticket | Decision: ...

    def settle_ticket(
        self,
        ticket: Ticket,
        readings: Iterable[Reading],
        *,
        was_sent: bool,
        is_silent: bool = False,
        rules: Rules = RULES,
    ) -> None: ...

    def claim_probe(
        self, org_id: str, min_interval_s: float, *, price: Price | None = None
    ) -> bool: ...

    def release_probe(self, org_id: str) -> None: ...

    def quota_state(self, org_id: str) -> QuotaState: ...

    def kind_of(self, job_id: str) -> str | None: ...


class Gate:
    """
    One org's gate. Every call: ``ask``, send, ``settle`` — also when it failed.

    Safe for threads; any number of gates in any number of processes keep one budget together,
    through the ledger. Asking and settling cost about a millisecond together, and no API call.
    """

    def __init__(
        self,
        ledger: Tickets,
        org_id: str,
        *,
        clock: Clock,
        rules: Rules = RULES,
    ) -> None:
        self._ledger = ledger
        self._org_id = org_id
        self._clock = clock
        self.rules = rules
        self._kinds: dict[str, str] = {}

    def ask(
        self,
        price: Price,
        *,
        is_probe: bool = False,
        job_id: str = "",
        object_name: str = "",
        kind: str = "",
    ) -> Ticket:
        """
        Leave to send one call of this price; an empty price is free.

        Args:
            is_probe: the call reads ``/limits``, the only one allowed above the threshold or
                without knowing the gauge.
            job_id, object_name: who spends it, for the ledger.
            kind: of the work that asks, whose limit percents count; empty: that of the job, else
                the org's. So a call of a restore cannot miss its limit, whichever thread or process
                makes it.

        Raises:
            QuotaSignal: the call would pass the threshold.
            GaugeUnknown: ``/limits`` must be read first, with a probe; then ask again. Unknown
                still: pause.
        """
        if not budgets_of(price):
            return Ticket(0, self._org_id, {}, self._clock.now(), job_id, object_name)
        answer = self._ledger.take_ticket(
            self._org_id,
            price,
            rules=self.rules,
            is_probe=is_probe,
            job_id=job_id,
            object_name=object_name,
            kind=kind or self._kind_of(job_id),
        )
        if isinstance(answer, Ticket):
            return answer
        if answer.verdict == "read":
            raise GaugeUnknown(answer.apis)
        raise _signal(answer)

    def settle(
        self,
        ticket: Ticket,
        readings: Iterable[Reading] = (),
        *,
        was_sent: bool = True,
        is_silent: bool = False,
    ) -> None:
        """
        Give the ticket back after the call.

        Args:
            readings: what the answer told; none when its header was missing or garbled, or no
                answer came. Then the call counts as spent, and the gauge of ``api`` is unknown
                until it is read again.
            was_sent: False only if the call surely never left this machine.
            is_silent: such an answer never has a header, so its lack says nothing: a reading of the
                last two minutes, which is how old a header may be, stays good.
        """
        self._ledger.settle_ticket(
            ticket, readings, was_sent=was_sent, is_silent=is_silent, rules=self.rules
        )

    def claim_probe(self, min_interval_s: float, *, price: Price | None = None) -> bool:
        """
        Whether this process should read ``/limits`` now, for a paused job or for one that starts.

        False: some process did, or is about to, within the last ``min_interval_s`` seconds;
        ``is_clear`` then knows what it read. Claiming costs no call.

        Args:
            price: of the calls with which a job starts. If calls were sent after the last look, the
                org was below the line then, so another look is fine. None: for a job that is paused
                already.
        """
        return self._ledger.claim_probe(self._org_id, min_interval_s, price=price)

    def release_probe(self) -> None:
        """Have the last look at ``/limits`` hold up nobody else's."""
        self._ledger.release_probe(self._org_id)

    def look_interval_s(self, poll_s: float, *, kind: str = "") -> float:
        """
        How long a paused job waits between two looks: ``poll_s``, unless its looks themselves would
        add up.
        """
        return max(poll_s, policy.least_look_s(self.standing(kind=kind)["api"], self.rules))

    def standing(self, *, kind: str = "") -> dict[Api, BudgetStatus]:
        """Where each budget stands now, by the limits of this kind of work."""
        here = self._ledger.quota_state(self._org_id)
        percents = policy.percents_for(kind, here.percents, here.reserves)
        return {
            api: policy.standing(
                here.gauges[api], percents[api], here.in_flight.get(api, 0), kind=kind
            )
            for api in APIS
        }

    def is_clear(self, price: Price, *, kind: str = "") -> bool:
        """
        Whether a paused job of this kind may go on with calls of this price: see
        ``policy.is_clear``.
        """
        here = self._ledger.quota_state(self._org_id)
        percents = policy.percents_for(kind, here.percents, here.reserves)
        return policy.is_clear(price, here.gauges, percents, here.in_flight)

    def _kind_of(self, job_id: str) -> str:
        """The kind of work of a job, which never changes; read once, a millisecond."""
        if not job_id:
            return ""
        if job_id not in self._kinds:
            found = self._ledger.kind_of(job_id)
            if found is None:
                return ""
            self._kinds[job_id] = found
        return self._kinds[job_id]

    def __repr__(self) -> str:
        return f"Gate(org_id={self._org_id!r})"


def _signal(decision: Decision) -> QuotaSignal:
    here = decision.refusal
    assert here is not None, "a refusal tells where the budget stands"  # noqa: S101
    return QuotaSignal(
        here.api,
        used=here.used,
        in_flight=here.in_flight,
        maximum=here.maximum,
        threshold=here.threshold,
        reason=decision.reason,
        own=here.own,
        retry_after_s=decision.retry_after_s,
    )
