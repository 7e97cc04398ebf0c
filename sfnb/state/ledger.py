"""
The ledger: limits, gauges, tickets and usage of each org. Each method is one transaction, atomic across processes.

Whoever takes or settles a ticket first locks the org's row in ``gates``, so per org there is one order of events, and
ticket numbers follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from sfnb.errors import CallerError
from sfnb.model import APIS, Api, Price, Reading
from sfnb.quota import policy
from sfnb.quota.policy import Decision, Gauge
from sfnb.state import audit, books, schema
from sfnb.state.books import QuotaState, Ticket, budgets_of
from sfnb.state.database import Database


@dataclass(frozen=True, slots=True)
class Sample:
    """What the org told of one budget, last in that minute."""

    api: Api
    at: datetime
    used: int
    maximum: int
    source: str


@dataclass(frozen=True, slots=True)
class CallCount:
    """What sfnb spent in one minute on one job and object; both are empty for calls that belong to none."""

    api: Api
    minute_at: datetime
    job_id: str
    object_name: str
    calls: int


class LimitChanged(CallerError):
    """A limit is no longer what the person who wanted to change it had seen."""

    def __init__(self, api: Api, seen: int, percent: int) -> None:
        super().__init__(
            f"The limit of {api} was changed meanwhile from {seen} % to {percent} %; look at it again."
        )
        self.api = api
        self.percent = percent


def _check_limit(api: Api | None, percent: int) -> None:
    if isinstance(percent, bool) or not isinstance(percent, int) or not 1 <= percent <= 100:
        raise CallerError(f"The limit must be a whole percent from 1 to 100, not {percent!r}.")
    if api is not None and api not in APIS:
        raise CallerError(f"There is no API {api!r}; choose one of {', '.join(APIS)}.")


class Ledger:
    """What the gate, the report and ``sfnb limit`` know. Safe for threads and for any number of processes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clock = database.clock

    # ------------------------------------------------------------------------------------------------------- limits

    def limit_percents(self, org_id: str) -> dict[Api, int]:
        """The limit percent of each budget; those never set are ``DEFAULT_LIMIT_PERCENT``."""
        with self._database.read() as connection:
            return books.read_percents(connection, org_id)

    def set_limit(
        self,
        org_id: str,
        api: Api | None,
        percent: int,
        *,
        who: str | None = None,
        reason: str = "",
        org: str = "",
    ) -> None:
        """
        Set the limit percent of a budget, or of all (None), and write it in the audit log. The next call obeys it.

        Args:
            percent: 1 to 100.
            who: the user of the operating system, unless given.
            org: the org's name, for the log.

        Raises:
            CallerError: no such percent or budget.
        """
        _check_limit(api, percent)
        apis = APIS if api is None else (api,)
        with self._database.write() as connection:
            books.lock_gate(self._database, connection, org_id)
            old = books.read_percents(connection, org_id)
            rows = [{"org_id": org_id, "api": one, "percent": percent} for one in apis]
            self._database.upsert(connection, schema.limits, rows)
            # One line where one sentence says it all.
            is_one_change = api is None and len(set(old.values())) == 1
            changes = [("all", old["api"])] if is_one_change else [(one, old[one]) for one in apis]
            for name, before in changes:
                audit.append(
                    connection,
                    at=self._clock.now(),
                    org=org,
                    org_id=org_id,
                    api=name,
                    who=who or audit.current_user(),
                    old=before,
                    new=percent,
                    reason=reason,
                )

    def change_limits(
        self,
        org_id: str,
        percents: Mapping[Api, int],
        *,
        expected: Mapping[Api, int],
        who: str | None = None,
        reason: str = "",
        org: str = "",
        patience_s: float = 5.0,
    ) -> None:
        """
        Set several limit percents at once, all or none, if they still are what the person who changes them saw.

        Args:
            expected: what each of them was when it was read.
            patience_s: how long to wait for a state database that others hold.

        Raises:
            CallerError: no such percent or budget.
            LimitChanged: somebody else changed one of them meanwhile; nothing is changed.
        """
        for api, percent in percents.items():
            _check_limit(api, percent)
        with self._database.write(patience_s=patience_s) as connection:
            books.lock_gate(self._database, connection, org_id)
            now_set = books.read_percents(connection, org_id)
            for api in percents:
                if now_set[api] != expected[api]:
                    raise LimitChanged(api, expected[api], now_set[api])
            rows = [
                {"org_id": org_id, "api": api, "percent": percent}
                for api, percent in percents.items()
            ]
            self._database.upsert(connection, schema.limits, rows)
            for api, percent in percents.items():
                audit.append(
                    connection,
                    at=self._clock.now(),
                    org=org,
                    org_id=org_id,
                    api=api,
                    who=who or audit.current_user(),
                    old=now_set[api],
                    new=percent,
                    reason=reason,
                )

    # ------------------------------------------------------------------------------------------------------- gauges

    def gauges(self, org_id: str) -> dict[Api, Gauge]:
        """What is known of each budget; one that was never read has ``maximum`` -1."""
        with self._database.read() as connection:
            return books.read_gauges(connection, org_id)

    def books(self, org_id: str) -> QuotaState:
        """Gauges, limits and calls in flight, all of one moment."""
        with self._database.read() as connection:
            return books.read_books(connection, org_id, books.read_tickets(connection, org_id))

    def take_ticket(
        self,
        org_id: str,
        price: Price,
        *,
        stale_after_s: float,
        is_probe: bool = False,
        job_id: str = "",
        object_name: str = "",
    ) -> Ticket | Decision:
        """
        Reserve a call's price if the policy lets it go; otherwise the decision that says why not.

        A probe always gets its ticket.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            number = books.next_number(self._database, connection, org_id)
            swept = self._swept_books(connection, org_id, number, now)
            if not is_probe:
                decision = policy.decide(
                    price,
                    swept.gauges,
                    swept.percents,
                    swept.in_flight,
                    now=now,
                    stale_after_s=stale_after_s,
                )
                if decision.verdict != "go":
                    return decision
            ticket = Ticket(number, org_id, dict(price), now, job_id, object_name)
            books.add_ticket(connection, ticket)
            if is_probe:
                books.note_probe(connection, org_id, now)
            return ticket

    def claim_probe(self, org_id: str, min_interval_s: float) -> bool:
        """True, and noted, unless any process claimed or sent a probe in the last ``min_interval_s`` seconds."""
        now = self._clock.now()
        with self._database.write() as connection:
            books.lock_gate(self._database, connection, org_id)
            last_at = books.last_probe_at(connection, org_id)
            # A last probe in the future is a wrong clock's.
            if last_at is not None and 0 <= (now - last_at).total_seconds() < min_interval_s:
                return False
            books.note_probe(connection, org_id, now)
            return True

    def settle_ticket(self, ticket: Ticket, readings: Iterable[Reading], *, was_sent: bool) -> None:
        """
        Give the ticket back, count the call, and take over what the org told.

        A ticket that was swept meanwhile has been counted then; its readings still count.
        """
        told = list(readings)
        has_limits = any(reading.source == "limits" for reading in told)
        readings = books.best_readings(told)
        if ticket.number == 0 and not readings:
            return
        now = self._clock.now()
        with self._database.write() as connection:
            number = books.lock_gate(self._database, connection, ticket.org_id)
            was_there = books.drop_ticket(connection, ticket)
            if not was_sent:
                return
            before = books.read_gauges(connection, ticket.org_id)
            after = dict(before)
            if was_there:
                self._count(connection, ticket, now)
                exact = {reading.api for reading in readings if reading.source == "header"}
                for api in budgets_of(ticket.price):
                    if api not in exact:
                        # `api` is told by the answer's header; that it did not come means that we know no longer.
                        is_known = False if api == "api" else None
                        after[api] = policy.spend(
                            after[api], ticket.price[api], now_number=number, is_known=is_known
                        )
            for reading in readings:
                after[reading.api] = policy.fold(
                    after[reading.api],
                    reading,
                    asked_number=ticket.number,
                    now_number=number,
                    recent_units=books.recent_units(connection, ticket.org_id, reading),
                )
            if has_limits:
                for api in set(APIS) - {reading.api for reading in readings}:
                    after[api] = policy.missing(after[api], now)
            self._save_gauges(connection, ticket.org_id, before, after)
            self._save_samples(connection, ticket.org_id, readings)

    # ------------------------------------------------------------------------------------------------------- usage

    def samples(self, org_id: str, since: datetime) -> list[Sample]:
        """What the org told since then, oldest first: one sample per budget and minute, the minute's last."""
        table = schema.samples
        query = (
            select(table)
            .where(table.c.org_id == org_id, table.c.at >= since)
            .order_by(table.c.at, table.c.api)
        )
        with self._database.read() as connection:
            return [
                Sample(row.api, row.at, row.used, row.max, row.source)
                for row in connection.execute(query)
            ]

    def calls(self, org_id: str, since: datetime) -> list[CallCount]:
        """What sfnb spent since then, oldest minute first."""
        table = schema.calls
        query = (
            select(table)
            .where(table.c.org_id == org_id, table.c.minute_at >= books.minute_of(since))
            .order_by(table.c.minute_at, table.c.api, table.c.job_id, table.c.object)
        )
        with self._database.read() as connection:
            return [
                CallCount(row.api, row.minute_at, row.job_id, row.object, row.calls)
                for row in connection.execute(query)
            ]

    def spent(self, org_id: str, since: datetime) -> dict[Api, int]:
        """What sfnb has spent of each budget since that minute, jobs and everything else together."""
        table = schema.calls
        query = (
            select(table.c.api, func.sum(table.c.calls))
            .where(table.c.org_id == org_id, table.c.minute_at >= books.minute_of(since))
            .group_by(table.c.api)
        )
        with self._database.read() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {api: found.get(api, 0) for api in APIS}

    def job_calls(self, job_id: str) -> dict[Api, int]:
        """What a job has spent of each budget, calls of killed processes included."""
        table = schema.calls
        query = (
            select(table.c.api, func.sum(table.c.calls))
            .where(table.c.job_id == job_id)
            .group_by(table.c.api)
        )
        with self._database.read() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {api: found.get(api, 0) for api in APIS}

    def object_calls(self, job_id: str) -> dict[str, int]:
        """How many API calls a job has spent on each object; those on none of them (login, limits) are under ``""``."""
        table = schema.calls
        query = (
            select(table.c.object, func.sum(table.c.calls))
            .where(table.c.job_id == job_id, table.c.api == "api")
            .group_by(table.c.object)
        )
        with self._database.read() as connection:
            return {row[0]: int(row[1]) for row in connection.execute(query)}

    # ------------------------------------------------------------------------------------------------------- within

    def _swept_books(
        self, connection: Connection, org_id: str, number: int, now: datetime
    ) -> QuotaState:
        """The books, after tickets that nobody will settle were counted as spent: their calls may have been sent."""
        held = books.read_tickets(connection, org_id)
        lost = books.lost_tickets(held, now)
        if lost:
            before = books.read_gauges(connection, org_id)
            after = dict(before)
            for ticket in lost:
                books.drop_ticket(connection, ticket)
                self._count(connection, ticket, now)
                for api in budgets_of(ticket.price):
                    after[api] = policy.spend(after[api], ticket.price[api], now_number=number)
            self._save_gauges(connection, org_id, before, after)
        return books.read_books(
            connection, org_id, [entry for entry in held if entry[0] not in lost]
        )

    def _count(self, connection: Connection, ticket: Ticket, now: datetime) -> None:
        rows = [
            {
                "org_id": ticket.org_id,
                "api": api,
                "minute_at": books.minute_of(now),
                "job_id": ticket.job_id,
                "object": ticket.object_name,
                "calls": ticket.price[api],
            }
            for api in budgets_of(ticket.price)
        ]
        self._database.upsert(connection, schema.calls, rows, add=("calls",))

    def _save_gauges(
        self,
        connection: Connection,
        org_id: str,
        before: Mapping[Api, Gauge],
        after: Mapping[Api, Gauge],
    ) -> None:
        rows = [
            books.gauge_row(org_id, gauge) for api, gauge in after.items() if gauge != before[api]
        ]
        self._database.upsert(connection, schema.gauges, rows)

    def _save_samples(
        self, connection: Connection, org_id: str, readings: Iterable[Reading]
    ) -> None:
        rows = [
            {
                "org_id": org_id,
                "api": reading.api,
                "minute_at": books.minute_of(reading.read_at),
                "at": reading.read_at,
                "used": reading.used,
                "max": reading.maximum,
                "source": reading.source,
            }
            for reading in readings
        ]
        self._database.upsert(connection, schema.samples, rows)
