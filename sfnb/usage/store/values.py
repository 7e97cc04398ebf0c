"""What the usage tables hold, as values; minutes and hours count from 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def minute_number(moment_at: datetime) -> int:
    """Whole minutes since 1970, UTC."""
    return int((moment_at - EPOCH).total_seconds() // 60)


def minute_at(number: int) -> datetime:
    """The moment at which a minute since 1970 begins."""
    return EPOCH + timedelta(minutes=int(number))


@dataclass(frozen=True, slots=True)
class EventFile:
    """
    One EventLogFile as the org lists it.

    Args:
        log_at: where its hour or day begins.
        sequence: 0 of a daily file; 1, 2, … of the files of an hour, each with what came in late.
        bytes: its length, as the org says.
    """

    file_id: str
    interval: Literal["Daily", "Hourly"]
    log_at: datetime
    sequence: int
    created_at: datetime
    bytes: int

    @property
    def log_hour(self) -> int:
        return minute_number(self.log_at) // 60


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes calls, as the event log tells; an empty text: it does not."""

    app: str
    user: str
    family: str
    entity: str
    is_sfnb: bool


@dataclass(frozen=True, slots=True)
class EventTally:
    """
    What one file holds.

    Args:
        rows: its lines.
        hours: calls that count and calls that do not, by hour since 1970 and caller.
        minutes: calls that count, and those of them that are sfnb's, by minute since 1970.
        row_hashes: one 8-byte number for each row, so that a later file of the same hour can leave
            out repetitions.
    """

    rows: int
    hours: dict[tuple[int, Caller], tuple[int, int]] = field(default_factory=dict)
    minutes: dict[int, tuple[int, int]] = field(default_factory=dict)
    row_hashes: bytes = b""


@dataclass(frozen=True, slots=True)
class EventRead:
    """
    When the org's event log was last asked for, when that last worked, and why it did not, if so.
    """

    tried_at: datetime | None = None
    read_at: datetime | None = None
    bookmark_at: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class UserDay:
    """
    Calls of one user on one calendar day; whose time zone's day it is, Salesforce does not say.

    Args:
        is_whole: the day had ended in every time zone when the report was read.
    """

    day: date
    user: str
    calls: int
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class ReportRead:
    """
    When the org was last asked for its usage report, when that last worked, and why it did not, if
    so.
    """

    tried_at: datetime | None = None
    read_at: datetime | None = None
    problem: str = ""
