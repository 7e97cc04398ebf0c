"""
The ledger: limits, gauges, tickets and usage of each org. Each method is one transaction, atomic
across processes.

Whoever takes or settles a ticket first locks the org's row in ``gates``, so per org there is one
order of events, and ticket numbers follow it. All that is read under that lock leaves with it in one
trip, and all that is written leaves with the commit in another (``sfnb/state/trips.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from sfnb.model import APIS, HEADER_LAG_S, Api, Price, Reading
from sfnb.quota import folding, policy, recent, rows
from sfnb.quota.gauge import Gauge, is_ahead, is_recent, missing, spend
from sfnb.quota.limits import LimitChanged as LimitChanged  # noqa: PLC0414 - read here by the screens
from sfnb.quota.limits import NewLimits, audit_lines
from sfnb.quota.policy import RULES, Decision, Rules
from sfnb.quota.rows import QuotaState, Ticket, budgets_of
from sfnb.state import audit, schema
from sfnb.state.database import Database
from sfnb.state.engines import BUSY_WAIT_S
from sfnb.state.trips import Row, Statement, Trips

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
        self._seen: dict[tuple[str, Api], Gauge] = {}

    # -- limits

    def limit_percents(self, org_id: str, *, kind: str = "") -> dict[Api, int]:
        """
        The limit percent of each budget for a kind of work; those never set are
        ``DEFAULT_LIMIT_PERCENT``.
        """
        with self._database.read() as connection:
            [found] = _run(connection, rows.percents(org_id))
        return policy.percents_for(kind, *rows.as_percents(found))

    def reserves(self, org_id: str) -> dict[Api, int]:
        """The limit percents of restores, of the budgets where they have their own."""
        with self._database.read() as connection:
            [found] = _run(connection, rows.percents(org_id))
        return rows.as_percents(found)[1]

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
            [_, found] = _run(connection, rows.lock(self._database, org_id), rows.percents(org_id))
            percents, reserves = rows.as_percents(found)
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
                        who=who or "",
                        old=old,
                        new=new,
                        reason=reason,
                        limit_of=change.kind,
                    )

    # -- gauges

    def gauges(self, org_id: str) -> dict[Api, Gauge]:
        """What is known of each budget; one that was never read has ``maximum`` -1."""
        with self._database.read() as connection:
            return rows.as_gauges(_run(connection, rows.gauges(org_id))[0])

    def kind_of(self, job_id: str) -> str | None:
        """The kind of work of a job; None: there is no such job."""
        with self._database.read() as connection:
            return rows.as_kind(_run(connection, rows.kind_of(job_id))[0])

    def quota_state(self, org_id: str) -> QuotaState:
        """Gauges, limits and calls in flight, all of one moment."""
        with self._database.read() as connection:
            return rows.as_quota_state(org_id, _run(connection, *rows.quota_state(org_id)))[0]

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
        with self._database.trips() as trips:
            [[(number, looked_at)], *found] = trips.run([
                rows.lock(self._database, org_id, step=1),
                *rows.quota_state(org_id),
            ])  # fmt: skip
            state, held = rows.as_quota_state(org_id, found)
            if lost := rows.lost_tickets(held, now):
                state = self._sweep(trips, org_id, lost, now)
            if not is_probe:
                decision = policy.decide(
                    price,
                    state.gauges,
                    policy.percents_for(kind, state.percents, state.reserves),
                    state.in_flight,
                    now=now,
                    looked_at=looked_at,
                    rules=rules,
                    kind=kind,
                )
                if decision.verdict != "go":
                    trips.end()
                    return decision
            ticket = Ticket(int(number), org_id, dict(price), now, job_id, object_name, is_probe)
            noted = [rows.note_probe(org_id, now)] if is_probe else []
            trips.end([rows.add_ticket(ticket), *noted])
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
        with self._database.trips() as trips:
            [[(_, last_at)], found] = trips.run(
                [rows.lock(self._database, org_id), rows.gauges(org_id)]
            )
            is_open = price is not None and not all(
                policy.is_last_word(gauge, last_at)
                for api, gauge in rows.as_gauges(found).items()
                if api in price
            )
            # A last probe in the future is a wrong clock's.
            is_late = last_at is None or not 0 <= (now - last_at).total_seconds() < min_interval_s
            trips.end([rows.note_probe(org_id, now)] if is_late or is_open else [])
            return is_late or is_open

    def release_probe(self, org_id: str) -> None:
        """Forget when ``/limits`` was last read, so the next process may read it again."""
        with self._database.trips() as trips:
            trips.end([rows.lock(self._database, org_id), rows.note_probe(org_id, None)])

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
        org_id = ticket.org_id
        with self._database.trips() as trips:
            guessed = [self._guess(org_id, reading, now, rules) for reading in readings]
            [_, dropped, gauges, held, *pasts] = trips.run([
                rows.lock(self._database, org_id),
                rows.drop_ticket(ticket),
                rows.gauges(org_id),
                rows.held_tickets(org_id),
                *(stretch.read(org_id) for stretch in guessed),
            ])  # fmt: skip
            if not was_sent:
                trips.end()
                return
            before = rows.as_gauges(gauges)
            if ticket.number % TIDY_EVERY == 0 or is_ahead(before, now):
                self._tidy(trips, org_id, now)
                guessed = []
            spent = dict(ticket.price) if dropped else {}
            stays = is_silent and is_recent(before["api"].read_at, now, HEADER_LAG_S)
            after = folding.after_call(spent, readings, before, stays=stays)
            in_flight = rows.reserved(rows.as_held(org_id, held))
            known = dict(zip(guessed, pasts, strict=False))
            for reading in readings:
                stretch = folding.stretch_of(before, reading, now, rules)
                [past] = known.get(stretch) or trips.run([stretch.read(org_id)])[0]
                after[reading.api] = folding.fold(
                    after[reading.api],
                    reading,
                    stretch,
                    past,
                    spent.get(reading.api, 0),
                    in_flight[reading.api],
                    now,
                    rules.lag_s(reading.source),
                )
            if has_limits:
                for api in set(APIS) - {reading.api for reading in readings}:
                    after[api] = missing(after[api], now)
            reported = {reading.api: reading.used for reading in readings}
            trips.end([
                recent.line(self._database, org_id, now, spent=spent, reported=reported),
                self._counted(ticket, spent, now),
                *([rows.note_probe(org_id, now)] if ticket.is_probe else []),
                self._changed_gauges(org_id, before, after),
                self._samples(org_id, readings),
            ])  # fmt: skip
        self._seen |= {(org_id, api): gauge for api, gauge in after.items()}

    # -- within

    def _guess(self, org_id: str, reading: Reading, now: datetime, rules: Rules) -> recent.Stretch:
        """
        The stretch that this reading probably needs, from what was known after the last call of
        this process: requested with the first trip. If it was another one, it is requested again.
        """
        known = {api: self._seen.get((org_id, api), Gauge(api)) for api in APIS}
        return folding.stretch_of(known, reading, now, rules)

    def _tidy(self, trips: Trips, org_id: str, now: datetime) -> None:
        """
        Forget old lines of what was spent lately. Lines ahead of now were written before the clock
        was put back: they become this moment's.
        """
        [_, ahead] = trips.run([recent.forget(org_id, now), recent.ahead_of(org_id, now)])
        if moved := recent.moved_to_now(self._database, org_id, now, ahead):
            trips.run(moved)

    def _sweep(
        self, trips: Trips, org_id: str, lost: Iterable[Ticket], now: datetime
    ) -> QuotaState:
        """
        The state, after tickets that nobody will settle were counted as spent: their calls may have
        been sent.
        """
        before = rows.as_gauges(trips.run([rows.gauges(org_id)])[0])
        after = dict(before)
        for ticket in lost:
            trips.run([
                rows.drop_ticket(ticket),
                self._counted(ticket, ticket.price, now),
                recent.line(self._database, org_id, now, spent=ticket.price, reported={}),
            ])  # fmt: skip
            for api in budgets_of(ticket.price):
                after[api] = spend(after[api], ticket.price[api])
        [_, *found] = trips.run(
            [self._changed_gauges(org_id, before, after), *rows.quota_state(org_id)]
        )
        return rows.as_quota_state(org_id, found)[0]

    def _counted(self, ticket: Ticket, spent: Price, now: datetime) -> Statement:
        lines = [
            {
                "org_id": ticket.org_id,
                "api": api,
                "minute_at": rows.minute_of(now),
                "job_id": ticket.job_id,
                "object": ticket.object_name,
                "calls": spent[api],
            }
            for api in budgets_of(spent)
        ]
        return self._database.upsertion(schema.calls, lines, add=("calls",))

    def _changed_gauges(
        self, org_id: str, before: Mapping[Api, Gauge], after: Mapping[Api, Gauge]
    ) -> Statement:
        changed = [
            rows.gauge_row(org_id, gauge) for api, gauge in after.items() if gauge != before[api]
        ]
        return self._database.upsertion(schema.gauges, changed)

    def _samples(self, org_id: str, readings: Iterable[Reading]) -> Statement:
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
        return self._database.upsertion(schema.samples, samples)


def _run(connection: Connection, *statements: Statement) -> list[list[Row]]:
    """One after the other, in a transaction where time does not matter."""
    return Trips(connection, is_piped=False).run(statements)
