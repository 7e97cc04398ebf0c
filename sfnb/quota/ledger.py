"""
The ledger: limits, gauges, tickets and usage of each org. Each method is one transaction, atomic
across processes.

Whoever takes or settles a ticket first locks the org's row in ``gates``, so per org there is one
order of events, and ticket numbers follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from sfnb.model import APIS, HEADER_LAG_S, Api, Price, Reading
from sfnb.quota import policy, rows
from sfnb.quota.limits import LimitChanged as LimitChanged  # noqa: PLC0414 - read here by the screens
from sfnb.quota.limits import NewLimits, audit_lines
from sfnb.quota.policy import RULES, Decision, Gauge, Rules
from sfnb.quota.rows import QuotaState, Ticket, budgets_of
from sfnb.state import audit, schema
from sfnb.state.database import BUSY_WAIT_S, Database

TIDY_EVERY = 64
"""Of so many settled tickets, one also tidies the table of recent calls."""


class Ledger:
    """
    What the gate, the report and ``sfnb limit`` know. Safe for threads and for any number of
    processes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = database.clock

    # -- limits

    def limit_percents(self, org_id: str, *, kind: str = "") -> dict[Api, int]:
        """
        The limit percent of each budget for a kind of work; those never set are
        ``DEFAULT_LIMIT_PERCENT``.
        """
        with self._database.read() as connection:
            return policy.percents_for(kind, *rows.read_percents(connection, org_id))

    def reserves(self, org_id: str) -> dict[Api, int]:
        """The limit percents of restores, of the budgets where they have their own."""
        with self._database.read() as connection:
            return rows.read_percents(connection, org_id)[1]

    def set_limits(
        self,
        org_id: str,
        percents: Mapping[Api, int] | int,
        *,
        expected: Mapping[Api, int] | None = None,
        who: str | None = None,
        reason: str = "",
        org: str = "",
        patience_s: float = BUSY_WAIT_S,
        kind: str = "",
    ) -> None:
        """
        Set limit percents of one kind: see `change_limits`.

        Args:
            percents: 1 to 100 for each budget; one number for all of them.
        """
        wanted = dict(percents) if isinstance(percents, Mapping) else dict.fromkeys(APIS, percents)
        self.change_limits(
            org_id,
            [NewLimits(wanted, expected, kind)],
            who=who,
            reason=reason,
            org=org,
            patience_s=patience_s,
        )

    def change_limits(
        self,
        org_id: str,
        changes: Sequence[NewLimits],
        *,
        who: str | None = None,
        reason: str = "",
        org: str = "",
        patience_s: float = BUSY_WAIT_S,
    ) -> None:
        """
        Set limit percents, all or none, and write them in the audit log. The next call obeys them.

        Args:
            who: the user of the operating system, unless given.
            org: the org's name, for the log.
            patience_s: how long to wait for a state database that others hold.

        Raises:
            CallerError: no such percent, budget or kind.
            LimitChanged: somebody else changed one of them meanwhile; nothing is changed.
        """
        for change in changes:
            change.check()
        with self._database.write(patience_s=patience_s) as connection:
            rows.lock_gate(self._database, connection, org_id)
            percents, reserves = rows.read_percents(connection, org_id)
            for change in changes:
                before = {**dict.fromkeys(APIS, 0), **reserves} if change.kind else percents
                change.check_expected(before)
                rows.save_percents(self._database, connection, org_id, change.percents, change.kind)
                for name, old, new in audit_lines(before, change.percents):
                    audit.append(
                        connection,
                        at=self._clock.now(),
                        org=org,
                        org_id=org_id,
                        api=name,
                        who=who or audit.current_user(),
                        old=old,
                        new=new,
                        reason=reason,
                        kind=change.kind,
                    )

    # -- gauges

    def gauges(self, org_id: str) -> dict[Api, Gauge]:
        """What is known of each budget; one that was never read has ``maximum`` -1."""
        with self._database.read() as connection:
            return rows.read_gauges(connection, org_id)

    def kind_of(self, job_id: str) -> str | None:
        """The kind of work of a job; None: there is no such job."""
        with self._database.read() as connection:
            return rows.read_kind(connection, job_id)

    def quota_state(self, org_id: str) -> QuotaState:
        """Gauges, limits and calls in flight, all of one moment."""
        with self._database.read() as connection:
            return rows.read_quota_state(connection, org_id, rows.read_tickets(connection, org_id))

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
    ) -> Ticket | Decision:
        """
        Reserve a call's price if the policy lets it go; otherwise the decision that says why not.

        A probe always gets its ticket.

        Args:
            kind: of the work that asks; its limit percents count.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            number = rows.next_number(self._database, connection, org_id)
            swept = self._swept_state(connection, org_id, now)
            if not is_probe:
                decision = policy.decide(
                    price,
                    swept.gauges,
                    policy.percents_for(kind, swept.percents, swept.reserves),
                    swept.in_flight,
                    now=now,
                    looked_at=rows.last_probe_at(connection, org_id),
                    rules=rules,
                    kind=kind,
                )
                if decision.verdict != "go":
                    return decision
            ticket = Ticket(number, org_id, dict(price), now, job_id, object_name, is_probe)
            rows.add_ticket(connection, ticket)
            if is_probe:
                rows.note_probe(connection, org_id, now)
            return ticket

    def claim_probe(
        self, org_id: str, min_interval_s: float, *, price: Price | None = None
    ) -> bool:
        """
        True, and noted, unless any process claimed or sent a probe in the last ``min_interval_s``
        seconds.

        Args:
            price: claim for a job that starts with such calls: a probe after which calls were sent
                does not count, because it had found the org below the line.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            rows.lock_gate(self._database, connection, org_id)
            last_at = rows.last_probe_at(connection, org_id)
            is_open = price is not None and not all(
                policy.is_last_word(gauge, last_at)
                for api, gauge in rows.read_gauges(connection, org_id).items()
                if api in price
            )
            # A last probe in the future is a wrong clock's.
            is_late = last_at is None or not 0 <= (now - last_at).total_seconds() < min_interval_s
            if is_late or is_open:
                rows.note_probe(connection, org_id, now)
            return is_late or is_open

    def release_probe(self, org_id: str) -> None:
        """Forget when ``/limits`` was last read, so the next process may read it again."""
        with self._database.write() as connection:
            rows.lock_gate(self._database, connection, org_id)
            rows.note_probe(connection, org_id, None)

    def settle_ticket(
        self,
        ticket: Ticket,
        readings: Iterable[Reading],
        *,
        was_sent: bool,
        is_silent: bool = False,
        rules: Rules = RULES,
    ) -> None:
        """
        Give the ticket back, count the call, and take over what the org reported.

        A ticket that was swept meanwhile has been counted then; its readings still count.
        """
        received = list(readings)
        has_limits = any(reading.source == "limits" for reading in received)
        readings = rows.best_readings(received)
        if ticket.number == 0 and not readings:
            return
        now = self._clock.now()
        with self._database.write() as connection:
            rows.lock_gate(self._database, connection, ticket.org_id)
            was_there = rows.drop_ticket(connection, ticket)
            if not was_sent:
                return
            before = rows.read_gauges(connection, ticket.org_id)
            if ticket.number % TIDY_EVERY == 0 or policy.is_ahead(before, now):
                rows.tidy_recent(self._database, connection, ticket.org_id, now)
            spent = dict(ticket.price) if was_there else {}
            stays = is_silent and policy.is_recent(before["api"].read_at, now, HEADER_LAG_S)
            after = self._spend(connection, ticket, spent, readings, before, now, stays=stays)
            for reading in readings:
                after[reading.api] = self._fold(
                    connection, ticket, after, reading, spent, now, rules
                )
            if has_limits:
                for api in set(APIS) - {reading.api for reading in readings}:
                    after[api] = policy.missing(after[api], now)
            if ticket.is_probe:
                rows.note_probe(connection, ticket.org_id, now)
            self._save_gauges(connection, ticket.org_id, before, after)
            self._save_samples(connection, ticket.org_id, readings)

    # -- within

    def _spend(  # noqa: PLR0917 - the parts of one settling
        self,
        connection: Connection,
        ticket: Ticket,
        spent: Mapping[Api, int],
        readings: Iterable[Reading],
        gauges: Mapping[Api, Gauge],
        now: datetime,
        *,
        stays: bool,
    ) -> dict[Api, Gauge]:
        """The gauges after the call, before its readings; what both say is kept in ``recent``."""
        reported = {reading.api: reading.used for reading in readings}
        exact = {reading.api for reading in readings if reading.source == "header"}
        rows.note_recent(
            self._database, connection, ticket.org_id, now, spent=spent, reported=reported
        )
        after = dict(gauges)
        if spent:
            self._count(connection, ticket, now)
        for api in budgets_of(spent):
            # Each answer's header reports `api`. Without it, nobody knows how much the others
            # spent.
            is_known = False if api == "api" and api not in exact and not stays else None
            after[api] = policy.spend(after[api], spent[api], is_known=is_known)
        return after

    def _fold(  # noqa: PLR0917 - the parts of one reading
        self,
        connection: Connection,
        ticket: Ticket,
        gauges: Mapping[Api, Gauge],
        reading: Reading,
        spent: Mapping[Api, int],
        now: datetime,
        rules: Rules,
    ) -> Gauge:
        gauge, lag_s = gauges[reading.api], rules.lag_s(reading.source)
        since = policy.counted_until(gauge, reading, lag_s)
        # An exact header includes its own call, and all that ended when it was sent.
        first = since + timedelta(milliseconds=0 if lag_s else 1)
        heard_from = None if policy.is_ahead(gauges, now) else gauge.heard_from
        own, highest = rows.read_recent(connection, ticket.org_id, reading.api, first, heard_from)
        # A slow call's answer is older than what is known by now, so it cannot be news.
        is_newest = since == reading.sent_at - timedelta(seconds=lag_s)
        if highest > reading.used and is_newest:
            held = rows.read_tickets(connection, ticket.org_id)
            in_flight = sum(other.price[reading.api] for other, _ in held)
            if policy.has_rolled(reading, highest, own, in_flight):
                # Of what arrives in this same millisecond, the higher number counts.
                heard_from, highest = now, reading.used
        if not lag_s and now >= first:
            own -= spent.get(reading.api, 0)
        return policy.fold(
            gauge, reading, since=since, highest=highest, own=own, heard_from=heard_from
        )

    def _swept_state(self, connection: Connection, org_id: str, now: datetime) -> QuotaState:
        """
        The state, after tickets that nobody will settle were counted as spent: their calls may have
        been sent.
        """
        held = rows.read_tickets(connection, org_id)
        lost = rows.lost_tickets(held, now)
        if lost:
            before = rows.read_gauges(connection, org_id)
            after = dict(before)
            for ticket in lost:
                rows.drop_ticket(connection, ticket)
                self._count(connection, ticket, now)
                rows.note_recent(
                    self._database, connection, org_id, now, spent=ticket.price, reported={}
                )
                for api in budgets_of(ticket.price):
                    after[api] = policy.spend(after[api], ticket.price[api])
            self._save_gauges(connection, org_id, before, after)
        return rows.read_quota_state(
            connection, org_id, [entry for entry in held if entry[0] not in lost]
        )

    def _count(self, connection: Connection, ticket: Ticket, now: datetime) -> None:
        spent = [
            {
                "org_id": ticket.org_id,
                "api": api,
                "minute_at": rows.minute_of(now),
                "job_id": ticket.job_id,
                "object": ticket.object_name,
                "calls": ticket.price[api],
            }
            for api in budgets_of(ticket.price)
        ]
        self._database.upsert(connection, schema.calls, spent, add=("calls",))

    def _save_gauges(
        self,
        connection: Connection,
        org_id: str,
        before: Mapping[Api, Gauge],
        after: Mapping[Api, Gauge],
    ) -> None:
        changed = [
            rows.gauge_row(org_id, gauge) for api, gauge in after.items() if gauge != before[api]
        ]
        self._database.upsert(connection, schema.gauges, changed)

    def _save_samples(
        self, connection: Connection, org_id: str, readings: Iterable[Reading]
    ) -> None:
        samples = [
            {
                "org_id": org_id,
                "api": reading.api,
                "minute_at": rows.minute_of(reading.read_at),
                "at": reading.read_at,
                "used": reading.used,
                "max": reading.maximum,
                "source": reading.source,
            }
            for reading in readings
        ]
        self._database.upsert(connection, schema.samples, samples)
