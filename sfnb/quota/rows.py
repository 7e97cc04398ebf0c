"""
What the ledger reads and writes per org, statement by statement. Each function runs in the ledger's
transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache

from sqlalchemy import (
    Connection,
    Executable,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)

from sfnb.model import APIS, RESTORE, Api, Price, Reading
from sfnb.quota import policy
from sfnb.quota.policy import DEFAULT_LIMIT_PERCENT, Gauge
from sfnb.state import schema
from sfnb.state.database import Database, insert_into
from sfnb.state.owner import Owner, is_alive, this_process

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

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
_LAST_PROBE = select(_GATES.last_probe_at).where(_GATES.org_id == bindparam("org"))
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
        .returning(_GATES.last_number)
    )
    return statement


def next_number(database: Database, connection: Connection, org_id: str) -> int:
    """Lock the org's row, so its quota state changes in one order, and give out a ticket number."""
    return _step(database, connection, org_id, 1)


def lock_gate(database: Database, connection: Connection, org_id: str) -> int:
    """Lock the org's row; the last ticket number given out."""
    return _step(database, connection, org_id, 0)


def _step(database: Database, connection: Connection, org_id: str, step: int) -> int:
    statement = _next_number(database.dialect)
    return int(
        connection.execute(statement, {"org": org_id, "first": step, "step": step}).scalar_one()
    )


def last_probe_at(connection: Connection, org_id: str) -> datetime | None:
    return connection.execute(_LAST_PROBE, {"org": org_id}).scalar()


def note_probe(connection: Connection, org_id: str, at: datetime | None) -> None:
    connection.execute(_NOTE_PROBE, {"org": org_id, "at": at})


# -- tickets

_TICKETS = schema.tickets.c
_HELD = select(schema.tickets).where(_TICKETS.org_id == bindparam("org"))
_ADD_TICKET = insert(schema.tickets)
_DROP_TICKET = delete(schema.tickets).where(
    _TICKETS.org_id == bindparam("org"), _TICKETS.number == bindparam("ticket")
)


def read_tickets(connection: Connection, org_id: str) -> list[Held]:
    """All tickets of the org that are not settled, each with the process that took it."""
    return [
        (
            Ticket(
                row.number,
                org_id,
                {"api": row.api, "bulk": row.bulk, "bulk2": row.bulk2, "bulk2_mb": row.bulk2_mb},
                row.taken_at,
                row.job_id,
                row.object,
            ),
            Owner(row.host, row.pid, row.pid_started_s),
        )
        for row in connection.execute(_HELD, {"org": org_id})
    ]


def add_ticket(connection: Connection, ticket: Ticket) -> None:
    owner = this_process()
    row: dict[str, object] = {api: ticket.price.get(api, 0) for api in APIS}
    row |= {"org_id": ticket.org_id, "number": ticket.number, "taken_at": ticket.taken_at}
    row |= {"job_id": ticket.job_id, "object": ticket.object_name}
    row |= {"host": owner.host, "pid": owner.pid, "pid_started_s": owner.pid_started_s}
    connection.execute(_ADD_TICKET, row)


def drop_ticket(connection: Connection, ticket: Ticket) -> bool:
    """Whether the ticket was still there."""
    return (
        connection.execute(_DROP_TICKET, {"org": ticket.org_id, "ticket": ticket.number}).rowcount
        == 1
    )


def lost_tickets(held: Sequence[Held], now: datetime) -> list[Ticket]:
    """
    Tickets that nobody will settle: the owner is gone, or, where nobody can tell, they are too old.
    """
    lives = {owner: is_alive(owner) for _, owner in held}
    return [
        ticket
        for ticket, owner in held
        if lives[owner] is False or not policy.is_recent(ticket.taken_at, now, TICKET_LIFE_S)
    ]


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


def read_gauges(connection: Connection, org_id: str) -> dict[Api, Gauge]:
    """What is known of each budget; one that was never read has ``maximum`` -1."""
    found = {api: Gauge(api) for api in APIS}
    for row in connection.execute(_READ_GAUGES, {"org": org_id}):
        found[row.api] = Gauge(*row)
    return found


def gauge_row(org_id: str, gauge: Gauge) -> dict[str, object]:
    """The gauge as a row of its table."""
    return {
        "org_id": org_id,
        **{column: getattr(gauge, name) for name, column in _GAUGE_COLUMNS.items()},
    }


def read_percents(connection: Connection, org_id: str) -> tuple[dict[Api, int], dict[Api, int]]:
    """The org's limit percent of each budget; and those of restores, where they have their own."""
    percents: dict[Api, int] = dict.fromkeys(APIS, DEFAULT_LIMIT_PERCENT)
    reserves: dict[Api, int] = {}
    for row in connection.execute(_READ_PERCENTS, {"org": org_id}):
        (reserves if row.kind else percents)[row.api] = row.percent
    return percents, reserves


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


def read_kind(connection: Connection, job_id: str) -> str | None:
    """The kind of work of a job; None: there is no such job."""
    found: str | None = connection.execute(_READ_KIND, {"job": job_id}).scalar()
    return found


def read_quota_state(connection: Connection, org_id: str, held: Sequence[Held]) -> QuotaState:
    """Gauges, limit percents, and what the held tickets reserve."""
    in_flight = {api: sum(ticket.price[api] for ticket, _ in held) for api in APIS}
    percents, reserves = read_percents(connection, org_id)
    return QuotaState(read_gauges(connection, org_id), percents, reserves, in_flight)


# -- lately

_RECENT = schema.recent.c
KEPT_S = 1800
"""How long a line of ``recent`` is kept: longer than any call lasts, plus the oldest reading."""

_HEARD = case((_RECENT.at_ms >= bindparam("heard"), _RECENT.reported), else_=-1)
_SINCE = select(
    func.coalesce(func.sum(_RECENT.units), 0), func.coalesce(func.max(_HEARD), -1)
).where(
    _RECENT.org_id == bindparam("org"),
    _RECENT.api == bindparam("name"),
    _RECENT.at_ms >= bindparam("first"),
)
_FORGET = delete(schema.recent).where(
    _RECENT.org_id == bindparam("org"), _RECENT.at_ms < bindparam("first")
)
_AHEAD = (
    select(_RECENT.api, func.sum(_RECENT.units), func.max(_RECENT.reported))
    .where(_RECENT.org_id == bindparam("org"), _RECENT.at_ms > bindparam("last"))
    .group_by(_RECENT.api)
)
_DROP_AHEAD = delete(schema.recent).where(
    _RECENT.org_id == bindparam("org"), _RECENT.at_ms > bindparam("last")
)


def note_recent(
    database: Database,
    connection: Connection,
    org_id: str,
    now: datetime,
    *,
    spent: Mapping[Api, int],
    reported: Mapping[Api, int],
) -> None:
    """Keep what a call spent and what its answer reported, to the millisecond."""
    at_ms = milliseconds(now)
    lines = [
        {
            "org_id": org_id,
            "api": api,
            "at_ms": at_ms,
            "units": spent.get(api, 0),
            "reported": reported.get(api, -1),
        }
        for api in APIS
        if spent.get(api) or api in reported
    ]
    database.upsert(connection, schema.recent, lines, add=("units",), highest=("reported",))


def read_recent(
    connection: Connection, org_id: str, api: Api, since: datetime, heard_from: datetime | None
) -> tuple[int, int]:
    """
    What we have spent of a budget since then, and the highest number reported since then (-1:
    none).

    Args:
        heard_from: numbers reported before do not count.
    """
    first = milliseconds(since)
    heard = first if heard_from is None else milliseconds(heard_from)
    wanted = {"org": org_id, "name": api, "first": first, "heard": heard}
    units, reported = connection.execute(_SINCE, wanted).one()
    return int(units), int(reported)


def tidy_recent(database: Database, connection: Connection, org_id: str, now: datetime) -> None:
    """
    Forget old lines. Lines ahead of now were written before the clock was put back: they become
    this moment's.
    """
    now_ms = milliseconds(now)
    connection.execute(_FORGET, {"org": org_id, "first": now_ms - KEPT_S * 1000})
    last = {"org": org_id, "last": now_ms + int(policy.WRONG_CLOCK_S * 1000)}
    ahead = connection.execute(_AHEAD, last).all()
    if ahead:
        connection.execute(_DROP_AHEAD, last)
        spent = {row[0]: int(row[1]) for row in ahead}
        reported = {row[0]: int(row[2]) for row in ahead if row[2] >= 0}
        note_recent(database, connection, org_id, now, spent=spent, reported=reported)


def milliseconds(moment_at: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (moment_at - EPOCH) // timedelta(milliseconds=1)
