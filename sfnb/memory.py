"""What sfnb remembers between commands: several books in one state database, opened together."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sfnb.clock import Clock, SystemClock
from sfnb.state.database import Database
from sfnb.state.opening import open_database

if TYPE_CHECKING:
    from sfnb.quota.ledger import Ledger
    from sfnb.state.audit import AuditLog
    from sfnb.state.fleet import FleetBook
    from sfnb.state.jobs import Jobs
    from sfnb.state.lease import Lease
    from sfnb.state.locks import Locks
    from sfnb.state.notices import NoticeBook
    from sfnb.state.schedule import ScheduleBook
    from sfnb.state.team import Team
    from sfnb.usage.store.event_log import EventLogBook
    from sfnb.usage.store.spending import UsageBook
    from sfnb.usage.store.user_days import UserDayBook


class State:
    """
    Everything sfnb remembers. Close it when done.

    Attributes:
        database: the transactions below all of the following.
        ledger: limits, gauges and tickets; the gate decides on them.
        jobs: the jobs and their leases.
        audit: who changed which limit.
        team: who may do what.
        usage: what the orgs reported and what sfnb spent.
        event_log: the orgs' event log files, counted.
        user_days: the orgs' own usage reports.
        schedule: commands that run at set times, and what became of each due time.
        locks: what only one process may do at a time.
        notices: what is to be told to people.
        fleet: all orgs at once, and what `verify` found.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    # Each book is imported when it is first used: `sfnb jobs` needs no usage history.

    @cached_property
    def ledger(self) -> Ledger:
        from sfnb.quota.ledger import Ledger

        return Ledger(self.database)

    @cached_property
    def jobs(self) -> Jobs:
        from sfnb.state.jobs import Jobs

        return Jobs(self.database)

    @cached_property
    def audit(self) -> AuditLog:
        from sfnb.state.audit import AuditLog

        return AuditLog(self.database)

    @cached_property
    def team(self) -> Team:
        from sfnb.state.team import Team

        return Team(self.database)

    @cached_property
    def usage(self) -> UsageBook:
        from sfnb.usage.store.spending import UsageBook

        return UsageBook(self.database)

    @cached_property
    def event_log(self) -> EventLogBook:
        from sfnb.usage.store.event_log import EventLogBook

        return EventLogBook(self.database)

    @cached_property
    def user_days(self) -> UserDayBook:
        from sfnb.usage.store.user_days import UserDayBook

        return UserDayBook(self.database)

    @cached_property
    def schedule(self) -> ScheduleBook:
        from sfnb.state.schedule import ScheduleBook

        return ScheduleBook(self.database)

    @cached_property
    def locks(self) -> Locks:
        from sfnb.state.locks import Locks

        return Locks(self.database)

    @cached_property
    def notices(self) -> NoticeBook:
        from sfnb.state.notices import NoticeBook

        return NoticeBook(self.database)

    @cached_property
    def fleet(self) -> FleetBook:
        from sfnb.state.fleet import FleetBook

        return FleetBook(self.database)

    def under(self, lease: Lease) -> State:
        """The same state for the process that runs a job: it writes jobs only while it holds the lease."""
        fenced = State(self.database)
        fenced.__dict__["jobs"] = self.jobs.under(lease)
        return fenced

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_state(url: str, *, clock: Clock | None = None) -> State:
    """
    The state at an SQLAlchemy URL (``sqlite:///path`` or ``postgresql://…``), created and migrated if necessary.

    Raises:
        StoreError: the database cannot be opened, or a newer sfnb made it.
    """
    return State(open_database(url, clock=clock or SystemClock()))
