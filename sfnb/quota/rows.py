"""
What the ledger reads and writes per org: statements, and what their rows mean. The ledger puts them
together, so that they cross the network in few trips.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache

from sqlalchemy import (
    Connection,
    Executable,
    bindparam,
    delete,
    insert,
    literal,
    select,
    union_all,
    update,
)

from sfnb.model import APIS, RESTORE, Api, Price, Reading
from sfnb.quota.gauge import Gauge, is_recent
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT
from sfnb.state import schema
from sfnb.state.database import Database, insert_into
from sfnb.state.owner import Owner, is_alive, this_process
from sfnb.state.trips import Row, Statement

TICKET_LIFE_S = 1800.0
"""
No call lasts that long: Salesforce ends one after 10 minutes. A ticket this old was lost, on
whatever host.
"""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The gate's leave to send one call. ``number`` 0: a free call, nothing was reserved."""

    number: int
    org_id: str
    price: Price
    taken_at: datetime
    job_id: str = ""
    object_name: str = ""
    is_probe: bool = False


Held = tuple[Ticket, Owner]


@dataclass(frozen=True, slots=True)
class QuotaState:
    """
    What the gate decides on, all of one moment.

    Args:
        percents: the org's limit percents; ``reserves``: those of restores, where they have their
            own.
    """

    gauges: Mapping[Api, Gauge]
    percents: Mapping[Api, int]
    reserves: Mapping[Api, int]
    in_flight: Mapping[Api, int]


def budgets_of(price: Price) -> tuple[Api, ...]:
    """The budgets that a price draws on."""
    return tuple(api for api in APIS if price.get(api, 0) > 0)


def minute_of(moment_at: datetime) -> datetime:
    """The minute's start, in UTC."""
    return moment_at.astimezone(UTC).replace(second=0, microsecond=0)


def best_readings(readings: Iterable[Reading]) -> list[Reading]:
    """One reading per budget: a header's exact one before that of ``/limits``."""
    best: dict[Api, Reading] = {}
    for reading in readings:
        if reading.api not in best or reading.source == "header":
            best[reading.api] = reading
    return list(best.values())


# -- gates

_GATES = schema.gates.c
_NOTE_PROBE = (
    update(schema.gates)
    .where(_GATES.org_id == bindparam("org"))
    .values(last_probe_at=bindparam("at"))
)


@cache
def _next_number(dialect: str) -> Executable:
    statement: Executable = (
        insert_into(dialect, schema.gates)
        .values(org_id=bindparam("org"), last_number=bindparam("first"))
        .on_conflict_do_update(
            index_elements=[_GATES.org_id],
            set_={"last_number": _GATES.last_number + bindparam("step")},
        )
        .returning(_GATES.last_number, _GATES.last_probe_at)
    )
    return statement


def lock(database: Database, org_id: str, *, step: int = 0) -> Statement:
    """
    Lock the org's row, so its quota state changes in one order, and give out ``step`` ticket
    numbers. Its row: the last number given out, and when ``/limits`` was last read.
    """
    return statement(_next_number(database.dialect), org=org_id, first=step, step=step)


def note_probe(org_id: str, at: datetime | None) -> Statement:
    return statement(_NOTE_PROBE, org=org_id, at=at)


# -- tickets

_TICKETS = schema.tickets.c
_HELD = select(schema.tickets).where(_TICKETS.org_id == bindparam("org"))
_ADD_TICKET = insert(schema.tickets)
_DROP_TICKET = (
    delete(schema.tickets)
    .where(_TICKETS.org_id == bindparam("org"), _TICKETS.number == bindparam("ticket"))
    .returning(_TICKETS.number)
)
_TICKET_COLUMNS = tuple(column.name for column in schema.tickets.columns)


def held_tickets(org_id: str) -> Statement:
    """Of all tickets of the org that are not settled: read by ``as_held``."""
    return statement(_HELD, org=org_id)


def as_held(org_id: str, found: Iterable[Row]) -> list[Held]:
    """The tickets, each with the process that took it."""
    named = (dict(zip(_TICKET_COLUMNS, row, strict=True)) for row in found)
    return [
        (
            Ticket(
                row["number"],
                org_id,
                {api: row[api] for api in APIS},
                row["taken_at"],
                row["job_id"],
                row["object"],
            ),
            Owner(row["host"], row["pid"], row["pid_started_s"]),
        )
        for row in named
    ]


def add_ticket(ticket: Ticket) -> Statement:
    owner = this_process()
    row: dict[str, object] = {api: ticket.price.get(api, 0) for api in APIS}
    row |= {"org_id": ticket.org_id, "number": ticket.number, "taken_at": ticket.taken_at}
    row |= {"job_id": ticket.job_id, "object": ticket.object_name}
    row |= {"host": owner.host, "pid": owner.pid, "pid_started_s": owner.pid_started_s}
    return Statement(_ADD_TICKET, (row,))


def drop_ticket(ticket: Ticket) -> Statement:
    """Gives its number if the ticket was still there."""
    return statement(_DROP_TICKET, org=ticket.org_id, ticket=ticket.number)


def lost_tickets(held: Sequence[Held], now: datetime) -> list[Ticket]:
    """
    Tickets that nobody will settle: the owner is gone, or, where nobody can tell, they are too old.
    """
    lives = {owner: is_alive(owner) for _, owner in held}
    return [
        ticket
        for ticket, owner in held
        if lives[owner] is False or not is_recent(ticket.taken_at, now, TICKET_LIFE_S)
    ]


def reserved(held: Sequence[Held]) -> dict[Api, int]:
    """What the held tickets reserve."""
    return {api: sum(ticket.price[api] for ticket, _ in held) for api in APIS}


# -- gauges

_GAUGE_COLUMNS = {
    field.name: "max" if field.name == "maximum" else field.name for field in fields(Gauge)
}
"""Where each field of a gauge is kept."""
_READ_GAUGES = select(*(schema.gauges.c[column] for column in _GAUGE_COLUMNS.values())).where(
    schema.gauges.c.org_id == bindparam("org")
)
_READ_PERCENTS = union_all(
    *(
        select(table.c.api, table.c.percent, literal(kind).label("kind")).where(
            table.c.org_id == bindparam("org")
        )
        for kind, table in (("", schema.limits), (RESTORE, schema.reserves))
    )
)
_READ_KIND = select(schema.jobs.c.kind).where(schema.jobs.c.job_id == bindparam("job"))


def gauges(org_id: str) -> Statement:
    """What is known of each budget: read by ``as_gauges``."""
    return statement(_READ_GAUGES, org=org_id)


def as_gauges(found: Iterable[Row]) -> dict[Api, Gauge]:
    """The gauges; one that was never read has ``maximum`` -1."""
    known = {api: Gauge(api) for api in APIS}
    return known | {row[0]: Gauge(*row) for row in found}


def gauge_row(org_id: str, gauge: Gauge) -> dict[str, object]:
    """The gauge as a row of its table."""
    return {
        "org_id": org_id,
        **{column: getattr(gauge, name) for name, column in _GAUGE_COLUMNS.items()},
    }


def percents(org_id: str) -> Statement:
    """The limit percents of each budget: read by ``as_percents``."""
    return statement(_READ_PERCENTS, org=org_id)


def as_percents(found: Iterable[Row]) -> tuple[dict[Api, int], dict[Api, int]]:
    """The org's limit percent of each budget; and those of restores, where they have their own."""
    chosen: dict[Api, int] = dict.fromkeys(APIS, DEFAULT_LIMIT_PERCENT)
    reserves: dict[Api, int] = {}
    for api, percent, kind in found:
        (reserves if kind else chosen)[api] = int(percent)
    return chosen, reserves


def save_percents(
    database: Database,
    connection: Connection,
    org_id: str,
    percents: Mapping[Api, int],
    kind: str,
) -> None:
    """Keep limit percents of one kind; 0 forgets the one that is kept."""
    table = schema.reserves if kind else schema.limits
    gone = [api for api, percent in percents.items() if not percent]
    if gone:
        connection.execute(delete(table).where(table.c.org_id == org_id, table.c.api.in_(gone)))
    kept = [
        {"org_id": org_id, "api": api, "percent": percent}
        for api, percent in percents.items()
        if percent
    ]
    database.upsert(connection, table, kept)


def kind_of(job_id: str) -> Statement:
    """The kind of work of a job: read by ``as_kind``."""
    return statement(_READ_KIND, job=job_id)


def as_kind(found: Sequence[Row]) -> str | None:
    """None: there is no such job."""
    return found[0][0] if found else None


def quota_state(org_id: str) -> tuple[Statement, Statement, Statement]:
    """All that the gate decides on: read by ``as_quota_state``."""
    return held_tickets(org_id), gauges(org_id), percents(org_id)


def as_quota_state(org_id: str, found: Sequence[Sequence[Row]]) -> tuple[QuotaState, list[Held]]:
    """The state, and the tickets that are held."""
    held = as_held(org_id, found[0])
    return QuotaState(as_gauges(found[1]), *as_percents(found[2]), reserved(held)), held


def statement(executable: Executable, **values: object) -> Statement:
    return Statement(executable, (values,))
